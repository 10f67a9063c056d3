"""The configuration of a finished run, ready to be used again: its base model and its data pinned as recorded."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bioft import task as tasks
from bioft.datasets.formats import inputs
from bioft.datasets.formats.splits import files_of
from bioft.datasets.options import OwnData
from bioft.datasets.recorded import is_own, own_on_hub, sources_in_words
from bioft.errors import BioftError
from bioft.hub import pull
from bioft.storage import datasets as storage, files as storage_files, json_text, runs, yaml_config
from bioft.storage.json_text import TEXT_OR_NONE

FILES = ("dataset_path", "exclude", "namespace", "modelseed", "held_out_models")
"""Keys that name files and folders of data."""
OWN = ("dataset", "train", "validation", "test")
"""Keys that name somebody's own data."""
WRITTEN = ("output_dir", "logging_dir", "compare_with")
"""Keys that name what a run writes, or what changes nothing in it."""
BUILT_ALREADY = ("dataset_path", "dataset_revision", "exclude", "strip_symbols", "skip_bad")
"""Keys that mean nothing for a dataset in a folder that `bioft build` wrote."""
OTHER_RUNS = ("entity_run", "mlm_run", "start_from")
"""Keys that name a run which the training starts from or reads."""


def recorded_configuration(
    directory: Path, record: dict[str, Any], dataset_path: Path | None = None
) -> dict[str, Any]:
    """What `config.yaml` of a run says, with the base model and a dataset on the Hub pinned to the recorded commits.

    `dataset_path` are the data, if they are elsewhere now: their source file, a folder of `bioft build`, or for
    metabolite names a folder with the recorded files. BioftError: no `config.yaml`, data that are missing or not the
    recorded ones, or a run from the Hub whose configuration names data or runs in folders of another machine.
    """
    path = directory / runs.CONFIG
    if not path.is_file() or runs.CONFIG not in record.get("files", {}):
        raise BioftError(f"The record in {directory} has no {runs.CONFIG}: how the run was trained is not known.")
    config, recorded, base = yaml_config.load_config(path), record["dataset"], record["base_model"]
    if why := json_text.wrong_in(config, dict.fromkeys((f"{key}?" for key in (*FILES, *OWN)), (*TEXT_OR_NONE, [str]))):
        raise BioftError(f"{path} is not as a finished run writes it: {why}. {runs.AS_IT_WAS}")
    if config.get("mlm_run") is None:  # else the base is what that run made of this one
        config["model_name_or_path"] = base["name_or_path"]
        if base["revision"] is not None:
            config["model_revision"] = base["revision"]
    pulled, ours = pull.origin(directory) is not None, dict[str, Any]()
    if dataset_path is not None:
        ours = _data_at(dataset_path, config, recorded)
        if (dataset_path / storage.MANIFEST).is_file():
            config = {key: value for key, value in config.items() if key not in BUILT_ALREADY}
    elif source := recorded.get("hub"):
        ours = {"dataset": source["id"], "dataset_revision": source["revision"]}
    elif on_hub := own_on_hub(recorded):
        # Its splits are named as on the Hub.
        ours = {key: config[key] for key in OWN if key in config}
        ours |= {"dataset": on_hub[0], "dataset_revision": on_hub[1]}
    elif pulled and (named := [key for key in FILES if _is_path(config, key)]):
        # What comes from the Hub may not choose a file of this machine.
        raise BioftError(
            f"The run was trained on files of another machine ({', '.join(named)}): {sources_in_words(recorded)}. "
            "Name yours with --dataset-path."
        )
    if pulled:
        # Whether the base model is a folder is looked at with its checksums.
        checked = {*ours, *(() if config.get("mlm_run") else ("model_name_or_path",))}
        _refuse_files({key: value for key, value in config.items() if key not in checked})
    config |= ours
    if pulled and (named := [key for key in OTHER_RUNS if _is_local(config.get(key))]):
        raise BioftError(f"The run needs another run in a folder of another machine ({named[0]}: {config[named[0]]}).")
    if is_own(recorded) and "dataset_revision" not in ours:
        _check_own(config, recorded)
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
    if is_own(recorded):
        splits = [key for key in OWN[1:] if config.get(key)]
        if not splits:
            return {"dataset": str(path)}
        folder = path if path.is_dir() else path.parent
        moved = {key: [str(folder / Path(name).name) for name in _names(config[key])] for key in splits}
        return moved | {"dataset": str(folder / Path(config["dataset"]).name)}
    sums = {source["sha256"] for source in recorded["sources"]}
    if path.is_file() and storage_files.file_sha256(path) not in sums:
        raise BioftError(f"{path} is not the file that the run was trained on: {sources_in_words(recorded)}.")
    return {"dataset_path": str(path)}


def _check_own(config: dict[str, Any], recorded: dict[str, Any]) -> None:
    """Refuse somebody's own data that are gone, or are not what they were when the run was trained on them."""
    if (Path(config["dataset"]) / storage.MANIFEST).is_file():
        return  # built already: its fingerprints are compared
    given = {key: _names(config.get(key) or []) for key in OWN}
    for name in (name for names in given.values() for name in names):
        if not Path(name).exists():
            raise BioftError(
                f"The data are missing: there is no {name}. The run was trained on {sources_in_words(recorded)}. "
                "Name them with --dataset-path."
            )
    files = files_of(*given.values())
    known = {source["sha256"] for source in recorded["sources"]}
    for source in inputs.sources([file for its in files.values() for file in its], OwnData()):
        if source["sha256"] not in known:
            raise BioftError(
                f"{source['name']} has changed since the run was trained on it: {sources_in_words(recorded)}. Give it "
                "as it was with --dataset-path."
            )


def _refuse_files(config: Mapping[str, Any]) -> None:
    """Refuse a configuration from the Hub that names a file of this machine, under whatever key."""
    known = {source.dataset_name() for task in tasks.registered().values() for source in task.sources}
    for key, value in config.items():
        for name in _texts(value) if key not in WRITTEN else ():
            path = Path(name)
            here = path.is_file() or (key in OWN and path.exists() and name not in known)
            if path.is_absolute() or name.startswith(("~", "..")) or here:
                raise BioftError(
                    f"The configuration of the run names a file of another machine, or of this one ({key}: "
                    f"{name[:80]}). What comes from the Hub may not choose files. Name the data with --dataset-path."
                )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def _is_path(config: dict[str, Any], key: str) -> bool:
    return bool(config.get(key)) and (key != "namespace" or config[key] != "cobra")


def _is_local(name: str | None) -> bool:
    return name is not None and (Path(name).exists() or not pull.is_repository_name(name))


def _names(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
