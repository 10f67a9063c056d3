"""Requests that are made again when they failed in a way that may pass: how often, how patiently, and said aloud."""

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import requests

from bioft import __version__
from bioft.errors import BioftError

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
SAID_FROM_SECONDS = 2.0
"""Shorter waits are not worth a word."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how patiently a request is repeated."""

    attempts: int = 5
    wait_seconds: float = 1.0
    """Wait after the first failed try; doubled at each further one. What the site asks for goes before it."""
    longest_wait_seconds: float = 120.0
    timeout_seconds: float = 60.0
    """For connecting, and for each read and write."""

    def wait(self, attempt: int) -> float:
        """Seconds to wait after a failed try, counted from 1."""
        return min(self.wait_seconds * 2.0 ** (attempt - 1), self.longest_wait_seconds)


class PassingError(Exception):
    """A try failed in a way that another one may not; `wait` is the number of seconds that the site asks for."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


def repeat(
    send: Callable[[], Result],
    policy: RetryPolicy,
    site: str,
    *,
    passing: Callable[[Exception], bool] = lambda error: isinstance(error, PassingError | requests.RequestException),
    progress: Callable[[], int] = lambda: 0,
) -> Result:
    """The result of `send`, which is called again after an error that may pass; the last error is raised.

    The log names the `site` while a longer wait lasts. Whenever `progress`, the bytes received, has grown, the tries
    are counted anew.
    """
    most, failures = progress(), 0
    while True:
        try:
            return send()
        except Exception as error:
            if not passing(error):
                raise
            now = progress()
            failures = 1 if now > most else failures + 1
            most = max(most, now)
            if failures >= policy.attempts:
                raise
            asked = getattr(error, "wait", None) or 0.0
            wait = max(policy.wait(failures), min(asked, policy.longest_wait_seconds))
            if wait >= SAID_FROM_SECONDS:
                of = f"{failures + 1} of {policy.attempts}"
                logger.warning("%s: %s. Waiting %.0f seconds before try %s.", site, reason_of(error), wait, of)
            time.sleep(wait)


class Site:
    """A site that is asked in turn, its requests `pause` seconds apart, and again after errors that may pass."""

    def __init__(self, url: str, policy: RetryPolicy, pause: float = 0.0) -> None:
        self.url, self.policy, self.pause = url, policy, pause
        self.session = requests.Session()
        self.session.headers["User-Agent"] = f"bioft/{__version__}"
        self._last = -pause

    def ask(self, send: Callable[[], Result], what: str, mend: str, progress: Callable[[], int] = lambda: 0) -> Result:
        """The result of `send`: see `repeat`; BioftError, "Can't {what} …", where it can't be had in the end."""

        def in_turn() -> Result:
            now = time.monotonic()
            if (wait := self._last + self.pause - now) > 0:
                time.sleep(wait)
            self._last = max(now, self._last + self.pause)
            return send()

        try:
            return repeat(in_turn, self.policy, self.url, progress=progress)
        except (PassingError, requests.RequestException) as error:
            tried = f"Can't {what} after {self.policy.attempts} tries: {reason_of(error)}."
            kept = f" {progress():,} bytes are kept: the next run continues there." if progress() else ""
            raise BioftError(f"{tried} {mend}{kept}") from None


def check_status(response: requests.Response) -> None:
    """Raise PassingError if a site is asked too often, or has a trouble of its own."""
    if response.status_code == 429 or response.status_code >= 500:
        raise PassingError(f"HTTP status {response.status_code}", asked_wait(response.headers))


def asked_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer asks to wait: `Retry-After`, or the Hub's own `RateLimit: "api";r=0;t=55`."""
    value = headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value)
    if value:
        try:
            return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
        except (TypeError, ValueError):
            return None
    left = re.search(r"\br=0\s*;\s*t=(\d+)", headers.get("RateLimit", ""))
    return float(left[1]) if left else None


def reason_of(error: BaseException) -> str:
    """Why a request failed, in words for the user."""
    if isinstance(error, requests.Timeout):
        return "the site does not answer in time"
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return "no connection to the site"
    return str(error)
