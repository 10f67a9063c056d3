"""Seconds to compare 50 runs of 14,000 predictions, and the usual loop over 10,000 resamples beside it.

    python tests/benchmarks/bench_comparison.py [--leaderboard 50 200 500]

With `--leaderboard` instead the seconds of a leaderboard of as many runs of 2,000 predictions.
Pairs share 4,000 genes and 1,500 diseases, which our intervals know. The usual way draws indices and calls
scikit-learn's `roc_auc_score` for each run and resample; it is measured on a few resamples in the same process. The
predictions are simulated.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from bioft.compare import compare as run_comparison, leaderboard
from bioft.storage import runs

RUNS, EXAMPLES, LOOPED = 50, 14_000, 4
OF_LEADERBOARDS = 2_000


def write_runs(folder: Path, number: int = RUNS, examples: int = EXAMPLES) -> list[str]:
    """Finished gene–disease runs, as far as a comparison reads them."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, examples)
    # Each pair once, in an order that has nothing to do with the two.
    pairs = rng.choice(4_000 * 1_500, examples, replace=False)
    genes, diseases = (pairs // 1_500).astype(str), (pairs % 1_500).astype(str)
    names = []
    for index in range(number):
        run = folder / f"run{index}"
        run.mkdir()
        scores = 1 / (1 + np.exp(-(labels + 0.02 * index + rng.normal(size=examples))))
        table = pd.DataFrame(
            {"gene": genes, "disease": diseases, "gene_id": genes, "disease_id": diseases, "label": labels}
        )
        table["score"], table["prediction"] = scores, (scores >= 0.5).astype(int)
        table.to_parquet(run / "predictions.parquet", index=False)
        record = {
            "schema_version": 1,
            "name": run.name,
            "task": "gene-disease-association",
            "files": runs.checksums(run),
        }
        record["scoring"] = {"threshold": 0.5, "base_model_threshold": 0.5, "baseline_thresholds": {}}
        record["dataset"] = {"fingerprints": {"test": "f" * 64}}
        (run / runs.RECORD).write_text(json.dumps(record))
        names.append(str(run))
    return names


def looped_seconds(names: list[str], resamples: int) -> float:
    """Seconds of the usual way for this many resamples of all runs."""
    tables = [pd.read_parquet(Path(name) / "predictions.parquet") for name in names]
    rng = np.random.default_rng(0)
    started = time.perf_counter()
    for _ in range(resamples):
        drawn = rng.integers(0, EXAMPLES, EXAMPLES)
        for table in tables:
            roc_auc_score(table["label"].to_numpy()[drawn], table["score"].to_numpy()[drawn])
    return time.perf_counter() - started


def measure(resamples: int) -> dict[str, object]:
    """The row of the results table."""
    with tempfile.TemporaryDirectory() as folder:
        names = write_runs(Path(folder))
        started = time.perf_counter()
        found = run_comparison.compare(names)
        seconds = time.perf_counter() - started
        assert len(found.rankings[0].pairs) == RUNS * (RUNS - 1) // 2
        loop = looped_seconds(names, LOOPED) * resamples / LOOPED
    return {
        "measured": f"comparing {RUNS} runs of {EXAMPLES:,} predictions, all pairs, by genes and diseases",
        "ours": f"{seconds:.1f} s",
        "theirs": f"{loop:.0f} s (of {LOOPED} resamples, {resamples:,} needed)",
        "ratio": seconds,
        "must reach": "< 30 s",
        "note": "by AUROC; scikit-learn in a loop, without the pairs",
    }


def leaderboard_seconds(number: int) -> float:
    """Seconds of processor time of a leaderboard of as many runs."""
    with tempfile.TemporaryDirectory() as folder:
        names = write_runs(Path(folder), number, OF_LEADERBOARDS)
        started = time.process_time()
        board = leaderboard.build_leaderboard(names, Path(folder) / "board")
        assert len(board.rows) == number
        return time.process_time() - started


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--leaderboard", type=int, nargs="+", default=())
    arguments = parser.parse_args()
    for number in arguments.leaderboard:
        print(f"leaderboard of {number} runs: {leaderboard_seconds(number):.1f} s", flush=True)
    if not arguments.leaderboard:
        print(measure(arguments.resamples))
