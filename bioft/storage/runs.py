"""The run directory: one training run on disk, with the record that binds its numbers to data and code."""

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bioft.errors import BioftError, ChangedFilesError, in_words, no_folder
from bioft.storage import json_text
from bioft.storage.files import file_sha256
from bioft.storage.json_text import NUMBER, TEXT_OR_NONE
from bioft.task import registered

SCHEMA_VERSION = 7
"""2 also names the module of the task; records of schema 1 are read as those of bioft's own tasks. From 3 on the
intervals and the full set of systems and figures can be verified. From 4 on audits look at what the surface of
documents and of pairs of texts tells. From 5 on intervals of averages know better how little rare parts tell, and
every run on degree-matched negatives has figures beside random ones. From 6 on they know of labels that are nowhere,
and comparisons of averages are of the parts of both systems. From 7 on audits find texts that are near as they are
read and details that tell labels, and look at the surface of names."""
RECORD = "run.json"
CONFIG = "config.yaml"
CARD = "README.md"
EVAL_RESULTS = ".eval_results/bioft.yaml"
"""Written from the record when a run is pushed, for the Hub; the record does not list it."""
MANIFEST = "manifest.json"
"""Of a dataset."""
SPLITS = ("train", "validation", "test")
"""Of a dataset."""
EXPORT = "export.json"
"""Beside what was made of a run, merged or exported: which run that was, and the checksums of the files."""

AS_IT_WAS = "Take the file as the run wrote it (from its publisher, if it is not yours), or train the run again."
_NUMBER_OR_NONE = (*NUMBER, type(None))
_INTERVAL = dict.fromkeys(("low", "high"), _NUMBER_OR_NONE)
_FIGURES = {...: {"value": _NUMBER_OR_NONE, "n": int} | _INTERVAL}
_BASE: dict[str, Any] = {"id": str, "revision": TEXT_OR_NONE, "sha256": TEXT_OR_NONE}
_LOADED: dict[str, Any] = {"name": str, "recipe": str, "base_model": _BASE, "files": {...: str}}
"""What no model can be loaded, or shown, without."""
DATA: dict[str, Any] = {
    "dataset": {"builder": str, "arguments": dict, "rows?": dict, "fingerprints": {"test": str}}
    | {"sources": [{"name": TEXT_OR_NONE, "sha256": TEXT_OR_NONE}]}
}
"""What data can't be found again without."""
_KINDS: dict[str, Any] = {
    **dict.fromkeys(("name", "task", "recipe", "module?"), str),
    "seed": int,
    "command": [str],
    "base_model": _BASE
    | {"name_or_path": str, "vocab_size?": (int, type(None))}
    | dict.fromkeys(("quantization", "source?", "license?", "model_type?"), TEXT_OR_NONE),
    **DATA,
    "metrics": _FIGURES,
    "base_model_metrics?": (_FIGURES, type(None)),
    "baselines?": {...: _FIGURES},
    "comparison?": ({"baseline": str, "sentence": str, "difference": NUMBER} | _INTERVAL, type(None)),
    "training?": (
        dict.fromkeys(("trainable_parameters", "total_parameters", "steps", "examples_seen?"), int)
        | dict.fromkeys(("seconds", "examples_per_second"), NUMBER),
        type(None),
    ),
    "hardware?": {"num_processes": int, "memory_gb": NUMBER},
    **dict.fromkeys(("audit?", "bioft?", "packages?"), dict),
    "log_history?": [dict],
    "labels?": [str],
    "files": {...: str},
}
"""What of a record is of which kind, as `json_text.wrong_in` takes it, beside what models of its task are asked by."""


def describe_start(run: str | None, directory: str | Path | None = None) -> dict[str, str]:
    """What a record says of the run that a training went on from, if any: its name, and the checksum of its weights.

    `run` is as the user named it, `directory` where it is here, by default `run` itself.
    """
    if run is None:
        return {}
    files = read_trained(directory or run)["files"]
    weights = next((name for name in ("model.safetensors", "adapter_model.safetensors") if name in files), None)
    if weights is None:
        raise BioftError(f"The record in {directory or run} lists no weights to go on from. {AS_IT_WAS}")
    return {"start_from": run, "start_from_sha256": files[weights]}


