"""A dataset by name: built from its source, read from a folder that `bioft build` wrote, or pulled from the Hub."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from datasets import DatasetDict

from bioft.datasets.documents import bc5cdr, chemdisgene, corpus as documents, sample
from bioft.datasets.gene_disease import ctd, pairs as gene_disease
from bioft.datasets.hpo import definitions as hpo_definitions, gene_disease as hpo, synonyms as hpo_synonyms
from bioft.datasets.metabolites import build as metabolites, namespaces as metabolite_namespaces
from bioft.datasets.metabolites.names import plain_text
from bioft.datasets.metabolites.pairs import KINDS
from bioft.datasets.texts import corpus as texts, stop_reasons
from bioft.datasets.trials import gender, texts as trial_texts
from bioft.errors import BioftError
from bioft.hub import pull
from bioft.storage import datasets as storage

# Names of the datasets of each kind that are built here; any other is a folder or on the Hub, and built already.
GENE_DISEASE = ("hpo", "ctd")
DOCUMENTS = ("sample", "bc5cdr", "chemdisgene")
TEXTS = ("hpo_definitions", "trials")
LABELLED_TEXTS = ("sample", "stop_reasons_weak", "gender", "stop_reasons")
TEXT_PAIRS = ("hpo_synonyms", "metabolites")
EMBEDDED = ("hpo", "sample", "hpo_definitions", "hpo_synonyms")
"""Those among them that come with bioft and its dependencies, and are made of no file of the user's."""

logger = logging.getLogger(__name__)
PAIRS = ("anchor", "positive", "group")
SCORED_PAIRS = ("sentence1", "sentence2", "score", "group")


def load_or_build(
    dataset: str,
    *,
    dataset_path: str | None = None,
    dataset_revision: str | None = None,
    split_seed: int = 0,
    max_train_pairs: int | None = None,
    validation_only: bool = False,
    **options: Any,
) -> tuple[DatasetDict, dict[str, Any]]:
    """Get gene–disease pairs with their manifest.

    Args:
        dataset: "hpo", "ctd" (with `dataset_path`), a folder written by `bioft build`, or `user/name` on the Hub.
        dataset_path: the CTD file.
        dataset_revision: branch, tag or commit of a dataset on the Hub; the manifest's `hub` says which commit it was.
        split_seed: seed of splits and negatives.
        max_train_pairs: keep the first N of the shuffled training pairs; the manifest says so.
        validation_only: nothing of the test split: see `validation_as_test`.
        options: split, negatives, … of the builders. A folder was built with its own.

    Raises:
        BioftError: unknown dataset, a missing file, what the builder finds wrong in it, or a folder whose dataset
            has no gene–disease pairs.
    """
    _check_revision(dataset, dataset_revision, GENE_DISEASE)
    if dataset == "hpo":
        splits, manifest = hpo.build(seed=split_seed, **options)
    elif dataset == "ctd":
        if dataset_path is None:
            raise BioftError("The ctd dataset needs --dataset_path FILE. Fetch the file with: bioft download ctd")
        splits, manifest = ctd.build(dataset_path, seed=split_seed, **options)
    else:
        splits, manifest = _load(dataset, dataset_revision, GENE_DISEASE, validation_only)
        _check_columns(dataset, splits, gene_disease.COLUMNS, "gene–disease pairs")
    if max_train_pairs is not None and max_train_pairs < len(splits["train"]):
        splits["train"] = splits["train"].select(range(max_train_pairs))
        manifest["max_train_pairs"] = max_train_pairs
    return validation_as_test(splits, manifest) if validation_only else (splits, manifest)


def load_documents(
    dataset: str,
    *,
    dataset_path: str | None = None,
    dataset_revision: str | None = None,
    skip_bad: bool = False,
    train_on: str = "train",
    validation_only: bool = False,
    **options: Any,
) -> tuple[DatasetDict, dict[str, Any]]:
    """Get documents with entities and relations, and their manifest.

    Args:
        dataset: "sample" (the small corpus that comes with bioft), "bc5cdr", "chemdisgene" (both with
            `dataset_path`), a folder written by `bioft build`, or `user/name` on the Hub.
        dataset_path: the folder or zip file of BC5CDR; the file or folder of ChemDisGene.
        dataset_revision: as for `load_or_build`.
        skip_bad: leave out documents in which something is wrong, and count them in the manifest.
        train_on: "train+validation" where both will be trained on (`documents.training_documents`).
        validation_only: nothing of the test split: see `validation_as_test`.
        options: those of the builder. A folder was built with its own.

    Raises:
        BioftError: unknown dataset, a missing file, what the builder finds wrong in it, a folder whose dataset has no
            documents, or a validation split that is to be trained on and evaluated on.
    """
    _check_revision(dataset, dataset_revision, DOCUMENTS)
    if validation_only and train_on == "train+validation":
        raise BioftError("validation_only evaluates on the validation split: it can't be trained on (train_on).")
    if dataset == "sample":
        splits, manifest = sample.build(**options)
    elif dataset == "bc5cdr":
        splits, manifest = bc5cdr.build(_path(dataset, dataset_path), skip_bad=skip_bad, **options)
    elif dataset == "chemdisgene":
        splits, manifest = chemdisgene.build(_path(dataset, dataset_path), skip_bad=skip_bad, **options)
    else:
        splits, manifest = _load(dataset, dataset_revision, DOCUMENTS, validation_only)
        _check_columns(dataset, splits, documents.COLUMNS, "documents")
    return validation_as_test(splits, manifest) if validation_only else (splits, manifest)


