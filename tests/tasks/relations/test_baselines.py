"""The baselines of relations on documents whose answer is known, and on BC5CDR against figures measured before."""

import pytest
from datasets import Dataset

from bioft.errors import BioftError
from bioft.metrics import counts, relation_f1
from bioft.tasks.entities.baselines import Dictionary
from bioft.tasks.relations.baselines import RELATIONS

NAMES = tuple(RELATIONS)
IDS = {"aspirin": ("Chemical", "C1"), "ibuprofen": ("Chemical", "C2"), "placebo": ("Chemical", "-1")}
IDS |= {"ulcer": ("Disease", "D1"), "fever": ("Disease", "D2"), "nausea": ("Disease", "D3"), "TP53": ("Gene", "7157")}
IDS |= {"NSAIDs": ("Chemical", "C1|C2")}


def document(text, *relations):
    """A row; its entities are the words of `IDS` in the text, relations are (type, head, tail)."""
    entities = []
    for name, (type_, concept) in IDS.items():
        start = text.find(name)
        while start >= 0:
            end = start + len(name)
            entities.append({"id": concept, "type": type_, "start": start, "end": end, "text": name})
            start = text.find(name, end)
    entities.sort(key=lambda entity: entity["start"])
    relations = [{"type": type_, "head": head, "tail": tail} for type_, head, tail in relations]
    return {"document_id": text[:8], "text": text, "entities": entities, "relations": relations}


def dataset(*rows):
    empty = document("aspirin causes ulcer.", ("CID", "C1", "D1"))  # so that columns have their types
    return Dataset.from_list([empty, *rows]).select(range(1, len(rows) + 1))


def predicted(name, train, *texts):
    """The relations that a baseline, fitted on training rows, finds in each text."""
    baseline = RELATIONS[name]().fit(dataset(*train))
    return [set(found) for found in baseline.predict(dataset(*map(document, texts)))]


TRAIN = [document("aspirin causes ulcer.", ("CID", "C1", "D1")), document("ibuprofen for fever.")]
TWO_SENTENCES = "The aspirin dose. An ulcer and fever after ibuprofen."


# --- what each one sees, and what it does not


def test_co_occurrence_relates_all_chemicals_and_diseases():
    expected = {("CID", chemical, disease) for chemical in ("C1", "C2") for disease in ("D1", "D2")}
    assert predicted("co_occurrence", TRAIN, TWO_SENTENCES, "aspirin only", "") == [expected, set(), set()]


def test_sentence_co_occurrence_needs_both_in_a_sentence():
    assert predicted("sentence_co_occurrence", TRAIN, TWO_SENTENCES, "An ulcer? Ibuprofen after aspirin.") == [
        {("CID", "C2", "D1"), ("CID", "C2", "D2")},
        set(),
    ]
    # One of several mentions is enough.
    assert predicted("sentence_co_occurrence", TRAIN, "An ulcer. After aspirin the ulcer grew.") == [
        {("CID", "C1", "D1")}
    ]


def test_known_pair_reads_nothing():
    assert predicted(
        "known_pair", TRAIN, "No ulcer. Never. Not after aspirin, nor fever.", "ibuprofen causes ulcer"
    ) == [
        {("CID", "C1", "D1")},
        set(),
    ]


def test_composite_and_unlinked_mentions():
    assert predicted("co_occurrence", TRAIN, "NSAIDs, placebo and ulcer") == [
        {("CID", "C1", "D1"), ("CID", "C2", "D1")}
    ]


def test_entity_types_without_a_relation_are_not_related():
    assert predicted("co_occurrence", TRAIN, "TP53, aspirin and ibuprofen") == [set()]


def test_several_relation_types():
    train = [
        document("aspirin causes ulcer.", ("causes", "C1", "D1")),
        document("ibuprofen treats fever.", ("treats", "C2", "D2")),
        document("ibuprofen treats nausea.", ("treats", "C2", "D3")),
        document("TP53 in ulcer.", ("marks", "7157", "D1")),
    ]
    text = "aspirin, TP53 and ulcer"
    assert predicted("co_occurrence", train, text) == [{("treats", "C1", "D1"), ("marks", "7157", "D1")}]
    assert predicted("known_pair", train, text) == [{("causes", "C1", "D1"), ("marks", "7157", "D1")}]


def causes_or_treats(n=10):
    """Documents in which the word between the mentions tells whether they are related; names tell nothing."""
    rows = []
    for i in range(n):
        for chemical in ("aspirin", "ibuprofen"):
            for disease in ("ulcer", "fever", "nausea"):
                relation = ("CID", IDS[chemical][1], IDS[disease][1])
                rows.append(document(f"Case {i}: {chemical} causes {disease}.", relation))
                rows.append(document(f"Case {i}: {chemical} treats {disease}."))
    return rows


def test_tfidf_reads_the_words_between():
    texts = ("Here aspirin causes nausea.", "Here aspirin treats nausea.")
    assert predicted("tfidf", causes_or_treats(), *texts) == [{("CID", "C1", "D3")}, set()]


