"""How every recipe begins and ends its run; what lies between is the recipe's own."""

import os
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from accelerate import PartialState
from transformers import PrinterCallback
from transformers.integrations import get_available_reporting_integrations

from bioft.errors import BioftError
from bioft.hub import push as hub
from bioft.metrics import plots
from bioft.models import base as models
from bioft.storage import runs
from bioft.tasks.gene_disease import evaluate as evaluation
from bioft.training import arguments, launch


def begin(script_args: Any, model_args: Any, training_args: Any) -> tuple[dict[str, Any], models.BaseModel]:
    """Find out, before any work, what would make the run fail at its end, and where the base model is.

    Returns:
        The beginning of the run record (code, packages, hardware, command and seed as they are now: the checkout may
        change while a long training runs), and the base model.

    Raises:
        BioftError: fewer processes than were asked for, a tracker that is not installed, a finished run in the output
            directory, no such base model, or no right to push to `push_to_hub`.
    """
    PartialState()
    launch.check_process_count()
    if not script_args.dry_run:
        runs.refuse_taken(Path(training_args.output_dir), overwrite=script_args.overwrite)
    check_trackers(training_args.report_to)
    base = models.resolve_base_model(model_args.model_name_or_path, model_args.model_revision)
    if script_args.push_to_hub:
        hub.check_before_training(script_args.push_to_hub, vars(base), Path(training_args.output_dir))
    return runs.environment() | {"seed": training_args.seed}, base


def prepare(script_args: Any, *other_args: Any) -> tuple[str | None, bool]:
    """Make the run directory ready, unless the run is dry: before this nothing is written.

    Args:
        script_args: those of the recipe itself.
        other_args: the others, the trainer's as the last.

    Returns:
        The checkpoint from which to go on, None to begin at the start; and whether this process writes the run.

    Raises:
        BioftError: the directory holds a finished run, another one that is not finished, or other files.
    """
    if script_args.dry_run:
        # A trainer makes its output folder with all parents, and `dry_run.report` removes the folder alone.
        other_args[-1].output_dir = str(Path(tempfile.gettempdir()) / f"bioft-dry-run-{os.getpid()}")
        return None, False
    directory, state = Path(other_args[-1].output_dir), PartialState()
    if state.is_main_process:
        runs.prepare(directory, arguments.resolved(script_args, *other_args), overwrite=script_args.overwrite)
        # Without a name Trackio gives the figures at the end to a run of their own. A resumed run keeps its name.
        begun = datetime.fromtimestamp((directory / runs.CONFIG).stat().st_mtime, UTC)
        other_args[-1].run_name = other_args[-1].run_name or f"{directory.name}-{begun:%Y%m%d-%H%M%S}"
    state.wait_for_everyone()
    return runs.last_checkpoint(directory), state.is_main_process


def finish(trainer: Any, record: dict[str, Any], shown: Mapping[str, str], push_to_hub: str | None = None) -> None:
    """Write the record as the run's last file, log its figures to the trackers, print its table, and push it if asked.

    Args:
        trainer: a Transformers trainer after its training; its output directory is the run's.
        record: all of the record but the checksums, the name and the trainer's log.
        shown: the metrics of the table, and their words.
        push_to_hub: `user/name` of a model repository.
    """
    directory = Path(trainer.args.output_dir)
    record["log_history"] = trainer.state.log_history
    (directory / "plots").mkdir(exist_ok=True)
    plots.metrics(evaluation.result_rows(record), shown, directory / "plots" / "metrics.png")
    runs.finish(directory, record)
    if runs.is_tested(record):
        log_figures(trainer, record)
    evaluation.print_results(record, shown=shown)
    print(f"Run recorded in {directory}")
    if push_to_hub:
        hub.push_finished_run(directory, push_to_hub)


def log_figures(trainer: Any, record: Mapping[str, Any]) -> None:
    """Log the final figures of the model, the base model and the baselines to the trackers of the run.

    Their names are `test/f1`, `test/base_model/f1` and `test/baselines/<name>/f1` in every tracker.
    """
    groups = {"": record["metrics"], "base_model/": record["base_model_metrics"]}
    groups |= {f"baselines/{name}/": figures for name, figures in record["baselines"].items()}
    trainer.remove_callback(PrinterCallback)  # the table says the same
    trainer.log(
        {
            f"test_{group}{name}": figure["value"]
            for group, figures in groups.items()
            for name, figure in figures.items()
            if figure["value"] is not None
        }
    )


def check_trackers(names: list[str]) -> None:
    """Stop before a training whose trackers are not installed: BioftError, with what would install them."""
    if unknown := sorted(set(names) - set(get_available_reporting_integrations())):
        raise BioftError(
            f"No tracker {', '.join(unknown)} is installed here (report_to). For trackio and wandb: "
            "pip install 'bioft[trackers]'"
        )
