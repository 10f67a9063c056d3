"""The collector of trials against a loopback API: paging, resumption, rate limit, errors."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from typer.testing import CliRunner

from bioft.cli import main as cli
from bioft.datasets.trials import download as trials_api
from bioft.datasets.trials.download import download_trials
from bioft.datasets.trials.records import read_trials
from bioft.errors import BioftError
from bioft.storage import retries


class Registry:
    """An API with 25 studies that answers as ClinicalTrials.gov does, and fails on request."""

    def __init__(self) -> None:
        self.requests: list[dict[str, str]] = []
        self.failures: list[Response] = []
        self.studies = 25

    def answer(self, request: Request) -> Response:
        wanted = dict(request.query_params)
        self.requests.append(wanted)
        if self.failures:
            return self.failures.pop(0)
        if wanted.get("query.term") == "(":
            return PlainTextResponse("Invalid query: unbalanced bracket", 400)
        start = int(wanted.get("pageToken", "t0")[1:])
        end = min(start + int(wanted["pageSize"]), self.studies)
        content: dict = {"studies": [self.study(number) for number in range(start, end)]}
        if "countTotal" in wanted:
            content["totalCount"] = self.studies
        if end < self.studies:
            content["nextPageToken"] = f"t{end}"
        return JSONResponse(content)

    def study(self, number: int) -> dict:
        section = {"nctId": f"NCT{number:08d}", "briefTitle": f"Study of drug {chr(97 + number)}"}
        return {"protocolSection": {"identificationModule": section, "eligibilityModule": {"sex": "ALL"}}}


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    found = Registry()
    app = Starlette(routes=[Route("/api/v2/studies", found.answer)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    port = server.servers[0].sockets[0].getsockname()[1]
    monkeypatch.setenv("BIOFT_CLINICALTRIALS_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setattr(trials_api, "PAGE_SIZE", 10)
    monkeypatch.setattr(trials_api, "SECONDS_PER_REQUEST", 0.0)
    monkeypatch.setattr(trials_api, "BACKOFF_SECONDS", 0.0)
    yield found
    server.should_exit = True
    thread.join()


def test_every_page_is_fetched_once_and_can_be_read(registry: Registry, tmp_path: Path) -> None:
    folder = download_trials(tmp_path / "trials", "diabetes", overall_status="TERMINATED")
    assert [trial.nct_id for trial in read_trials(folder)] == [f"NCT{number:08d}" for number in range(25)]
    assert [wanted.get("pageToken") for wanted in registry.requests] == [None, "t10", "t20"]
    assert {wanted["query.term"] for wanted in registry.requests} == {"diabetes"}
    assert {wanted["filter.overallStatus"] for wanted in registry.requests} == {"TERMINATED"}
    assert json.loads((folder / trials_api.RECORD).read_text())["asked"]["query"] == "diabetes"
    download_trials(folder, "diabetes", overall_status="TERMINATED")
    assert len(registry.requests) == 3


def test_a_download_that_broke_off_goes_on_after_its_last_page(registry: Registry, tmp_path: Path) -> None:
    registry.failures = [*[PlainTextResponse("", 503)] * 2]
    download_trials(tmp_path / "whole")
    whole = {path.name: path.read_bytes() for path in (tmp_path / "whole").glob("studies-*")}
    registry.requests.clear()
    folder = tmp_path / "broken"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trials_api, "ATTEMPTS", 1)
        write = trials_api._write_page

        def write_and_fail(path: Path, content: dict) -> None:
            write(path, content)
            registry.failures = [PlainTextResponse("", 500)]

        patch.setattr(trials_api, "_write_page", write_and_fail)
        with pytest.raises(BioftError, match=r"after 1 tries: HTTP status 500.*continues after the last page"):
            download_trials(folder)
    download_trials(folder)
    # The second page was asked for again because it never came; the first was not.
    assert [wanted.get("pageToken") for wanted in registry.requests] == [None, "t10", "t10", "t20"]
    assert {path.name: path.read_bytes() for path in folder.glob("studies-*")} == whole


def test_the_rate_limit_is_waited_for(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(retries.time, "sleep", waits.append)
    registry.failures = [PlainTextResponse("slow down", 429, {"Retry-After": "7"}), JSONResponse({"studies": None})]
    download_trials(tmp_path / "trials", max_trials=5)
    assert waits[0] == 7.0
    assert len(list(read_trials(tmp_path / "trials"))) == 5
    assert registry.requests[-1]["pageSize"] == "5"


def test_what_can_not_be_fetched_says_why(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(BioftError, match=r"refuses the query \(HTTP status 400\): Invalid query: unbalanced bracket"):
        download_trials(tmp_path / "a", "(")
    assert len(registry.requests) == 1
    registry.studies = 0
    with pytest.raises(BioftError, match="No trial matches the query 'xyz'"):
        download_trials(tmp_path / "b", "xyz")
    with pytest.raises(BioftError, match="holds the trials of another query"):
        download_trials(tmp_path / "b", "other")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(BioftError, match="holds other files"):
        download_trials(tmp_path / "mine")
    with pytest.raises(BioftError, match="at least 1"):
        download_trials(tmp_path / "c", max_trials=0)


def test_no_connection_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BIOFT_CLINICALTRIALS_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(trials_api, "BACKOFF_SECONDS", 0.0)
    with pytest.raises(BioftError, match="no connection to the site"):
        download_trials(tmp_path / "a")


def test_the_command_fetches_and_builds(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIOFT_CACHE", str(tmp_path / "cache"))
    runner = CliRunner()
    got = runner.invoke(cli.app, ["download", "trials", "--query", "x", "-o", str(tmp_path / "trials")])
    assert got.exit_code == 0, got.output
    seen = tmp_path / "seen.txt"
    seen.write_text("NCT00000003  # seen\n\n")
    command = ["build", "trials", str(tmp_path / "trials"), "--exclude", str(seen), "--output"]
    built = runner.invoke(cli.app, [*command, str(tmp_path / "dataset"), "--test-size", "0.3"])
    assert built.exit_code == 0, built.output
    manifest = json.loads((tmp_path / "dataset" / "manifest.json").read_text())
    assert sum(split["texts"] for split in manifest["rows"].values()) == 24
    assert manifest["left_out"] == {"excluded": 1}
