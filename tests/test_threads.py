"""The policy of threads: set before PyTorch is imported, wherever bioft is started, unless the user has one."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bioft import threads

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.py"))


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without a policy, on four cores without a quota."""
    for name in (threads.THREADS, *threads.USERS):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(threads, "CGROUPS", tmp_path)
    monkeypatch.setattr(threads, "OWN_GROUPS", tmp_path / "own")
    (tmp_path / "own").write_text("3:cpu,cpuacct:/job/step\n2:memory:/elsewhere\n0::/job/step\n")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)))
    monkeypatch.setattr(os, "cpu_count", lambda: 4)


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    assert threads.set_policy() == threads.WAITING
    assert os.environ["GOMP_SPINCOUNT"] == threads.WAITING["GOMP_SPINCOUNT"]
    monkeypatch.setenv("GOMP_SPINCOUNT", "")
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads.set_policy() == {} and os.environ["GOMP_SPINCOUNT"] == ""
    assert threads.in_words() == "OMP_NUM_THREADS=3, OMP_WAIT_POLICY=ACTIVE (set by you)"


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.max": "800000 100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({"cpu.max": "broken"}, None),
        ({"cpu.max": "50000 0"}, None),
        ({"job/cpu.max": "150000 100000", "job/step/cpu.max": "max 100000"}, 2),
        ({"job/cpu.max": "250000 100000", "job/step/cpu.max": "50000 100000"}, 1),
        ({"cpu/job/cpu.cfs_quota_us": "150000", "cpu/job/cpu.cfs_period_us": "100000"}, 2),
        ({"elsewhere/cpu.max": "50000 100000", "cpu/elsewhere/cpu.cfs_quota_us": "50000"}, None),
    ],
)
def test_threads_follow_the_quota_of_a_container(files: dict[str, str], cores: int | None, tmp_path: Path) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{content}\n")
    assert threads.set_policy().get(threads.THREADS) == (str(cores) if cores else None)
    assert threads.cores() == (cores or 4)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_imports_bioft_before_pytorch(recipe: Path) -> None:
    """As `accelerate launch` starts it, nothing was imported before."""
    imports = [each for each in ast.parse(recipe.read_text()).body if isinstance(each, ast.Import | ast.ImportFrom)]
    names = [name for each in imports for name in ([each.module] if isinstance(each, ast.ImportFrom) else
             [alias.name for alias in each.names])]  # fmt: skip
    assert next(name for name in names if name.split(".")[0] not in sys.stdlib_module_names) == "bioft"


def test_importing_bioft_is_enough() -> None:
    code = "import os, bioft, sys; print(os.environ['GOMP_SPINCOUNT'], 'torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.split() == [threads.WAITING["GOMP_SPINCOUNT"], "False"]
