"""Relation candidates: which pairs there are, the texts that mark them, their labels, scores and threshold."""

import re
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from hypothesis import given, settings, strategies as st
from transformers import AutoModelForSequenceClassification

from bioft.datasets.documents.concept_pairs import smallest_gap
from bioft.datasets.documents.corpus import to_row
from bioft.datasets.documents.pubtator import Document, Mention, Relation, find_problem
from bioft.datasets.load import load_documents
from bioft.errors import BioftError
from bioft.metrics import relation_f1, thresholds
from bioft.models import base as models
from bioft.tasks.relations import candidates as relations, marking, predict as relation_prediction
from bioft.tasks.relations.candidates import NO_RELATION, Candidate, Concept
from bioft.tasks.relations.linking import ConceptDictionary
from bioft.tasks.relations.marking import Markers
from bioft.tasks.relations.words import candidate_words
from tests.tiny import ENCODERS, encoder_tokenizer, write_encoder

ARGUMENTS = {"CID": [("Chemical", "Disease")]}
TEXT = (
    "Naloxone and stroke. Rats often had a stroke. The effect of naloxone on pain (NP) was small, and pain came back."
)


def entity(text: str, name: str, kind: str, identifier: str, occurrence: int = 0) -> dict[str, Any]:
    start = -1
    for _ in range(occurrence + 1):
        start = text.index(name, start + 1)
    return {"id": identifier, "type": kind, "start": start, "end": start + len(name), "text": name}


@pytest.fixture
def row() -> dict[str, Any]:
    return {
        "document_id": "1",
        "text": TEXT,
        "entities": [
            entity(TEXT, "pain", "Disease", "D10|D11"),
            entity(TEXT, "Naloxone", "Chemical", "D9270"),
            entity(TEXT, "stroke", "Disease", "D20521"),
            entity(TEXT, "stroke", "Disease", "D20521", 1),
            entity(TEXT, "naloxone", "Chemical", "D9270"),
            entity(TEXT, "NP", "Disease", "-1"),
        ],
        "relations": [{"type": "CID", "head": "D9270", "tail": "D11"}],
    }


def test_candidates_are_all_pairs_of_concepts_that_the_relation_takes(row: dict[str, Any]) -> None:
    """A composite mention is of each of its concepts, an unlinked one of none; the negatives are all other pairs."""
    assert relations.argument_types([row]) == ARGUMENTS
    found = relations.candidates([row], ARGUMENTS)
    assert [(c.head.id, c.tail.id, sorted(c.types)) for c in found] == [
        ("D9270", "D20521", []),
        ("D9270", "D10", []),
        ("D9270", "D11", ["CID"]),
    ]
    assert [len(c.tail.places) for c in found] == [2, 1, 1]
    assert relations.count_labels(found) == {"candidates": 3, "CID": 1, NO_RELATION: 2}
    assert relations.count_missed([row], found) == 0
    row["relations"].append({"type": "CID", "head": "D9270", "tail": "D404"})
    assert relations.count_missed([row], relations.candidates([row], ARGUMENTS)) == 1
    with pytest.raises(BioftError, match="no relation between concepts"):
        relations.argument_types([row | {"relations": []}])


def test_a_type_applies_to_the_entity_types_that_it_has_in_training_only(row: dict[str, Any]) -> None:
    """A candidate of other types gets score 0 for it, whatever the classifier says."""
    gene = {"id": "7", "type": "Gene", "start": 0, "end": 0, "text": ""} | entity(TEXT, "Rats", "Gene", "7")
    row["entities"].append(gene)
    row["relations"].append({"type": "binds", "head": "D9270", "tail": "7"})
    arguments = relations.argument_types([row])
    assert arguments == {"CID": [("Chemical", "Disease")], "binds": [("Chemical", "Gene")]}
    found = relations.candidates([row], arguments)
    names = relations.label_names(arguments)
    assert names == ["CID", "binds"]
    assert relations.encode_labels(found[1], names) == [0.0, 1.0]
    scores = relations.type_scores(np.zeros((4, 2)), found, arguments, names)
    assert scores.tolist() == [[0.5, 0.0], [0.0, 0.5], [0.5, 0.0], [0.5, 0.0]]


