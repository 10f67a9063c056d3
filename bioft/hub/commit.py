"""Bring a repository on the Hub to a set of files, in one commit or none."""

import logging
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from huggingface_hub import CommitInfo, CommitOperationAdd, CommitOperationDelete
from huggingface_hub.errors import HfHubHTTPError

from bioft.errors import BioftError
from bioft.hub.checks import listed_files
from bioft.hub.client import LostAnswerError, capital, conflict, explain, missing, unreachable, without_tokens
from bioft.hub.publication import PublishedFile
from bioft.hub.repository import MAIN, Repository, Tree, same

logger = logging.getLogger(__name__)

BY_BIOFT = "with bioft"
"""In the title of every commit that a push makes; a merged pull request keeps its title."""


class Committed(NamedTuple):
    """The commit that has the files, whether it was made for them just now, and its pull request's address."""

    commit: str
    made: bool
    pull_request: str | None


@dataclass(frozen=True)
class Wanted:
    """What a repository shall hold, and how it gets there."""

    title: str
    """Of the commit."""
    files: list[PublishedFile]
    """All that belong together. Of others in the repository those are removed that an earlier push put there."""
    private: bool = True
    """Whether only the owner shall see the repository."""
    create_pr: bool = False
    """Open a pull request instead of committing to the branch."""
    branch: str = MAIN
    tag: str | None = None


@dataclass(frozen=True)
class _Change:
    """A commit to make: what it starts from, adds and removes, and all files as they shall be after it."""

    title: str
    head: str
    added: list[PublishedFile]
    removed: list[str]
    files: list[PublishedFile]


def bring_to(repository: Repository, wanted: Wanted) -> Committed:
    """Make a branch, or a pull request, hold these files; the repository and the branch are made if missing.

    BioftError: see `bioft.hub.push.send_run`.
    """
    files, branch, tag = wanted.files, wanted.branch, wanted.tag
    _find_or_create(repository, wanted.private)
    tagged = tag is not None and _is_tagged(repository, tag, files)
    head = _find_or_branch(repository, branch)
    tree = repository.tree(head)
    change = _Change(
        title=f"{wanted.title} {BY_BIOFT}",
        head=head,
        added=[file for file in files if not same(file, tree.get(file.name))],
        removed=_no_longer_listed(repository, head, tree, wanted),
        files=files,
    )
    if not change.added and not change.removed:
        committed = Committed(head, False, None)
    elif wanted.create_pr:
        committed = _propose(repository, change)
    else:
        _check_no_remote_edits(repository, branch, change, tree)
        committed = Committed(_commit(repository, branch, change), True, None)
    try:
        if committed.made and not repository.holds(committed.commit, files):
            raise BioftError("The Hub does not hold what was sent.")
        if tag is not None and not tagged:
            repository.api.create_tag(
                repository.id, repo_type=repository.kind, tag=tag, revision=committed.commit, exist_ok=True
            )
            if not _is_tagged(repository, tag, files):
                raise BioftError(f"The Hub did not make the tag {tag}.")
    except Exception as error:
        reason = explain(error, repository.subject)
        if reason is None:
            raise
        raise BioftError(
            f"Commit {committed.commit} is on the Hub, but checking or tagging it failed: {reason}"
        ) from None
    return committed


def _find_or_create(repository: Repository, private: bool) -> None:
    if (is_private := repository.is_private()) is None:
        repository.api.create_repo(repository.id, repo_type=repository.kind, private=private, exist_ok=True)
        if (is_private := repository.is_private()) is None:
            raise missing(repository.subject)
    if private and not is_private:
        raise BioftError(f"{capital(repository.subject)} is public. Add --public, or choose a private repository.")
    if not private and is_private:
        raise BioftError(
            f"{capital(repository.subject)} is private. Leave --public out, or make it public in its settings first."
        )


def _is_tagged(repository: Repository, tag: str, files: list[PublishedFile]) -> bool:
    """Whether a tag is there and marks these very files; BioftError if it marks others."""
    tags = repository.api.list_repo_refs(repository.id, repo_type=repository.kind).tags
    commit = next((found.target_commit for found in tags if found.name == tag), None)
    if commit is not None and not repository.holds(commit, files):
        raise BioftError(
            f"{capital(repository.subject)} has a tag {tag} already, for other files. Choose another tag."
        )
    return commit is not None


def _find_or_branch(repository: Repository, branch: str) -> str:
    """The commit at the end of the branch, which is made from main if it is missing."""
    if branch != MAIN:
        refs = repository.api.list_repo_refs(repository.id, repo_type=repository.kind, include_pull_requests=True)
        if branch in {tag.name for tag in refs.tags}:
            raise BioftError(f"{capital(repository.subject)} has a tag {branch}: --revision must name a branch.")
        known = {item.name for item in refs.branches} | {item.ref for item in refs.pull_requests or []}
        if branch not in known and not branch.startswith("refs/"):
            repository.api.create_branch(repository.id, repo_type=repository.kind, branch=branch, exist_ok=True)
    return repository.head(branch)


