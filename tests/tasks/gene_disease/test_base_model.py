"""What the base model does before training: with examples in its prompt, and asked for what it may have read."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import Dataset, DatasetDict
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from typer.testing import CliRunner

from bioft.cli.main import app
from bioft.datasets.recorded import recorded_splits
from bioft.errors import BioftError
from bioft.models import scoring
from bioft.storage import runs
from bioft.tasks.gene_disease import evaluate, predict as prediction
from bioft.tasks.gene_disease.prompts import PairPrompts
from tests.tiny import write_model


def test_examples_come_before_the_question_with_their_answers(tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(write_model(tmp_path))
    config = AutoConfig.from_pretrained(tmp_path, max_position_embeddings=2048)
    rows = {"gene": list("ABCD"), "disease": ["x", "y", "z", "u"], "label": [1, 1, 0, 0]}
    for style, expected in (
        ("plain", "A and x: yes\n\nC and z: no\n\nG and d:"),
        ("alpaca", "A is associated with x\n\n### Response:\ntrue"),
        ("chat", "Gene: C\nDisease: z"),
    ):
        prompts = PairPrompts(style, tokenizer).with_shots(Dataset.from_dict(rows), 2, config)
        text = tokenizer.decode(prompts.token_ids(["G"], ["d"])[0])
        assert expected in text
        assert text.count("Answer yes or no") == (style == "chat")
        assert "A" in text and "B and" not in text
    for n in (3, 6, -2):
        with pytest.raises(BioftError, match=f"few_shot is {n}: give an even number"):
            PairPrompts("plain", tokenizer).with_shots(Dataset.from_dict(rows), n, config)
    config.max_position_embeddings = 20
    with pytest.raises(BioftError, match=r"few_shot is 4: such a prompt takes .* tokens, the model reads 20"):
        PairPrompts("plain", tokenizer).with_shots(Dataset.from_dict(rows), 4, config)


def test_few_shot_is_a_row_of_the_run_and_is_made_again(combined: Path) -> None:
    record, table = runs.read(combined), pd.read_parquet(combined / runs.PREDICTIONS)
    assert record["scoring"]["few_shot"] == 4
    assert {"auroc", "accuracy"} <= record["baselines"]["few_shot"].keys()
    assert "few_shot" not in record["scoring"]["combination"]["weights"]
    splits = recorded_splits(combined, record)
    model = prediction.load(combined)
    made = prediction.predict_few_shot(model, splits, record)
    np.testing.assert_allclose(made["score"], table["baseline_few_shot"], atol=1e-5)
    assert not np.allclose(table["baseline_few_shot"], table["base_score"], atol=1e-4)


def test_a_completion_is_as_likely_as_its_tokens_one_by_one(tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(write_model(tmp_path)).eval()
    prompts, answers = [[5, 6, 7], [8]], [[9, 10], [11, 12, 13]]
    sums, greedy = scoring.completions(model, prompts, answers, 64)
    for prompt, answer, found in zip(prompts, answers, sums, strict=True):
        with torch.no_grad():
            logits = model(torch.tensor([prompt + answer])).logits[0].log_softmax(-1)
        expected = sum(logits[len(prompt) - 1 + place, token].item() for place, token in enumerate(answer))
        assert found == pytest.approx(expected, abs=1e-4)
    assert not greedy.any()
    best = model(torch.tensor([prompts[0]])).logits[0, -1].argmax().item()
    assert scoring.completions(model, prompts[:1], [[best]], 64)[1].all()


def test_the_probe_finds_a_model_that_has_read_the_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One that knows all associations is right in all cases, one that knows none by chance."""
    model = AutoModelForCausalLM.from_pretrained(write_model(tmp_path))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    pairs = [(f"GEN{i}", f"Disease {i % 30}") for i in range(60)]
    columns = {"gene": [g for g, _ in pairs], "disease": [d for _, d in pairs], "label": [1] * 60}
    rows = Dataset.from_dict(columns | {"gene_id": columns["gene"], "disease_id": columns["disease"]})
    known = {(f"Disease: {d}\nGene:", f" {g}\n") for g, d in pairs}

    def read(_: Any, prompts: list[list[int]], answers: list[list[int]], *more: Any) -> tuple[Any, Any]:
        asked = [tuple(map(tokenizer.decode, pair)) for pair in zip(prompts, answers, strict=True)]
        right = np.array([(prompt.replace("<s>", ""), answer) in known for prompt, answer in asked])
        return np.where(right, -1.0, -2.0), right

    measured = evaluate.memorisation(model, tokenizer, DatasetDict({"train": rows}), 40)
    assert measured["likelier"]["low"] < 0.5 < measured["likelier"]["high"] and measured["completed"]["value"] == 0
    monkeypatch.setattr(scoring, "completions", read)
    measured = evaluate.memorisation(model, tokenizer, DatasetDict({"train": rows}), 40)
    assert [measured[name]["value"] for name in ("likelier", "completed")] == [1, 1]
    assert (
        "of 40 associations, it finds it likelier than one with as many associations in 1.000" in measured["sentence"]
    )


def test_a_forged_probe_and_a_forged_few_shot_score_are_found(combined: Path) -> None:
    honest = (combined / runs.RECORD).read_text()
    assert "Has the base model read the data?" in (combined / runs.CARD).read_text()
    record = json.loads(honest)
    record["memorisation"]["likelier"]["value"] -= 0.1
    record["scoring"]["baseline_thresholds"]["few_shot"] += 0.2
    (combined / runs.RECORD).write_text(json.dumps(record))
    try:
        verdict = " ".join(CliRunner().invoke(app, ["verify", str(combined)]).output.split())
    finally:
        (combined / runs.RECORD).write_text(honest)
    assert "The memorisation probe gives:" in verdict
    assert "few_shot: validation does not give the recorded threshold" in verdict