def test_tfidf_reads_in_which_order_they_are():
    relation = ("CID", "C1", "D1")
    train = [document(f"Case {i}: aspirin after ulcer.") for i in range(8)]
    train += [document(f"Case {i}: ulcer after aspirin.", relation) for i in range(8)]
    assert predicted("tfidf", train, "An ulcer after aspirin.", "Then aspirin after ulcer.") == [{relation}, set()]


def test_tfidf_has_a_classifier_for_each_type():
    train = [
        row | {"relations": row["relations"] or [{"type": "treats", "head": e[0]["id"], "tail": e[1]["id"]}]}
        for row in causes_or_treats()
        for e in [row["entities"]]
    ]
    assert predicted("tfidf", train, "Now aspirin causes fever.", "Now ibuprofen treats ulcer.") == [
        {("CID", "C1", "D2")},
        {("treats", "C2", "D1")},
    ]


def test_tfidf_with_too_few_examples_takes_the_more_frequent_label():
    related = document("aspirin causes ulcer.", ("CID", "C1", "D1"))
    assert predicted("tfidf", [related, related], "ibuprofen and fever") == [{("CID", "C2", "D2")}]
    train = [related, document("ibuprofen for fever."), document("ibuprofen for ulcer.")]
    assert predicted("tfidf", train, "aspirin causes ulcer.") == [set()]


# --- the interface that all share


@pytest.mark.parametrize("name", NAMES)
def test_relations_are_not_looked_at_and_rows_keep_their_order(name):
    rows = causes_or_treats(3)
    baseline = RELATIONS[name]()
    assert baseline.fit(dataset(*rows)) is baseline
    test = dataset(*rows[:12], document("nothing here"))
    predictions = baseline.predict(test)
    assert len(predictions) == 13 and predictions[-1] == []
    assert baseline.predict(test.remove_columns(["relations", "document_id"])) == predictions
    assert baseline.predict(test.select(range(12, -1, -1))) == predictions[::-1]
    assert baseline.predict(test.select([])) == []
    assert RELATIONS[name]().fit(dataset(*rows)).predict(test) == predictions  # nothing is random


@pytest.mark.parametrize("name", NAMES)
def test_what_can_not_be_fitted(name):
    with pytest.raises(BioftError, match="no relation between concepts"):
        RELATIONS[name]().fit(dataset(document("ibuprofen for fever.")))


@pytest.mark.parametrize("name", NAMES)
def test_predicted_mentions_may_overlap(name):
    """As those of a model may: they come in the same column."""
    row = document("aspirin causes ulcer.")
    row["entities"] += [row["entities"][0] | {"end": 14, "id": "C9"}, row["entities"][1] | {"type": "Chemical"}]
    (found,) = RELATIONS[name]().fit(dataset(*TRAIN)).predict(dataset(row))
    assert {relation[2] for relation in found} <= {"D1"}


# --- BC5CDR, official test set, gold entities; a sketch without bioft: co-occurrence .329, in a sentence .430


@pytest.fixture(scope="module")
def bc5cdr(shared_data):
    from bioft.datasets.documents import bc5cdr

    return bc5cdr.build(shared_data / "bc5cdr")[0]


@pytest.mark.parametrize(
    ("name", "f1", "recall"),
    [
        ("co_occurrence", 0.329, 1.0),
        ("sentence_co_occurrence", 0.430, 0.70),
        ("known_pair", 0.281, 0.185),
        ("tfidf", 0.583, 0.715),
    ],
)
def test_bc5cdr(bc5cdr, name, f1, recall):
    predictions = RELATIONS[name]().fit(bc5cdr["train"]).predict(bc5cdr["test"])
    references = relation_f1.relations(bc5cdr["test"])
    counts.assert_supports(relation_f1.supports(references), {"CID": 1066})
    result = counts.metrics(counts.count(predictions, references, type_index=0), confidence=None)
    assert result["f1"] == pytest.approx(f1, abs=0.005)
    assert result["recall"] == pytest.approx(recall, abs=0.03)


def test_bc5cdr_end_to_end_is_the_same_on_other_entities(bc5cdr):
    """Entities from a dictionary, linked by the names of training: what isn't found there can't be related."""
    concepts = {e["text"].lower(): e["id"] for row in bc5cdr["train"] for e in row["entities"]}
    spans = Dictionary().fit(bc5cdr["train"]).predict(bc5cdr["test"])
    test = bc5cdr["test"].remove_columns(["entities", "relations"])
    found = [
        [
            {"id": concepts.get(text[a:b].lower(), "-1"), "type": type_, "start": a, "end": b, "text": text[a:b]}
            for a, b, type_ in mentions
        ]
        for text, mentions in zip(test["text"], spans, strict=True)
    ]
    predictions = RELATIONS["co_occurrence"]().fit(bc5cdr["train"]).predict(test.add_column("entities", found))
    references = relation_f1.relations(bc5cdr["test"])
    result = counts.metrics(counts.count(predictions, references, type_index=0), confidence=None)
    assert 0.3 < result["recall"] < 0.9 and 0.1 < result["precision"] < 0.3
