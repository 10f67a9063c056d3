"""Batched prediction finds what one text at a time finds, in texts of any length, with a model or a finished run."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForTokenClassification, pipeline

from bioft.errors import BioftError
from bioft.models import base as models
from bioft.models.batches import logits_of
from bioft.tasks.entities import predict as entity_prediction, tagging
from tests.tiny import ENCODERS, write_encoder

LABELS = tagging.bio_labels(["Chemical", "Disease"])
TEXTS = [
    "Naloxone reverses the antihypertensive effect of clonidine.",
    "",
    "Lithium-induced nephropathy: 3 of 12 patients (25%) had proteinuria.",
    "No hepatotoxicity was seen after N-acetylcysteine, but severe QT prolongation followed quinidine. " * 12,
    "µ",
    "TNF-alpha rose in rats; clonidine did not. " * 3,
]


def load(folder: Path) -> tuple[Any, Any]:
    torch.manual_seed(1)
    id2label = dict(enumerate(LABELS))
    base = models.resolve_base_model(str(folder))
    model, tokenizer = models.load_encoder(base, AutoModelForTokenClassification, id2label=id2label)
    return model.eval(), tokenizer


@pytest.fixture(scope="module", params=ENCODERS)
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    return load(write_encoder(tmp_path_factory.mktemp(request.param), request.param))


def find(tiny: tuple[Any, Any], texts: list[str], length: int = 64, overlap: int = 16) -> list[list[tagging.Entity]]:
    record = {"labels": LABELS, "windows": {"window_length": length, "window_overlap": overlap}}
    return entity_prediction.find_entities(tiny, texts, record)


def spans(found: list[list[tagging.Entity]]) -> list[list[tagging.Span]]:
    return entity_prediction.spans_of(found)


def test_batches_change_nothing(tiny: tuple[Any, Any]) -> None:
    """Texts of mixed lengths together give the entities, in the order, that each gives alone."""
    together = find(tiny, TEXTS)
    alone = [find(tiny, [text])[0] for text in TEXTS]
    assert spans(together) == spans(alone)
    assert sum(map(len, together)) > 20, "a random model marks something in each text"
    scores = [[entity.score for found in side for entity in found] for side in (together, alone)]
    np.testing.assert_allclose(*scores, atol=1e-4)


def test_logits_are_those_of_the_model(tiny: tuple[Any, Any]) -> None:
    """Padded, sorted and in batches, each input has its own logits in its own place."""
    model, tokenizer = tiny
    inputs = [tokenizer(text)["input_ids"][:100] for text in TEXTS]
    tokenizer.padding_side = "left"  # as for generation
    found = logits_of(model, tokenizer, inputs)
    tokenizer.padding_side = "right"
    with torch.no_grad():
        expected = [model(torch.tensor([ids])).logits[0].numpy() for ids in inputs]
    for values, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(values, wanted, atol=1e-4)


def test_a_window_more_changes_nothing_in_short_texts(tiny: tuple[Any, Any]) -> None:
    short = [TEXTS[0], TEXTS[2], TEXTS[4]]
    assert spans(find(tiny, short, 64, 16)) == spans(find(tiny, short, 128, 0))


def test_nothing_of_a_long_text_is_cut_off(tiny: tuple[Any, Any]) -> None:
    """A text far longer than the model reads has entities up to its end, all within it."""
    text = TEXTS[3] * 30
    (found,) = find(tiny, [text])
    assert found[-1].end > len(text) - 300
    assert all(first.end <= second.start for first, second in pairwise(found))
    assert all(text[e.start : e.end].strip() == text[e.start : e.end] for e in found)


def test_the_pipeline_of_transformers_finds_the_same(tmp_path: Path) -> None:
    """With the most probable tag of each first token of a word, as the pipeline takes it, its spans come out.

    WordPiece only: what the pipeline holds for a word with other tokenizers is not one.
    """
    model, tokenizer = load(write_encoder(tmp_path / "model"))
    texts = [text for text in TEXTS if text and len(tokenizer(text)["input_ids"]) <= 128]
    reference = pipeline("token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="first")
    documents = tagging.tokenize(tokenizer, texts)
    logits = logits_of(model, tokenizer, [tokenizer(text)["input_ids"] for text in texts])
    for text, tokens, values in zip(texts, documents, logits, strict=True):
        found = tagging.to_spans(tokens, values[1:-1].argmax(axis=1), LABELS)
        assert found == [(e["start"], e["end"], e["entity_group"]) for e in reference(text)]


def test_a_window_that_does_not_suit_the_model(tiny: tuple[Any, Any]) -> None:
    with pytest.raises(BioftError, match="window_length is 129; this model reads at most 128"):
        find(tiny, TEXTS, length=129)
    with pytest.raises(BioftError, match=r"window_overlap is 62.*less than the 62 tokens"):
        find(tiny, TEXTS, length=64, overlap=62)


def test_a_head_trained_on_other_labels_is_refused(tmp_path: Path) -> None:
    model, tokenizer = load(write_encoder(tmp_path / "base"))
    model.save_pretrained(tmp_path / "trained")
    tokenizer.save_pretrained(tmp_path / "trained")
    base = models.resolve_base_model(str(tmp_path / "trained"))
    genes = dict(enumerate(tagging.bio_labels(["Gene"])))
    with pytest.raises(BioftError, match=r"trained on the labels O, B-Chemical, .*; this data has O, B-Gene, I-Gene"):
        models.load_encoder(base, AutoModelForTokenClassification, id2label=genes)
    # The same labels in another order are no other labels: the checkpoint's order holds.
    reordered = dict(enumerate(reversed(LABELS)))
    again, _ = models.load_encoder(base, AutoModelForTokenClassification, id2label=reordered)
    assert list(again.config.id2label.values()) == LABELS
    assert torch.equal(again.classifier.weight, model.classifier.weight)
