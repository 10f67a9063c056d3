"""The metric of mentions against seqeval and the rules of BioCreative V."""

import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
import seqeval.metrics
from hypothesis import given, settings, strategies as st

import bioft.metrics
from bioft.errors import BioftError
from bioft.metrics import counts, entity_f1
from bioft.metrics.estimation import estimates
from tests.metrics.test_gda import run_offline
from tests.wilson import wilson_interval

REPOSITORY = Path(__file__).resolve().parents[2]
REFERENCES = [[(0, 9, "Chemical"), (18, 34, "Disease")], [], [(0, 4, "Disease")]]
PREDICTIONS = [[(0, 9, "Chemical"), (20, 34, "Disease")], [(3, 5, "Chemical")], [(0, 4, "Disease")]]


@pytest.fixture(scope="module")
def metric(tmp_path_factory):
    return bioft.metrics.load("entity_f1", cache_dir=str(tmp_path_factory.mktemp("metrics")))


@st.composite
def tagged_documents(draw, length=12):
    """Documents of `length` one-character tokens: the non-overlapping spans of two annotators."""

    def spans():
        result, position = [], 0
        for gap, size, type_ in draw(
            st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), st.sampled_from(["Chemical", "Disease", "Gene"])))
        ):
            start, position = position + gap, position + gap + size
            if position > length:
                break
            result.append((start, position, type_))
        return result

    n = draw(st.integers(1, 6))
    references = [spans() for _ in range(n)]
    # Predictions share many spans with the references, as those of a model do.
    predictions = [spans() if draw(st.booleans()) else each[draw(st.integers(0, 1)) :] for each in references]
    return predictions, references


def bio(spans, length=12):
    tags = ["O"] * length
    for start, end, type_ in spans:
        tags[start:end] = [f"B-{type_}", *[f"I-{type_}"] * (end - start - 1)]
    return tags


@settings(max_examples=80, deadline=None)
@given(tagged_documents())
def test_values_are_those_of_seqeval(documents):
    predictions, references = documents
    result = counts.metrics(counts.count(predictions, references, type_index=2), confidence=None)
    expected, found = ([bio(spans) for spans in side] for side in (references, predictions))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # seqeval warns where there is nothing to divide by
        report = seqeval.metrics.classification_report(expected, found, output_dict=True, zero_division=0)
    for name in ("f1", "precision", "recall"):
        value = report["micro avg"]["f1-score" if name == "f1" else name]
        assert result[name] == pytest.approx(value) or (math.isnan(result[name]) and not result["support"])
        for type_ in {span[2] for side in documents for spans in side for span in spans}:
            value = report[type_]["f1-score" if name == "f1" else name]
            assert result[f"{type_.lower()}_{name}"] == pytest.approx(value)
    if any(map(bool, [*predictions, *references])):
        assert result["macro_f1"] == pytest.approx(report["macro avg"]["f1-score"])
    assert result["support"] == report["micro avg"]["support"]


def corrupted(references, rng):
    """Predictions with errors of every kind, some of them nested or listed twice."""
    predictions = []
    for spans in references:
        kept = []
        for start, end, type_ in spans:
            fate = rng.random()
            if fate < 0.7:
                kept.append((start, end, type_))
            elif fate < 0.8:
                kept.append((start, end + 1, type_))
            elif fate < 0.85:
                kept += [(start, end, "Disease" if type_ == "Chemical" else "Chemical")] * 2
        predictions.append([*kept, *((int(s), int(s) + 3, "Chemical") for s in rng.integers(0, 300, 2))])
    return predictions


