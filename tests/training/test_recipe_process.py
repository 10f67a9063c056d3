"""What a run of a recipe is judged by, where nobody names a metric; and what ended one that could not say it."""

from pathlib import Path

import pytest

from bioft.errors import BioftError
from bioft.training.recipe_process import main_metric, run_recipe


def test_a_run_is_judged_by_its_comparison_or_else_by_the_main_metric_of_its_task(tmp_path: Path) -> None:
    record = {"task": "text-retrieval"}
    assert main_metric(tmp_path, record) == "ndcg_at_10"
    assert main_metric(tmp_path, record | {"comparison": {}}) == "ndcg_at_10"
    assert main_metric(tmp_path, record | {"comparison": {"metric": "map"}}) == "map"
    with pytest.raises(BioftError, match="no task 'translation'"):
        main_metric(tmp_path, {"task": "translation"})


def test_a_recipe_that_was_killed_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "own.py"
    script.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    assert run_recipe(script, []) < 0
    assert "own was ended by another program or the system (SIGKILL, as where memory" in capfd.readouterr().err
