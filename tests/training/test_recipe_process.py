"""What a run of a recipe is judged by, where nobody names a metric."""

from pathlib import Path

import pytest

from bioft.errors import BioftError
from bioft.training.recipe_process import main_metric


def test_a_run_is_judged_by_its_comparison_or_else_by_the_main_metric_of_its_task(tmp_path: Path) -> None:
    record = {"task": "text-retrieval"}
    assert main_metric(tmp_path, record) == "ndcg_at_10"
    assert main_metric(tmp_path, record | {"comparison": {}}) == "ndcg_at_10"
    assert main_metric(tmp_path, record | {"comparison": {"metric": "map"}}) == "map"
    with pytest.raises(BioftError, match="no task 'translation'"):
        main_metric(tmp_path, {"task": "translation"})
