"""Whether a published run is what its card says: its evaluation is run again and compared, figure by figure.

Three things are compared. The card with the record (`run.json`): every figure that the card states. The record with
the stored predictions, which give its figures without any model. And the stored predictions with new ones: the
adapter on its base model, on the recorded data, and the baselines fitted again.
"""

import secrets
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bioft.errors import BioftError, ChangedFilesError, LeakageError
from bioft.hub import pull
from bioft.storage import runs
from bioft.task import FINE_TUNED
from bioft.verify.card import check_card
from bioft.verify.documents import check_documents
from bioft.verify.findings import Request, Status, Verification, number_text
from bioft.verify.gene_disease import check_gene_disease
from bioft.verify.masked_lm import check_masked_lm
from bioft.verify.retrieval import check_contrastive
from bioft.verify.text_labels import check_texts

EXIT_CODES: dict[Status, int] = {"verified": 0, "not reproduced": 1, "cannot be checked": 2}
CHECKS: dict[str, Callable[[Request], None]] = {
    "mlm": check_masked_lm,
    "sft_gda": check_gene_disease,
    "token_classification": check_documents,
    "sequence_classification": check_documents,
    "joint_ner_re": check_documents,
    "text_classification": check_texts,
    "contrastive": check_contrastive,
}
"""How the runs of each recipe are evaluated again."""


def verify(
    name: str | Path,
    *,
    revision: str | None = None,
    sample: int | None = None,
    seed: int | None = None,
    dataset_path: Path | None = None,
    endpoint: str | None = None,
    token: str | None = None,
    progress: bool = True,
) -> Verification:
    """Run the recorded evaluation of a run again and compare it with the card, the record and the predictions.

    Args:
        name: `user/name` on the Hub, or a run directory.
        revision: branch, tag or commit on the Hub; by default main.
        sample: make only this many of the test predictions again, drawn at random, and leave the base model and the
            baselines out; None makes all of them.
        seed: of that draw; by default a fresh one, which nobody can have prepared for.
        dataset_path: the source file that the data were built from, or a folder written by `bioft build`, where the
            record names no dataset on the Hub.
        endpoint: another Hub than that of `HF_ENDPOINT`.
        token: by default the one of `hf auth login` or `HF_TOKEN`.
        progress: show progress bars.

    Returns:
        The verdict. "not reproduced": something that the run states is not so. "cannot be checked": the data, the base
        model or the run itself could not be had. What went wrong is in `reasons`, never raised.
    """
    found = Verification(str(name))
    try:
        directory = pull.run_directory(str(name), revision=revision, endpoint=endpoint, token=token)
        found.revision = (pull.origin(directory) or {}).get("revision")
        record = runs.read(directory)
        runs.check_tested(directory, record)
        runs.check_files(directory, record)
        check = CHECKS.get(record.get("recipe", ""))
        if check is None:
            raise BioftError(
                f"This bioft can't evaluate a run of {record.get('recipe')!r} again. It can for: {', '.join(CHECKS)}."
            )
        check_card(directory, record, found)
        if sample is not None and seed is None:
            seed = secrets.randbelow(2**32)
        check(
            Request(
                directory=directory,
                record=record,
                found=found,
                sample=sample,
                seed=seed or 0,
                dataset_path=dataset_path,
                dataset_folder=lambda id, commit: pull.pull_dataset(
                    id, revision=commit, endpoint=endpoint, token=token
                ),
                progress=progress,
            )
        )
        found.status = "not reproduced" if found.reasons else "verified"
    except (ChangedFilesError, LeakageError) as error:
        found.reasons.append(str(error))
        found.status = "not reproduced"
    except (BioftError, OSError) as error:
        # What was found before stays true: a card that contradicts its own record needs no data to be refuted.
        found.status = "not reproduced" if found.reasons else "cannot be checked"
        found.reasons.append(str(error))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        # The record comes from someone else: any of its fields may be missing or of another kind.
        found.status = "cannot be checked"
        found.reasons.append(f"{runs.RECORD} is not as a finished run of this bioft writes it ({error!r}).")
    return found


def print_verification(found: Verification, console: Console | None = None) -> None:
    """Print the verdict, the figures of the fine-tuned model, how many of the others hold, and the reasons."""
    console = console or Console()
    if found.figures:
        table = Table(title="Test split", title_justify="left")
        for column in ("figure", "recorded [95 % interval]", "now", ""):
            table.add_column(column)
        for figure in found.figures:
            if figure.model == FINE_TUNED or not figure.holds:
                words = "equal" if figure.equal else "in the interval" if figure.holds else "outside the interval"
                label = figure.metric if figure.model == FINE_TUNED else f"{figure.model}: {figure.metric}"
                interval = f" [{number_text(figure.low)}, {number_text(figure.high)}]"
                style = None if figure.holds else "red"
                table.add_row(
                    label, number_text(figure.recorded) + interval, number_text(figure.measured), words, style=style
                )
        console.print(table)
        others = [figure for figure in found.figures if figure.model != FINE_TUNED]
        if others:
            holding = sum(figure.holds for figure in others)
            console.print(f"Base model and baselines: {holding} of {len(others)} figures hold.")
    if (made := found.predictions) is not None:
        console.print(
            f"Predictions: {made.agreeing:,} of {made.compared:,} agree"
            + (f" (drawn from {made.total:,})" if made.compared < made.total else "")
            + f"; largest difference {made.max_difference:.2g}, allowed {made.tolerance:g}; "
            f"{made.label_flips:,} with another answer.",
            highlight=False,
        )
    for note in found.notes:
        console.print(Text(f"Note: {note}"), soft_wrap=True)
    for reason in found.reasons:
        console.print(Text(f"- {reason}"), soft_wrap=True)
    where = f"{found.name}, commit {found.revision}" if found.revision else found.name
    style = "green" if found.status == "verified" else "red" if found.status == "not reproduced" else "yellow"
    console.print(Text(f"{where}: {found.status}", style=style), soft_wrap=True)
