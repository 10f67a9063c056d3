"""One encoder with two heads: entities as BIO tags on tokens, relations between the concepts of a document.

The encoder reads a document once, in windows. A candidate pair of concepts is represented by all pairs of their
mentions, pooled by logsumexp (as in BRAN: Verga et al. 2018, NAACL; and ATLOP: Zhou et al. 2021, AAAI), and by a few
numbers about the document. So a document with fifty candidates costs no more of the encoder than one with a single.
A pair of mentions is what stands at, around and between them.

The relation head may also read the words of a pair, each with one weight: a linear model beside the deep one, as in
Wide & Deep learning (Cheng et al. 2016, DLRS). From few documents it learns names and phrases that the encoder blurs.

Importing this module registers the model with the Auto classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

from bioft.errors import BioftError
from bioft.models import base as models, lora
from bioft.models.embedded import BaseModel
from bioft.storage import runs
from bioft.tasks.entities import predict as entity_prediction
from bioft.tasks.relations import candidates as relations, marking

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
        size, types = config.relation_hidden_size, len(arguments_of(config))
        self.relation_classifier = RelationHead(hidden, size, types, config.relation_dropout, config.relation_words)
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
        """Logits of shape (candidates, types), from states of shape (windows, tokens, hidden size).

        `lengths` are the tokens of each window that are no padding; what follows is as `JointModel.forward` takes it.
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

    `states` are of shape (windows, tokens, hidden size); `ranges`, of shape (3, ranges), are window, first token and
    the token after the last of each.
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
    """A `JointModel` with new heads on a pretrained encoder, whose weights are kept; `labels` are BIO tags.

    Layers other than the last `trained_layers` are left as they are; the options are those of `JointConfig`. Raises
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


def load_entity_weights(
    run: str | None, model: JointModel, base: BaseModel, manifest: Mapping[str, Any], chooses_threshold: bool
) -> dict[str, torch.Tensor]:
    """The weights of a joint model, its encoder and entity head as a finished run of `token_classification` has them.

    A whole `state_dict`; what the run does not have, without a run all of it, is the model's own. `chooses_threshold`:
    the validation documents will choose the threshold of relations. Raises BioftError: no such run, one of another
    recipe, on another base model, with other tags or another test split, one trained on the validation documents that
    choose the threshold, or of an architecture (ModernBERT) with more than an encoder and a linear layer for tags.
    """
    if run is None:
        return model.state_dict()
    record = entity_prediction.read_tested_on(run, manifest)
    runs.check_whole(run, record, {"train_on": str})
    if chooses_threshold and record["train_on"] == "train+validation":
        raise BioftError(
            f"{run} was trained on the validation documents too. Of documents that its encoder knows the model is too "
            "sure, and a threshold chosen on them is too high for others. Give a run that was trained with --train_on "
            "train, or a --threshold."
        )
    models.check_goes_on_from(run, record["base_model"], base)
    tagger, _, record = entity_prediction.load(Path(run), torch.float32, whole=True)
    if hasattr(tagger, "merge_and_unload"):
        tagger = tagger.merge_and_unload()
    tags, wanted = record["labels"], labels_of(model.config)
    if sorted(tags) != sorted(wanted):
        raise BioftError(f"{run} has the tags {', '.join(tags)}; the training documents have {', '.join(wanted)}.")
    taken = f"{tagger.base_model_prefix}.", "classifier."
    if more := [name for name, _ in tagger.named_parameters() if not name.startswith(taken)]:
        raise BioftError(
            f"The model of {run} has layers between encoder and tags ({more[0]}); a joint model has no place for them."
        )
    order = [tags.index(tag) for tag in wanted]
    encoder = {name: weight for name, weight in tagger.base_model.state_dict().items() if "pooler" not in name}
    heads = {name: weight[order] for name, weight in tagger.classifier.state_dict().items()}
    return (
        model.state_dict()
        | {f"encoder.{name}": weight for name, weight in encoder.items()}
        | {f"entity_classifier.{name}": weight for name, weight in heads.items()}
    )
