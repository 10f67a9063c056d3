"""Run the benchmarks of the main job and write them at the beginning of tests/benchmarks/RESULTS.md.

    python tests/benchmarks/run.py [--ctd CTD_curated_genes_diseases.csv.gz]

Ratios compare two ways in one run on one machine; nothing else should run meanwhile.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import bench_dataset_build
import bench_scoring
import bench_training

from bioft.storage.environment import git_state, hardware

RESULTS = Path(__file__).with_name("RESULTS.md")
OTHERS = "<!-- What follows is not written by run.py. -->"


def help_seconds() -> float:
    """Wall time of `bioft --help`, the shortest of five."""
    times = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run([str(Path(sys.executable).with_name("bioft")), "--help"], check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    return min(times)


def main() -> None:
    """Measure all, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ctd", type=Path, help="CTD_curated_genes_diseases.csv.gz, for the dataset build")
    args = parser.parse_args()
    build_rows = []
    if args.ctd is not None:
        # First, while this process is small: a child's peak memory counts what it was forked from.
        build = [sys.executable, bench_dataset_build.__file__, str(args.ctd), "--one", "pair", "degree_matched"]
        found = json.loads(subprocess.run(build, check=True, stdout=subprocess.PIPE).stdout)
        build_rows.append(
            f"| building the CTD dataset ({found['what']}) | {found['seconds']} s, {found['peak_mb']} MB | | "
            f"| < 10 s, < 1000 MB | {found['rows']:,} rows, imports, audit and Parquet included |"
        )
    rows = [*bench_scoring.measure(256), *bench_training.measure(8)]
    lines = ["| Measured | bioft | The other way | Ratio | Must reach | Note |", "|---|---|---|---|---|---|"]
    for row in rows:
        row["ratio"] = f"{row['ratio']:.2f}"
        cells = (row[key] for key in ("measured", "ours", "theirs", "ratio", "must reach", "note"))
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines.append(f"| `bioft --help` | {help_seconds():.2f} s | | | < 0.5 s | the shortest of five |")
    lines += build_rows
    machine, commit = hardware(), (git_state()["git_commit"] or "unknown")[:10]
    options = " --ctd CTD_curated_genes_diseases.csv.gz" if args.ctd else ""
    text = (
        f"# Speed\n\nWritten by `python tests/benchmarks/run.py{options}` at commit {commit}, on {machine['cpu']}, "
        f"{machine['cores']} cores, Python {platform.python_version()}, GPUs: {', '.join(machine['gpus']) or 'none'}. "
        "Ratios compare two ways in one run; below 1.3 they are within the noise of a shared machine.\n\n"
    )
    text += "\n".join(lines) + "\n"
    _, _, others = RESULTS.read_text(encoding="utf-8").partition(OTHERS)
    RESULTS.write_text(f"{text}\n{OTHERS}{others}", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
