"""The connection to the Hub: timeouts, a bounded number of tries, and errors that say in one sentence what to do."""

import re
import ssl
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, TypedDict

import httpx2
import huggingface_hub
from huggingface_hub import HfApi, errors
from huggingface_hub.utils import _http, logging

from bioft.errors import BioftError, causes
from bioft.storage.retries import PassingError, RetryPolicy, asked_wait, repeat

REPEATED_STATUS = frozenset({408, 429, 500, 502, 503, 504})
REPEATED_ERRORS = (httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError)
COMMIT = re.compile(r"/api/(models|datasets)/[^/]+/[^/]+/commit/")
TOKEN = re.compile(r"hf_[A-Za-z0-9]{20,}")
TOKENS_PAGE = "https://huggingface.co/settings/tokens"


class AccessOptions(TypedDict, total=False):
    """Another Hub than that of `HF_ENDPOINT`, another token than that of `hf auth login` or `HF_TOKEN`, more tries."""

    endpoint: str | None
    token: str | None
    policy: RetryPolicy | None


@dataclass(frozen=True)
class Access:
    """Which Hub, as whom, and how patiently."""

    endpoint: str | None
    token: str | None
    policy: RetryPolicy

    @classmethod
    def of(cls, options: AccessOptions) -> "Access":
        """What the options say, else the usual."""
        token = options.get("token") or huggingface_hub.get_token()
        return cls(options.get("endpoint"), token, options.get("policy") or RetryPolicy())

    def check_token(self) -> None:
        """Raise BioftError where there is no token."""
        if self.token is None:
            raise BioftError(
                "No token for the Hub. Log in with `hf auth login`, or set HF_TOKEN (with write permission)."
            )


class LostAnswerError(Exception):
    """A commit was sent and no answer came: whether the Hub made it must be looked up before it is sent again."""


class _Client(httpx2.Client):
    """The HTTP client under `huggingface_hub`, whose own has no timeout and repeats only some of its requests.

    All of them may be repeated (uploads are addressed by their content) but the one that makes a commit.
    """

    def __init__(self, policy: RetryPolicy) -> None:
        super().__init__(follow_redirects=True, verify=_ssl_context())
        self._policy = policy

    def request(self, method: Any, url: Any, **options: Any) -> httpx2.Response:
        """Send a request; BioftError where the Hub does not answer it in the end."""
        policy = self._policy
        options["timeout"] = policy.timeout_seconds
        body: Any = options.get("data")
        start = body.tell() if hasattr(body, "seek") else None
        commits = method == "POST" and COMMIT.search(str(url))

        def send() -> httpx2.Response:
            if start is not None:
                body.seek(start)
            try:
                response = super(_Client, self).request(method, url, **options)
            except REPEATED_ERRORS as error:
                problem = _network_problem(error)
                raise LostAnswerError(problem) if commits else PassingError(problem) from None
            if response.status_code not in REPEATED_STATUS:
                return response
            problem = f"it answers with HTTP status {response.status_code}"
            if commits and response.status_code != 429:
                raise LostAnswerError(problem)
            asked = asked_wait(response.headers)
            if asked is not None and asked > policy.longest_wait_seconds:
                raise unreachable(f"{problem} and asks to wait {asked:,.0f} seconds", 1)
            raise PassingError(problem, asked)

        try:
            return repeat(send, policy, "The Hub")
        except PassingError as error:
            raise unreachable(str(error), policy.attempts) from None

    @contextmanager
    def stream(self, method: Any, url: Any, **options: Any) -> Iterator[httpx2.Response]:
        """Send a request whose answer is read piece by piece (a download, which `huggingface_hub` resumes).

        PassingError: the Hub does not send it now. `huggingface_hub` would wait for half a minute, without a word.
        """
        with ExitStack() as stack:
            try:
                asked = super().stream(method, url, **options | {"timeout": self._policy.timeout_seconds})
                response = stack.enter_context(asked)
            except REPEATED_ERRORS as error:
                raise PassingError(_network_problem(error)) from None
            if response.status_code in REPEATED_STATUS:
                problem = f"it answers with HTTP status {response.status_code}"
                raise PassingError(problem, asked_wait(response.headers))
            yield response


@cache
def _ssl_context() -> ssl.SSLContext:
    # Once for the process: each one reads all certificates.
    return httpx2.create_ssl_context()


