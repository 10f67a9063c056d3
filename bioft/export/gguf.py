"""A finished gene–disease run exported to a GGUF file, which llama.cpp and what builds on it run, and checked."""

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GgufConfig

from bioft.errors import BioftError
from bioft.export import merge as merging, parity as derived_models
from bioft.export.parity import ADAPTER, Exported, Parity
from bioft.models import base as models
from bioft.storage import files as new_outputs

# SmolLM2-135M in float16 differed by 0.0023 on the worst of 100 test pairs.
TOLERANCE = {"float32": 0.001, "float16": 0.01}
"""How far the logits of the worst test prompt may be from the run's, in their standard deviations."""
LEAST_SAME = 0.99
"""The share of test prompts whose most probable next token must be the same."""
FILE_TYPES = {"float32": gguf.LlamaFileType.ALL_F32, "float16": gguf.LlamaFileType.MOSTLY_F16}
LLAMA_3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
)
LLAMA_3_SPLIT += r"\s+(?!\S)|\s+"


def export(run: str | Path, output: Path, *, dtype: str | None = None, dataset_path: Path | None = None) -> Exported:
    """Export the model of a run of sft_gda, its adapter merged into the base model, to one GGUF file.

    A base that the adapter was trained on in 4 bits is dequantised first. The file is read again, and asked the
    prompts of the test examples. Only Llama models with a byte-level BPE tokenizer can be exported: of the others' it
    is not in the files of a run what llama.cpp needs.

    Args:
        run: a run directory, or `user/name` on the Hub.
        output: a new file that ends with .gguf.
        dtype: of the matrices, float16 (the default) or float32; vectors are in float32.
        dataset_path: the data, if they are elsewhere now (see `recorded_configuration`): the test examples are read.

    Raises:
        BioftError: no finished run, one of another recipe or architecture, files changed since, a base model or data
            that are missing or not the recorded ones, a file that exists, or a file that computes something else.
            Nothing is left behind then.
    """
    dtype = dtype or "float16"
    if dtype not in TOLERANCE:
        raise BioftError(f"{dtype!r} is no type of weights here. Give {' or '.join(TOLERANCE)}.")
    if output.suffix != ".gguf" or output.exists():
        problem = "exists already" if output.exists() else "does not end with .gguf"
        raise BioftError(f"{output} {problem}. Name a new .gguf file.")
    directory, record = derived_models.open_run(run)
    if record["recipe"] != "sft_gda" or ADAPTER not in record["files"]:
        raise BioftError(
            f"{directory} is a run of {record['recipe']!r}; GGUF is for language models: runs of 'sft_gda' with an "
            "adapter. Export an encoder with --to onnx."
        )
    base = models.resolve_recorded(record["base_model"])
    config = AutoConfig.from_pretrained(base.path, revision=base.revision if base.path == base.id else None)
    if (kind := config.model_type) != "llama":
        raise BioftError(
            f"The base model is of the architecture {kind!r}; only 'llama' can be exported to GGUF. The vocabularies "
            "of Mistral and Phi-3 are SentencePiece's, whose scores a run does not hold. Merge it (bioft merge), and "
            "convert it with llama.cpp's own convert_hf_to_gguf.py."
        )
    tokenizer = AutoTokenizer.from_pretrained(directory)
    pre_tokenizer = _pre_tokenizer(tokenizer)
    examples = derived_models.test_examples(directory, record, dataset_path)

    loaded = merging.LOADERS["sft_gda"](directory, record, torch.float32)
    prompts = loaded.tokens(examples)
    before = _last_logits(loaded.model, prompts)
    try:
        whole = loaded.model.merge_and_unload(safe_merge=True)
    except ValueError as error:
        raise BioftError(f"The adapter of {directory} can't be merged: {error}.") from error
    with new_outputs.new_file(output) as partial:
        name = f"{record['base_model']['id'].rpartition('/')[2]} {record['name']}"
        _write(partial, whole, tokenizer, pre_tokenizer, dtype, name, derived_models.sources(directory, record))
        again = AutoTokenizer.from_pretrained(partial.parent, gguf_file=partial.name)
        for text in (tokenizer.decode(ids) for ids in prompts):
            if again(text)["input_ids"] != tokenizer(text)["input_ids"]:
                raise BioftError(
                    f"The tokenizer that was written splits {text[:80]!r} in another way than the run's. Nothing was "
                    "saved."
                )
        model = AutoModelForCausalLM.from_pretrained(
            partial.parent,
            gguf_file=partial.name,
            dtype=torch.float32,
            quantization_config=GgufConfig(dequantize=True),
        )
        after = _last_logits(model, prompts)
        same = np.array([one.argmax() == other.argmax() for one, other in zip(before, after, strict=True)])
        parity = Parity.of(before, after, same, TOLERANCE[dtype], LEAST_SAME)
    return Exported(output, f"GGUF, {dtype}", parity)


