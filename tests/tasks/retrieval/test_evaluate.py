"""The task of finding the partner of a text: what is asked, what is right, and the table of predictions."""

import json
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset, DatasetDict

from bioft.datasets.recorded import recorded_data
from bioft.storage import datasets as storage
from bioft.tasks.retrieval import answers, evaluate, predict
from bioft.tasks.retrieval.predict import Queries

ROWS = Dataset.from_dict(
    {
        "anchor": ["kidney stone", "kidney stone", "high blood pressure"],
        "positive": ["stone of the kidney", "nephrolithiasis", "hypertension"],
        "negative": ["stone age", "kidney stone", "low pressure"],
    }
)


@pytest.fixture
def by_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of an encoder: texts of like length are alike."""

    def encode(model: object, texts: list[str], progress: object) -> np.ndarray:
        angles = np.array([len(text) / 50 for text in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)

    monkeypatch.setattr(predict, "encode_texts", encode)


def dataset(rows: Dataset = ROWS, **described: object) -> tuple[dict[str, Dataset], dict[str, dict[str, object]]]:
    """The rows as a test split, and what a record says of it."""
    return {"test": rows}, {"dataset": described}


def test_all_texts_are_looked_through_and_the_query_is_no_answer(by_length: None) -> None:
    asked = Queries.of(ROWS)
    assert asked.queries == ["kidney stone", "high blood pressure"]
    assert [[asked.texts[i] for i in right] for right in asked.relevant] == [
        ["stone of the kidney", "nephrolithiasis"],
        ["hypertension"],
    ]
    assert {"stone age", "low pressure"} < set(asked.texts)
    tables = evaluate.baselines(*dataset()) | {"model": predict.predict(None, ROWS, dataset()[1])}
    for table in tables.values():
        for query, found, prediction in zip(table["id"], table["ranked"], table["prediction"], strict=True):
            assert query not in [asked.texts[i] for i in found]
            assert json.loads(prediction)[: len(found)] == [asked.texts[i] for i in found]
    assert json.loads(tables["bm25"]["prediction"][0])[0] == "stone of the kidney"
    assert json.loads(tables["model"]["prediction"][1])[0] == "stone of the kidney", "as long as high blood pressure"


def test_scores_say_what_is_right() -> None:
    rows = Dataset.from_dict({"sentence1": ["a b", "a b"], "sentence2": ["a c", "a d"], "score": [0.2, 0.8]})
    asked = Queries.of(rows)
    assert [[asked.texts[i] for i in right] for right in asked.relevant] == [["a d"]]


@pytest.mark.parametrize("first", ["anchor", "sentence1"])
def test_data_of_a_record_are_pairs_of_either_kind(first: str, tmp_path: Path) -> None:
    scored = {"sentence1": ["a"], "sentence2": ["b"], "score": [1], "group": ["g"]}
    rows = Dataset.from_dict(scored if first == "sentence1" else {"anchor": ["a"], "positive": ["b"], "group": ["g"]})
    splits = DatasetDict(dict.fromkeys(("train", "validation", "test"), rows))
    fingerprints = {split: storage.fingerprint(its) for split, its in splits.items()}
    described = {"builder": "own", "arguments": {}, "sources": [], "fingerprints": fingerprints, "rows": {}}
    storage.save(splits, {"schema_version": 1, **described}, tmp_path / "pairs")
    record = {"task": "text-retrieval", "dataset": described}
    found = recorded_data(tmp_path, record, tmp_path / "pairs")
    assert found.reasons == [] and Queries.of(found.splits["test"]).queries == ["a"]


def test_figures_comparison_and_predictions(tmp_path: Path) -> None:
    asked, data = Queries.of(ROWS), dataset()
    perfect, nothing, poor = (
        asked.rank(lambda *_, found=found: found) for found in (asked.relevant, [[], []], [asked.relevant[0], []])
    )
    figures = evaluate.figures(perfect, *data)
    assert figures["ndcg_at_10"]["value"] == 1 and figures["ndcg_at_10"]["n"] == 2
    assert evaluate.figures(nothing, *data)["map"]["value"] == 0
    compared = evaluate.comparisons(perfect, {"worst": nothing, "poor": poor}, *data)["comparison"]
    assert compared["baseline"] == "poor" and compared["difference"] == 0.5
    details = evaluate.analyses({"none": nothing, "all": perfect}, *data)["details"]
    assert details["queries_without_a_right_text_found"] == {"none": 2, "all": 0}
    predict.write(tmp_path, ROWS, perfect, nothing, {"bm25": poor})
    table = answers.read(tmp_path, {})
    assert json.loads(table["prediction"][1]) == ["hypertension"] == json.loads(table["label"][1])
    assert table["base"].tolist() == ["[]", "[]"]
    systems = answers.systems(table, {})
    assert list(systems) == ["fine-tuned", "base, zero-shot", "bm25"]
    stored = evaluate.figures(systems["bm25"], *data)
    assert stored == {name: evaluate.figures(poor, *data)[name] for name in stored}, "those at 10 follow"
    assert set(stored) == {"ndcg_at_10", "mrr_at_10", "recall_at_10"}
    assert answers.differences(systems["bm25"], table, {})["changed"].tolist() == [False, True]


def test_figures_are_those_of_whole_rankings() -> None:
    """A ranking is kept up to its last right text, and all figures are as if it went on to the last text."""
    rng, n = np.random.default_rng(0), 150
    rows = Dataset.from_list(
        [{"anchor": f"name {i % 40}", "positive": f"word {i}", "group": str(i)} for i in range(n)]
    )
    asked, data = Queries.of(rows), dataset(rows)
    texts = np.arange(len(asked.texts))
    found = [[rng.permutation(texts)[: rng.integers(len(texts))] for _ in asked.queries] for _ in range(2)]
    kept, other = (asked.rank(lambda *_, its=its: its) for its in found)
    whole, other_whole = (
        table.assign(
            ranked=[[int(i) for i in its if asked.texts[i] != q] for q, its in zip(asked.queries, each, strict=True)]
        )
        for table, each in zip((kept, other), found, strict=True)
    )
    assert sum(map(len, kept["ranked"])) < sum(map(len, whole["ranked"]))
    assert evaluate.figures(kept, *data) == evaluate.figures(whole, *data)
    assert evaluate.comparisons(kept, {"a": other}, *data) == evaluate.comparisons(whole, {"a": other_whole}, *data)
    assert evaluate.analyses({"a": kept}, *data) == evaluate.analyses({"a": whole}, *data)


def test_queries_need_not_be_among_the_texts(by_length: None) -> None:
    """With candidates given, only they are looked through, and a query is embedded all the same."""
    asked = Queries.of(ROWS, ["positive"])
    assert asked.texts == ["stone of the kidney", "nephrolithiasis", "hypertension"]
    assert asked.queries == ["kidney stone", "high blood pressure"]
    data = dataset(candidates=["positive"])
    found = predict.predict(None, ROWS, data[1])
    assert [json.loads(each) for each in found["prediction"]] == [
        ["hypertension", "nephrolithiasis", "stone of the kidney"],
        ["stone of the kidney", "nephrolithiasis", "hypertension"],
    ]
    assert len(evaluate.baselines(*data)["bm25"]["ranked"][0]) == 1, "BM25 too looks through these alone"


def test_a_query_of_many_right_texts_has_the_same_figure_from_its_stored_answers() -> None:
    """All right texts are stored, not as many as of a ranking: `bioft compare` would count the others as wrong."""
    rows = Dataset.from_list([{"anchor": "name", "positive": f"word {n}", "group": "1"} for n in range(14)])
    data = DatasetDict(train=rows, test=rows)
    asked = Queries.of(rows, ["positive"])
    table = asked.rank(lambda queries, texts, n: [list(range(len(texts)))[::-1][:n]])
    assert len(json.loads(table["label"][0])) == 14 and len(json.loads(table["prediction"][0])) == 10
    figures = evaluate.figures(table, data, {"dataset": {"candidates": ["positive"]}})
    assert answers.outcomes(table).metrics["ndcg_at_10"].estimate().value == figures["ndcg_at_10"]["value"] == 1.0
    assert table["label"].equals(evaluate.test_rows(data)["label"])
    assert len(json.loads(evaluate.earlier_test_rows(data)["label"][0])) == 10
