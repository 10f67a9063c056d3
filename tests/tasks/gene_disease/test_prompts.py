"""What the model reads in scoring is token for token what it read in training."""

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from bioft.errors import BioftError
from bioft.tasks.gene_disease.prompts import STYLES, PairPrompts
from tests.tiny import CHAT_TEMPLATES, write_model

ROW = {"gene": "GEN1", "disease": "Syndrome B, familial", "label": 1}


def test_auto_takes_the_chat_template_where_there_is_one(tmp_path: Path) -> None:
    with_template = AutoTokenizer.from_pretrained(write_model(tmp_path / "a"))
    without = AutoTokenizer.from_pretrained(write_model(tmp_path / "b", chat_template=False))
    assert PairPrompts("auto", with_template).name == "chat"
    assert PairPrompts("auto", without).name == "plain"
    with pytest.raises(BioftError, match="no chat template"):
        PairPrompts("chat", without)
    with pytest.raises(BioftError, match="Unknown prompt_style 'alpacca'"):
        PairPrompts("alpacca", without)


@pytest.mark.parametrize("architecture", CHAT_TEMPLATES)
def test_the_instruction_reaches_every_template_once(architecture: str, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(write_model(tmp_path, architecture))
    prompts = PairPrompts("chat", tokenizer)
    assert prompts.has_system_role == (architecture != "mistral")
    text = tokenizer.decode(prompts.token_ids(["GEN1"], ["Syndrome B"])[0])
    assert text.count(STYLES["chat"].system) == 1
    assert text.count("GEN1") == 1 and text.count("Syndrome B") == 1
    # Llama 3's template writes the beginning-of-sequence token: tokenizing must not add another.
    assert text.count("<s>") == (0 if architecture == "phi3" else 1)


def test_labels_choose_the_answer(tmp_path: Path) -> None:
    prompts = PairPrompts("alpaca", AutoTokenizer.from_pretrained(write_model(tmp_path)))
    assert prompts.example(ROW)["completion"] == "true"
    assert prompts.example({**ROW, "label": 0})["completion"] == "false"
    assert "GEN1 is associated with Syndrome B, familial" in prompts.example(ROW)["prompt"]
