"""What is in a dataset: counts, overlap of splits, degrees, frequent names, evidence; as tables and plots.

This is the exploratory analysis that should come before any training: which entities dominate, how much of
the test split was seen in training, and which shortcuts the audit found.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from bioft.datasets.load import audit_again, check_manifest, notes
from bioft.datasets.namespaces import read
from bioft.datasets.near_duplicates import near_duplicates_in
from bioft.datasets.pair_audit import ROLES
from bioft.datasets.pubmed import pairs as pubmed_pairs
from bioft.errors import BioftError
from bioft.inspect import documents, kin, pairs, texts
from bioft.inspect.tables import audit_parts, print_parts
from bioft.storage import datasets as storage
from bioft.storage.files import new_folder, write_json
from bioft.task import part
from bioft.tasks.of_dataset import tasks_of

SCHEMA_VERSION = 1
FOLDER = "inspection"
REPORT = "inspection.json"
KINDS: tuple[Any, ...] = (documents, pairs, texts)
"""Each inspects one kind of data: the first whose `holds` says yes to the columns."""


def inspect_dataset(
    directory: Path,
    out: Path | None = None,
    *,
    top: int = 10,
    namespace: str | None = None,
    overwrite: bool = False,
) -> tuple[dict[str, Any], Path]:
    """Inspect the dataset that `bioft build` wrote to `directory`.

    Writes `inspection/` with `inspection.json` and the plots (PNG) into `out` (default: the dataset's own directory),
    all or nothing. An earlier inspection there is replaced. With a `namespace` of diseases (its folder, or a file such
    as OBO) `kin` is in the report of gene–disease pairs: see `bioft.inspect.kin`. Returns the report (see the modules
    of `KINDS`; with `near_validation`, texts of test that are nearly one of validation, and the manifest's `builder`,
    `arguments`, `fingerprints` and `audit`) and the folder written.

    BioftError: `directory` holds no dataset, its files were edited, the folder to be written holds something else and
    `overwrite` is false, or a namespace is given for other data than gene–disease pairs.
    """
    target = (out or directory) / FOLDER
    dataset, manifest = storage.load(directory)
    check_manifest(directory, dataset, manifest)
    holds_anything = target.exists() and (not target.is_dir() or any(target.iterdir()))
    if holds_anything and not overwrite and not (target / REPORT).is_file():
        raise BioftError(
            f"{target} holds something else than an inspection. Name another folder with --output, or replace "
            "it with --overwrite."
        )
    kind, columns = _kind(dataset)
    if kind is None:
        raise BioftError(
            f"{directory} holds rows of {', '.join(sorted(columns))}; what is inspected are gene–disease pairs, "
            "documents with entities, texts, and pairs of texts. What there is to know of it is in its README.md and "
            "manifest.json."
        )
    if namespace is not None and kind is not pairs:
        raise BioftError(f"{directory} holds no gene–disease pairs, of whose diseases a namespace tells the kin.")
    related = {} if namespace is None else {"kin": kin.kin(dataset, read.open_namespace(namespace))}
    found, draw = kind.inspect(dataset, top)
    report = {
        "schema_version": SCHEMA_VERSION,
        "dataset": {key: manifest.get(key) for key in ("builder", "arguments", "fingerprints")},
        **found,
        **related,
        **_beside_validation(dataset),
        "audit": manifest.get("audit", {}),
        "notes": [*(f"Problem: {each}" for each in problems(dataset, manifest)), *notes(manifest)],
    }
    with new_folder(target, existing="replace") as new:
        draw(new)
        write_json(new / REPORT, report, allow_nan=False)
    return report, target


def problems(dataset: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[str]:
    """What hinders the use of a dataset of bioft, each in a sentence: that it has one class only, for example."""
    kind, _ = _kind(dataset)
    lacking = kind.lacking(dataset, manifest) if kind is not None and storage.is_own(manifest) else ""
    return [f"It can't be used: {lacking}."] if lacking else []


def check_publishable(directory: Path) -> None:
    """Refuse to publish a dataset that can't be used, or whose test split is in training: BioftError says why."""
    dataset, manifest = storage.load(directory)
    check_manifest(directory, dataset, manifest)
    if found := problems(dataset, manifest):
        raise BioftError(f"{directory}: {found[0]} Nothing was sent.")
    columns = set(dataset["test"].column_names)
    for task in [each for each in tasks_of(manifest, columns) if hasattr(part(each, "evaluate"), "audit")][:1]:
        audit_again(task, dataset, manifest)
    if columns >= {*pubmed_pairs.LISTS}:  # which are of no task
        pubmed_pairs.audit_articles(dataset)


def _kind(dataset: Mapping[str, Any]) -> tuple[Any, set[str]]:
    """Which of `KINDS` a dataset is of, None if of none, and the columns that all its splits have."""
    columns = set.intersection(*(set(rows.column_names) for rows in dataset.values()))
    return next((each for each in KINDS if each.holds(columns)), None), columns


def _beside_validation(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """`near_validation`, of texts: those of test that are nearly one of validation, on which models are chosen."""
    known = ("text", *(name for roles in ROLES for name in roles), "negative")
    columns = [name for name in known if all(name in rows.column_names for rows in dataset.values())]
    if not columns or not {"validation", "test"} <= dataset.keys():
        return {}
    return {"near_validation": near_duplicates_in({"train": dataset["validation"], "test": dataset["test"]}, *columns)}


def print_report(report: dict[str, Any], console: Console, full: bool = False) -> None:
    """Print the report of `inspect_dataset`: about a page of it, or all."""
    kind = next(kind for kind in KINDS if kind.MARK in report)
    print_parts(kind.parts(report, full), console)
    print_parts(kin.parts(report["kin"]) if "kin" in report else (), console)
    for its in report.get("near_validation", {}).values():
        if its["near"]:
            first = its["first"][0]
            words = (
                f"Nearly a validation text: {its['near']:,} of {its['texts']:,} texts of test, first “{first['id']}…”"
            )
            console.print(Text(f"{words} of “{first['of']}…”."))
    if report["audit"]:
        console.print(Text("\nAudit, as `bioft build` recorded it (it was not made again):", style="bold"))
    print_parts(audit_parts(report["audit"], full), console)
