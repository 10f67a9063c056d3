"""What a joint model reads: windows of documents, and the mentions, pairs and words of their candidates."""

import math
import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from transformers import Trainer

from bioft.metrics import entity_f1
from bioft.tasks.entities import tagging, windows as entities_windows
from bioft.tasks.entities.tagging import Tokens
from bioft.tasks.entities.windows import Window
from bioft.tasks.joint.model import DISTANCES, WORD_BUCKETS, JointConfig, arguments_of, labels_of
from bioft.tasks.relations import candidates as relations, marking
from bioft.tasks.relations.candidates import Candidate
from bioft.tasks.relations.words import candidate_words


def relation_inputs(
    documents: Sequence[Tokens],
    windows: Sequence[Window],
    found: Sequence[Candidate],
    features: np.ndarray,
    words: Sequence[Sequence[str]],
    tokens_before: int,
) -> dict[str, np.ndarray]:
    """What the relation head reads of candidates: `mentions`, `mention_pairs`, `pair_features` and `pair_words`.

    They are as `JointModel.forward` takes them; indices of windows count those of all documents. `windows` are those
    of all documents, in their order; `features` and `words` of the candidates are those of `marking.pair_features` and
    `candidate_words` (none for a model that does not read words); `tokens_before` are the special tokens at the
    beginning of each window.
    """
    own: list[list[tuple[int, Window]]] = [[] for _ in documents]
    for number, window in enumerate(windows):
        own[window.document].append((number, window))
    places: dict[tuple[int, int, int], int] = {}
    mentions: list[tuple[int, int, int]] = []
    pairs: list[tuple[int, int, int, int]] = []

    def mention(document: int, start: int, end: int) -> int:
        key = (document, start, end)
        if key not in places:
            places[key] = len(mentions)
            first, last = _token_range(documents[document], start, end)
            number, window = next((n, w) for n, w in own[document] if w.own_start <= first < w.own_end)
            shift = tokens_before - window.start
            mentions.append((number, first + shift, min(last, window.end - 1) + shift))
        return places[key]

    for index, candidate in enumerate(found):
        for head, tail in relations.mention_pairs(candidate.head.places, candidate.tail.places):
            key = mention(candidate.document, *head), mention(candidate.document, *tail)
            pairs.append((*key, index, _distance_bucket(head[0] - tail[0])))
    buckets = [sorted({zlib.crc32(word.encode()) % WORD_BUCKETS for word in its}) for its in words]
    pair_words = [(index, bucket) for index, its in enumerate(buckets) for bucket in its]
    return {
        "mentions": np.array(mentions, dtype=np.int64).reshape(-1, 3),
        "mention_pairs": np.array(pairs, dtype=np.int64).reshape(-1, 4),
        "pair_features": features.astype(np.float32),
        "pair_words": np.array(pair_words, dtype=np.int64).reshape(-1, 2),
    }


def training_dataset(
    tokenizer: Any, rows: Sequence[Mapping[str, Any]], config: JointConfig, window_length: int, window_overlap: int
) -> Dataset:
    """One example for each document: its windows with their tags, and its candidates with their labels.

    Columns: those of `JointModel.forward`, `input_ids` and `labels` with one list for each window; `length`, the
    tokens of all windows. A document without tokens has no example.
    """
    labels, arguments = labels_of(config), arguments_of(config)
    texts = [row["text"] for row in rows]
    documents, tags, _ = tagging.align(tokenizer, texts, entity_f1.spans(rows), labels)
    before, after = entities_windows.special_tokens(tokenizer)
    size = window_length - len(before) - len(after)
    by_document: defaultdict[int, list[Candidate]] = defaultdict(list)
    for candidate in relations.candidates(rows, arguments):
        by_document[candidate.document].append(candidate._replace(document=0))
    examples = []
    for index, (text, tokens) in enumerate(zip(texts, documents, strict=True)):
        windows = entities_windows.split_into_windows([len(tokens.ids)], size, window_overlap)
        if not windows:
            continue
        inputs, found = entities_windows.window_inputs(tokenizer, [tokens], windows), by_document[index]
        features = marking.pair_features([text], found)
        words = candidate_words([rows[index]], found) if config.relation_words else []
        arrays = relation_inputs([tokens], windows, found, features, words, len(before))
        arrays["relation_labels"] = relations.true_labels(found, arguments).astype(np.float32)
        tagged = entities_windows.window_labels(tokenizer, [tags[index]], windows)
        examples.append(
            {"input_ids": inputs, "labels": tagged, "length": sum(map(len, inputs))}
            | {key: values.tolist() for key, values in arrays.items()}
        )
    return Dataset.from_list(examples)


