"""The folder of an index: its files, how they are written and opened, and what would spoil them.

The manifest names the files that belong to the index; new ones are written beside the old ones, and the manifest is
replaced in one step. So a build that is killed leaves the index as it was.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from numpy.typing import NDArray

from bioft import __version__
from bioft.errors import BioftError, extra
from bioft.search import words
from bioft.storage import files as storage_files

if TYPE_CHECKING:
    from usearch.index import Index

SCHEMA_VERSION = 2
"""2: with words."""
MANIFEST = "manifest.json"
VECTORS, ARTICLES = "vectors-{}.usearch", "articles-{}.parquet"
FILES = (VECTORS, ARTICLES, *words.FILES.values())
_TEXT = pa.string()
SCHEMA = pa.schema(
    {"id": _TEXT, "title": _TEXT, "year": pa.int32(), "mesh": pa.list_(_TEXT), "retracted": pa.bool_(), "text": _TEXT}
)
READ_TOGETHER = 1000
"""Rows of a group of the file of articles: the texts of an article's group are read to show it."""
GRAPH: dict[str, Any] = {"metric": "cos", "connectivity": 16, "expansion_add": 128}
STORED_AS = {"float32": "f32", "float16": "f16", "int8": "i8"}
"""Numbers that the vectors are kept in, by what usearch calls them."""
FLOAT16 = "float16"
EXPANSION_SEARCH = 128
"""Candidates that a search keeps: more find more of the true neighbours and take longer."""


def index_class() -> type["Index"]:
    """The class of the graph. ONNX Runtime is loaded before it where installed.

    Loaded after usearch and without PyTorch, ONNX Runtime ends the process with a segmentation fault (seen with
    onnxruntime 1.31.1 and usearch 2.26).
    """
    with suppress(ImportError):
        import onnxruntime  # noqa: F401
    with extra("search", "A search index"):
        from usearch.index import Index

    return Index


def new_vectors(dimensions: int, stored_as: str = FLOAT16) -> "Index":
    """An empty graph of vectors, which are compared by their cosine: their length is of no account."""
    return index_class()(ndim=dimensions, dtype=STORED_AS[stored_as], **GRAPH)


def as_kept(vectors: NDArray[np.float32], kind: str) -> NDArray[Any]:
    """Vectors of shape (n, dimensions) as an index keeps them and is asked by them.

    In int8 the largest number of each vector becomes 127: the cosine knows no length. usearch's own rounding takes 127
    for 1, so that of 384 numbers around .05 each has some 13 values.
    """
    if kind != "int8":
        return np.asarray(vectors, np.float32)
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    return np.rint(127 * (vectors / np.where(largest > 0, largest, 1))).astype(np.int8)


def stored_as(manifest: dict[str, Any]) -> str:
    """What numbers the vectors of an index are kept in; of `STORED_AS`."""
    return manifest.get("vectors", FLOAT16)


def write(
    directory: Path, old: dict[str, Any] | None, vectors: "Index", articles: pa.Table, model: dict[str, Any]
) -> None:
    """Write the files of the next generation, then the manifest that names them; remove what it does not name."""
    manifest: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "generation": old["generation"] + 1 if old else 1,
        "written": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "bioft": __version__,
        "model": model,
        "dimensions": vectors.ndim,
        "vectors": next(name for name, kind in STORED_AS.items() if vectors.dtype.name == kind.upper()),
        "count": len(articles),
    }
    names = [each.format(manifest["generation"]) for each in FILES]
    storage_files.remove(path for path in _own_files(directory) if path.name in names)  # what a killed one left
    try:
        vectors.save(str(directory / names[0]))
        pq.write_table(articles, directory / names[1], row_group_size=READ_TOGETHER)
        words.save(directory, manifest["generation"], articles["text"].to_pylist())
        manifest["files"] = {
            name: {"bytes": (directory / name).stat().st_size, "sha256": storage_files.file_sha256(directory / name)}
            for name in names
            if (directory / name).is_file()
        }
        storage_files.write_json(directory / MANIFEST, manifest)
    except Exception as error:
        for name in names:
            (directory / name).unlink(missing_ok=True)
        if isinstance(error, RuntimeError):  # what usearch raises, whatever was wrong
            raise BioftError(f"Can't write the index to {directory}: {error}. It is as it was before.") from error
        raise storage_files.disk_error(error, directory) or error from error
    storage_files.remove(path for path in _own_files(directory) if path.name not in names)


