"""The configuration of a finished run, ready to be used again: its base model and its data pinned as recorded."""

from pathlib import Path
from typing import Any

from bioft.datasets.recorded import sources_in_words
from bioft.errors import BioftError
from bioft.hub import pull
from bioft.storage import datasets as storage, files as storage_files, runs, yaml_config

FILES = ("dataset_path", "exclude", "namespace", "modelseed", "held_out_models")
"""Keys that name files and folders of data."""
BUILT_ALREADY = ("dataset_path", "dataset_revision", "exclude", "strip_symbols", "skip_bad")
"""Keys that mean nothing for a dataset in a folder that `bioft build` wrote."""
OTHER_RUNS = ("entity_run", "mlm_run", "start_from")
"""Keys that name a run which the training starts from or reads."""


def recorded_configuration(
    directory: Path, record: dict[str, Any], dataset_path: Path | None = None
) -> dict[str, Any]:
    """What `config.yaml` of a run says, with the base model and a dataset on the Hub pinned to the recorded commits.

    Args:
        directory: the run directory.
        record: its record.
        dataset_path: the data, if they are elsewhere now: their source file, a folder of `bioft build`, or for
            metabolite names a folder with the recorded files.

    Raises:
        BioftError: no `config.yaml`, data that are missing or not the recorded ones, or a run from the Hub whose
            configuration names data or runs in folders of another machine.
    """
    path = directory / runs.CONFIG
    if not path.is_file() or runs.CONFIG not in record.get("files", {}):
        raise BioftError(f"The record in {directory} has no {runs.CONFIG}: how the run was trained is not known.")
    config, recorded, base = yaml_config.load_config(path), record["dataset"], record["base_model"]
    if config.get("mlm_run") is None:  # else the base is what that run made of this one
        config["model_name_or_path"] = base["name_or_path"]
        if base["revision"] is not None:
            config["model_revision"] = base["revision"]
    if dataset_path is not None:
        config |= _data_at(dataset_path, config, recorded)
        if (dataset_path / storage.MANIFEST).is_file():
            config = {key: value for key, value in config.items() if key not in BUILT_ALREADY}
    elif source := recorded.get("hub"):
        config |= {"dataset": source["id"], "dataset_revision": source["revision"]}
    elif pull.origin(directory) is not None and (named := [key for key in FILES if _is_path(config, key)]):
        # What comes from the Hub may not choose a file of this machine.
        raise BioftError(
            f"The run was trained on files of another machine ({', '.join(named)}): {sources_in_words(recorded)}. "
            "Name yours with --dataset-path."
        )
    if pull.origin(directory) is not None and (named := [key for key in OTHER_RUNS if _is_local(config.get(key))]):
        raise BioftError(f"The run needs another run in a folder of another machine ({named[0]}: {config[named[0]]}).")
    for name in [name for key in FILES if _is_path(config, key) for name in _names(config[key])]:
        if not Path(name).exists():
            raise BioftError(
                f"The data are missing: there is no {name}. The run was trained on {sources_in_words(recorded)}. "
                "Name them with --dataset-path."
            )
    return config


def _data_at(path: Path, config: dict[str, Any], recorded: dict[str, Any]) -> dict[str, Any]:
    """The keys that name the data, for data at another place; refuses others than the recorded."""
    if not path.exists():
        raise BioftError(f"There is no {path}. The run was trained on {sources_in_words(recorded)}.")
    if (path / storage.MANIFEST).is_file():
        if storage.load_manifest(path)["fingerprints"] != recorded["fingerprints"]:
            raise BioftError(f"The dataset in {path} is not the one that the run was trained on.")
        return {"dataset": str(path)}
    if config.get("dataset") == "metabolites":
        moved = {key: config[key] for key in ("namespace", "held_out_models") if _is_path(config, key)}
        found: dict[str, Any] = {key: [str(path / Path(name).name) for name in _names(moved[key])] for key in moved}
        if "namespace" in found:
            found["namespace"] = found["namespace"][0]
        return found | ({"modelseed": str(path)} if "modelseed" in config else {})
    sums = {source["sha256"] for source in recorded["sources"]}
    if path.is_file() and storage_files.file_sha256(path) not in sums:
        raise BioftError(f"{path} is not the file that the run was trained on: {sources_in_words(recorded)}.")
    return {"dataset_path": str(path)}


def _is_path(config: dict[str, Any], key: str) -> bool:
    return bool(config.get(key)) and (key != "namespace" or config[key] != "cobra")


def _is_local(name: str | None) -> bool:
    return name is not None and (Path(name).exists() or not pull.is_repository_name(name))


def _names(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
