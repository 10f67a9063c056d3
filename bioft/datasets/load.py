"""A dataset by name: built from its source, read from a folder that `bioft build` wrote, or pulled from the Hub."""

from pathlib import Path
from typing import Any

from datasets import DatasetDict, concatenate_datasets

from bioft import hub
from bioft.datasets import bc5cdr, chemdisgene, ctd, documents, gene_disease, hpo, sample, storage
from bioft.errors import BioftError


def load_or_build(
    dataset: str,
    *,
    dataset_path: str | None = None,
    dataset_revision: str | None = None,
    split_seed: int = 0,
    max_train_pairs: int | None = None,
    **options: Any,
) -> tuple[DatasetDict, dict[str, Any]]:
    """Get gene–disease pairs with their manifest.

    Args:
        dataset: "hpo", "ctd" (with `dataset_path`), a folder written by `bioft build`, or `user/name` on the Hub.
        dataset_path: the CTD file.
        dataset_revision: branch, tag or commit of a dataset on the Hub; the manifest's `hub` says which commit it was.
        split_seed: seed of splits and negatives.
        max_train_pairs: keep the first N of the shuffled training pairs; the manifest says so.
        options: split, negatives, … of the builders. A folder was built with its own.

    Raises:
        BioftError: unknown dataset, a missing file, what the builder finds wrong in it, or a folder whose dataset
            has no gene–disease pairs.
    """
    _check_revision(dataset, dataset_revision, ("hpo", "ctd"))
    if dataset == "hpo":
        splits, manifest = hpo.build(seed=split_seed, **options)
    elif dataset == "ctd":
        if dataset_path is None:
            raise BioftError("The ctd dataset needs --dataset_path FILE. Fetch the file with: bioft download ctd")
        splits, manifest = ctd.build(dataset_path, seed=split_seed, **options)
    else:
        splits, manifest = _load(dataset, dataset_revision, "hpo, ctd")
        _check_columns(dataset, splits, gene_disease.COLUMNS, "gene–disease pairs")
    if max_train_pairs is not None and max_train_pairs < len(splits["train"]):
        splits["train"] = splits["train"].select(range(max_train_pairs))
        manifest["max_train_pairs"] = max_train_pairs
    return splits, manifest


def load_documents(
    dataset: str,
    *,
    dataset_path: str | None = None,
    dataset_revision: str | None = None,
    skip_bad: bool = False,
    train_on: str = "train",
    **options: Any,
) -> tuple[DatasetDict, dict[str, Any]]:
    """Get documents with entities and relations, and their manifest.

    Args:
        dataset: "sample" (the small corpus that comes with bioft), "bc5cdr", "chemdisgene" (both with
            `dataset_path`), a folder written by `bioft build`, or `user/name` on the Hub.
        dataset_path: the folder or zip file of BC5CDR; the file or folder of ChemDisGene.
        dataset_revision: as for `load_or_build`.
        skip_bad: leave out documents in which something is wrong, and count them in the manifest.
        train_on: "train+validation" makes the training split both of them; the validation split stays as it is.
        options: those of the builder. A folder was built with its own.

    Raises:
        BioftError: unknown dataset, a missing file, what the builder finds wrong in it, or a folder whose dataset
            has no documents.
    """
    _check_revision(dataset, dataset_revision, ("sample", "bc5cdr", "chemdisgene"))
    if dataset == "sample":
        splits, manifest = sample.build(**options)
    elif dataset == "bc5cdr":
        splits, manifest = bc5cdr.build(_path(dataset, dataset_path), skip_bad=skip_bad, **options)
    elif dataset == "chemdisgene":
        splits, manifest = chemdisgene.build(_path(dataset, dataset_path), skip_bad=skip_bad, **options)
    else:
        splits, manifest = _load(dataset, dataset_revision, "sample, bc5cdr, chemdisgene")
        _check_columns(dataset, splits, documents.COLUMNS, "documents")
    if train_on == "train+validation":
        splits["train"] = concatenate_datasets([splits["train"], splits["validation"]])
    return splits, manifest


def _load(dataset: str, revision: str | None, known: str) -> tuple[DatasetDict, dict[str, Any]]:
    """A dataset in a folder, else on the Hub; `hub` of the manifest says which commit of which repository it is."""
    folder = Path(dataset)
    if folder.is_dir():
        _check_revision(dataset, revision, (dataset,))
    elif not hub.is_repository_name(dataset):
        raise BioftError(
            f"No dataset {dataset!r}: give {known}, a folder written by `bioft build`, or user/name on the Hub."
        )
    else:
        try:
            folder = hub.pull_dataset(dataset, revision=revision)
        except BioftError as error:
            raise BioftError(f"There is no folder {dataset}, and from the Hub it can't be had: {error}") from error
    splits, manifest = storage.load(folder)
    if (source := hub.origin(folder)) is not None:
        manifest["hub"] = source
    return splits, manifest


def _check_columns(dataset: str, splits: DatasetDict, columns: tuple[str, ...], what: str) -> None:
    for split, rows in splits.items():
        if not set(columns) <= set(rows.column_names):
            raise BioftError(
                f"{dataset} is no dataset of {what}: split {split} has the columns {', '.join(rows.column_names)}; "
                f"needed: {', '.join(columns)}."
            )


def _check_revision(dataset: str, revision: str | None, local: tuple[str, ...]) -> None:
    if revision is not None and dataset in local:
        raise BioftError(f"--dataset_revision is for datasets on the Hub; {dataset} is none.")


def _path(dataset: str, path: str | None) -> str:
    if path is None:
        raise BioftError(
            f"The {dataset} dataset needs --dataset_path PATH. Fetch the corpus with: bioft download {dataset}"
        )
    return path


def describe(manifest: dict[str, Any]) -> dict[str, Any]:
    """The parts of a manifest that a run record keeps; the audit stands beside them there."""
    return {key: value for key, value in manifest.items() if key not in {"schema_version", "audit"}}
