"""The data of a run record, as they were: from the Hub at their commit, from a folder, or built again from source."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bioft import task as tasks
from bioft.datasets.load import validation_as_test
from bioft.datasets.options import described
from bioft.datasets.splits import SPLITS
from bioft.errors import BioftError, in_words
from bioft.hub import pull
from bioft.storage import datasets as storage, runs, yaml_config

ON_HUB = "https://huggingface.co/datasets/"
AS_GIVEN = (
    "The data were not built again from their source, but are {} as somebody wrote them: whether their source gives "
    "them was not checked. {}"
)

NOT_ON_HUB = "The record says that its data are {} on the Hub; they are built of files, and never come from there."


class RecordedData(NamedTuple):
    """The splits that a run was evaluated on, their manifest, and why they are not the recorded ones, if they aren't.

    The training split is whole also where the run was trained on a part of it. `not_rebuilt` says that they were read
    as somebody wrote them; it is empty where they were built here from their source.
    """

    splits: Any
    manifest: dict[str, Any]
    reasons: list[str]
    not_rebuilt: str = ""


def recorded_data(
    directory: Path,
    record: Mapping[str, Any],
    dataset_path: Path | None = None,
    *,
    fetch: Callable[..., Path] = pull.pull_dataset,
    rebuild: bool = False,
) -> RecordedData:
    """Load the data that a run was evaluated on.

    `dataset_path` is where they are now: the source that they were built from, or a folder that `bioft build` wrote.
    By default they come from the Hub, if the record says so, else from where the run was trained on them, if that was
    on this machine, else from where `bioft download` puts them. `fetch` is `pull_dataset`, where another Hub or token
    is to be used. With `rebuild` a folder or a dataset on the Hub is not taken for what its manifest says, but built
    again from the source that the record names, where that can be had here.

    BioftError: a source that is missing, another source than the recorded, or no dataset of the run's task.
    """
    runs.check_whole(directory, record, runs.DATA)
    task, recorded = pull.task_of(directory, record), record["dataset"]
    reasons: list[str] = []
    if (build_again := getattr(tasks.part(task, "evaluate"), "recorded", None)) is not None:
        # What comes from the Hub may not choose a file of this machine.
        here = Path("data") if pull.origin(directory) is not None else None
        splits, manifest = build_again(record, dataset_path or here)
        reasons = [NOT_ON_HUB.format(recorded["hub"]["id"])] if recorded.get("hub") else []
        asked = recorded["arguments"]
        named = [asked["namespace"], asked.get("synonyms"), *(asked.get("held_out_models") or ())]
        own = _beside(directory, dataset_path, *named)
        return RecordedData(splits, manifest, reasons, own)
    path = dataset_path or (None if recorded.get("hub") else _trained_on(directory))
    where = not_rebuilt = ""
    if path is not None and (path / storage.MANIFEST).is_file():
        splits, manifest = storage.load(path)
        where = f"in {path}"
    elif path is None and recorded.get("hub"):
        on_hub = recorded["hub"]
        splits, manifest = storage.load(folder := fetch(on_hub["id"], revision=on_hub["revision"]))
        where = f"those of {on_hub['id']} on the Hub"
        if (pull.origin(folder) or on_hub)["revision"] != on_hub["revision"]:
            reasons = [f"The record names {on_hub['revision']} of {on_hub['id']}, which is no commit, and may move."]
    else:
        splits, manifest = _built_again(task, recorded, path)
        not_rebuilt = _beside(directory, path or _downloaded(task, recorded))
        if path is None and (read := own_on_hub(recorded)):
            not_rebuilt = AS_GIVEN.format(f"those of {read[0]} on the Hub", "").strip()
    if where and rebuild:
        try:
            built = _built_again(task, recorded, None)
            _other_splits(recorded, built[1])
            # What is built again says nothing of what the card names and others would fetch.
            reasons += _others_on_hub(recorded, manifest) if path is None else []
            (splits, manifest), not_rebuilt = built, _beside(directory, _downloaded(task, recorded))
        except BioftError as error:
            not_rebuilt = AS_GIVEN.format(where, error)
    if recorded.get("evaluated_on") == "validation":
        splits, manifest = validation_as_test(splits, manifest)
    for split, rows in splits.items():
        if needed := task.lacks(rows.column_names):
            raise BioftError(f"That is no dataset for {task.name}: the split {split} needs the columns {needed}.")
    return RecordedData(splits, manifest, [*reasons, *_other_splits(recorded, manifest)], not_rebuilt)


def _beside(directory: Path, *files: str | Path | None) -> str:
    """That a source came with the run, whose publisher may have written it; "" if none of these files did."""
    here, places = directory.resolve(), [Path(each) for each in files if each]
    own = [str(each) for each in places if each.exists() and each.resolve().is_relative_to(here)]
    return AS_GIVEN.format("of a file in the run's own folder,", f"Name another than {own[0]}.") if own else ""


def recorded_splits(
    directory: Path, record: Mapping[str, Any], dataset_path: Path | None = None, *, whole: bool = False
) -> Any:
    """The splits that a run was trained and evaluated on, as `recorded_data` loads them, or the whole ones of which it
    took its training pairs; BioftError if they are others.
    """
    found = recorded_data(directory, record, dataset_path)
    if found.reasons:
        raise BioftError(" ".join(found.reasons))
    splits = found.splits
    if not whole and (limit := record["dataset"].get("max_train_pairs")) is not None:
        splits["train"] = splits["train"].select(range(min(limit, len(splits["train"]))))
    return splits


def _built_again(task: tasks.Task, recorded: Mapping[str, Any], path: Path | None) -> tuple[Any, dict[str, Any]]:
    builder, arguments = recorded["builder"], recorded["arguments"]
    source = _source(task, recorded)
    parameters = inspect.signature(source.builder()).parameters if source is not None else {}
    if source is None or any(its.kind is its.VAR_KEYWORD for its in parameters.values()):
        raise BioftError(f"This bioft can't build the data of {builder!r} again. Give them with --dataset-path.")
    for name in parameters.keys() & arguments.keys() - (set(SPLITS) if source.own else set()):
        if arguments[name] and "Path" in str(parameters[name].annotation):
            raise BioftError(
                f"The data were built with a file for {name} ({arguments[name]}), which the record does not hold. "
                "Give the dataset as built with --dataset-path."
            )
    if source.own:
        return _own_again(source, recorded, path)
    path = path or _downloaded(task, recorded)
    files = [its for its in parameters.values() if its.kind is its.POSITIONAL_OR_KEYWORD]
    if path is None and any(its.default is its.empty for its in files):
        raise BioftError(f"The data of {builder!r} are built from files: name them with --dataset-path.")
    if path is not None and not path.exists():
        raise BioftError(
            f"The data are missing: there is no {path}. They were built from {sources_in_words(recorded)}. Fetch them "
            f"with `bioft download {source.fetch or builder}`, or name them with --dataset-path."
        )
    # An option that the record does not name was none when the dataset was built.
    before = {name: its.before for name, its in described(source.builder()).items() if its.before is not None}
    arguments = before | dict(arguments)
    given = [[path] if files[0].name == "paths" else path] if path is not None and files else []
    with _by_arguments(recorded):
        return source.builder()(*given, **{name: value for name, value in arguments.items() if name in parameters})


def _source(task: tasks.Task, recorded: Mapping[str, Any]) -> tasks.Source | None:
    return tasks.source(recorded["builder"], {task.name: task}) or tasks.source(recorded["builder"])


def _downloaded(task: tasks.Task, recorded: Mapping[str, Any]) -> Path | None:
    """Where `bioft download` puts what recorded data are built of; None for what needs no file."""
    source = _source(task, recorded)
    return None if source is None or source.download is None else Path("data") / source.download


@contextmanager
def _by_arguments(recorded: Mapping[str, Any]) -> Iterator[None]:
    """Build data by arguments that somebody else may have written; BioftError: they are none of the builder."""
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError) as error:
        told = ", ".join(f"{key} {value!r}" for key, value in recorded["arguments"].items())
        raise BioftError(
            f"The data of the run can't be built again by {recorded['builder']!r} with what its record says ({told}): "
            f"{in_words(error)}. {runs.AS_IT_WAS}"
        ) from error


def is_own(recorded: Mapping[str, Any]) -> bool:
    """Whether recorded data are somebody's own, read from a format of the field."""
    source = tasks.source(recorded.get("builder", ""))
    return source is not None and source.own


