"""The server on runs of all tasks that are asked: it answers as `bioft predict`, and refuses in a sentence."""

import csv
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
import uvicorn
from typer.testing import CliRunner

from bioft.cli.main import app as command_line
from bioft.errors import BioftError
from bioft.serve import app as server
from bioft.tasks.entities import files

REPOSITORY = Path(__file__).resolve().parents[2]
GOLDEN = Path("tests/golden/runs")
NAMES = ("entities", "gene_disease", "joint", "relations", "text_labels")
TEXTS = [
    "Naloxone reverses the antihypertensive effect of clonidine in rats.",
    "Too few patients could be recruited – für eine Studie.",
    "Lithium",
    "Nausea and headache after cisplatin. " * 30,
]
PAIRS = [("FBN1", "Marfan syndrome"), ("CFTR", "Marfan syndrome"), ("BRCA1", "Breast carcinoma, familial")]
PUBTATOR = "1|t|Lithium and nausea\n1|a|None.\n1\t0\t7\tLithium\tChemical\tD1\n1\t12\t18\tnausea\tDisease\tD2\n\n"
BEARER = {"Authorization": "Bearer secret"}


@pytest.fixture(autouse=True, scope="module")
def repository() -> Iterator[None]:
    """The runs name their base models relatively to the checkout."""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(REPOSITORY)
        yield


@contextmanager
def listening(served: list[server.Run], token: str | None = None, **limits: int) -> Iterator[str]:
    """The address of a server in this process."""
    limits = {"max_rows": 20, "max_bytes": 50_000} | limits
    with ThreadPoolExecutor(1) as thread, socket.create_server(("127.0.0.1", 0)) as free:
        running = uvicorn.Server(uvicorn.Config(server.build(served, thread, token, **limits), log_level="warning"))
        waiting = threading.Thread(target=running.run, args=([free],))
        waiting.start()
        yield f"http://127.0.0.1:{free.getsockname()[1]}"
        running.should_exit = True
        waiting.join()


@pytest.fixture(scope="module")
def served(repository: None) -> list[server.Run]:
    return server.open_runs([str(GOLDEN / name) for name in NAMES])


@pytest.fixture(scope="module")
def address(served: list[server.Run]) -> Iterator[str]:
    with listening(served) as found:
        yield found


