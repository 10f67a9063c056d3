"""A classifier of texts: what it reads, its head, the loss that it is trained with, and the labels that it decides on.

With one label a text, the labels exclude each other (softmax, the highest wins); otherwise each is there or not
(sigmoid, a threshold for each label).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from rich.text import Text
from torch import nn

from bioft.errors import BioftError
from bioft.metrics.thresholds import best_threshold, choose_highest_f1
from bioft.models import embedded
from bioft.models.batches import logits_of

if TYPE_CHECKING:
    from datasets import Dataset

MAX_WEIGHT = 20.0
"""Of a rare label in the loss: a label with a handful of texts would otherwise outweigh all others."""

Floats = np.ndarray


def classifier_class(base: embedded.BaseModel, head: str) -> Any:
    """The class that loads an encoder with a head for labels.

    "linear" is what Transformers has for the encoder. "two_layer" puts a hidden layer as wide as the encoder before
    it; such a model is of a class of its own, so that nothing loads it without that layer. BioftError: an encoder
    whose own head has two layers already, such as RoBERTa's.
    """
    from transformers import AutoConfig, AutoModelForSequenceClassification

    if head == "linear":
        return AutoModelForSequenceClassification
    config = AutoConfig.from_pretrained(base.path, revision=base.hub_revision)
    kind: Any = AutoModelForSequenceClassification._model_mapping[type(config)]

    def initialise(self: Any, config: Any) -> None:
        kind.__init__(self, config)
        if not isinstance(getattr(self, "classifier", None), nn.Linear):
            raise BioftError(
                f"{kind.__name__} has no linear head that a second layer could stand before: take linear."
            )
        width, n_labels = self.classifier.in_features, self.classifier.out_features
        dropout = nn.Dropout(getattr(config, "hidden_dropout_prob", 0.1))
        self.classifier = nn.Sequential(nn.Linear(width, width), nn.ReLU(), dropout, nn.Linear(width, n_labels))
        self.post_init()

    return type(f"TwoLayer{kind.__name__}", (kind,), {"__init__": initialise, "__module__": __name__})


def modules_to_save(model: Any) -> list[str]:
    """What an adapter must hold whole beside the classifier: the pooler, which may be another at each loading."""
    return sorted({"pooler"} & {name.rsplit(".", 1)[-1] for name, _ in model.named_modules()})


def token_dataset(
    tokenizer: Any, rows: "Dataset", labels: Sequence[str], max_length: int, multi_label: bool
) -> tuple["Dataset", int]:
    """A training example (`input_ids`, `labels`) for each text, and how many texts lost their end."""
    from datasets import Dataset

    from bioft.datasets.texts.baselines import indicator_matrix
    from bioft.datasets.texts.labelled import labels_of

    inputs, cut = encode(tokenizer, rows["text"][:], max_length)
    truth = indicator_matrix(labels_of(rows), labels)
    values = truth.tolist() if multi_label else truth.argmax(axis=1).tolist()
    return Dataset.from_dict({"input_ids": inputs, "labels": values}), cut


def encode(tokenizer: Any, texts: Sequence[str], max_length: int) -> tuple[list[list[int]], int]:
    """The vocabulary ids of each text, and how many lost their end; BioftError: the model has no such `max_length`."""
    if not 8 <= max_length <= tokenizer.model_max_length:
        raise BioftError(
            f"max_length is {max_length}; this model reads 8 to {tokenizer.model_max_length} tokens. Change it."
        )
    if not len(texts):
        return [], 0
    whole = tokenizer(list(texts), verbose=False, return_attention_mask=False)["input_ids"]
    short = tokenizer(list(texts), truncation=True, max_length=max_length, return_attention_mask=False)["input_ids"]
    return short, sum(len(a) > len(b) for a, b in zip(whole, short, strict=True))


def probabilities(logits: Floats, multi_label: bool) -> Floats:
    """The probability of each label for each text, of their logits, both of shape (texts, labels)."""
    values = torch.from_numpy(logits).double()
    return (values.sigmoid() if multi_label else values.softmax(dim=1)).numpy()


def score_texts(
    model: Any, tokenizer: Any, texts: Sequence[str], max_length: int, multi_label: bool, progress: str | None = None
) -> Floats:
    """The probability of each label for each text, shape (texts, labels), in the order of the model's labels."""
    inputs, _ = encode(tokenizer, texts, max_length)
    found = np.array(logits_of(model, tokenizer, inputs, progress)).reshape(-1, model.config.num_labels)
    return probabilities(found, multi_label)


