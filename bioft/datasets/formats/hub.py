"""Data on the Hub by name, read as tables at one commit."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets.config
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from datasets import Dataset, get_dataset_config_names, load_dataset_builder
from huggingface_hub import HfFileSystem

from bioft.datasets.formats import inputs
from bioft.datasets.formats.tables import Table, of_dataset
from bioft.datasets.options import PathName
from bioft.errors import BioftError, suggestion
from bioft.hub.client import Access, connection

LARGEST = 500_000_000
"""Bytes of a dataset on the Hub from which on not all of it is fetched: in memory they are five times as many."""


def is_on_hub(paths: Sequence[PathName]) -> bool:
    """Whether the data that were asked for are no files here, but have a name on the Hub."""
    return len(paths) == 1 and not Path(paths[0]).exists() and inputs.is_hub_name(str(paths[0]))


def of_hub(
    name: str, revision: str | None, subset: str | None, max_rows: int | None = None
) -> tuple[dict[str, Table], dict[str, Any], list[str]]:
    """The splits of a dataset on the Hub as tables, at one commit; what a manifest says of it; and notes.

    With `max_rows` the first rows of each split are streamed, and no more is fetched than these need. BioftError: no
    such dataset, one that needs code of its own, one of more than `LARGEST` bytes without `max_rows`, or one with
    several configurations and no `subset`; and where the Hub can't be asked.
    """
    # Nothing is asked for but the files of that commit: no copy of another one, no count of downloads.
    datasets.config.USE_PARQUET_EXPORT = datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False
    with connection(f"the dataset {name}", Access.of({})) as api:
        info = api.dataset_info(name, revision=revision, files_metadata=True)
        files = sorted(info.siblings or (), key=lambda each: each.rfilename)
        if f"{name.rpartition('/')[2]}.py" in {each.rfilename for each in files}:
            raise BioftError(
                f"The dataset {name} needs code of its own, which bioft does not run. The Hub keeps a copy as "
                "Parquet: --revision refs/convert/parquet"
            )
        configurations = get_dataset_config_names(name, revision=info.sha)
        if subset is None and len(configurations) > 1 and "default" not in configurations:
            raise BioftError(
                f"The dataset {name} has several configurations. Give --subset: {', '.join(configurations)}."
            )
        if subset is not None and subset not in configurations:
            raise BioftError(f"{name} has no configuration {subset!r}. {suggestion(subset, configurations)}")
        builder = load_dataset_builder(name, subset, revision=info.sha)
        read = [str(url) for urls in (builder.config.data_files or {}).values() for url in urls]
        size = sum(each.size or 0 for each in files if any(url.endswith(f"/{each.rfilename}") for url in read))
        if max_rows is None and size > LARGEST:
            raise BioftError(
                f"The dataset {name} has {size / 1e9:.1f} GB, and is read whole up to {LARGEST / 1e9:.1f} GB. Say how "
                "many rows are enough: --max-rows 100000 streams the first ones of each split."
            )
        splits, notes = _loaded(name, builder, max_rows)
    card: Any = info.card_data or {}
    content = "\n".join(f"{each.rfilename} {each.blob_id}" for each in files)
    source = {
        "name": name,
        "sha256": hashlib.sha256(content.encode()).hexdigest(),
        "bytes": sum(each.size or 0 for each in files),
        "version": info.sha,
        "url": f"https://huggingface.co/datasets/{name}",
        "redistribution": "ask",
        "license": card.get("license"),
    }
    return splits, source, notes


def _loaded(name: str, builder: Any, max_rows: int | None) -> tuple[dict[str, Table], list[str]]:
    if max_rows is None:
        builder.download_and_prepare()
        return {split: of_dataset(f"{name} {split}", rows) for split, rows in builder.as_dataset().items()}, []
    found, notes = {}, []
    for split, rows in builder.as_streaming_dataset().items():
        rows = rows if rows.features else rows._resolve_features()
        # As one list, so that what fails on the way is told as of the Hub.
        first = [*rows.take(max_rows + 1)]
        found[split] = of_dataset(f"{name} {split}", Dataset.from_list(first[:max_rows], features=rows.features))
        if len(first) > max_rows:
            of = _number_of_rows(builder, split)
            notes.append(f"of {name}, {split}, the first {max_rows:,} rows of {of} were read (--max-rows)")
    return found, notes


def _number_of_rows(builder: Any, split: str) -> str:
    """How many rows a split has: as its card says, else as the ends of Parquet files do, else "more"."""
    if known := (builder.info.splits or {}).get(split):
        return f"{known.num_examples:,}"
    if not type(builder).__name__.startswith("Parquet"):
        return "more"
    n_rows = 0
    for url in builder.config.data_files[split]:
        with HfFileSystem().open(url) as stream:
            n_rows += pq.read_metadata(stream).num_rows
    return f"{n_rows:,}"
