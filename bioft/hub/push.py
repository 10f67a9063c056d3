"""Push runs and datasets to the Hub in one commit each, and pull them back pinned and checked."""

import json
import re
import shlex
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub import HfApi
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from bioft.errors import BioftError
from bioft.hub import compatibility, publication
from bioft.hub.client import Access, RetryPolicy, capital, connection, missing
from bioft.hub.commit import bring_to
from bioft.hub.publication import PublishedFile
from bioft.hub.repository import MAIN, Kind, Repository
from bioft.storage import runs
from bioft.storage.cache import cache_directory

COMMIT_ID = re.compile(r"[0-9a-f]{40}")
NO_TOKEN = "No token for the Hub. Log in with `hf auth login`, or set HF_TOKEN (with write permission)."
ORIGIN = ".bioft-hub.json"
"""Beside what was pulled: the repository and the commit that it is."""


@dataclass(frozen=True)
class PushResult:
    """What is on the Hub after a push, or would be (`commit` is None in a dry run)."""

    repo_id: str
    url: str
    commit: str | None
    changed: bool
    """Whether this push made the commit; False where the Hub had every file already."""
    pull_request: str | None
    files: list[tuple[str, int]]
    """Name and size in bytes of every file."""
    card: str


def push_adapter(
    run: str | Path,
    repo_id: str,
    *,
    private: bool = True,
    create_pr: bool = False,
    revision: str | None = None,
    tag: str | None = None,
    dry_run: bool = False,
    endpoint: str | None = None,
    token: str | None = None,
    policy: RetryPolicy | None = None,
) -> PushResult:
    """Push a finished run to a model repository, in one commit: what `publication.run_files` lists.

    Safe to repeat: a push that was cut off leaves the repository as it was, and one that changes nothing makes no
    commit. What somebody else changed on the Hub since the last push is never overwritten.

    Args:
        run: the run directory.
        repo_id: `user/name`; made if it is missing.
        private: whether a new repository is private. One that exists must be as this says.
        create_pr: open a pull request instead of committing to main.
        revision: the branch to commit to, made from main if it is missing.
        tag: a tag for the commit.
        dry_run: check everything and send nothing; needs no network and no token.
        endpoint: another Hub than that of `HF_ENDPOINT`.
        token: by default the one of `hf auth login` or `HF_TOKEN`.
        policy: how patiently requests are repeated.

    Raises:
        BioftError: a run that must not be published (see `publication.run_files`), a repository that is somebody
            else's, of another type or changed meanwhile, or a Hub that does not answer.
    """
    _check_name(repo_id)
    access = _access(endpoint, token, policy)
    run = Path(run)
    push = _Push("model", repo_id, f"Push run {run.resolve().name}", private, create_pr, revision, tag, dry_run)
    return _push(push, publication.run_files(run, repo_id, access.token), access, runs.RECORD, _run_files)


def check_before_training(
    repo_id: str,
    base_model: Mapping[str, Any],
    run: Path,
    *,
    endpoint: str | None = None,
    token: str | None = None,
    policy: RetryPolicy | None = None,
) -> None:
    """Find out before a training whether its run could be pushed at the end.

    Args:
        repo_id: `user/name`.
        base_model: id and source of the base model.
        run: the run directory to be.
        endpoint: as for `push_adapter`.
        token: as for `push_adapter`.
        policy: as for `push_adapter`.

    Raises:
        BioftError: a wrong name, a base model in a local folder, no token or one that may only read, a repository of
            another type, or a Hub that does not answer.
    """
    _check_name(repo_id)
    publication.check_base_model({"base_model": dict(base_model)}, run)
    access = _access(endpoint, token, policy)
    if access.token is None:
        raise BioftError(NO_TOKEN)
    subject = f"the model {repo_id}"
    with connection(subject, access) as api:
        role = api.whoami()["auth"].get("accessToken", {}).get("role")
        if role == "read":
            raise BioftError(f"This token can only read, so {subject} could not be written. Log in with another one.")
        Repository(api, "model", repo_id, access.policy).is_private()


def push_finished_run(run: Path, repo_id: str) -> None:
    """Push a run that has just finished and print where it is.

    Raises:
        BioftError: why it was not pushed, and the command that does it. The run itself is complete.
    """
    finish = f"The run is complete in {run}. To push it: {shlex.join(['bioft', 'push-adapter', str(run), repo_id])}"
    try:
        result = push_adapter(run, repo_id)
    except BioftError as error:
        raise BioftError(f"{error}\n{finish}") from error
    except KeyboardInterrupt:
        raise BioftError(f"The push was interrupted.\n{finish}") from None
    print(f"Pushed to {result.url} (private), commit {result.commit}")


def run_directory(
    name: str, *, revision: str | None = None, endpoint: str | None = None, token: str | None = None
) -> Path:
    """The folder of a run: `name` itself, or where `user/name` was pulled to from the Hub.

    Raises:
        BioftError: neither is there.
    """
    if Path(name).is_dir():
        return Path(name)
    if not is_repository_name(name):
        raise BioftError(f"There is no folder {name}, and it is no user/name on the Hub.")
    return pull_adapter(name, revision=revision, endpoint=endpoint, token=token)


