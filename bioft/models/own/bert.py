"""BERT encoders that are asked without Transformers, whose import takes longer than the answer to one text.

To the bit what Transformers computes (tests/models/test_bert.py). Whatever is not plain BERT, Transformers loads.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, normalizers
from torch.nn import functional

HEADS = {"Model": "", "ForTokenClassification": "bert.", "ForSequenceClassification": "bert."}
"""What stands behind "Bert" in the name of a class, and before the names of its encoder's weights."""
PLAIN = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
    "chunk_size_feed_forward": 0,
    "quantization_config": None,
}
WEIGHTS = re.compile(
    r"embeddings\.((word|position|token_type)_embeddings\.weight|LayerNorm\.(weight|bias))|"
    r"(encoder\.layer\.\d+\.(attention\.self\.(query|key|value)|intermediate\.dense|(attention\.)?output\.(dense|LayerNorm))"
    r"|pooler\.dense)\.(weight|bias)"
)
"""The names of an encoder's weights; by others, such as earlier ones, Transformers may load something else."""
TOKENIZERS = ("TokenizersBackend", "PreTrainedTokenizerFast", "BertTokenizer", "BertTokenizerFast")
MORE_TOKENS = ("added_tokens.json", "special_tokens_map.json")
"""Files in which Transformers looks for tokens that texts are cut at."""
USUAL = {"truncation_side": "right", "split_special_tokens": False, "add_bos_token": False, "add_eos_token": False}
"""What a tokenizer of one of these classes may be configured to, if at all."""


