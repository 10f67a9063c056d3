"""Whether a published run is what its card says: its evaluation is run again and compared, figure by figure.

Three things are compared. The card with the record (`run.json`): every figure that the card states. The record with
the stored predictions, which give its figures without any model. And the stored predictions with new ones: the
adapter on its base model, on the recorded data, and the baselines fitted again.
"""

import secrets
from functools import partial
from pathlib import Path
from typing import Unpack

from rich.console import Console
from rich.text import Text

from bioft.datasets.recorded import RecordedData, recorded_data
from bioft.errors import BioftError, ChangedFilesError, LeakageError, in_words
from bioft.hub import pull
from bioft.hub.client import AccessOptions
from bioft.metrics.estimation import estimates
from bioft.storage import runs
from bioft.verify import again, checks
from bioft.verify.card import check_card
from bioft.verify.files import check_files, check_plots, name_plots
from bioft.verify.findings import Status, Verification, checksum_of, clean, print_figures, print_verdict

EXIT_CODES: dict[Status, int] = {
    "verified": 0,
    "not reproduced": 1,
    "cannot be checked": 2,
    "verified on the publisher's data": 3,
    "verified in part": 4,
}


def verify(
    name: str | Path,
    *,
    revision: str | None = None,
    sample: int | None = None,
    seed: int | None = None,
    dataset_path: Path | None = None,
    progress: bool = True,
    **access: Unpack[AccessOptions],
) -> Verification:
    """Run the recorded evaluation of a run again and compare it with the card, the record and the predictions.

    `sample` makes only this many of the test predictions again, drawn at random (by default with a fresh `seed`, which
    nobody can have prepared for), and leaves the base model and the baselines out. `dataset_path` is the source file
    that the data were built from, or a folder written by `bioft build`, where the record names no dataset on the Hub.

    Returns the verdict; what went wrong is in its `reasons`, never raised. "not reproduced": something that the run
    states is not so. "cannot be checked": the data, the base model or the run itself could not be had. "verified on
    the publisher's data": everything holds, but nobody has built the data again from their source. "verified in part":
    the same of a record of an earlier schema.
    """
    found = Verification(str(name))
    try:
        directory = pull.run_directory(str(name), revision=revision, **access)
        if (origin := pull.origin(directory)) is not None:
            found.revision = origin["revision"]
            if Path(name).is_dir():
                found.notes.append(
                    f"That this folder is {origin['id']} at commit {origin['revision']}, it says itself: give that "
                    "name to have it fetched."
                )
        found.checksum = checksum_of(directory)
        record = runs.read(directory)
        runs.check_tested(directory, record)
        check_files(directory, record, found)
        task = pull.task_of(directory, record)
        if sample is not None and seed is None:
            seed = secrets.randbelow(2**32)
        run = checks.Run(directory, record, task, found, sample, seed or 0, progress)
        with estimates.of_schema(int(record["schema_version"])):
            checks.check_functions(run)
            check_card(directory, record, found)
            check_plots(directory, record, task, found)
            data: RecordedData | BioftError
            try:
                fetch = partial(pull.pull_dataset, **access)
                data = recorded_data(directory, record, dataset_path, fetch=fetch, rebuild=True)
            except LeakageError:
                raise
            except BioftError as error:
                data = error
            if dataset_path is not None and (on_hub := record["dataset"].get("hub")):
                found.best = "verified in part"
                found.notes.append(f"Whether the data are those of {on_hub['id']} on the Hub was not checked.")
            again.verify_run(run, data)
        name_plots(found)
        found.status = "not reproduced" if found.reasons else found.best
    except (ChangedFilesError, LeakageError) as error:
        found.reasons.append(str(error))
        found.status = "not reproduced"
    except (BioftError, OSError) as error:
        # What was found before stays true: a card that contradicts its own record needs no data to be refuted.
        found.status = "not reproduced" if found.reasons else "cannot be checked"
        found.reasons.append(str(error))
    except Exception as error:
        # The record comes from someone else: any of its fields may be missing or of another kind.
        found.status = "not reproduced" if found.reasons else "cannot be checked"
        found.reasons.append(f"{runs.RECORD} is not as a finished run of this bioft writes it ({in_words(error)}).")
    return found


def print_verification(found: Verification, console: Console | None = None) -> None:
    """Print the verdict, the figures of the fine-tuned model, how many of the others hold, and the reasons."""
    console = console or Console(markup=False)
    print_figures(found.figures, console)
    if (made := found.predictions) is not None:
        console.print(
            f"Predictions: {made.agreeing:,} of {made.compared:,} agree"
            + (f" (drawn from {made.total:,})" if made.compared < made.total else "")
            + f"; largest difference {made.max_difference:.2g}, allowed {made.tolerance:g}; "
            f"{made.label_flips:,} with another answer.",
            highlight=False,
        )
    if found.not_checked:
        console.print(
            Text(clean(f"Not checked, the publisher's word: {'; '.join(found.not_checked)}.")), soft_wrap=True
        )
    where = f"{found.name}, commit {found.revision}" if found.revision else found.name
    if made is not None and made.compared < made.total:
        where += f" ({made.compared:,} of {made.total:,} predictions)"
    style = {"verified": "green", "not reproduced": "red"}.get(found.status, "yellow")
    print_verdict(found.notes, found.reasons, Text(f"{where}: {found.status}", style=style), console)
