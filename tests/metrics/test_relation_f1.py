"""The metric of relations against the official scoring of BC5CDR, written down anew from PubTator lines."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from sklearn.metrics import f1_score, precision_score, recall_score

import bioft.metrics
from bioft.errors import BioftError
from bioft.metrics import counts, relation_f1
from bioft.metrics.estimation import estimates
from tests.metrics.test_gda import run_offline

REPOSITORY = Path(__file__).resolve().parents[2]
REFERENCES = [[("CID", "D1", "D2"), ("CID", "D1", "D3")], [], [("TREATS", "D4", "D2")]]
PREDICTIONS = [[("CID", "D1", "D2"), ("CID", "D5", "D2")], [("CID", "D1", "D2")], [("TREATS", "D4", "D2")]]


@pytest.fixture(scope="module")
def metric(tmp_path_factory):
    return bioft.metrics.load("relation_f1", cache_dir=str(tmp_path_factory.mktemp("metrics")))


def pubtator_lines(relations_by_document):
    return [
        f"{document}\t{type_}\t{head}\t{tail}"
        for document, relations in relations_by_document.items()
        for type_, head, tail in relations
    ]


def official_scores(gold_lines, predicted_lines):
    """What the evaluation kit of BioCreative V reports: counts of (document id, type, id 1, id 2), each once."""
    gold, predicted = ({tuple(line.split("\t")) for line in lines} for lines in (gold_lines, predicted_lines))
    tp, fp, fn = len(gold & predicted), len(predicted - gold), len(gold - predicted)
    precision, recall = tp / (tp + fp), tp / (tp + fn)
    return {"precision": precision, "recall": recall, "f1": 2 * precision * recall / (precision + recall)}


def test_bc5cdr_values_are_those_of_the_official_scoring(metric, shared_data):
    from bioft.datasets.documents import bc5cdr

    dataset, _ = bc5cdr.build(shared_data / "bc5cdr")
    test = dataset["test"]
    references = relation_f1.relations(test)
    counts.assert_supports(relation_f1.supports(references), {"CID": 1066})
    rng = np.random.default_rng(0)
    predictions = []
    for relations in references:
        kept = [relation for relation in relations if rng.random() < 0.6]
        turned = [(type_, tail, head) for type_, head, tail in relations if rng.random() < 0.2]
        predictions.append([*kept, *kept[:1], *turned])

    with gzip.open(shared_data / "bc5cdr" / "CDR_TestSet.PubTator.txt.gz", "rt") as file:
        gold_lines = [line.rstrip("\n") for line in file if "\tCID\t" in line]
    predicted_lines = pubtator_lines(dict(zip(test["document_id"], predictions, strict=True)))
    expected = official_scores(gold_lines, predicted_lines)
    result = metric.compute(predictions=predictions, references=references)
    assert {name: result[name] for name in expected} == pytest.approx(expected)
    assert result["support"] == result["cid_support"] == 1066 and result["n"] == 500
    assert result["f1_low"] < result["f1"] < result["f1_high"]
    assert result["cid_f1"] == result["macro_f1"] == result["f1"]  # there is one type


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.lists(st.sampled_from([(t, h, "D9") for t in ("A", "B") for h in ("D1", "D2")]))] * 2),
        min_size=1,
        max_size=5,
    )
)
def test_values_are_those_of_scikit_learn_on_indicators(documents):
    """Each possible relation of each document is a binary decision."""
    possible = [(t, h, "D9") for t in ("A", "B") for h in ("D1", "D2")]
    predicted, true = (
        np.array([relation in side for document in documents for side in (document[i],) for relation in possible])
        for i in (0, 1)
    )
    predictions, references = ([list(document[i]) for document in documents] for i in (0, 1))
    if not predicted.any() and not true.any():
        return
    result = counts.metrics(counts.count(predictions, references, type_index=0), confidence=None)
    assert result["f1"] == pytest.approx(f1_score(true, predicted, zero_division=0))
    assert result["precision"] == pytest.approx(precision_score(true, predicted, zero_division=0))
    assert result["recall"] == pytest.approx(recall_score(true, predicted, zero_division=0))


# --- what counts and what does not


def test_type_direction_and_document_count(metric):
    result = metric.compute(predictions=PREDICTIONS, references=REFERENCES, confidence=None)
    assert result["precision"] == 0.5 and result["recall"] == pytest.approx(2 / 3)
    assert result["cid_f1"] == pytest.approx(2 / 5) and result["treats_f1"] == 1.0
    assert result["macro_f1"] == pytest.approx(0.7)
    assert (result["support"], result["cid_support"], result["treats_support"], result["n"]) == (3, 2, 1, 3)

    for wrong in (("CID", "D2", "D1"), ("TREATS", "D1", "D2")):
        result = metric.compute(predictions=[[wrong]], references=[[("CID", "D1", "D2")]], confidence=None)
        assert result["f1"] == 0.0


def test_composite_ids_stand_for_each_of_their_concepts(metric):
    references = [[("CID", "D1", "D2"), ("CID", "D1", "D3"), ("CID", "D4", "D2")]]
    result = metric.compute(
        predictions=[[("CID", "D1", "D2|D3"), ("CID", "D1", "D3")]], references=references, confidence=None
    )
    assert result["precision"] == 1.0 and result["recall"] == pytest.approx(2 / 3)
    # "D1|D4" with "D2" is half right: D4-D2 is in the reference, D9-D2 is not. ChemDisGene joins by ";" too.
    result = metric.compute(predictions=[[("CID", "D4;D9", "D2")]], references=references, confidence=None)
    assert result["precision"] == 0.5
    assert relation_f1.supports([[("CID", "D1", "D2|D3")]]) == {"CID": 2}
    assert relation_f1.supports([[("CID", "p|SUB|A|10|G", "D2")]]) == {"CID": 1}


def test_an_unlinked_concept_is_a_wrong_prediction(metric):
    result = metric.compute(predictions=[[("CID", "-1", "D2")]], references=[[("CID", "D1", "D2")]], confidence=None)
    assert result["precision"] == 0.0 and result["recall"] == 0.0


def test_relations_of_rows_are_scored_as_they_are(metric):
    rows = [{"relations": [{"type": "CID", "head": "D1", "tail": "D2"}]}, {"relations": []}]
    assert relation_f1.relations(rows) == [[("CID", "D1", "D2")], []]
    result = metric.compute(predictions=relation_f1.relations(rows), references=relation_f1.relations(rows))
    assert result["f1"] == 1.0
    assert result["precision_low"] < 0.2, "of one document"


# --- two systems


def test_systems_are_compared_on_the_same_documents():
    references = [[("CID", "D1", f"D{i}"), ("CID", "D2", f"D{i}")] for i in range(80)]
    first = [relations if i % 4 else [] for i, relations in enumerate(references)]
    second = [relations[:1] if i % 4 else [] for i, relations in enumerate(references)]
    result = relation_f1.paired_f1(references, first, second, metric="recall")
    assert (result.first, result.second) == (0.75, 0.375)
    assert result.low > 0.3 and result.high < 0.45 and result.p_value < 0.01 and result.n == 80
    # Composite ids are taken apart here too.
    composite = [[("CID", "D1|D2", relations[0][2])] if relations else [] for relations in first]
    assert relation_f1.paired_f1(references, first, composite).difference == 0


# --- the interface of `evaluate`


def test_loading_by_path_offline(metric, tmp_path):
    path = str(REPOSITORY / "bioft" / "metrics" / "relation_f1.py")
    code = (
        "import json, evaluate\n"
        f"metric = evaluate.load({path!r})\n"
        f"print(json.dumps(metric.compute(predictions={PREDICTIONS}, references={REFERENCES})))"
    )
    expected = metric.compute(predictions=PREDICTIONS, references=REFERENCES)
    assert json.loads(run_offline(code, tmp_path, fresh=False)) == expected
    assert all(type(value) in (float, int) for value in expected.values())
    assert estimates.nest(expected)["treats_recall"]["n"] == 3


@pytest.mark.parametrize("relation", [("CID", "D1"), ("CID", "", "D2"), ("CID", "D1", "D2", "D3")])
def test_what_is_no_relation_is_refused(metric, relation):
    with pytest.raises(BioftError, match=r"\(type, head, tail\); document 1 of the predictions has"):
        metric.compute(predictions=[[], [relation]], references=[[], []])
    with pytest.raises(BioftError, match="document 0 of the references has"):
        metric.compute(predictions=[[]], references=[[relation]])
