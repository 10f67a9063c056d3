"""Honest runs of every task, and what a careful forger makes of them.

The golden runs are trained and small, but were recorded by an earlier schema. `honest` records one as its recipe would
today: the same model, with predictions, figures, comparisons, audit and card by today's methods. Plots, which take a
second each, are drawn where a test is about them.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from datasets import Dataset, DatasetDict

from bioft import task as tasks
from bioft.cards import model as cards
from bioft.datasets.load import describe
from bioft.datasets.recorded import RecordedData, recorded_data
from bioft.hub import pull
from bioft.storage import datasets as storage, runs
from bioft.task import BASE, FINE_TUNED
from bioft.tasks.relations import predict as relation_prediction
from bioft.tasks.text_labels import evaluate as text_evaluation
from bioft.verify import checks, files
from bioft.verify.card import check_card, notes_of
from bioft.verify.findings import Verification

GOLDEN = Path("tests/golden")
TASKS = sorted(path.name for path in (Path(__file__).parents[1] / "golden" / "runs").iterdir())


@dataclass
class Forged:
    """A copy of a run that is being changed; `write` makes record, checksums and card agree."""

    directory: Path
    record: dict[str, Any]
    data: RecordedData
    fitted: dict[str, pd.DataFrame] = field(default_factory=dict)
    """The baselines, fitted on the data."""

    @property
    def run(self) -> checks.Run:
        """The run as `verify` sees it."""
        task = pull.task_of(self.directory, self.record)
        return checks.Run(self.directory, self.record, task, Verification(str(self.directory)))

    @property
    def predictions(self) -> pd.DataFrame:
        """The file of predictions."""
        return pd.read_parquet(self.directory / runs.PREDICTIONS)

    def store(self, table: pd.DataFrame) -> None:
        """Put another table in the place of the stored predictions, and state what follows from it."""
        table.to_parquet(self.directory / runs.PREDICTIONS, index=False)
        if (self.directory / text_evaluation.REPORT).is_file():
            (self.directory / text_evaluation.REPORT).write_text(text_evaluation.report(table, self.record))
        self.restate()

    def restate(self) -> None:
        """State the figures and comparisons that the stored predictions give."""
        run, splits = self.run, self.data.splits
        if (of_rows := run.optional("answers", "of_rows")) is not None:
            run.table = of_rows(run.table, splits["test"])
        figures = run.of_task("evaluate", "figures")
        for name, table in ({**self.fitted, **run.systems}).items():
            stated = self.record["metrics"] if name == FINE_TUNED else self.record["baselines"].setdefault(name, {})
            if name == BASE:
                stated = self.record["base_model_metrics"]
                self.record["baselines"].pop(BASE)
            stated |= figures(table, splits, self.record)
        baselines = self.fitted | {name: its for name, its in run.systems.items() if name not in (FINE_TUNED, BASE)}
        self.record |= run.of_task("evaluate", "comparisons")(run.table, baselines, splits, self.record)
        if (analyses := run.optional("evaluate", "analyses")) is not None:
            every = baselines | {name: its for name, its in run.systems.items() if name not in baselines}
            self.record |= json.loads(json.dumps(analyses(every, splits, self.record)))

    def use(self, splits: Any, folder: Path, *, restated: bool = True, **changes: Any) -> Path:
        """Say that other data were used, which are saved in a folder with a manifest that fits them; returns it.

        What was predicted in their test split is as stored, with their labels. `changes` are made in the manifest.
        """
        prints = {split: storage.fingerprint(rows) for split, rows in splits.items()}
        manifest = self.data.manifest | {"fingerprints": prints} | changes
        if "rows" not in changes:
            manifest["rows"] = {split: counted(rows) for split, rows in splits.items()}
        self.data = RecordedData(splits, manifest, [])
        self.record["dataset"] |= json.loads(json.dumps(describe(manifest)))
        if restated:
            manifest["audit"] = manifest["audit"] | self.run.of_task("evaluate", "audit")(splits, self.record)
            self.record["audit"] = json.loads(json.dumps(manifest["audit"]))
            self.fitted = self.run.of_task("evaluate", "baselines")(splits, self.record)
            table = self.predictions
            expected = self.run.of_task("evaluate", "test_rows")(splits)
            for name, its in self.fitted.items():
                table[f"baseline_{name}"] = answers_of(its)
            self.store(table.assign(**{column: expected[column].to_numpy() for column in expected}))
        storage.save(splits, manifest, folder)
        return folder

    def draw(self) -> None:
        """Draw the plots of a run, as its recipe would."""
        (self.directory / "plots").mkdir()
        files.draw(self.directory, self.record, self.run.task)

    def write(self) -> Path:
        """Write checksums, record and card."""
        self.record["files"] = runs.checksums(self.directory)
        (self.directory / runs.RECORD).write_text(json.dumps(self.record))
        (self.directory / runs.CARD).write_text(cards.model_card(self.record), encoding="utf-8")
        return self.directory


def honest(name: str, folder: Path) -> Forged:
    """A golden run as today's recipe would record it, in `folder`."""
    shutil.copytree(GOLDEN / "runs" / name, folder)
    record = runs.read(folder)
    record |= {"schema_version": runs.SCHEMA_VERSION, "module": f"bioft.tasks.{name}"}
    record["packages"]["matplotlib"] = version("matplotlib")
    data = recorded_data(folder, record, rebuild=True)
    audits = getattr(tasks.part(pull.task_of(folder, record), "evaluate"), "audit", lambda splits, record: {})
    audit = audits(data.splits, record)
    record |= {"dataset": record["dataset"] | describe(data.manifest), "audit": data.manifest["audit"] | audit}
    record = json.loads(json.dumps(record))
    forged = Forged(folder, record, data)
    run, splits = forged.run, data.splits
    choose_by_rule(run, splits)
    forged.fitted = run.of_task("evaluate", "baselines")(splits, record)
    model = run.of_task("predict", "load")(folder)
    figures = run.of_task("evaluate", "figures")
    made = run.of_task("predict", "predict")(model, splits["test"], record)
    store_predictions(folder, made, forged.fitted, record)
    base = run.of_task("predict", "predict_base")(model, splits, record)
    record["metrics"] = figures(made, splits, record)
    record["base_model_metrics"] = figures(base, splits, record)
    record["baselines"] = {name: figures(its, splits, record) for name, its in forged.fitted.items()}
    forged.restate()
    forged.write()
    return forged


