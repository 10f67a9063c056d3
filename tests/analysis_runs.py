"""Made-up finished runs with known answers, as far as an analysis reads them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from datasets import DatasetDict

from bioft.datasets.gene_disease import ctd
from bioft.storage import datasets as storage, runs
from tests import tiny


def build_dataset(folder: Path) -> tuple[DatasetDict, dict[str, Any]]:
    """A small gene–disease dataset in `folder / "dataset"`, and its manifest."""
    dataset, manifest = ctd.build(
        tiny.write_ctd(folder / "CTD.csv", n_genes=80, n_diseases=160, n_pairs=400), split="gene_held_out"
    )
    storage.save(dataset, manifest, folder / "dataset")
    return storage.load(folder / "dataset")


def write_pairs_run(
    folder: Path, dataset: DatasetDict, manifest: dict[str, Any], right: np.ndarray, base_right: np.ndarray
) -> Path:
    """A run that answers these test pairs rightly, beside a base model that answers those rightly, and a baseline."""
    folder.mkdir(parents=True)
    table = dataset["test"].select_columns(["gene", "gene_id", "disease", "disease_id", "label"]).to_pandas()
    label = table["label"].to_numpy()
    table["score"] = np.where(right, label, 1 - label) * 0.8 + 0.1
    table["prediction"] = (table["score"] >= 0.5).astype(int)
    table["base_score"] = np.where(base_right, label, 1 - label) * 0.4 + 0.2
    table["baseline_majority"] = 0.5
    table.to_parquet(folder / "predictions.parquet", index=False)
    return write_record(
        folder,
        recipe="sft_gda",
        task="gene-disease-association",
        dataset={key: manifest[key] for key in ("builder", "arguments", "fingerprints", "sources", "rows")},
        scoring={"threshold": 0.5, "base_model_threshold": 0.5, "baseline_thresholds": {"majority": 0.5}},
        comparison={"baseline": "majority"},
    )


def write_record(folder: Path, **record: Any) -> Path:
    """Write `run.json` beside the predictions; returns the folder."""
    record = {"schema_version": 1, "name": folder.name, "base_model": {"id": "user/base"}, **record}
    (folder / runs.RECORD).write_text(json.dumps(record | {"files": runs.checksums(folder)}))
    return folder


def row(table: pd.DataFrame, **wanted: str) -> dict[str, Any]:
    """The one row of a table with these values."""
    for column, value in wanted.items():
        table = table[table[column] == value]
    (found,) = table.to_dict("records")
    return found
