"""`bioft baselines --encoder`: an encoder that nobody trained here, on pairs with graded scores."""

import json
from pathlib import Path
from random import Random

import pytest
import scipy.stats
from datasets import load_dataset
from transformers.utils import logging as transformers_logging
from typer.testing import CliRunner

from bioft.cli.main import app
from bioft.tasks.retrieval import figures, named
from tests.labelled_texts import write_weak_labels
from tests.tiny import write_encoder

WORDS = [f"{kind}{each}" for kind in ("drug", "disease") for each in "abcdef"]


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 200 pairs of sentences, the more alike the higher their score."""
    folder, rng = tmp_path_factory.mktemp("graded"), Random(0)
    lines = ["sentence1\tsentence2\tscore"]
    for row in range(200):
        one, kept = rng.sample(WORDS, 8), rng.randrange(8)
        other = one[:kept] + rng.sample(WORDS, 8 - kept)
        lines.append(f"{' '.join(one)} {row}\t{' '.join(other)} a{row}\t{kept / 7 * 4 + rng.random():.2f}")
    (folder / "pairs.tsv").write_text("\n".join(lines) + "\n")
    built = CliRunner().invoke(
        app, ["build", "pairs", str(folder / "pairs.tsv"), "--score-range", "0,5", "-o", str(folder / "data")]
    )
    assert built.exit_code == 0, built.output
    return folder / "data"


def test_correlations_are_those_of_scipy(graded: Path, tmp_path: Path) -> None:
    model = str(write_encoder(tmp_path / "model"))
    transformers_logging.enable_progress_bar()
    result = CliRunner().invoke(app, ["baselines", str(graded), "--encoder", model, "--json"])
    assert result.exit_code == 0, result.output
    assert "Loading weights" not in result.stderr, "a bar of the library, where there is no terminal"
    found = json.loads(result.stdout)
    assert list(found) == ["bm25", "tfidf", model] and "ndcg_at_10" in found[model]
    rows = load_dataset("parquet", data_files=str(graded / "test.parquet"), split="train", cache_dir=str(tmp_path))
    cosines = figures.cosines(rows, named.load(model)[0])
    for name, correlation in {"spearman": scipy.stats.spearmanr, "pearson": scipy.stats.pearsonr}.items():
        its = found[model][name]
        assert its["value"] == pytest.approx(correlation(cosines, rows["score"][:]).statistic)
        assert its["low"] < its["value"] < its["high"]


def test_correlations_are_shown(graded: Path, tmp_path: Path) -> None:
    model = str(write_encoder(tmp_path / "model"))
    result = CliRunner().invoke(app, ["baselines", str(graded), "--encoder", model], env={"COLUMNS": "160"})
    assert result.exit_code == 0 and "Spearman" in result.output and "Test pairs with scores, n = " in result.output


def test_an_encoder_alone_is_nothing_for_labels(tmp_path: Path) -> None:
    data = write_weak_labels(tmp_path / "data")
    result = CliRunner().invoke(app, ["baselines", str(data), "--encoder", "embedded:all-minilm-l6-v2"])
    assert result.exit_code == 1 and "Leave out --encoder" in result.output
    result = CliRunner().invoke(app, ["baselines", str(tmp_path / "absent"), "--encoder", "x"])
    assert result.exit_code == 1
