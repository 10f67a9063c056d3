"""The predictions table of documents: what is compared in it, and how it meets the documents of a split."""

import json
from pathlib import Path

import pandas as pd
import pytest
from datasets import Dataset, DatasetDict

from bioft.datasets.documents import sample
from bioft.errors import BioftError
from bioft.metrics import entity_f1
from bioft.task import FINE_TUNED
from bioft.tasks.entities import answers, evaluate, predictions
from bioft.tasks.entities.predict import table_of
from bioft.tasks.relations import answers as relation_answers, evaluate as relation_evaluation, predict as relations

RECORD = {"train_on": "train"}


@pytest.fixture(scope="module")
def dataset() -> DatasetDict:
    return sample.build()[0]


def table(*cells: list[list[object]]) -> pd.DataFrame:
    return pd.DataFrame({"id": [f"d{i}" for i in range(len(cells))], "prediction": [json.dumps(c) for c in cells]})


def test_differences_are_other_items_and_other_scores() -> None:
    """Of what both have the scores are compared; the words name the first item that only one side has."""
    made = table([[0, 4, "A", 0.5]], [[0, 4, "A", 0.5]], [[0, 4, "B", 0.9], [5, 6, "A", 0.1]], [])
    stored = table([[0, 4, "A", 0.5]], [[0, 4, "A", 0.7]], [[0, 4, "A", 0.9], [5, 6, "A", 0.4]], [])
    found = predictions.differences(made, stored, {"prediction": "entities", "end_to_end_prediction": "end to end"})
    assert found["changed"].tolist() == [0, 0, 2, 0]
    assert found["difference"].tolist() == pytest.approx([0.0, 0.2, 0.3, 0.0])
    assert found["words"].tolist() == [
        "", "d1: entities, other scores", "d2: entities, (0, 4, 'A') only stored", ""
    ]  # fmt: skip
    without = table([[0, 4, "A"]], [[0, 4, "A"]], [], [])
    assert predictions.differences(without, stored, {"prediction": "entities"})["changed"].tolist() == [0, 0, 2, 0]


def test_a_table_has_a_row_for_each_document_in_their_order() -> None:
    rows = Dataset.from_dict({"document_id": ["d2", "d0", "d1"]})
    found = predictions.of_rows(table([[0, 4, "A"]], [[5, 6, "B"]]), rows)
    assert found.to_dict("list") == {"id": ["d2", "d0", "d1"], "prediction": ["[]", '[[0, 4, "A"]]', '[[5, 6, "B"]]']}
    with pytest.raises(BioftError, match="has a document d1, which is not in the test split"):
        predictions.of_rows(table([], []), Dataset.from_dict({"document_id": ["d0"]}))
    with pytest.raises(BioftError, match="are not those of the test split"):
        predictions.check_ids(table([], []), rows)


def test_entities_come_back_as_they_were_written(dataset: DatasetDict, tmp_path: Path) -> None:
    """The model's table and those of the baselines, and from each the figures that it had."""
    test = dataset["test"]
    found = table_of(test, [[(*span, 0.25) for span in spans] for spans in entity_f1.spans(test)])
    baselines = evaluate.baselines(dataset, RECORD)
    answers.write(tmp_path, found, baselines)
    read = answers.read(tmp_path, RECORD)
    systems = answers.systems(read, RECORD)
    assert list(systems) == [FINE_TUNED, *baselines]
    for name, wanted in {FINE_TUNED: found, **baselines}.items():
        pd.testing.assert_frame_equal(systems[name], wanted)
        assert not answers.differences(systems[name], wanted, RECORD)["changed"].any()
    pd.testing.assert_frame_equal(evaluate.test_rows(dataset), read[["id", "label"]])
    assert evaluate.figures(found, dataset, RECORD)["f1"]["value"] == 1.0
    compared = evaluate.comparisons(read, baselines, dataset, RECORD)["comparison"]
    assert compared["baseline"] == "dictionary" and compared["difference"] > 0


def test_relations_come_back_as_they_were_written(dataset: DatasetDict, tmp_path: Path) -> None:
    """Candidates in one file, and what was found end to end in another, become one table of documents."""
    test = dataset["test"]
    rows = test.to_list()
    arguments = {"CID": [("Chemical", "Disease")]}
    found = relations.relations.candidates(rows, arguments)
    truth = relations.relations.true_labels(found, arguments).astype(float)
    scores = relations.RelationScores(found, truth * 0.875, arguments)
    wanted = relations.table_of(test, scores.found(len(rows), 0.5), scores.found(len(rows), 0.9))
    relation_answers.write(tmp_path, relations.candidates_table(rows, scores, 0.5), wanted)
    read = relation_answers.of_rows(relation_answers.read(tmp_path, RECORD), test)
    pd.testing.assert_frame_equal(read.drop(columns=relation_answers.CANDIDATES), wanted)
    pd.testing.assert_frame_equal(read[["id", "label"]], relation_evaluation.test_rows(dataset))
    figures = relation_evaluation.figures(read, dataset, RECORD)
    assert figures["f1"]["value"] == 1.0 and figures["end_to_end_recall"]["value"] == 0.0