def own_on_hub(recorded: Mapping[str, Any]) -> tuple[str, str] | None:
    """The name and the commit of a dataset on the Hub whose columns were read; None for other data.

    BioftError: the name is that of a file or folder here, or of no dataset on the Hub.
    """
    if not is_own(recorded) or not recorded.get("sources"):
        return None
    first = recorded["sources"][0]
    name, url, commit = (str(first.get(key) or "") for key in ("name", "url", "version"))
    if not url.startswith(ON_HUB):
        return None
    if not pull.is_repository_name(name) or Path(name).exists():
        raise BioftError(f"The record names {name!r} as a dataset on the Hub: it is none, or a file of this machine.")
    return name, commit


def _own_again(source: tasks.Source, recorded: Mapping[str, Any], path: Path | None) -> tuple[Any, dict[str, Any]]:
    """Build somebody's own data again: of the file or folder they were built of, or from the Hub at their commit."""
    arguments = dict(recorded["arguments"])
    files = {name: arguments.pop(name) for name in SPLITS if name in arguments}
    known = inspect.signature(source.builder()).parameters
    options = {name: value for name, value in arguments.items() if name in known and name != "paths"}
    # What whoever built them said of them stands in no file. A licence on the Hub stands in its card there.
    first = (recorded["sources"] or [{}])[0]
    said = {"title": recorded.get("title")} | {name: first.get(name) for name in ("terms", "citation")}
    options |= {name: value for name, value in said.items() if value}
    if path is None and (on_hub := own_on_hub(recorded)):
        with _by_arguments(recorded):
            return source.builder()([on_hub[0]], **options | files | {"revision": on_hub[1]})
    if path is None:
        raise BioftError(f"The data were built from {sources_in_words(recorded)}: name them with --dataset-path.")
    folder = path if path.is_dir() else path.parent
    with _by_arguments(recorded):
        options |= {"license": recorded.get("license")}
        given = {name: [folder / Path(file).name for file in its] for name, its in files.items()}
        return source.builder()(() if given else [path], **options, **given)


