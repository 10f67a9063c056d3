"""Llama's last states on a processor: what prompts have in common is computed once, and nothing of padding.

Transformers computes rows that are equally long, unpacks weights for each product, and adapters in float32, each token
of each row. Here weights are unpacked once, adapters are multiplied in the type of the model, and tokens that several
prompts begin with are one (tests/models/test_llama.py). In bfloat16 the scores of the embedded model, without an
adapter, are those by Transformers to the bit. Adapters stay beside the weights: what little a short training adds to a
weight would be lost where the sum is rounded to bfloat16.
"""

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any, NamedTuple

import torch
from torch.nn import functional

from bioft.models.batches import batches_by_length
from bioft.models.progress import track

ARCHITECTURES = ("llama", "mistral")
MOST_WEIGHTS = 2**30
"""Of an adapted or packed model: unpacked they take 2 GB in bfloat16."""
PAYING_TOKENS = 2000
"""Tokens to compute from which unpacking the weights of an adapted or packed model pays."""
PARTS = tuple(f"self_attn.{name}_proj" for name in "qkvo") + tuple(
    f"mlp.{name}_proj" for name in ("gate", "up", "down")
)
BATCH_TOKENS = 2048
"""Different tokens in one forward pass, if no single prompt has more."""
MULTIPLE = 32
"""Products of another number of rows take longer than those of the next such number."""
ATTENDING_TOKENS = 256
"""Padded tokens of a group of rows of like lengths; attention alone computes in rows."""
KeysAndValues = list[tuple[torch.Tensor, torch.Tensor]]


class Product(NamedTuple):
    """A linear layer."""

    weight: torch.Tensor
    bias: torch.Tensor | None
    adapters: tuple[torch.Tensor, torch.Tensor] | None
    """All of them as one: of shape (ranks, inputs), and scaled (ranks, outputs)."""

    def of(self, states: torch.Tensor) -> torch.Tensor:
        """The outputs for states of shape (tokens, inputs)."""
        found = functional.linear(states, self.weight, self.bias)
        if self.adapters is None:
            return found
        down, up = self.adapters
        return found.addmm_(functional.linear(states, down), up)


Products = dict[str, Product]


class LastStates:
    """The states at the last token of each prompt, as the transformer below a language-model head gives them."""

    def __init__(self, backbone: Any, layers: list[Products]) -> None:
        self.backbone, self.layers, self.config = backbone, layers, backbone.config
        self.head_dim = backbone.layers[0].self_attn.head_dim

    def __call__(
        self, prompts: list[list[int]], prefix: int, batch_tokens: int | None, progress: str | None
    ) -> Iterator[tuple[list[int], torch.Tensor]]:
        """Places in `prompts`, all of which begin with the same `prefix` tokens, and their states, batch by batch."""
        kept = None
        if prefix:
            kept = self._forward(prompts[0][:prefix], range(prefix), [[list(range(prefix))]], None)[1]
        for places in track(batches(prompts, prefix, batch_tokens or BATCH_TOKENS), progress):
            tokens, depths, rows = tree([prompts[place][prefix:] for place in places])
            alike = batches_by_length(list(map(len, rows)), ATTENDING_TOKENS)
            groups = [[rows[index] for index in group] for group in alike]
            more = [0] * (-len(tokens) % MULTIPLE)
            states = self._forward(tokens + more, [prefix + depth for depth in depths + more], groups, kept)[0]
            yield [places[index] for group in alike for index in group], states

    def _forward(
        self, tokens: list[int], positions: Sequence[int], rows: list[list[list[int]]], kept: KeysAndValues | None
    ) -> tuple[torch.Tensor, KeysAndValues]:
        """The last states of rows, and keys and values of all tokens by layer.

        A row, of a group of like lengths, names its tokens by their places in `tokens`; `kept` are keys and values of
        what is before all of them.
        """
        before = 0 if kept is None else len(kept[0][0])
        last = torch.tensor([row[-1] for group in rows for row in group])
        states = self.backbone.embed_tokens(torch.tensor(tokens))
        groups = [_Group(group, before, states.dtype) for group in rows]
        # Where a token is in several rows, any of them gives the same.
        places = torch.cat([group.places for group in groups])
        where = torch.zeros(len(tokens), dtype=torch.long)
        where[places[places >= 0]] = (places >= 0).nonzero()[:, 0]
        turn = [its[0, :, None] for its in self.backbone.rotary_emb(states, torch.tensor([positions]))]
        found: KeysAndValues = []
        for number, (layer, products) in enumerate(zip(self.backbone.layers, self.layers, strict=True)):
            at_last = number == len(self.layers) - 1
            normed = layer.input_layernorm(states)
            key, value = (_linear(products, f"self_attn.{name}_proj", normed, self.head_dim) for name in "kv")
            found.append((_turned(key, *turn), value))
            if at_last:  # what follows is of no other token's concern
                states, normed, turn = states[last], normed[last], [its[last] for its in turn]
            query = _turned(_linear(products, "self_attn.q_proj", normed, self.head_dim), *turn)
            query = query * layer.self_attn.scaling
            earlier, done = None if kept is None else kept[number], 0
            mixed: list[torch.Tensor] = []
            for group in groups:
                asking = query[done : done + len(group.rows)][:, None] if at_last else group.of_rows(query)
                mixed.append(group.attend(asking, *found[-1], earlier))
                done += len(group.rows)
            attended = torch.cat(mixed) if at_last else torch.cat(mixed).index_select(0, where)
            states = states + _linear(products, "self_attn.o_proj", attended)
            normed = layer.post_attention_layernorm(states)
            wide = layer.mlp.act_fn(_linear(products, "mlp.gate_proj", normed))
            wide *= _linear(products, "mlp.up_proj", normed)
            states += _linear(products, "mlp.down_proj", wide)
        return self.backbone.norm(states), found