def load_texts(
    dataset: str,
    *,
    dataset_path: str | None = None,
    dataset_revision: str | None = None,
    exclude: str | None = None,
    strip_symbols: bool = False,
    skip_bad: bool = False,
    validation_only: bool = False,
) -> tuple[DatasetDict, dict[str, Any]]:
    """Get texts with ids, and their manifest.

    Args:
        dataset: "hpo_definitions" (ships with bioft), "trials" (with `dataset_path`), a folder written by
            `bioft build trials`, or `user/name` on the Hub.
        dataset_path: file, zip file or folder of trial records.
        dataset_revision: as for `load_or_build`.
        exclude: as for `trial_texts.build`, like the two others.
        strip_symbols: remove brackets, % and other symbols.
        skip_bad: leave out wrong records.
        validation_only: nothing of the test split: see `validation_as_test`.

    Raises:
        BioftError: unknown dataset, a missing file, what the builder finds wrong in it, or a folder whose dataset
            has no texts.
    """
    _check_revision(dataset, dataset_revision, TEXTS)
    if dataset == "trials":
        path = _path(dataset, dataset_path)
        splits, manifest = trial_texts.build(path, exclude=exclude, strip_symbols=strip_symbols, skip_bad=skip_bad)
    elif exclude or strip_symbols or skip_bad:
        raise BioftError(f"exclude, strip_symbols and skip_bad are for the dataset trials, not for {dataset}.")
    elif dataset == "hpo_definitions":
        splits, manifest = hpo_definitions.build()
    else:
        splits, manifest = _load(dataset, dataset_revision, TEXTS, validation_only)
        _check_columns(dataset, splits, texts.COLUMNS, "texts with ids")
    return validation_as_test(splits, manifest) if validation_only else (splits, manifest)


def load_labelled_texts(
    dataset: str,
    *,
    dataset_path: str | None = None,
    dataset_revision: str | None = None,
    split_seed: int = 0,
    skip_bad: bool = False,
    validation_only: bool = False,
    **options: Any,
) -> tuple[DatasetDict, dict[str, Any]]:
    """Get texts with their labels, and their manifest.

    Args:
        dataset: "sample" (the small set that comes with bioft), "stop_reasons" (expert labels; from the Hub, or with
            `dataset_path`), "stop_reasons_weak" (predicted labels), "gender" (both with `dataset_path`), a folder
            written by `bioft build`, or `user/name` on the Hub.
        dataset_path: the file of stop reasons; the file or folder of trial records.
        dataset_revision: as for `load_or_build`; also of the expert labels.
        split_seed: seed of the splits.
        skip_bad: leave out rows in which something is wrong, and count them in the manifest.
        validation_only: nothing of the test split: see `validation_as_test`.
        options: those of the builder. A folder was built with its own.

    Raises:
        BioftError: unknown dataset, a missing file, what the builder finds wrong in it, or a folder whose dataset
            has no labelled texts.
    """
    # Expert labels of stop reasons are fetched from the Hub, where they have revisions.
    _check_revision(dataset, dataset_revision, tuple(name for name in LABELLED_TEXTS if name != "stop_reasons"))
    building = {"seed": split_seed, "skip_bad": skip_bad, **options}
    if dataset == "sample":
        splits, manifest = stop_reasons.build_sample(seed=split_seed, **options)
    elif dataset == "stop_reasons":
        splits, manifest = stop_reasons.build_gold(dataset_path, revision=dataset_revision, **building)
    elif dataset == "stop_reasons_weak":
        path = _given(dataset, dataset_path, "the TSV file of predicted reasons")
        splits, manifest = stop_reasons.build_weak(path, **building)
    elif dataset == "gender":
        path = _given(dataset, dataset_path, "a file or folder of trial records")
        splits, manifest = gender.build(path, **building)
    else:
        splits, manifest = _load(dataset, dataset_revision, LABELLED_TEXTS, validation_only)
        label = "labels" if manifest.get("multi_label") else "label"
        _check_columns(dataset, splits, ("id", "text", label), "labelled texts")
        if "labels" not in manifest:
            raise BioftError(f"{dataset} is no dataset of labelled texts: its manifest names no labels.")
    return validation_as_test(splits, manifest) if validation_only else (splits, manifest)


def _given(dataset: str, path: str | None, what: str) -> str:
    if path is None:
        raise BioftError(f"The {dataset} dataset needs --dataset_path: {what}.")
    return path


class PairData(NamedTuple):
    """Pairs of texts; for metabolite names also queries whose ids in a namespace are known, and the namespace."""

    dataset: DatasetDict
    manifest: dict[str, Any]
    names: tuple[DatasetDict, pd.DataFrame] | None = None


