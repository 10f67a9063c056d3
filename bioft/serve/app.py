"""The server of `bioft serve`: each run answers at an address of its own, as its task's `ask` says."""

import asyncio
import re
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, Request, Security
from fastapi.exceptions import HTTPException, RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.security import HTTPBearer
from pydantic import BaseModel, Field, create_model
from starlette.middleware.trustedhost import TrustedHostMiddleware

from bioft import __version__, task as tasks
from bioft.compare.outcomes import run_of
from bioft.errors import BioftError
from bioft.hub.pull import task_of
from bioft.search import layout, shards
from bioft.serve import indexes
from bioft.serve.batches import Answer, Batches, TooBusyError
from bioft.serve.guard import HEALTH, Guard, allowed
from bioft.storage import runs
from bioft.storage.pages import html
from bioft.tasks.asked import in_words

LOOPBACK = ("127.0.0.1", "localhost", "::1")
NAMED = re.compile(r"([\w.-]+)=(.+)", re.DOTALL)


@dataclass(frozen=True)
class Run:
    """A run that is served, asked at `/runs/{name}/predict`."""

    name: str
    task: tasks.Task
    record: Mapping[str, Any]
    row: Any
    """What a row of a question is: a dataclass."""
    answer: Callable[[Sequence[Any]], list[Answer]]

    @property
    def columns(self) -> list[str]:
        """Those of a row."""
        return [each.name for each in fields(self.row)]

    def about(self) -> dict[str, Any]:
        """What is told of it."""
        base = self.record["base_model"]["id"]
        return {"name": self.name, "task": self.task.name, "base_model": base, "path": f"/runs/{self.name}/predict"}


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str


class Answers(BaseModel):
    """An answer for each row, in the order of the rows, with the fields that `bioft predict` writes."""

    answers: list[dict[str, Any]]


def open_runs(words: Sequence[str]) -> list[Run]:
    """Load runs, each a folder or `user/name` (or `user/name@revision`) on the Hub, or `NAME=` and one of these.

    Without a name a run is served by that of its record. BioftError: no such run, one whose files were changed, or one
    on a task that is asked nothing; two of one name.
    """
    opened: dict[str, Run] = {}
    for word in words:
        named = None if Path(word).exists() else NAMED.fullmatch(word)
        path = named[2] if named else word
        directory = run_of(path)
        record = runs.read_trained(directory)
        task = task_of(directory, record)
        name = re.sub(r"[^\w.-]+", "-", named[1] if named else record["name"])
        if name in opened:
            raise BioftError(f"Two runs would be served as {name}. Give one another name: other={path}.")
        if tasks.part(task, "ask") is None:
            instead = task.not_asked or f"{task.module} has no `ask`"
            raise BioftError(f"{word}, a run on {task.name}, can't be served: {instead}.")
        row, load = (tasks.function(task, "ask", each, "can be served") for each in ("Row", "load"))
        opened[name] = Run(name, task, record, row, load(directory))
    return list(opened.values())


def open_indexes(words: Sequence[str]) -> tuple[list[indexes.Served], list[str]]:
    """Search indexes among folders and `NAME=FOLDER`, and what is left; BioftError: no index, or two of a name."""
    opened: dict[str, indexes.Served] = {}
    left = []
    for word in words:
        named = None if Path(word).exists() else NAMED.fullmatch(word)
        folder = Path(named[2] if named else word)
        if not any(any(folder.glob(f"{place}{layout.MANIFEST}")) for place in ("", "*/")):
            left.append(word)
            continue
        name = re.sub(r"[^\w.-]+", "-", named[1] if named else folder.resolve().name)
        if name in opened:
            raise BioftError(f"Two indexes would be served as {name}. Give one another name: other={folder}.")
        opened[name] = indexes.Served(name, shards.open_searchable(folder))
    return list(opened.values()), left


