"""How many threads PyTorch computes with, and how they wait: set before it is imported, as OpenMP reads it then.

What the user has set stays. `tests/benchmarks/bench_threads.py` measures the policies.
"""

import math
import os
from pathlib import Path

WAITING = {"GOMP_SPINCOUNT": "3000"}
"""Threads wait a moment at a barrier and then sleep. OpenMP's own have them spin for long, which keeps from its work a
thread whose core another process has."""
THREADS = "OMP_NUM_THREADS"
USERS = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "GOMP_CPU_AFFINITY", "OMP_PROC_BIND")
"""With any of these the user has a policy of waiting."""
CGROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")
"""The control groups of this process, a line each."""
FIRST_VERSION = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
"""Where the first version of control groups keeps what the second has in one file."""


def cores() -> int | None:
    """Cores that a scheduler or the quota of a container allows, or those of the machine where neither can be told.

    Of a part of a core all is counted: half a core is one.
    """
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota = _quota()
    return found if quota is None else max(1, min(found or 1, math.ceil(quota)))


def set_policy() -> dict[str, str]:
    """Set in the environment what the user has not set; returns that, for `bioft doctor`."""
    chosen = {} if any(os.environ.get(name) for name in USERS) else dict(WAITING)
    if not os.environ.get(THREADS) and (quota := _quota()) is not None and quota < (os.cpu_count() or 1):
        chosen[THREADS] = str(cores())  # OpenMP knows affinities and no quotas
    os.environ.update(chosen)
    return chosen


def _quota() -> float | None:
    """Cores that the control groups of this process, of either version, or those around them may use at most."""
    try:
        groups = [line.split(":", 2)[1:] for line in OWN_GROUPS.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return None
    found = []
    for kinds, inside in groups:
        root, files = (CGROUPS, ("cpu.max",)) if not kinds else (CGROUPS / "cpu", FIRST_VERSION)
        folder = root / inside.strip("/")
        for place in (folder, *folder.parents) if not kinds or "cpu" in kinds.split(",") else ():
            try:
                told = (each for name in files for each in (place / name).read_text(encoding="utf-8").split())
                quota, period = map(int, told)
                found += [quota / period] if quota > 0 else []
            except (OSError, ValueError, ZeroDivisionError):  # none here, or "max"
                pass
            if place == root:
                break
    return min(found, default=None)


def in_words() -> str:
    """What is set for this process, and by whom."""
    theirs = {name: value for name in (THREADS, *USERS) if (value := os.environ.get(name)) and name not in CHOSEN}
    said = [", ".join(f"{name}={value}" for name, value in its.items()) for its in (CHOSEN, theirs)]
    return "; ".join(f"{words} (set by {who})" for words, who in zip(said, ("bioft", "you"), strict=True) if words)


CHOSEN = set_policy()
"""What bioft has set in this process."""
