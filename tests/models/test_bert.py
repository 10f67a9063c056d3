"""BERT without Transformers: tokens, offsets and numbers are those of Transformers, to the bit."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from bioft.models import base
from bioft.models.own import bert

RUNS = Path(__file__).parents[1] / "golden" / "runs"
TEXTS = (
    "Naloxone reverses the antihypertensive effect of clonidine.",
    "a",
    "Ångström's  β-catenin (p53)\n[MASK] [CLS] [sep] 中文 x\u200by " * 5,
    "",
    " \t",
    "supercalifragilistic " * 40,
    "ﬁ é e\u0301 İ",
)


def folders() -> dict[str, tuple[Path, str]]:
    runs = {"entities": "ForTokenClassification", "relations": "ForSequenceClassification", "retrieval": "Model"}
    found = {name: (RUNS / name, head) for name, head in runs.items()}
    return found | {"MiniLM": (Path(base.resolve_base_model("embedded:all-minilm-l6-v2").path), "Model")}


@pytest.mark.parametrize("name", ["entities", "relations", "retrieval", "MiniLM", "saved"])
def test_tokens_and_numbers_are_those_of_transformers(name: str, tmp_path: Path) -> None:
    folder, head = folders()[name if name != "saved" else "MiniLM"]
    if name == "saved":  # as a run on a base model from elsewhere is
        for kind in (transformers.BertForTokenClassification, AutoTokenizer):
            kind.from_pretrained(folder).save_pretrained(tmp_path)
        folder, head = tmp_path, "ForTokenClassification"
    loaded = bert.load(folder, head)
    assert loaded is not None
    (ours, tokenizer), theirs = loaded, getattr(transformers, f"Bert{head}").from_pretrained(folder).eval()
    other = AutoTokenizer.from_pretrained(folder)
    for options in ({"add_special_tokens": False}, {}, {"truncation": True, "max_length": 16}):
        asked = {"return_offsets_mapping": True, "return_special_tokens_mask": True, "verbose": False} | options
        found, wanted = tokenizer(TEXTS, **asked), other(list(TEXTS), **asked)
        for key in ("input_ids", "offset_mapping", "special_tokens_mask"):
            assert json.loads(json.dumps(found[key])) == json.loads(json.dumps(wanted[key])), key
    assert (tokenizer.pad_token_id, tokenizer.model_max_length) == (other.pad_token_id, other.model_max_length)
    ids = tokenizer(TEXTS, truncation=True, max_length=64)["input_ids"]
    for dtype in (torch.float32, torch.bfloat16):
        for rows in (ids, ids[:1], [ids[0], ids[0]]):  # with padding and without
            inputs = tokenizer.pad({"input_ids": rows})
            padded = other.pad({"input_ids": rows}, padding_side="right", return_tensors="pt")
            assert all(torch.equal(values, padded[key]) for key, values in inputs.items())
            assert (ours.to(dtype).dtype, ours.device) == (dtype, theirs.device)
            with torch.inference_mode():
                found, wanted = ours.to(dtype)(**inputs), theirs.to(dtype)(**inputs)
            key = "last_hidden_state" if head == "Model" else "logits"
            assert torch.equal(getattr(found, key), wanted[key])


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("config.json", {"hidden_act": "relu"}),
        ("config.json", {"is_decoder": True}),
        ("config.json", {"model_type": "roberta"}),
        ("config.json", {"architectures": ["TwoLayerBertForTokenClassification"]}),
        ("config.json", {"id2label": {"0": "O", "1": "B-Other", "2": "I-Other"}}),
        ("config.json", {"num_hidden_layers": 3}),
        ("tokenizer_config.json", {"tokenizer_class": "RobertaTokenizer"}),
        ("tokenizer_config.json", {"truncation_side": "left"}),
        ("tokenizer_config.json", {"mask_token": "<new>"}),
        ("config.json", {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}),
        ("tokenizer_config.json", {"extra_special_tokens": ["in"]}),
        ("tokenizer_config.json", {"extra_special_tokens": {"a_token": "in"}}),
        ("tokenizer_config.json", {"added_tokens_decoder": {"77": {"content": "in", "special": True}}}),
        ("special_tokens_map.json", {"additional_special_tokens": ["in"]}),
        ("added_tokens.json", {"in": 77}),
    ],
)
def test_what_is_not_plain_bert_is_left_to_transformers(file: str, changes: dict[str, Any], tmp_path: Path) -> None:
    folder = shutil.copytree(RUNS / "entities", tmp_path / "run")
    labels = list(json.loads((folder / "config.json").read_text())["id2label"].values())
    assert bert.load(folder, "ForTokenClassification", labels) is not None
    assert bert.load(folder, "ForTokenClassification", labels[::-1]) is None
    stated = json.loads((folder / file).read_text()) if (folder / file).is_file() else {}
    (folder / file).write_text(json.dumps(stated | changes))
    assert bert.load(folder, "ForTokenClassification", labels) is None


def test_special_tokens_in_files_of_their_own_are_read(tmp_path: Path) -> None:
    """As earlier versions of Transformers wrote them, in one form or another."""
    folder = shutil.copytree(RUNS / "entities", tmp_path / "run")
    tokens = {"unk_token": {"content": "[UNK]", "lstrip": False}, "additional_special_tokens": ["[SEP]"]}
    (folder / "special_tokens_map.json").write_text(json.dumps(tokens))
    (folder / "added_tokens.json").write_text(json.dumps({"[PAD]": 0}))
    assert bert.load(folder, "ForTokenClassification") is not None


def test_weights_that_are_not_there_or_of_other_names_are_left_to_transformers(tmp_path: Path) -> None:
    """Such as those of earlier checkpoints, which it takes in the place of others."""
    folder = shutil.copytree(RUNS / "entities", tmp_path / "run")
    weights = load_file(folder / "model.safetensors")
    norm = weights["bert.embeddings.LayerNorm.weight"]
    for name in ("bert.embeddings.LayerNorm.gamma", "embeddings.LayerNorm.weight", "classifier.out.weight"):
        save_file(weights | {name: -norm}, folder / "model.safetensors")
        assert bert.load(folder, "ForTokenClassification") is None
    del weights["bert.encoder.layer.1.output.dense.bias"]
    save_file(weights, folder / "model.safetensors")
    assert bert.load(folder, "ForTokenClassification") is None