def push_dataset(
    directory: str | Path,
    repo_id: str,
    *,
    private: bool = True,
    accept_terms: bool = False,
    create_pr: bool = False,
    revision: str | None = None,
    tag: str | None = None,
    dry_run: bool = False,
    endpoint: str | None = None,
    token: str | None = None,
    policy: RetryPolicy | None = None,
) -> PushResult:
    """Push a dataset of `bioft build` to a dataset repository, in one commit: Parquet, manifest and card.

    Args:
        directory: the dataset's folder.
        repo_id: `user/name`; made if it is missing.
        private: as for `push_adapter`.
        accept_terms: you meet the terms of the sources, which ask something of everyone who passes their data on.
        create_pr: as for `push_adapter`.
        revision: as for `push_adapter`.
        tag: as for `push_adapter`.
        dry_run: as for `push_adapter`.
        endpoint: another Hub than that of `HF_ENDPOINT`.
        token: by default the one of `hf auth login` or `HF_TOKEN`.
        policy: how patiently requests are repeated.

    Raises:
        BioftError: as `push_adapter`; and terms that were not accepted, with their text.
    """
    from bioft.storage import datasets as storage

    _check_name(repo_id)
    access = _access(endpoint, token, policy)
    directory = Path(directory)
    terms = publication.terms_to_accept(storage.load_manifest(directory))
    if terms and not accept_terms:
        raise BioftError(
            "The sources of this dataset ask something of everyone who passes their data on:\n\n"
            + "\n\n".join(terms)
            + "\n\nNothing was sent. If you meet these terms, push again with --accept-terms; the card carries them."
        )
    files = publication.dataset_files(directory, repo_id, access.token)
    title = f"Push dataset {directory.resolve().name}"
    push = _Push("dataset", repo_id, title, private, create_pr, revision, tag, dry_run)
    return _push(push, files, access, storage.MANIFEST, _dataset_files)


def pull_adapter(
    repo_id: str,
    directory: str | Path | None = None,
    *,
    revision: str | None = None,
    endpoint: str | None = None,
    token: str | None = None,
    policy: RetryPolicy | None = None,
) -> Path:
    """Fetch a run from a model repository at one commit, and check it before anything of it is loaded.

    Only the files that its record lists are fetched. None of them may be a pickle or ask for other code, their
    checksums must be those of the record, and the base model at its recorded commit must fit.

    Args:
        repo_id: `user/name`.
        directory: a new folder for it; by default one of the cache, by commit.
        revision: branch, tag or commit; by default main. `origin` tells which commit it was.
        endpoint: another Hub than that of `HF_ENDPOINT`.
        token: by default the one of `hf auth login` or `HF_TOKEN`.
        policy: how patiently requests are repeated.

    Returns:
        The folder, a run directory.

    Raises:
        BioftError: no such run on the Hub; one that is damaged, was edited or could run code; a base model that does
            not fit; a folder that holds something else.
    """

    def check(folder: Path, api: HfApi | None) -> None:
        record = runs.read(folder)
        runs.check_files(folder, record)
        publication.check_no_remote_code(folder)
        publication.check_base_model(record, folder)
        if api is not None:
            compatibility.check_base(record, folder, api)

    access = _access(endpoint, token, policy)
    return _pull("model", repo_id, directory, revision, access, runs.RECORD, _run_files, check)


def pull_dataset(
    repo_id: str,
    directory: str | Path | None = None,
    *,
    revision: str | None = None,
    endpoint: str | None = None,
    token: str | None = None,
    policy: RetryPolicy | None = None,
) -> Path:
    """Fetch a dataset that `push_dataset` sent, at one commit; its rows must be those of its manifest.

    Args:
        repo_id: `user/name`.
        directory: a new folder for it; by default one of the cache, by commit.
        revision: branch, tag or commit; by default main. `origin` tells which commit it was.
        endpoint: another Hub than that of `HF_ENDPOINT`.
        token: by default the one of `hf auth login` or `HF_TOKEN`.
        policy: how patiently requests are repeated.

    Returns:
        The folder, as `bioft build` writes it.

    Raises:
        BioftError: no such dataset on the Hub; one that was edited or is not of `bioft build`; a folder that holds
            something else.
    """
    from bioft.storage import datasets as storage

    def check(folder: Path, api: HfApi | None) -> None:
        storage.load(folder)

    access = _access(endpoint, token, policy)
    return _pull("dataset", repo_id, directory, revision, access, storage.MANIFEST, _dataset_files, check)


