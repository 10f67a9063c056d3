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

from bioft.cards import model as cards
from bioft.cards.model import PLACEHOLDER
from bioft.errors import BioftError
from bioft.storage import runs

# No other kind of file is needed, and none of these is executed or unpickled when it is read.
SAFE_SUFFIXES = frozenset(
    {".safetensors", ".json", ".jinja", ".yaml", ".md", ".parquet", ".png", ".svg", ".html", ".txt", ".model"}
)
PICKLE_SUFFIXES = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".dill"})
TRAINER_STATE = re.compile(r"(^|/)(checkpoint-\d+/|(optimizer|scheduler|scaler|rng_state)[\w-]*\.(safetensors|json)$)")
ADAPTER_CONFIG = "adapter_config.json"
REMOTE_CODE = ("auto_map", "custom_pipelines")
# Where PEFT may look for the class of a base model (`auto_mapping`): installed libraries, not what comes with a model.
LIBRARIES = frozenset({"transformers", "sentence_transformers", "bioft"})
# Tokens of the Hub (access tokens and those of organisations), as they are written today.
TOKEN = re.compile(rb"\b(hf_[A-Za-z0-9]{30,}|hf_oauth_\w{20,}|api_org_[A-Za-z0-9]{30,})")


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
        return cls(name, content, content.stat().st_size, runs.file_sha256(content))

    def git_oid(self) -> str:
        """The id under which git stores the content; the Hub names small files by it."""
        content = self.content if isinstance(self.content, bytes) else self.content.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def run_files(run: Path, repository: str, token: str | None = None) -> list[PublishedFile]:
    """The files of a finished run that go to the model repository `repository`: what its record lists, and the card.

    Raises:
        BioftError: no finished run, or one without test figures; files that were changed since, are missing, may hold
            code, an optimizer's state or a token, or lie outside the run; a base model that nobody else can load; a
            card that the Hub would refuse.
    """
    record = runs.read(run)
    runs.check_tested(run, record)
    names = recorded_names(record, run / runs.RECORD)
    check_no_pickles(run)
    for name in names:
        _check_inside(run, name)
    runs.check_files(run, record)
    check_weights(names, run / runs.RECORD)
    check_no_remote_code(run)
    check_base_model(record, run)
    card = _card(run, repository, lambda: cards.model_card(record))
    files = [PublishedFile.of(name, run / name) for name in (*names, runs.RECORD)]
    return _checked([*files, card], token)


def dataset_files(directory: Path, repository: str, token: str | None = None) -> list[PublishedFile]:
    """The files of a dataset that go to the dataset repository `repository`: splits, manifest and card.

    Raises:
        BioftError: no dataset of `bioft build`, rows that are not those of its manifest, a token or a path outside the
            folder, or a card that the Hub would refuse.
    """
    from bioft.storage import datasets as storage

    dataset, manifest = storage.load(directory)
    names = [*split_files(manifest, directory / storage.MANIFEST), storage.MANIFEST]
    for name in names:
        _check_inside(directory, name)
    card = _card(directory, repository, lambda: cards.dataset_card(manifest, dataset))
    return _checked([*(PublishedFile.of(name, directory / name) for name in names), card], token)


def terms_to_accept(manifest: dict[str, Any]) -> list[str]:
    """The terms, with the files they hold for, of those sources of a dataset whose data not everyone may pass on.

    A source that does not say otherwise (`"redistribution": "free"`) is one of them.
    """
    files: dict[str, list[str]] = {}
    for source in manifest.get("sources", []):
        if source.get("redistribution") != "free":
            files.setdefault(str(source.get("terms")), []).append(str(source.get("name")))
    return [f"{', '.join(names)}: {terms}" for terms, names in files.items()]


def recorded_names(record: dict[str, Any], where: Path | str) -> list[str]:
    """The names of the files that a record lists, without the card, each safe to write and to load.

    Raises:
        BioftError: a name that leaves the folder, or a kind of file that may hold code or a trainer's state.
    """
    files = record.get("files")
    if not isinstance(files, dict) or not all(isinstance(part, str) for item in files.items() for part in item):
        raise BioftError(f"{where} does not list the files of the run with their checksums.")
    names = [name for name in files if name != runs.CARD]
    for name in names:
        check_name(name, where)
    return names


def split_files(manifest: dict[str, Any], where: Path | str) -> list[str]:
    """The Parquet files of the splits that a manifest lists.

    Raises:
        BioftError: a split whose name leaves the folder.
    """
    if not isinstance(manifest.get("fingerprints"), dict):
        raise BioftError(f"{where} does not list the splits with their fingerprints.")
    names = [f"{split}.parquet" for split in manifest["fingerprints"]]
    for name in names:
        check_name(name, where)
    return names


