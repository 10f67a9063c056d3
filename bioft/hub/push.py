"""Push runs and datasets to the Hub, in one commit each."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import huggingface_hub

from bioft.errors import BioftError
from bioft.hub import checks, publication
from bioft.hub.client import Access, connection
from bioft.hub.commit import Wanted, bring_to
from bioft.hub.pull import COMMIT_ID, check_repository_name, task_of
from bioft.hub.repository import MAIN, Kind, Repository
from bioft.storage import runs
from bioft.storage.retries import RetryPolicy


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
    check_repository_name(repo_id)
    access = Access.of(endpoint, token, policy)
    run = Path(run)
    task_of(run, runs.read(run))  # a card names its task: of a run from the Hub no module outside bioft is imported
    files = publication.run_files(run, repo_id, access.token)
    wanted = Wanted(f"Push run {run.resolve().name}", files, private, create_pr, revision or MAIN, tag)
    return _push("model", repo_id, wanted, access, dry_run)


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
        endpoint: as for `push_adapter`; `token` and `policy` too.

    Raises:
        BioftError: a wrong name, a base model in a local folder, no token or one that may only read, a repository of
            another type, or a Hub that does not answer.
    """
    check_repository_name(repo_id)
    checks.check_base_model({"base_model": dict(base_model)}, run)
    access = Access.of(endpoint, token, policy)
    access.check_token()
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
        create_pr: as for `push_adapter`, as are all further arguments.

    Raises:
        BioftError: as `push_adapter`; and terms that were not accepted, with their text.
    """
    from bioft.storage import datasets as storage

    check_repository_name(repo_id)
    access = Access.of(endpoint, token, policy)
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
    wanted = Wanted(title, files, private, create_pr, revision or MAIN, tag)
    return _push("dataset", repo_id, wanted, access, dry_run)


def _push(kind: Kind, repo_id: str, wanted: Wanted, access: Access, dry_run: bool) -> PushResult:
    if wanted.create_pr and (wanted.branch != MAIN or wanted.tag):
        raise BioftError("--create-pr proposes a change of main: leave --revision and --tag out.")
    if COMMIT_ID.fullmatch(wanted.branch):
        raise BioftError("--revision names the branch to write to, not a commit.")
    card = next(file.content for file in wanted.files if file.name == runs.CARD)
    host = (access.endpoint or huggingface_hub.constants.ENDPOINT).rstrip("/")
    url = f"{host}/{'datasets/' if kind == 'dataset' else ''}{repo_id}"
    sizes = [(file.name, file.size) for file in wanted.files]
    result = PushResult(repo_id, url, None, False, None, sizes, bytes(card).decode())
    if dry_run:
        return result
    access.check_token()
    with connection(f"the {kind} {repo_id}", access) as api:
        committed = bring_to(Repository(api, kind, repo_id, access.policy), wanted)
    return replace(result, commit=committed.commit, changed=committed.made, pull_request=committed.pull_request)