def read(directory: str | Path) -> dict[str, Any]:
    """The record of a finished run.

    BioftError: no run there, an unfinished one, what was made of one, or a record from a newer bioft.
    ChangedFilesError: what was made of a run was changed since.
    """
    directory = Path(directory)
    path = directory / RECORD
    if not path.is_file():
        if not directory.is_dir():
            on_hub = len(directory.parts) == 2 and not directory.parent.is_dir()
            fetch = f" A run on the Hub is fetched first: bioft pull-adapter {directory} {directory.name}"
            raise BioftError(f"{no_folder(directory)}{fetch * on_hub}")
        if (directory / CONFIG).is_file():
            raise BioftError(f"The run in {directory} is not finished: start the same command again to resume it.")
        _check_not_made_of_a_run(directory)
        inside = [str(found.parent) for found in sorted(directory.glob(f"*/{RECORD}"))]
        where = f"Name one of {', '.join(inside[:5])}." if inside else "`bioft train` writes one to its --output_dir."
        raise BioftError(f"No run in {directory}: there is no {RECORD}. {where}")
    try:
        # A key that comes twice is refused: other readers than this may take its other value.
        record = json_text.parse(path.read_text(encoding="utf-8"), "its text", finite=True)
        if type(schema := record["schema_version"]) is not int or schema < 1:
            raise ValueError(f"its schema is {schema!r}")
        if schema <= SCHEMA_VERSION and (why := json_text.wrong_in(record, _KINDS | _asked_by(record))):
            raise ValueError(why)
    except (BioftError, ValueError, KeyError, TypeError, OSError) as error:
        raise BioftError(f"{path} is not a run record: {str(error).rstrip('.')}. {AS_IT_WAS}") from error
    if schema > SCHEMA_VERSION:
        raise BioftError(f"{path} has schema {schema}; this bioft reads up to {SCHEMA_VERSION}. Update bioft.")
    return record


def _asked_by(record: Mapping[str, Any]) -> dict[str, Any]:
    """The kinds of what models are asked by, if the record is on one of bioft's tasks."""
    task = registered().get(str(record.get("task")))
    return {} if task is None or is_outside(record) else dict(task.recorded)


def check_whole(directory: str | Path, record: Mapping[str, Any], kinds: Mapping[str, Any] | None = None) -> None:
    """Refuse a record that lacks parts of these kinds, by default what every finished run has: BioftError."""
    if lacking := json_text.wrong_in(record, _KINDS | _asked_by(record) if kinds is None else kinds, whole=True):
        raise BioftError(f"{Path(directory) / RECORD} is not that of a finished run: {lacking}. {AS_IT_WAS}")


def _check_not_made_of_a_run(directory: Path) -> None:
    """Say of a merged or exported model that it has no figures of its own: BioftError names the run that has them.

    ChangedFilesError: it was changed since it was made.
    """
    if (about := made_of(directory)) is None:
        return
    card = directory / CARD
    same_card = card.is_file() and file_sha256(card) == about["files"].get(CARD)
    but = "" if same_card else ", but for its card"
    raise BioftError(
        f"No run in {directory}: by its {EXPORT} it is the model of the run {about['run']} ({about['format']}), "
        f"compared with that when it was made, and its files are as they were then{but}. Figures are of that run: "
        "name it."
    )


