"""Files on disk: source files read line by line, and datasets saved and loaded with their manifest."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import deepcopy
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from datasets import Dataset, DatasetDict
from datasets.fingerprint import generate_random_fingerprint

from bioft.errors import BioftError, no_folder
from bioft.storage import json_text
from bioft.storage.files import forget, new_folder, write_json, write_text
from bioft.storage.json_text import TEXT_OR_NONE
from bioft.storage.parquet import check_cells, check_parquet, check_rows
from bioft.storage.runs import CARD, MANIFEST, SPLITS
from bioft.task import registered, source

SCHEMA_VERSION = 1
_KINDS: dict[str, Any] = {
    **dict.fromkeys(("rows", "arguments"), dict),
    **dict.fromkeys(("builder", "title", "label_source", "trial_field", "evaluated_on"), str),
    **dict.fromkeys(("license", "license_name", "license_link"), TEXT_OR_NONE),
    "fingerprints": {...: str},
    "split": {"note": str},
    "audit": {"not_in_training": [str]},
    "sources": [dict.fromkeys(("name", "sha256", "version", "url", "terms", "citation"), TEXT_OR_NONE)],
    "notes": [str],
    "max_train_pairs": int,
    "hub": {"id": str, "revision": str},
}
"""What of a manifest is of which kind, where it is there, as `json_text.wrong_in` takes it."""
REMEMBERED = 128
"""Answers of `remembered` functions that are kept; each is small beside the rows that it is about."""
P = ParamSpec("P")
R = TypeVar("R")
_PRINTS: WeakKeyDictionary[Dataset, str] = WeakKeyDictionary()
_ANSWERS: dict[str, Any] = {}


def fingerprint(dataset: Dataset) -> str:
    """SHA-256 of a split's content: its column names, then its rows in order, each as a line of JSON.

    It depends on nothing else: not on the Parquet writer, its version or the platform. Rows don't change in place, so
    it is taken of each `Dataset` once.
    """
    if (known := _PRINTS.get(dataset)) is None:
        known = _PRINTS[dataset] = _fingerprint(dataset)
    return known


def remembered(function: Callable[P, R]) -> Callable[P, R]:
    """Give a copy of what a function of splits gave before, in this process, of the same rows and other arguments.

    A dataset is audited when it is built or loaded, when a run on it is evaluated, and when that is verified; its
    baselines are fitted as often. Rows are the same by their `fingerprint`, wherever they come from.
    """

    @wraps(function)
    def answer(*args: P.args, **kwargs: P.kwargs) -> R:
        key = repr((function.__module__, function.__qualname__, _told([args, kwargs])))
        # Those asked for last come last, and are kept longest.
        _ANSWERS[key] = found = _ANSWERS.pop(key) if key in _ANSWERS else function(*args, **kwargs)
        if len(_ANSWERS) > REMEMBERED:
            del _ANSWERS[next(iter(_ANSWERS))]
        return deepcopy(found)

    return answer


def _told(argument: Any) -> Any:
    """What an argument is, with datasets by their fingerprints; TypeError for what has none and is no plain value."""
    if isinstance(argument, Dataset):
        return fingerprint(argument)
    if isinstance(argument, Mapping):
        return [(key, _told(value)) for key, value in argument.items()]
    if isinstance(argument, list | tuple):
        return [_told(each) for each in argument]
    if isinstance(argument, str | int | float):
        return argument
    raise TypeError(f"{type(argument).__name__} has no fingerprint: what a function gives of it can't be remembered")


def _fingerprint(dataset: Dataset) -> str:
    digest = hashlib.sha256()
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    columns = dataset.column_names
    digest.update((encode(columns) + "\n").encode())
    for batch in dataset.with_format(None).iter(batch_size=10_000):
        rows = zip(*(batch[column] for column in columns), strict=True)
        digest.update("".join(encode(row) + "\n" for row in rows).encode())
    forget()
    return digest.hexdigest()


def save(
    dataset: DatasetDict,
    manifest: dict[str, Any],
    directory: str | os.PathLike[str],
    overwrite: bool = False,
    card: str | None = None,
) -> Path:
    """Write `<split>.parquet` files, `manifest.json` and the card (`README.md`) into `directory`, all or nothing.

    Everything is written to a temporary sibling that takes the directory's name at the end. Returns the
    directory. Raises BioftError when the directory holds anything already (unless `overwrite`, and then only
    if what it holds is a bioft dataset and nothing else), when the fingerprints in the manifest are not those
    of the dataset, and when it can't be written, for example because the disk is full.
    """
    target = Path(directory).absolute()
    _check_target(target, overwrite)
    expected = manifest.get("fingerprints", {})
    for split, rows in dataset.items():
        if expected.get(split) != fingerprint(rows):
            raise BioftError(
                f"The manifest's fingerprint of split '{split}' is not that of its rows. "
                "Save the dataset together with the manifest that its builder returned."
            )
    with new_folder(target, existing="replace") as partial:
        for split, rows in dataset.items():
            # Not Dataset.to_parquet, which draws a progress bar per file; the features go along all the same.
            table = rows.with_format("arrow")[:].cast(rows.features.arrow_schema)
            pq.write_table(table, partial / f"{split}.parquet")
            forget()
        write_json(partial / MANIFEST, manifest)
        if card is not None:
            write_text(partial / CARD, card)
    return target


def _check_target(target: Path, overwrite: bool) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise BioftError(f"{target} is a file. Choose another directory for the dataset.")
    if not any(target.iterdir()):
        return
    if not overwrite:
        raise BioftError(f"{target} exists and is not empty. Choose another directory, or pass --overwrite.")
    # --overwrite deletes the directory: it must hold a dataset of bioft and nothing of the user's own.
    try:
        expected = {f"{split}.parquet" for split in load_manifest(target)["fingerprints"]}
    except BioftError as error:
        raise BioftError(f"{target} is not overwritten. {error} Choose another directory.") from None
    others = sorted({path.name for path in target.iterdir()} - expected - {MANIFEST, CARD, "inspection"})
    if others:
        raise BioftError(
            f"{target} is not overwritten: beside the dataset it holds {', '.join(others[:5])}. Move that away, or "
            "choose another directory."
        )


def load_manifest(directory: str | os.PathLike[str]) -> dict[str, Any]:
    """Read `manifest.json` of a saved dataset; BioftError if it is missing or not a bioft manifest."""
    path = Path(directory) / MANIFEST
    if not path.parent.is_dir():
        raise BioftError(f"{no_folder(directory)} Datasets are folders that `bioft build` makes.")
    try:
        manifest = json_text.parse(path.read_text(encoding="utf-8"), "its text", finite=True)
        version, prints = manifest["schema_version"], manifest["fingerprints"]
        if version == SCHEMA_VERSION and (why := json_text.wrong_in(manifest, _KINDS)):
            raise ValueError(why)
        if version == SCHEMA_VERSION and not prints:
            raise ValueError("it names no split")
    except FileNotFoundError:
        raise BioftError(
            f"{directory} is not a bioft dataset: no {MANIFEST} there. Make one with `bioft build`."
        ) from None
    except (BioftError, ValueError, KeyError, TypeError, OSError) as error:
        raise BioftError(
            f"{path} is not a bioft manifest ({str(error).rstrip('.')}). Build the dataset again."
        ) from error
    if version != SCHEMA_VERSION:
        raise BioftError(f"{path} has schema version {version}; this bioft reads {SCHEMA_VERSION}. Build it again.")
    return manifest


def load(directory: str | os.PathLike[str], *, without: Collection[str] = ()) -> tuple[DatasetDict, dict[str, Any]]:
    """Read a saved dataset: its splits in memory, but for those in `without`, and its manifest.

    Raises BioftError when a file is missing or unreadable, when a split's rows are not those that the manifest's
    fingerprint was taken of, and when one of `SPLITS` is missing, has no row, or holds what no dataset of bioft does
    (`check_cells`).
    """
    manifest = load_manifest(directory)
    if missing := [name for name in SPLITS if name not in {*manifest["fingerprints"], *without}]:
        raise BioftError(
            f"{Path(directory) / MANIFEST} names no split '{missing[0]}': a dataset has {', '.join(SPLITS)}. Build it "
            "again."
        )
    dataset = DatasetDict()
    for split in [name for name in manifest["fingerprints"] if name not in without]:
        path = Path(directory) / f"{split}.parquet"
        try:
            check_parquet(path)
            table = pq.read_table(path)
            # Else the table is written into memory again, to be hashed.
            rows = Dataset(table, fingerprint=generate_random_fingerprint())
            found = fingerprint(rows)
        except BioftError as error:
            raise BioftError(f"Can't read split '{split}': {error} Build it again.") from error
        except (OSError, ValueError, pa.ArrowException) as error:
            raise BioftError(f"Can't read split '{split}' from {path}: {error}. Build it again.") from error
        except TypeError:  # bytes or dates, which no dataset of bioft holds
            found = ""
        if found != manifest["fingerprints"][split]:
            raise BioftError(
                f"{path} is not the split that {MANIFEST} describes: its rows were edited or replaced. "
                "Build the dataset again (same arguments and seed give the same rows)."
            )
        check_rows(path, table)
        if is_own(manifest):
            others = next(iter(dataset.values()), rows).column_names
            _check_columns(path, table.column_names, others, manifest.get("builder"))
            check_cells(path, table)
        dataset[split] = rows
    return dataset, manifest


def _check_columns(path: Path, columns: Sequence[str], others: Sequence[str], builder: str | None) -> None:
    """Refuse a split without the columns that datasets of its builder have, and other splits of it: BioftError."""
    found = source(builder) if builder is not None else None
    trained = found is not None and found.dataset is not False
    lacking = [task.lacks(columns) for task in registered().values() if trained and found in task.sources]
    its = ", ".join(found.columns) if found is not None and not {*found.columns} <= {*columns} else ""
    needed = lacking[0] if lacking and all(lacking) else ", ".join(others) if set(columns) != set(others) else its
    if needed:
        raise BioftError(f"{path} has the columns {', '.join(columns)}; needed: {needed}. Build the dataset again.")


def is_own(manifest: Mapping[str, Any]) -> bool:
    """Whether a dataset is of bioft's builders, as far as its manifest says.

    A builder outside bioft knows itself what its columns hold, such as labels that are real numbers.
    """
    return (builder := manifest.get("builder")) is None or source(builder) is not None


def miscounted(dataset: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[str]:
    """Which splits have other numbers of rows, or of a label, than their manifest counts, each in a sentence.

    What was split stands first in its counts, then what is in it; gene–disease pairs are counted by their labels. Of a
    manifest that counts nothing there is none.
    """
    found, counted = [], manifest.get("rows") or {}
    labels = {"positive": 1, "negative": 0} | {
        each: each for each in manifest.get("labels") or () if type(each) is str
    }
    for split, rows in dataset.items() if counted else ():
        counts = its if isinstance(its := counted.get(split), Mapping) else {}
        there = Counter(rows["label"][:] if "label" in rows.column_names else ())
        there.update(label for each in (rows["labels"] if "labels" in rows.column_names else ()) for label in each)
        expected = {key: there[label] for key, label in labels.items() if there and key in counts}
        if "positive" not in counts:
            expected |= {key: len(rows) for key in [*counts][:1] or ["rows"]}
        if any(counts.get(key) != n for key, n in expected.items()):
            found.append(f"The split {split} has {len(rows):,} rows; its manifest counts {its}.")
    return found
