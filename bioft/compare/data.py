"""The splits that a run was trained and evaluated on, and what they tell of its test units."""

from pathlib import Path
from typing import Any

from bioft.datasets.recorded import recorded_dataset
from bioft.errors import BioftError
from bioft.hub import pull
from bioft.verify import (
    documents as document_verification,
    gene_disease as gene_disease_verification,
    masked_lm as masked_verification,
    retrieval as contrastive_verification,
    text_labels as text_verification,
)
from bioft.verify.findings import Request, Verification


def recorded_splits(directory: Path, record: dict[str, Any], dataset_path: Path | None = None) -> Any:
    """Load the splits of a run, from where its record says or from `dataset_path`, as `bioft verify` does.

    Raises:
        BioftError: the data are missing, or other ones than the recorded.
    """
    from bioft.datasets import load

    found = Verification(str(directory))
    request = Request(
        directory=directory,
        record=record,
        found=found,
        sample=None,
        seed=0,
        dataset_path=dataset_path,
        dataset_folder=lambda id, commit: pull.pull_dataset(id, revision=commit),
        progress=False,
    )
    arguments = dict(record["dataset"]["arguments"])
    task = record["task"]
    if task == "gene-disease-association":
        arguments |= {"split_seed": arguments.pop("seed"), "max_train_pairs": record["dataset"].get("max_train_pairs")}
        loaded = recorded_dataset(request, load.load_or_build, arguments, gene_disease_verification.DOWNLOADS)
    elif task in ("entity-recognition", "relation-extraction", "joint-entity-relation"):
        loaded = recorded_dataset(request, load.load_documents, arguments, document_verification.DOWNLOADS)
    elif task == "text-classification":
        loaded = recorded_dataset(request, _labelled_texts, arguments, text_verification.DOWNLOADS)
    elif task == "masked-language-model":
        loaded = recorded_dataset(request, _texts, arguments, masked_verification.DOWNLOADS)
    elif task == "text-retrieval":
        loaded = recorded_dataset(request, _pairs, arguments, contrastive_verification.DOWNLOADS)
    else:
        raise BioftError(f"The data of {task} are not needed for an analysis.")
    if found.reasons:
        raise BioftError(" ".join(found.reasons))
    return loaded[0]


def _labelled_texts(name: str, *, dataset_path: str | None = None, seed: int = 0, **options: Any) -> Any:
    from bioft.datasets.load import load_labelled_texts

    name = "sample" if name == "stop_reasons_sample" else name
    return load_labelled_texts(name, dataset_path=dataset_path, split_seed=seed, **options)


def _texts(name: str, *, dataset_path: str | None = None, **arguments: Any) -> Any:
    from bioft.datasets.load import load_texts

    options = {key: arguments.get(key, False) for key in ("strip_symbols", "skip_bad")} if name == "trials" else {}
    return load_texts(name, dataset_path=dataset_path, **options)


def _pairs(name: str, *, dataset_path: str | None = None, seed: int = 0, **options: Any) -> Any:
    from bioft.datasets.load import load_pairs

    return load_pairs(name, split_seed=seed)[:2]
