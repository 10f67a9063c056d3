"""The runs of recipes/results whose predictions are kept: every figure follows from them, on data built anew.

Their models are not kept. All else of `bioft verify` is done: the data are built again from what bioft ships, and
audited; the baselines are fitted again; figures, intervals and comparisons are those of the predictions.
"""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from bioft import task as tasks
from bioft.datasets.hpo import context as contexts
from bioft.datasets.recorded import recorded_data
from bioft.storage import runs
from bioft.task import FINE_TUNED
from bioft.verify import checks
from bioft.verify.findings import Verification
from tests.figures import RESULTS

KEPT = sorted(path.parent.relative_to(RESULTS) for path in RESULTS.rglob(runs.PREDICTIONS))


def findings(kept: Path, folder: Path) -> Verification:
    """What is found of a run of recipes/results without its model."""
    record = json.loads(kept.with_suffix(".json").read_text(encoding="utf-8"))
    (folder / runs.RECORD).write_text(json.dumps(record))
    shutil.copytree(kept, folder, dirs_exist_ok=True)
    run = checks.Run(folder, record, tasks.find(record, pulled=False), Verification(str(kept)), None, 0, False)
    data = recorded_data(folder, record, rebuild=True)
    checks.check_systems(run)
    if (of_rows := run.optional("answers", "of_rows")) is not None:
        run.table = of_rows(run.table, data.splits["test"])
    if context := record.get("scoring", {}).get("context"):  # of a megabyte, which follows from the data: not kept
        contexts.write(folder, contexts.build(context["kind"], data.splits))
    assert checks.check_data(run, data)
    checks.check_stored(run, data.splits, checks.fit_baselines(run, data.splits))
    return run.found


@pytest.mark.slow
@pytest.mark.parametrize("name", KEPT, ids=str)
def test_every_figure_of_a_kept_run_follows(name: Path, tmp_path: Path) -> None:
    found = findings(RESULTS / name, tmp_path)
    assert (found.best, found.reasons) == ("verified", [])
    baselines = json.loads((RESULTS / name).with_suffix(".json").read_text(encoding="utf-8"))["baselines"]
    assert {figure.model for figure in found.figures} >= {FINE_TUNED, *baselines}
    assert all(figure.holds for figure in found.figures)


def test_a_kept_run_that_is_edited_is_found(tmp_path: Path) -> None:
    """The scores of one text of many."""
    source, copy = RESULTS / "text_classification" / "default", tmp_path / "kept"
    shutil.copytree(source, copy)
    shutil.copyfile(source.with_suffix(".json"), copy.with_suffix(".json"))
    table = pd.read_parquet(copy / runs.PREDICTIONS)
    scores = table["scores"].tolist()
    scores[0] = 1 - scores[0]
    table.assign(scores=scores).to_parquet(copy / runs.PREDICTIONS, index=False)
    (tmp_path / "run").mkdir()
    assert any("do not follow" in reason for reason in findings(copy, tmp_path / "run").reasons)