def build(
    served: Sequence[Run],
    thread: Executor,
    token: str | None,
    max_rows: int,
    max_bytes: int,
    searched: Sequence[indexes.Served] = (),
) -> FastAPI:
    """The application: `/runs/{name}/predict`, `/indexes/{name}/search`, `/health`, `/openapi.json` and a page at `/`.

    Models and indexes are used in `thread` alone, an executor of one thread.
    """
    needs = [] if token is None else [Security(HTTPBearer(auto_error=False))]
    app = FastAPI(
        title="bioft serve",
        version=__version__,
        docs_url=None,  # the pages of FastAPI fetch their scripts from another host
        redoc_url=None,
        dependencies=needs,
        responses={code: {"model": Problem} for code in (401, 413, 422, 503) if code != 401 or token},
    )
    app.add_middleware(Guard, token=token, most_bytes=max_bytes)
    for run in served:
        _add(app, run, Batches(run.answer, thread, max_rows), max_rows)
    for index in searched:
        indexes.add(app, index, thread, max_rows)

    @app.get(HEALTH)
    def health(request: Request) -> dict[str, Any]:
        """Whether the server is ready; to who may ask it also which runs it serves, and of what versions."""
        if not allowed(request.headers, token):
            return {"ready": True}
        packages = {name: version(name) for name in ("torch", "transformers")}
        told = {"runs": [run.about() for run in served], "indexes": [index.about() for index in searched]}
        return {"ready": True, **told, "versions": {"bioft": __version__, **packages}}

    @app.get("/", include_in_schema=False)
    def page() -> HTMLResponse:
        return HTMLResponse(html(__package__, "serve.html.j2", title="bioft serve", served=served, searched=searched))

    @app.api_route("/runs/{name}/predict", methods=["GET", "POST"], include_in_schema=False)
    def not_served(name: str) -> None:
        if any(run.name == name for run in served):
            raise HTTPException(405, "A run is asked with POST.", {"Allow": "POST"})
        raise HTTPException(404, f"No run {name!r} is served here, only: {', '.join(run.name for run in served)}.")

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        problem = error.errors()[0]
        return JSONResponse({"detail": _in_words(problem)}, 413 if problem["type"] == "too_long" else 422)

    return app


def _add(app: FastAPI, run: Run, batches: Batches, max_rows: int) -> None:
    """Add the address of a run."""
    rows = Annotated[list[run.row], Field(min_length=1, max_length=max_rows)]  # type: ignore[name-defined]

    async def predict(asked: Any) -> Answers:
        try:
            return Answers(answers=await asyncio.wrap_future(batches.ask(asked.rows)))
        except TooBusyError as error:
            raise HTTPException(503, str(error), {"Retry-After": "1"}) from None
        except BioftError as error:
            raise HTTPException(422, str(error)) from None

    question = create_model(f"{run.name}_question", __config__={"extra": "forbid"}, rows=(rows, ...))
    predict.__annotations__["asked"] = question
    app.post(f"/runs/{run.name}/predict", name=run.name, description=run.task.purpose)(predict)


def _in_words(problem: Mapping[str, Any]) -> str:
    """One thing that pydantic found wrong in a request, in one sentence."""
    place = [each for each in problem["loc"] if each != "body"]
    if problem["type"] == "json_invalid":
        return f"The body is not JSON: {problem['ctx']['error']} at character {place[0]}."
    if not place:
        return 'The body must be JSON (Content-Type: application/json) of the form {"rows": [...]}.'
    return in_words(problem, place)


def serve(
    served: Sequence[Run],
    host: str,
    port: int,
    token: str | None,
    max_rows: int,
    max_bytes: int,
    searched: Sequence[indexes.Served] = (),
) -> None:
    """Serve until Ctrl+C or SIGTERM, and answer what was asked before; BioftError: the address can't be had."""
    with _bound(host, port) as listening, ThreadPoolExecutor(1) as thread:
        app = build(served, thread, token, max_rows, max_bytes, searched)
        if token is None:  # a page of another site must not reach the server by a name of its own
            app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK])
        shown = f"[{host}]" if ":" in host else host
        told = f"http://{shown}:{listening.getsockname()[1]}"
        names = [*(run.name for run in served), *(index.name for index in searched)]
        print(f"Serving {', '.join(names)} at {told} (Ctrl+C ends it)", flush=True)
        try:
            uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])
        except KeyboardInterrupt:
            print("Stopped.")


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise BioftError(f"Can't serve at {host}, port {port}: {error}. Give another --port or --host.") from error
    with listening:
        yield listening