class _Group:
    """Rows of like lengths, whose tokens attend to those before them in their row."""

    def __init__(self, rows: list[list[int]], before: int, dtype: torch.dtype) -> None:
        lengths = torch.tensor(list(map(len, rows)))[:, None]
        self.rows = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
        width = self.rows.shape[1]
        own = torch.arange(width) < lengths
        self.places = self.rows.where(own, -1).flatten()
        """Of each place of the group the token, or -1 for padding."""
        seen = torch.ones(width, before + width, dtype=torch.bool).tril(before)
        seen_by_last = (torch.arange(before + width) < before + lengths)[:, None, None, None]
        self.unseen, self.unseen_by_last = (
            torch.zeros(its.shape, dtype=dtype).masked_fill(~its, -torch.inf) for its in (seen, seen_by_last)
        )

    def of_rows(self, states: torch.Tensor) -> torch.Tensor:
        """States of tokens, row by row."""
        return states.index_select(0, self.rows.flatten()).unflatten(0, self.rows.shape)

    def attend(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, earlier: Any) -> torch.Tensor:
        """What the tokens that ask, all of the rows or the last of each, take from those that they see.

        As Transformers does it step by step: PyTorch's own attention takes twice as long for so few tokens.
        """
        keys, values = self.of_rows(key), self.of_rows(value)
        if earlier is not None:
            keys, values = (
                torch.cat((its.expand(len(self.rows), -1, -1, -1), new), 1)
                for its, new in zip(earlier, (keys, values), strict=True)
            )
        # The query heads of a head of keys are further queries of its, of which there are then fewer.
        heads, asking = keys.shape[2], query.shape[1]
        query = query.unflatten(2, (heads, -1)).permute(0, 2, 3, 1, 4)
        weights = (query.flatten(2, 3) @ keys.permute(0, 2, 3, 1)).unflatten(2, (-1, asking))
        weights += self.unseen_by_last if asking == 1 else self.unseen
        weights = weights.softmax(-1, dtype=torch.float32).to(values.dtype)
        mixed = (weights.flatten(2, 3) @ values.transpose(1, 2)).unflatten(2, (-1, asking))
        return mixed.permute(0, 3, 1, 2, 4).flatten(2).flatten(0, 1)


def _linear(products: Products, name: str, states: torch.Tensor, head_dim: int | None = None) -> torch.Tensor:
    found = products[name].of(states)
    return found if head_dim is None else found.unflatten(-1, (-1, head_dim))


