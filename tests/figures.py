"""The records behind the figures of the documentation: what of a run is kept in recipes/results, and how it is shown.

    python -m tests.figures runs/sft_gda/default recipes/results/sft_gda/default.json

keeps the record of a run, and its predictions where they are small: `tests/docs/test_kept_runs.py` verifies these.

    python -m tests.figures restate recipes/results/sft_gda/default.json

states what its kept predictions give by today's methods of measuring and auditing; it says so (`restated`).

    python -m tests.figures draw docs/results.png

draws the picture of README.md from those records.
"""

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from bioft.cards.words import without_local_paths
from bioft.datasets.recorded import recorded_data
from bioft.metrics.report import interval_text, result_rows, with_random_negatives
from bioft.storage import runs
from bioft.storage.environment import git_state
from bioft.storage.files import file_sha256
from bioft.tasks.text_labels import evaluate as text_evaluation
from tests.verify.forging import Forged

RESULTS = Path(__file__).resolve().parents[1] / "recipes" / "results"
DRAWN = {
    "sft_gda/default": ("auroc", "HPO pairs, AUROC"),
    "sft_gda/smollm2_ctd_uniform": ("auroc", "CTD pairs, AUROC"),
    "sft_gda/smollm2_ctd_context": ("auroc", "CTD, degree-matched, AUROC"),
    "sft_gda/smollm2_ctd_both_held_out": ("auroc", "CTD, both unseen, AUROC"),
    "token_classification/bc5cdr": ("f1", "BC5CDR entities, F1"),
    "sequence_classification/bc5cdr": ("f1", "BC5CDR relations, by pairs, F1"),
    "sft_relations/bc5cdr_1_epoch": ("f1", "BC5CDR relations, by questions, F1"),
    "joint_ner_re/bc5cdr_from_entities_all": ("relation_f1", "BC5CDR relations, jointly, F1"),
    "text_classification/stop_reasons_0": ("f1", "Stop reasons (weak), micro F1"),
    "mlm/default": ("masked_accuracy", "HPO definitions, hidden tokens"),
    "contrastive/default": ("ndcg_at_10", "HPO synonyms, nDCG@10"),
    "contrastive/articles": ("ndcg_at_10", "PubMed headings, nDCG@10"),
    "contrastive/metabolites": ("accuracy", "Metabolite names, accuracy"),
}
LARGEST = 1 << 20
"""Bytes of stored predictions that are kept beside the record; of larger ones it has the checksum."""


def keep(directory: Path, path: Path) -> None:
    """Write the record of a run to a file of recipes/results, and small tables to a folder beside it."""
    record = without_local_paths(runs.read(directory))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record | {"log_history": []}, ensure_ascii=False) + "\n", encoding="utf-8")
    tables = [file for file in directory.iterdir() if file.suffix == ".parquet" or file.name.endswith("report.txt")]
    if sum(file.stat().st_size for file in tables) <= LARGEST:
        path.with_suffix("").mkdir(exist_ok=True)
        for file in tables:
            shutil.copyfile(file, path.with_suffix("") / file.name)


def restate(path: Path) -> None:
    """State again what follows from kept predictions and the data: figures, comparisons, analyses, audit."""
    record, kept = json.loads(path.read_text(encoding="utf-8")), path.with_suffix("")
    before = record.get("restated", {}).get("from_schema", record["schema_version"])
    record["schema_version"] = runs.SCHEMA_VERSION
    data = recorded_data(kept, record, rebuild=True)
    run = Forged(kept, record, data)
    evaluate = run.run.of_task("evaluate", "audit")
    run.fitted = run.run.of_task("evaluate", "baselines")(data.splits, record)
    record["audit"] = json.loads(json.dumps(data.manifest["audit"] | evaluate(data.splits, record)))
    details = record.get("details") or {}
    run.restate()
    for part, its in details.items():  # that of what was not stored stays
        if isinstance(its, dict):
            record["details"][part] = its | record["details"].get(part, {})
    if (report := kept / text_evaluation.REPORT).is_file():
        report.write_text(text_evaluation.report(run.predictions, record), encoding="utf-8")
        record["files"][report.name] = file_sha256(report)
    record["restated"] = {"from_schema": before, "git_commit": git_state()["git_commit"]}
    path.write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")


def rows(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The metrics in the order of a result table: baselines, these with the model, base model, fine-tuned model."""
    if "baselines" not in record:  # what `bioft baselines --json` printed
        return list(record.values())
    shown, _ = with_random_negatives(record, result_rows(record), {})
    return list(shown.values())


def intervals(record: Mapping[str, Any]) -> Iterator[str]:
    """Each figure of a record as the page shows it, `.812 [.790–.833]`."""
    for metrics in rows(record):
        for figure in metrics.values():
            if isinstance(figure.get("low"), float):
                yield interval_text(figure)


def draw(path: Path) -> None:
    """Draw fine-tuned model, base model and best baseline of each kind of data, with their 95 % intervals."""
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.add_subplot()
    colours = {"best baseline": "#b45309", "base model, untrained": "#94a3b8", "fine-tuned": "#0f766e"}
    for place, (name, (metric, _)) in enumerate(DRAWN.items()):
        record = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
        baselines = [its[metric] for its in record["baselines"].values() if metric in its]
        best = max(baselines, key=lambda its: its["value"])
        shown = (best, record["base_model_metrics"][metric], record["metrics"][metric])
        for offset, (label, its) in zip((0.2, 0.0, -0.2), zip(colours, shown, strict=True), strict=True):
            error = [[its["value"] - its["low"]], [its["high"] - its["value"]]]
            options = {"fmt": "o", "color": colours[label], "label": label if place == 0 else None}
            axes.errorbar(its["value"], place - offset, xerr=error, capsize=2, **options)
    axes.set_yticks(range(len(DRAWN)), [words for _, words in DRAWN.values()])
    axes.set_xlim(-0.02, 1.0)
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    if sys.argv[1] == "draw":
        draw(Path(sys.argv[2]))
    elif sys.argv[1] == "restate":
        restate(Path(sys.argv[2]))
    else:
        keep(Path(sys.argv[1]), Path(sys.argv[2]))
