"""How every recipe begins and ends its run; what lies between is the recipe's own."""

import logging
import os
import re
import shlex
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from accelerate import PartialState
from rich.console import Console
from transformers.integrations import get_available_reporting_integrations

from bioft import task as tasks
from bioft.cards import model as cards
from bioft.compare import publish
from bioft.datasets.load import describe
from bioft.errors import BioftError
from bioft.hub import push as hub
from bioft.metrics import plots, report, thresholds
from bioft.models import base as models, embedded, lora, precision, progress, quiet
from bioft.storage import environment, run_directory, runs
from bioft.storage.files import disk_errors, open_to_all, remove, write_json, write_text
from bioft.storage.runs import CARD, RECORD, RESUMPTION, checksums, is_tested
from bioft.training import arguments, launch
from bioft.training.following import followed

logger = logging.getLogger(__name__)


def begin(
    script_args: Any, model_args: Any, training_args: Any, **about: Any
) -> tuple[dict[str, Any], embedded.BaseModel]:
    """Find out, before any work, what would make the run fail at its end, and where the base model is.

    Returns the beginning of the run record (code, packages, hardware, command and seed as they are now: the checkout
    may change while a long training runs; and what it is `about`, its recipe, preset and task), and the base model.
    BioftError: fewer processes than were asked for, a tracker that is not installed, a finished run in the output
    directory, no such base model, or no right to push to `push_to_hub`.
    """
    quiet.quieten()
    progress.end()  # what an earlier run in this process was at
    PartialState()
    launch.check_process_count()
    if not script_args.dry_run:
        run_directory.refuse_taken(Path(training_args.output_dir), overwrite=script_args.overwrite)
    check_trackers(training_args.report_to, Path(training_args.output_dir))
    base = models.resolve_base_model(model_args.model_name_or_path, model_args.model_revision)
    if script_args.push_to_hub:
        hub.check_before_training(script_args.push_to_hub, vars(base), Path(training_args.output_dir))
    seed = {"seed": training_args.seed}
    return environment.environment() | seed | precision.record_of(training_args) | about, base


def prepare(script_args: Any, *other_args: Any) -> tuple[str | None, bool]:
    """Make the run directory ready, unless the run is dry: before this nothing is written.

    The trainer's arguments come last. Returns the checkpoint from which to go on, None to begin at the start; and
    whether this process writes the run. BioftError: the directory holds a finished run, another one that is not
    finished, or other files.
    """
    if script_args.dry_run:
        # A trainer makes its output folder with all parents, and `dry_run.report` removes the folder alone.
        other_args[-1].output_dir = str(Path(tempfile.gettempdir()) / f"bioft-dry-run-{os.getpid()}")
        return None, False
    directory, state = Path(other_args[-1].output_dir), PartialState()
    if state.is_main_process:
        run_directory.prepare(directory, arguments.resolved(script_args, *other_args), overwrite=script_args.overwrite)
        run_directory.last_checkpoint(directory)  # removes broken ones before the other processes look
        # Without a name Trackio gives the figures at the end to a run of their own. A resumed run keeps its name.
        begun = datetime.fromtimestamp((directory / runs.CONFIG).stat().st_mtime, UTC)
        other_args[-1].run_name = other_args[-1].run_name or f"{directory.name}-{begun:%Y%m%d-%H%M%S}"
    state.wait_for_everyone()
    return run_directory.last_checkpoint(directory), state.is_main_process


def note_thresholds(record: dict[str, Any], chosen: Mapping[str, str]) -> None:
    """Say on stderr, and in the record's `notes` that its card shows, which thresholds no validation split chooses.

    `chosen` is by the names of what they decide what `thresholds.chosen_on` says.
    """
    if (sentence := thresholds.note(chosen)) is not None:
        record.setdefault("notes", []).append(sentence)
        if PartialState().is_main_process:
            logger.warning(sentence)


def train(trainer: Any, checkpoint: str | None, *, best_thresholds: bool = False) -> dict[str, Any]:
    """Train, from the checkpoint if there is one, as `followed` says; returns `training_summary` for the record."""
    with followed(trainer, best_thresholds):
        metrics = trainer.train(resume_from_checkpoint=checkpoint).metrics
    return training_summary(trainer, metrics, checkpoint)


def timed(function: Callable[..., Any], *args: Any, **options: Any) -> tuple[Any, float]:
    """What a function returns, and the seconds that it takes."""
    started = time.perf_counter()
    return function(*args, **options), time.perf_counter() - started


def results(
    evaluate: Any,
    table: Any,
    base_table: Any,
    baselines: Mapping[str, Any],
    dataset: Any,
    record: Mapping[str, Any],
    manifest: dict[str, Any],
) -> dict[str, Any]:
    """What a record holds of the data and of the predictions of the model, its base and the baselines on them.

    `evaluate` is that module of the task, which makes figures, comparisons and analyses (see `bioft.task`); `manifest`
    is that of the dataset.
    """
    analyses: Callable[..., dict[str, Any]] = getattr(evaluate, "analyses", lambda *_: {})
    return {
        "dataset": describe(manifest),
        "audit": manifest["audit"],
        "metrics": evaluate.figures(table, dataset, record),
        "base_model_metrics": evaluate.figures(base_table, dataset, record),
        "baselines": {name: evaluate.figures(its, dataset, record) for name, its in baselines.items()},
        **evaluate.comparisons(table, baselines, dataset, record),
        **analyses({**baselines, tasks.BASE: base_table, tasks.FINE_TUNED: table}, dataset, record),
    }


