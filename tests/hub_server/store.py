"""What the test Hub stores: repositories with commits and references, and content-addressed files on disk."""

import fnmatch
import hashlib
import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.hub_server.xet import XetStorage

KINDS = ("model", "dataset", "space")
# What the Hub writes into every new repository; the patterns decide which files go to large file storage.
LFS_PATTERNS = """
*.7z *.arrow *.bin *.ckpt *.gz *.h5 *.model *.mp3 *.msgpack *.npy *.npz *.onnx *.ot *.parquet *.pb *.pickle *.pkl *.png
*.pt *.pth *.rar *.safetensors *.tar *.tflite *.wasm *.xz *.zip *.zst *tfevents*
"""
REGULAR_LIMIT = 10_000_000  # bytes: the Hub takes larger files through large file storage only


class StoreError(Exception):
    """A request that the Hub refuses: an HTTP status, its message and its `X-Error-Code`."""

    def __init__(self, status: int, message: str, code: str | None = None, headers: dict[str, str] | None = None):
        super().__init__(message)
        self.status, self.message, self.code, self.headers = status, message, code, headers or {}


@dataclass(frozen=True)
class Account:
    """Who a token belongs to and what it may do: role is `write`, `read` or `expired`."""

    name: str
    role: str
    organizations: tuple[str, ...] = ()

    @property
    def namespaces(self) -> tuple[str, ...]:
        return (self.name, *self.organizations)


@dataclass(frozen=True)
class File:
    """One file of a commit: git object id, SHA-256 and size of its content; `lfs` for large file storage."""

    oid: str
    sha256: str
    size: int
    lfs: bool = False
    pointer_size: int = 0
    xet_hash: str | None = None


@dataclass(frozen=True)
class Commit:
    """One commit: `tree` maps each path to its file."""

    oid: str
    title: str
    description: str
    author: str
    date: str
    parent: "Commit | None"
    tree: dict[str, File]


@dataclass
class Discussion:
    """A discussion, or a pull request when `base` (the commit that it started from) is set."""

    number: int
    title: str
    description: str
    author: str
    date: str
    status: str = "open"
    base: Commit | None = None
    merge_commit: str | None = None


