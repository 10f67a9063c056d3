"""Code, packages, hardware, command and launch of this process, the first four as a run record describes them."""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

import bioft
from bioft import threads
from bioft.storage.runs import SCHEMA_VERSION

PACKAGES = (
    "torch", "transformers", "trl", "peft", "bitsandbytes", "accelerate", "datasets", "evaluate",
    "huggingface_hub", "tokenizers", "sentence-transformers", "scikit-learn", "numpy", "matplotlib",
)  # fmt: skip
SHARDING = ("FSDP", "DEEPSPEED")


def environment() -> dict[str, Any]:
    """The parts of a record that describe code, packages, hardware and command, as they are now."""
    packages = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            packages[name] = version(name)
    return {
        "schema_version": SCHEMA_VERSION,
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "bioft": {"version": bioft.__version__, **git_state()},
        "python": platform.python_version(),
        "packages": packages,
        "hardware": hardware(),
        "command": command_line(),
    }


def git_state() -> dict[str, Any]:
    """Commit of the checkout that bioft runs from and whether files were changed; None outside a checkout.

    A wheel may be installed inside somebody else's repository, also at its top, whose commit says nothing about bioft:
    only one that holds this very file counts.
    """
    folder = Path(bioft.__file__).resolve().parent.parent
    with suppress(OSError, subprocess.CalledProcessError):
        if Path(_git(folder, "rev-parse", "--show-toplevel")).resolve() == folder:
            _git(folder, "ls-files", "--error-unmatch", "bioft/__init__.py")
            commit = _git(folder, "rev-parse", "HEAD")
            return {"git_commit": commit, "git_dirty": bool(_git(folder, "status", "--porcelain"))}
    return {"git_commit": None, "git_dirty": None}


def hardware() -> dict[str, Any]:
    """Processor, cores that this process may use, memory and GPUs."""
    import torch

    return {
        "cpu": cpu_model(),
        "cores": threads.cores(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        "num_processes": int(os.environ.get("WORLD_SIZE", "1")),
    }


def cpu_model() -> str:
    """The processor's name, or its kind where the system does not tell; may be empty."""
    info = Path("/proc/cpuinfo")
    text = info.read_text(encoding="utf-8", errors="replace") if info.is_file() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def command_line() -> list[str]:
    """The command of this process, without the values of tokens.

    A recipe of bioft is one by its name wherever it is installed, another script relative to the working directory.
    """
    script, package = Path(sys.argv[0]), Path(bioft.__file__).resolve().parent
    ours = script.resolve().parent in (package / "_recipes", package.parent / "recipes")
    words = [*(["bioft", "train", script.stem] if ours else [os.path.relpath(script)]), *sys.argv[1:]]
    hidden = [
        "***" if "token" in before and before.startswith("--") and "=" not in before else word
        for before, word in zip(["", *words], words, strict=False)
    ]
    return [re.sub(r"(token=).*|hf_\w+", r"\1***", word) for word in hidden]


def _git(folder: Path, *arguments: str) -> str:
    result = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, encoding="utf-8", check=True)
    return result.stdout.strip()


def is_sharded() -> bool:
    """Whether each process of this launch holds only a part of the model (FSDP or DeepSpeed)."""
    return any(os.environ.get(f"ACCELERATE_USE_{name}", "").lower() == "true" for name in SHARDING)


@contextmanager
def unsharded() -> Iterator[None]:
    """Load whole models in each process, also under a sharded launch."""
    saved = {f"ACCELERATE_USE_{name}": os.environ.pop(f"ACCELERATE_USE_{name}", None) for name in SHARDING}
    try:
        yield
    finally:
        os.environ.update({key: value for key, value in saved.items() if value is not None})