def origin(directory: str | Path) -> dict[str, str] | None:
    """Where a folder was pulled from, `{"id": "user/name", "revision": commit}`; None for any other folder."""
    try:
        found = json.loads((Path(directory) / ORIGIN).read_text(encoding="utf-8"))
        return {"id": str(found["id"]), "revision": str(found["revision"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_repository_name(text: str) -> bool:
    """Whether a text has the form `user/name`."""
    try:
        validate_repo_id(text)
    except HFValidationError:
        return False
    return "/" in text


def _check_name(repo_id: str) -> None:
    if not is_repository_name(repo_id):
        raise BioftError(
            f"{repo_id!r} is not the name of a repository. Give user/name, as in maria/gene-disease-llama (letters, "
            "digits, '-', '_' and '.')."
        )


def _access(endpoint: str | None, token: str | None, policy: RetryPolicy | None) -> Access:
    return Access(endpoint, token or huggingface_hub.get_token(), policy or RetryPolicy())


def _run_files(record: Path) -> list[str]:
    """What a run's record lists, and the card."""
    names = publication.recorded_names(runs.read(record.parent), record)
    publication.check_weights(names, record)
    return [*names, runs.CARD]


def _dataset_files(manifest: Path) -> list[str]:
    """What a dataset's manifest lists, and the card."""
    from bioft.storage import datasets as storage

    return [*publication.split_files(storage.load_manifest(manifest.parent), manifest), storage.CARD]


@dataclass(frozen=True)
class _Push:
    """What was asked for."""

    kind: Kind
    repo_id: str
    title: str
    private: bool
    create_pr: bool
    revision: str | None
    tag: str | None
    dry_run: bool


def _push(
    push: _Push, files: list[PublishedFile], access: Access, record: str, listed: Callable[[Path], list[str]]
) -> PushResult:
    if push.create_pr and (push.revision or push.tag):
        raise BioftError("--create-pr proposes a change of main: leave --revision and --tag out.")
    if push.revision and COMMIT_ID.fullmatch(push.revision):
        raise BioftError("--revision names the branch to write to, not a commit.")
    card = next(file.content for file in files if file.name == runs.CARD)
    host = (access.endpoint or huggingface_hub.constants.ENDPOINT).rstrip("/")
    url = f"{host}/{'datasets/' if push.kind == 'dataset' else ''}{push.repo_id}"
    sizes = [(file.name, file.size) for file in files]
    result = PushResult(push.repo_id, url, None, False, None, sizes, bytes(card).decode())
    if push.dry_run:
        return result
    if access.token is None:
        raise BioftError(NO_TOKEN)
    with connection(f"the {push.kind} {push.repo_id}", access) as api:
        committed = bring_to(
            Repository(api, push.kind, push.repo_id, access.policy),
            files,
            push.title,
            private=push.private,
            create_pr=push.create_pr,
            branch=push.revision or MAIN,
            tag=push.tag,
            record=record,
            listed=listed,
        )
    return replace(result, commit=committed.commit, changed=committed.made, pull_request=committed.pull_request)


def _pull(
    kind: Kind,
    repo_id: str,
    directory: str | Path | None,
    revision: str | None,
    access: Access,
    record: str,
    listed: Callable[[Path], list[str]],
    check: Callable[[Path, HfApi | None], None],
) -> Path:
    """Fetch the file `record`, then those that `listed` reads out of it, and `check` them; all or nothing."""
    _check_name(repo_id)
    cache = cache_directory() / "hub" / f"{kind}s" / repo_id
    if directory is None and revision and COMMIT_ID.fullmatch(revision) and origin(cache / revision):
        check(cache / revision, None)
        return cache / revision
    if directory is not None:
        _check_free(Path(directory), repo_id)
    with connection(f"the {kind} {repo_id}", access) as api:
        repository = Repository(api, kind, repo_id, access.policy)
        if repository.is_private() is None:
            raise missing(repository.subject)
        commit = repository.head(revision or MAIN)
        target = Path(directory) if directory is not None else cache / commit
        source = {"id": repo_id, "revision": commit}
        if (found := origin(target)) is not None:
            if found != source:
                raise BioftError(f"{target} holds {repo_id} at {found['revision']}. Choose another folder.")
            check(target, None)
            return target
        tree = repository.tree(commit)
        if record not in tree:
            raise BioftError(f"{capital(repository.subject)} was not pushed by bioft: it has no {record}.")
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
        try:
            repository.download(record, commit, tree, partial)
            for name in listed(partial / record):
                if name in tree or name != runs.CARD:  # the card may have been removed
                    repository.download(name, commit, tree, partial)
            shutil.rmtree(partial / ".cache")  # the client's own notes
            check(partial, api)
            runs.write_text(partial / ORIGIN, json.dumps(source, indent=2) + "\n")
            partial.chmod(0o755)  # mkdtemp makes it private
            _move(partial, target)
        except BioftError as error:
            # The folder is gone when the user reads this.
            raise type(error)(str(error).replace(str(partial), f"{repo_id} at {commit}")) from None
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return target


def _check_free(target: Path, repo_id: str) -> None:
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    found = origin(target)
    if found is None or found["id"] != repo_id:
        raise BioftError(f"{target} exists and holds something else. Choose another folder.")


def _move(partial: Path, target: Path) -> None:
    try:
        partial.replace(target)  # an empty folder may be replaced
    except OSError:
        # Another process pulled the same commit meanwhile: its copy is as good.
        if origin(target) != origin(partial):
            raise