@dataclass
class Repository:
    """A repository: references to commits (`refs/heads/…`, `refs/tags/…`, `refs/pr/…`) and who may see it."""

    kind: str
    id: str
    private: bool
    store: "Store"
    created: str
    gated: str | bool = False
    granted: set[str] = field(default_factory=set)
    references: dict[str, Commit] = field(default_factory=dict)
    all_commits: dict[str, Commit] = field(default_factory=dict)
    objects: dict[str, int] = field(default_factory=dict)  # SHA-256 -> size of what was uploaded over LFS
    discussions: list[Discussion] = field(default_factory=list)

    @property
    def namespace(self) -> str:
        return self.id.split("/")[0]

    def reference(self, revision: str) -> str | None:
        """Return the full name of the branch, tag or pull request that `revision` names."""
        names = (f"refs/heads/{revision}", f"refs/tags/{revision}", revision)
        return next((name for name in names if name in self.references), None)

    def commit(self, revision: str = "main") -> Commit:
        """Return the commit that a branch, a tag, a pull request or a full commit id names."""
        name = self.reference(revision)
        commit = self.references[name] if name else self.all_commits.get(revision)
        if commit is None:
            raise StoreError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return commit

    def commits(self, revision: str = "main") -> list[Commit]:
        """Return a revision's history, newest first."""
        history = []
        commit: Commit | None = self.commit(revision)
        while commit is not None:
            history.append(commit)
            commit = commit.parent
        return history

    def file(self, path: str, revision: str = "main") -> File:
        """Return one file's entry; `StoreError` 404 where the revision lacks it."""
        commit = self.commit(revision)
        if path not in commit.tree:
            raise StoreError(404, "Entry not found", "EntryNotFound", {"X-Repo-Commit": commit.oid})
        return commit.tree[path]

    def read(self, path: str, revision: str = "main") -> bytes:
        """Return one file's content."""
        return self.store.content(self.file(path, revision)).read_bytes()

    def files(self, revision: str = "main") -> dict[str, bytes]:
        """Return the content of every file at a revision, all of one commit though others come meanwhile."""
        tree = self.commit(revision).tree
        return {path: self.store.content(file).read_bytes() for path, file in tree.items()}

    def add_commit(
        self,
        reference: str,
        tree: dict[str, File],
        title: str,
        description: str = "",
        author: str = "system",
        parent: Commit | None = None,
    ) -> Commit:
        """Make a commit the head of a reference: the one step in which a push becomes visible."""
        date = now()
        identity = {path: [file.oid, file.sha256] for path, file in sorted(tree.items())}
        place = [self.store.root.parent.name, self.kind, self.id, len(self.all_commits)]  # no two commits share an id
        facts = [*place, identity, title, description, author, date, parent.oid if parent else None]
        oid = hashlib.sha1(json.dumps(facts).encode()).hexdigest()
        commit = Commit(oid, title, description, author, date, parent, dict(sorted(tree.items())))
        self.all_commits[oid] = commit
        self.references[reference] = commit
        return commit

    def apply(self, base: Commit, changes: Iterable[dict]) -> dict[str, File]:
        """Return the tree after a commit request's operations; nothing is stored but the regular files' content."""
        tree = dict(base.tree)
        for change in changes:
            key, value = change["key"], change["value"]
            path = checked_path(value["path"])
            if key == "file":
                tree[path] = self.store.add_regular(value["content"])
            elif key == "lfsFile":
                tree[path] = self._large_file(value["oid"], path)
            elif key == "deletedFile":
                if path not in tree:
                    raise StoreError(404, "A file with this name doesn't exist", "EntryNotFound")
                del tree[path]
            elif key == "deletedFolder":
                inside = [name for name in tree if name.startswith(path.rstrip("/") + "/")]
                if not inside:
                    raise StoreError(404, "A folder with this name doesn't exist", "EntryNotFound")
                for name in inside:
                    del tree[name]
            else:
                raise StoreError(400, f"Unknown operation {key}")
        return self._with_attributes(tree)

    def upload_mode(self, path: str, sample: bytes, size: int, tree: dict[str, File]) -> str:
        """Return `lfs` or `regular`: by the repository's patterns, the size and whether the beginning is text."""
        if size > REGULAR_LIMIT or any(matches(path, pattern) for pattern in self._patterns(tree)):
            return "lfs"
        try:
            sample.decode()
        except UnicodeDecodeError as error:
            if error.end < len(sample):  # a character cut off at the end of the sample is still text
                return "lfs"
        return "lfs" if b"\0" in sample else "regular"

    def merge(self, discussion: Discussion, author: str) -> Commit:
        """Merge a pull request into main; `StoreError` 409 where main changed the same files."""
        main, head, base = self.commit("main"), self.commit(f"refs/pr/{discussion.number}"), discussion.base
        assert base is not None
        changed = [p for p in {*head.tree, *base.tree} if head.tree.get(p) != base.tree.get(p)]
        if any(main.tree.get(p) not in (base.tree.get(p), head.tree.get(p)) for p in changed):
            raise StoreError(409, "This pull request has conflicts")
        tree = {path: file for path, file in main.tree.items() if path not in changed}
        tree |= {path: head.tree[path] for path in changed if path in head.tree}
        title = f"{discussion.title} (#{discussion.number})"
        commit = self.add_commit("refs/heads/main", tree, title, author=author, parent=main)
        discussion.status, discussion.merge_commit = "merged", commit.oid
        return commit

    def open(self, title: str, description: str, author: str, base: Commit | None = None) -> Discussion:
        """Open a discussion, or a pull request that starts from `base`."""
        discussion = Discussion(len(self.discussions) + 1, title, description, author, now(), base=base)
        self.discussions.append(discussion)
        if base is not None:
            self.references[f"refs/pr/{discussion.number}"] = base
        return discussion

    def _large_file(self, sha256: str, path: str) -> File:
        xet_hash = None
        if sha256 in self.objects:
            size = self.objects[sha256]
        elif found := self.store.xet.find(sha256):
            xet_hash, size = found.hash, found.size
        else:
            raise StoreError(400, f"LFS pointer pointed to a file that does not exist: {path} ({sha256})")
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
        return File(git_hash(pointer), sha256, size, lfs=True, pointer_size=len(pointer), xet_hash=xet_hash)

    def _patterns(self, tree: dict[str, File]) -> list[str]:
        if ".gitattributes" not in tree:
            return []
        lines = self.store.content(tree[".gitattributes"]).read_text().splitlines()
        return [line.split()[0] for line in lines if "filter=lfs" in line]

    def _with_attributes(self, tree: dict[str, File]) -> dict[str, File]:
        """Name every large file in `.gitattributes`, as the Hub does by itself."""
        patterns = self._patterns(tree)
        missing = [p for p, file in tree.items() if file.lfs and not any(matches(p, pattern) for pattern in patterns)]
        if missing and ".gitattributes" in tree:
            text = self.store.content(tree[".gitattributes"]).read_text()
            tree[".gitattributes"] = self.store.add_regular((text + lfs_lines(missing)).encode())
        return tree


