"""A dataset by name: built from its source, read from a folder that `bioft build` wrote, or pulled from the Hub."""

import inspect
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import huggingface_hub
import pandas as pd
from datasets import DatasetDict

from bioft.cards.dataset import dataset_card
from bioft.cards.words import counted
from bioft.datasets.formats import inputs
from bioft.datasets.options import described
from bioft.datasets.splits import SPLITS, split_in
from bioft.errors import BioftError, near_file
from bioft.hub import pull
from bioft.hub.client import Access, connection
from bioft.metrics import thresholds
from bioft.storage import datasets as storage
from bioft.task import Source, Task, part, registered

logger = logging.getLogger(__name__)
Loaded = tuple[DatasetDict, dict[str, Any]]
SAID_ELSEWHERE = {
    "path": "dataset_path",
    "paths": "dataset_path",
    "seed": "split_seed",
    "revision": "dataset_revision",
}
"""What recipes call an option of builders, where that is something else."""


def load(
    task: Task,
    dataset: str,
    *,
    dataset_path: str | None = None,
    dataset_revision: str | None = None,
    validation_only: bool = False,
    train_on: str = "train",
    max_train_pairs: int | None = None,
    **options: Any,
) -> Loaded:
    """Get a dataset of a task with its manifest.

    `dataset` is the name of one of the task's sources, a folder written by `bioft build`, `user/name` on the Hub (its
    commit is `hub` in the manifest), or a file or folder of one's own in a format that the task's source of such
    reads. `dataset_path` is what the source is built from, `dataset_revision` of what comes from the Hub.
    `validation_only`: see `validation_as_test`; then it is refused to `train_on` validation. `max_train_pairs` keeps
    the first rows of training. A builder gets those of the `options` that it has, `split_seed` as its seed.

    BioftError: unknown dataset, a missing file, what the builder finds wrong in it, a folder with other columns, or a
    validation split that is to be trained on and evaluated on.
    """
    if validation_only and train_on == "train+validation":
        raise BioftError("validation_only evaluates on the validation split: it can't be trained on (train_on).")
    if (source := named(task.sources, dataset)) is not None:
        splits, manifest = _build(source, dataset, dataset_path, dataset_revision, options)
    elif (source := own(task.sources, dataset)) is not None and not _is_built_on_hub(dataset, dataset_revision):
        splits, manifest = _build(source, dataset, dataset, dataset_revision, options)
        # What was taken as what, and what was left out.
        for note in notes(manifest):
            logger.info("%s", note)
    else:
        known = [name for each in task.sources if (name := each.dataset_name()) is not None]
        splits, manifest = _read(dataset, dataset_revision, known, validation_only)
        _check_columns(dataset, splits, task)
        audit_again(task, splits, manifest)
        check_manifest(dataset, splits, manifest, recorded=True)
    if unseen := manifest.get("audit", {}).get("not_in_training"):
        logger.warning(
            "In the test split and not in training: %s. Nothing of it can be learnt, and all of it counts as missed.",
            ", ".join(unseen),
        )
    if max_train_pairs is not None and max_train_pairs < len(splits["train"]):
        splits["train"] = splits["train"].select(range(max_train_pairs))
        manifest["max_train_pairs"] = max_train_pairs
    found = validation_as_test(splits, manifest) if validation_only else (splits, manifest)
    check_usable(dataset, task, *found)
    return found


def check_manifest(dataset: str | Path, splits: Any, manifest: dict[str, Any], *, recorded: bool = False) -> None:
    """Refuse data of bioft's builders whose manifest counts other rows, or that no card can be made of: BioftError.

    What is to be `recorded` needs a manifest that names its builder, and all that a card says: else the record could
    not be written after the training.
    """
    if not storage.is_own(manifest) or not (recorded or "builder" in manifest):
        return
    if wrong := storage.miscounted(splits, manifest):
        raise BioftError(f"{dataset}: {' '.join(wrong)} Build the dataset again.")
    try:
        notes(manifest)
        dataset_card(manifest, splits)
    except BioftError as error:
        raise BioftError(f"{dataset}: {error}") from error
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise BioftError(
            f"{dataset}: its manifest is not as a builder writes it ({error}). Build it again."
        ) from error


def check_usable(dataset: str | Path, task: Task, splits: Any, manifest: dict[str, Any]) -> None:
    """Refuse data of which a task has nothing to learn or to measure, as its `evaluate.lacking` says: BioftError."""
    lacking = getattr(part(task, "evaluate"), "lacking", None)
    if lacking is not None and (why := lacking(splits, manifest)):
        raise BioftError(
            f"{dataset} can't be used for {task.name}: {why}. Build it of more data, or with other sizes."
        )


def load_or_build(dataset: str, **options: Any) -> Loaded:
    """Get gene–disease pairs: see `load`."""
    return load(registered()["gene-disease-association"], dataset, **options)


