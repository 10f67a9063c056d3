"""The data of a run record, as they were: from the Hub at their commit, from a folder, or built again from source."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bioft.errors import BioftError
from bioft.hub import pull
from bioft.storage import datasets as storage, runs
from bioft.training import presets
from bioft.verify.findings import Request

Loader = Callable[..., tuple[Any, dict[str, Any]]]


def recorded_dataset(
    request: Request, load: Loader, options: Mapping[str, Any], downloads: Mapping[str, str | None]
) -> tuple[Any, dict[str, Any]]:
    """Load the splits that a run was evaluated on; splits that are not the recorded ones are a reason.

    Args:
        request: the run, and where the user says that its data are; by default where it was trained on them, if that
            was on this machine, else where `bioft download` puts them.
        load: `load_or_build` or `load_documents` of `bioft.datasets.load`.
        options: those of the builder, as recorded.
        downloads: by builder what `bioft download` writes for it; None for one that needs no file.

    Returns:
        The splits and their manifest.

    Raises:
        BioftError: a source that is missing, or other splits from another source than the recorded.
    """
    recorded = request.record["dataset"]
    path = request.dataset_path or (None if recorded.get("hub") else _trained_on(request.directory))
    if path is not None and (path / storage.MANIFEST).is_file():
        dataset, manifest = load(str(path), **options)
    elif path is None and recorded.get("hub"):
        folder = request.dataset_folder(recorded["hub"]["id"], recorded["hub"]["revision"])
        dataset, manifest = load(str(folder), **options)
    elif (builder := recorded["builder"]) not in downloads:
        raise BioftError(f"This bioft can't build the data of {builder!r}. Give them with --dataset-path.")
    else:
        download = downloads[builder]
        path = path if download is None else path or Path("data") / download
        if path is not None and not path.exists():
            names = "; ".join(
                f"{one['name']} (version {one['version']}, SHA-256 {one['sha256']})" for one in recorded["sources"]
            )
            raise BioftError(
                f"The data are missing: there is no {path}. They were built from {names}. Fetch them with `bioft "
                f"download {builder}`, or name them with --dataset-path."
            )
        dataset, manifest = load(builder, dataset_path=path and str(path), **options)
    changed = [name for name, ours in manifest["fingerprints"].items() if ours != recorded["fingerprints"].get(name)]
    if changed:
        _check_sources(recorded["sources"], manifest["sources"])
        request.found.reasons.append(
            f"The record states other fingerprints for {', '.join(changed)} than its dataset has: the run was "
            "evaluated on other data."
        )
    return dataset, manifest


def _trained_on(directory: Path) -> Path | None:
    """Where a run of this machine says that its data are, if they still are there.

    What comes from the Hub may not choose a file of this machine.
    """
    configuration = directory / runs.CONFIG
    if pull.origin(directory) is not None or not configuration.is_file():
        return None
    named = presets.load_config(configuration)
    source, folder = named.get("dataset_path"), named.get("dataset")
    if isinstance(source, str) and Path(source).exists():
        return Path(source)
    if isinstance(folder, str) and (Path(folder) / storage.MANIFEST).is_file():
        return Path(folder)
    return None


def _check_sources(recorded: Sequence[Mapping[str, Any]], here: Sequence[Mapping[str, Any]]) -> None:
    known = {one["sha256"] for one in here}
    for source in recorded:
        if source["sha256"] not in known:
            names = "; ".join(f"{one['name']}, version {one['version']}" for one in here)
            raise BioftError(
                f"The data of the run were built from {source['name']}, version {source['version']}, SHA-256 "
                f"{source['sha256']}. Here is another source: {names}. Give the recorded one with --dataset-path, or "
                "a folder that `bioft build` wrote from it."
            )
