"""The run directory: one training run on disk, with the record that binds its numbers to data and code."""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import yaml

import bioft
from bioft.errors import BioftError, ChangedFilesError

SCHEMA_VERSION = 1
RECORD = "run.json"
CONFIG = "config.yaml"
CARD = "README.md"
PACKAGES = (
    "torch", "transformers", "trl", "peft", "bitsandbytes", "accelerate", "datasets", "evaluate",
    "huggingface_hub", "tokenizers", "sentence-transformers", "scikit-learn", "numpy",
)  # fmt: skip
BASE_SCORES = "base_scores-"
BEGUN_HERE: set[Path] = set()
"""Run directories that this process has made: another one may have been given the same name."""
# What only the resumption of an unfinished run needs.
RESUMPTION = re.compile(rf"checkpoint-\d+(/|$)|{BASE_SCORES}|training_args\.bin$")
# What makes no difference to the trained model may change between a kill and its resumption.
NOT_COMPARED = {"overwrite", "dry_run", "push_to_hub", "seeds", "logging_steps", "report_to", "disable_tqdm"}


def prepare(directory: Path, config: dict[str, Any], *, overwrite: bool = False) -> None:
    """Make a run directory ready for a run with this configuration, or for resuming one.

    Raises:
        BioftError: the directory holds a finished run, an unfinished one with other settings, or other files.
    """
    refuse_taken(directory, overwrite=overwrite)
    existing = sorted(directory.iterdir()) if directory.is_dir() else []
    names = {path.name for path in existing}
    if names and not names & {RECORD, CONFIG}:
        raise BioftError(f"{directory} holds files that are not of a run. Choose another --output_dir.")
    if names and overwrite:
        shutil.rmtree(directory)
    elif CONFIG in names:
        earlier = yaml.safe_load((directory / CONFIG).read_text()) or {}
        changed = [f"{key}: {was!r}, now {now!r}" for key, was, now in differing_settings(earlier, config)]
        if changed:
            raise BioftError(
                f"{directory} holds an unfinished run with other settings ({'; '.join(changed)}). "
                "Choose another --output_dir, or give --overwrite to start anew."
            )
        return
    with disk_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
    write_text(directory / CONFIG, yaml.safe_dump(config, sort_keys=True, allow_unicode=True))
    BEGUN_HERE.add(directory)


def refuse_taken(directory: Path, *, overwrite: bool = False) -> None:
    """Refuse a run directory that is a file, or holds a finished run and may not be overwritten: BioftError."""
    if directory.exists() and not directory.is_dir():
        raise BioftError(f"{directory} is a file; --output_dir must name a folder.")
    if (directory / RECORD).is_file() and not overwrite:
        raise BioftError(
            f"{directory} holds a finished run. Choose another --output_dir, or give --overwrite to replace it."
        )


def remove_untrained(directory: Path) -> None:
    """Remove the directory that this process began a run in, if it holds nothing that was trained."""
    if directory not in BEGUN_HERE or not directory.is_dir():
        return
    names = [path.name for path in directory.iterdir()]
    if all(name == CONFIG or name.startswith(BASE_SCORES) for name in names):
        shutil.rmtree(directory, ignore_errors=True)