def ask(address: str, name: str, rows: Any) -> list[dict[str, Any]]:
    answer = requests.post(f"{address}/runs/{name}/predict", json={"rows": rows}, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()["answers"]


def predicted(name: str, tmp_path: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows to ask, and what `bioft predict` writes about them."""
    if name == "gene_disease":
        rows = [{"gene": gene, "disease": disease} for gene, disease in PAIRS]
        asked, written = tmp_path / "asked.csv", tmp_path / "written.csv"
        with asked.open("w", newline="") as file:
            (writer := csv.DictWriter(file, ["gene", "disease"])).writeheader()
            writer.writerows(rows)
    elif name == "relations":
        asked, written = tmp_path / "asked.pubtator", tmp_path / "written.jsonl"
        asked.write_text(PUBTATOR)
        (document,) = files.read(asked)
        mentions = [{key: getattr(each, key) for key in ("start", "end", "type", "id")} for each in document.mentions]
        # In whatever order they are given.
        rows = [{"document_id": document.document_id, "text": document.text, "entities": mentions[::-1]}]
    else:
        key = "id" if name == "text_labels" else "document_id"
        rows = [{key: str(number), "text": text} for number, text in enumerate(TEXTS)]
        asked, written = tmp_path / "asked.jsonl", tmp_path / "written.jsonl"
        asked.write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["predict", str(GOLDEN / name), "--input", str(asked), "--output", str(written)]
    result = CliRunner().invoke(command_line, words)
    assert result.exit_code == 0, result.output
    if written.suffix == ".csv":
        with written.open(newline="") as file:
            return rows, [
                row
                | {"prediction": int(row["prediction"]), **{key: float(row[key]) for key in ("score", "threshold")}}
                for row in csv.DictReader(file)
            ]
    return rows, [json.loads(line) for line in written.read_text().splitlines()]


def near(answer: Any) -> Any:
    """An answer whose scores may differ in the last digit, as rows of another batch are padded in another way."""
    if isinstance(answer, dict):
        return {key: near(value) for key, value in answer.items()}
    if isinstance(answer, list):
        return [near(value) for value in answer]
    return pytest.approx(answer, abs=2e-4) if isinstance(answer, float) else answer


@pytest.mark.parametrize("name", NAMES)
def test_answers_are_those_of_predict(name: str, address: str, tmp_path: Path) -> None:
    """The same fields and decisions, all rows at once and each alone."""
    rows, expected = predicted(name, tmp_path)
    assert ask(address, name, rows) == near(expected)
    assert [answer for row in rows for answer in ask(address, name, [row])] == near(expected)


def test_many_at_the_same_time_get_each_their_own_answer(address: str) -> None:
    texts = [f"{TEXTS[number % 3]} {number}" for number in range(24)]
    with ThreadPoolExecutor(8) as clients:
        found = list(clients.map(lambda text: ask(address, "text_labels", [{"text": text}]), texts))
    assert [answer["text"] for (answer,) in found] == texts
    alone = ask(address, "text_labels", [{"text": text} for text in texts[:20]])
    assert [answer for (answer,) in found[:20]] == near(alone)


BAD: dict[str, tuple[str, Any, int, str]] = {
    "no JSON": ("entities", b"{rows", 422, "The body is not JSON: .* at character 1."),
    "no rows": ("entities", {}, 422, "rows: field required."),
    "empty rows": ("entities", {"rows": []}, 422, "rows: list should have at least 1 item"),
    "a list": ("entities", [], 422, "must be JSON .* of the form"),
    "no text": ("entities", {"rows": [{"text": "a"}, {"txt": "b"}]}, 422, "rows.1.text: field required."),
    "blank": ("text_labels", {"rows": [{"text": " \n"}]}, 422, "rows.0: text is empty."),
    "blank name": ("gene_disease", {"rows": [{"gene": "A", "disease": ""}]}, 422, "rows.0: disease is empty."),
    "a number": ("gene_disease", {"rows": [{"gene": 1, "disease": "b"}]}, 422, "rows.0.gene: input should be a valid"),
    "another key": ("text_labels", {"rows": [{"text": "a", "texts": "b"}]}, 422, "rows.0.texts: unexpected"),
    "no such place": (
        "relations",
        {"rows": [{"text": "ab", "entities": [{"start": 1, "end": 3, "type": "Chemical", "id": "D1"}]}]},
        422,
        "entity 0 goes from 1 to 3 of 2 characters",
    ),
    "no entities": ("relations", {"rows": [{"text": "a", "entities": []}]}, 422, "has no entities with concept ids"),
    "too many rows": ("entities", {"rows": [{"text": "a"}] * 21}, 413, "at most 20 items .* not 21"),
    "too large": ("entities", {"rows": [{"text": "a" * 60_000}]}, 413, "more than 50,000 bytes"),
    "another run": (
        "entitie",
        {"rows": [{"text": "a"}]},
        404,
        "No run 'entitie' is served here, only: entities",
    ),
}


def test_a_run_is_asked_with_post(address: str) -> None:
    answer = requests.get(f"{address}/runs/entities/predict", timeout=60)
    assert (answer.status_code, answer.json()) == (405, {"detail": "A run is asked with POST."})


@pytest.mark.parametrize("kind", BAD)
def test_what_is_refused(kind: str, address: str) -> None:
    name, body, status, message = BAD[kind]
    content = body if isinstance(body, bytes) else json.dumps(body)
    headers = {"Content-Type": "application/json"}
    answer = requests.post(f"{address}/runs/{name}/predict", content, headers=headers, timeout=60)
    assert answer.status_code == status, answer.text
    assert re.search(message, answer.json()["detail"]), answer.json()["detail"]
    assert ask(address, "entities", [{"text": "a"}]), "the server goes on"


def test_a_body_of_chunks_that_is_too_large(address: str) -> None:
    """Nothing says beforehand how long it is."""
    chunks = (b" " * 10_000 for _ in range(10))
    headers = {"Content-Type": "application/json"}
    answer = requests.post(f"{address}/runs/entities/predict", chunks, headers=headers, timeout=60)
    assert answer.status_code == 413 and "50,000 bytes" in answer.json()["detail"]


def test_health_openapi_and_page_need_no_other_host(address: str) -> None:
    health = requests.get(f"{address}/health", timeout=60).json()
    assert health["ready"] and [run["name"] for run in health["runs"]] == list(NAMES)
    assert set(health["versions"]) == {"bioft", "torch", "transformers"}
    described = requests.get(f"{address}/openapi.json", timeout=60).json()
    paths = {run["path"] for run in health["runs"]}
    assert paths | {"/health"} == set(described["paths"])
    for path in paths:
        body = described["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        rows = described["components"]["schemas"][body.rpartition("/")[2]]["properties"]["rows"]
        assert rows["maxItems"] == 20 and "$ref" in rows["items"]
    page = requests.get(address, timeout=60).text
    assert all(path in page for path in paths)
    assert set(re.findall(r'(?:src|href)="([^"]*)"', page)) == {"/openapi.json", "/health"} and "http" not in page


def test_a_token_is_asked_for(served: list[server.Run]) -> None:
    body = {"rows": [{"text": "a"}]}
    with listening(served[:1], "secret") as address:
        place = f"{address}/runs/entities/predict"
        for headers in ({}, {"Authorization": "Bearer other"}, {"Authorization": "Basic secret"}):
            refused = requests.post(place, json=body, headers=headers, timeout=60)
            assert refused.status_code == 401 and refused.headers["WWW-Authenticate"] == "Bearer", headers
            assert "Authorization: Bearer" in refused.json()["detail"]
        assert requests.get(f"{address}/openapi.json", timeout=60).status_code == 401
        assert requests.get(f"{address}/health", timeout=60).json() == {"ready": True}, "no name of a run"
        assert "runs" in requests.get(f"{address}/health", headers=BEARER, timeout=60).json()
        assert requests.post(place, json=body, headers=BEARER, timeout=60).status_code == 200
        described = requests.get(f"{address}/openapi.json", headers=BEARER, timeout=60).json()
        assert described["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"


def test_runs_that_cannot_be_served(tmp_path: Path) -> None:
    entities = str(GOLDEN / "entities")
    with pytest.raises(BioftError, match=r"Two runs would be served as entities.*other=tests"):
        server.open_runs([entities, f"entities={entities}"])
    with pytest.raises(BioftError, match="can't be served: index articles with it"):
        server.open_runs([str(GOLDEN / "retrieval")])
    with pytest.raises(BioftError, match="There is no folder tests/golden/runs/entitie"):
        server.open_runs([f"{entities[:-1]}"])
    changed = shutil.copytree(entities, tmp_path / "a=b")
    assert [run.name for run in server.open_runs([f"mine={entities}", str(changed)])] == ["mine", "entities"]
    (changed / "tokenizer.json").write_text("{}")
    with pytest.raises(BioftError, match="not those of the recorded run"):
        server.open_runs([str(changed)])


def test_the_command_serves_until_it_is_interrupted() -> None:
    """Other than on loopback with a token that is shown; Ctrl+C ends it in order, without a traceback."""
    words = ["serve", "ner=tests/golden/runs/entities", "--host", "0.0.0.0", "--port", "0"]
    command = subprocess.Popen(
        [sys.executable, "-m", "bioft", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert command.stdout is not None
    try:
        token = command.stdout.readline().split()[-1]
        told = re.fullmatch(r"Serving ner at http://0\.0\.0\.0:(\d+) \(Ctrl\+C ends it\)\n", command.stdout.readline())
        assert told and len(token) > 30
        address = f"http://127.0.0.1:{told[1]}/runs/ner/predict"
        headers = {"Authorization": f"Bearer {token}"}
        assert requests.post(address, json={"rows": [{"text": "a"}]}, timeout=60).status_code == 401
        answer = requests.post(address, json={"rows": [{"text": "a"}]}, headers=headers, timeout=60)
        assert answer.status_code == 200
        taken = CliRunner().invoke(command_line, ["serve", "tests/golden/runs/entities", "--port", told[1]])
        assert taken.exit_code == 1 and "Give another --port" in taken.stderr
        command.send_signal(signal.SIGINT)
        rest, errors = command.communicate(timeout=60)
    finally:
        command.kill()
    assert (command.returncode, rest) == (0, "Stopped.\n") and "Traceback" not in errors


def test_a_page_of_another_site_does_not_reach_loopback(served: list[server.Run]) -> None:
    """Without a token only names of this machine are answered, whatever address another name is given."""
    started: list[Any] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(uvicorn.Server, "run", lambda self, sockets: started.append(self.config.app))
        server.serve(served[:1], "127.0.0.1", 0, None, 20, 50_000)
        server.serve(served[:1], "127.0.0.1", 0, "secret", 20, 50_000)
    from starlette.testclient import TestClient

    for app, name, status in ((started[0], "evil", 400), (started[0], "localhost", 200), (started[1], "proxy", 200)):
        assert TestClient(app, f"http://{name}:80").get("/health").status_code == status


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = CliRunner().invoke(command_line, ["serve", "run"])
    assert result.exit_code == 1 and "pip install 'bioft[serve]'" in result.stderr


def test_what_the_page_says(served: list[server.Run]) -> None:
    """Its curl and its Python run as they stand, but for the address; it names the defaults of the command."""
    page = (REPOSITORY / "docs" / "serve.md").read_text()
    blocks = {kind: re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL) for kind in ("bash", "python")}
    started, asked, health = blocks["bash"]
    names = re.findall(r"(\w+)=runs/", started)
    chosen = [replace(run, name=name) for run, name in zip(served[:2], names, strict=True)]
    with listening(chosen) as address:

        def here(block: str) -> str:
            return block.replace("http://127.0.0.1:8000", address)

        found = subprocess.run(["bash", "-ec", here(asked)], capture_output=True, text=True, check=True).stdout
        assert "Naloxone" in {each["text"] for each in json.loads(found)["answers"][0]["entities"]}
        ready = subprocess.run(["bash", "-ec", here(health)], capture_output=True, text=True, check=True).stdout
        assert json.loads(ready)["ready"]
        python = next(block for block in blocks["python"] if "requests" in block)
        shown = subprocess.run([sys.executable, "-c", here(python)], capture_output=True, text=True, check=True).stdout
        assert [line.split()[0] for line in shown.splitlines()] == ["FBN1", "CFTR"]
    for default in ("256", "4,000,000", "64 waiting"):
        assert default in page
    columns = {f"`{column}`" for run in served for column in run.columns}
    assert [column for column in columns if column not in page] == []