@contextmanager
def connection(subject: str, access: Access) -> Iterator[HfApi]:
    """Talk to the Hub through `HfApi`, with timeouts and bounded retries; every failure is one BioftError.

    The errors are about the `subject`, as in "the model user/name".
    """
    if huggingface_hub.is_offline_mode():
        raise BioftError("HF_HUB_OFFLINE forbids every request to the Hub. Unset it for this command.")
    # The client is shared by all of huggingface_hub, which has no public way to ask for the factory in use.
    factory = _http._GLOBAL_CLIENT_FACTORY
    verbosity = logging.get_verbosity()
    huggingface_hub.set_client_factory(lambda: _Client(access.policy))
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            # The predictions of a run are Parquet, and belong to the model.
            warnings.filterwarnings("ignore", message="It seems that you are about to commit a data file")
            yield HfApi(endpoint=access.endpoint, token=access.token)
    except Exception as error:
        explained = explain(error, subject)
        if explained is None:
            raise
        kind = type(error) if isinstance(error, BioftError) else BioftError
        raise kind(without_tokens(explained, access.token)) from None
    finally:
        huggingface_hub.set_client_factory(factory)
        logging.set_verbosity(verbosity)


def explain(error: BaseException, subject: str) -> str | None:
    """What to tell the user of an error of the Hub's client; None for one that is not the Hub's."""
    chain = list(causes(error))
    told: dict[type[BaseException], Callable[[Any], str]] = {
        BioftError: str,
        errors.HfHubHTTPError: lambda cause: _http_problem(cause, subject),
        httpx2.HTTPError: lambda cause: str(unreachable(_network_problem(cause), 1)),
        PassingError: lambda cause: str(unreachable(str(cause), 1)),
    }
    for kind, words in told.items():
        if found := [cause for cause in chain if isinstance(cause, kind)]:
            return words(found[0])
    if any(isinstance(cause, OSError) and cause.errno is not None for cause in chain):
        return None  # the disk's, not the Hub's
    if "Invalid metadata in README.md" in str(error):
        return f"The Hub refuses the card: {' '.join(str(error).split())} Mend the README.md, then push again."
    if isinstance(error, ValueError | LookupError | RuntimeError | OSError):
        # Answers that are not those of a Hub end here too, as those of a login page in between.
        return f"The Hub's client gives up on {subject}: {type(error).__name__}, {' '.join(str(error).split())}."
    return None


def conflict(subject: str) -> BioftError:
    """Somebody else wrote to the repository at the same time."""
    return BioftError(
        f"{capital(subject)} was changed on the Hub while this was sent: nothing was written. Look at the change, "
        "then push again, or propose this version with --create-pr."
    )


def missing(subject: str) -> BioftError:
    """No such repository, or none that the token may see: the Hub answers the same."""
    return BioftError(
        f"{capital(subject)} does not exist on the Hub, or this token may not see it. Check the name; for a private "
        "repository log in with `hf auth login`."
    )


def unreachable(problem: str, attempts: int) -> BioftError:
    """The Hub does not answer."""
    tried = f" after {attempts} tries" if attempts > 1 else ""
    return BioftError(
        f"The Hub can't be reached{tried}: {problem}. Check the network and https://status.huggingface.co, then run "
        "the same command again."
    )


def without_tokens(text: str, token: str | None = None) -> str:
    """A text with every token in it masked."""
    for secret in {token, huggingface_hub.get_token()} - {None, ""}:
        text = text.replace(str(secret), "***")
    return TOKEN.sub("hf_***", text)


def _http_problem(error: errors.HfHubHTTPError, subject: str) -> str:
    status = error.response.status_code
    said = " ".join((error.server_message or "").split())
    told = {
        errors.GatedRepoError: " is gated: ask for access on its page, then log in with `hf auth login`.",
        errors.RepositoryNotFoundError: str(missing("")),
        errors.RevisionNotFoundError: " has no such branch, tag or commit. Check --revision.",
        errors.EntryNotFoundError: f" lacks a file that it should have ({error.response.url.path}).",
    }
    for kind, words in told.items():
        if isinstance(error, kind):
            return capital(subject) + words
    if status == 401:
        return (
            "The Hub does not accept the token: it is missing, wrong or expired. Make one at "
            f"{TOKENS_PAGE} and log in with `hf auth login`, or set HF_TOKEN."
        )
    if status == 403 and error.response.request.method in ("GET", "HEAD"):
        return f"This token may not read {subject}. Ask its owner for access, then log in with `hf auth login`."
    if status == 403:
        return (
            f"This token may not write to {subject}: it can only read, or the repository is somebody else's. Make a "
            f"token with write permission at {TOKENS_PAGE} and log in with `hf auth login`."
        )
    if status in (409, 412):
        return str(conflict(subject))
    if status in REPEATED_STATUS:
        return str(unreachable(f"it answers with HTTP status {status}", 1))
    return f"The Hub refuses the request for {subject} (HTTP status {status}){': ' + said if said else '.'}"


def _network_problem(error: BaseException) -> str:
    if isinstance(error, httpx2.ConnectError):
        return "no connection"
    if isinstance(error, httpx2.TimeoutException):
        return "no answer in time"
    if isinstance(error, REPEATED_ERRORS):
        return "the connection was cut"
    return " ".join(str(error).split()) or type(error).__name__


def capital(text: str) -> str:
    """A text that begins a sentence."""
    return text[:1].upper() + text[1:]
