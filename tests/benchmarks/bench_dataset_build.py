"""Time and memory of building the CTD dataset, and of drawing a million negatives.

    python tests/benchmarks/bench_dataset_build.py CTD_curated_genes_diseases.csv.gz

Builds with splits, negatives, audit and Parquet, in a process of its own, and prints wall time, CPU time and peak
memory (the targets: under 10 s and 1 GB). `--json FILE` also writes the figures.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SPLITS = ("pair", "both_held_out")
NEGATIVES = ("degree_matched", "uniform")


def build(path: str, split: str, negatives: str) -> dict[str, Any]:
    """Build and save once in this process, imports included in the time; returns the figures."""
    start = time.perf_counter()
    from bioft.datasets.gene_disease import ctd
    from bioft.storage import datasets as storage

    dataset, manifest = ctd.build(path, split=split, negatives=negatives)
    with tempfile.TemporaryDirectory() as directory:
        storage.save(dataset, manifest, Path(directory) / "dataset")
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "what": f"CTD, split {split}, negatives {negatives}",
        "rows": sum(len(rows) for rows in dataset.values()),
        "seconds": round(time.perf_counter() - start, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        # Linux counts in KiB, macOS in bytes.
        "peak_mb": round(usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)),
        "audit": {shortcut["predictor"]: shortcut["auroc"] for shortcut in manifest["audit"]["shortcuts"]},
    }


def million_negatives() -> list[dict[str, Any]]:
    """Draw 10^6 negatives for a random graph with hubs: 30,000 genes, 10,000 diseases."""
    import numpy as np

    from bioft.datasets.gene_disease.negatives import degree_matched, uniform

    n, n_genes, n_diseases = 1_000_000, 30_000, 10_000
    rng = np.random.default_rng(0)
    gene_weights, disease_weights = rng.lognormal(0, 1.2, n_genes), rng.lognormal(0, 1.5, n_diseases)
    keys = rng.choice(n_genes, 2 * n, p=gene_weights / gene_weights.sum()) * n_diseases
    keys += rng.choice(n_diseases, 2 * n, p=disease_weights / disease_weights.sum())
    known = np.sort(rng.permutation(np.unique(keys))[:n])
    genes, diseases = known // n_diseases, known % n_diseases
    arguments: dict[str, Any] = {"n_diseases": n_diseases, "forbidden": known, "rng": rng}
    figures = []
    for name, draw in (
        ("degree_matched", lambda: degree_matched(genes, diseases, **arguments)),
        ("uniform", lambda: uniform(n, np.arange(n_genes), np.arange(n_diseases), **arguments)),
    ):
        start = time.perf_counter()
        drawn, _ = draw()
        seconds = round(time.perf_counter() - start, 2)
        hub = int(np.bincount(diseases).max())
        figures.append({"what": f"10^6 negatives, {name}, largest disease degree {hub}", "seconds": seconds})
        assert len(drawn) == n
    return figures


def main() -> None:
    """Run every case, each build in a fresh process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", help="CTD_curated_genes_diseases.csv.gz")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--one", nargs=2, metavar=("SPLIT", "NEGATIVES"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    if arguments.one:
        print(json.dumps(build(arguments.path, *arguments.one)))
        return
    figures: list[dict[str, Any]] = []
    for split in SPLITS:
        for negatives in NEGATIVES:
            command = [sys.executable, __file__, arguments.path, "--one", split, negatives]
            found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            figures.append(json.loads(found.stdout))
            print(figures[-1])
    for figure in million_negatives():
        figures.append(figure)
        print(figure)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