def load_pairs(
    dataset: str,
    *,
    dataset_revision: str | None = None,
    namespace: str = "cobra",
    modelseed: str | None = None,
    held_out_models: Sequence[str] | None = None,
    kinds: Sequence[str] | None = None,
    max_compounds: int = 10_000,
    split_seed: int = 0,
    validation_only: bool = False,
) -> PairData:
    """Get pairs of texts for contrastive training, and what they are evaluated on.

    Args:
        dataset: "hpo_synonyms" (comes with bioft), "metabolites" (built from what the next arguments name), a folder
            written by `bioft build`, or `user/name` on the Hub.
        dataset_revision: as for `load_or_build`.
        namespace: "cobra" (comes with the installation), or a file that `metabolite_namespaces.read_namespace` reads.
        modelseed: folder with the two files of `bioft download modelseed`, for real synonyms.
        held_out_models: models whose compounds are in no training pair; their names are matched to the namespace.
        kinds: of the pairs of metabolite names, by default all of `metabolite_pairs.KINDS`.
        max_compounds: compounds of a split whose names are paired, at most.
        split_seed: seed of splits, pairs and queries.
        validation_only: nothing of the test split: see `validation_as_test`.

    Metabolite names come without mark-up, as the encoder reads them (`metabolite_names.plain_text`); the fingerprints
    in the manifest are of the pairs before.

    Raises:
        BioftError: unknown dataset, a missing file, what the builder finds wrong in it, a folder whose dataset has no
            pairs of texts, or metabolites with `validation_only`.
    """
    _check_revision(dataset, dataset_revision, TEXT_PAIRS)
    names = None
    if validation_only and dataset == "metabolites":
        raise BioftError(
            "Metabolite names have no split to choose on: those of the validation split teach the aligner what its "
            "scores mean. Leave out validation_only."
        )
    if dataset == "hpo_synonyms":
        splits, manifest = hpo_synonyms.build(seed=split_seed)
    elif dataset == "metabolites":
        synonyms, aliases = metabolite_namespaces.modelseed_files(modelseed) if modelseed else (None, None)
        compounds = metabolites.read_compounds(
            namespace=namespace,
            synonyms=synonyms,
            aliases=aliases,
            held_out_models=held_out_models or (),
            seed=split_seed,
        )
        queries, table, described = metabolites.build_queries(compounds, seed=split_seed)
        names = queries, table
        splits, manifest = metabolites.build_pairs(
            compounds, kinds=kinds or KINDS, max_compounds=max_compounds, seed=split_seed
        )
        manifest["queries"] = {key: described[key] for key in ("arguments", "rows", "namespace", "fingerprints")}
        splits = splits.map(
            lambda row: {column: plain_text(row[column]) for column in ("sentence1", "sentence2")}, desc="Names"
        )
    else:
        splits, manifest = _load(dataset, dataset_revision, TEXT_PAIRS, validation_only)
        columns = next(iter(splits.values())).column_names
        _check_columns(dataset, splits, PAIRS if "anchor" in columns else SCORED_PAIRS, "pairs of texts")
    return PairData(*(validation_as_test(splits, manifest) if validation_only else (splits, manifest)), names)


def validation_as_test(splits: DatasetDict, manifest: dict[str, Any]) -> tuple[DatasetDict, dict[str, Any]]:
    """The dataset with its validation split in the place of the test split, of which nothing is left.

    This is how configurations are chosen between, so that the test split is touched once, for the chosen one. The
    manifest says so: `evaluated_on` is "validation", and what it says of the test split is about the validation split.
    """
    splits = DatasetDict({name: rows for name, rows in splits.items() if name != "test"})
    splits["test"] = splits["validation"]
    return splits, _with_validation_as_test(manifest) | {"evaluated_on": "validation"}


def _with_validation_as_test(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    described = {key: _with_validation_as_test(each) for key, each in value.items()}
    return described | ({"test": described["validation"]} if {"validation", "test"} <= described.keys() else {})


def _load(
    dataset: str, revision: str | None, known: Sequence[str], validation_only: bool
) -> tuple[DatasetDict, dict[str, Any]]:
    """A dataset in a folder, else on the Hub; `hub` of the manifest says which commit of which repository it is."""
    folder = Path(dataset)
    if folder.is_dir():
        _check_revision(dataset, revision, (dataset,))
    elif not pull.is_repository_name(dataset):
        raise BioftError(
            f"No dataset {dataset!r}: give {', '.join(known)}, a folder written by `bioft build`, or user/name on the "
            "Hub."
        )
    else:
        try:
            folder = pull.pull_dataset(dataset, revision=revision)
        except BioftError as error:
            raise BioftError(f"There is no folder {dataset}, and from the Hub it can't be had: {error}") from error
    splits, manifest = storage.load(folder, without=("test",) if validation_only else ())
    built_with = ", ".join(f"{key} {value}" for key, value in manifest.get("arguments", {}).items())
    builder = manifest.get("builder", "another program")
    logger.info("Dataset %s, built by %s%s", dataset, builder, built_with and f" with {built_with}")
    if (source := pull.origin(folder)) is not None:
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