def finish(trainer: Any, record: dict[str, Any], shown: Mapping[str, str], push_to_hub: str | None = None) -> None:
    """Write the record as the run's last file, log its figures to the trackers, print its table, and push it if asked.

    `record` is all of the record but the checksums, the name and the trainer's log; `shown` are the metrics of the
    table, and their words. The output directory of the trainer, which has trained, is the run's.
    """
    directory, console = Path(trainer.args.output_dir), Console(markup=False)
    record["log_history"] = trainer.state.log_history
    (directory / "plots").mkdir(exist_ok=True)
    plots.metrics(report.named(record, report.result_rows(record)), shown, directory / "plots" / "metrics.png")
    complete(directory, record)
    progress.finished()
    if runs.is_tested(record):
        log_figures(trainer, record)
    report.print_results(record, shown, console)
    for each in _of_task(record, "tables", lambda record: ())(record):
        report.say(each, console) if isinstance(each, str) else report.show(each, console)
    report.say(report.rests_on(record), console)
    report.say(f"Run recorded in {directory}", console)
    if runs.is_tested(record):
        console.print("Next:", *next_commands(directory, record), sep="\n  ", soft_wrap=True, highlight=False)
    if push_to_hub:
        publish.push_finished_run(directory, push_to_hub)


def next_commands(directory: Path, record: Mapping[str, Any]) -> list[str]:
    """What one may do with a finished run: ask it (or verify it, where it has no answer), look at it, publish it."""
    task, folder = tasks.find(record, pulled=False), shlex.quote(str(directory))
    asked = f"bioft {task.command} {task.usage}" if task.usage else "bioft verify model"
    # What the Hub takes in names.
    name = re.sub(r"[^\w.]+", "-", directory.name, flags=re.ASCII).strip("-.")
    return [
        re.sub(r"\bmodel\b", lambda _: folder, asked),
        f"bioft analyze {folder} --output {shlex.quote(f'{directory}-analysis')}",
        f"bioft push-adapter {folder} USER/{name or 'model'}",
    ]


def _of_task(record: Mapping[str, Any], name: str, default: Callable[..., Any]) -> Callable[..., Any]:
    """A function of the `evaluate` module of the task of a record, where it has such."""
    return getattr(tasks.part(tasks.find(record, pulled=False), "evaluate"), name, default)


def log_figures(trainer: Any, record: Mapping[str, Any]) -> None:
    """Log the final figures of the model, the base model and the baselines to the trackers of the run.

    Their names are `test/f1`, `test/base_model/f1` and `test/baselines/<name>/f1` in every tracker.
    """
    groups = {"": record["metrics"], "base_model/": record["base_model_metrics"]}
    groups |= {f"baselines/{name}/": figures for name, figures in record["baselines"].items()}
    trainer.log(
        {
            f"test_{group}{name}": figure["value"]
            for group, figures in groups.items()
            for name, figure in figures.items()
            if figure["value"] is not None
        }
    )


def check_trackers(names: list[str], directory: Path) -> None:
    """Stop before a training whose trackers can't follow it: BioftError, with what would mend it."""
    if unknown := sorted(set(names) - set(get_available_reporting_integrations())):
        raise BioftError(
            f"No tracker {', '.join(unknown)} is installed here (report_to). For trackio and wandb: "
            "pip install 'bioft[trackers]'"
        )
    try:
        str(directory.absolute()).encode()
    except UnicodeEncodeError:
        # As under LC_ALL=C where Python may not switch to UTF-8 by itself.
        if "tensorboard" in names:
            raise BioftError(
                "tensorboard can't write to an output_dir with letters that this locale does not know. Set "
                "PYTHONUTF8=1, choose another --output_dir, or give --report_to none."
            ) from None


def complete(directory: Path, record: dict[str, Any]) -> None:
    """Complete a run: plots, card, and as the last file `run.json`; what only a resumption needed is removed.

    The record, which starts with `environment()`, gets the run's name, the module of its task (a task outside bioft
    has named it already) and the checksums of its files.
    """
    record |= {"name": directory.name, "module": tasks.find(record, pulled=False).module}
    with disk_errors(directory):
        plots.plot_training(directory, record["log_history"])
        _of_task(record, "plot", lambda directory, record: None)(directory, record)
        open_to_all(directory)
        record["files"] = checksums(directory)
        if is_tested(record):  # a card is about figures on a test split
            write_text(directory / CARD, cards.model_card(record))
        write_json(directory / RECORD, record, allow_nan=False)
    # Not before the record stands: until then the same command must be able to continue.
    remove(path for path in directory.iterdir() if RESUMPTION.match(path.name))
    run_directory.release(directory)


def training_summary(trainer: Any, metrics: dict[str, float], checkpoint: str | None) -> dict[str, Any]:
    """Parameters, steps and speed of a finished training, for the record.

    `metrics` are what `trainer.train()` returned; seconds and speed count the steps after `checkpoint` only.
    """
    trainable, total = lora.parameter_counts(trainer.model)
    args, steps = trainer.args, trainer.state.global_step
    per_step = args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size
    resumed_step = int(checkpoint.rsplit("-", 1)[1]) if checkpoint else 0
    seconds = metrics["train_runtime"]
    # The last batch of an epoch may be smaller than the others.
    examples_seen = min(steps * per_step, round(trainer.state.epoch * len(trainer.train_dataset)))
    return {
        "trainable_parameters": trainable,
        "total_parameters": total,
        "examples_seen": examples_seen,
        "steps": steps,
        "seconds": seconds,
        "examples_per_second": examples_seen * (1 - resumed_step / steps) / seconds,
        "resumed_from": resumed_step or None,
    }