class Bert(torch.nn.Module):
    """An encoder, with one of `HEADS`."""

    def __init__(self, config: dict[str, Any], head: str, weights: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.config, self.head = SimpleNamespace(**config), head
        for name, values in weights.items():
            self.register_parameter(name.replace(".", "/"), torch.nn.Parameter(values.float(), requires_grad=False))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return next(self.parameters()).dtype

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> SimpleNamespace:
        """`last_hidden_state`, shape (texts, tokens, dimensions), and `logits` where there is a head."""
        length = input_ids.shape[1]
        mask = None
        if attention_mask is not None and not attention_mask.all():
            mask = attention_mask.bool()[:, None, None].expand(-1, 1, length, -1)
        words, kinds, places = (self._of(f"embeddings.{its}_embeddings") for its in ("word", "token_type", "position"))
        states = functional.embedding(input_ids, words) + kinds[0] + places[:length]
        states = self._norm("embeddings", states)
        for layer in (f"encoder.layer.{number}" for number in range(self.config.num_hidden_layers)):
            states = self._norm(f"{layer}.attention.output", self._attention(layer, states, mask) + states)
            wide = functional.gelu(self._linear(f"{layer}.intermediate.dense", states))
            states = self._norm(f"{layer}.output", self._linear(f"{layer}.output.dense", wide) + states)
        found = SimpleNamespace(last_hidden_state=states)
        if self.head != "Model":
            if self.head == "ForSequenceClassification":
                states = torch.tanh(self._linear("pooler.dense", states[:, 0]))
            weight, bias = (self.get_parameter(f"classifier/{part}") for part in ("weight", "bias"))
            found.logits = functional.linear(states, weight, bias)
        return found

    def _attention(self, layer: str, states: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        query, key, value = (
            self._linear(f"{layer}.attention.self.{name}", states)
            .unflatten(-1, (self.config.num_attention_heads, -1))
            .transpose(1, 2)
            for name in ("query", "key", "value")
        )
        found = functional.scaled_dot_product_attention(query, key, value, mask)
        return self._linear(f"{layer}.attention.output.dense", found.transpose(1, 2).flatten(2))

    def _norm(self, name: str, states: torch.Tensor) -> torch.Tensor:
        weight, bias = (self._of(f"{name}.LayerNorm", part) for part in ("weight", "bias"))
        return functional.layer_norm(states, weight.shape, weight, bias, self.config.layer_norm_eps)

    def _linear(self, name: str, states: torch.Tensor) -> torch.Tensor:
        return functional.linear(states, self._of(name), self._of(name, "bias"))

    def _of(self, name: str, part: str = "weight") -> torch.Tensor:
        return self.get_parameter(f"{HEADS[self.head]}{name}.{part}".replace(".", "/"))


class Rows(dict[str, torch.Tensor]):
    """Padded rows, by the name of an argument of the model."""

    def to(self, device: torch.device | str) -> Self:
        """The same on a device."""
        return type(self)((name, values.to(device)) for name, values in self.items())


class BertTokenizer:
    """As much of a tokenizer of Transformers as asking a model needs; it pads on the right."""

    is_fast = True

    def __init__(self, folder: Path) -> None:
        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        named = [its for name, its in config.items() if name.endswith(("_token", "_tokens", "_tokens_decoder"))]
        more = {name: path for name in MORE_TOKENS if (path := folder / name).is_file()}
        others = [json.loads(path.read_text(encoding="utf-8")) for path in more.values()]
        named += [list(its) if name.startswith("added") else its for name, its in zip(more, others, strict=True)]
        added = {each.content for each in self._tokenizer.get_added_tokens_decoder().values()}
        usual = all(config.get(name, value) == value for name, value in USUAL.items())
        if config.get("tokenizer_class") not in TOKENIZERS or not usual or not {*_contents(named)} <= added:
            raise ValueError("only Transformers knows what it does")
        if config["tokenizer_class"].startswith("Bert"):  # which goes by the configuration
            self._tokenizer.normalizer = normalizers.BertNormalizer(
                lowercase=config.get("do_lower_case", True),
                handle_chinese_chars=config.get("tokenize_chinese_chars", True),
                strip_accents=config.get("strip_accents"),
            )
        pad = config.get("pad_token", "[PAD]")
        self.pad_token_id: Any = self._tokenizer.token_to_id(pad["content"] if isinstance(pad, dict) else pad)
        self.model_max_length = config.get("model_max_length", int(1e30))
        if self.pad_token_id is None or not isinstance(self.model_max_length, int | float):
            raise ValueError("only Transformers knows what it does")

    def __call__(
        self,
        texts: Sequence[str] | str,
        *,
        add_special_tokens: bool = True,
        truncation: bool = False,
        max_length: int | None = None,
        **others: Any,
    ) -> dict[str, Any]:
        """The ids of texts, or of one, with offsets in characters and which tokens are special."""
        if truncation and max_length:
            self._tokenizer.enable_truncation(max_length)
        else:
            self._tokenizer.no_truncation()
        asked = [texts] if isinstance(texts, str) else list(texts)
        rows = self._tokenizer.encode_batch(asked, add_special_tokens=add_special_tokens)
        names = {"input_ids": "ids", "offset_mapping": "offsets", "special_tokens_mask": "special_tokens_mask"}
        found = {name: [getattr(row, its) for row in rows] for name, its in names.items()}
        return {name: values[0] for name, values in found.items()} if isinstance(texts, str) else found

    def pad(self, rows: dict[str, list[list[int]]], **others: Any) -> Rows:
        """Rows of ids, made equally long, and which of them are none of padding."""
        ids = [torch.tensor(row) for row in rows["input_ids"]]
        both = ((ids, self.pad_token_id), ([torch.ones_like(row) for row in ids], 0))
        padded = (torch.nn.utils.rnn.pad_sequence(its, batch_first=True, padding_value=value) for its, value in both)
        return Rows(zip(("input_ids", "attention_mask"), padded, strict=True))


def _contents(value: Any) -> list[str]:
    """The texts of tokens, wherever they stand in a configuration; TypeError for what names none."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [value["content"]] if "content" in value else _contents(list(value.values()))
    return [token for each in value or () for token in _contents(each)]


def load(folder: str | Path, head: str, labels: Sequence[str] = ()) -> tuple[Bert, BertTokenizer] | None:
    """An encoder in float32 with one of `HEADS`, of these labels in this order, and its tokenizer.

    None for what only Transformers can load, or say what is wrong with.
    """
    folder = Path(folder)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config = {"layer_norm_eps": 1e-12, "num_labels": len(labels), **config}
        config["id2label"] = {int(index): label for index, label in (config.get("id2label") or {}).items()}
        if "model_type" not in config or any(config.get(name, value) != value for name, value in PLAIN.items()):
            return None
        if config["architectures"] != [f"Bert{head}"] or (labels and config["id2label"] != dict(enumerate(labels))):
            return None
        weights = load_file(folder / "model.safetensors")
        weights = {name: its for name, its in weights.items() if its.is_floating_point()}
        known = (name.removeprefix(HEADS[head]) for name in weights if name.startswith(HEADS[head]))
        heads = {"classifier.weight", "classifier.bias"} if head != "Model" else set()
        if sum(bool(WEIGHTS.fullmatch(name)) for name in known) + len(heads & weights.keys()) < len(weights):
            return None
        model = Bert(config, head, weights)
        tokenizer = BertTokenizer(folder)
        largest = max(tokenizer._tokenizer.get_vocab().values())
        words, dimensions = model._of("embeddings.word_embeddings").shape
        if largest >= words or dimensions != config["hidden_size"]:
            return None
        with torch.inference_mode():  # which lacks a weight, if the file does
            model(**tokenizer.pad({"input_ids": [tokenizer("a")["input_ids"]]}))
    except Exception:  # of a damaged file, each library has its own
        return None
    return model.eval(), tokenizer
