"""A classifier of texts: its head, its loss, what it reads and decides, and that no trained text is evaluated on."""

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import Dataset, DatasetDict
from torch import nn

from bioft.errors import BioftError, LeakageError
from bioft.metrics.thresholds import chosen_on, note
from bioft.models import base as models
from bioft.tasks.text_labels import (
    classifier as text_classification,
    evaluate as text_evaluation,
    models as text_models,
)
from bioft.tasks.text_labels.evaluate import checksums_of
from tests.tiny import write_encoder

LABELS = ["Covid19", "Negative"]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return models.resolve_base_model(str(write_encoder(tmp_path_factory.mktemp("tiny") / "model")))


def rows(*texts, labels=None):
    return Dataset.from_dict(
        {
            "id": [f"id-{i}" for i in range(len(texts))],
            "text": list(texts),
            "labels": labels or [["Covid19"] if i % 2 else ["Negative"] for i in range(len(texts))],
        }
    )


# --- nothing is measured on what was trained on


def test_a_text_that_was_trained_on_cannot_be_evaluated(tmp_path):
    """Also not in other case or punctuation; the message names it."""
    text_evaluation.write_trained_on(checksums_of(["Stopped: no effect!", "Another"]), tmp_path)
    pd.DataFrame({"label": [], "prediction": []}).to_parquet(tmp_path / "predictions.parquet")
    train, several = rows("Stopped: no effect!", "Another"), {"multi_label": True}
    record = {"labels": LABELS, "dataset": {"labels": LABELS, **several}, "classifier": several}
    with pytest.raises(LeakageError, match="1 of 2 texts to evaluate on were trained on; the first is 'STOPPED"):
        dataset = DatasetDict(train=train, test=rows("held out", "STOPPED – no effect"))
        text_evaluation.check_files(tmp_path, dataset, record)
    held_out = rows("held out", "stopped: some effect")
    assert text_evaluation.check_files(tmp_path, DatasetDict(train=train, test=held_out), record) == []
    (reason,) = text_evaluation.check_files(tmp_path, DatasetDict(train=rows("Not said"), test=held_out), record)
    assert "lacks texts of the training split" in reason
    table = text_evaluation.predictions(held_out, LABELS, np.array([[0.4, 0.6], [0.6, 0.4]]), None)
    result = text_evaluation.figures(table, None, {"labels": LABELS})
    assert result["f1"]["value"] == 1.0


def test_what_was_trained_on_is_remembered_with_the_run(tmp_path):
    trained = checksums_of(["One text", "Another text"])
    text_evaluation.write_trained_on(trained, tmp_path)
    assert text_evaluation.read_trained_on(tmp_path) == trained
    assert "One text" not in (tmp_path / text_evaluation.TRAINED_ON).read_bytes().decode(errors="replace")
    with pytest.raises(BioftError, match="not known"):
        text_evaluation.read_trained_on(tmp_path / "other")


# --- decisions


def test_thresholds_are_chosen_for_each_label_on_validation():
    truth = np.array([[1, 0], [1, 0], [0, 0], [0, 0]] * 50)
    truth[:9, 1] = 1
    scores = np.array([[0.3, 0.9], [0.2, 0.1], [0.1, 0.2], [0.05, 0.3]] * 50)
    on = [chosen_on(each) for each in truth.T]
    thresholds = text_classification.choose_thresholds(truth, scores, on)
    assert 0.1 < thresholds[0] <= 0.2 and thresholds[1] == 0.5, "0.5 where validation has nine texts with a label"
    assert {chosen_on(each) for each in truth[:199].T} == {"default .5: validation has 199 rows, fewer than 200"}
    assert text_classification.decide(scores, LABELS, thresholds)[:2] == [["Covid19", "Negative"], ["Covid19"]]
    assert text_classification.decide(scores, LABELS, None)[:2] == [["Negative"], ["Covid19"]], (
        "one label: the highest"
    )


def test_predicted_labels_use_thresholds_of_the_validation_split_only():
    dataset = DatasetDict(validation=rows(*["a", "b"] * 100), test=rows("c", "d"))
    validation = np.array([[0.1, 0.4], [0.3, 0.1]] * 100)
    record = {"labels": LABELS}
    thresholds = text_evaluation.choose(dataset, record, validation)
    found = text_evaluation.predictions(dataset["test"], LABELS, np.array([[0.25, 0.1], [0.1, 0.3]]), thresholds)
    assert found["prediction"].tolist() == [["Covid19"], ["Negative"]]
    assert text_evaluation.chosen_on(dataset, LABELS) == dict.fromkeys(LABELS, "validation")
    small = DatasetDict(validation=rows("a", "b"), test=rows("c", "d"))
    few = text_evaluation.chosen_on(small, LABELS)
    assert few == dict.fromkeys(LABELS, "default .5: validation has 2 rows, fewer than 200")


