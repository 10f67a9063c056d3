"""How well names are matched to a namespace: the aligner with an encoder, without one, and the baselines."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bioft import metrics
from bioft.datasets.metabolites.baselines import NAMES
from bioft.errors import BioftError
from bioft.metrics import report
from bioft.metrics.alignment import paired_alignment
from bioft.metrics.estimation import estimates
from bioft.metrics.estimation.groups import Groups
from bioft.task import BASE
from bioft.tasks.name_alignment import TASK
from bioft.tasks.name_alignment.answers import names_share
from bioft.tasks.name_alignment.predict import Names
from bioft.tasks.name_alignment.scorer import FILE as SCORER, WITHOUT_ENCODER, is_right, load as load_scorer
from bioft.tasks.retrieval import encoder, evaluate as retrieval

SHOWN = {
    "accuracy": "Accuracy", "coverage_at_95_precision": "Coverage at .95", "precision": "Precision",
    "recall": "Recall", "hits_at_1": "Hits@1", "hits_at_5": "Hits@5", "f1": "F1", "ece": "ECE",
}  # fmt: skip
FILES = (SCORER, WITHOUT_ENCODER)
"""What `bioft verify` compares in a run on it, beside the files that runs on all tasks have."""
OF_THE_ANSWER = ("accuracy", "precision", "recall", "f1", "false_positives", "false_negatives")
"""The metrics that follow from the answers alone, without candidates and probabilities."""


def baselines(dataset: Any, record: Mapping[str, Any], progress: Any = False) -> dict[str, pd.DataFrame]:
    """What every baseline answers, and the aligner with names and chemistry only, as predictions tables."""
    names: Names = dataset["test"]
    tables = {name: names.by_score(make()) for name, make in NAMES.items()}
    return tables | {"aligner_without_encoder": names.align(WITHOUT_ENCODER)}


def baseline_names(record: Mapping[str, Any]) -> list[str]:
    """The baselines that every run has."""
    return [*NAMES, "aligner_without_encoder"]


def test_rows(dataset: Any) -> pd.DataFrame:
    """The names, right ids and kinds that the predictions table of a run on this dataset is about."""
    names: Names = dataset["test"]
    return pd.DataFrame({"id": names["name"], "label": names["gold"], "kind": names["kind"]})


def figures(table: pd.DataFrame, dataset: Any, record: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics of `bioft.metrics.alignment` with value, low, high and n; of answers alone `OF_THE_ANSWER`."""
    found = metrics.load("alignment").compute(
        predictions=_answers(table), references=table["label"].tolist(), groups=names_share(table)
    )
    return {
        name: figure for name, figure in estimates.nest(found).items() if "ranked" in table or name in OF_THE_ANSWER
    }


def comparisons(
    table: pd.DataFrame, baselines: Mapping[str, pd.DataFrame], dataset: Any, record: Mapping[str, Any]
) -> dict[str, Any]:
    """Paired test of the accuracy against the best baseline's."""
    golds, own, groups = table["label"].tolist(), _answers(table), names_share(table)
    results = {name: paired_alignment(golds, own, _answers(its), groups=groups) for name, its in baselines.items()}
    return {"comparison": report.describe_best(results, "accuracy", TASK.shared)}


def analyses(tables: Mapping[str, pd.DataFrame], dataset: Any, record: Mapping[str, Any]) -> dict[str, Any]:
    """The accuracy per kind of name and system, with an interval."""
    result: dict[str, dict[str, Any]] = {}
    for name, table in tables.items():
        right = pd.Series(list(map(is_right, table["prediction"], table["label"])))
        groups = names_share(table)
        for kind, its in right.groupby(table["kind"].to_numpy()):
            share = estimates.mean(its)
            low, high = share.interval(Groups(len(its), [groups[0][its.index]]))
            figure = {"value": share.value, "low": low, "high": high, "n": len(its)}
            result.setdefault(str(kind), {})["base" if name == BASE else name] = figure
    return {"details": result}


def check_data(dataset: Any, record: Mapping[str, Any]) -> list[str]:
    """Say so if the names are not the recorded ones; `dataset` is that of `recorded`."""
    if dataset["queries"] != record["dataset"]["queries"]["fingerprints"]:
        return ["The record states other fingerprints of the names than its dataset has."]
    return []


def check_files(directory: Path, dataset: Any, record: Mapping[str, Any]) -> list[str]:
    """Which files would give others another encoder than this."""
    return encoder.check_library_files(directory)


def check_fitted(directory: Path, dataset: Any, record: Mapping[str, Any]) -> list[str]:
    """Which of a run's scorers, by which `bioft align` answers, are not those that were fitted here again."""
    return [
        f"{file} is not the scorer that the validation names give."
        for file, scorer in dataset["test"].scorers.items()
        if not scorer.is_like(load_scorer(directory / file))
    ]


def plot_data(directory: Path, model: Any, dataset: Any, record: Mapping[str, Any]) -> None:
    """Draw what the recipe draws of data and encoders; `model` is the trained one."""
    retrieval.plot_data(directory, model, dataset["pairs"], record)


def recorded(record: Mapping[str, Any], dataset_path: Path | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The names of a run, built again from files of the recorded names: in a folder, by default where they were.

    Returns pairs in `train` and `validation`, `Names` in `test`, the fingerprints of the names in `queries` and all
    pairs in `pairs`; and the manifest. BioftError: a file is missing; what is wrong in it.
    """
    from bioft.datasets.load import load_pairs

    arguments = record["dataset"]["arguments"]

    def place(name: str) -> str:
        path = Path(name) if dataset_path is None else dataset_path / Path(name).name
        if not path.is_file():
            raise BioftError(
                f"The data are missing: there is no {path}. Put {Path(name).name} into a folder with the other files "
                "of the run, and name the folder with --dataset-path."
            )
        return str(path)

    namespace = arguments["namespace"]
    pairs = load_pairs(
        "metabolites",
        namespace=namespace if namespace == "cobra" else place(namespace),
        modelseed=str(Path(place(arguments["synonyms"])).parent) if arguments["synonyms"] else None,
        held_out_models=[place(model) for model in arguments["held_out_models"]],
        split_seed=arguments["seed"],
        kinds=arguments["kinds"],
        max_compounds=arguments["max_compounds"],
    )
    assert pairs.names is not None
    dataset = {split: pairs.dataset[split] for split in ("train", "validation")}
    manifest = pairs.manifest
    asked = {"test": Names.of(*pairs.names), "queries": manifest["queries"]["fingerprints"], "pairs": pairs.dataset}
    return dataset | asked, manifest


def _answers(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a predictions table as the metric takes them; without candidates and probability where it is."""
    ranked: Any = table["ranked"].map(json.loads) if "ranked" in table else [[]] * len(table)
    scores = table["score"] if "score" in table else [0.0] * len(table)
    return [
        {"id": given, "ranked": its, "probability": score}
        for given, its, score in zip(table["prediction"], ranked, scores, strict=True)
    ]