def check_name(name: str, where: Path | str) -> None:
    """Raise BioftError unless a file stays in its folder on every system and is of a kind that holds no code."""
    parts = name.split("/")
    if re.search(r"[\\:\0-\x1f]", name) or any(part in ("", ".", "..") for part in parts):
        raise BioftError(f"{where} lists a file outside its folder ({name!r}). It is not sent or fetched.")
    if any(part.startswith(".") for part in parts):
        raise BioftError(f"{where} lists a hidden file ({name!r}). Only files of the run itself are published.")
    suffix = Path(name).suffix.lower()
    if suffix in PICKLE_SUFFIXES:
        raise BioftError(f"{where} lists {name}, a pickle, which can run code when it is loaded. Use safetensors.")
    if TRAINER_STATE.search(name):
        raise BioftError(f"{where} lists {name}, the state of a training, which is of no use to others.")
    if suffix not in SAFE_SUFFIXES:
        known = ", ".join(sorted(SAFE_SUFFIXES))
        raise BioftError(f"{where} lists {name}, a kind of file that a run does not have (it has {known}).")


def check_no_pickles(run: Path) -> None:
    """Raise BioftError if a run directory holds a pickle anywhere, listed or not."""
    files = sorted(path.relative_to(run).as_posix() for path in run.rglob("*"))
    pickles = [name for name in files if Path(name).suffix.lower() in PICKLE_SUFFIXES]
    if pickles:
        raise BioftError(
            f"{run} holds {', '.join(pickles[:5])}: pickles, which can run code when they are loaded. Remove them "
            "(the run itself has its weights as safetensors), then push again."
        )


def check_weights(names: list[str], where: Path | str) -> None:
    """Raise BioftError unless there are weights that PEFT or Transformers load without a pickle."""
    weights = "adapter_model.safetensors" if ADAPTER_CONFIG in names else "model.safetensors"
    if weights not in names and f"{weights}.index.json" not in names:
        raise BioftError(f"{where} lists no weights ({weights}).")


def check_base_model(record: dict[str, Any], run: Path) -> None:
    """Raise BioftError unless others can load the base model that a run and its adapter name.

    An adapter's configuration must name what the record does, at the same commit.
    """
    base = record.get("base_model")
    if not isinstance(base, dict) or not isinstance(base.get("id"), str):
        raise BioftError(f"The record of the run in {run} names no base model.")
    name, source = base["id"], str(base.get("source") or "")
    if source.startswith("local folder") or not cards.HUB_ID.fullmatch(name):
        raise BioftError(
            f"The run in {run} was trained on a base model in a local folder ({name}), which nobody else can load. "
            "Push the base model to the Hub and train with --model_name_or_path user/base-model."
        )
    if not (run / ADAPTER_CONFIG).is_file():
        return
    config = read_json(run / ADAPTER_CONFIG)
    found = config.get("base_model_name_or_path"), config.get("revision")
    if found != (name, base.get("revision")):
        raise BioftError(
            f"{run / ADAPTER_CONFIG} names the base model {found[0]} at revision {found[1]}, the run's record {name} "
            f"at {base.get('revision')}. Train again, or take the adapter of this run."
        )


def check_no_remote_code(directory: Path) -> None:
    """Raise BioftError if a configuration asks its loader to run code that comes with the model."""
    for path in sorted(directory.rglob("*config.json")):
        config = read_json(path)
        found = [key for key in REMOTE_CODE if config.get(key)]
        library = str((config.get("auto_mapping") or {}).get("parent_library", "transformers"))
        if library.split(".")[0] not in LIBRARIES:
            found.append(f"auto_mapping to {library}")
        if found:
            raise BioftError(f"{path.name} asks its loader to run other code ({', '.join(found)}): refused.")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; BioftError where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BioftError(f"{path} can't be read as JSON: {error}.") from error
    if not isinstance(content, dict):
        raise BioftError(f"{path} holds no JSON object.")
    return content


def check_card(text: str, where: Path | str) -> None:
    """Raise BioftError, with the line, unless a card begins with metadata that can be read."""
    found = re.match(r"---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", text, re.DOTALL | re.MULTILINE)
    if found is None:
        raise BioftError(f"{where} does not begin with metadata (YAML between two lines of ---). Put it back.")
    try:
        metadata = yaml.safe_load(found[1])
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 2}" if mark else ""
        problem = getattr(error, "problem", None) or "not valid"
        raise BioftError(f"{where}{line}: the card's YAML is broken ({problem}). Mend it, then push again.") from None
    if not isinstance(metadata, dict):
        raise BioftError(f"{where}: the card's metadata are no list of keys and values. Mend them, then push again.")


def _card(directory: Path, repository: str, render: Callable[[], str]) -> PublishedFile:
    """The card of the folder with its repository's name in it; rendered where there is none."""
    path = directory / runs.CARD
    if path.exists() or path.is_symlink():
        _check_inside(directory, runs.CARD)
        try:
            text = path.read_bytes().decode("utf-8")
        except UnicodeDecodeError as error:
            raise BioftError(f"{path} is not UTF-8 ({error.reason}). Save it as UTF-8.") from None
    else:
        text = render()
    check_card(text, path)
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
    patterns = [TOKEN] + ([re.compile(re.escape(token.encode()))] if token else [])
    if isinstance(file.content, bytes):
        return any(pattern.search(file.content) for pattern in patterns)
    with file.content.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return any(pattern.search(content) for pattern in patterns)