def differing_settings(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Key, first and second value (None if not set) of what two configurations say differently about a training."""
    return [
        (key, first.get(key), second.get(key))
        for key in sorted(first.keys() | second.keys())
        if key not in NOT_COMPARED and first.get(key) != second.get(key)
    ]


def last_checkpoint(directory: Path) -> str | None:
    """The newest checkpoint that was written to its end; ones cut off by a kill are removed."""
    checkpoints = sorted(directory.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    for checkpoint in reversed(checkpoints):
        # The trainer's state is the last file that a checkpoint gets.
        state = checkpoint / "trainer_state.json"
        try:
            json.loads(state.read_text())
        except (OSError, ValueError):
            shutil.rmtree(checkpoint)
            continue
        return str(checkpoint)
    return None


def finish(directory: Path, record: dict[str, Any]) -> None:
    """Complete a run: plots, card, and as the last file `run.json`; what only a resumption needed is removed.

    The record, which starts with `environment()`, gets the run's name and the checksums of its files.
    """
    from bioft.cards import model as cards
    from bioft.metrics import plots
    from bioft.tasks.entities import errors as error_analysis

    record["name"] = directory.name
    with disk_errors(directory):
        if record["task"] == "gene-disease-association":
            plots.plot_run(directory, record)
        else:
            plots.plot_training(directory, record["log_history"])
            for name in {"error_analysis", "relation_error_analysis"} & record.keys():
                error_analysis.plot(record[name], directory / "plots" / f"{name}.png")
        record["files"] = checksums(directory)
        if is_tested(record):  # a card is about figures on a test split
            write_text(directory / CARD, cards.model_card(record))
        write_text(directory / RECORD, json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    # Not before the record stands: until then the same command must be able to continue.
    for path in directory.iterdir():
        if RESUMPTION.match(path.name):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def cached(path: Path, compute: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Named arrays that an interrupted run left in `path`, else computed, and written by the main process."""
    if path.is_file():
        with np.load(path) as stored:
            return dict(stored)
    arrays = compute()
    if int(os.environ.get("RANK", "0")) == 0:
        partial = path.with_name(f".partial-{path.name}")
        with disk_errors(path):
            np.savez(partial, allow_pickle=False, **arrays)
            partial.replace(path)
    return arrays


def training_summary(trainer: Any, metrics: dict[str, float], checkpoint: str | None) -> dict[str, Any]:
    """Parameters, steps and speed of a finished training, for the record.

    Args:
        trainer: a Transformers trainer; its model is trained whole or with PEFT.
        metrics: what `trainer.train()` returned.
        checkpoint: what the training was resumed from; seconds and speed count the steps after it only.
    """
    from bioft.models import base as models

    trainable, total = models.parameter_counts(trainer.model)
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


def describe_start(run: str | None, directory: str | Path | None = None) -> dict[str, str]:
    """What a record says of the run that a training went on from: its name, and the checksum of its weights.

    Args:
        run: as the user named it; None if the training did not go on from another.
        directory: where it is here, by default `run` itself.
    """
    if run is None:
        return {}
    files = read(directory or run)["files"]
    (weights,) = (name for name in files if name in ("model.safetensors", "adapter_model.safetensors"))
    return {"start_from": run, "start_from_sha256": files[weights]}


def read(directory: str | Path) -> dict[str, Any]:
    """The record of a finished run.

    Raises:
        BioftError: no run there, an unfinished one, or a record from a newer bioft.
    """
    directory = Path(directory)
    path = directory / RECORD
    if not path.is_file():
        if (directory / CONFIG).is_file():
            raise BioftError(f"The run in {directory} is not finished: start the same command again to resume it.")
        raise BioftError(f"No run in {directory}: there is no {RECORD}.")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        schema = int(record["schema_version"])
    except (ValueError, KeyError, TypeError) as error:
        raise BioftError(f"{path} is not a run record: {error!r}.") from error
    if schema > SCHEMA_VERSION:
        raise BioftError(f"{path} has schema {schema}; this bioft reads up to {SCHEMA_VERSION}. Update bioft.")
    return record


def read_trained(directory: str | Path, recipe: str) -> dict[str, Any]:
    """The record of a finished run of one recipe, whose files are as the run left them.

    Raises:
        BioftError: no such run, one of another recipe, or files missing or changed since.
    """
    record = read(directory)
    if record.get("recipe") != recipe:
        raise BioftError(f"{directory} is a run of {record.get('recipe')}; one of {recipe} is needed.")
    check_files(directory, record)
    return record


def is_tested(record: Mapping[str, Any]) -> bool:
    """Whether the figures of a record are of a test split, and not of the validation split."""
    return (record.get("dataset") or {}).get("evaluated_on") != "validation"


def check_tested(directory: str | Path, record: Mapping[str, Any]) -> None:
    """Refuse a run whose figures served to choose a configuration: BioftError if they are not of a test split."""
    if not is_tested(record):
        raise BioftError(
            f"The run in {directory} was evaluated on its validation split only (validation_only), to choose a "
            "configuration: it has no figures on a test split. Train it again without validation_only."
        )


def check_files(directory: str | Path, record: dict[str, Any]) -> None:
    """Compare every file that a record names with its checksum.

    Raises:
        ChangedFilesError: names the files that are missing or were changed since the run.
    """
    directory = Path(directory)
    wrong = []
    for name, digest in record.get("files", {}).items():
        if name == CARD:
            continue  # recorded by the first versions; see `checksums`
        path = directory / name
        if not path.is_file():
            wrong.append(f"{name} is missing")
        elif file_sha256(path) != digest:
            wrong.append(f"{name} was changed")
    if wrong:
        raise ChangedFilesError(f"The files in {directory} are not those of the recorded run: {'; '.join(wrong)}.")


def environment() -> dict[str, Any]:
    """The parts of a record that describe code, packages, hardware and command, as they are now."""
    packages = {}
    for name in PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "schema_version": SCHEMA_VERSION,
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "bioft": {"version": bioft.__version__, **git_state()},
        "python": platform.python_version(),
        "packages": packages,
        "hardware": hardware(),
        "command": command_line(),
    }


def git_state() -> dict[str, Any]:
    """Commit of the checkout that bioft runs from and whether files were changed; None outside a checkout."""
    folder = Path(bioft.__file__).resolve().parent.parent
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return {"git_commit": commit, "git_dirty": bool(_git(folder, "status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return {"git_commit": None, "git_dirty": None}


def hardware() -> dict[str, Any]:
    """Processor, cores that this process may use, memory and GPUs."""
    import torch

    cpu = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "gpus": gpus,
        "num_processes": int(os.environ.get("WORLD_SIZE", "1")),
    }


def command_line() -> list[str]:
    """The command of this process, relative to the working directory, without the values of tokens."""
    words = [os.path.relpath(sys.argv[0]), *sys.argv[1:]]
    hidden = [
        "***" if "token" in before and before.startswith("--") and "=" not in before else word
        for before, word in zip(["", *words], words, strict=False)
    ]
    return [re.sub(r"(token=).*|hf_\w+", r"\1***", word) for word in hidden]


def checksums(directory: Path) -> dict[str, str]:
    """SHA-256 of a run's files by relative path, but for the record, the card and what trackers still write to.

    The card is no evidence: its words may be changed, and on the Hub it names its repository.
    """
    names = sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())
    kept = [name for name in names if name not in (RECORD, CARD) and not name.startswith("runs/")]
    kept = [name for name in kept if not RESUMPTION.match(name)]
    return {name: file_sha256(directory / name) for name in kept}


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal text."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step: it is there whole, or as it was before."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise disk_error(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def disk_errors(directory: Path) -> Iterator[None]:
    """Turn a full or read-only disk into a message; checkpoints written before stay usable."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise disk_error(directory, error) from error


def disk_error(path: Path, error: OSError) -> BioftError:
    """What to tell a user whose disk is full or not writable."""
    folder = next(parent for parent in [path, *path.parents] if parent.exists())
    free = shutil.disk_usage(folder).free // 2**20
    return BioftError(
        f"Could not write to {path}: {error.strerror or error} ({free} MiB free there). Make space, or choose "
        "another --output_dir; the same command continues from the last checkpoint."
    )


def _git(folder: Path, *arguments: str) -> str:
    result = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return result.stdout.strip()
