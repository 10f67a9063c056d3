"""The splits that a run was trained and evaluated on, and what they tell of its test units."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioft.compare.answers import Answers
from bioft.datasets.recorded import recorded_dataset
from bioft.errors import BioftError
from bioft.hub import pull
from bioft.storage.text_lines import normalise
from bioft.verify import (
    documents as document_verification,
)
from bioft.verify import (
    gene_disease as gene_disease_verification,
)
from bioft.verify import (
    masked_lm as masked_verification,
)
from bioft.verify import (
    retrieval as contrastive_verification,
)
from bioft.verify import (
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


def properties(answers: Answers, table: pd.DataFrame, record: Mapping[str, Any], splits: Any) -> pd.DataFrame:
    """What the splits tell of each unit of `answers`: frequencies in training, evidence, lengths; shape (n, …).

    Args:
        answers: the units, of which the rows are.
        table: the stored predictions.
        record: the record of the run.
        splits: those of `recorded_splits`.

    Raises:
        BioftError: predictions that are not about the test split.
    """
    train, test = splits["train"], splits["test"]
    task = record["task"]
    if task == "gene-disease-association":
        return _of_pairs(table, train.to_pandas(), test.to_pandas())
    if task in ("entity-recognition", "joint-entity-relation"):
        return _of_mentions(answers, test.to_list(), train.to_list())
    if task == "relation-extraction":
        concepts = Counter(
            concept for row in train.to_list() for each in row["relations"] for concept in (each["head"], each["tail"])
        )
        rarest = [min(concepts[head], concepts[tail]) for head, tail in zip(table["head"], table["tail"], strict=True)]
        return pd.DataFrame({"relations of the rarer concept in training": rarest})
    texts = dict(zip(test["id"][:], test["text"][:], strict=True)) if "text" in test.column_names else {}
    if task == "text-retrieval":
        pairs = train.to_pandas()
        columns = [name for name in ("anchor", "positive", "sentence1", "sentence2") if name in pairs]
        words = Counter(word for column in columns for text in pairs[column] for word in text.lower().split())
        rarest = [min(words[word] for word in query.lower().split()) for query in answers.ids]
        return pd.DataFrame({"occurrences of the query's rarest word in training": rarest})
    _check(set(answers.ids) <= texts.keys())
    return pd.DataFrame({"words of the text": [len(texts[each].split()) for each in answers.ids]})


def _of_pairs(table: pd.DataFrame, train: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    columns = ["gene_id", "disease_id", "label"]
    _check(len(table) == len(test) and bool((table[columns].astype(str) == test[columns].astype(str)).all(axis=None)))
    positives = train[train["label"] == 1]
    found = {
        f"associations of the {side} in training": table[f"{side}_id"]
        .astype(str)
        .map(positives[f"{side}_id"].astype(str).value_counts())
        .fillna(0)
        for side in ("gene", "disease")
    }
    # Negatives are drawn, and have no evidence: they would be a group that is right by saying "not associated".
    evidence = test["evidence"].where(test["label"] == 1, np.nan).replace("", np.nan)
    articles = test["pmids"].str.split("|").str.len().where((test["label"] == 1) & (test["pmids"] != ""), np.nan)
    return pd.DataFrame(
        found
        | {"evidence (associated pairs)": evidence.to_numpy(), "articles (associated pairs)": articles.to_numpy()}
    )


def _of_mentions(answers: Answers, test: list[dict[str, Any]], train: list[dict[str, Any]]) -> pd.DataFrame:
    names = Counter(normalise(entity["text"]) for row in train for entity in row["entities"])
    texts = {row["document_id"]: row["text"] for row in test}
    rows = []
    for identifier in answers.ids:
        document, _, span = identifier.rpartition(":")
        _check(document in texts)
        start, end = map(int, span.split("-"))
        name = texts[document][start:end]
        rows.append(
            {
                "mentions of the same name in training": names[normalise(name)],
                "words of the mention": len(name.split()),
                "words of the document": len(texts[document].split()),
            }
        )
    return pd.DataFrame(rows)


def _check(same: bool) -> None:
    if not same:
        raise BioftError("The predictions are not about the test split of the recorded data.")