def _trained_on(directory: Path) -> Path | None:
    """Where a run of this machine says that its data are, if they still are there."""
    path = directory / runs.CONFIG
    if pull.origin(directory) is not None or not path.is_file():
        return None
    named = yaml_config.load_config(path)
    source, folder = named.get("dataset_path"), named.get("dataset")
    if isinstance(source, str) and Path(source).exists():
        return Path(source)
    if isinstance(folder, str) and ((Path(folder) / storage.MANIFEST).is_file() or Path(folder).is_file()):
        return Path(folder)
    return None


def _other_splits(recorded: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[str]:
    """The splits that are not the recorded ones; BioftError if they are of another source."""
    changed = [name for name, ours in manifest["fingerprints"].items() if ours != recorded["fingerprints"].get(name)]
    if not changed:
        return []
    known = {one["sha256"] for one in manifest["sources"]}
    for source in recorded["sources"]:
        if source["sha256"] not in known:
            here = "; ".join(f"{one['name']}, version {one['version']}" for one in manifest["sources"])
            raise BioftError(
                f"The data of the run were built from {sources_in_words({'sources': [source]})}. Here is another "
                f"source: {here}. Give the recorded one with --dataset-path, or a folder that `bioft build` wrote "
                "from it."
            )
    return [
        f"The record states other fingerprints for {', '.join(changed)} than its dataset has: the run was evaluated "
        "on other data."
    ]


def _others_on_hub(recorded: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[str]:
    """Which splits of the dataset on the Hub that a record names, of this manifest, are not those on record."""
    ours, theirs = recorded["fingerprints"], manifest["fingerprints"]
    others = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    named = f"The record names {recorded['hub']['id']} at {recorded['hub']['revision']} on the Hub as its data:"
    return [f"{named} there are other rows in {', '.join(others)}."] if others else []


def sources_in_words(recorded: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The sources of a dataset with their versions and checksums."""
    return "; ".join(
        f"{one['name']} ({version and f'version {version}, '}SHA-256 {one['sha256']})"
        for one in recorded["sources"]
        for version in (one["version"] or "",)
    )