def made_of(directory: Path) -> dict[str, Any] | None:
    """What a folder with a merged or exported model says of the run that it was made of; None for any other folder.

    ChangedFilesError: its weights are not listed there, or a file was changed since it was made.
    """
    try:
        about = json_text.parse((directory / EXPORT).read_text(encoding="utf-8"), EXPORT)["bioft"]
    except (BioftError, OSError, ValueError, KeyError, TypeError):
        return None
    if json_text.wrong_in(about, {"run": str, "format": str, "files": {...: str}}, whole=True):
        return None
    check_files(directory, about)
    if others := sorted({path.name for each in WEIGHTS for path in directory.glob(each)} - about["files"].keys()):
        raise ChangedFilesError(f"{directory / EXPORT} does not list {others[0]}, which is in its folder.")
    return about


@contextmanager
def reading(names: Collection[str]) -> Iterator[None]:
    """Where records of these runs are read that somebody else may have written: any field may be of another kind.

    BioftError: one is.
    """
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError, RecursionError) as error:
        for name in names:
            if (Path(name) / RECORD).is_file():
                check_whole(name, read(name))
        raise BioftError(
            f"A record of {', '.join(names)} is not as a finished run of this bioft writes it: {in_words(error)}. "
            f"{AS_IT_WAS}"
        ) from error


def read_trained(directory: str | Path, *tasks: str, whole: bool = False) -> dict[str, Any]:
    """The record of a finished run on one of these tasks, by default on any, whose files are as the run left them.

    A task outside bioft, whose module names functions of one of these, is as good: it says itself what fits it.
    BioftError: no such run, one on another task, files missing or changed since, or a record that lacks what a model
    is loaded by, or if it is to be `whole` what every finished run has.
    """
    record = read(directory)
    if tasks and record.get("task") not in tasks and not is_outside(record):
        raise BioftError(f"{directory} is a run on {record.get('task')}; one on {' or '.join(tasks)} is needed.")
    check_whole(directory, record, None if whole else _LOADED | _asked_by(record))
    check_files(directory, record)
    return record


def is_outside(record: Mapping[str, Any]) -> bool:
    """Whether a record is of a task outside bioft."""
    return not str(record.get("module", "bioft.")).startswith("bioft.")


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

    ChangedFilesError: names the files that are missing or were changed since the run.
    """
    wrong = []
    # The first versions recorded the card too; see `checksums`.
    for name, digest in record.get("files", {}).items():
        path = Path(directory) / name
        if name != CARD and (not path.is_file() or file_sha256(path) != digest):
            wrong.append(f"{name} was changed" if path.is_file() else f"{name} is missing")
    if wrong:
        raise ChangedFilesError(f"The files in {directory} are not those of the recorded run: {'; '.join(wrong)}.")


def tensors(directory: Path) -> frozenset[str]:
    """The checksums of the tensors of a run's weights, which are the same where these were saved anew."""
    found = set()
    for path in directory.glob("*.safetensors"):
        try:
            with path.open("rb") as stream:
                size = int.from_bytes(stream.read(8), "little")
                header = json.loads(stream.read(size))
                for begin, end in (its["data_offsets"] for name, its in header.items() if name != "__metadata__"):
                    stream.seek(8 + size + begin)
                    found.add(hashlib.sha256(stream.read(end - begin)).hexdigest())
        except (ValueError, KeyError, TypeError, AttributeError):
            found.add(file_sha256(path))
    return frozenset(found)


def checksums(directory: Path) -> dict[str, str]:
    """SHA-256 of a run's files by relative path, but for the record, the card and what trackers still write to.

    The card is no evidence: its words may be changed, and on the Hub it names its repository.
    """
    names = sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())
    left_out = re.compile(rf"({re.escape(RECORD)}|{re.escape(CARD)})$|runs/|{RESUMPTION.pattern}")
    return {name: file_sha256(directory / name) for name in names if not left_out.match(name)}


PREDICTIONS = "predictions.parquet"
BASE_SCORES = "base_scores-"
WEIGHTS = ("*.safetensors", "*.onnx")
"""The files by which a merged or an exported model computes."""
# What only the resumption of an unfinished run needs, and what a killed one left half-written.
RESUMPTION = re.compile(rf"checkpoint-\d+(/|$)|{BASE_SCORES}|training_args\.bin$|\..*\.partial(/|$)")
