"""A wheel and an sdist hold what they should, and the wheel works where nothing of the repository is at hand."""

import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.packaging.test_extras import OPTIONAL
from tests.tiny import write_encoder

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE_PACKAGES = {"bioft", "recipes", "LICENSE", "README.md", "pyproject.toml", "constraints.txt", "Makefile"}
TEXT = "Famotidine-associated delirium was seen in a patient after naloxone."


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both, built without a network."""
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("nothing can be built without hatchling: pip install hatchling")
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", folder], cwd=ROOT, check=True)
    return folder


def recipe_files() -> set[str]:
    """What of the recipes runs need: scripts and presets."""
    paths = [*ROOT.glob("recipes/*.py"), *ROOT.glob("recipes/configs/*/*.yaml")]
    return {path.relative_to(ROOT / "recipes").as_posix() for path in paths}


def test_the_sdist_holds_the_sources_and_no_data(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {name.partition("/")[0] for name in names} - {"PKG-INFO", ".gitignore"} == OUTSIDE_PACKAGES
    assert {name.partition("/")[2] for name in names if name.startswith("recipes/")} == recipe_files()
    assert not [name for name in names if name.endswith((".parquet", ".safetensors", ".png", ".pyc"))]


def test_the_wheel_holds_the_package_and_the_recipes(built: Path) -> None:
    wheel = next(built.glob("*.whl"))
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.partition("_recipes/")[2] for name in names if "/_recipes/" in name} == recipe_files()
    tracked = subprocess.run(["git", "ls-files", "bioft"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(tracked.stdout.split()) <= names
    assert wheel.stat().st_size < 2_000_000


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment in a repository of somebody else: the wheel, and beside it the packages that bioft needs.

    It lies in a folder whose name has spaces and a letter that is not ASCII. Packages are those of this environment
    (which would take minutes to install), but for its own bioft: a line of a .pth file names their folder, whose .pth
    files are not read then.
    """
    folder = tmp_path_factory.mktemp("a") / "Mein Ordner für Läufe"
    folder.mkdir()
    environment = folder / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", *built.glob("*.whl")]
    subprocess.run(install, check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = environment / "lib" / version / "site-packages"
    (packages / "needed.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    # What is optional is not there.
    (packages / "sitecustomize.py").write_text(f"import sys\nsys.modules |= dict.fromkeys({OPTIONAL})\n")
    for command in ("init -q", "-c user.name=a -c user.email=a@b commit -q --allow-empty -m first"):
        subprocess.run(["git", *command.split()], cwd=folder, check=True)
    return folder


def bioft(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The installed command in a folder that has nothing else, for a user whose home is not made yet."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"BIOFT_CACHE": str(folder / "cache"), "HOME": str(folder / "home")}
    command = [str(folder / "env" / "bin" / "bioft"), *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_train_and_predict_where_only_the_wheel_is(installed: Path) -> None:
    found = bioft(installed, "--version")
    assert found.returncode == 0 and found.stdout.startswith("bioft "), found.stderr
    assert "token_classification" in bioft(installed, "train").stdout
    assert bioft(installed, "recipes", "copy", "token_classification", "-o", "mein.yaml").returncode == 0
    options = {
        "model_name_or_path": write_encoder(installed / "model"),
        "window-length": 96,
        "window_overlap": 16,
        "max-steps": 2,
        "output_dir": "läufe/erster",
        "report_to": "none",
        "use_cpu": True,
    }
    words = [f"--{key}={value}" for key, value in options.items()]
    found = bioft(installed, "train", "token_classification", "mein.yaml", *words)
    assert found.returncode == 0, found.stderr[-2000:]
    record = json.loads((installed / "läufe" / "erster" / "run.json").read_text())
    assert record["command"] == ["bioft", "train", "token_classification", "--config", "mein.yaml", *words]
    assert record["bioft"]["git_commit"] is None and record["preset"] == "mein"
    found = bioft(installed, "predict", "läufe/erster", "--text", TEXT)
    assert found.returncode == 0, found.stderr[-2000:]
