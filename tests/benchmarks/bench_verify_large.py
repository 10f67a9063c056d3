"""What `bioft verify` takes beside the model, by the pairs of the test split: processor seconds and peak memory.

    python tests/benchmarks/bench_verify_large.py --ctd CTD_curated_genes_diseases.csv.gz --pairs 1400 14000 140000

Of CTD's genes and diseases pairs are drawn, and a run of `sft_gda` on them is made, whose training stops after a step,
and verified. Scores are computed of the prompts in no time, in the place of a model: what is left are data, audit,
baselines, figures and comparisons. Each verification, which builds the data again, has a process of its own.
"""

import argparse
import sys
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bioft.datasets.gene_disease import ctd
from bioft.models import scoring
from bioft.storage import datasets as storage
from bioft.verify import verify as verification
from tests.benchmarks.bench_large_files import measured, show, write_report
from tests.recipe import command_line, load_recipe, run_recipe
from tests.tiny import write_model

TEST_SIZE = 0.2


def score(model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]], *answers: str, **options: Any) -> np.ndarray:
    """In the place of `scoring.score`: a number that looks random, the same for the same prompt."""
    return np.array([zlib.crc32(np.array(prompt, np.int32).tobytes()) / (1 << 32) for prompt in prompts])


def make(folder: Path, curated: Path, pairs: int) -> Path:
    """A finished run with about so many pairs in its test split."""
    report, dataset = folder / "report.csv", folder / "pairs"
    # As many negatives as positives.
    write_report(report, curated, round(pairs / 2 / TEST_SIZE))
    storage.save(*ctd.build(report, evidence="inferred", test_size=TEST_SIZE), dataset)
    options = {
        "model_name_or_path": write_model(folder / "model"),
        "dataset": dataset,
        "context": "none",
        "max_length": 256,
        "max_steps": 1,
        "output_dir": folder / "run",
    }
    run_recipe(load_recipe("sft_gda"), *command_line(**options))
    return folder / "run"


def main() -> None:
    """Print a line for each number of pairs; with --run verify that run alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ctd", type=Path)
    parser.add_argument("--pairs", type=int, nargs="+", default=[1_400, 14_000])
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    scoring.score = score
    if asked.run:
        found = verification.verify(asked.run, dataset_path=asked.run.parent / "report.csv", progress=False)
        assert not found.reasons, found.reasons
        return
    taken = []
    for pairs in asked.pairs:
        with tempfile.TemporaryDirectory() as place:
            run = make(Path(place), asked.ctd, pairs)
            taken.append(measured(pairs, sys.executable, __file__, "--run", str(run)))
            print(taken[-1], flush=True)
    show("`verify` without the model, pairs of the test split", taken)


if __name__ == "__main__":
    main()