def test_bc5cdr_values_are_those_of_the_official_scoring(metric, shared_data):
    """The evaluation of BioCreative V compares sets of (document id, start, end, type)."""
    from bioft.datasets.documents import bc5cdr

    dataset, _ = bc5cdr.build(shared_data / "bc5cdr")
    test = dataset["test"]
    references = entity_f1.spans(test)
    counts.assert_supports(entity_f1.supports(references), {"Chemical": 5385, "Disease": 4424})
    predictions = corrupted(references, np.random.default_rng(0))

    gold, found = (
        {(name, *span) for name, spans in zip(test["document_id"], side, strict=True) for span in spans}
        for side in (references, predictions)
    )
    precision, recall = len(gold & found) / len(found), len(gold & found) / len(gold)

    seen = entity_f1.seen_in_training(dataset["train"])
    result = metric.compute(predictions=predictions, references=references, texts=test["text"], seen=seen)
    assert result["n"] == 500 and result["support"] == 9809
    assert result["precision"] == pytest.approx(precision) and result["recall"] == pytest.approx(recall)
    assert result["f1"] == pytest.approx(2 * precision * recall / (precision + recall))
    assert result["f1_low"] < result["f1"] < result["f1_high"] < result["f1_low"] + 0.03
    # Errors were made at random, so unseen mentions fare like all others; 38 % of the mentions are unseen.
    assert result["unseen_recall"] == pytest.approx(result["recall"], abs=0.02)
    assert result["unseen_support"] == pytest.approx((1 - 0.6224) * 9809, abs=1)


# --- what counts and what does not


def test_exact_span_and_type(metric):
    result = metric.compute(predictions=PREDICTIONS, references=REFERENCES, confidence=None)
    assert result == {
        "f1": pytest.approx(4 / 7),
        "precision": 0.5,
        "recall": pytest.approx(2 / 3),
        "macro_f1": pytest.approx((2 / 3 + 1 / 2) / 2),
        "chemical_f1": pytest.approx(2 / 3),
        "chemical_precision": 0.5,
        "chemical_recall": 1.0,
        "disease_f1": 0.5,
        "disease_precision": 0.5,
        "disease_recall": 0.5,
        "support": 3,
        "chemical_support": 1,
        "disease_support": 2,
        "n": 3,
    }


def test_a_mention_counts_once(metric):
    twice = metric.compute(predictions=[[(0, 4, "A")] * 2], references=[[(0, 4, "A"), (6, 8, "A")]], confidence=None)
    assert twice["precision"] == 1.0 and twice["recall"] == 0.5


def test_the_same_span_in_another_document_is_wrong(metric):
    result = metric.compute(predictions=[[(0, 4, "A")], []], references=[[], [(0, 4, "A")]], confidence=None)
    assert result["f1"] == 0.0


def test_unseen_mentions_leave_out_what_training_had(metric):
    train = [{"entities": [{"text": "Aspirin", "type": "Chemical"}, {"text": "renal failure", "type": "Disease"}]}]
    texts = ["aspirin, ibuprofen and Renal-Failure", "aspirin"]
    references = [[(0, 7, "Chemical"), (9, 18, "Chemical"), (23, 36, "Disease")], [(0, 7, "Disease")]]
    predictions = [[(0, 7, "Chemical"), (23, 36, "Disease")], [(0, 7, "Disease"), (0, 4, "Disease")]]
    result = metric.compute(
        predictions=predictions,
        references=references,
        texts=texts,
        seen=entity_f1.seen_in_training(train),
    )
    # Unseen: ibuprofen (missed), aspirin as a disease (found), and the prediction "aspi".
    assert result["unseen_support"] == 2
    assert result["unseen_recall"] == 0.5 and result["unseen_precision"] == 0.5
    assert result["unseen_chemical_recall"] == 0.0
    assert result["recall"] == 0.75
    assert "unseen_f1_low" in result


def test_nothing_unseen_is_undefined_not_zero(metric):
    result = metric.compute(predictions=[[(0, 1, "A")]], references=[[(0, 1, "A")]], texts=["x"], seen={("x", "A")})
    assert result["unseen_support"] == 0 and math.isnan(result["unseen_f1"])
    assert estimates.nest(result)["unseen_f1"] == {"value": None, "low": None, "high": None, "n": 1}


# --- intervals


def many(n=60, seed=0):
    rng = np.random.default_rng(seed)
    references = [
        [(10 * i, 10 * i + 4, str(rng.choice(["Chemical", "Disease"]))) for i in range(rng.integers(0, 9))]
        for _ in range(n)
    ]
    return corrupted(references, rng), references


def test_mentions_of_a_document_are_not_taken_for_independent(metric):
    """All right or all wrong in a document: the interval must be that of 40 coin flips, not of 400."""
    references = [[(10 * i, 10 * i + 2, "A") for i in range(10)] for _ in range(40)]
    predictions = [spans if i % 2 else [] for i, spans in enumerate(references)]
    result = metric.compute(predictions=predictions, references=references)
    low, high = wilson_interval(20, 40)
    assert result["recall_low"] == pytest.approx(low, abs=0.03) and result["recall_high"] == pytest.approx(
        high, abs=0.03
    )


