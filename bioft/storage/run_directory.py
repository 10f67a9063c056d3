"""The run directory while a run is going on: made, resumed, refused, cleared."""

import json
import logging
import os
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from bioft.errors import BioftError, in_words
from bioft.storage import yaml_config
from bioft.storage.files import disk_errors, lock, new_file, remove, write_json, write_text
from bioft.storage.runs import BASE_SCORES, CONFIG, RECORD

BEGUN_HERE: set[Path] = set()
"""Run directories that this process has made: another one may have been given the same name."""
_KEPT: dict[tuple[int, int], int] = {}
"""Run directories that this process trains into, by device and number, and what keeps others from them."""
# What makes no difference to the trained model may change between a kill and its resumption. The same folder may be
# spelt in another way, or may have been moved.
NOT_COMPARED = {
    "overwrite", "dry_run", "push_to_hub", "seeds", "split_seeds", "logging_steps", "report_to", "disable_tqdm",
    "output_dir",
}  # fmt: skip
logger = logging.getLogger(__name__)


def prepare(directory: Path, config: dict[str, Any], *, overwrite: bool = False) -> None:
    """Make a run directory ready for a run with this configuration, or for resuming one.

    Until `release`, or the end of this process, no other one may train into it. BioftError: the directory holds a
    finished run, an unfinished one with other settings, or other files, or another process trains into it.
    """
    refuse_taken(directory, overwrite=overwrite)
    config = {key: _decoded(value) for key, value in config.items()}
    with disk_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
    _keep(directory)
    names = {path.name for path in directory.iterdir()}
    if names and not names & {RECORD, CONFIG}:
        raise BioftError(f"{directory} holds files that are not of a run. Choose another --output_dir.")
    if overwrite:
        remove(directory.iterdir())
    elif CONFIG in names:
        earlier = yaml_config.load_config(directory / CONFIG)
        if changed := [f"{key}: {was!r}, now {now!r}" for key, was, now in differing_settings(earlier, config)]:
            raise BioftError(
                f"{directory} holds an unfinished run with other settings ({'; '.join(changed)}). "
                "Choose another --output_dir, or give --overwrite to start anew."
            )
        return
    write_text(directory / CONFIG, yaml.safe_dump(config, sort_keys=True, allow_unicode=True))
    BEGUN_HERE.add(directory)


def _keep(directory: Path) -> None:
    release(directory)
    if (handle := lock(directory)) is None:
        raise BioftError(
            f"Another process trains into {directory}. Wait until it has ended, or choose another --output_dir."
        )
    _KEPT[_identity(directory)] = handle


def release(directory: Path) -> None:
    """Let other processes train into a directory that this one has made ready."""
    if (handle := _KEPT.pop(_identity(directory), None)) is not None:
        os.close(handle)


def _identity(directory: Path) -> tuple[int, int]:
    found = directory.stat()
    return found.st_dev, found.st_ino


def _decoded(value: Any) -> Any:
    """A value of a configuration, with a name that this locale could not decode as one of UTF-8."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace") if isinstance(value, str) else value


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
        release(directory)
        shutil.rmtree(directory, ignore_errors=True)


def after_interrupt(directory: Path | None) -> str:
    """What a recipe that was stopped leaves in its directory, None for a dry run, and what the same command does next.

    A directory that it began, and in which it has computed nothing, is removed.
    """
    if directory is not None and not any(directory.glob(f"{BASE_SCORES}*")):
        remove_untrained(directory)
    if directory is None or not directory.is_dir():
        return "Nothing was written."
    if (directory / RECORD).is_file():
        return f"The run in {directory} is finished."
    if (checkpoint := last_checkpoint(directory)) is not None:
        return f"The same command continues from {Path(checkpoint).name} in {directory}."
    scores = "; the scores of the base model are kept" if any(directory.glob(f"{BASE_SCORES}*")) else ""
    return f"No checkpoint was saved: the same command begins the training anew{scores}."


def differing_settings(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Key, first and second value (None if not set) of what two configurations say differently about a training."""
    return [
        (key, first.get(key), second.get(key))
        for key in sorted(first.keys() | second.keys())
        if key not in NOT_COMPARED and first.get(key) != second.get(key)
    ]


def last_checkpoint(directory: Path) -> str | None:
    """The newest checkpoint that is whole; later ones, which a kill cut off or whose weights don't open, are removed.

    The best checkpoint so far, as its state names it, is looked for in this directory: the run may have been moved.
    """
    checkpoints = sorted(directory.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    for place, checkpoint in reversed(list(enumerate(checkpoints))):
        try:
            _check_whole(checkpoint)
        except (OSError, ValueError) as error:
            instead = ", and the one before is taken" if place else ""
            logger.warning("%s is not whole (%s): it is removed%s.", checkpoint, in_words(error), instead)
            shutil.rmtree(checkpoint, ignore_errors=True)
            continue
        _name_best_here(checkpoint)
        return str(checkpoint)
    return None


def _check_whole(checkpoint: Path) -> None:
    """Raise OSError or ValueError if a file of a checkpoint is missing or cut off."""
    from safetensors import SafetensorError, safe_open

    # The trainer's state is the last file that a checkpoint gets.
    json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    for weights in checkpoint.rglob("*.safetensors"):
        try:
            with safe_open(weights, "numpy"):
                pass  # the header says how long the file must be
        except SafetensorError as error:
            raise ValueError(f"{weights.name}: {error}") from None
    for stored in checkpoint.glob("*.pt"):
        if not zipfile.is_zipfile(stored):
            raise ValueError(f"{stored.name} is cut off")


def _name_best_here(checkpoint: Path) -> None:
    """Let the state of a checkpoint name the best one so far where it is now."""
    path = checkpoint / "trainer_state.json"
    state = json.loads(path.read_text(encoding="utf-8"))
    named = state.get("best_model_checkpoint")
    here = str(checkpoint.parent / Path(named or "").name)
    if named and named != here and Path(here).is_dir():
        write_json(path, state | {"best_model_checkpoint": here})


def cached(path: Path, compute: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Named arrays that an interrupted run left in `path`, else computed, and written by the main process."""
    if path.is_file():
        with np.load(path) as stored:
            return dict(stored)
    arrays = compute()
    if int(os.environ.get("RANK", "0")) == 0:
        with new_file(path) as partial:
            np.savez(partial, allow_pickle=False, **arrays)
    return arrays
