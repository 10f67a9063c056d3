"""The Hub's HTTP interface over a store: the calls that `huggingface_hub` and the libraries above it make."""

import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode

import yaml
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.hub_server import metadata
from tests.hub_server.store import (
    KINDS,
    Account,
    Commit,
    Discussion,
    File,
    Repository,
    Store,
    StoreError,
    checked_path,
    now,
)

KIND_OF_FOLDER = {f"{kind}s": kind for kind in KINDS}
Handler = Callable[[Request, Repository], Awaitable[Response]]


class RawPath:
    """Route on the path as it was sent, so that a revision such as `refs%2Fpr%2F1` stays one segment."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["path"] = scope["raw_path"].decode()
        await self.app(scope, receive, send)


class HubApplication:
    """The handlers; `storage` is the other host name, on which file contents lie as on the Hub's CDN."""

    def __init__(self, store: Store, endpoint: str, storage: str):
        self.store, self.endpoint, self.storage = store, endpoint, storage
        self.page_size = 1000
        self.multipart_threshold = 50_000_000  # bytes; larger LFS uploads come in parts of this size
        self.secret = str(store.root).encode()
        self.app = Starlette(
            routes=self._routes(), middleware=[Middleware(RawPath)], exception_handlers={StoreError: _refusal}
        )

    def _routes(self) -> list[Route]:
        repository = "/api/{folder}/{namespace}/{name}"
        routes = [
            Route("/api/whoami-v2", self.whoami),
            Route("/api/repos/create", self.create_repository, methods=["POST"]),
            Route("/api/repos/delete", self.delete_repository, methods=["DELETE"]),
            Route("/api/validate-yaml", self.validate_yaml, methods=["POST"]),
            Route("/storage/{sha256}", self.download_object),
            Route("/storage/{namespace}/{name}/{sha256}", self.upload_object, methods=["PUT"]),
            Route("/storage/{namespace}/{name}/{sha256}/complete", self.complete_upload, methods=["POST"]),
            Route("/storage/{namespace}/{name}/{sha256}/{part:int}", self.upload_part, methods=["PUT"]),
            Route("/api/{folder}", self.list_repositories),
        ]
        of_repository: list[tuple[str, str, str, Handler]] = [
            ("", "GET", "read", self.information),
            ("/revision/{revision}", "GET", "read", self.information),
            ("/auth-check", "GET", "content", self.nothing),
            ("/auth-check/write", "GET", "write", self.nothing),
            ("/settings", "PUT", "write", self.change_settings),
            ("/user-access-request/grant", "POST", "write", self.grant_access),
            ("/preupload/{revision}", "POST", "propose", self.preupload),
            ("/commit/{revision}", "POST", "propose", self.commit),
            ("/xet-read-token/{revision}", "GET", "content", self.xet_token),
            ("/xet-write-token/{revision}", "GET", "propose", self.xet_token),
            ("/tree/{revision}", "GET", "read", self.tree),
            ("/tree/{revision}/{path:path}", "GET", "read", self.tree),
            ("/paths-info/{revision}", "POST", "read", self.paths_information),
            ("/commits/{revision}", "GET", "read", self.commits),
            ("/refs", "GET", "read", self.list_references),
            ("/branch/{reference}", "POST", "write", self.create_branch),
            ("/branch/{reference}", "DELETE", "write", self.delete_branch),
            ("/tag/{reference}", "POST", "write", self.create_tag),
            ("/tag/{reference}", "DELETE", "write", self.delete_tag),
            ("/discussions", "GET", "read", self.list_discussions),
            ("/discussions", "POST", "comment", self.open_discussion),
            ("/discussions/{number:int}", "GET", "read", self.show_discussion),
            ("/discussions/{number:int}/merge", "POST", "write", self.merge),
            ("/discussions/{number:int}/status", "POST", "write", self.change_status),
        ]
        for path, method, right, handler in of_repository:
            routes.append(Route(repository + path, self._checked(handler, right), methods=[method]))
        for prefix, kind in (("", "model"), ("/datasets", "dataset"), ("/spaces", "space")):
            stem = prefix + "/{namespace}/{name}"
            resolve = self._checked(self.resolve, "content", kind)
            batch = self._checked(self.lfs_batch, "comment", kind)
            routes += [
                Route(stem + "/resolve/{revision}/{path:path}", resolve),
                Route(stem + ".git/info/lfs/objects/batch", batch, methods=["POST"]),
                Route(
                    stem + ".git/info/lfs/verify", self._checked(self.lfs_verify, "comment", kind), methods=["POST"]
                ),
            ]
        return routes

    # Who is asking, and may they?

    def account(self, request: Request) -> Account | None:
        """Return who sent a request; None without a token, `StoreError` 401 for an unknown or expired one."""
        header = request.headers.get("authorization")
        if header is None:
            return None
        account = self.store.accounts.get(header.removeprefix("Bearer "))
        if account is None or account.role == "expired":
            raise StoreError(401, "Invalid credentials in Authorization header")
        return account

    def _checked(
        self, handler: Handler, right: str, kind: str | None = None
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return a handler that first finds the repository and checks the right that the call needs."""

        async def call(request: Request) -> Response:
            names = request.path_params
            wanted = kind or KIND_OF_FOLDER.get(names["folder"], "")
            repository = self.find(request, wanted, f"{names['namespace']}/{names['name']}")
            self.check_right(request, repository, right)
            return await handler(request, repository)

        return call

    def find(self, request: Request, kind: str, repository_id: str) -> Repository:
        """Return a repository; what may not be seen is answered exactly as what does not exist."""
        account = self.account(request)
        repository = self.store.repositories.get((kind, unquote(repository_id)))
        hidden = repository is not None and repository.private and not _is_member(account, repository)
        if repository is None or hidden:
            status, message = (404, "Repository not found") if account else (401, "Invalid username or password.")
            raise StoreError(status, message, "RepoNotFound")
        return repository

    def check_right(self, request: Request, repository: Repository, right: str) -> None:
        """Raise `StoreError` unless the request's token grants read, content, comment, propose or write."""
        account = self.account(request)
        member = _is_member(account, repository)
        if right == "read":
            return
        if right == "content":
            if repository.gated and not member and (account is None or account.name not in repository.granted):
                message = f"Access to {repository.kind} {repository.id} is restricted."
                raise StoreError(403 if account else 401, message, "GatedRepo")
            return
        if account is None:
            raise StoreError(401, "Invalid username or password.")
        proposes = right == "comment" or (right == "propose" and "create_pr" in request.query_params)
        if account.role != "write" or not (member or proposes):
            raise StoreError(403, f"You don't have the required permissions to write to {repository.id}")

    async def whoami(self, request: Request) -> Response:
        account = self.account(request)
        if account is None:
            raise StoreError(401, "Invalid username or password.")
        token = {"displayName": "test", "role": account.role}
        organizations = [{"type": "org", "name": name, "fullname": name} for name in account.organizations]
        answer = {"type": "user", "id": account.name, "name": account.name, "fullname": account.name}
        return JSONResponse(answer | {"orgs": organizations, "auth": {"type": "access_token", "accessToken": token}})

    # Repositories

    async def create_repository(self, request: Request) -> Response:
        account, wanted = self.account(request), await request.json()
        if account is None:
            raise StoreError(401, "Invalid username or password.")
        kind, namespace = wanted.get("type") or "model", wanted.get("organization") or account.name
        if account.role != "write" or namespace not in account.namespaces:
            message = f'You don\'t have the rights to create a {kind} under the namespace "{namespace}"'
            raise StoreError(403, message)
        repository_id = f"{namespace}/{wanted['name']}"
        url = f"{self.endpoint}/{_prefix(kind)}{repository_id}"
        if (kind, repository_id) in self.store.repositories:
            error = f"You already created this {kind} repo: {repository_id}"
            return JSONResponse({"error": error, "url": url}, 409)
        private = wanted.get("visibility") == "private" or bool(wanted.get("private"))
        self.store.create(kind, repository_id, private)
        return JSONResponse({"url": url, "name": repository_id})

    async def delete_repository(self, request: Request) -> Response:
        wanted = await request.json()
        account = self.account(request)
        namespace = wanted.get("organization") or (account.name if account else "")
        repository = self.find(request, wanted.get("type") or "model", f"{namespace}/{wanted['name']}")
        self.check_right(request, repository, "write")
        del self.store.repositories[repository.kind, repository.id]
        return JSONResponse({})

    async def list_repositories(self, request: Request) -> Response:
        kind, query = KIND_OF_FOLDER.get(request.path_params["folder"]), request.query_params
        if kind is None:
            raise StoreError(404, "Not found")
        account = self.account(request)
        visible = [
            repository
            for (its_kind, repository_id), repository in sorted(self.store.repositories.items())
            if its_kind == kind
            and (not repository.private or _is_member(account, repository))
            and query.get("author", repository.namespace) == repository.namespace
            and query.get("search", "").lower() in repository_id.lower()
        ]
        return self._page(request, [self._describe(repository, "main") for repository in visible])

    async def information(self, request: Request, repository: Repository) -> Response:
        description = self._describe(repository, _revision(request), blobs="blobs" in request.query_params)
        wanted = request.query_params.getlist("expand")
        if wanted:
            description = {key: value for key, value in description.items() if key in ("id", *wanted)}
        return JSONResponse(description)

    def _describe(self, repository: Repository, revision: str, blobs: bool = False) -> dict[str, Any]:
        commit = repository.commit(revision)
        header = self._header(commit)
        siblings = [{"rfilename": path} | (_blob(file) if blobs else {}) for path, file in commit.tree.items()]
        tags = [str(tag) for tag in _as_list(header.get("tags"))]
        for key, name in (("license", "license"), ("base_model", "base_model"), ("datasets", "dataset")):
            tags += [f"{name}:{value}" for value in _as_list(header.get(key))]
        return {
            "_id": hashlib.sha256(repository.id.encode()).hexdigest()[:24],
            "id": repository.id,
            "modelId": repository.id,
            "author": repository.namespace,
            "sha": commit.oid,
            "createdAt": repository.created,
            "lastModified": commit.date,
            "private": repository.private,
            "gated": repository.gated,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": tags,
            "library_name": header.get("library_name"),
            "pipeline_tag": header.get("pipeline_tag"),
            "cardData": header or None,
            "model-index": header.get("model-index"),
            "siblings": siblings,
        }

    def _header(self, commit: Commit) -> dict[str, Any]:
        if "README.md" not in commit.tree:
            return {}
        try:
            header = metadata.read_header(self.store.content(commit.tree["README.md"]).read_text())
        except yaml.YAMLError:
            return {}
        return header if isinstance(header, dict) else {}

    async def nothing(self, request: Request, repository: Repository) -> Response:
        return JSONResponse({})

    async def change_settings(self, request: Request, repository: Repository) -> Response:
        wanted = await request.json()
        repository.gated = wanted.get("gated", repository.gated)
        if "visibility" in wanted:
            repository.private = wanted["visibility"] == "private"
        return JSONResponse({})

    async def grant_access(self, request: Request, repository: Repository) -> Response:
        repository.granted.add((await request.json())["user"])
        return JSONResponse({})

    async def validate_yaml(self, request: Request) -> Response:
        wanted = await request.json()
        errors, warnings = metadata.check(wanted["content"], wanted.get("repoType", "model"))
        answer = {"errors": _messages(errors), "warnings": _messages(warnings)}
        return JSONResponse(answer, 400 if errors else 200)

    # Uploads and commits

    async def preupload(self, request: Request, repository: Repository) -> Response:
        tree, answer = repository.commit(_revision(request)).tree, []
        for wanted in (await request.json())["files"]:
            path = checked_path(wanted["path"])
            mode = repository.upload_mode(path, base64.b64decode(wanted["sample"]), wanted["size"], tree)
            entry = {"path": path, "uploadMode": mode, "shouldIgnore": False}
            if path in tree:
                entry["oid"] = tree[path].sha256 if tree[path].lfs else tree[path].oid
            answer.append(entry)
        return JSONResponse({"files": answer})

    async def lfs_batch(self, request: Request, repository: Repository) -> Response:
        objects = []
        for wanted in (await request.json())["objects"]:
            sha256, size = wanted["oid"], wanted["size"]
            answer: dict[str, Any] = {"oid": sha256, "size": size}
            if sha256 not in repository.objects:
                stem = f"/storage/{repository.id}/{sha256}"
                upload: dict[str, Any] = {"href": self._signed(stem, kind=repository.kind, size=size)}
                if size > self.multipart_threshold:
                    n_parts = -(-size // self.multipart_threshold)
                    upload["href"] = self._signed(f"{stem}/complete", kind=repository.kind, size=size)
                    upload["header"] = {"chunk_size": str(self.multipart_threshold)} | {
                        str(part): self._signed(f"{stem}/{part}", kind=repository.kind)
                        for part in range(1, n_parts + 1)
                    }
                verify = f"{self.endpoint}/{_prefix(repository.kind)}{repository.id}.git/info/lfs/verify"
                answer |= {"authenticated": True, "actions": {"upload": upload, "verify": {"href": verify}}}
            objects.append(answer)
        return JSONResponse({"transfer": "basic", "objects": objects})

    async def lfs_verify(self, request: Request, repository: Repository) -> Response:
        wanted = await request.json()
        if repository.objects.get(wanted["oid"]) != wanted["size"]:
            raise StoreError(404, f"Object {wanted['oid']} was not uploaded")
        return JSONResponse({})

    async def upload_object(self, request: Request) -> Response:
        repository = self._of_signed(request)
        with self.store.incoming_file() as stream:
            async for block in request.stream():
                stream.write(block)
        self._keep(repository, Path(stream.name), request.path_params["sha256"], int(request.query_params["size"]))
        return Response()

    async def upload_part(self, request: Request) -> Response:
        self._of_signed(request)
        digest = hashlib.md5()
        with self.store.incoming_file() as stream:
            async for block in request.stream():
                stream.write(block)
                digest.update(block)
        Path(stream.name).replace(self._part(request, request.path_params["part"]))
        return Response(headers={"ETag": f'"{digest.hexdigest()}"'})

    async def complete_upload(self, request: Request) -> Response:
        repository, wanted = self._of_signed(request), await request.json()
        parts = [self._part(request, part["partNumber"]) for part in wanted["parts"]]
        with self.store.incoming_file() as stream:
            for part in parts:
                stream.write(part.read_bytes())
        self._keep(repository, Path(stream.name), request.path_params["sha256"], int(request.query_params["size"]))
        for part in parts:
            part.unlink()
        return JSONResponse({})

    def _part(self, request: Request, number: int) -> Path:
        return self.store.root / "incoming" / f"{request.path_params['sha256']}.{number}"

    def _keep(self, repository: Repository, upload: Path, sha256: str, size: int) -> None:
        """Make an upload an object of a repository once its size and checksum are what was announced."""
        with upload.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if upload.stat().st_size != size or found != sha256:
            upload.unlink()
            raise StoreError(400, f"The upload's content is not {sha256} ({size} bytes)")
        upload.replace(self.store.root / "objects" / sha256)
        repository.objects[sha256] = size

    async def commit(self, request: Request, repository: Repository) -> Response:
        lines = [json.loads(line) for line in (await request.body()).splitlines()]
        header, changes = lines[0]["value"], lines[1:]
        creates_pull_request = "create_pr" in request.query_params
        reference = repository.reference(_revision(request))
        if reference is None:
            raise StoreError(404, f"Invalid rev id: {_revision(request)}", "RevisionNotFound")
        if reference.startswith("refs/tags/"):
            raise StoreError(400, "A tag takes no commits")
        parent = header.get("parentCommit")
        base = repository.references[reference]
        if creates_pull_request:
            base = repository.commit(parent) if parent else base
        elif parent and parent != base.oid:
            raise StoreError(412, "A commit has happened since. Please refresh and try again.")
        for change in changes:
            if change["key"] == "file":
                change["value"]["content"] = _content(change["value"])
                if change["value"]["path"] == "README.md":
                    self._check_card(change["value"]["content"], repository.kind)
        tree = repository.apply(base, changes)

        # Everything was checked: from here on nothing fails, so that a commit is whole or does not happen.
        account, discussion = self.account(request), None
        assert account is not None
        if creates_pull_request:
            discussion = repository.open(header["summary"], header.get("description", ""), account.name, base)
            reference = f"refs/pr/{discussion.number}"
        commit = repository.add_commit(
            reference, tree, header["summary"], header.get("description", ""), account.name, base
        )
        place = f"{self.endpoint}/{_prefix(repository.kind)}{repository.id}"
        answer = {"success": True, "commitOid": commit.oid, "commitUrl": f"{place}/commit/{commit.oid}"}
        if discussion is not None:
            answer["pullRequestUrl"] = f"{place}/discussions/{discussion.number}"
        return JSONResponse(answer)

    def _check_card(self, card: bytes, kind: str) -> None:
        errors, _ = metadata.check(card.decode(errors="replace"), kind)
        if errors:
            raise StoreError(400, f"Invalid metadata in README.md: {'; '.join(errors)}")

    # Reading

    async def resolve(self, request: Request, repository: Repository) -> Response:
        path, revision = unquote(request.path_params["path"]), _revision(request)
        commit, file = repository.commit(revision), repository.file(path, revision)
        headers = {"X-Repo-Commit": commit.oid, "Content-Disposition": f"inline; filename*=UTF-8''{quote(path)}"}
        if not file.lfs:
            return FileResponse(self.store.content(file), headers=headers | {"ETag": f'"{file.oid}"'})
        headers |= {"X-Linked-Etag": f'"{file.sha256}"', "X-Linked-Size": str(file.size), "ETag": f'"{file.sha256}"'}
        if file.xet_hash:
            token = f"{self.endpoint}/api/{repository.kind}s/{repository.id}/xet-read-token/{commit.oid}"
            headers |= {"X-Xet-Hash": file.xet_hash, "Link": f'<{token}>; rel="xet-auth"'}
        kept = {"kind": repository.kind, "id": repository.id, "revision": commit.oid, "path": path}
        return RedirectResponse(self._signed(f"/storage/{file.sha256}", **kept), 302, headers)

    async def download_object(self, request: Request) -> Response:
        self._check_signature(request)
        query = request.query_params
        repository = self.store.repositories.get((query["kind"], query["id"]))
        if repository is None:
            raise StoreError(404, "Not found")
        file = repository.file(query["path"], query["revision"])
        return FileResponse(self.store.content(file), headers={"ETag": f'"{file.sha256}"'})

    async def tree(self, request: Request, repository: Repository) -> Response:
        commit, folder = repository.commit(_revision(request)), unquote(request.path_params.get("path", ""))
        inside = folder.rstrip("/") + "/" if folder else ""
        recursive = _is_true(request.query_params.get("recursive"))
        entries: dict[str, dict[str, Any]] = {}
        for path, file in commit.tree.items():
            if not path.startswith(inside):
                continue
            parts = path.removeprefix(inside).split("/")
            for depth in range(1, len(parts) if recursive else min(len(parts), 2)):
                name = inside + "/".join(parts[:depth])
                entries[name] = _folder_entry(name)
            if recursive or len(parts) == 1:
                entries[path] = self._file_entry(path, file, commit, request)
        if folder and not entries:
            raise StoreError(404, f'"{folder}" does not exist on this revision', "EntryNotFound")
        return self._page(request, [entries[path] for path in sorted(entries)])

    async def paths_information(self, request: Request, repository: Repository) -> Response:
        commit, answer = repository.commit(_revision(request)), []
        for path in parse_qs((await request.body()).decode()).get("paths", []):
            name = path.rstrip("/")
            if name in commit.tree:
                answer.append(self._file_entry(name, commit.tree[name], commit, request))
            elif any(other.startswith(name + "/") for other in commit.tree):
                answer.append(_folder_entry(name))
        return JSONResponse(answer)

    def _file_entry(self, path: str, file: File, commit: Commit, request: Request) -> dict[str, Any]:
        entry: dict[str, Any] = {"type": "file", "path": path, "oid": file.oid, "size": file.size}
        if file.lfs:
            entry["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": file.pointer_size}
        if file.xet_hash:
            entry["xetHash"] = file.xet_hash
        if _is_true(request.query_params.get("expand")):
            changed = commit
            while changed.parent is not None and changed.parent.tree.get(path) == file:
                changed = changed.parent
            entry["lastCommit"] = {"id": changed.oid, "title": changed.title, "date": changed.date}
        return entry

    async def commits(self, request: Request, repository: Repository) -> Response:
        described = [
            {
                "id": commit.oid,
                "title": commit.title,
                "message": commit.description,
                "date": commit.date,
                "authors": [{"user": commit.author}],
            }
            for commit in repository.commits(_revision(request))
        ]
        return self._page(request, described)

    def _page(self, request: Request, rows: list[Any]) -> Response:
        """Return one page of a listing, with the `Link` to the next one."""
        start = int(request.query_params.get("cursor", 0))
        end = start + min(self.page_size, int(request.query_params.get("limit", self.page_size)))
        headers = {}
        if end < len(rows):
            query = [(key, value) for key, value in request.query_params.multi_items() if key != "cursor"]
            following = f"{self.endpoint}{request.url.path}?{urlencode([*query, ('cursor', end)])}"
            headers["Link"] = f'<{following}>; rel="next"'
        return JSONResponse(rows[start:end], headers=headers)

    # Branches, tags, pull requests

    async def list_references(self, request: Request, repository: Repository) -> Response:
        answer: dict[str, list[dict[str, str]]] = {"branches": [], "tags": [], "converts": [], "pullRequests": []}
        for reference, commit in repository.references.items():
            for start, group in (("refs/heads/", "branches"), ("refs/tags/", "tags"), ("refs/pr/", "pullRequests")):
                if reference.startswith(start):
                    name = reference.removeprefix(start)
                    answer[group].append({"name": name, "ref": reference, "targetCommit": commit.oid})
        return JSONResponse(answer)

    async def create_branch(self, request: Request, repository: Repository) -> Response:
        body = await request.body()
        start = (json.loads(body) if body else {}).get("startingPoint") or "main"
        return self._new_reference(repository, f"refs/heads/{_reference(request)}", repository.commit(start))

    async def create_tag(self, request: Request, repository: Repository) -> Response:
        name = (await request.json())["tag"]
        return self._new_reference(repository, f"refs/tags/{name}", repository.commit(_reference(request)))

    def _new_reference(self, repository: Repository, reference: str, commit: Commit) -> Response:
        if reference in repository.references:
            raise StoreError(409, f"Reference already exists: {reference}")
        repository.references[reference] = commit
        return JSONResponse({})

    async def delete_branch(self, request: Request, repository: Repository) -> Response:
        if _reference(request) == "main":
            raise StoreError(403, "The main branch cannot be deleted")
        return self._delete_reference(repository, f"refs/heads/{_reference(request)}")

    async def delete_tag(self, request: Request, repository: Repository) -> Response:
        return self._delete_reference(repository, f"refs/tags/{_reference(request)}")

    def _delete_reference(self, repository: Repository, reference: str) -> Response:
        if repository.references.pop(reference, None) is None:
            raise StoreError(404, f"Reference not found: {reference}", "RevisionNotFound")
        return JSONResponse({})

    async def list_discussions(self, request: Request, repository: Repository) -> Response:
        query = request.query_params
        chosen = [
            self._discussion(repository, discussion)
            for discussion in reversed(repository.discussions)
            if query.get("type", "all") in ("all", "pull_request" if discussion.base else "discussion")
            and query.get("status", "all") in ("all", "closed" if discussion.status != "open" else "open")
            and query.get("author", discussion.author) == discussion.author
        ]
        start = int(query.get("p", 0)) * self.page_size
        page = chosen[start : start + self.page_size]
        return JSONResponse({"discussions": page, "count": len(chosen), "start": start})

    async def open_discussion(self, request: Request, repository: Repository) -> Response:
        wanted, account = await request.json(), self.account(request)
        assert account is not None
        base = repository.commit("main") if wanted.get("pullRequest") else None
        discussion = repository.open(wanted["title"], wanted.get("description", ""), account.name, base)
        return JSONResponse({"num": discussion.number, "pullRequest": base is not None})

    async def show_discussion(self, request: Request, repository: Repository) -> Response:
        discussion = _discussion_of(request, repository)
        answer, author = self._discussion(repository, discussion), {"name": discussion.author}
        comment = {"edited": False, "hidden": False, "latest": {"raw": discussion.description}}
        event = {"id": "1", "type": "comment", "createdAt": discussion.date, "author": author, "data": comment}
        answer["events"] = [event]
        if discussion.base is not None:
            answer |= {"changes": {"base": "refs/heads/main", "mergeCommitId": discussion.merge_commit}}
            answer |= {"filesWithConflicts": [], "diff": ""}
        return JSONResponse(answer)

    async def merge(self, request: Request, repository: Repository) -> Response:
        account, discussion = self.account(request), _discussion_of(request, repository)
        assert account is not None
        if discussion.base is None or discussion.status != "open":
            raise StoreError(409, "Only an open pull request can be merged")
        commit = repository.merge(discussion, account.name)
        return JSONResponse({"newCommitOid": commit.oid})

    async def change_status(self, request: Request, repository: Repository) -> Response:
        discussion, account = _discussion_of(request, repository), self.account(request)
        assert account is not None
        discussion.status = (await request.json())["status"]
        event = {"id": "2", "type": "status-change", "createdAt": now(), "author": {"name": account.name}}
        return JSONResponse({"newStatus": event | {"data": {"status": discussion.status}}})

    def _discussion(self, repository: Repository, discussion: Discussion) -> dict[str, Any]:
        return {
            "num": discussion.number,
            "title": discussion.title,
            "author": {"name": discussion.author},
            "createdAt": discussion.date,
            "status": discussion.status,
            "isPullRequest": discussion.base is not None,
            "repo": {"name": repository.id, "type": repository.kind},
        }

    # Xet

    async def xet_token(self, request: Request, repository: Repository) -> Response:
        storage, expiry = f"local://{self.store.xet.folder}", 4_000_000_000  # seconds since 1970: does not expire
        headers = {
            "X-Xet-Cas-Url": storage,
            "X-Xet-Access-Token": "xet",
            "X-Xet-Token-Expiration": str(expiry),
        }
        return JSONResponse({"accessToken": "xet", "exp": expiry, "casUrl": storage}, headers=headers)

    # Signed addresses on the storage host, which never sees the user's token

    def _signed(self, address: str, **query: Any) -> str:
        text = urlencode(query)
        return f"{self.storage}{address}?{text}&signature={self._signature(address, text)}"

    def _signature(self, address: str, query: str) -> str:
        return hmac.new(self.secret, f"{address}?{query}".encode(), "sha256").hexdigest()

    def _check_signature(self, request: Request) -> None:
        query, _, signature = request.url.query.rpartition("&signature=")
        if not hmac.compare_digest(signature, self._signature(request.url.path, query)):
            raise StoreError(403, "SignatureDoesNotMatch")
        if "authorization" in request.headers:
            raise StoreError(400, "A token was sent to the storage host")

    def _of_signed(self, request: Request) -> Repository:
        self._check_signature(request)
        names = request.path_params
        key = request.query_params["kind"], f"{names['namespace']}/{names['name']}"
        if key not in self.store.repositories:
            raise StoreError(404, "Not found")
        return self.store.repositories[key]


def _is_member(account: Account | None, repository: Repository) -> bool:
    return account is not None and repository.namespace in account.namespaces


def _prefix(kind: str) -> str:
    return "" if kind == "model" else f"{kind}s/"


def _revision(request: Request) -> str:
    return unquote(request.path_params.get("revision", "main"))


def _reference(request: Request) -> str:
    return unquote(request.path_params["reference"])


def _discussion_of(request: Request, repository: Repository) -> Discussion:
    number = request.path_params["number"]
    if not 1 <= number <= len(repository.discussions):
        raise StoreError(404, f"Discussion {number} not found")
    return repository.discussions[number - 1]


def _content(value: dict[str, str]) -> bytes:
    return base64.b64decode(value["content"]) if value.get("encoding") == "base64" else value["content"].encode()


def _blob(file: File) -> dict[str, Any]:
    lfs = {"sha256": file.sha256, "size": file.size, "pointerSize": file.pointer_size}
    return {"size": file.size, "blobId": file.oid} | ({"lfs": lfs} if file.lfs else {})


def _folder_entry(path: str) -> dict[str, Any]:
    return {"type": "directory", "path": path, "oid": hashlib.sha1(path.encode()).hexdigest(), "size": 0}


def _messages(texts: list[str]) -> list[dict[str, str]]:
    return [{"message": text} for text in texts]


def _as_list(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _is_true(value: str | None) -> bool:
    return value is not None and value.lower() in ("1", "true")


async def _refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, StoreError)
    headers = {"X-Error-Message": error.message.encode("latin-1", "replace").decode("latin-1")} | error.headers
    if error.code:
        headers["X-Error-Code"] = error.code
    return JSONResponse({"error": error.message}, error.status, headers)
