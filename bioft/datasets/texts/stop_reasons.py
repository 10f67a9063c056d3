"""Why clinical trials stopped: short texts of ClinicalTrials.gov, with 17 reasons of Open Targets.

Two sets of labels. The gold set was labelled by experts, each text with any number of reasons. The *weak* set is
larger and has one reason a text, predicted by the classifier of the same authors: a score on it says how well a model
repeats that classifier, and is no accuracy.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

from datasets import DatasetDict

from bioft import __version__
from bioft.datasets import data
from bioft.datasets.documents import corpus as documents
from bioft.datasets.options import Option, PathName, Seed, SkipBad, TestSize, ValidationSize
from bioft.datasets.origin import Origin
from bioft.datasets.texts import labelled as labelled_texts
from bioft.datasets.texts.labelled import LabelledText, check_label
from bioft.errors import BioftError
from bioft.storage import json_text
from bioft.storage.tables import Table
from bioft.storage.text_lines import TextLines

_CORPUS = data("corpora.toml")["stop_reasons"]
LABELS, CITATION, TEXT_TERMS = tuple(_CORPUS["labels"]), _CORPUS["citation"], _CORPUS["terms"]
COMMON: dict[str, Any] = {"labels": LABELS, "trial_field": "why_stopped"}
HUB_ID = "opentargets/clinical_trial_reason_to_stop"
HUB_FILE = "data.json"
WEAK_COLUMNS = ("stop_reason", "nct_id", "prediction")
NO_VALUE = "nan"
"""What the weak file has for a missing value."""
SAMPLE = Path(__file__).parent / "samples" / "stop_reasons.tsv"
T = TypeVar("T")
_NCT_ID = re.compile(r"NCT\d{8}")


def read_weak(
    path: str | os.PathLike[str], *, skip_bad: bool = False, left_out: list[str] | None = None
) -> Iterator[LabelledText]:
    """Read the file of predicted ("weak") reasons: TSV with the columns `WEAK_COLUMNS` among others.

    Rows without a prediction or without a text, and rows in which two records run together (the fields after the
    prediction are filled), are always left out, with `skip_bad` other wrong ones too; `left_out` receives a message
    for each. BioftError: a column is missing; a row with another number of fields, an NCT id that is none, or an
    unknown label, with its line.
    """
    lines = TextLines(path, "Give the TSV file of predicted stop reasons.")
    rows = (line.rstrip("\r\n").split("\t") for line in lines)
    header = next(rows)
    if missing := [name for name in WEAK_COLUMNS if name not in header]:
        raise BioftError(
            f"{path}: no column {', '.join(missing)}; found {', '.join(filter(None, header))[:200]}. "
            "Give the TSV file of predicted stop reasons."
        )
    text_column, id_column, label_column = (header.index(name) for name in WEAK_COLUMNS)

    def parse(row: list[str], place: str) -> LabelledText:
        if len(row) == len(header) and any(row[label_column + 1 :]):
            raise _NoUseError(f"{place}: two records run together.")
        if len(row) != len(header):
            raise BioftError(f"{place}: {len(row)} fields where the header has {len(header)}.")
        text, label = _clean(row[text_column]), row[label_column].strip()
        if not text or not label or NO_VALUE in (text, label):
            raise _NoUseError(f"{place}: no {'text' if text in ('', NO_VALUE) else 'label'}.")
        if not _NCT_ID.fullmatch(row[id_column]):
            raise BioftError(f"{place}: '{row[id_column][:40]}' is no NCT id (NCT and eight digits).")
        check_label(label, LABELS, place)
        return LabelledText(row[id_column], text, (label,))

    yield from _parsed(rows, parse, lines, skip_bad, left_out)


def read_gold(
    path: str | os.PathLike[str], *, skip_bad: bool = False, left_out: list[str] | None = None
) -> Iterator[LabelledText]:
    """Read the expert labels as Open Targets publishes them: lines of JSON with `text` and its labels.

    The labels are a list of names in `label_descriptions`, or true and false in a key for each label; where a row has
    both, they must say the same. Rows without a text or a label are always left out, as in `read_weak`. BioftError: a
    line that is no JSON object, has no labels or an unknown one, with its number.
    """
    lines = TextLines(path, f"Give {HUB_FILE} of {HUB_ID}.")

    def parse(line: str, place: str) -> LabelledText:
        row = json_text.parse(line, place, lines.hint)
        if not isinstance(row, dict):
            raise BioftError(f"{place}: a {type(row).__name__} where a JSON object should be.")
        if not isinstance(row.get("text") or "", str):
            raise BioftError(f"{place}: the text is of type {type(row['text']).__name__}. Give a string.")
        labels, text = _gold_labels(row, place), _clean(row.get("text") or "")
        if not text or not labels:
            raise _NoUseError(f"{place}: no {'label' if text else 'text'}.")
        return LabelledText(f"line-{lines.number}", text, labels)

    yield from _parsed(filter(str.strip, lines), parse, lines, skip_bad, left_out)


class _NoUseError(BioftError):
    """A row that is as the source writes it, and of no use: always left out."""


def _parsed(
    rows: Iterable[T],
    parse: Callable[[T, str], LabelledText],
    lines: TextLines,
    skip_bad: bool,
    left_out: list[str] | None,
) -> Iterator[LabelledText]:
    """What `parse` makes of each row and its place; a row that it refuses is left out, with a message, or raises."""
    for row in rows:
        try:
            found = parse(row, f"{lines.path.name}, line {lines.number}")
        except BioftError as error:
            if not (skip_bad or isinstance(error, _NoUseError)):
                raise
            if left_out is not None:
                left_out.append(str(error))
            continue
        yield found


def build_weak(
    path: Annotated[PathName, "The TSV file of predicted reasons."],
    *,
    validation_size: ValidationSize = 0.1,
    test_size: TestSize = 0.2,
    seed: Seed = 0,
    skip_bad: SkipBad = False,
) -> tuple[DatasetDict, dict[str, Any]]:
    """Build the set of weak labels, one for each text; returns the splits and the manifest.

    Arguments and errors as in `read_weak` and `labelled_texts.build`.
    """
    left_out: list[str] = []
    source = documents.source(
        Path(path),
        url="https://github.com/opentargets/stopReasons",
        terms=f"{TEXT_TERMS} The repository of the predicted labels states no licence.",
        citation=CITATION,
    )
    return labelled_texts.build(
        read_weak(path, skip_bad=skip_bad, left_out=left_out),
        Origin("stop_reasons_weak", {"skip_bad": skip_bad}, [source], {"license": "unknown"}),
        *(validation_size, test_size, seed),
        **COMMON,
        multi_label=False,
        label_source="weak",
        note="the labels are weak: one for each text, predicted by a classifier, so a score on them is no accuracy",
        left_out=left_out,
    )


def build_gold(
    path: Annotated[PathName | None, Option("data.json of Open Targets.", default="fetched from the Hub")] = None,
    *,
    revision: Annotated[str | None, Option("Branch, tag or commit on the Hub.", default="main")] = None,
    validation_size: ValidationSize = 0.1,
    test_size: TestSize = 0.2,
    seed: Seed = 0,
    skip_bad: SkipBad = False,
) -> tuple[DatasetDict, dict[str, Any]]:
    """Build the set of expert labels, any number for each text; returns the splits and the manifest.

    Without a `path` the file is fetched from the Hub, at `revision` or main. Other arguments and errors as in
    `read_gold` and `labelled_texts.build`.
    """
    left_out: list[str] = []
    file, commit = (Path(path), None) if path is not None else download_gold(revision)
    source = documents.source(
        file,
        version=commit,
        url=f"https://huggingface.co/datasets/{HUB_ID}",
        terms=f"{TEXT_TERMS} The labels are under the Apache licence 2.0.",
        redistribution="free",
        citation=CITATION,
    )
    return labelled_texts.build(
        read_gold(file, skip_bad=skip_bad, left_out=left_out),
        Origin("stop_reasons", {"skip_bad": skip_bad}, [source], {"license": "apache-2.0"}),
        *(validation_size, test_size, seed),
        **COMMON,
        multi_label=True,
        label_source="expert",
        left_out=left_out,
    )


def build_sample(
    *, validation_size: ValidationSize = 0.15, test_size: TestSize = 0.3, seed: Seed = 0
) -> tuple[DatasetDict, dict[str, Any]]:
    """Build the small sample that comes with bioft: made-up reasons, written for this project, any number of labels.

    Good for trying things out and for tests, never for a claim about a model.
    """
    rows = Table(SAMPLE, ("id", "text", "labels"))
    about = {"version": f"bioft {__version__}", "terms": "MIT, as bioft itself", "redistribution": "free"}
    return labelled_texts.build(
        [LabelledText(row["id"], row["text"], tuple(row["labels"].split("|"))) for row in rows],
        Origin("stop_reasons_sample", {}, [documents.source(SAMPLE, **about)], {"license": "mit"}),
        *(validation_size, test_size, seed),
        **COMMON,
        multi_label=True,
        label_source="sample",
    )


def download_gold(revision: str | None = None) -> tuple[Path, str]:
    """Fetch the file of expert labels from the Hub into its cache; the file and its commit, or BioftError."""
    from huggingface_hub import hf_hub_download
    from transformers.utils.hub import extract_commit_hash

    try:
        file = hf_hub_download(HUB_ID, HUB_FILE, repo_type="dataset", revision=revision)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()
        raise BioftError(
            f"{HUB_FILE} of {HUB_ID} can't be had from the Hub ({reason[0] if reason else type(error).__name__}). Try "
            "again online without HF_HUB_OFFLINE, or give --dataset_path and a file that you fetched yourself."
        ) from error
    return Path(file), extract_commit_hash(file, None) or ""


def _clean(text: str) -> str:
    """The text on one line without the quotes around all of it."""
    text = " ".join(text.split())
    if len(text) > 1 and text.startswith('"') and text.endswith('"'):
        text = text[1:-1].replace('""', '"').strip()
    return text


def _gold_labels(row: dict[str, Any], place: str) -> tuple[str, ...]:
    flagged = set()
    for name in LABELS:
        if (value := row.get(name)) not in (True, False, None):
            raise BioftError(f"{place}: {name} is {json.dumps(value)[:40]}. Write true or false.")
        flagged |= {name} if value else set()
    listed = row.get("label_descriptions")
    if listed is None:
        if not any(name in row for name in LABELS):
            raise BioftError(f"{place}: neither label_descriptions nor a key for each label.")
        return tuple(sorted(flagged))
    listed = [listed] if isinstance(listed, str) else listed
    if not isinstance(listed, list):
        raise BioftError(f"{place}: label_descriptions is of type {type(listed).__name__}. Give a list of labels.")
    for label in listed:
        check_label(str(label)[:100], LABELS, place)
    if any(name in row for name in LABELS) and flagged != set(listed):
        raise BioftError(f"{place}: label_descriptions and the keys of the labels do not say the same.")
    return tuple(sorted(set(listed)))