def load_documents(dataset: str, **options: Any) -> Loaded:
    """Get documents with entities and relations: see `load`."""
    return load(registered()["entity-recognition"], dataset, **options)


def load_texts(dataset: str, **options: Any) -> Loaded:
    """Get texts with ids: see `load`; options that say how trials are read are refused for other texts."""
    task = registered()["masked-language-model"]
    source = named(task.sources, dataset) or own(task.sources, dataset)
    taken = {"dataset_path"} | (builder_options([source]) if source else set())
    if given := sorted(key for key in builder_options(task.sources) - taken if options.get(key)):
        raise BioftError(f"{', '.join(given)} are for the dataset trials, not for {dataset}.")
    return load(task, dataset, **options)


def load_labelled_texts(dataset: str, **options: Any) -> Loaded:
    """Get texts with their labels, which the manifest names: see `load`."""
    return load(registered()["text-classification"], dataset, **options)


class PairData(NamedTuple):
    """Pairs of texts; for metabolite names also queries whose ids in a namespace are known, and the namespace."""

    dataset: DatasetDict
    manifest: dict[str, Any]
    names: tuple[DatasetDict, pd.DataFrame] | None = None


def load_pairs(dataset: str, *, validation_only: bool = False, **options: Any) -> PairData:
    """Get pairs of texts for contrastive training, and what they are evaluated on: see `load`.

    Names of metabolites ("metabolites") come without mark-up, as the encoder reads them; the fingerprints in the
    manifest are of the pairs before. BioftError: as `load`, or metabolites with `validation_only`.
    """
    names = registered()["name-alignment"]
    if named(names.sources, dataset) is None:
        return PairData(*load(registered()["text-retrieval"], dataset, validation_only=validation_only, **options))
    if validation_only:
        raise BioftError(
            "Metabolite names have no split to choose on: those of the validation split teach the aligner what its "
            "scores mean. Leave out validation_only."
        )
    from bioft.datasets.metabolites import build as metabolites

    _check_revision(dataset, options.pop("dataset_revision", None))
    return PairData(*metabolites.build_with_queries(**_arguments(metabolites.build, options)))


def named(sources: Iterable[Source], dataset: str) -> Source | None:
    """The source that a recipe, or a manifest, calls by that name; None if there is none."""
    taken = (each for each in sources if each.dataset_name() is not None)
    return next((each for each in taken if dataset in (each.name, each.dataset)), None)


def own(sources: Iterable[Source], dataset: str) -> Source | None:
    """The source that builds what is no dataset of bioft yet: a file or folder, or perhaps a dataset on the Hub.

    A folder is one where it has files that are named after splits, or texts with annotations of brat.
    """
    path = Path(dataset)
    here = path.is_file() or (path.is_dir() and _is_raw(path))
    elsewhere = not path.exists() and inputs.is_hub_name(dataset)
    return next((each for each in sources if each.own), None) if here or elsewhere else None


def _is_raw(folder: Path) -> bool:
    """Whether a folder holds one's own data, and no dataset of bioft."""
    if (folder / storage.MANIFEST).is_file():
        return False
    named = any(split_in(each.name) for each in folder.iterdir())
    return named or inputs.is_brat(folder) or bool(inputs.inside(folder))


def _is_built_on_hub(dataset: str, revision: str | None) -> bool:
    """Whether a name is that of a dataset that `bioft push-dataset` sent; so too where the Hub can't be asked."""
    if Path(dataset).exists():
        return False
    if huggingface_hub.is_offline_mode():
        return True
    try:
        with connection(f"the dataset {dataset}", Access.of({})) as api:
            files = api.dataset_info(dataset, revision=revision).siblings or []
            return any(file.rfilename == storage.MANIFEST for file in files)
    except BioftError as error:
        raise _cannot_be_had(dataset, error) from error


def _cannot_be_had(dataset: str, error: BioftError) -> BioftError:
    return BioftError(f"There is no folder {dataset}, and from the Hub it can't be had: {error}")


def notes(manifest: dict[str, Any]) -> list[str]:
    """What else one must know of a dataset: a split that is not the usual one, what was read and left out."""
    found = [manifest["split"]["note"]] if "note" in manifest.get("split", {}) else []
    found += manifest.get("notes", [])
    found += [f"read: {n:,} {what}" for what, n in manifest.get("read", {}).items()]
    for split, left_out in manifest.get("skipped", {}).items():
        if left_out["documents"]:
            found.append(
                f"{split}: {counted(manifest, left_out['documents'])} left out. First: {left_out['first'][0]}"
            )
    counts = manifest.get("rows", {}).get("validation", {})
    rows = sum(counts.get(label, 0) for label in ("positive", "negative"))
    rows = rows or (counts.get("documents", 0) if manifest.get("multi_label") else 0)
    if rows and (few := thresholds.too_few(rows)) is not None:
        found.append(f"{few}: a model's threshold is not chosen on it, but .5")
    found += [f"left out, {what}: {n:,}" for what, n in manifest.get("left_out", {}).items() if n]
    return [f"Note: {note}" for note in found]


