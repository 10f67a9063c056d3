"""Time and memory to match the metabolites of a model to a namespace, and how both grow with the namespace.

    python tests/benchmarks/bench_alignment.py Unique_ModelSEED_Compound_Names.txt.gz [--run RUN] [--queries 2000]

The names are ModelSEED's, some of them twice with a number behind them where there are not as many. Every size is
measured in a process of its own, with its peak memory. With `--run` the encoder of that run is used too: once with
the embeddings of the namespace still to be computed, once with those in the cache.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from bioft.datasets.metabolites.namespaces import read_namespace
from bioft.tasks.name_alignment import files as alignment_files

SIZES = (25_000, 50_000, 100_000)
LIMIT_SECONDS, LIMIT_GB, OF_SIZE = 60, 2, 25_000


def names(table: pd.DataFrame, n: int) -> pd.DataFrame:
    """The first n names in random order; a second time with a number behind them, where there are not so many."""
    shuffled = table.sample(frac=1, random_state=0).reset_index(drop=True)
    copies = [
        shuffled.assign(id=shuffled["id"] + f"_{copy}", name=shuffled["name"] + (f" {copy}" if copy else ""))
        for copy in range(-(-n // len(shuffled)))
    ]
    return pd.concat(copies, ignore_index=True).head(n)


def measure(path: Path, size: int, queries: int, run: Path | None) -> dict[str, float]:
    """Seconds to index the namespace and to match the names to it, and the peak memory of the process in GB."""
    known = names(read_namespace(path), size)
    asked = known.sample(queries, random_state=1).reset_index(drop=True)
    rng = np.random.default_rng(0)
    asked["name"] = [name.replace("-", " ") + rng.choice(["", "e", " acid"]) for name in asked["name"]]
    started, cpu = time.perf_counter(), time.process_time()
    aligner = alignment_files.load_aligner(known, run)
    indexed = time.perf_counter()
    found = aligner.align(asked)
    done = time.perf_counter()
    used = time.process_time() - cpu
    assert len(found) == queries
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    return {"index": indexed - started, "match": done - indexed, "seconds": done - started, "gb": memory, "cpu": used}


def in_own_process(path: Path, size: int, queries: int, run: Path | None, cache: str) -> dict[str, float]:
    """`measure` in a new process."""
    words = [sys.executable, __file__, str(path), "--queries", str(queries), "--only", str(size)]
    words += ["--run", str(run)] if run else []
    environment = os.environ | {"BIOFT_CACHE": cache}
    output = subprocess.run(words, check=True, stdout=subprocess.PIPE, env=environment).stdout
    return json.loads(output.splitlines()[-1])


def main() -> None:
    """Print a row for each size; exit code 1 if the required one is not met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", type=Path)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--queries", type=int, default=2_000)
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        print(json.dumps(measure(args.names, args.only, args.queries, args.run)))
        return
    met = True
    with tempfile.TemporaryDirectory() as cache:
        for size in SIZES:
            for label in ("", "again") if args.run else ("",):
                found = in_own_process(args.names, size, args.queries, args.run, cache)
                print(
                    f"{args.queries:,} names against {size:,} {label}: {found['seconds']:.1f} s (index "
                    f"{found['index']:.1f} s, match {found['match']:.1f} s; processor time {found['cpu']:.1f} s), "
                    f"peak {found['gb']:.2f} GB",
                    flush=True,
                )
                if size == OF_SIZE:
                    met = found["seconds"] < LIMIT_SECONDS and found["gb"] < LIMIT_GB
    print(f"{OF_SIZE:,} names under {LIMIT_SECONDS} s and {LIMIT_GB} GB: {'met' if met else 'NOT met'}")
    sys.exit(not met)


if __name__ == "__main__":
    main()