def _turned(states: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """By the rotary embedding of each position; `states` are of shape (tokens, heads, dimensions of a head)."""
    first, second = states.chunk(2, dim=-1)
    return states * cos + torch.cat((-second, first), dim=-1) * sin


def batches(prompts: list[list[int]], prefix: int, batch_tokens: int) -> list[list[int]]:
    """Places of prompts in order of their tokens, in batches of at most so many different ones, or of one prompt.

    Those of the prefix that all of them begin with do not count.
    """
    found: list[list[int]] = []
    tokens, previous = 0, prompts[0]
    for place in sorted(range(len(prompts)), key=prompts.__getitem__):
        prompt = prompts[place]
        new = len(prompt) - max(prefix, shared(previous, prompt) if found else 0)
        if not found or tokens + new > batch_tokens:
            found.append([])
            tokens, new = 0, len(prompt) - prefix
        found[-1].append(place)
        tokens, previous = tokens + new, prompt
    return found


def tree(prompts: list[list[int]]) -> tuple[list[int], list[int], list[list[int]]]:
    """Of prompts in order the different tokens, the place of each in its prompt, and each prompt as places of tokens.

    Tokens are the same if all that is before them is.
    """
    tokens: list[int] = []
    depths: list[int] = []
    rows: list[list[int]] = []
    previous: list[int] = []
    for prompt in prompts:
        common = shared(previous, prompt)
        rows.append([*(rows[-1][:common] if rows else ()), *range(len(tokens), len(tokens) + len(prompt) - common)])
        tokens += prompt[common:]
        depths += range(common, len(prompt))
        previous = prompt
    return tokens, depths, rows


def shared(first: list[int], second: list[int]) -> int:
    """How many tokens two prompts begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))


def last_states(backbone: Any, prompts: list[list[int]], prefix: int) -> LastStates | None:
    """What computes the last states of these prompts; None where Transformers' own way is better or the only one."""
    config = backbone.config
    window = getattr(config, "sliding_window", None)
    if config.model_type not in ARCHITECTURES or any(its.device.type != "cpu" for its in backbone.parameters()):
        return None
    if window is not None and max(map(len, prompts)) > window:
        return None
    linear = [{name: layer.get_submodule(name) for name in PARTS} for layer in backbone.layers]
    plain = all(type(module) is torch.nn.Linear for layer in linear for module in layer.values())
    if not plain:
        weights = sum(module.in_features * module.out_features for layer in linear for module in layer.values())
        tokens = sum(map(len, prompts)) - prefix * (len(prompts) - 1)
        if weights > MOST_WEIGHTS or tokens < PAYING_TOKENS:
            return None
    dtype = backbone.norm.weight.dtype
    layers: list[Products] = []
    for layer in linear:
        products = {name: _product(module, dtype) for name, module in layer.items()}
        if not all(products.values()):
            return None
        layers.append({name: its for name, its in products.items() if its is not None})
    return LastStates(backbone, layers)


def _product(module: Any, dtype: torch.dtype) -> Product | None:
    """A linear layer with its adapters; None of what is no plain one, packed one or LoRA's."""
    if type(module) is torch.nn.Linear:
        return Product(module.weight, module.bias, None) if module.weight.dtype == dtype else None
    from peft.tuners.lora import LoraLayer
    from peft.utils.integrations import dequantize_module_weight

    base, names = module, []
    if isinstance(module, LoraLayer):
        base = module.get_base_layer()
        names = [] if module.disable_adapters else [name for name in module.active_adapters if name in module.lora_A]
        if module.merged or any(name in module.lora_variant or module.lora_bias.get(name) for name in names):
            return None
    repacked = getattr(base, "support_avx512bf16_for_cpu", False)  # by bitsandbytes, in a form of its own
    if type(base).__name__ not in ("Linear", "Linear4bit") or repacked:
        return None
    adapters = None
    if names:
        down = torch.cat([module.lora_A[name].weight for name in names])
        up = torch.cat([module.lora_B[name].weight.T * module.scaling[name] for name in names])
        adapters = down.to(dtype), up.to(dtype)
    return Product(dequantize_module_weight(base).to(dtype), base.bias, adapters)