def choose_by_rule(run: checks.Run, splits: Any) -> None:
    """Thresholds as the recipes choose them now: .5, for the validation splits of the golden runs are small."""
    record, evaluate = run.record, tasks.part(run.task, "evaluate")
    if "scoring" in record:
        rule = evaluate.threshold_chosen_on(splits)  # type: ignore[union-attr]
        record["scoring"] |= {"threshold": 0.5, "base_model_threshold": 0.5, "threshold_chosen_on": rule}
        others = dict.fromkeys(evaluate.baseline_names(record), 0.5)  # type: ignore[union-attr]
        record["scoring"]["baseline_thresholds"] = others
    if "classifier" in record:
        rules = evaluate.chosen_on(splits, record["labels"]).values()  # type: ignore[union-attr]
        record["classifier"] |= {"thresholds_chosen_on": list(rules), "thresholds": [0.5] * len(record["labels"])}
        assert "validation" not in rules
    if "relations" in record:
        arguments = relation_prediction.recorded_arguments(record)
        rule = relation_prediction.threshold_chosen_on(splits["validation"].to_list(), arguments)
        record["relations"] |= {"threshold": 0.5, "threshold_chosen_on": rule}
        assert rule != "validation"
    record["notes"] = notes_of(record)


def store_predictions(
    folder: Path, made: pd.DataFrame, fitted: dict[str, pd.DataFrame], record: dict[str, Any]
) -> None:
    """Put what model and baselines answer with these thresholds in the place of what was stored."""
    table = pd.read_parquet(folder / runs.PREDICTIONS)
    if "document_id" in table:  # candidates of relations
        table["prediction"] = (table["score"] >= 0.5).astype(int)
    else:
        table = table.assign(**{str(name): made[name].to_numpy() for name in made if name in table})
        for name, its in fitted.items():
            if f"baseline_{name}" in table:
                table[f"baseline_{name}"] = answers_of(its)
    table.to_parquet(folder / runs.PREDICTIONS, index=False)
    if (folder / text_evaluation.REPORT).is_file():
        (folder / text_evaluation.REPORT).write_text(text_evaluation.report(table, record))


def counted(rows: Any) -> dict[str, int]:
    """What a manifest counts of a split: both labels of pairs, else its rows."""
    if "gene" not in rows.column_names:
        return {"documents": len(rows)}
    return {"positive": sum(rows["label"]), "negative": len(rows) - sum(rows["label"])}


def answers_of(table: pd.DataFrame) -> Any:
    """The column of a baseline's table that is stored: scores of pairs, else answers."""
    return table["score" if "score" in table and "ranked" not in table else "prediction"].to_numpy()


def copied(run: Forged, folder: Path) -> Forged:
    """A copy to be forged."""
    shutil.copytree(run.directory, folder)
    return Forged(folder, runs.read(folder), run.data, run.fitted)


def with_rows(forged: Forged, **changed: pd.DataFrame) -> DatasetDict:
    """The splits with other rows in some of them."""
    splits = forged.data.splits
    rows = {
        name: Dataset.from_pandas(table.reset_index(drop=True), features=splits[name].features, preserve_index=False)
        for name, table in changed.items()
    }
    return DatasetDict({**splits, **rows})


def found_on_card(forged: Forged, change: Callable[[str], str]) -> Verification:
    """What is found of the card of a run that is changed so."""
    card = forged.directory / runs.CARD
    before = card.read_text()
    card.write_text(change(before))
    assert card.read_text() != before
    check_card(forged.directory, forged.record, found := Verification("run"))
    return found
