"""One encoder with two heads: entities as BIO tags on tokens, relations between the concepts of a document.

The encoder reads a document once, in windows. A candidate pair of concepts is represented by all pairs of their
mentions, pooled by logsumexp (as in BRAN: Verga et al. 2018, NAACL; and ATLOP: Zhou et al. 2021, AAAI), and by a few
numbers about the document. So a document with fifty candidates costs no more of the encoder than one with a single.
A pair of mentions is what stands at, around and between them.

The relation head may also read the words of a pair, each with one weight: a linear model beside the deep one, as in
Wide & Deep learning (Cheng et al. 2016, DLRS). From few documents it learns names and phrases that the encoder blurs.

Importing this module registers the model with the Auto classes.
"""

import math
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from rich.progress import track
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedConfig, PreTrainedModel, Trainer
from transformers.utils import ModelOutput

from bioft.errors import BioftError
from bioft.models import base as models, lora
from bioft.models.batches import batches_by_length
from bioft.storage import runs
from bioft.tasks.entities import tagging, windows as entities_windows
from bioft.tasks.entities.tagging import Entity, Tokens
from bioft.tasks.entities.windows import Window
from bioft.tasks.relations import candidates as relations, marking
from bioft.tasks.relations.candidates import Candidate
from bioft.tasks.relations.linking import ConceptDictionary
from bioft.tasks.relations.predict import FoundRelation, RelationScores
from bioft.tasks.relations.words import candidate_words

DISTANCES = 32
"""Buckets of the distance between two mentions: its sign and its logarithm to base 2, in characters."""
NEIGHBOURS = 4
"""Tokens before and after a mention that are averaged."""
NEAR = 50
"""Tokens between two mentions up to which they are averaged; what stands further apart says little of both."""
WORD_BUCKETS = 1 << 16
"""Weights of words for each relation type; words share them by a hash, so that none is unknown."""
WORD_SCALE = 10.0
"""Length of a pair's vector of words. With the learning rate of the other weights, shorter ones are hardly learnt."""
BATCH_TOKENS = 8192
"""Padded tokens that prediction encodes at once."""
BATCH_MENTION_PAIRS = 20_000
"""Pairs of mentions that prediction compares at once."""


class JointConfig(PreTrainedConfig):
    """Configuration of `JointModel`; `id2label` holds the BIO tags of the entity head.

    `encoder` is the encoder's own configuration. `relation_arguments` maps each relation type to the entity types of
    its head and tail; `relation_layer` is the layer of the encoder that the relation head reads, by default the last;
    with `relation_words` it reads the words of a pair too. The loss is the sum of both heads' losses, each times its
    weight; a head with weight 0 is not trained.
    """

    model_type = "bioft_joint"
    sub_configs = {"encoder": AutoConfig}  # noqa: RUF012

    encoder: dict | PreTrainedConfig | None = None
    relation_arguments: dict[str, list[list[str]]] | None = None
    relation_hidden_size: int = 256
    relation_layer: int | None = None
    relation_words: bool = False
    dropout: float = 0.1
    relation_dropout: float = 0.3
    entity_loss_weight: float = 1.0
    relation_loss_weight: float = 1.0
    positive_weight: float = 1.0

    def __post_init__(self, **kwargs: Any) -> None:
        """Rebuild the encoder's configuration from its JSON."""
        if self.encoder is None:
            self.encoder = AutoConfig.for_model("bert")
        elif isinstance(self.encoder, dict):
            values = dict(self.encoder)
            self.encoder = AutoConfig.for_model(values.pop("model_type"), **values)
        self.relation_arguments = self.relation_arguments or {}
        super().__post_init__(**kwargs)

    def get_text_config(self, *args: Any, **kwargs: Any) -> Any:
        """The encoder's configuration, where libraries look for sizes and vocabulary."""
        return self.encoder


@dataclass
class JointOutput(ModelOutput):
    """What `JointModel` returns; `logits` of shape (windows, tokens, tags), `relation_logits` (candidates, types)."""

    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    relation_logits: torch.Tensor | None = None
    entity_loss: torch.Tensor | None = None
    relation_loss: torch.Tensor | None = None


