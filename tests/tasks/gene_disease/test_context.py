"""What prompts say beside names: never the answer, the same with and without bioft, and only what training knows."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset, DatasetDict
from transformers import AutoTokenizer
from typer.testing import CliRunner

from bioft.cli.main import app
from bioft.datasets.hpo import context as contexts, gene_disease as hpo
from bioft.datasets.recorded import recorded_data
from bioft.errors import BioftError
from bioft.storage import runs
from bioft.storage.files import file_sha256
from bioft.tasks.gene_disease import evaluate, predict as prediction
from bioft.tasks.gene_disease.prompts import PairPrompts
from tests import said, snippets
from tests.tiny import write_model

EVERYTHING = 10**6


def pairs(*rows: tuple[str, str, int]) -> Dataset:
    genes, diseases, labels = (list(column) for column in zip(*rows, strict=True))
    columns = {"gene": genes, "gene_id": genes, "disease": diseases, "disease_id": diseases, "label": labels}
    return Dataset.from_dict(columns)


def test_no_prompt_of_a_training_positive_names_its_own_answer_and_negatives_lose_as_much() -> None:
    """All associations of HPO as training pairs: what is left of the known names says nothing of the label."""
    names: dict[str, str] = {}
    known_pairs = [
        (row["gene"], names.setdefault(row["disease"].casefold(), row["disease"]))
        for row in hpo.read()
        if row["gene"] != hpo.NO_SYMBOL
    ]
    known_pairs = list(dict.fromkeys(known_pairs))
    others = [(gene, disease) for (gene, _), (_, disease) in zip(known_pairs, known_pairs[1000:], strict=False)]
    all_of_them = set(known_pairs)
    others = [pair for pair in others if pair not in all_of_them][:5000]
    rows = [(*pair, 1) for pair in known_pairs] + [(*pair, 0) for pair in others]
    context = contexts.build("graph", DatasetDict({"train": pairs(*rows)}))
    assert context is not None
    for gene, disease, label in rows:
        row = {"gene": gene, "disease": disease, "label": label}
        withheld = contexts.withheld(context, row)
        text = contexts.about(context, row["gene"], row["disease"], EVERYTHING, withheld)
        lines = dict(line.split(": ", 1) for line in text.splitlines())
        for side, other in (("gene", "disease"), ("disease", "gene")):
            known, told = context["known"][side].get(row[side], []), lines.get(f"Known {other}s", "")
            if row["label"]:
                assert f"; {row[other]}; " not in f"; {told}; "
            if not any("; " in name for name in known):
                assert len(told.split("; ")) * bool(told) == max(len(known) - 1, 0)


def test_the_most_alike_come_first_and_the_pair_is_withheld_however_it_is_spelt() -> None:
    train = pairs(("FANCA", "Fanconi anemia", 1), ("FANCA", "Aplastic anemia", 1), ("FANCA", "Gout", 1))
    context = contexts.build("graph", DatasetDict({"train": train}))
    assert context is not None
    assert contexts.about(context, "FANCA", "Fanconi anemia, group A", 2) == (
        "Known diseases: Fanconi anemia; Aplastic anemia\n"
    )
    assert "Fanconi" not in contexts.about(context, "FANCA", "fanconi ANEMIA", 5)
    assert "FANCA" not in contexts.about(context, "fanca", "Gout", 5)


@pytest.mark.parametrize("style", ["plain", "chat"])
def test_context_is_cut_to_fit_and_that_is_counted(style: str, tmp_path: Path) -> None:
    rows = [(f"GEN{i}", f"Syndrome {j}, familial", 1) for i in range(5) for j in range(6)]
    dataset = DatasetDict({"train": pairs(*rows), "test": pairs(("GEN1", "Syndrome 99", 0))})
    prompts = PairPrompts(
        style, AutoTokenizer.from_pretrained(write_model(tmp_path)), contexts.build("graph", dataset)
    )
    whole = max(map(len, prompts.token_ids(dataset["train"]["gene"], dataset["train"]["disease"])))
    record: dict[str, Any] = {}
    prompts.check_length(dataset, whole - 10, record)
    assert "30 prompts were cut to fit" in record["notes"][0]
    for label in (0, 1):
        prompt = prompts.example({"gene": "GEN1", "disease": "Syndrome 2, familial", "label": label}, training=True)
        assert "Known diseases: Syndrome" in json.dumps(prompt)
        assert prompts._example_length(prompt["prompt"], label) <= whole - 10
    with pytest.raises(BioftError, match=r"max_length is 5, and GEN\d with .* takes"):
        prompts.check_length(dataset, 5, record)


def test_the_texts_of_a_file_are_those_of_genes_of_the_data(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dataset = DatasetDict({"train": pairs(("FANCA", "Gout", 1), ("FBN1", "Marfan syndrome", 0))})
    file = tmp_path / "genes.tsv"
    file.write_text("gene\ttext\nFANCA\tRepairs  DNA.\nBRCA9\tNone.\nFBN1\t\n")
    context = contexts.build("definition", dataset, str(file))
    assert context is not None
    assert context["texts"]["gene"] == {"FANCA": "Repairs DNA."}
    assert context["texts"]["disease"].keys() == {"Gout"}
    assert "1 of other genes than those of the data (BRCA9), 1 without a text" in caplog.text
    described = contexts.described(context, dataset, 0)
    assert "HPO of 1 of 2 diseases; a text in the user's file of 1 of 2 genes" in contexts.in_words(described)
    file.write_text("gene\ttext\nENSG01\tA gene.\n")
    for kind, words in (("both", "no text for a gene of the data (ENSG01)"), ("graph", "is read with --context")):
        with pytest.raises(BioftError, match=re.escape(words)):
            contexts.build(kind, dataset, str(file))
    with pytest.raises(BioftError, match="None of the 1 diseases is a term of HPO"):
        contexts.build("definition", DatasetDict({"train": pairs(("FANCA", "Nothing known", 1))}))


DAMAGED = {
    "endless lists": "[" * 100_000,
    "a list": "[]",
    "no diseases": '{"kind": "graph", "most": 2, "longest": null, "known": {"gene": {}}, "texts": {}}',
    "a number": '{"kind": "graph", "most": 2, "longest": null, "known": {"gene": {"FANCA": 7}}}',
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_context_is_one_sentence(damage: str, tmp_path: Path) -> None:
    record: dict[str, Any] = {"scoring": {"context": {}}}
    with pytest.raises(BioftError, match="No such file"):
        contexts.read(tmp_path, record)
    (tmp_path / contexts.FILE).write_text(DAMAGED[damage])
    with pytest.raises(BioftError, match=r"context\.json can't be read as the context of prompts: .*\. Take the file"):
        contexts.read(tmp_path, record)


def test_a_run_with_context_answers_with_and_without_bioft(combined: Path) -> None:
    said.check(combined)
    splits, record = recorded_data(combined, runs.read(combined)).splits, runs.read(combined)
    assert record["scoring"]["context"]["kind"] == "both"
    table = pd.read_parquet(combined / runs.PREDICTIONS)
    asked = list(zip(table["gene"], table["disease"], strict=True))
    again = [its["score"] for its in prediction.predict_pairs(combined, asked)]
    np.testing.assert_allclose(again, table["score"], atol=1e-5)
    known = splits["train"].filter(lambda row: row["label"])[0]
    card = (combined / runs.CARD).read_text()
    assert f"context ({contexts.FILE})" in card
    code = snippets.of(card).replace("<this repository>", str(combined))
    code = code.replace("<base model>", record["base_model"]["name_or_path"])
    found: dict[str, Any] = {}
    exec(code, found)
    for gene, disease in (*asked[:3], (known["gene"], known["disease"]), ("NEW1", "New disease")):
        (expected,) = prediction.predict_pairs(combined, [(gene, disease)])
        assert found["score"](gene, disease) == pytest.approx(expected["score"], abs=1e-5)


def test_what_training_does_not_know_is_said(combined: Path) -> None:
    result = CliRunner().invoke(app, ["predict", str(combined), "--gene", "NEW1", "--disease", "Some disease"])
    assert "no context for gene NEW1, disease Some disease" in result.stderr


def test_verify_finds_a_context_that_tells_test_pairs(combined: Path) -> None:
    record, path = runs.read(combined), combined / contexts.FILE
    splits = recorded_data(combined, record).splits
    assert evaluate.check_files(combined, splits, record) == []
    honest = path.read_text(), (combined / runs.RECORD).read_text()
    try:
        context = json.loads(honest[0])
        test = splits["test"].filter(lambda row: row["label"])[0]
        context["known"]["gene"].setdefault(test["gene"], []).append(test["disease"])
        path.write_text(json.dumps(context))
        record["files"][contexts.FILE] = file_sha256(path)
        (combined / runs.RECORD).write_text(json.dumps(record))
        verdict = CliRunner().invoke(app, ["verify", str(combined), "--sample", "3"])
        assert f"{contexts.FILE} does not tell what the training pairs say" in " ".join(verdict.output.split())
    finally:
        path.write_text(honest[0])
        (combined / runs.RECORD).write_text(honest[1])
