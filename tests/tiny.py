"""Tiny random models of the very architectures that the presets name, and a small dataset made for the tests."""

import csv
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    PreTrainedTokenizerFast,
)

# The shapes of the real templates: Llama 3 opens with its own BOS, Mistral has no system role.
CHAT_TEMPLATES = {
    "llama": "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}",
    "mistral": "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]"
    "{% elif m['role'] == 'assistant' %}{{ m['content'] }}</s>{% else %}"
    "{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}",
    "phi3": "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}",
}
ARCHITECTURES = {
    "llama": (LlamaConfig, LlamaForCausalLM),
    "mistral": (MistralConfig, MistralForCausalLM),
    "phi3": (Phi3Config, Phi3ForCausalLM),
}
PRESETS = {"llama3_8b": "llama", "mistral_7b": "mistral", "phi3_mini": "phi3"}


def write_model(folder: Path, architecture: str = "llama", *, chat_template: bool = True) -> Path:
    """Write a random model of 64 hidden units and two layers, with a byte-level BPE tokenizer."""
    tokenizer = _tokenizer(CHAT_TEMPLATES[architecture] if chat_template else None)
    torch.manual_seed(0)
    config_type, model_type = ARCHITECTURES[architecture]
    config = config_type(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.08,
    )
    model_type(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_ctd(path: Path, n_genes: int = 40, n_diseases: int = 30, n_pairs: int = 300) -> Path:
    """Write made-up associations in the layout of CTD's curated file."""
    generator = np.random.default_rng(0)
    pairs = sorted({tuple(pair) for pair in generator.integers((n_genes, n_diseases), size=(n_pairs, 2)).tolist()})
    with path.open("w", newline="") as stream:
        stream.write("# Report created: Wed Aug 27 14:25:10 EDT 2025\n#\n# Fields:\n")
        stream.write("# GeneSymbol,GeneID,DiseaseName,DiseaseID,DirectEvidence,OmimIDs,PubMedIDs\n#\n")
        writer = csv.writer(stream, lineterminator="\n")
        for gene, disease in pairs:
            name = f"Syndrome {chr(65 + disease % 26)}{disease}, familial"
            writer.writerow(
                [f"GEN{gene}", 1000 + gene, name, f"MESH:D{disease:06}", "marker/mechanism", "", "123|456"]
            )
    return path


def _tokenizer(chat_template: str | None) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    corpus = [
        "Is the gene associated with the disease? Answer yes or no.",
        "Gene: GEN1\nDisease: Syndrome",
        "yes no true",
    ]
    tokenizer.train_from_iterator(corpus * 10, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    fast.chat_template = chat_template
    return fast
