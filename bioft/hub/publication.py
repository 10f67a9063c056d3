"""What of a run or a dataset goes to the Hub, and what must be true of it before anything is sent."""

import hashlib
import json
import mmap
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bioft import task as tasks
from bioft.cards import dataset as cards_dataset, eval_results, model as cards
from bioft.cards.words import PLACEHOLDER, without_local_paths
from bioft.errors import BioftError
from bioft.hub import checks
from bioft.storage import files as storage_files, runs, yaml_config

NOT_STATED, UNKNOWN = "not stated", "unknown"
"""What a manifest says of terms and of a licence that nobody gave."""


@dataclass(frozen=True)
class PublishedFile:
    """One file as it goes to the Hub: its name there, and its content as bytes or as a file on the disk."""

    name: str
    content: Path | bytes
    size: int
    sha256: str

    @classmethod
    def of(cls, name: str, content: Path | bytes) -> "PublishedFile":
        """Measure a file."""
        if isinstance(content, bytes):
            return cls(name, content, len(content), hashlib.sha256(content).hexdigest())
        return cls(name, content, content.stat().st_size, storage_files.file_sha256(content))

    def git_oid(self) -> str:
        """The id under which git stores the content; the Hub names small files by it."""
        content = self.content if isinstance(self.content, bytes) else self.content.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def run_files(
    run: Path, repository: str, token: str | None = None, *, pulled_from: str | None = None
) -> list[PublishedFile]:
    """The files of a finished run that go to the model repository `repository`: what its record lists, the card, and
    its result for leaderboards. The card may name the repository that the run was `pulled_from`.

    BioftError: no finished run, or one without test figures; files that were changed since, are missing, may hold
    code, an optimizer's state or a token, or lie outside the run; a base model that nobody else can load; a card that
    the Hub would refuse.
    """
    record = runs.read(run)
    runs.check_tested(run, record)
    names = checks.recorded_names(record, run / runs.RECORD)
    checks.check_no_pickles(run)
    for name in names:
        _check_inside(run, name)
    runs.check_files(run, record)
    checks.check_weights(names, run / runs.RECORD)
    checks.check_no_remote_code(run)
    checks.check_base_model(record, run)
    card = _card(run, repository, lambda: cards.model_card(record), pulled_from)
    contents: dict[str, Path | bytes] = {name: run / name for name in (*names, runs.RECORD)} | _without_paths(
        run, record
    )
    if (results := eval_results.eval_results(record, tasks.find(record, pulled=False))) is not None:
        contents[runs.EVAL_RESULTS] = results.encode()
    return _checked([*(PublishedFile.of(*item) for item in contents.items()), card], token)


def _without_paths(run: Path, record: dict[str, Any]) -> dict[str, bytes]:
    """Record and configuration without absolute paths, where they have any: a home folder names its owner."""
    changed: dict[str, bytes] = {}
    if runs.CONFIG in record["files"]:
        config = yaml_config.load_config(run / runs.CONFIG)
        if (shown := without_local_paths(config, in_texts=False)) != config:
            changed[runs.CONFIG] = yaml.safe_dump(shown, sort_keys=True, allow_unicode=True).encode()
    shown = without_local_paths(record, in_texts=False)
    shown["files"] = record["files"] | {name: hashlib.sha256(its).hexdigest() for name, its in changed.items()}
    if shown != record:
        changed[runs.RECORD] = (json.dumps(shown, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
    return changed


def dataset_files(
    directory: Path, repository: str, token: str | None = None, *, pulled_from: str | None = None
) -> list[PublishedFile]:
    """The files of a dataset that go to the dataset repository `repository`: splits, manifest and card (`run_files`).

    BioftError: no dataset of `bioft build`, rows that are not those of its manifest, a token or a path outside the
    folder, or a card that the Hub would refuse.
    """
    from bioft.storage import datasets as storage

    dataset, manifest = storage.load(directory)
    names = [*checks.split_files(manifest, directory / storage.MANIFEST), storage.MANIFEST]
    for name in names:
        _check_inside(directory, name)
    card = _card(directory, repository, lambda: cards_dataset.dataset_card(manifest, dataset), pulled_from)
    return _checked([*(PublishedFile.of(name, directory / name) for name in names), card], token)


def check_terms(manifest: dict[str, Any], what: str) -> None:
    """Refuse to pass on data of sources that ask something for it: BioftError, with their terms and files.

    A source that does not say otherwise (`"redistribution": "free"`) is one of them.
    """
    files: dict[str, list[str]] = {}
    for source in manifest.get("sources", []):
        if source.get("redistribution") != "free":
            files.setdefault(_terms(source, manifest), []).append(str(source.get("name")))
    if files:
        raise BioftError(
            f"{what} of sources that ask something of everyone who passes their data on:\n\n"
            + "\n\n".join(f"{', '.join(names)}: {terms}" for terms, names in files.items())
            + "\n\nNothing was sent. If you meet these terms, push again with --accept-terms; the card carries them."
        )


def _terms(source: dict[str, Any], manifest: dict[str, Any]) -> str:
    """The terms of a source; where its owner has stated none, what is known instead."""
    if (terms := str(source.get("terms"))) != NOT_STATED:
        return terms
    license = manifest.get("license", UNKNOWN)
    if license == UNKNOWN:
        return "neither licence nor terms are stated (`bioft build` takes them by --license and --terms)"
    return f"the licence is {license}, other terms are not stated (`bioft build` takes them by --terms)"


def _card(directory: Path, repository: str, render: Callable[[], str], pulled_from: str | None) -> PublishedFile:
    """The card of the folder with its repository's name in it; rendered where there is none.

    What it says how to load and to verify is what is pushed, and not where that was `pulled_from`.
    """
    path = directory / runs.CARD
    if path.exists() or path.is_symlink():
        _check_inside(directory, runs.CARD)
        try:
            text = path.read_bytes().decode("utf-8")
        except UnicodeDecodeError as error:
            raise BioftError(f"{path} is not UTF-8 ({error.reason}). Save it as UTF-8.") from None
    else:
        text = render()
    checks.check_card(text, path)
    if pulled_from is not None:
        names = rf'("|bioft (?:pull-adapter|pull-dataset|verify) ){re.escape(pulled_from)}(?![\w/-]|\.\w)'
        text = re.sub(names, rf"\g<1>{repository}", text)
    return PublishedFile.of(runs.CARD, text.replace(PLACEHOLDER, repository).encode())


def _check_inside(directory: Path, name: str) -> None:
    # A link would publish what it points to.
    if (directory / name).resolve() != directory.resolve() / name:
        raise BioftError(
            f"{directory / name} is a link, or lies behind one: only files of the folder itself are published."
        )


def _checked(files: list[PublishedFile], token: str | None) -> list[PublishedFile]:
    """The files in order of their names, none of which holds a token."""
    for file in files:
        if _holds_token(file, token):
            raise BioftError(
                f"{file.name} holds an access token of the Hub. Nothing was sent. Revoke the token at "
                "https://huggingface.co/settings/tokens, and remove it from the file."
            )
    return sorted(files, key=lambda file: file.name)


def _holds_token(file: PublishedFile, token: str | None) -> bool:
    if not file.size:
        return False
    pattern = re.compile(checks.TOKEN.pattern + (b"|" + re.escape(token.encode()) if token else b""))
    if isinstance(file.content, bytes):
        return bool(pattern.search(file.content))
    with file.content.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return bool(pattern.search(content))
