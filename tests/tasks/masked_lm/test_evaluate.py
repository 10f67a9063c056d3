"""Masked accuracy and perplexity: the same questions for every model, counted per text, with intervals over texts."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForMaskedLM, AutoTokenizer

from bioft.tasks.masked_lm import answers as masked_answers, evaluate as masked_evaluation
from bioft.tasks.masked_lm.masking import NOT_PREDICTED, MaskingCollator
from bioft.tasks.masked_lm.models import use_masked_head
from tests.tiny import write_encoder

TEXTS = ["Naloxone reverses the effect of clonidine in rats. " * 3, "Lithium was given to 12 patients.", "", "No."]


def answers(masked: np.ndarray, correct: np.ndarray, loss: np.ndarray) -> pd.DataFrame:
    ids = [f"text-{index}" for index in range(len(masked))]
    return pd.DataFrame({"id": ids, "hidden": masked, "correct": correct, "loss": loss})


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple:
    folder = write_encoder(tmp_path_factory.mktemp("bert"), "bert")
    torch.manual_seed(0)
    return use_masked_head(AutoModelForMaskedLM.from_pretrained(folder)), AutoTokenizer.from_pretrained(folder)


def test_every_masked_token_is_counted_for_its_text_as_one_by_one(loaded: tuple) -> None:
    model, tokenizer = loaded
    questions = masked_evaluation.fixed_questions(TEXTS, tokenizer, 24)
    found = masked_evaluation.answer(model, tokenizer, questions)
    assert model.training is False
    expected = np.zeros((3, len(TEXTS)))
    collator = MaskingCollator(tokenizer, probability=masked_evaluation.PROBABILITY, always_mask=True)
    for text, block in questions.pieces:
        batch = collator([block])
        labels = batch["labels"][0]
        with torch.no_grad():
            logits = model(**{name: batch[name] for name in batch if name != "labels"}).logits[0]
        for position in (labels != NOT_PREDICTED).nonzero().flatten().tolist():
            assert batch["input_ids"][0, position] == tokenizer.mask_token_id
            correct = logits[position].argmax() == labels[position]
            loss = torch.nn.functional.cross_entropy(logits[position], labels[position])
            expected[:, text] += 1, int(correct), float(loss)
    np.testing.assert_allclose([found.hidden, found.correct, found.loss], expected, rtol=1e-4)
    assert found.hidden[2] == 0
    assert found.hidden[0] > found.hidden[1] > 0
    again = masked_evaluation.answer(model, tokenizer, masked_evaluation.fixed_questions(TEXTS, tokenizer, 24))
    np.testing.assert_array_equal(again.correct, found.correct)


def test_the_baseline_answers_the_same_questions_with_the_most_frequent_token(
    loaded: tuple,
) -> None:
    model, tokenizer = loaded
    questions = masked_evaluation.fixed_questions(["the the the the the the", "rats"], tokenizer, 24)
    found = masked_evaluation.answer_by_frequency(["the rats the rats the", "a the"], tokenizer, questions)
    assert found.hidden.tolist() == masked_evaluation.answer(model, tokenizer, questions).hidden.tolist()
    np.testing.assert_array_equal(found.correct, [found.hidden[0], 0])
    rats = tokenizer("rats", add_special_tokens=False)["input_ids"]
    total = len(tokenizer) + 5 + 2 * len(rats)
    assert found.loss[0] / found.hidden[0] == pytest.approx(-math.log(5 / total), rel=0.01)


def test_figures_and_differences_are_of_texts() -> None:
    rng = np.random.default_rng(0)
    hidden = rng.integers(5, 50, 300).astype(float)
    before = answers(hidden, np.floor(hidden * 0.2), hidden * 3.0)
    after = answers(hidden, np.floor(hidden * 0.3), hidden * rng.normal(2.0, 0.1, 300))
    figures = masked_evaluation.figures(after, None, {})
    accuracy, perplexity = figures["masked_accuracy"], figures["perplexity"]
    assert accuracy["value"] == pytest.approx(after.correct.sum() / hidden.sum())
    assert perplexity["value"] == pytest.approx(math.exp(after.loss.sum() / hidden.sum()))
    for figure in figures.values():
        assert figure["n"] == 300
        assert figure["low"] < figure["value"] < figure["high"]
    change = masked_evaluation.describe_adaptation(after, before)
    assert change["low"] > 0.05
    assert change["difference"] == pytest.approx((after.correct - before.correct).sum() / hidden.sum())
    assert -0.02 < masked_evaluation.describe_adaptation(after, after)["low"] < 0
    worse = answers(hidden, hidden * 0, hidden)
    table = masked_evaluation.stored(before, worse, {"after": after})
    compared = masked_evaluation.comparisons(table, {"after": after}, None, {})["comparison"]
    assert compared["baseline"] == "after"
    assert "significantly worse" in compared["sentence"]


def test_predictions_have_a_row_for_each_text() -> None:
    counts = pd.DataFrame({"hidden": [3.0, 0.0], "correct": [2.0, 0.0], "loss": [1.5, 0.0]})
    found = masked_evaluation.with_ids(counts, Dataset.from_dict({"id": ["a", "b"]}))
    table = masked_evaluation.stored(found, found, {})
    assert table.columns.tolist() == ["id", "hidden", "correct", "loss", "base_correct", "base_loss"]
    assert list(masked_answers.systems(table, {})) == ["fine-tuned", "base, zero-shot"]
    assert table["correct"].tolist() == [2, 0]