class Store:
    """Everything the server holds; file contents lie under `root/objects/<sha256>`."""

    def __init__(self, root: Path, accounts: dict[str, Account]):
        self.root = root
        self.accounts = accounts
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.xet = XetStorage(root / "xet")
        (root / "objects").mkdir(parents=True)
        (root / "incoming").mkdir()

    def create(self, kind: str, repository_id: str, private: bool) -> Repository:
        """Create a repository with the Hub's initial commit."""
        repository = Repository(kind, repository_id, private, self, now())
        attributes = self.add_regular(lfs_lines(LFS_PATTERNS.split()).encode())
        repository.add_commit("refs/heads/main", {".gitattributes": attributes}, "initial commit")
        self.repositories[kind, repository_id] = repository
        return repository

    def add_regular(self, content: bytes) -> File:
        """Store a file of ordinary git size."""
        sha256 = hashlib.sha256(content).hexdigest()
        path = self.root / "objects" / sha256
        if not path.exists():
            with self.incoming_file() as stream:
                stream.write(content)
            Path(stream.name).replace(path)
        return File(git_hash(content), sha256, len(content))

    def incoming_file(self) -> "tempfile._TemporaryFileWrapper[bytes]":
        """Open a file for an upload in progress; it becomes an object only by a rename."""
        return tempfile.NamedTemporaryFile(dir=self.root / "incoming", delete=False)

    def content(self, file: File) -> Path:
        """Return the path of a file's content, fetched out of Xet storage the first time."""
        path = self.root / "objects" / file.sha256
        if not path.exists():
            with self.incoming_file() as stream:
                pass
            self.xet.restore(file.sha256, Path(stream.name))
            Path(stream.name).replace(path)
        return path


def checked_path(path: str) -> str:
    """Return `path`; `StoreError` 400 where it leaves the repository or cannot be a file's name in git."""
    parts = path.rstrip("/").split("/")
    if path.startswith("/") or "\0" in path or any(part in ("", ".", "..", ".git") for part in parts):
        raise StoreError(400, f"Invalid path in repository: {path!r}")
    return path


def matches(path: str, pattern: str) -> bool:
    """Whether a `.gitattributes` pattern covers a path: by file name, or by the whole path if it has a slash."""
    return fnmatch.fnmatchcase(path if "/" in pattern else path.rsplit("/", 1)[-1], pattern)


def lfs_lines(patterns: Iterable[str]) -> str:
    return "".join(f"{pattern.replace(' ', '?')} filter=lfs diff=lfs merge=lfs -text\n" for pattern in patterns)


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
