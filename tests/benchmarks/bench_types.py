"""What bfloat16 costs the figures of a run: its test split predicted in float32 and in bfloat16, and compared.

    python tests/benchmarks/bench_types.py RUN [--data PATH] [--metrics f1]

Of a run of any task whose models are asked in either type. Prints the figures in both, the difference with its
interval (paired, by what the task's examples share) and processor seconds.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import torch

from bioft.datasets.recorded import recorded_data
from bioft.hub import pull
from bioft.metrics.estimation import estimates
from bioft.metrics.estimation.groups import Groups
from bioft.storage import runs
from bioft.task import function
from bioft.verify import checks
from bioft.verify.findings import Verification


def measure(run: Path, data: Path | None, metrics: tuple[str, ...]) -> None:
    """Print a line for each metric, by default the task's main one."""
    record = runs.read(run)
    task = pull.task_of(run, record)
    rows = recorded_data(run, record, data).splits["test"]
    measured = checks.Run(run, record, task, Verification(str(run)))
    outcomes, seconds = [], []
    for dtype in (torch.float32, torch.bfloat16):
        model: Any = function(task, "predict", "load", "is compared")(run, dtype=dtype)
        begun = time.process_time()
        table = function(task, "predict", "predict", "is compared")(model, rows, record)
        seconds.append(time.process_time() - begun)
        outcomes.append(measured.outcomes(table))
    exact, lower = outcomes
    lower = lower.in_order(exact.ids)
    for metric in exact.metrics if metrics == ("all",) else metrics or tuple(exact.metrics)[:1]:
        ours, theirs = (each.metrics[metric].estimate() for each in (lower, exact))
        found = estimates.difference(metric, ours, theirs, Groups(len(exact.ids), exact.groups))
        print(
            f"{run.name}: {metric} {theirs.value:.4f} in float32, {ours.value:.4f} in bfloat16: "
            f"{found.difference:+.4f} [{found.low:+.4f}, {found.high:+.4f}], n = {len(exact.ids):,}; "
            f"{seconds[0]:.0f} and {seconds[1]:.0f} s of the processor, {seconds[0] / seconds[1]:.1f} times"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, help="where the data are, if not where the record says")
    parser.add_argument("--metrics", nargs="*", default=[], help="'all', or names; by default the main one")
    args = parser.parse_args()
    measure(args.run, args.data, tuple(args.metrics))
