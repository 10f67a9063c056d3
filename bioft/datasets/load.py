"""A dataset by name: built from its source, or read from a folder that `bioft build` wrote."""

from pathlib import Path
from typing import Any

from datasets import DatasetDict

from bioft.datasets import ctd, hpo, storage
from bioft.errors import BioftError


def load_or_build(
    dataset: str,
    *,
    dataset_path: str | None = None,
    split_seed: int = 0,
    max_train_pairs: int | None = None,
    **options: Any,
) -> tuple[DatasetDict, dict[str, Any]]:
    """Get gene–disease pairs with their manifest.

    Args:
        dataset: "hpo", "ctd" (with `dataset_path`), or a folder written by `bioft build`.
        dataset_path: the CTD file.
        split_seed: seed of splits and negatives.
        max_train_pairs: keep the first N of the shuffled training pairs; the manifest says so.
        options: split, negatives, … of the builders. A folder was built with its own.

    Raises:
        BioftError: unknown dataset, a missing file, or what the builder finds wrong in it.
    """
    if dataset == "hpo":
        splits, manifest = hpo.build(seed=split_seed, **options)
    elif dataset == "ctd":
        if dataset_path is None:
            raise BioftError("The ctd dataset needs --dataset_path FILE. Fetch the file with: bioft download ctd")
        splits, manifest = ctd.build(dataset_path, seed=split_seed, **options)
    elif Path(dataset).is_dir():
        splits, manifest = storage.load(dataset)
    else:
        raise BioftError(f"No dataset {dataset!r}: give hpo, ctd, or a folder written by `bioft build`.")
    if max_train_pairs is not None and max_train_pairs < len(splits["train"]):
        splits["train"] = splits["train"].select(range(max_train_pairs))
        manifest["max_train_pairs"] = max_train_pairs
    return splits, manifest


def describe(manifest: dict[str, Any]) -> dict[str, Any]:
    """The parts of a manifest that a run record keeps; the audit stands beside them there."""
    return {key: value for key, value in manifest.items() if key not in {"schema_version", "audit"}}
