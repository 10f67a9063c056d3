"""Push runs and datasets to the Hub, in one commit each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import huggingface_hub

from bioft.errors import BioftError
from bioft.hub import checks, publication
from bioft.hub.client import Access, AccessOptions, connection
from bioft.hub.commit import Wanted, bring_to
from bioft.hub.publication import PublishedFile
from bioft.hub.pull import COMMIT_ID, check_repository_name, origin, task_of
from bioft.hub.repository import MAIN, Kind, Repository
from bioft.storage import runs


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


class PushOptions(AccessOptions, total=False):
    """How something is pushed; by default as private, to main."""

    private: bool
    """Whether a new repository is private. One that exists must be as this says."""
    create_pr: bool
    """Open a pull request instead of committing to main."""
    revision: str | None
    """The branch to commit to, made from main if it is missing."""
    tag: str | None
    """For the commit."""
    dry_run: bool
    """Check everything and send nothing; needs no network and no token."""


def send_run(
    run: str | Path, repo_id: str, *, accept_terms: bool = False, **options: Unpack[PushOptions]
) -> PushResult:
    """Push a finished run to a model repository, in one commit: what `publication.run_files` lists.

    What it states is compared with its predictions before, by `bioft.compare.publish.push_adapter`, which calls this.
    Safe to repeat: a push that was cut off leaves the repository as it was, and one that changes nothing makes no
    commit. What somebody else changed on the Hub since the last push is never overwritten.

    The repository `user/name` is made if it is missing. With `accept_terms` you meet the terms of sources that ask
    something of everyone who passes their data on: a public run does so with its predictions. BioftError: a run that
    must not be published (see `publication.run_files`), terms that were not accepted, a repository that is somebody
    else's, of another type or changed meanwhile, or a Hub that does not answer.
    """
    check_repository_name(repo_id)
    run = Path(run)
    record = runs.read(run)
    if not options.get("private", True) and not accept_terms:
        publication.check_terms(record.get("dataset", {}), "The predictions of this run show data")
    task_of(run, record)  # a card names its task: of a run from the Hub no module outside bioft is imported
    files = partial(publication.run_files, run, pulled_from=(origin(run) or {}).get("id"))
    return _push("model", repo_id, f"Push run {run.resolve().name}", files, options)


def check_before_training(
    repo_id: str, base_model: Mapping[str, Any], run: Path, **options: Unpack[AccessOptions]
) -> None:
    """Find out before a training on a base model (its id and source) whether its run could be pushed at the end.

    BioftError: a wrong name, a base model in a local folder, no token or one that may only read, a repository of
    another type, or a Hub that does not answer.
    """
    check_repository_name(repo_id)
    checks.check_base_model({"base_model": dict(base_model)}, run)
    access = Access.of(options)
    access.check_token()
    subject = f"the model {repo_id}"
    with connection(subject, access) as api:
        role = api.whoami()["auth"].get("accessToken", {}).get("role")
        if role == "read":
            raise BioftError(f"This token can only read, so {subject} could not be written. Log in with another one.")
        Repository(api, "model", repo_id, access.policy).is_private()


def push_dataset(
    directory: str | Path, repo_id: str, *, accept_terms: bool = False, **options: Unpack[PushOptions]
) -> PushResult:
    """Push a dataset of `bioft build` to a dataset repository, in one commit: Parquet, manifest and card.

    With `accept_terms` you meet the terms of sources that ask something of everyone who passes their data on.
    BioftError: as `send_run`; and terms that were not accepted, with their text.
    """
    from bioft.storage import datasets as storage

    check_repository_name(repo_id)
    directory = Path(directory)
    if not accept_terms:
        publication.check_terms(storage.load_manifest(directory), "This dataset holds data")
    files = partial(publication.dataset_files, directory, pulled_from=(origin(directory) or {}).get("id"))
    return _push("dataset", repo_id, f"Push dataset {directory.resolve().name}", files, options)


def _push(
    kind: Kind,
    repo_id: str,
    title: str,
    files_for: Callable[[str, str | None], list[PublishedFile]],
    options: PushOptions,
) -> PushResult:
    """Push the files for a repository and a token, which it may not hold."""
    access = Access.of(options)
    files, branch, tag = files_for(repo_id, access.token), options.get("revision") or MAIN, options.get("tag")
    wanted = Wanted(title, files, options.get("private", True), options.get("create_pr", False), branch, tag)
    if wanted.create_pr and (branch != MAIN or tag):
        raise BioftError("--create-pr proposes a change of main: leave --revision and --tag out.")
    if COMMIT_ID.fullmatch(branch):
        raise BioftError("--revision names the branch to write to, not a commit.")
    card = next(file.content for file in files if file.name == runs.CARD)
    host = (access.endpoint or huggingface_hub.constants.ENDPOINT).rstrip("/")
    url = f"{host}/{'datasets/' if kind == 'dataset' else ''}{repo_id}"
    sizes = [(file.name, file.size) for file in files]
    result = PushResult(repo_id, url, None, False, None, sizes, bytes(card).decode())
    if options.get("dry_run"):
        return result
    access.check_token()
    with connection(f"the {kind} {repo_id}", access) as api:
        committed = bring_to(Repository(api, kind, repo_id, access.policy), wanted)
    return replace(result, commit=committed.commit, changed=committed.made, pull_request=committed.pull_request)