class JointModel(PreTrainedModel):
    """A shared encoder with an entity head and a relation head."""

    config_class = JointConfig
    base_model_prefix = "encoder"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True

    def __init__(self, config: JointConfig) -> None:
        """Make a model with new weights; `new_model` makes one on a pretrained encoder."""
        super().__init__(config)
        hidden = config.get_text_config().hidden_size
        self.encoder = AutoModel.from_config(config.encoder)
        self.dropout = nn.Dropout(config.dropout)
        self.entity_classifier = nn.Linear(hidden, config.num_labels)
        self.relation_classifier = RelationHead(
            hidden,
            config.relation_hidden_size,
            len(arguments_of(config)),
            config.relation_dropout,
            words=config.relation_words,
        )
        self.post_init()

    def encode(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The states that each head reads, both of shape (windows, tokens, hidden size): entities, relations."""
        layer = self.config.relation_layer
        output = self.encoder(
            input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=layer is not None
        )
        states = output.last_hidden_state if layer is None else output.hidden_states[layer]
        return self.dropout(output.last_hidden_state), states

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        labels: torch.Tensor | None = None,
        mentions: torch.Tensor | None = None,
        mention_pairs: torch.Tensor | None = None,
        pair_features: torch.Tensor | None = None,
        pair_words: torch.Tensor | None = None,
        relation_labels: torch.Tensor | None = None,
    ) -> JointOutput:
        """Read the windows of some documents.

        Args:
            input_ids: shape (windows, tokens).
            attention_mask: of the same shape.
            labels: tags of the same shape, -100 where there is no loss.
            mentions: window, first and last token of each mention, shape (mentions, 3).
            mention_pairs: mention of the head, mention of the tail, candidate and distance bucket, shape (pairs, 4).
            pair_features: `marking.pair_features` of the candidates, shape (candidates, features).
            pair_words: candidate and bucket of each word, shape (words, 2); needed by a model with `relation_words`.
            relation_labels: 0 or 1 for each relation type, shape (candidates, types).
        """
        hidden, states = self.encode(input_ids, attention_mask)
        logits = self.entity_classifier(hidden)
        output = JointOutput(logits=logits)
        losses = []
        if labels is not None:
            output.entity_loss = nn.functional.cross_entropy(logits.flatten(0, 1).float(), labels.flatten())
            losses.append(self.config.entity_loss_weight * output.entity_loss)
        if mentions is not None and mention_pairs is not None and pair_features is not None:
            lengths = attention_mask.sum(1)
            output.relation_logits = self.relation_classifier(
                states, lengths, mentions, mention_pairs, pair_features, pair_words
            )
            if relation_labels is not None:
                weight = torch.tensor(self.config.positive_weight, device=hidden.device)
                loss = nn.functional.binary_cross_entropy_with_logits(
                    output.relation_logits.float(), relation_labels, pos_weight=weight, reduction="sum"
                )
                # A batch of documents that hold no candidate still needs a loss.
                output.relation_loss = loss / max(relation_labels.numel(), 1)
                losses.append(self.config.relation_loss_weight * output.relation_loss)
        output.loss = sum(losses) if losses else None
        return output


class RelationHead(nn.Module):
    """Logits of relation types for pairs of concepts, from the states at, around and between their mentions."""

    def __init__(self, hidden: int, size: int, types: int, dropout: float, words: bool = False) -> None:
        super().__init__()
        # A mention is its first and its last token, and what stands before and after it.
        self.head = nn.Linear(4 * hidden, size)
        self.tail = nn.Linear(4 * hidden, size)
        self.between = nn.Linear(hidden, size)
        self.distance = nn.Embedding(DISTANCES, size)
        self.features = nn.Linear(len(marking.PAIR_FEATURES), size)
        self.dropout = nn.Dropout(dropout)
        self.combine = nn.Linear(2 * size, size)
        self.output = nn.Linear(size, types)
        self.words = nn.Parameter(torch.zeros(WORD_BUCKETS, types)) if words else None

    def forward(
        self,
        states: torch.Tensor,
        lengths: torch.Tensor,
        mentions: torch.Tensor,
        pairs: torch.Tensor,
        features: torch.Tensor,
        words: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Logits of shape (candidates, types).

        Args:
            states: of tokens, shape (windows, tokens, hidden size).
            lengths: tokens of each window that are no padding.
            mentions: as `JointModel.forward` takes them, like what follows.
            pairs: of mentions.
            features: of candidates.
            words: of candidates; a head without weights of words reads none.
        """
        states = self.dropout(states)
        window, first, last = mentions.unbind(1)
        final = lengths[window] - 1
        before = torch.stack([states[window, (first - i).clamp(min=0)] for i in range(1, NEIGHBOURS + 1)]).mean(0)
        after = torch.stack([states[window, (last + i).minimum(final)] for i in range(1, NEIGHBOURS + 1)]).mean(0)
        mention = torch.cat([states[window, first], states[window, last], before, after], dim=-1)
        head, tail, candidate, distance = pairs.unbind(1)
        between = means_between(
            states, torch.stack([window[head], last[head].minimum(last[tail]) + 1, first[head].maximum(first[tail])])
        )
        near = (window[head] == window[tail])[:, None] * self.between(between)
        values = nn.functional.gelu(
            self.head(mention)[head] + self.tail(mention)[tail] + self.distance(distance) + near
        )
        pooled = scatter_logsumexp(values, candidate, len(features))
        joined = torch.cat([pooled, nn.functional.gelu(self.features(features.to(pooled.dtype)))], dim=-1)
        logits = self.output(nn.functional.gelu(self.combine(self.dropout(joined))))
        if self.words is None:
            return logits
        if words is None:
            raise ValueError("This model reads the words of each pair: give `pair_words`.")
        candidate, bucket = words.unbind(1)
        count = torch.bincount(candidate, minlength=len(logits))[candidate, None]
        weights = nn.functional.embedding(bucket, self.words) * (WORD_SCALE / count.sqrt())
        return logits.index_add(0, candidate, weights.to(logits.dtype))


def means_between(states: torch.Tensor, ranges: torch.Tensor) -> torch.Tensor:
    """The mean state of ranges of tokens, shape (ranges, hidden size); zero for those empty or longer than `NEAR`.

    Args:
        states: shape (windows, tokens, hidden size).
        ranges: window, first token and the token after the last of each, shape (3, ranges).
    """
    window, start, end = ranges
    # In float32 also where the encoder computes in less: these are differences of long sums.
    sums = nn.functional.pad(states.float().cumsum(1), (0, 0, 1, 0))
    count = (end - start)[:, None]
    means = (sums[window, end.maximum(start)] - sums[window, start]) / count.clamp(min=1)
    return torch.where((count > 0) & (count <= NEAR), means, 0.0).to(states.dtype)


def scatter_logsumexp(values: torch.Tensor, index: torch.Tensor, size: int) -> torch.Tensor:
    """The logsumexp of those rows of `values` that have the same `index`, shape (size, columns); each index occurs."""
    place = index[:, None].expand_as(values)
    largest = values.new_full((size, values.shape[1]), -torch.inf).scatter_reduce(0, place, values.detach(), "amax")
    total = values.new_zeros(largest.shape).index_add(0, index, torch.exp(values - largest[index]))
    return total.log() + largest


AutoConfig.register(JointConfig.model_type, JointConfig)
AutoModel.register(JointConfig, JointModel)


def new_model(
    encoder: PreTrainedModel,
    labels: Sequence[str],
    arguments: relations.Arguments,
    trained_layers: int | None = None,
    **options: Any,
) -> Any:
    """A `JointModel` with new heads on a pretrained encoder.

    Args:
        encoder: its weights are kept.
        labels: BIO tags.
        arguments: of each relation type.
        trained_layers: leave the others as they are; by default all are trained.
        options: those of `JointConfig`.

    Raises:
        BioftError: a `relation_layer` or `trained_layers` that the encoder does not have.
    """
    layer, layers = options.get("relation_layer"), encoder.config.num_hidden_layers
    if layer is not None and not 1 <= layer <= layers:
        raise BioftError(f"relation_layer is {layer}; this encoder has layers 1 to {layers}.")
    encoder_config = encoder.config.to_dict()
    encoder_config.pop("_name_or_path", None)  # where it was on this machine
    config = JointConfig(
        encoder=encoder_config,
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
        relation_arguments={kind: [list(pair) for pair in pairs] for kind, pairs in arguments.items()},
        **options,
    )
    model = JointModel(config)
    model.encoder = encoder
    if trained_layers is not None:
        lora.freeze_lower_layers(model, trained_layers)
    return model


def arguments_of(config: JointConfig) -> dict[str, list[tuple[str, str]]]:
    """The relation types of a model with the entity types of their heads and tails."""
    return {kind: [(head, tail) for head, tail in pairs] for kind, pairs in (config.relation_arguments or {}).items()}


def labels_of(config: JointConfig) -> list[str]:
    """The tags of a model in the order of its logits."""
    return [config.id2label[index] for index in range(config.num_labels)]


def relation_inputs(
    documents: Sequence[Tokens],
    windows: Sequence[Window],
    found: Sequence[Candidate],
    features: np.ndarray,
    words: Sequence[Sequence[str]],
    tokens_before: int,
) -> dict[str, np.ndarray]:
    """What the relation head needs to know about candidates.

    Args:
        documents: the tokens of each document.
        windows: of all documents, in their order.
        found: candidates, their `document` an index into `documents`.
        features: `marking.pair_features` of the candidates.
        words: `candidate_words` of the candidates, or nothing for a model that does not read them.
        tokens_before: special tokens at the beginning of each window.

    Returns:
        `mentions`, `mention_pairs`, `pair_features` and `pair_words` as `JointModel.forward` takes them; indices of
        windows count those of all documents.
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
    return {
        "mentions": np.array(mentions, dtype=np.int64).reshape(-1, 3),
        "mention_pairs": np.array(pairs, dtype=np.int64).reshape(-1, 4),
        "pair_features": features.astype(np.float32),
        "pair_words": np.array(
            [(index, bucket) for index, its in enumerate(words) for bucket in sorted(set(map(_word_bucket, its)))],
            dtype=np.int64,
        ).reshape(-1, 2),
    }


def training_dataset(
    tokenizer: Any,
    rows: Sequence[Mapping[str, Any]],
    config: JointConfig,
    window_length: int,
    window_overlap: int,
) -> Dataset:
    """One example for each document: its windows with their tags, and its candidates with their labels.

    Columns: those of `JointModel.forward`, `input_ids` and `labels` with one list for each window; `length`, the
    tokens of all windows. A document without tokens has no example.
    """
    labels, arguments = labels_of(config), arguments_of(config)
    texts = [row["text"] for row in rows]
    spans = [[(e["start"], e["end"], e["type"]) for e in row["entities"]] for row in rows]
    documents, tags, _ = tagging.align(tokenizer, texts, spans, labels)
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
        examples.append(
            {
                "input_ids": inputs,
                "labels": entities_windows.window_labels(tokenizer, [tags[index]], windows),
                "length": sum(map(len, inputs)),
                **{key: values.tolist() for key, values in arrays.items()},
            }
        )
    return Dataset.from_list(examples)


class JointCollator:
    """Makes a batch of documents: windows padded to the longest, indices of mentions and candidates moved along."""

    def __init__(self, pad_token_id: int, n_types: int) -> None:
        """Take the id that pads, and the number of relation types."""
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
            joined = np.concatenate([arrays[key] for arrays in matrices])
            whole = key in ("mentions", "mention_pairs", "pair_words")
            batch[key] = torch.from_numpy(joined.astype(np.int64 if whole else np.float32))
        return batch


class DocumentTrainer(Trainer):
    """A trainer that evaluates on whole documents: what it would gather from batches are their tokens."""

    def __init__(self, *args: Any, evaluate_documents: Callable[[Any], dict[str, float]], **kwargs: Any) -> None:
        """Take a function that returns metrics of a model; the other arguments are those of `Trainer`."""
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


@dataclass
class JointPrediction:
    """What the model finds in some documents.

    `linked` are the entities as in document rows, with ids where the dictionary knows them; `end_to_end` the pairs of
    these; `annotated` those of the entities that were given.
    """

    entities: list[list[Entity]]
    linked: list[list[dict[str, Any]]]
    end_to_end: RelationScores
    annotated: RelationScores


@torch.inference_mode()
def predict(
    model: Any,
    tokenizer: Any,
    texts: Sequence[str],
    dictionary: ConceptDictionary,
    *,
    window_length: int,
    window_overlap: int,
    annotated: Sequence[Sequence[dict[str, Any]]] | None = None,
    name_unlinked: bool = False,
    progress: str | None = None,
) -> JointPrediction:
    """Find the entities of documents and the relations between them; each document is encoded once.

    Args:
        model: a `JointModel`.
        tokenizer: its tokenizer.
        texts: of the documents, of any length.
        dictionary: gives entities the concept ids between which relations are looked for.
        window_length: tokens of a window, with the special ones.
        window_overlap: tokens that neighbouring windows share.
        annotated: entities of each document, whose relations are scored too (with gold entities).
        name_unlinked: look for relations also between concepts that the dictionary does not know, by their names.
        progress: text of a progress bar; None shows none.
    """
    labels, arguments = labels_of(model.config), arguments_of(model.config)
    before, _ = entities_windows.special_tokens(tokenizer)
    documents = tagging.tokenize(tokenizer, texts)
    size = entities_windows.window_size(tokenizer, model.encoder, window_length, window_overlap)
    entities: list[list[Entity]] = [[] for _ in texts]
    linked: list[list[dict[str, Any]]] = [[] for _ in texts]
    given = annotated or [[] for _ in texts]
    pieces: dict[str, list[tuple[int, Candidate, np.ndarray]]] = {"linked": [], "annotated": []}
    was_training = model.training
    model.eval()
    try:
        filled = [index for index, tokens in enumerate(documents) if tokens.ids]
        batches = batches_by_length([len(documents[index].ids) for index in filled], BATCH_TOKENS)
        for numbers in track(batches, progress or "", disable=progress is None, transient=True):
            batch = [filled[number] for number in numbers]
            chosen = [documents[index] for index in batch]
            windows = entities_windows.split_into_windows([len(tokens.ids) for tokens in chosen], size, window_overlap)
            inputs = pad(entities_windows.window_inputs(tokenizer, chosen, windows), tokenizer.pad_token_id)
            hidden, states = _encode(model, inputs)
            lengths = inputs["attention_mask"].sum(1).to(model.device)
            logits = model.entity_classifier(hidden).float().cpu().numpy()
            scores = [
                values[len(before) : len(before) + w.end - w.start] for values, w in zip(logits, windows, strict=True)
            ]
            merged = entities_windows.merge(windows, scores, [len(tokens.ids) for tokens in chosen], len(labels))
            its_texts = [texts[index] for index in batch]
            for index, found in zip(batch, tagging.decode(chosen, merged, labels), strict=True):
                entities[index] = found
                spans = [entity.span for entity in found]
                linked[index] = dictionary.link(texts[index], spans, name_unlinked=name_unlinked)
            for kind, source in (("linked", linked), ("annotated", given)):
                rows = [{"text": texts[index], "entities": source[index]} for index in batch]
                pairs = relations.candidates(rows, arguments)
                words = candidate_words(rows, pairs) if model.config.relation_words else []
                features = marking.pair_features(its_texts, pairs)
                for part in _parts(pairs):
                    arrays = relation_inputs(chosen, windows, pairs[part], features[part], words[part], len(before))
                    tensors = {key: torch.from_numpy(value).to(model.device) for key, value in arrays.items()}
                    output = model.relation_classifier(states, lengths, *tensors.values())
                    relation_logits = output.float().cpu().numpy()
                    probabilities = relations.type_scores(relation_logits, pairs[part], arguments)
                    pieces[kind] += [
                        (batch[pair.document], pair, row) for pair, row in zip(pairs[part], probabilities, strict=True)
                    ]
    finally:
        model.train(was_training)
    return JointPrediction(
        entities,
        linked,
        *(_in_order(pieces[kind], arguments) for kind in ("linked", "annotated")),
    )


def pad(rows: Sequence[Sequence[int]], pad_token_id: int) -> dict[str, torch.Tensor]:
    """`input_ids` and `attention_mask` of windows, padded on the right to the longest."""
    mask = _padded([[1] * len(row) for row in rows], 0)
    return {"input_ids": _padded(rows, pad_token_id), "attention_mask": mask}


def _padded(rows: Sequence[Sequence[int]], value: int) -> torch.Tensor:
    width = max(map(len, rows))
    return torch.tensor([[*row, *[value] * (width - len(row))] for row in rows])


def _encode(model: Any, inputs: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """What `JointModel.encode` gives for many windows; those of a very long document are read in parts."""
    rows = max(BATCH_TOKENS // inputs["input_ids"].shape[1], 1)
    parts = [
        model.encode(**{key: value[first : first + rows].to(model.device) for key, value in inputs.items()})
        for first in range(0, len(inputs["input_ids"]), rows)
    ]
    hidden, states = zip(*parts, strict=True)
    return torch.cat(hidden), torch.cat(states)


def _parts(found: Sequence[Candidate]) -> Iterator[slice]:
    """Slices of candidates that have no more pairs of mentions than fit at once, or hold one candidate."""
    first = size = 0
    for index, candidate in enumerate(found):
        pairs = len(candidate.head.places) * len(candidate.tail.places)
        if index > first and size + pairs > BATCH_MENTION_PAIRS:
            yield slice(first, index)
            first, size = index, 0
        size += pairs
    if first < len(found):
        yield slice(first, len(found))


def _in_order(pieces: list[tuple[int, Candidate, np.ndarray]], arguments: relations.Arguments) -> RelationScores:
    pieces = sorted(pieces, key=lambda piece: piece[0])
    scores = np.array([row for *_, row in pieces]).reshape(-1, len(arguments))
    return RelationScores([pair._replace(document=index) for index, pair, _ in pieces], scores, arguments)


def _token_range(tokens: Tokens, start: int, end: int) -> tuple[int, int]:
    """The first and the last token of a mention; the nearest one if the tokenizer dropped its characters."""
    first = int(np.searchsorted(tokens.offsets[:, 1], start, side="right"))
    last = int(np.searchsorted(tokens.offsets[:, 0], end, side="left")) - 1
    first = min(first, len(tokens.ids) - 1)
    return first, max(first, last)


def _word_bucket(word: str) -> int:
    return zlib.crc32(word.encode()) % WORD_BUCKETS


def _distance_bucket(characters: int) -> int:
    half = DISTANCES // 2
    steps = min(int(math.log2(abs(characters) + 1)), half - 1)
    return half + steps if characters >= 0 else half - 1 - steps


def load_run(directory: str | Path) -> tuple[Any, Any, ConceptDictionary, dict[str, Any]]:
    """The model of a finished run of `joint_ner_re`, its tokenizer, its dictionary of concepts and its record.

    Raises:
        BioftError: no finished run, one of another recipe, or files changed since.
    """
    record = runs.read_trained(directory, "joint_ner_re")
    model = JointModel.from_pretrained(directory, dtype=torch.float32).to(models.local_device()).eval()
    return model, AutoTokenizer.from_pretrained(directory), ConceptDictionary.load(Path(directory)), record


def predict_with_run(
    directory: str | Path, texts: Sequence[str], *, progress: str | None = "Entities and relations"
) -> tuple[JointPrediction, list[list[FoundRelation]]]:
    """Find entities and the relations between them with a finished run.

    Returns:
        What `predict` returns, and the relations of each document whose score reaches the run's threshold.

    Raises:
        BioftError: as `load_run`.
    """
    model, tokenizer, dictionary, record = load_run(directory)
    prediction = predict(
        model, tokenizer, texts, dictionary, name_unlinked=True, progress=progress, **record["windows"]
    )
    return prediction, prediction.end_to_end.found(len(texts), record["relations"]["threshold"])