@torch.inference_mode()
def _last_logits(model: Any, prompts: list[list[int]]) -> list[np.ndarray]:
    """The logits of the token after each prompt, shape (vocabulary,)."""
    model.eval()
    return [
        model(input_ids=torch.tensor([ids], device=model.device), logits_to_keep=1).logits[0, -1].float().cpu().numpy()
        for ids in prompts
    ]


def _pre_tokenizer(tokenizer: Any) -> str:
    """The name that llama.cpp has for how a byte-level BPE tokenizer splits a text into words.

    Raises:
        BioftError: a tokenizer of another kind, or with a way that is not known here.
    """
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    steps = content["pre_tokenizer"] or {}
    steps = steps["pretokenizers"] if steps.get("type") == "Sequence" else [steps]
    # What a step does, without what only matters for offsets.
    told = [
        (
            step.get("type"),
            step.get("use_regex"),
            step.get("individual_digits"),
            (step.get("pattern") or {}).get("Regex"),
        )
        for step in steps
    ]
    known = {
        "gpt-2": [("ByteLevel", True, None, None)],
        "smollm": [("Digits", None, True, None), ("ByteLevel", True, None, None)],
        "llama-bpe": [("Split", None, None, LLAMA_3_SPLIT), ("ByteLevel", False, None, None)],
    }
    if content["model"]["type"] == "BPE" and content["normalizer"] is None:
        for name, its in known.items():
            if told == its and not any(step.get("add_prefix_space") for step in steps):
                return name
    raise BioftError(
        "The tokenizer of the run is not one of those that can be written to GGUF here: byte-level BPE as in GPT-2, "
        "SmolLM or Llama 3. Merge the run (bioft merge), and convert it with llama.cpp's own convert_hf_to_gguf.py."
    )


def _write(
    path: Path, model: Any, tokenizer: Any, pre_tokenizer: str, dtype: str, name: str, description: str
) -> None:
    """Write model and tokenizer as llama.cpp names and orders them."""
    config = model.config
    rope = config.rope_parameters
    if rope["rope_type"] != "default" or config.attention_bias or config.mlp_bias:
        raise BioftError("Llama models with biases or with stretched positions can't be exported to GGUF here.")
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(name)
    writer.add_description(description)
    writer.add_file_type(FILE_TYPES[dtype])
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(rope["rope_theta"])
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    _add_tokenizer(writer, tokenizer, pre_tokenizer, config.vocab_size)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        values = tensor.float().cpu().numpy()
        heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
        if count := heads.get(name.split(".")[-2]):
            # Pairs of rotated dimensions lie half a head apart in Transformers, side by side in llama.cpp.
            values = values.reshape(count, 2, -1, values.shape[1]).swapaxes(1, 2).reshape(values.shape)
        if values.ndim > 1:
            values = values.astype(dtype)
        writer.add_tensor(names.get_name(name, (".weight",)), np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Any, pre_tokenizer: str, vocabulary_size: int) -> None:
    tokens = [f"[PAD{index}]" for index in range(vocabulary_size)]
    types = [gguf.TokenType.UNUSED] * vocabulary_size
    for token, index in tokenizer.get_vocab().items():
        tokens[index], types[index] = token, gguf.TokenType.NORMAL
    for index, added in tokenizer.added_tokens_decoder.items():
        types[index] = gguf.TokenType.CONTROL if added.special else gguf.TokenType.USER_DEFINED
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre_tokenizer)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_add_bos_token(tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id)
    ids = {
        "bos": writer.add_bos_token_id,
        "eos": writer.add_eos_token_id,
        "unk": writer.add_unk_token_id,
        "pad": writer.add_pad_token_id,
    }
    for kind, add in ids.items():
        if (index := getattr(tokenizer, f"{kind}_token_id")) is not None:
            add(index)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)