def builder_options(sources: Iterable[Source]) -> set[str]:
    """What recipes call the options of the builders of some sources; not those that are for the Hub too."""
    names = {name for source in sources for name in inspect.signature(source.builder()).parameters}
    return {SAID_ELSEWHERE.get(name, name) for name in names - {"revision"}}


def _build(source: Source, dataset: str, path: str | None, revision: str | None, options: dict[str, Any]) -> Loaded:
    build = source.builder()
    parameters = inspect.signature(build).parameters
    if "revision" not in parameters:
        _check_revision(dataset, revision)
    needed = next((parameters[name] for name in ("path", "paths") if name in parameters), None)
    if needed is not None and path is None and needed.default is needed.empty:
        what = described(build)[needed.name].help
        fetch = f" Fetch it with: bioft download {source.fetch}" if source.fetch else ""
        raise BioftError(f"The {dataset} dataset needs --dataset_path PATH. {what}{fetch}")
    given = {"path": path, "paths": path and [path], "revision": revision, **options}
    return build(**_arguments(build, given))


def _arguments(build: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Of the options those that the builder has and that are given."""
    options = {"seed": options.get("split_seed"), **options}
    return {key: options[key] for key in inspect.signature(build).parameters if options.get(key) is not None}


def validation_as_test(splits: DatasetDict, manifest: dict[str, Any]) -> Loaded:
    """The dataset with its validation split in the place of the test split, of which nothing is left.

    This is how configurations are chosen between, so that the test split is touched once, for the chosen one. The
    manifest says so: `evaluated_on` is "validation", and what it says of the test split is about the validation split.
    """
    splits = DatasetDict({name: rows for name, rows in splits.items() if name != "test"})
    splits["test"] = splits["validation"]
    return splits, _with_validation_as_test(manifest) | {"evaluated_on": "validation"}


def _with_validation_as_test(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    described = {key: _with_validation_as_test(each) for key, each in value.items()}
    return described | ({"test": described["validation"]} if {"validation", "test"} <= described.keys() else {})


def _read(dataset: str, revision: str | None, known: Sequence[str], validation_only: bool) -> Loaded:
    """A dataset in a folder, else on the Hub; `hub` of the manifest says which commit of which repository it is."""
    folder = Path(dataset)
    if folder.is_dir():
        _check_revision(dataset, revision)
    elif not inputs.is_hub_name(dataset):
        raise BioftError(
            f"No dataset {dataset!r}: give {', '.join(known)}, a file or folder of yours, a folder written by `bioft "
            f"build`, or user/name on the Hub. {near_file(dataset)}".strip()
        )
    else:
        try:
            folder = pull.pull_dataset(dataset, revision=revision)
        except BioftError as error:
            raise _cannot_be_had(dataset, error) from error
    splits, manifest = storage.load(folder, without=("test",) if validation_only else ())
    built_with = ", ".join(f"{key} {value}" for key, value in manifest.get("arguments", {}).items())
    builder = manifest.get("builder", "another program")
    logger.info("Dataset %s, built by %s%s", dataset, builder, built_with and f" with {built_with}")
    if (source := pull.origin(folder)) is not None:
        manifest["hub"] = source
    return splits, manifest


def audit_again(task: Task, splits: DatasetDict, manifest: dict[str, Any]) -> None:
    """Audit what is built already as if it were built now: its manifest says what was so when that was written.

    Without a test split, to choose on validation, there is none to be leaked. LeakageError: test rows are in training.
    """
    audit = getattr(part(task, "evaluate"), "audit", None)
    if audit is not None and set(SPLITS) <= splits.keys():
        manifest["audit"] = manifest.get("audit", {}) | audit(splits, {"dataset": describe(manifest)})


def _check_columns(dataset: str, splits: DatasetDict, task: Task) -> None:
    for split, rows in splits.items():
        if needed := task.lacks(rows.column_names):
            raise BioftError(
                f"{dataset} is no dataset of {task.data or task.unit}: split {split} has the columns "
                f"{', '.join(rows.column_names)}; needed: {needed}."
            )


def _check_revision(dataset: str, revision: str | None) -> None:
    if revision is not None:
        raise BioftError(f"--dataset_revision is for datasets on the Hub; {dataset} is none.")


def describe(manifest: dict[str, Any]) -> dict[str, Any]:
    """The parts of a manifest that a run record keeps; the audit stands beside them there."""
    return {key: value for key, value in manifest.items() if key not in {"schema_version", "audit"}}
