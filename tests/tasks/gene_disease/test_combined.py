"""`bioft predict --combined` and `bioft compare` give what the record says of model and baselines together."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from bioft.cli.main import app
from bioft.compare.compare import compare, system_words
from bioft.errors import BioftError
from bioft.metrics import combination
from bioft.metrics.report import WITH_MODEL
from bioft.storage import runs
from bioft.task import FINE_TUNED
from bioft.tasks.gene_disease import rank


def test_pairs_of_a_file_get_the_combined_score_of_the_run(combined: Path, tmp_path: Path) -> None:
    """Of test pairs what their stored scores give; a gene that training never saw is named."""
    record, stored = runs.read(combined), pd.read_parquet(combined / runs.PREDICTIONS)
    source, output = tmp_path / "pairs.csv", tmp_path / "scored.csv"
    new = pd.DataFrame({"gene": ["NEW1", "NEW1", stored["gene"][0]], "disease": [stored["disease"][0], "X", "X"]})
    asked = pd.concat([stored[["gene", "disease"]], new])
    asked.assign(gene=asked["gene"].str.lower()).to_csv(source, index=False)
    result = CliRunner().invoke(app, ["predict", str(combined), "--combined", "-i", str(source), "-o", str(output)])
    assert result.exit_code == 0, result.output
    found = pd.read_csv(output, keep_default_na=False)
    weights = record["scoring"]["combination"]
    scores = {name: stored[f"baseline_{name}"].to_numpy() for name in weights["weights"] if name != FINE_TUNED}
    expected = combination.score(weights, {FINE_TUNED: stored["score"].to_numpy(), **scores})
    n = len(stored)
    np.testing.assert_allclose(found["score"][:n], expected, atol=1e-4)
    np.testing.assert_allclose(found["all_together"][:n], stored["baseline_all_together"], atol=1e-6)
    assert found["threshold"].to_list() == pytest.approx([weights["threshold"]] * (n + 3))
    assert found["not_in_training"][n:].tolist() == ["gene", "gene and disease", "disease"]
    assert re.search(
        r"never saw the gene of .* pairs \(.*new1\): these scores rest on the names, and what training",
        (result.stderr),
    )
    shown = CliRunner().invoke(app, ["predict", str(combined), "--combined", "--gene", "NEW1", "--disease", "X"])
    assert "the model alone" in shown.stdout and "all baselines together" in shown.stdout
    assert "never saw the gene and disease of 1 of 1 pairs (NEW1 and X)" in shown.stderr


def test_without_weights_there_is_no_combined_score(combined: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = runs.read(combined)
    del record["scoring"]["combination"]
    monkeypatch.setattr(runs, "read_trained", lambda *words: record)
    with pytest.raises(BioftError, match=r"has no weights of model and baselines.*Leave out --combined"):
        rank.combined(combined, [("GEN1", "X")])


def test_compare_has_the_row_with_the_model(combined: Path) -> None:
    (ranking,) = compare([str(combined)]).rankings
    rows = {system_words(row): row for row in ranking.table.to_dict("records")}
    added = runs.read(combined)["added"]
    assert rows["all baselines with the model"]["value"] == pytest.approx(added["first"])
    assert rows["all baselines together (baseline)"]["value"] == pytest.approx(added["second"])


def test_compare_computes_what_a_record_may_forge(combined: Path, tmp_path: Path) -> None:
    """The row of model and baselines together follows from stored scores by the weights, whatever the record says."""
    forged = shutil.copytree(combined, tmp_path / "run")
    record = runs.read(forged)
    record["added"]["metrics"]["auroc"] |= {"value": 0.99, "low": 0.98, "high": 1.0}
    (forged / runs.RECORD).write_text(json.dumps(record))
    (ranking,) = compare([str(forged)]).rankings
    rows = {system_words(row): row for row in ranking.table.to_dict("records")}
    assert rows["all baselines with the model"]["value"] == pytest.approx(record["added"]["first"])
    assert rows[str(forged)]["best_baseline"] != WITH_MODEL