def read_manifest(directory: Path) -> dict[str, Any] | None:
    """The manifest of an index; None where there is none. BioftError: it is none, or one of another layout."""
    path = directory / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        version, _ = manifest["schema_version"], [manifest[key] for key in ("generation", "model", "count", "files")]
    except (ValueError, KeyError, TypeError) as error:
        raise BioftError(
            f"{path} is not the manifest of an index ({error!r}). Make one with `bioft index`."
        ) from error
    if version != SCHEMA_VERSION:
        model, other = manifest["model"]["name"], "an older" if version < SCHEMA_VERSION else "a newer"
        raise BioftError(
            f"The index {directory} was made by {other} bioft (layout {version}, not {SCHEMA_VERSION}). Make it anew: "
            f"bioft index {model} ARTICLES --output {directory}-{SCHEMA_VERSION}"
        )
    return manifest


def load(directory: Path, manifest: dict[str, Any], *, view: bool) -> "Index":
    """The vectors of an index, mapped from disk (`view`) or in memory; BioftError: a file is not the manifest's."""
    for name, file in manifest["files"].items():
        path = directory / name
        if not path.is_file() or path.stat().st_size != file["bytes"]:
            state = "is not the file of the manifest" if path.is_file() else "is missing"
            raise BioftError(f"{path} {state}. Index the articles again into another folder.")
    vectors = index_class().restore(str(directory / VECTORS.format(manifest["generation"])), view=view)
    if vectors is None or len(vectors) != manifest["count"]:
        raise BioftError(
            f"{directory / VECTORS.format(manifest['generation'])} is no index of {manifest['count']:,} vectors. "
            "Index again."
        )
    # Neither is kept in the file; both can be set, whatever the type hints of usearch say.
    vectors.expansion_add = GRAPH["expansion_add"]  # type: ignore[misc]
    vectors.expansion_search = EXPANSION_SEARCH  # type: ignore[misc]
    return vectors


def check_sums(directory: Path, manifest: dict[str, Any]) -> None:
    """Refuse an index of which a file was changed."""
    for name, file in manifest["files"].items():
        path = directory / name
        if not path.is_file() or storage_files.file_sha256(path) != file["sha256"]:
            raise BioftError(f"{path} was changed, or is missing: index the articles again into another folder.")


def check_target(directory: Path, add: bool = False, overwrite: bool = False) -> None:
    """Refuse a folder in which no index can be made, or with `add` none added to; `overwrite` may replace one."""
    if add and overwrite:
        raise BioftError("--add and --overwrite are both given. Leave one of them out.")
    if (directory / MANIFEST).is_file():
        if not (add or overwrite):
            raise BioftError(
                f"{directory} holds an index. Add to it with --add, replace it with --overwrite, or name another "
                "folder."
            )
        return
    if add:
        raise BioftError(f"No index in {directory} to add to. Make one without --add.")
    if directory.exists() and not directory.is_dir():
        raise BioftError(f"{directory} is a file. Name a folder for the index.")
    # What a build that was killed left is no obstacle.
    if directory.is_dir() and {*directory.iterdir()} - {*_own_files(directory)}:
        raise BioftError(f"{directory} holds other files. Name a new or empty folder for the index.")


def _own_files(directory: Path) -> list[Path]:
    return [path for name in FILES for path in directory.glob(name.format("[0-9]*"))]


def table(directory: Path, manifest: dict[str, Any]) -> pq.ParquetFile:
    """The file of articles of an index."""
    return pq.ParquetFile(directory / ARTICLES.format(manifest["generation"]))


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keep other processes from writing the same index; the lock ends with the process."""
    if (handle := storage_files.lock(directory)) is None:
        raise BioftError(f"Another process is writing the index {directory}. Wait until it has ended.")
    try:
        yield
    finally:
        os.close(handle)
