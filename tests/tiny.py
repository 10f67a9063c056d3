"""Tiny random models of the very architectures that the presets name, and a small dataset made for the tests."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForTokenClassification,
    DebertaV2Config,
    DebertaV2ForTokenClassification,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForTokenClassification,
)

from bioft.datasets.documents import sample

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
SMALL = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.08,
}
CORPUS = ("Is the gene associated with the disease? Answer yes or no.", "Gene: GEN1\nDisease: Syndrome", "yes no true")
PRESETS = {"llama3_8b": "llama", "mistral_7b": "mistral", "phi3_mini": "phi3"}


def write_model(
    folder: Path,
    architecture: str = "llama",
    *,
    chat_template: bool = True,
    corpus: Sequence[str] = CORPUS,
    vocabulary: int = 400,
    **size: Any,
) -> Path:
    """Write a random model with a byte-level BPE tokenizer; of 64 hidden units and two layers, if no `size` is given.

    It is made on PyTorch's default device in its default type.
    """
    tokenizer = _tokenizer(CHAT_TEMPLATES[architecture] if chat_template else None, corpus, vocabulary)
    torch.manual_seed(0)
    config_type, model_type = ARCHITECTURES[architecture]
    special = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    config = config_type(**{"vocab_size": len(tokenizer)} | special | (size or SMALL))
    model_type(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_mamba(folder: Path) -> Path:
    """Write a random state-space model of one layer, with the tokenizer of `write_model`."""
    tokenizer = _tokenizer(None)
    torch.manual_seed(0)
    size = {"hidden_size": 16, "state_size": 4, "num_hidden_layers": 1}
    tokens = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    config = MambaConfig(vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, **size, **tokens)
    MambaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_ctd(
    path: Path, n_genes: int = 40, n_diseases: int = 30, n_pairs: int = 300, *, one_by_one: bool = False
) -> Path:
    """Write made-up associations in the layout of CTD's curated file; if `one_by_one`, each of its own article."""
    generator = np.random.default_rng(0)
    pairs = sorted({tuple(pair) for pair in generator.integers((n_genes, n_diseases), size=(n_pairs, 2)).tolist()})
    with path.open("w", newline="") as stream:
        stream.write("# Report created: Wed Aug 27 14:25:10 EDT 2025\n#\n# Fields:\n")
        stream.write("# GeneSymbol,GeneID,DiseaseName,DiseaseID,DirectEvidence,OmimIDs,PubMedIDs\n#\n")
        writer = csv.writer(stream, lineterminator="\n")
        for number, (gene, disease) in enumerate(pairs):
            name = f"Syndrome {chr(65 + disease % 26)}{disease}, familial"
            articles = str(1 + number * 101 % len(pairs)) if one_by_one else "123|456"
            writer.writerow([f"GEN{gene}", 1000 + gene, name, f"MESH:D{disease:06}", "marker/mechanism", "", articles])
    return path


def _tokenizer(
    chat_template: str | None, corpus: Sequence[str] = CORPUS, vocabulary: int = 400
) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator([*corpus] * 10, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    fast.chat_template = chat_template
    return fast


ENCODERS = {
    "bert": (BertConfig, BertForTokenClassification),
    "roberta": (RobertaConfig, RobertaForTokenClassification),
    "deberta": (DebertaV2Config, DebertaV2ForTokenClassification),
}
"""The architectures of the encoder presets: WordPiece, byte-level BPE and SentencePiece (Unigram) tokenizers."""


def write_encoder(folder: Path, architecture: str = "bert") -> Path:
    """Write a random encoder of 32 hidden units and two layers with the kind of tokenizer that it comes with."""
    tokenizer = encoder_tokenizer(architecture)
    torch.manual_seed(0)
    config_type, model_type = ENCODERS[architecture]
    config = config_type(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=130 if architecture == "roberta" else 128,
        pad_token_id=tokenizer.pad_token_id,
        type_vocab_size=0 if architecture == "deberta" else 2,
        initializer_range=0.1,
    )
    # The base without a head, as the checkpoints that the presets name.
    model_type(config).base_model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def encoder_tokenizer(architecture: str) -> PreTrainedTokenizerFast:
    """A tokenizer with some hundreds of entries, from a few sentences about drugs or the sample corpus."""
    corpus = [
        "Naloxone reverses the antihypertensive effect of clonidine in rats.",
        "Lithium-induced nephropathy: 3 of 12 patients (25%) had proteinuria; TNF-alpha rose to 4.5 ng/ml.",
        "No hepatotoxicity was seen after N-acetylcysteine, but severe QT prolongation followed quinidine.",
    ] * 5
    special: dict[str, Any] = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    special |= {"pad_token": "[PAD]", "mask_token": "[MASK]"}
    names = list(special.values())
    if architecture == "bert":
        # Made by hand: the trainer breaks ties in another order each time.
        words = Counter(re.findall(r"[a-z]+", sample.FILE.read_text(encoding="utf-8").lower()))
        frequent = [word for word, n in words.items() if n > 2]
        pieces = sorted({*(chr(code) for code in range(33, 127) if not 65 <= code <= 90), *frequent})
        vocabulary = [*names, *pieces, *(f"##{piece}" for piece in pieces)]
        tokenizer = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(vocabulary)}, unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()
        trainer: Any = None
    elif architecture == "roberta":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=names, initial_alphabet=alphabet)
    else:
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        trainer = trainers.UnigramTrainer(vocab_size=200, special_tokens=names, unk_token="[UNK]")
    if trainer is not None:
        tokenizer.train_from_iterator(corpus, trainer)
    ids = [(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    if architecture == "roberta":
        # trim_offsets as in RoBERTa's own tokenizer.
        tokenizer.post_processor = processors.RobertaProcessing(ids[1], ids[0], trim_offsets=True)
    else:
        tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]", ids)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=128, **special)
