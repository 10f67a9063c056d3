"""A run on tiny data whose validation split is taken for large enough to weigh its model beside the baselines."""

from pathlib import Path

import pytest

from bioft.metrics import thresholds
from tests.recipe import command_line, load_recipe, run_recipe
from tests.tiny import write_ctd, write_model

GENES = sorted({*range(20)} - {6})
"""Those of the first twenty that the data have."""


@pytest.fixture(scope="session")
def combined_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("together")
    texts = folder / "genes.tsv"
    texts.write_text("gene\ttext\n" + "".join(f"GEN{i}\tCodes for part {i % 7} of a complex.\n" for i in GENES))
    options = {
        "context": "both",
        "gene_context": texts,
        "few_shot": 4,
        "memorisation_probe": 20,
        "model_name_or_path": write_model(folder / "model"),
        "dataset": "ctd",
        "dataset_path": write_ctd(folder / "CTD_curated_genes_diseases.csv"),
        "negatives": "degree_matched",
        "max_train_pairs": 96,
        "validation_size": 0.1,
        "test_size": 0.2,
        "output_dir": folder / "run",
        "max_steps": 2,
        "load_in_4bit": False,
        "dtype": "float32",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(thresholds, "LEAST_ROWS", 20)
        run_recipe(load_recipe("sft_gda"), *command_line(**options))
    return folder / "run"


@pytest.fixture
def combined(combined_run: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(thresholds, "LEAST_ROWS", 20)
    return combined_run