def _no_longer_listed(repository: Repository, head: str, tree: Tree, wanted: Wanted) -> list[str]:
    """Files of the last push that are not of this one: with them the repository would be a mixture of the two."""
    others = tree.keys() - {file.name for file in wanted.files} - {".gitattributes"}
    record = repository.record
    if not others or record not in tree:
        return []
    with tempfile.TemporaryDirectory() as folder:
        repository.download(record, head, tree, Path(folder))
        try:
            return sorted(others & set(listed_files(Path(folder) / record)))
        except BioftError:
            return []  # not a record of bioft


def _check_no_remote_edits(repository: Repository, branch: str, change: _Change, tree: Tree) -> None:
    """Raise BioftError if a file that would be replaced or removed was not put there by the last push."""
    names = [name for name in (*(file.name for file in change.added), *change.removed) if name in tree]
    # A branch that has just been made has nothing of its own to lose.
    if not names or (branch != MAIN and change.head == repository.head(MAIN)):
        return
    history = repository.api.list_repo_commits(repository.id, repo_type=repository.kind, revision=branch)
    last = next((commit.commit_id for commit in history if BY_BIOFT in commit.title), None)
    pushed = repository.tree(last) if last else {}
    edited = [name for name in names if name not in pushed or pushed[name].blob_id != tree[name].blob_id]
    if edited:
        raise BioftError(
            f"{', '.join(edited[:5])} in {repository.subject} was written or edited on the Hub, not by the last push: "
            "nothing was sent. Propose this version with --create-pr, or push it to a branch of its own with "
            "--revision."
        )


def _attempts(repository: Repository) -> Iterator[int]:
    for attempt in range(1, repository.policy.attempts + 1):
        if attempt > 1:
            time.sleep(repository.policy.wait(attempt - 1))
        yield attempt


def _commit(repository: Repository, branch: str, change: _Change) -> str:
    """Commit to a branch; returns the commit.

    The Hub refuses a commit whose parent is no longer the head, so one that is sent again can't be made twice.
    """
    for _ in _attempts(repository):
        lost = None
        try:
            return _create_commit(repository, change, revision=branch).oid
        except LostAnswerError as error:
            lost = str(error)
        except HfHubHTTPError as error:
            if error.response.status_code not in (409, 412):
                raise
        head = repository.head(branch)
        if head != change.head and repository.holds(head, change.files):
            return head
        if head != change.head or lost is None:
            raise conflict(repository.subject)
    raise unreachable(str(lost), repository.policy.attempts)


def _propose(repository: Repository, change: _Change) -> Committed:
    """Open a pull request, unless one with these files is open already.

    Such a one is this same push, made by an earlier call or by a try whose answer was lost.
    """
    lost = ""
    for attempt in _attempts(repository):
        if (found := _open_pull_request(repository, change)) is not None:
            return Committed(found[0], attempt > 1, found[1])
        try:
            info = _create_commit(repository, change, create_pr=True)
            return Committed(info.oid, True, info.pr_url)
        except LostAnswerError as error:
            lost = str(error)
    raise unreachable(lost, repository.policy.attempts)


def _open_pull_request(repository: Repository, change: _Change) -> tuple[str, str] | None:
    """Commit and address of an open pull request that has these files."""
    found = repository.api.get_repo_discussions(
        repository.id, repo_type=repository.kind, discussion_type="pull_request", discussion_status="open"
    )
    for discussion in found:
        if discussion.title == change.title:
            commit = repository.head(f"refs/pr/{discussion.num}")
            if repository.holds(commit, change.files):
                return commit, discussion.url
    return None


def _create_commit(repository: Repository, change: _Change, **options: Any) -> CommitInfo:
    """Upload what the Hub lacks, then make the one commit; over LFS where Xet storage does not answer."""

    def create(contents: Iterable[str | BinaryIO | bytes]) -> CommitInfo:
        added = [CommitOperationAdd(file.name, content) for file, content in zip(change.added, contents, strict=True)]
        return repository.api.create_commit(
            repository.id,
            [*added, *map(CommitOperationDelete, change.removed)],
            commit_message=change.title,
            repo_type=repository.kind,
            parent_commit=change.head,
            **options,
        )

    contents = [file.content for file in change.added]
    try:
        return create(str(content) if isinstance(content, Path) else content for content in contents)
    except OSError as error:
        # hf_xet tells its troubles as Python's own connection and permission errors.
        if not isinstance(error, ConnectionError | PermissionError | FileNotFoundError) or error.filename is not None:
            raise
        logger.warning("The upload to Xet storage failed (%s): trying over LFS.", without_tokens(str(error)))
    with ExitStack() as stack:
        # The client sends open files over LFS.
        return create(
            stack.enter_context(content.open("rb")) if isinstance(content, Path) else BytesIO(content)
            for content in contents
        )
