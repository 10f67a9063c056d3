"""The dataset of trial texts for masked-language-model training, from files of ClinicalTrials.gov."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from datasets import DatasetDict

from bioft.datasets.options import PathName, Seed, SkipBad, TestSize, TrialRecords, ValidationSize
from bioft.datasets.origin import Origin
from bioft.datasets.texts import corpus as texts
from bioft.datasets.trials.records import LICENSE, read_trials, source_entries, source_files, trial_text
from bioft.errors import BioftError
from bioft.storage.text_lines import TextLines


def build(
    path: TrialRecords,
    *,
    exclude: Annotated[PathName | None, "File of NCT ids to leave out: trials that the base model has seen."] = None,
    strip_symbols: Annotated[bool, "Remove brackets, % and other symbols, as was done for a published model."] = False,
    skip_bad: SkipBad = False,
    validation_size: ValidationSize = 0.05,
    test_size: TestSize = 0.1,
    seed: Seed = 0,
) -> tuple[DatasetDict, dict[str, Any]]:
    """Build the dataset of trial texts (id: the NCT id) of a file, zip file or folder; returns splits and manifest.

    Trials without text are left out. Splits as in `texts.build`, so that no trial, and no paragraph that trials share,
    is in two of them. Manifest `left_out`: how many of what.
    """
    files = source_files(path)
    excluded = read_nct_ids(exclude) if exclude is not None else []

    def trials(left_out: Counter[str]) -> Iterator[tuple[str, str]]:
        counts: Counter[str] = Counter()
        for trial in read_trials(path, skip_bad, exclude=excluded, counts=counts):
            if text := trial_text(trial, strip_symbols):
                yield trial.nct_id, text
            else:
                counts["without text"] += 1
        left_out.update({what: n for what, n in counts.items() if what != "records"})

    arguments = {
        "exclude": Path(exclude).name if exclude is not None else None,
        "excluded": len(excluded),
        "strip_symbols": strip_symbols,
        "skip_bad": skip_bad,
    }
    sources = source_entries([*files, Path(exclude)] if exclude is not None else files)
    return texts.build(trials, Origin("trials", arguments, sources, LICENSE), validation_size, test_size, seed)


def read_nct_ids(path: str | os.PathLike[str]) -> Sequence[str]:
    """The NCT ids in a text file, one a line; "#" begins a comment. Raises BioftError when there is none."""
    lines = TextLines(path, "Give a text file with one NCT id a line.")
    ids = [word for line in lines if (word := line.partition("#")[0].strip())]
    if not ids:
        raise BioftError(f"{path} holds no NCT id. Give a text file with one NCT id a line.")
    return ids
