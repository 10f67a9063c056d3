"""A repository on the Hub: what it holds at a commit, and its files one by one."""

from pathlib import Path
from typing import Literal, NamedTuple

import httpx2
from huggingface_hub import HfApi
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile

from bioft.errors import BioftError
from bioft.hub.client import capital, unreachable
from bioft.hub.publication import PublishedFile
from bioft.storage import runs
from bioft.storage.retries import PassingError, RetryPolicy, repeat

Kind = Literal["model", "dataset"]
Tree = dict[str, RepoFile]
MAIN = "main"


class Repository(NamedTuple):
    """A model or dataset repository, and how patiently it is asked."""

    api: HfApi
    kind: Kind
    id: str
    policy: RetryPolicy

    @property
    def subject(self) -> str:
        """The repository in words."""
        return f"the {self.kind} {self.id}"

    @property
    def record(self) -> str:
        """The file that lists the others."""
        return runs.RECORD if self.kind == "model" else runs.MANIFEST

    def is_private(self) -> bool | None:
        """Whether only its owner sees it; None where there is no such repository.

        BioftError: the name belongs to a repository of another type.
        """
        try:
            return bool(self.api.repo_info(self.id, repo_type=self.kind).private)
        except GatedRepoError:
            raise
        except RepositoryNotFoundError:
            other = "dataset" if self.kind == "model" else "model"
            if not self.api.repo_exists(self.id, repo_type=other):
                return None
        raise BioftError(f"{self.id} is a {other} repository, not a {self.kind} repository. Check the name.")

    def head(self, revision: str) -> str:
        """The commit that a branch, tag or commit id stands for."""
        commit = self.api.repo_info(self.id, repo_type=self.kind, revision=revision).sha
        if commit is None:
            raise BioftError(f"{capital(self.subject)} has no commit at {revision}.")
        return commit

    def tree(self, commit: str) -> Tree:
        """The files at a commit."""
        entries = self.api.list_repo_tree(self.id, repo_type=self.kind, revision=commit, recursive=True)
        return {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}

    def holds(self, commit: str, files: list[PublishedFile]) -> bool:
        """Whether a commit has all these files with this very content."""
        tree = self.tree(commit)
        return all(same(file, tree.get(file.name)) for file in files)

    def download(self, name: str, commit: str, tree: Tree, folder: Path) -> None:
        """Fetch one file to its place in `folder`; BioftError if its content is not that of the commit."""
        if name not in tree:
            raise BioftError(f"{capital(self.subject)} lacks {name}, which its record lists.")
        try:
            repeat(
                lambda: self.api.hf_hub_download(
                    self.id, name, repo_type=self.kind, revision=commit, local_dir=folder
                ),
                self.policy,
                f"The Hub, asked for {name}",
                passing=lambda error: isinstance(error, PassingError | httpx2.NetworkError),
            )
        except PassingError as error:
            raise unreachable(str(error), self.policy.attempts) from None
        if not same(PublishedFile.of(name, folder / name), tree[name]):
            raise BioftError(f"{name} of {self.subject} arrived damaged. Pull again.")


def same(file: PublishedFile, remote: RepoFile | None) -> bool:
    """Whether the Hub holds this very content."""
    if remote is None or remote.size != file.size:
        return False
    return remote.blob_id == file.git_oid() if remote.lfs is None else remote.lfs.sha256 == file.sha256
