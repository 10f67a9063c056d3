"""The test Hub as a process-local server: started on a free loopback port, told to fail, looked into."""

import os
import re
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from tests.hub_server.app import HubApplication
from tests.hub_server.faults import Fault, FaultInjection, Moment, RecordedRequest
from tests.hub_server.store import Account, Repository, Store

# Names of the roles that a test asks for; the tokens have the length of real ones so that a search for leaks is real.
ACCOUNTS = {
    "write": Account("user", "write", ("lab",)),
    "read": Account("user", "read", ("lab",)),
    "expired": Account("user", "expired"),
    "foreign": Account("stranger", "write"),
}
TOKENS = {role: "hf_" + role.ljust(34, "X") for role in ACCOUNTS}
PASSED_ON = ("PATH", "HOME", "LANG", "VIRTUAL_ENV", "PYTHONPATH", "OMP_NUM_THREADS", "TMPDIR", "BIOFT_CACHE")


class HubServer:
    """A Hub on loopback; use it as a context manager, or through the `hub` fixture."""

    def __init__(self, folder: Path | None = None):
        self.folder = Path(tempfile.mkdtemp(prefix="hub-", dir=folder))
        self.tokens = dict(TOKENS)
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{port}"
        accounts = {TOKENS[role]: account for role, account in ACCOUNTS.items()}
        self.store = Store(self.folder / "store", accounts)
        self.application = HubApplication(self.store, self.endpoint, f"http://localhost:{port}")
        self._faults = FaultInjection(self.application.app)
        transports = self._faults.transports

        class Protocol(H11Protocol):
            def connection_made(self, transport) -> None:  # type: ignore[no-untyped-def]
                transports[transport.get_extra_info("peername")] = transport
                # asyncio does so only for sockets made with an explicit protocol; each answer would take 40 ms longer.
                transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                super().connection_made(transport)

            def connection_lost(self, exc: Exception | None) -> None:
                transports.pop(self.transport.get_extra_info("peername"), None)
                super().connection_lost(exc)

        config = uvicorn.Config(
            self._faults, http=Protocol, loop="asyncio", lifespan="off", log_level="critical", timeout_keep_alive=60
        )
        self._server = uvicorn.Server(config)
        # The socket listens already, so a client that is faster than the thread waits in the queue.
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]}, daemon=True)
        self._thread.start()

    def __enter__(self) -> "HubServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Close every connection and delete the server's folder; raise the server's own failure if it had one."""
        self._faults.disconnect()
        self._server.force_exit = self._server.should_exit = True
        self._thread.join()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._faults.errors:
            raise self._faults.errors[0]

    def environment(self, token: str | None = "write", *, xet: bool = False, **extra: str) -> dict[str, str]:
        """Return the whole environment for a client process: `token` is a role of `tokens`, a token, or None."""
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        environment |= {
            "HF_ENDPOINT": self.endpoint,
            "HF_HOME": str(self.folder / "client"),
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_XET_TELEMETRY_ENABLED": "0",
            "DISABLE_SAFETENSORS_CONVERSION": "1",
            "TOKENIZERS_PARALLELISM": "false",
        }
        if token is not None:
            environment["HF_TOKEN"] = self.tokens.get(token, token)
        if not xet:
            environment["HF_HUB_DISABLE_XET"] = "1"
        return environment | extra

    def repository(self, kind: str, repository_id: str) -> Repository:
        """Return what is stored of a `model` or `dataset`; `KeyError` where there is none."""
        return self.store.repositories[kind, repository_id]

    def fail(
        self,
        method: str,
        path_regex: str,
        *,
        status: int | None = None,
        times: int = 1,
        after: int = 0,
        cut: bool | Moment = False,
        stall: bool | Moment = False,
        headers: dict[str, str] | None = None,
        body: bytes = b"{}",
    ) -> None:
        """Queue a fault for the next `times` requests that match, after the first `after` of them.

        `method` may be "*"; `path_regex` is searched in the path and query as sent. A `status` answers in place of
        the server. `cut` drops the connection: at "request" (the meaning of True) halfway through the request's body
        and before the server has acted, at "response" after it has acted, halfway through the answer's body. `stall`
        waits at the same places until the client gives up or `release` is called, then goes on.
        """
        if sum([status is not None, bool(cut), bool(stall)]) != 1:
            raise ValueError("a fault is one of status, cut and stall")
        fault = Fault(
            method,
            re.compile(path_regex),
            times,
            after,
            status,
            headers or {},
            body,
            "request" if cut is True else cut or None,
            "request" if stall is True else stall or None,
        )
        with self._faults.changed:
            self._faults.faults.append(fault)

    def clear_faults(self) -> None:
        """Forget the faults that have not happened yet."""
        with self._faults.changed:
            self._faults.faults.clear()

    def release(self) -> None:
        """Let every stalled request go on."""
        self._faults.release()

    @property
    def faults_hit(self) -> int:
        return self._faults.hits

    @property
    def requests(self) -> list[RecordedRequest]:
        return self._faults.requests

    def on_request(self, callback: Callable[[RecordedRequest], None] | None) -> None:
        """Call a function in the server's thread with each request, before it is handled."""
        self._faults.on_request = callback

    def wait_for_requests(self, count: int, timeout: float = 60) -> None:
        """Block until the server has got `count` requests; `TimeoutError` after `timeout` seconds."""
        self._wait(lambda: len(self.requests) >= count, timeout)

    def wait_for_faults(self, count: int, timeout: float = 60) -> None:
        """Block until `count` faults have happened (a stall: has begun); `TimeoutError` after `timeout` seconds."""
        self._wait(lambda: self.faults_hit >= count, timeout)

    def _wait(self, condition: Callable[[], bool], timeout: float) -> None:
        with self._faults.changed:
            if not self._faults.changed.wait_for(condition, timeout):
                raise TimeoutError(f"not seen within {timeout} s; requests so far: {len(self.requests)}")