def test_what_a_note_says_of_thresholds():
    some = {"Covid19": "validation", "Negative": "default .5: validation has 3 positives, fewer than 10"}
    assert note(some) == "The threshold of Negative is the default .5: validation has 3 positives, fewer than 10."
    assert note(dict.fromkeys(LABELS, "default .5: few")) == "The threshold is the default .5: few."
    assert note(dict.fromkeys(LABELS, "validation")) is None


# --- the loss


def test_a_rare_label_counts_more_with_pos_weight():
    truth = np.array([[1, 0]] * 9 + [[0, 1]])
    loss = text_classification.classification_loss("pos_weight", truth, multi_label=True)
    logits = torch.zeros(1, 2)
    rare, common = (loss({"logits": logits}, torch.tensor([row])) for row in ([0.0, 1.0], [1.0, 0.0]))
    expected = nn.functional.binary_cross_entropy_with_logits(
        logits, torch.tensor([[0.0, 1.0]]), pos_weight=torch.tensor([1 / 9, 9.0])
    )
    torch.testing.assert_close(rare, expected)
    assert rare > 2 * common
    one = text_classification.classification_loss("pos_weight", truth, multi_label=False)
    rare, common = (one({"logits": logits}, torch.tensor([index])) for index in (1, 0))
    torch.testing.assert_close(rare / common, torch.tensor(9.0))


def test_focal_leaves_out_what_is_sure_and_is_the_usual_loss_with_gamma_0():
    truth = np.eye(2)
    logits, labels = torch.tensor([[4.0, -4.0], [0.1, 0.0]]), torch.tensor([0, 1])
    plain = text_classification.classification_loss("focal", truth, multi_label=False, focal_gamma=0.0)
    torch.testing.assert_close(plain({"logits": logits}, labels), nn.functional.cross_entropy(logits, labels))
    focal = text_classification.classification_loss("focal", truth, multi_label=False)
    sure, unsure = (focal({"logits": logits[i : i + 1]}, labels[i : i + 1]) for i in (0, 1))
    assert sure < 1e-5 < unsure
    assert text_classification.classification_loss("none", truth, multi_label=False) is None


# --- the model


@pytest.mark.parametrize("multi_label", [False, True])
def test_scores_are_probabilities_and_long_texts_are_cut_and_counted(multi_label, base):
    model, tokenizer = text_models.load_start(text_models.Start(base), LABELS, multi_label, "linear")
    texts = ["short", "word " * 100, "non-English: niedrige Rekrutierung 募集"]
    scores = text_classification.score_texts(model, tokenizer, texts, max_length=16, multi_label=multi_label)
    assert scores.shape == (3, 2) and ((scores > 0) & (scores < 1)).all()
    assert np.allclose(scores.sum(axis=1), 1) is not multi_label
    tokens, cut = text_classification.token_dataset(tokenizer, rows(*texts), LABELS, 16, multi_label)
    assert cut == 2 and max(map(len, tokens["input_ids"])) == 16
    assert tokens["labels"][0] == ([0.0, 1.0] if multi_label else 1)
    with pytest.raises(BioftError, match="max_length is 4000; this model reads 8 to 128"):
        text_classification.encode(tokenizer, texts, 4000)


def test_a_two_layer_head_is_saved_and_loaded_with_its_layers(base, tmp_path):
    model, tokenizer = text_models.load_start(text_models.Start(base), LABELS, True, "two_layer")
    assert [type(layer).__name__ for layer in model.classifier] == ["Linear", "ReLU", "Dropout", "Linear"]
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    again, _ = text_models.load_start(
        text_models.Start(models.resolve_base_model(str(tmp_path))), LABELS, True, "two_layer"
    )
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(again.get_parameter(name), parameter)


def test_a_head_that_has_two_layers_already_is_refused(tmp_path):
    base = models.resolve_base_model(str(write_encoder(tmp_path / "model", "roberta")))
    with pytest.raises(BioftError, match="RobertaForSequenceClassification has no linear head"):
        text_models.load_start(text_models.Start(base), LABELS, True, "two_layer")
