"""Questions to a language model: what it reads, and that questions which share a text are answered as apart."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from bioft.datasets.load import load_documents
from bioft.errors import BioftError
from bioft.tasks.relations import candidates as relations
from bioft.tasks.relations.candidates import Concept
from bioft.tasks.relations.prompted import prompts, scoring, training
from bioft.tasks.relations.prompted.prompts import Prompt
from tests.tiny import write_mamba, write_model

TYPES = {"CID": [("Chemical", "Disease")]}
QUESTION = "{head}, {tail}?"


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """Three documents of the sample, with 4 to 9 candidates each."""
    every = load_documents("sample")[0]["train"].to_list()
    return [row for row in every if 4 <= len(relations.candidates([row], TYPES)) <= 9][:3]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def tokenizer(llama: Path) -> Any:
    return AutoTokenizer.from_pretrained(llama)


def prompt_of(tokenizer: Any, style: str = "plain", max_length: int = 512, share: bool = True) -> Prompt:
    return prompts.prompt_of(tokenizer, TYPES, style, QUESTION, max_length, share)


def answer_logits(model: Any, examples: Any) -> tuple[torch.Tensor, float]:
    """The logits from which each answer token is read, sorted so that order says nothing, and the summed loss."""
    batch = training.Collator(0)(examples.to_list())
    labels = batch.pop("labels")[:, 1:]
    with torch.no_grad():
        logits = model(**batch).logits[:, :-1][labels != training.IGNORED]
    loss = torch.nn.functional.cross_entropy(logits, labels[labels != training.IGNORED], reduction="sum")
    return logits, loss.item()


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_questions_that_share_a_text_are_answered_as_apart(
    attention: str, llama: Path, tokenizer: Any, rows: list[dict[str, Any]]
) -> None:
    """Logits and loss of one example a document, padded in one batch, are those of one prompt a candidate."""
    model = AutoModelForCausalLM.from_pretrained(llama, attn_implementation=attention).eval()
    together, counts = training.examples(prompt_of(tokenizer), tokenizer, rows, TYPES)
    apart, _ = training.examples(prompt_of(tokenizer, share=False), tokenizer, rows, TYPES)
    assert len(together) == counts["examples"] == 3 and len(apart) == counts["candidates"] > 12
    expected, loss = answer_logits(model, apart)
    leaking, _ = answer_logits(model, together)
    training.share_text(model)
    logits, shared_loss = answer_logits(model, together)
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)
    assert shared_loss == pytest.approx(loss, rel=1e-5)
    assert (leaking - expected).abs().max() > 0.1, "without the mask each question sees those before it"


def test_whether_a_model_can_share_a_text_is_tried(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = AutoModelForCausalLM.from_pretrained(llama)
    assert training.can_share_text(model, 512) and training.can_share_text(model.bfloat16(), 512)
    assert not training.can_share_text(AutoModelForCausalLM.from_pretrained(write_mamba(tmp_path)), 512)
    model.config.sliding_window = 256
    assert not training.can_share_text(model, 512) and training.can_share_text(model, 256)
    causal = torch.ones(1, 1, 14, 14, dtype=torch.bool).tril()
    monkeypatch.setattr(training, "sees", lambda _: causal)
    assert not training.can_share_text(model, 256), "an architecture that lets questions see each other is found out"


def test_scores_are_the_same_shared_and_apart(llama: Path, tokenizer: Any, rows: list[dict[str, Any]]) -> None:
    """And those of the definition; a type that takes other entities gets 0."""
    model = AutoModelForCausalLM.from_pretrained(llama)
    types = {**TYPES, "binds": [("Chemical", "Gene")]}
    found, texts = relations.candidates(rows, types), [row["text"] for row in rows]
    shared, apart = (
        scoring.probabilities((model, tokenizer), texts, found, types, prompt_of(tokenizer, share=share))
        for share in (True, False)
    )
    np.testing.assert_allclose(shared, apart, atol=1e-5)
    assert ((shared > 0) == [[c.tail.type == "Disease", c.tail.type == "Gene"] for c in found]).all()
    row = next(i for i, c in enumerate(found) if c.tail.type == "Disease")
    names = (prompts.name_of(texts[0], each) for each in (found[row].head, found[row].tail))
    ids = tokenizer(texts[0])["input_ids"] + tokenizer("\n\n{}, {}?".format(*names))["input_ids"]
    yes, no = (tokenizer(answer)["input_ids"] for answer in (" yes", " no"))
    log_probabilities = []
    for answer in (yes, no):
        with torch.no_grad():
            each = model(torch.tensor([ids + answer])).logits[0, len(ids) - 1 : -1].log_softmax(-1)
        log_probabilities.append(each[range(len(answer)), answer].sum())
    assert shared[row, 0] == pytest.approx(torch.sigmoid(log_probabilities[0] - log_probabilities[1]).item(), abs=1e-5)


def test_long_texts_are_cut_and_counted_and_many_questions_divided(tokenizer: Any, rows: list[dict[str, Any]]) -> None:
    whole, counts = training.examples(prompt_of(tokenizer, max_length=2000), tokenizer, rows, TYPES)
    assert counts["texts_cut"] == 0 and counts["examples"] == counts["documents"] == 3
    limit = min(map(len, whole["input_ids"])) // 2
    cut, counts = training.examples(prompt_of(tokenizer, max_length=limit), tokenizer, rows, TYPES)
    assert counts["texts_cut"] == 3 and max(map(len, cut["input_ids"])) <= limit
    assert len(cut) == counts["examples"] > counts["documents"] == 3

    def learnt(examples: Any) -> list[int]:
        return [label for its in examples["labels"] for label in its if label != training.IGNORED]

    assert learnt(cut) == learnt(whole), "each question is asked once, in whichever example"
    record: dict[str, Any] = {"relations": {}}
    training.examples_of_splits(
        prompt_of(tokenizer, max_length=limit), tokenizer, {"train": load_documents("sample")[0]["train"].select([])}
        | {"test": load_documents("sample")[0]["test"].select(range(2))}, TYPES, record,
    )  # fmt: skip
    assert f"do not fit {limit} tokens with a question: 0 of 0 in train, 2 of 2 in test" in record["notes"][0]
    with pytest.raises(BioftError, match=r"max_length is 20, .* Give --max_length \d+ or more"):
        training.examples(prompt_of(tokenizer, max_length=20), tokenizer, rows, TYPES)


def test_a_concept_is_called_as_its_text_calls_it_most_often() -> None:
    text = "Lithium. LITHIUM carbonate, lithium and Li; lithium carbonate or Li or Li2CO3."
    mentions = ("Lithium", "LITHIUM carbonate", "lithium", "Li;", "Li2CO3")
    places = [(text.index(each), text.index(each) + len(each.rstrip(";"))) for each in mentions]
    assert prompts.name_of(text, Concept("D1", "Chemical", places)) == "Lithium (LITHIUM carbonate)"
    assert prompts.name_of(text, Concept("D1", "Chemical", places[:1] + places[2:3])) == "Lithium"


def test_a_chat_template_is_written_around_text_and_question(tokenizer: Any, rows: list[dict[str, Any]]) -> None:
    prompt, found = prompt_of(tokenizer, "chat", 2000), relations.candidates(rows[:1], TYPES)
    (asked,) = prompts.encode(prompt, tokenizer, [rows[0]["text"]], found, TYPES)
    names = (prompts.name_of(rows[0]["text"], each) for each in (found[0].head, found[0].tail))
    said = (
        f"{rows[0]['text']}\n\n{QUESTION.format(**dict(zip(('head', 'tail'), names, strict=True)))} Answer yes or no."
    )
    message = [{"role": "user", "content": said}]
    whole = tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
    assert tokenizer.decode(asked.text + asked.questions[0]) == whole


def test_a_prompt_that_cannot_be_is_refused(tokenizer: Any) -> None:
    for question, message in (
        ("{head} and {disease}?", r"\{disease\}, which is not known"),
        ("{head}?", "must hold"),
        ("{head} {tail", "expected '}'"),
        ("{head.__class__} {tail}", "not known"),
        ("{head} {tail:99999999}", r"\{tail:99999999\}, which is not known"),
    ):
        with pytest.raises(BioftError, match=message):
            prompts.prompt_of(tokenizer, TYPES, "plain", question, 64, True)
    with pytest.raises(BioftError, match=r"with 2 relation types it must hold \{relation\}"):
        prompts.prompt_of(tokenizer, {**TYPES, "binds": [("Chemical", "Gene")]}, "plain", QUESTION, 64, True)
    with pytest.raises(BioftError, match="must be one of plain, chat"):
        prompt_of(tokenizer, "alpaca")