def test_one_type_has_the_scores_of_a_classifier_of_two_labels_in_any_order(row: dict[str, Any]) -> None:
    found = relations.candidates([row], ARGUMENTS)
    logits = np.array([[1.0, 3.0], [0.5, -2.0], [0.0, 0.0]])
    expected = torch.from_numpy(logits).softmax(-1)[:, 1].numpy()
    scores = relations.type_scores(logits, found, ARGUMENTS, [NO_RELATION, "CID"])
    np.testing.assert_allclose(scores[:, 0], expected)
    swapped = relations.type_scores(logits[:, ::-1], found, ARGUMENTS, ["CID", NO_RELATION])
    np.testing.assert_allclose(swapped, scores)
    assert relations.encode_labels(found[2], ["CID", NO_RELATION]) == 0
    assert relations.encode_labels(found[2], [NO_RELATION, "CID"]) == 1


@pytest.mark.parametrize(
    ("style", "marked"),
    [
        ("entity", "@ Naloxone @ and # stroke #. Rats often had a # stroke #."),
        ("typed", "@ chemical: Naloxone @ and # disease: stroke #. Rats often had a # disease: stroke #."),
        ("masked", "@ chemical and # disease. Rats often had a # disease."),
    ],
)
def test_marked_texts_keep_the_sentences_of_both_concepts(row: dict[str, Any], style: str, marked: str) -> None:
    """Not those that mention neither; other concepts stay as they are."""
    stroke, pain, _ = relations.candidates([row], ARGUMENTS)
    texts = marking.mark([TEXT], [stroke, pain], encoder_tokenizer("bert"), Markers(style, False, False, 128))
    assert texts[0].text.startswith(marked)
    assert [text.left_out for text in texts] == [0, 0]
    assert "Rats" not in texts[1].text


def test_what_does_not_fit_is_left_out_and_counted(row: dict[str, Any]) -> None:
    """The sentence that mentions both is kept, the one that mentions one of them goes first."""
    stroke = relations.candidates([row], ARGUMENTS)[0]
    tokenizer = encoder_tokenizer("bert")
    lengths = [
        len(tokenizer(text)["input_ids"]) for text in ("@ Naloxone @ and # stroke #.", "Rats often had a # stroke #.")
    ]
    assert lengths[0] <= 18 < sum(lengths) - 2
    text = marking.mark([TEXT], [stroke], tokenizer, Markers("entity", False, False, 18))[0]
    assert text.text == "@ Naloxone @ and # stroke #."
    assert text.left_out == 2


def test_added_markers_are_single_tokens_and_the_vocabulary_grows_only_if_asked(tmp_path: Path) -> None:
    base = models.resolve_base_model(str(write_encoder(tmp_path)))
    model, tokenizer = models.load_encoder(base, AutoModelForSequenceClassification)
    before = len(tokenizer), model.get_input_embeddings().num_embeddings
    relation_prediction.add_marker_tokens(model, tokenizer, Markers("typed", False, False, 64), ARGUMENTS)
    assert (len(tokenizer), model.get_input_embeddings().num_embeddings) == before
    relation_prediction.add_marker_tokens(model, tokenizer, Markers("typed", True, False, 64), ARGUMENTS)
    assert len(tokenizer) == before[0] + 4 == model.get_input_embeddings().num_embeddings
    found = [Candidate(0, Concept("D1", "Chemical", [(0, 8)]), Concept("D2", "Disease", [(13, 19)]), frozenset())]
    text = marking.mark([TEXT], found, tokenizer, Markers("typed", True, False, 64))[0].text
    tokens = tokenizer.tokenize(text)
    assert [token for token in tokens if ":" in token] == [
        "<head:chemical>", "</head:chemical>", "<tail:disease>", "</tail:disease>"
    ]  # fmt: skip


WORDS = ("naloxone", "pain", "of", "rats.", "The", "effect", "(p", "<", "0.05).", "Stroke", "was", "é", "small")


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, list[Candidate]]:
    """A text of words, and a candidate whose mentions are some of them, each word of one concept at most."""
    words = draw(st.lists(st.sampled_from(WORDS), min_size=2, max_size=120))
    roles = draw(st.lists(st.sampled_from("hto"), min_size=len(words), max_size=len(words)))
    roles[0], roles[-1] = "h", "t"
    places: dict[str, list[tuple[int, int]]] = {"h": [], "t": [], "o": []}
    end = 0
    for word, role in zip(words, roles, strict=True):
        places[role].append((end, end + len(word)))
        end += len(word) + 1
    pair = Concept("1", "Chemical", places["h"]), Concept("2", "Disease", places["t"])
    return " ".join(words), [Candidate(0, *pair, frozenset())]