def test_a_perfect_score_has_an_interval(metric):
    result = metric.compute(predictions=REFERENCES, references=REFERENCES)
    # Mentions are in two documents; those of either type too, chemicals in one of them.
    assert result["recall_low"] < 0.5 and result["recall_high"] == 1
    assert result["chemical_precision_low"] < result["recall_low"]


def test_nest_gives_the_shape_of_the_run_record(metric):
    nested = estimates.nest(metric.compute(predictions=PREDICTIONS, references=REFERENCES))
    kinds = ("f1", "precision", "recall")
    assert set(nested) == {*kinds, "macro_f1", *(f"{t}_{k}" for t in ("chemical", "disease") for k in kinds)}
    assert nested["recall"]["n"] == 3 and nested["recall"]["low"] <= nested["recall"]["value"]


# --- two systems


def test_the_better_of_two_systems_is_found():
    _, references = many(100)
    good = [[span for i, span in enumerate(spans) if i % 5] for spans in references]
    bad = [[span for i, span in enumerate(spans) if i % 3] for spans in references]
    result = entity_f1.paired_f1(references, good, bad)
    values = [
        counts.metrics(counts.count(side, references, type_index=2), confidence=None)["f1"] for side in (good, bad)
    ]
    assert (result.first, result.second) == (pytest.approx(values[0]), pytest.approx(values[1]))
    assert result.metric == "f1" and result.n == 100
    assert 0 < result.low < result.difference < result.high and result.p_value < 0.01
    reverse = entity_f1.paired_f1(references, bad, good)
    assert reverse.difference == pytest.approx(-result.difference) and reverse.low == pytest.approx(-result.high)


def test_a_system_does_not_differ_from_itself():
    predictions, references = many()
    result = entity_f1.paired_f1(references, predictions, predictions, metric="disease_recall")
    assert (result.difference, result.p_value) == (0, 1) and -0.1 < result.low < 0 < result.high < 0.1


def test_pairing_narrows_the_interval():
    """Where systems fail in the same documents, their difference is known better than either value."""
    references = [[(0, 2, "A"), (4, 6, "A")] for _ in range(60)]
    first = [spans if i % 2 else spans[:1] for i, spans in enumerate(references)]
    second = [spans if i % 2 else [] for i, spans in enumerate(references)]
    result = entity_f1.paired_f1(references, first, second, metric="recall")
    alone = counts.metrics(counts.count(first, references, type_index=2))
    other = counts.metrics(counts.count(second, references, type_index=2))
    widths = [each["recall_high"] - each["recall_low"] for each in (alone, other)]
    assert result.high - result.low < math.hypot(*widths) * 0.6


def test_a_type_that_one_system_never_predicts():
    references = [[(0, 2, "A")], [(0, 2, "A")]]
    first, second = [[(0, 2, "A"), (4, 5, "B")], []], [[(0, 2, "A")], [(0, 2, "A")]]
    assert entity_f1.paired_f1(references, first, second, metric="b_f1").difference == 0
    with pytest.raises(BioftError, match=r"Unknown metric 'c_f1'. Known: f1, precision, recall, macro_f1, a_f1"):
        entity_f1.paired_f1(references, first, second, metric="c_f1")


# --- supports


def test_supports_that_differ_stop_the_evaluation():
    references = [[(0, 2, "Chemical"), (3, 4, "O")], [(0, 2, "Chemical")]]
    assert entity_f1.supports(references) == {"Chemical": 2, "O": 1}
    with pytest.raises(BioftError, match=r"1 of type O instead of 0.*labels that are no type"):
        counts.assert_supports(entity_f1.supports(references), {"Chemical": 2})
    with pytest.raises(
        BioftError, match="2 of type Chemical instead of 3; 0 of type Disease instead of 1; 1 of type O"
    ):
        counts.assert_supports(entity_f1.supports(references), {"Chemical": 3, "Disease": 1})
    counts.assert_supports(entity_f1.supports(references), {"Chemical": 2, "O": 1})


# --- the interface of `evaluate`