def classification_loss(
    class_imbalance: str, truth: Floats, *, multi_label: bool, focal_gamma: float = 2.0
) -> Callable[..., torch.Tensor] | None:
    """A loss for `transformers.Trainer` in which rare labels or hard texts count more; None for the usual one.

    With "pos_weight" a label counts as often as it is rarer than the others (of several, the texts without it over
    those with it; of one, inversely to its frequency), at most `MAX_WEIGHT` times. With "focal" a text counts the less
    the surer it is decided right (Lin et al. 2017, ICCV); `focal_gamma` says how strongly. `truth` are the labels of
    the training texts, 0 or 1, shape (texts, labels).
    """
    if class_imbalance == "none":
        return None
    positives = np.maximum(truth.sum(axis=0), 1.0)
    ratio = (len(truth) - positives) / positives if multi_label else len(truth) / (truth.shape[1] * positives)
    weights = torch.tensor(np.clip(ratio, None, MAX_WEIGHT), dtype=torch.float32)

    def loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None) -> torch.Tensor:
        logits = outputs["logits"].float()
        weight = weights.to(labels.device) if class_imbalance == "pos_weight" else None
        if multi_label:
            each = nn.functional.binary_cross_entropy_with_logits(logits, labels, pos_weight=weight, reduction="none")
        else:
            each = nn.functional.cross_entropy(logits, labels, weight=weight, reduction="none")
        if class_imbalance == "focal":
            # The cross-entropy is -log of the probability of what is true.
            each = each * (1 - torch.exp(-each)) ** focal_gamma
        # The trainer counts the labels of all batches that make one step.
        return each.sum() / (labels.numel() if num_items_in_batch is None else num_items_in_batch)

    return loss


def choose_thresholds(truth: Floats, scores: Floats, on: Iterable[str]) -> list[float]:
    """For each label the score with the highest F1 on VALIDATION; .5 where `on` says so (`thresholds.chosen_on`)."""
    return [choose_highest_f1(there, its, why) for there, its, why in zip(truth.T, scores.T, on, strict=True)]


def keep_thresholds(model: Any, labels: Sequence[str], thresholds: Sequence[float] | None) -> None:
    """Let a model's configuration hold the threshold of each label, if there are any, for those without bioft."""
    if thresholds is not None:
        model.config.thresholds = dict(zip(labels, thresholds, strict=True))


def decide(scores: Floats, labels: Sequence[str], thresholds: Sequence[float] | None) -> list[list[str]]:
    """The labels of each text: all that reach their threshold; without thresholds the one with the highest score."""
    if thresholds is None:
        return [[labels[index]] for index in np.asarray(scores).argmax(axis=1).tolist()]
    reached = np.asarray(scores) >= np.asarray(thresholds)
    return [[label for label, there in zip(labels, row, strict=True) if there] for row in reached.tolist()]


def validation_f1(multi_label: bool) -> Callable[[Any], dict[str, float]]:
    """A function for a trainer's `compute_metrics`: micro and macro F1, with the thresholds that suit best."""

    from sklearn.metrics import f1_score

    def compute(prediction: Any) -> dict[str, float]:
        scores, truth = probabilities(prediction.predictions, multi_label), prediction.label_ids
        if multi_label:
            best = [best_threshold(there, its)[0] for there, its in zip(truth.T, scores.T, strict=True)]
            predicted, truth = scores >= np.asarray(best), truth.astype(bool)
        else:
            predicted = prediction.predictions.argmax(axis=1)
        averages = {"f1": "micro", "macro_f1": "macro"}
        return {
            name: float(f1_score(truth, predicted, average=average, zero_division=0))
            for name, average in averages.items()
        }

    return compute


def shown_example(trainer: Any, index: int, none: str = "") -> Text:
    """One example as text with its labels, or `none`, for a dry run."""
    example = trainer.train_dataset[index]
    names, values = trainer.model.config.id2label, example["labels"]
    its = [names[values]] if isinstance(values, int) else [names[i] for i, value in enumerate(values) if value]
    text = Text(trainer.processing_class.decode(example["input_ids"]))
    return text.append(f"  → {', '.join(its) or none}", style="green underline")
