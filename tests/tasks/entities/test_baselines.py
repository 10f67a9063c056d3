"""The dictionary of training mentions on texts whose answer is known, and on BC5CDR."""

import pytest
from datasets import Dataset
from hypothesis import given, settings, strategies as st

from bioft.errors import BioftError
from bioft.metrics import counts, entity_f1
from bioft.tasks.entities.baselines import ENTITIES, Dictionary


def document(text, *mentions):
    """A row whose mentions are (text, type), looked for from left to right."""
    entities, position = [], 0
    for mention, type_ in mentions:
        start = text.index(mention, position)
        position = start + len(mention)
        entities.append({"id": "-1", "type": type_, "start": start, "end": position, "text": mention})
    return {"document_id": text[:8], "text": text, "entities": entities, "relations": []}


def dataset(*rows):
    return Dataset.from_list(list(rows))


def found(train, text):
    """The (text, type) of the mentions that a dictionary of the training rows finds."""
    (spans,) = Dictionary().fit(dataset(*train)).predict(dataset(document(text)))
    return [(text[start:end], type_) for start, end, type_ in spans]


def test_names_of_training_are_found_and_nothing_else():
    train = [document("aspirin against pain", ("aspirin", "Chemical"), ("pain", "Disease"))]
    assert found(train, "Pain after ibuprofen, none after aspirin.") == [("Pain", "Disease"), ("aspirin", "Chemical")]


def test_the_longest_name_wins():
    train = [
        document("renal failure", ("renal failure", "Disease")),
        document("acute renal failure", ("acute renal failure", "Disease")),
        document("failure", ("failure", "Disease")),
    ]
    text = "acute renal failure, renal failure and failure"
    assert [name for name, _ in found(train, text)] == ["acute renal failure", "renal failure", "failure"]


def test_names_end_at_word_boundaries():
    train = [document("ACE and pain", ("ACE", "Chemical"), ("pain", "Disease"))]
    assert found(train, "painful space-time, ACE-like") == [("ACE", "Chemical")]


def test_spaces_and_hyphens():
    train = [document("5-fluoro uracil", ("5-fluoro uracil", "Chemical"))]
    assert found(train, "given 5-fluoro\n uracil") == [("5-fluoro\n uracil", "Chemical")]
    assert found(train, "given 5 fluoro uracil") == []


def test_case_matters_in_abbreviations_only():
    train = [document("ALL after ASPIRIN and Lead", ("ALL", "Disease"), ("ASPIRIN", "Chemical"), ("Lead", "Chemical"))]
    assert found(train, "all had ALL; aspirin, Aspirin, lead") == [
        ("ALL", "Disease"),
        ("aspirin", "Chemical"),
        ("Aspirin", "Chemical"),
        ("lead", "Chemical"),
    ]


def test_the_most_frequent_type_is_taken():
    train = [
        document("PCA", ("PCA", "Chemical")),
        document("PCA", ("PCA", "Disease")),
        document("PCA", ("PCA", "Disease")),
    ]
    assert found(train, "PCA") == [("PCA", "Disease")]


def test_a_word_that_mostly_is_no_mention_is_left_out():
    train = [
        document("lead poisoning", ("lead", "Chemical")),
        document("these lead to those"),
        document("a lead role"),
    ]
    assert found(train, "lead") == []
    # The short name goes, the long one that has it inside stays.
    train.append(document("lead acetate", ("lead acetate", "Chemical")))
    assert found(train, "lead acetate and lead") == [("lead acetate", "Chemical")]


def test_a_name_within_longer_ones_only_keeps_its_type():
    """Its occurrences can't be counted: it is never found by itself."""
    row = document("lung tumor", ("lung tumor", "Disease"))
    row["entities"].append({"id": "-1", "type": "Organ", "start": 0, "end": 4, "text": "lung"})
    assert found([row], "lung") == [("lung", "Organ")]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("aB -.µ", max_size=20), min_size=1, max_size=4), st.data())
def test_spans_are_in_the_text_ordered_and_apart(texts, data):
    rows = [document(text) for text in texts]
    train = [document(text, (text, data.draw(st.sampled_from(["X", "Y"])))) for text in texts if text.strip()]
    if not train:
        return
    for text, spans in zip(texts, Dictionary().fit(dataset(*train)).predict(dataset(*rows)), strict=True):
        end = 0
        for span in spans:
            assert end <= span[0] < span[1] <= len(text)
            assert text[span[0] : span[1]].strip() == text[span[0] : span[1]]
            end = span[1]


def test_only_the_text_is_looked_at():
    train = [document("aspirin", ("aspirin", "Chemical"))]
    baseline = ENTITIES["dictionary"]()
    assert baseline.fit(dataset(*train)) is baseline
    texts = Dataset.from_dict({"text": ["aspirin", ""]})
    assert baseline.predict(texts) == [[(0, 7, "Chemical")], []]
    assert baseline.predict(texts.select([1, 0])) == [[], [(0, 7, "Chemical")]]


def test_what_can_not_be_fitted():
    with pytest.raises(BioftError, match="no document of the training split has a mention"):
        Dictionary().fit(dataset(document("aspirin", ("aspirin", "Chemical"))).select([]))


# --- BC5CDR


def test_bc5cdr(shared_data):
    """Against the figures of a sketch without bioft (F1 .721), which left names out in another way."""
    from bioft.datasets.documents import bc5cdr

    splits, _ = bc5cdr.build(shared_data / "bc5cdr")
    predictions = Dictionary().fit(splits["train"]).predict(splits["test"])
    result = counts.metrics(counts.count(predictions, entity_f1.spans(splits["test"]), type_index=2), confidence=None)
    assert result["f1"] == pytest.approx(0.722, abs=0.002)
    assert result["precision"] == pytest.approx(0.880, abs=0.003)
    assert result["chemical_f1"] == pytest.approx(0.734, abs=0.003)
    assert result["disease_f1"] == pytest.approx(0.709, abs=0.003)
