"""Who may ask, and how much: checked before the body of a request is read."""

import secrets

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEALTH = "/health"
"""What anyone may ask."""


class Guard:
    """ASGI middleware that refuses requests without the token (401) and bodies that are too large (413)."""

    def __init__(self, app: ASGIApp, token: str | None, most_bytes: int) -> None:
        self.app, self._token, self._most_bytes = app, token, most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not allowed(headers, self._token) and scope["path"] != HEALTH:
            told = {"detail": "A token is needed: send the header `Authorization: Bearer TOKEN`."}
            await JSONResponse(told, 401, {"WWW-Authenticate": "Bearer"})(scope, receive, send)
            return
        too_large = f"The body has more than {self._most_bytes:,} bytes: send fewer rows at once."
        if int(headers.get("content-length", 0)) > self._most_bytes:
            await JSONResponse({"detail": too_large}, 413)(scope, receive, send)
            return
        read = 0

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._most_bytes:  # a body of chunks does not say its length
                raise HTTPException(413, too_large)
            return message

        await self.app(scope, limited, send)


def allowed(headers: Headers, token: str | None) -> bool:
    """Whether a request bears the token, if one is needed."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    return token is None or (scheme.lower() == "bearer" and secrets.compare_digest(given.encode(), token.encode()))