class JointCollator:
    """Makes a batch of documents: windows padded to the longest, indices of mentions and candidates moved along."""

    def __init__(self, pad_token_id: int, n_types: int) -> None:
        self.pad_token_id = pad_token_id
        self.columns = {"mentions": 3, "mention_pairs": 4, "pair_words": 2}
        self.columns |= {"pair_features": len(marking.PAIR_FEATURES), "relation_labels": n_types}

    def __call__(self, examples: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Join examples of `training_dataset`."""
        batch = pad([ids for example in examples for ids in example["input_ids"]], self.pad_token_id)
        batch["labels"] = _padded([tags for example in examples for tags in example["labels"]], tagging.IGNORED)
        # A document without candidates has empty lists: their number of columns must be known.
        matrices = [
            {key: np.array(example[key]).reshape(-1, columns) for key, columns in self.columns.items()}
            for example in examples
        ]
        windows = mentions = candidates = 0  # of the documents before
        for example, arrays in zip(examples, matrices, strict=True):
            arrays["mentions"] = arrays["mentions"] + [windows, 0, 0]
            arrays["mention_pairs"] = arrays["mention_pairs"] + [mentions, mentions, candidates, 0]
            arrays["pair_words"] = arrays["pair_words"] + [candidates, 0]
            windows += len(example["input_ids"])
            mentions += len(arrays["mentions"])
            candidates += len(arrays["relation_labels"])
        for key in self.columns:
            kind = np.float32 if key in ("pair_features", "relation_labels") else np.int64
            batch[key] = torch.from_numpy(np.concatenate([arrays[key] for arrays in matrices]).astype(kind))
        return batch


class DocumentTrainer(Trainer):
    """A trainer that evaluates on whole documents: what it would gather from batches are their tokens."""

    def __init__(self, *args: Any, evaluate_documents: Callable[[Any], dict[str, float]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.evaluate_documents = evaluate_documents

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Metrics of the documents, as `Trainer.evaluate` logs and returns them; the arguments are not needed."""
        metrics = {f"{metric_key_prefix}_{key}": v for key, v in self.evaluate_documents(self.model).items()}
        self.log(metrics)
        self.control: Any = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


def pad(rows: Sequence[Sequence[int]], pad_token_id: int) -> dict[str, torch.Tensor]:
    """`input_ids` and `attention_mask` of windows, padded on the right to the longest."""
    mask = _padded([[1] * len(row) for row in rows], 0)
    return {"input_ids": _padded(rows, pad_token_id), "attention_mask": mask}


def _padded(rows: Sequence[Sequence[int]], value: int) -> torch.Tensor:
    width = max(map(len, rows))
    return torch.tensor([[*row, *[value] * (width - len(row))] for row in rows])


def _token_range(tokens: Tokens, start: int, end: int) -> tuple[int, int]:
    """The first and the last token of a mention; the nearest one if the tokenizer dropped its characters."""
    first = int(np.searchsorted(tokens.offsets[:, 1], start, side="right"))
    last = int(np.searchsorted(tokens.offsets[:, 0], end, side="left")) - 1
    first = min(first, len(tokens.ids) - 1)
    return first, max(first, last)


def _distance_bucket(characters: int) -> int:
    half = DISTANCES // 2
    steps = min(int(math.log2(abs(characters) + 1)), half - 1)
    return half + steps if characters >= 0 else half - 1 - steps
