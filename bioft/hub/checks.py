"""What may be published and what may be loaded: names, weights, no pickles, no code."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from bioft.cards import words
from bioft.errors import BioftError, in_words
from bioft.storage import runs

# No other kind of file is needed, and none of these is executed or unpickled when it is read.
SAFE_SUFFIXES = frozenset(
    {".safetensors", ".json", ".jinja", ".yaml", ".md", ".parquet", ".png", ".svg", ".pdf", ".html", ".txt", ".model"}
)
PICKLE_SUFFIXES = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".dill"})
TRAINER_STATE = re.compile(r"(^|/)(checkpoint-\d+/|(optimizer|scheduler|scaler|rng_state)[\w-]*\.(safetensors|json)$)")
ADAPTER_CONFIG = "adapter_config.json"
UNLISTED = (runs.CARD, runs.EVAL_RESULTS)
"""Of a pushed run what its record does not list, because it is written from the record."""
REMOTE_CODE = ("auto_map", "custom_pipelines")
# Where PEFT may look for the class of a base model (`auto_mapping`): installed libraries, not what comes with a model.
LIBRARIES = frozenset({"transformers", "sentence_transformers", "bioft"})
# Tokens of the Hub (access tokens and those of organisations), as they are written today.
TOKEN = re.compile(rb"\b(hf_[A-Za-z0-9]{30,}|hf_oauth_\w{20,}|api_org_[A-Za-z0-9]{30,})")


def recorded_names(record: dict[str, Any], where: Path | str) -> list[str]:
    """The names of the files that a record lists, without the card, each safe to write and to load.

    BioftError: a name that leaves the folder, or a kind of file that may hold code or a trainer's state.
    """
    files = record.get("files")
    if files is None:
        raise BioftError(f"{where} does not list the files of the run with their checksums.")
    return _safe([name for name in files if name != runs.CARD], where)


def listed_files(path: Path) -> list[str]:
    """What a run's record or a dataset's manifest lists, and what may be beside it (`UNLISTED`).

    BioftError as `recorded_names`.
    """
    if path.name == runs.RECORD:
        names = recorded_names(runs.read(path.parent), path)
        check_weights(names, path)
        return [*names, *UNLISTED]
    else:
        from bioft.storage import datasets as storage

        names = split_files(storage.load_manifest(path.parent), path)
    return [*names, runs.CARD]


def split_files(manifest: dict[str, Any], where: Path | str) -> list[str]:
    """The Parquet files of the splits that a manifest lists; BioftError: a split whose name leaves the folder."""
    return _safe([f"{split}.parquet" for split in manifest["fingerprints"]], where)


def leaves_folder(name: str) -> bool:
    """Whether the name of a file may leave its folder, on any system."""
    return bool(re.search(r"[\\:\0-\x1f]", name)) or any(part in ("", ".", "..") for part in name.split("/"))


def _safe(names: list[str], where: Path | str) -> list[str]:
    """Names of files that stay in their folder on every system and are of kinds that hold no code; else BioftError."""
    for name in names:
        parts, suffix = name.split("/"), Path(name).suffix.lower()
        if leaves_folder(name):
            raise BioftError(f"{where} lists a file outside its folder ({name!r}). It is not sent or fetched.")
        if any(part.startswith(".") for part in parts):
            raise BioftError(f"{where} lists a hidden file ({name!r}). Only files of the run itself are published.")
        if suffix in PICKLE_SUFFIXES:
            raise BioftError(f"{where} lists {name}, a pickle, which can run code when it is loaded. Use safetensors.")
        if TRAINER_STATE.search(name):
            raise BioftError(f"{where} lists {name}, the state of a training, which is of no use to others.")
        if suffix not in SAFE_SUFFIXES:
            known = ", ".join(sorted(SAFE_SUFFIXES))
            raise BioftError(f"{where} lists {name}, a kind of file that a run does not have (it has {known}).")
    return names


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
    base = record.get("base_model") or {}
    if base.get("id") is None:
        raise BioftError(f"The record of the run in {run} names no base model.")
    name, source = base["id"], str(base.get("source") or "")
    if source.startswith("local folder") or not words.HUB_ID.fullmatch(name):
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
        mapping = config.get("auto_mapping") or {}
        library = str(mapping.get("parent_library", "transformers") if isinstance(mapping, dict) else mapping)
        if library.split(".")[0] not in LIBRARIES:
            found.append(f"auto_mapping to {library}")
        if found:
            raise BioftError(f"{path.name} asks its loader to run other code ({', '.join(found)}): refused.")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; BioftError where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BioftError(f"{path} can't be read as JSON: {in_words(error)}.") from error
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
