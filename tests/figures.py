"""The records behind the figures of recipes/README.md: what of a run is kept in recipes/results, and how it is shown.

    python -m tests.figures runs/sft_gda/default recipes/results/sft_gda/default.json

keeps the figures of a run, of its base model and of its baselines, with what binds them to data, base model and code.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bioft import runs
from bioft.evaluation import interval_text

KEPT = ["created", "bioft", "recipe", "preset", "seed", "task", "metrics", "base_model_metrics", "baselines"]
KEPT += ["comparison"]
KEPT_OF_BASE_MODEL = ["id", "revision", "sha256"]
KEPT_OF_DATASET = ["builder", "fingerprints", "hub"]


def keep(directory: Path, path: Path) -> None:
    """Write the figures of a run to a file of recipes/results."""
    record = runs.read(directory)
    kept = {key: record[key] for key in KEPT}
    for name, keys in (("base_model", KEPT_OF_BASE_MODEL), ("dataset", KEPT_OF_DATASET)):
        kept[name] = {key: record[name][key] for key in keys if key in record[name]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(kept, ensure_ascii=False) + "\n", encoding="utf-8")


def rows(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The metrics in the order of a result table: baselines, base model, fine-tuned model."""
    if "baselines" not in record:  # what `bioft baselines --json` printed
        return list(record.values())
    return [*record["baselines"].values(), record["base_model_metrics"], record["metrics"]]


def intervals(record: Mapping[str, Any]) -> Iterator[str]:
    """Each figure of a record as the page shows it, `.812 [.790–.833]`."""
    for metrics in rows(record):
        for figure in metrics.values():
            if isinstance(figure.get("low"), float):
                yield interval_text(figure)


if __name__ == "__main__":
    keep(Path(sys.argv[1]), Path(sys.argv[2]))
