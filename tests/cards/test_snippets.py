"""The snippet on the card of an adapter loads what bioft loads; whole models are asked in tests/test_contract.py."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import AutoPeftModelForTokenClassification, LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    BertConfig,
    BertForTokenClassification,
)
from trl import ModelConfig

from bioft.cards import model as cards
from bioft.models import base as models, lora
from bioft.storage import runs
from bioft.storage.files import file_sha256
from bioft.tasks.entities import tagging
from bioft.tasks.gene_disease import predict as gene_disease
from bioft.tasks.gene_disease.prompts import PairPrompts
from bioft.tasks.relations import marking, predict as relations
from bioft.tasks.relations.prompted import prompts
from bioft.tasks.retrieval import encoder
from tests import snippets

GOLDEN = Path(__file__).parents[1] / "golden"
BASE = GOLDEN / "models" / "bert"
ADAPTED = {
    "entities": (AutoModelForTokenClassification, "TOKEN_CLS", ()),
    "text_labels": (AutoModelForSequenceClassification, "SEQ_CLS", ("pooler",)),
    "relations": (AutoModelForSequenceClassification, "SEQ_CLS", ("pooler", "word_embeddings")),
    "masked_lm": (AutoModelForMaskedLM, None, ("transform",)),
    "retrieval": (None, "FEATURE_EXTRACTION", ()),
}
"""By task the class of the model, what PEFT calls the task, and what the adapter holds whole."""


def adapter(name: str, folder: Path) -> dict[str, Any]:
    """A run of the task whose model is an adapter with random weights; its record."""
    record = runs.read(GOLDEN / "runs" / name)
    base = models.resolve_base_model(str(BASE))
    auto_class, kind, heads = ADAPTED[name]
    options = ModelConfig(lora_r=2)
    torch.manual_seed(0)
    if auto_class is None:
        model = encoder.load_model(base, encoder.ContrastiveArguments(max_length=32))
        encoder.add_adapter(model, options)
        trained = model[0].model
    else:
        config = {} if name == "masked_lm" else {"id2label": dict(enumerate(record["labels"]))}
        whole, tokenizer = models.load_encoder(base, auto_class, **config)
        if name == "relations":
            record["relations"]["markers"]["added_tokens"] = True
            markers = marking.Markers(**record["relations"]["markers"])
            relations.add_marker_tokens(whole, tokenizer, markers, relations.recorded_arguments(record))
        trained = get_peft_model(whole, lora.lora_config(whole, options, kind, heads))
    with torch.no_grad():
        for parameter in trained.parameters():
            if parameter.requires_grad:
                parameter.normal_(std=0.5)
    if auto_class is None:
        encoder.save(model, base, folder)
    else:
        models.save_encoder(trained, tokenizer, base, folder)
    record["base_model"] |= {"name_or_path": str(BASE), "id": str(BASE)}
    record["files"] = {path.name: file_sha256(path) for path in folder.iterdir() if path.is_file()}
    (folder / runs.RECORD).write_text(json.dumps(record))
    return record


@pytest.mark.parametrize("name", ADAPTED)
def test_an_adapter_answers_as_bioft_does(name: str, tmp_path: Path) -> None:
    record = adapter(name, tmp_path)
    card = cards.model_card(record, repository=str(tmp_path)).replace("<base model>", str(BASE))
    assert "A LoRA adapter for" in card
    found: dict[str, Any] = {}
    exec(snippets.of(card), found)
    expression, expected = snippets.CHECKS[name]
    assert eval(expression, found) == snippets.near(expected(tmp_path))
    if name == "entities":  # PEFT's own loader needs to be told the labels
        again = AutoPeftModelForTokenClassification.from_pretrained(tmp_path, id2label=found["base"].config.id2label)
        ids = torch.tensor([[2, 20, 30, 3]])
        assert torch.equal(again.eval()(ids).logits, found["model"](ids).logits)


@pytest.mark.parametrize("style", ["chat", "alpaca"])
def test_a_pair_is_scored_with_the_prompt_on_the_card(style: str, tmp_path: Path) -> None:
    """Messages for a chat template as well as a text; answers of several tokens, too."""
    record = runs.read(GOLDEN / "runs" / "gene_disease")
    llama = GOLDEN / "models" / "llama"
    base = models.resolve_base_model(str(llama))
    tokenizer = AutoTokenizer.from_pretrained(llama)
    tokenizer.chat_template = "{% for m in messages %}<s>{{ m.role }}: {{ m.content }}</s>{% endfor %}"
    whole = AutoModelForCausalLM.from_pretrained(llama)
    torch.manual_seed(0)
    model = get_peft_model(whole, LoraConfig(task_type="CAUSAL_LM", init_lora_weights=False))
    lora.save_adapter(model, tokenizer, base, tmp_path)
    prompts = PairPrompts(style, tokenizer)
    answers = {"positive": prompts.style.positive, "negative": prompts.style.negative, "prompt_style": style}
    record["scoring"] |= answers | {"prompt": prompts.prompt("{gene}", "{disease}")}
    record["base_model"] |= {"name_or_path": str(llama), "id": str(llama)}
    record["files"] = {path.name: file_sha256(path) for path in tmp_path.iterdir() if path.is_file()}
    (tmp_path / runs.RECORD).write_text(json.dumps(record))
    card = cards.model_card(record, repository=str(tmp_path)).replace("<base model>", str(llama))
    found: dict[str, Any] = {}
    exec(snippets.of(card), found)
    expected = gene_disease.score_pairs(model.eval(), prompts, {"gene": ["BRCA1"], "disease": ["Breast Neoplasms"]})
    assert found["score"]("BRCA1", "Breast Neoplasms") == pytest.approx(expected[0], abs=1e-5)


@pytest.mark.parametrize("style", ["plain", "chat"])
def test_a_relation_is_asked_for_with_the_prompt_on_the_card(style: str, tmp_path: Path) -> None:
    """Of a language model, with a text that must be cut; bioft finds the same of such a document."""
    record, llama = runs.read(GOLDEN / "runs" / "relations"), GOLDEN / "models" / "llama"
    tokenizer = AutoTokenizer.from_pretrained(llama)
    tokenizer.chat_template = "{% for m in messages %}<s>{{ m.role }}: {{ m.content }}</s>{% endfor %}"
    torch.manual_seed(0)
    options = LoraConfig(task_type="CAUSAL_LM", init_lora_weights=False)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(llama), options).eval()
    lora.save_adapter(model, tokenizer, models.resolve_base_model(str(llama)), tmp_path)
    types = relations.recorded_arguments(record)
    prompt = prompts.prompt_of(tokenizer, types, style, "Is the {tail_type} {tail} due to {head}?", 160, True)
    record["relations"] = {"arguments": types, "prompt": vars(prompt), "threshold": 0.5}
    del record["labels"]
    of_llama = runs.read(GOLDEN / "runs" / "gene_disease")["base_model"]
    record["base_model"] = of_llama | {"name_or_path": str(llama), "id": str(llama)}
    record["files"] = {path.name: file_sha256(path) for path in tmp_path.iterdir() if path.is_file()}
    (tmp_path / runs.RECORD).write_text(json.dumps(record))
    card = cards.model_card(record, repository=str(tmp_path)).replace("<base model>", str(llama))
    found: dict[str, Any] = {}
    exec(snippets.of(card), found)
    for text in (snippets.SENTENCE, f"{snippets.SENTENCE} {'They recovered within a day. ' * 20}"):
        *loaded, read = relations.load(tmp_path)
        scores = relations.score(loaded, [snippets.row_of(text)], read).scores
        assert found["score"](text, "Lidocaine", "seizures") == pytest.approx(scores[0, 0], abs=1e-5)
    assert "the first name, and a second one in brackets" in card


def test_entities_are_whole_words_where_tokens_do_not_mark_them(tmp_path: Path) -> None:
    """The pipeline would take "(aspirin)," for one word of a byte-level tokenizer."""
    record = runs.read(GOLDEN / "runs" / "entities")
    labels = record["labels"]
    tokenizer = AutoTokenizer.from_pretrained(GOLDEN / "models" / "llama")
    torch.manual_seed(0)
    size = {"hidden_size": 12, "intermediate_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = BertConfig(vocab_size=len(tokenizer), id2label=dict(enumerate(labels)), initializer_range=1.0, **size)
    model = BertForTokenClassification(config).eval()
    models.save_encoder(model, tokenizer, models.resolve_base_model(str(BASE)), tmp_path)
    record["base_model"]["model_type"] = "roberta"
    found: dict[str, Any] = {}
    exec(snippets.of(cards.model_card(record, repository=str(tmp_path))), found)
    text = "In 2 of 12 (aspirin), 5-HT3  and yes-no; naloxone's effect on hyponatraemia, es. No seizures " * 2
    (tokens,) = tagging.tokenize(tokenizer, [text])
    with torch.no_grad():
        tags = model(torch.tensor([tokens.ids])).logits[0].argmax(-1).numpy()
    expected = tagging.to_spans(tokens, tags, labels)
    assert len(expected) > 5
    assert [(each["start"], each["end"], each["entity_group"]) for each in found["find"](text)] == expected