BOTH_WAYS = """
import json
import evaluate
import bioft.metrics

results = []
for metric in (bioft.metrics.load("entity_f1"), evaluate.load(PATH)):
    results.append(metric.compute(predictions=PREDICTIONS, references=REFERENCES))
print(json.dumps(results))
"""


def test_both_ways_of_loading_offline(metric, tmp_path):
    code = BOTH_WAYS.replace("PATH", repr(str(REPOSITORY / "bioft" / "metrics" / "entity_f1.py")))
    code = code.replace("PREDICTIONS", repr(PREDICTIONS)).replace("REFERENCES", repr(REFERENCES))
    by_name, by_path = json.loads(run_offline(code, tmp_path, fresh=False))
    assert by_name == by_path == metric.compute(predictions=PREDICTIONS, references=REFERENCES)


def test_batches_single_documents_and_json(metric, tmp_path):
    expected = metric.compute(predictions=PREDICTIONS, references=REFERENCES)
    metric.add_batch(predictions=PREDICTIONS[:2], references=REFERENCES[:2])
    metric.add(prediction=PREDICTIONS[2], reference=REFERENCES[2])
    assert metric.compute() == expected
    # Predictions that were written as JSON have lists for tuples; numpy's integers come from a model.
    lists = json.loads(json.dumps(PREDICTIONS))
    integers = [[(np.int64(start), np.int64(end), type_) for start, end, type_ in spans] for spans in REFERENCES]
    assert metric.compute(predictions=lists, references=integers) == expected

    import evaluate

    assert all(type(value) in (float, int) for value in expected.values())  # numpy's can't be saved
    evaluate.save(tmp_path / "result.json", **expected)
    assert json.loads((tmp_path / "result.json").read_text())["macro_f1"] == expected["macro_f1"]


@pytest.mark.parametrize("span", [(4, 4, "A"), (-1, 3, "A"), (0, 2.5, "A"), (0, 2), ("0", 2, "A"), (0, 2, None), 7])
def test_what_is_no_mention_is_refused(metric, span):
    with pytest.raises(BioftError, match="document 1 of the predictions has"):
        metric.compute(predictions=[[], [span]], references=[[], []])
    assert metric.compute(predictions=[[], []], references=[[], [(0, 1, "A")]], confidence=None)["recall"] == 0


def test_what_does_not_fit_together_is_refused(metric, tmp_path):
    with pytest.raises(ValueError, match=r"predictions \(1\) and references \(2\)"):
        bioft.metrics.load("entity_f1", cache_dir=str(tmp_path)).compute(predictions=[[]], references=[[], []])
    with pytest.raises(BioftError, match="texts of all 1 documents; there are none"):
        metric.compute(predictions=[[]], references=[[(0, 1, "A")]], seen=set())
    with pytest.raises(BioftError, match="'Gene' and 'gene' differ in case only"):
        metric.compute(predictions=[[(0, 1, "gene")]], references=[[(0, 1, "Gene")]])
    with pytest.raises(BioftError, match="predictions for 1 documents and references for 2"):
        entity_f1.paired_f1([[], []], [[]], [[], []])
    with pytest.raises(BioftError, match="confidence must be between 0 and 1"):
        metric.compute(predictions=[[]], references=[[(0, 1, "A")]], confidence=95)


def test_documents_without_any_mention(metric):
    result = metric.compute(predictions=[[], []], references=[[], []])
    assert math.isnan(result["f1"]) and result["support"] == 0 and result["n"] == 2


def test_a_type_that_lost_all_its_references_stops_the_evaluation() -> None:
    """Supports are those of the manifest: a type without any reference left is missed as one with too few is."""
    from bioft.datasets.documents import sample
    from bioft.tasks.entities import evaluate as entity_evaluation
    from bioft.tasks.relations import evaluate as relation_evaluation

    dataset, manifest = sample.build()
    entity_evaluation.check_supports(dataset["test"], manifest)
    relation_evaluation.check_supports(dataset["test"], manifest)
    without = dataset["test"].map(
        lambda row: {"entities": [e for e in row["entities"] if e["type"] != "Gene"], "relations": []},
        load_from_cache_file=False,
    )
    with pytest.raises(BioftError, match="0 of type Gene instead of 16"):
        entity_evaluation.check_supports(without, manifest)
    with pytest.raises(BioftError, match="0 of type CID instead of 53"):
        relation_evaluation.check_supports(without, manifest)