@pytest.mark.parametrize("architecture", ENCODERS)
@pytest.mark.parametrize("style", marking.MARKER_STYLES)
@settings(max_examples=25, deadline=None)
@given(document=documents(), max_length=st.integers(32, 128))
def test_every_text_marks_both_concepts_and_is_short_enough(
    architecture: str, style: str, document: tuple[str, list[Candidate]], max_length: int
) -> None:
    """With any tokenizer, however often they are mentioned; what the markers show and what is left out add up."""
    text, found = document
    tokenizer = TOKENIZERS[architecture]
    marked = marking.mark([text], found, tokenizer, Markers(style, False, False, max_length))[0]
    per_mention = 1 if style == "masked" else 2
    heads, tails = marked.text.count("@"), marked.text.count("#")
    assert heads >= per_mention and tails >= per_mention
    mentions = len(found[0].head.places) + len(found[0].tail.places)
    assert (heads + tails) / per_mention == mentions - marked.left_out
    if style == "entity":
        # Nothing but markers is added, and the words keep their order.
        remaining = iter(text.split())
        assert all(word in remaining for word in marked.text.replace("@", "").replace("#", "").split())
    inputs, counts = relation_prediction.encode(Markers(style, False, False, max_length), tokenizer, [text], found)
    assert len(inputs[0]) <= max_length
    assert counts["mentions_left_out"] == marked.left_out


TOKENIZERS = {architecture: encoder_tokenizer(architecture) for architecture in ENCODERS}


def test_two_mentions_far_apart_in_one_long_sentence_are_both_kept() -> None:
    text = "naloxone " + "effect of rats " * 200 + "stroke"
    found = [
        Candidate(
            0,
            Concept("1", "Chemical", [(0, 8)]),
            Concept("2", "Disease", [(len(text) - 6, len(text))]),
            frozenset(),
        )
    ]
    marked = marking.mark([text], found, TOKENIZERS["bert"], Markers("entity", False, False, 40))[0]
    assert marked.text.startswith("@ naloxone @ effect") and marked.text.endswith("rats # stroke #")
    assert marked.left_out == 0


def test_a_sentence_does_not_end_inside_a_mention() -> None:
    """The full stop of "St. John's wort" would cut it in two, and its marker with it."""
    text = "Pain is old. Rats with St. John's wort felt pain."
    places = [(text.index("St."), text.index(" felt"))], [(text.rindex("pain"), len(text) - 1)]
    found = [Candidate(0, Concept("1", "Chemical", places[0]), Concept("2", "Disease", places[1]), frozenset())]
    marked = marking.mark([text], found, TOKENIZERS["bert"], Markers("entity", False, False, 64))[0]
    assert marked.text == "Rats with @ St. John's wort @ felt # pain #."


@pytest.mark.parametrize(
    ("options", "message"),
    [(("typod", 64), "marker_style is 'typod'.*typed"), (("typed", 12), "max_length is 12: too short")],
)
def test_wrong_marker_options_are_refused(row: dict[str, Any], options: tuple[str, int], message: str) -> None:
    style, max_length = options
    found = relations.candidates([row], ARGUMENTS)
    with pytest.raises(BioftError, match=message):
        marking.mark([TEXT], found, TOKENIZERS["bert"], Markers(style, False, False, max_length))


def test_pair_features(row: dict[str, Any]) -> None:
    """Of the chemical (mentioned twice, once in the title) with the stroke (title) and with pain (last sentence)."""
    found = relations.candidates([row], ARGUMENTS)
    values = marking.pair_features([TEXT], found)
    log = np.log1p
    assert values[0].tolist() == [log(1), log(5), 1, 1, log(2), log(2), 0, 0]
    assert values[1].tolist() == [log(1), log(4), 1, 0, log(2), log(1), 0, log(1)]
    assert marking.pair_features([TEXT], []).shape == (0, len(marking.PAIR_FEATURES))


places = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 9)).map(lambda place: (place[0], sum(place))), min_size=1, max_size=12
).map(sorted)


