"""Fault injection: answers with an error, drops or stalls the requests that a test names."""

import asyncio
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

KEPT_BODY = 1_000_000  # bytes of each request's body that are kept for a test to look at
Moment = Literal["request", "response"]


@dataclass
class RecordedRequest:
    """A request that the server got; `status` is None while there is no answer, or when the connection was cut."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytearray = field(default_factory=bytearray)
    status: int | None = None


@dataclass
class Fault:
    """What happens to the next `times` matching requests after the first `after` of them."""

    method: str
    path: re.Pattern[str]
    times: int
    after: int
    status: int | None
    headers: dict[str, str]
    body: bytes
    cut: Moment | None
    stall: Moment | None


class FaultInjection:
    """Middleware that records every request and carries out the faults that were queued."""

    def __init__(self, app: ASGIApp):
        self.app = app
        self.transports: dict[Any, asyncio.Transport] = {}  # by the client's address
        self.requests: list[RecordedRequest] = []
        self.faults: list[Fault] = []
        self.hits = 0
        self.errors: list[Exception] = []  # the server's own failures, which no test may cause
        self.changed = threading.Condition()
        self.on_request: Callable[[RecordedRequest], None] | None = None
        self._stalls: list[asyncio.Event] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self._loop = asyncio.get_running_loop()
        query = f"?{scope['query_string'].decode()}" if scope["query_string"] else ""
        headers = {key.decode(): value.decode("latin-1") for key, value in scope["headers"]}
        record = RecordedRequest(scope["method"], scope["raw_path"].decode() + query, headers)
        with self.changed:
            self.requests.append(record)
            self.changed.notify_all()
        if self.on_request is not None:
            self.on_request(record)

        async def recording_receive() -> Message:
            message = await receive()
            if message["type"] == "http.request" and len(record.body) < KEPT_BODY:
                record.body += message.get("body", b"")
            return message

        async def recording_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
            await send(message)

        fault = self._take(record)
        try:
            await self._answer(fault, scope, recording_receive, recording_send, record)
        except ClientDisconnect:  # killed or given up in the middle of a body: what these tests are about
            pass
        except Exception as error:
            self.errors.append(error)
            raise

    async def _answer(
        self, fault: Fault | None, scope: Scope, receive: Receive, send: Send, record: RecordedRequest
    ) -> None:
        if fault is None:
            await self.app(scope, receive, send)
        elif fault.status is not None:
            await _read_all(receive)
            self._count()
            response = Response(fault.body, fault.status, fault.headers, "application/json")
            await response(scope, receive, send)
        elif "request" in (fault.cut, fault.stall):
            await self._at_request(fault, scope, receive, send, record)
        else:
            await self._at_response(fault, scope, receive, send, record)

    def release(self) -> None:
        """Let every stalled request go on."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._release)

    def disconnect(self) -> None:
        """Drop every connection."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._disconnect)

    def _release(self) -> None:
        for event in self._stalls:
            event.set()

    def _disconnect(self) -> None:
        for transport in list(self.transports.values()):
            transport.abort()

    def _take(self, record: RecordedRequest) -> Fault | None:
        """Return the fault for a request, if it gets one."""
        with self.changed:
            for fault in self.faults:
                if fault.method in ("*", record.method) and fault.path.search(record.path):
                    if fault.after > 0:
                        fault.after -= 1
                        continue
                    fault.times -= 1
                    if fault.times == 0:
                        self.faults.remove(fault)
                    return fault
        return None

    async def _at_request(
        self, fault: Fault, scope: Scope, receive: Receive, send: Send, record: RecordedRequest
    ) -> None:
        """Cut the connection halfway through the request's body, or keep the whole request waiting."""
        if fault.cut:
            half = int(record.headers.get("content-length", 0)) // 2
            seen = 0
            message: Message = {"more_body": True}
            while seen < half and message.get("more_body"):
                message = await receive()
                seen += len(message.get("body", b""))
            self._abort(scope)
            return
        messages = await _read_all(receive)
        if await self._stalled(receive):
            remaining = iter(messages)

            async def replay() -> Message:
                return next(remaining, None) or await receive()

            await self.app(scope, replay, send)

    async def _at_response(
        self, fault: Fault, scope: Scope, receive: Receive, send: Send, record: RecordedRequest
    ) -> None:
        """Let the server do its work, then cut or stall halfway through its answer's body."""
        messages: list[Message] = []

        async def collect(message: Message) -> None:
            messages.append(message)

        await self.app(scope, receive, collect)
        start, body = messages[0], b"".join(message.get("body", b"") for message in messages[1:])
        half = len(body) // 2
        if half:  # an answer without a body would be whole with its headers
            await send(start)
            await send({"type": "http.response.body", "body": body[:half], "more_body": True})
        if fault.cut:
            record.status = None
            self._abort(scope)
        elif await self._stalled(receive):
            if not half:
                await send(start)
            await send({"type": "http.response.body", "body": body[half:], "more_body": False})

    async def _stalled(self, receive: Receive) -> bool:
        """Wait for `release`; return False when the client gave up first."""
        event = asyncio.Event()
        self._stalls.append(event)
        self._count()
        waiting = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(receive())]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        self._stalls.remove(event)
        return event.is_set()

    def _abort(self, scope: Scope) -> None:
        self._count()
        transport = self.transports.get(tuple(scope["client"]))
        if transport is not None:  # it is gone already when the client was killed
            transport.abort()

    def _count(self) -> None:
        with self.changed:
            self.hits += 1
            self.changed.notify_all()


async def _read_all(receive: Receive) -> list[Message]:
    messages = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())
    return messages
