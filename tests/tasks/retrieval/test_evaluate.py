"""The task of finding the partner of a text: what is asked, what is right, and the table of predictions."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from datasets import Dataset

from bioft.tasks.retrieval.evaluate import RetrievalTask

ROWS = Dataset.from_dict(
    {
        "anchor": ["kidney stone", "kidney stone", "high blood pressure"],
        "positive": ["stone of the kidney", "nephrolithiasis", "hypertension"],
        "negative": ["stone age", "kidney stone", "low pressure"],
    }
)


class Lengths:
    """A stand-in for an encoder: texts of like length are alike."""

    def encode(self, texts: list[str], **options: object) -> np.ndarray:
        angles = np.array([len(text) / 50 for text in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_all_texts_are_looked_through_and_the_query_is_no_answer() -> None:
    task = RetrievalTask.of(ROWS)
    assert task.queries == ["kidney stone", "high blood pressure"]
    assert [[task.texts[i] for i in right] for right in task.relevant] == [
        ["stone of the kidney", "nephrolithiasis"],
        ["hypertension"],
    ]
    assert {"stone age", "low pressure"} < set(task.texts)
    rankings = task.rank_baselines() | {"model": task.rank(Lengths())}
    for ranked in rankings.values():
        assert all(task.texts[i] != query for query, found in zip(task.queries, ranked, strict=True) for i in found)
    assert task.texts[rankings["bm25"][0][0]] == "stone of the kidney"
    assert task.texts[rankings["model"][1][0]] == "stone of the kidney", "as long as high blood pressure"


def test_scores_say_what_is_right() -> None:
    rows = Dataset.from_dict({"sentence1": ["a b", "a b"], "sentence2": ["a c", "a d"], "score": [0.2, 0.8]})
    task = RetrievalTask.of(rows)
    assert [[task.texts[i] for i in right] for right in task.relevant] == [["a d"]]


def test_figures_comparison_and_predictions(tmp_path: Path) -> None:
    task = RetrievalTask.of(ROWS)
    perfect, nothing = task.relevant, [[] for _ in task.queries]
    figures = task.evaluate(perfect)
    assert figures["ndcg_at_10"]["value"] == 1 and figures["ndcg_at_10"]["n"] == 2
    assert task.evaluate(nothing)["map"]["value"] == 0
    compared = task.compare(perfect, {"worst": nothing, "poor": [perfect[0], []]})
    assert compared["baseline"] == "poor" and compared["difference"] == 0.5
    assert task.details({"none": nothing, "all": perfect})["queries_without_a_right_text_found"] == {
        "none": 2,
        "all": 0,
    }
    task.write_predictions(perfect, nothing, {"bm25": nothing}, tmp_path)
    table = pd.read_parquet(tmp_path / "predictions.parquet")
    assert json.loads(table["prediction"][1]) == ["hypertension"] == json.loads(table["label"][1])
    assert table["base"].tolist() == ["[]", "[]"]


def test_queries_need_not_be_among_the_texts() -> None:
    """With candidates given, only they are looked through, and a query is embedded all the same."""
    task = RetrievalTask.of(ROWS, ["positive"])
    assert task.texts == ["stone of the kidney", "nephrolithiasis", "hypertension"]
    assert task.queries == ["kidney stone", "high blood pressure"]
    ranked = task.rank(Lengths())
    assert [[task.texts[i] for i in found] for found in ranked] == [
        ["hypertension", "nephrolithiasis", "stone of the kidney"],
        ["stone of the kidney", "nephrolithiasis", "hypertension"],
    ]
    assert len(task.rank_baselines()["bm25"][0]) == 1, "BM25 too looks through these alone"