@given(places, places, st.integers(1, 150))
def test_of_very_many_mentions_each_is_paired_with_the_nearest(
    heads: list[tuple[int, int]], tails: list[tuple[int, int]], limit: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(relations, "MENTION_PAIRS", limit)
        pairs = relations.mention_pairs(heads, tails)
    if len(heads) * len(tails) <= limit:
        assert pairs == list(product(heads, tails))
        return
    number = max(limit // len(heads), 1)
    assert len(pairs) == len(heads) * number <= max(limit, len(heads))
    for index, head in enumerate(heads):
        its = pairs[index * number : (index + 1) * number]
        assert {first for first, _ in its} == {head}
        distances = sorted(abs(tail[0] - head[0]) for tail in tails)
        assert sorted(abs(tail[0] - head[0]) for _, tail in its) == distances[:number]


@given(places, places)
def test_the_gap_is_that_of_the_nearest_two_mentions(
    heads: list[tuple[int, int]], tails: list[tuple[int, int]]
) -> None:
    gaps = [max(h[0], t[0]) - min(h[1], t[1]) for h, t in product(heads, tails)]
    assert smallest_gap(heads, tails) == max(min(gaps), 0)


@pytest.mark.parametrize("style", marking.MARKER_STYLES)
@pytest.mark.parametrize("unit", ["Aspirin caused asthma. ", "aspirin and asthma and "])
def test_a_document_of_thousands_of_mentions_becomes_one_short_text(
    style: str, unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100,000 characters, many sentences or a single one: every pair of its mentions would be millions."""
    tokenizer, text = encoder_tokenizer("bert"), unit * (100_000 // len(unit))
    entities = [
        {"id": kind, "type": kind, "start": match.start(), "end": match.end()}
        for kind, name in (("Chemical", "aspirin"), ("Disease", "asthma"))
        for match in re.finditer(name, text.lower())
    ]
    (candidate,) = relations.candidates([{"text": text, "entities": entities}], ARGUMENTS)
    looked_at: list[int] = []

    def inside(piece: tuple[int, int], mentions: list[Any]) -> list[Any]:
        looked_at.append(len(mentions))
        return all_inside(piece, mentions)

    all_inside = marking._inside
    monkeypatch.setattr(marking, "_inside", inside)
    (marked,) = marking.mark([text], [candidate], tokenizer, Markers(style, False, False, 60))
    assert sum(looked_at) < 20 * len(entities), "work in proportion to the mentions, not to their square"
    assert len(tokenizer(marked.text)["input_ids"]) <= 60
    assert marked.text.count("@") and marked.text.count("#")
    assert 8_000 < marked.left_out < len(entities)
    words = candidate_words([{"text": text, "entities": entities}], [candidate])[0]
    assert "between:caused" in words or "between:and" in words
    assert len(words) < 50 * relations.MENTION_PAIRS
    assert marking.pair_features([text], [candidate]).shape == (1, len(marking.PAIR_FEATURES))


def test_a_summary_says_what_the_text_leaves_out(row: dict[str, Any]) -> None:
    """The text has no other chemical, no title when that is cut, and not all sentences."""
    found = relations.candidates([row], ARGUMENTS)
    assert marking.summarise([TEXT], found) == [
        "chemical main, in title; disease main, in title; together once. ",
        "chemical main, in title; disease second; together once. ",
        "chemical main, in title; disease second; together once. ",
    ]
    tokenizer = TOKENIZERS["bert"]
    with_summary = marking.mark([TEXT], found, tokenizer, Markers("entity", False, True, 64))
    assert [each.text.split(". ")[0] + ". " for each in with_summary] == marking.summarise([TEXT], found)
    assert max(len(ids) for ids in tokenizer([each.text for each in with_summary])["input_ids"]) <= 64


@given(st.text(alphabet="aB1 .?!()\n\"'", max_size=80))
def test_sentences_cover_the_text(text: str) -> None:
    found = marking.sentences(text)
    assert "".join(text[start:end] for start, end in found) == text


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9])), min_size=1, max_size=12),
    st.integers(0, 3),
)
def test_no_threshold_has_a_higher_f1_than_the_best_one(pairs: list[tuple[bool, float]], missed: int) -> None:
    truth, scores = (np.array(column) for column in zip(*pairs, strict=True))

    def f1(threshold: float) -> float:
        predicted = scores >= threshold
        total = predicted.sum() + truth.sum() + missed
        return 2 * (predicted & truth).sum() / total if total else 0.0

    threshold, best = thresholds.best_threshold(truth, scores, missed)
    assert best == pytest.approx(max(f1(candidate) for candidate in [*scores, 2.0]))
    assert f1(threshold) == pytest.approx(best)


def test_a_threshold_is_given_or_chosen_on_validation_or_neither(row: dict[str, Any]) -> None:
    found = relations.candidates([row], ARGUMENTS)
    scores = relation_prediction.RelationScores(found, np.array([[0.3], [0.2], [0.4]]), ARGUMENTS)
    without_types = [candidate._replace(types=frozenset()) for candidate in found]
    rows = [row] * thresholds.LEAST_ROWS
    many = [each._replace(document=place) for place in range(len(rows)) for each in without_types]
    enough = replace(scores, candidates=many, scores=np.tile(scores.scores, (len(rows), 1)))
    threshold, source = relation_prediction.choose_threshold(enough, rows)
    assert 0.3 < threshold <= 0.4 and source == "validation"
    few = (0.5, "default .5: validation has 3 rows, fewer than 200")
    assert relation_prediction.choose_threshold(replace(scores, candidates=without_types), [row]) == few
    assert relation_prediction.threshold_chosen_on([row], ARGUMENTS) == few[1]
    assert relation_prediction.threshold_chosen_on(rows, ARGUMENTS) == "validation"
    assert relation_prediction.choose_threshold(None, [row], 0.7) == (0.7, "given")
    assert relation_prediction.choose_threshold(None, [row]) == (0.5, "not chosen")
    assert [[each[:3] for each in found] for found in scores.found(1, 0.35)] == [[("CID", "D9270", "D11")]]


def test_the_predictions_table_has_a_row_for_what_no_candidate_covers(row: dict[str, Any]) -> None:
    row["relations"].append({"type": "CID", "head": "D9270", "tail": "D404"})
    found = relations.candidates([row], ARGUMENTS)
    scores = relation_prediction.RelationScores(found, np.array([[0.3], [0.6], [0.9]]), ARGUMENTS)
    table = relation_prediction.candidates_table([row], scores, 0.5)
    assert table["id"].tolist()[-1] == "1:CID:D9270:D404"
    assert table[["label", "prediction"]].to_numpy().tolist() == [[0, 0], [0, 1], [1, 1], [1, 0]]


def test_a_weighted_loss_counts_relations_more() -> None:
    """With two labels and with several; the same as the model's own loss at weight 1."""
    logits, single = torch.tensor([[0.2, 1.0], [0.5, -0.5]]), torch.tensor([1, 0])
    each = torch.nn.functional.cross_entropy(logits, single, reduction="none")
    loss = relation_prediction.weighted_loss(3.0, [NO_RELATION, "CID"])
    assert loss is not None
    assert loss({"logits": logits}, single, num_items_in_batch=2) == pytest.approx(
        ((3 * each[0] + each[1]) / 2).item()
    )
    several = torch.tensor([[0.0, 1.0], [0.0, 0.0]])
    loss = relation_prediction.weighted_loss(2.0, ["binds", "CID"])
    assert loss is not None
    parts = torch.nn.functional.binary_cross_entropy_with_logits(logits, several, reduction="none")
    assert loss({"logits": logits}, several) == pytest.approx((parts.sum() + parts[0, 1]).item() / 4)
    assert relation_prediction.weighted_loss(1.0, ["CID"]) is None


def test_names_are_linked_as_in_training_and_as_the_document_defines_them() -> None:
    def training(name: str, identifier: str) -> dict[str, Any]:
        return {"entities": [{"id": identifier, "type": "Disease", "start": 0, "end": len(name), "text": name}]}

    rows = [training("Cold", "D2"), training("cold", "D1"), training("COLDS", "D1"), training("flu", "-1")]
    dictionary = ConceptDictionary.fit([*rows, training("acute renal failure", "D7")])
    text = "Acute renal failure (ARF) and colds. ARF is no flu (fl)."
    names = ["Acute renal failure", "ARF", "colds", "flu", "fl)"]
    spans = [(text.index(name), text.index(name) + len(name.strip(")")), "Disease") for name in names]
    spans.append((text.rindex("ARF"), text.rindex("ARF") + 3, "Disease"))
    assert [entity["id"] for entity in dictionary.link(text, spans)] == ["D7", "D7", "D1", "D7", "-1", "-1"]
    named = dictionary.link(text, spans, name_unlinked=True)
    assert [entity["id"] for entity in named][-2:] == ["name:flu", "name:flu"]
    assert [entity["text"] for entity in named] == [text[e["start"] : e["end"]] for e in named]
    # The same name of another type is another name.
    assert dictionary.link(text, [(*spans[2][:2], "Chemical")])[0]["id"] == "-1"


def test_a_dictionary_is_reloaded_as_it_was(tmp_path: Path) -> None:
    dictionary = ConceptDictionary({"Disease": {"schmerz é": "D1"}})
    dictionary.save(tmp_path)
    assert ConceptDictionary.load(tmp_path).ids == dictionary.ids
    with pytest.raises(BioftError, match=r"concepts\.json"):
        ConceptDictionary.load(tmp_path / "nowhere")


def test_training_pairs_report_what_they_leave_out(row: dict[str, Any]) -> None:
    rows = Dataset.from_list([row, row | {"document_id": "2", "entities": row["entities"][:1], "relations": []}])
    markers = Markers("typed", False, False, 26)
    pairs, counts = relation_prediction.pair_dataset(
        TOKENIZERS["bert"], rows, ARGUMENTS, [NO_RELATION, "CID"], markers
    )
    assert pairs["labels"][:] == [0, 0, 1]
    assert counts["candidates"] == 3 and counts["CID"] == 1 and counts["missed"] == 0
    assert counts["texts_without_some_mentions"] == 3 and counts["mentions_left_out"] == 3
    assert max(map(len, pairs["input_ids"][:])) <= 26


def test_candidates_of_bc5cdr_are_those_that_were_counted(shared_data: Path) -> None:
    """All relations are between candidates; 5,405 pairs in the test split give the published .329 of co-occurrence."""
    dataset, _ = load_documents("bc5cdr", dataset_path=str(shared_data / "bc5cdr"))
    for split, expected in {"train": (5432, 1038), "validation": (5261, 1012), "test": (5405, 1066)}.items():
        rows = dataset[split].to_list()
        found = relations.candidates(rows, ARGUMENTS)
        counts = relations.count_labels(found)
        assert (counts["candidates"], counts["CID"]) == expected
        assert relations.count_missed(rows, found) == 0


VARIANT = "A10G or 101/102 cause pain"


def test_ids_with_signs_are_one_concept_and_reach_candidates_and_metric() -> None:
    """A variant is one concept; a relation to two genes in one id is one to each of them."""
    mentions = [Mention(0, 4, "A10G", "Gene", "p|SUB|A|10|G"), Mention(8, 15, "101/102", "Gene", "101,102")]
    mentions.append(Mention(22, 26, "pain", "Disease", "D1"))
    stated = [Relation("Causes", "p|SUB|A|10|G", "D1", "Novel"), Relation("Causes", "101,102", "D1")]
    document = Document("1", VARIANT, "So it is.", mentions, stated)
    assert find_problem(document) is None
    row = to_row(document)
    found = relations.candidates([row], relations.argument_types([row]))
    assert {each.head.id for each in found if each.types} == {"p|SUB|A|10|G", "101", "102"}
    assert relations.count_missed([row], found) == 0
    assert relation_f1.supports(relation_f1.relations([row])) == {"Causes": 3}


@pytest.mark.parametrize(
    ("style", "nested", "crossed"),
    [
        ("entity", "@ # JC virus # infection @ of it.", "@ JC # virus @ infection # of it."),
        (
            "typed",
            "@ disease: # species: JC virus # infection @ of it.",
            "@ disease: JC # gene: virus @ infection # of it.",
        ),
        ("masked", "@ disease # species of it.", "@ disease # gene of it."),
    ],
)
def test_nested_and_crossing_mentions_are_both_marked(style: str, nested: str, crossed: str) -> None:
    text, tokenizer = "JC virus infection of it.", encoder_tokenizer("bert")

    def marked(head: Concept, tail: Concept) -> str:
        candidate = Candidate(0, head, tail, frozenset())
        return marking.mark([text], [candidate], tokenizer, Markers(style, False, False, 64))[0].text

    assert marked(Concept("1", "Disease", [(0, 18)]), Concept("7", "Species", [(0, 8)])) == nested
    assert marked(Concept("1", "Disease", [(0, 8)]), Concept("9", "Gene", [(3, 18)])) == crossed
