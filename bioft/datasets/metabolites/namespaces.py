"""Namespaces of metabolites: tables of ids and names from BiGG, ModelSEED, genome-scale models and files of one's own.

BiGG Models (http://bigg.ucsd.edu) lists its metabolites in `bigg_models_metabolites.txt`; the same content exists as
an ontology table made by obo-db-ingest. ModelSEED (https://modelseed.org) lists names and external ids of its
compounds in the folder Biochemistry/Aliases of its repository. Models are read by cobra.
"""

import logging
import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version as package_version
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from bioft.datasets import corpus
from bioft.datasets.metabolites import models, tables
from bioft.datasets.metabolites.models import FORMATS, format_suffix, model_metabolites, read_model
from bioft.datasets.metabolites.tables import (
    Row,
    bare_names,
    joined,
    one_to_one,
    problems,
    resolve_ids,
    to_table,
    universal_id,
)
from bioft.errors import BioftError, extra
from bioft.storage.files import cache_directory, file_sha256, new_file, source as source_of
from bioft.storage.tables import NAMES, Table, delimiter_of, quoted_lines, rows_in
from bioft.storage.text_lines import TextLines

logger = logging.getLogger(__name__)

BIGG_URL, BIGG_TERMS, BIGG_CITATION, LICENSE = corpus("bigg")
BIGG_FILE = "bigg_models_metabolites.txt"
MODELSEED_URL, MODELSEED_TERMS, MODELSEED_CITATION, _ = corpus("modelseed")
MODELSEED_FILE = "Unique_ModelSEED_Compound_Names.txt"
MODELSEED_ALIASES_FILE = "Unique_ModelSEED_Compound_Aliases.txt"
UNKNOWN_TERMS = "not stated in the file: ask where it comes from before you publish what is made of it"
BIGG = {"url": BIGG_URL, "terms": BIGG_TERMS, "citation": BIGG_CITATION}
MODELSEED = {"url": MODELSEED_URL, "terms": MODELSEED_TERMS, "citation": MODELSEED_CITATION}
"""What manifests say of files of these."""

DOWNLOADED = {"bigg": BIGG_FILE, "modelseed": MODELSEED_FILE}
"""Namespaces by name, and the file that `bioft download` fetches for them."""
EMBEDDED = "cobra"
"""The namespace that comes with the installation: the names of a model in the cobra wheel."""
EMBEDDED_MODEL = "salmonella.xml.gz"
"""iYS1720 of Salmonella, by its file in the cobra wheel: the one with most metabolites, and BiGG's ids and names."""

_ID_COLUMNS = ("id", "identifier", "bigg_id", "metabolite_id", "compound_id", "metabolite", "compound")
_NAME_COLUMNS = ("name", "metabolite_name", "compound_name", "description")
_OBO_COLUMNS = ("identifier", "name", "alts", "parents")
_BIGG_COLUMNS = ("bigg_id", "universal_bigg_id", "name", "database_links", "old_bigg_ids")
_MODELSEED_COLUMNS = ("ModelSEED ID", "External ID", "Source")
_MISSING = {"", "null", "none", "nan", "na", "n/a", "-"}
_LOCANT = re.compile(r"(?<![A-Za-z0-9])(?:\d+|[NOSPC]\d*)['′]*,(?=[\dNOSPC])")
_UNKNOWN_CHARGE = 1_000
"""Charges as large as this are none: ModelSEED writes 10000000 for an unknown one."""
_HINT = "Give a table with the columns id and name (tab- or comma-separated), or a list with one name a line."


def read_namespace(source: str | os.PathLike[str], directory: str | os.PathLike[str] = "data") -> pd.DataFrame:
    """Read a namespace: one row for each name of a metabolite, columns `COLUMNS`.

    `source` is "cobra" (the names of a model that comes with the installation), "bigg" or "modelseed" (the file that
    `bioft download` fetched into `directory`), or the path of a file: BiGG's table or obo-db-ingest's version of it,
    ModelSEED's names, a model (SBML, JSON, MAT, YAML), any table with the columns id and name (and formula, charge,
    compartments, cross_references where there are), or a list with one name a line, whose ids are then the names. An
    id that has several names has several rows; metabolites of BiGG and of models are universal: one row for all
    compartments. `attrs["source"]` says where the table comes from, as manifests do.

    BioftError: the file is missing, can't be read, or has no names; says which line is wrong.
    """
    if source == EMBEDDED:
        return _embedded()
    path = Path(source)
    if fetched := str(source) in DOWNLOADED and not path.is_file():
        path = Path(directory) / DOWNLOADED[str(source)]
        if not path.exists() and not (path := path.with_name(f"{path.name}.gz")).exists():
            raise BioftError(
                f"The namespace {source} is not in {directory}. Fetch it with `bioft download {source}`, or give the "
                f"path of {DOWNLOADED[str(source)]} in its place."
            )
    if format_suffix(path) in FORMATS:
        table = model_metabolites(read_model(path))
        described = source_of(path, terms=UNKNOWN_TERMS)
    else:
        rows, about = _read_table(path)
        if fetched and "url" not in about:
            raise BioftError(f"{path} is no table of {source}. Fetch it again with `bioft download {source}`.")
        table = to_table(rows)
        described = source_of(path, **about)
    if not table["name"].str.strip().any():
        raise BioftError(
            f"{path} has no names: the name of each of its {len(table):,} metabolites is empty. Metabolites can't be "
            "matched to it by name; use another namespace."
        )
    for problem in problems(table):
        logger.warning("%s: %s", path.name, problem)
    table.attrs["source"] = described
    return table


def _embedded() -> pd.DataFrame:
    with extra("metabolites", "The namespace cobra"):
        if (found := find_spec("cobra")) is None:
            raise ModuleNotFoundError(name="cobra")
    path = Path(str(found.origin)).parent / "data" / EMBEDDED_MODEL
    # cobra takes seconds to import and to read it: what is kept is of this file and of the code that reads it.
    digest = file_sha256(path, Path(models.__file__), Path(tables.__file__))
    kept = cache_directory() / "namespaces" / f"{digest[:24]}.parquet"
    if kept.is_file():
        table = pd.read_parquet(kept)
    else:
        table = model_metabolites(read_model(path))
        with new_file(kept) as partial:
            table.to_parquet(partial, index=False)
    name = f"{path.name} (iYS1720, in cobra {package_version('cobra')})"
    table.attrs["source"] = source_of(path, **BIGG) | {"name": name}
    return table


def _read_table(path: Path) -> tuple[list[Row], dict[str, str]]:
    """Return the rows of a text file, and what a manifest says of it."""
    lines = TextLines(path, _HINT)
    start = iter(lines)
    first = next(start, "")
    if first.lstrip()[:1] in ("<", "{") or first.strip() == "[":
        raise BioftError(f"{path} is XML or JSON, no table and no list. Of a model, name it .xml or .json. {_HINT}")
    if re.fullmatch(r'"?sep=.\W*', first, re.IGNORECASE):  # as Excel says the delimiter
        first = next(start, "")
    columns = [column.strip() for column in first.lstrip("#").strip("\r\n").split("\t")]
    if set(_OBO_COLUMNS) <= set(columns):
        return _unite(_obo_rows(lines)), BIGG
    if set(_BIGG_COLUMNS) <= set(columns):
        return _unite(_bigg_rows(lines)), BIGG
    if tuple(columns) == _MODELSEED_COLUMNS:
        rows = [Row(row["ModelSEED ID"], row["External ID"]) for row in Table(lines)]
        return list(dict.fromkeys(rows)), MODELSEED
    return _own_rows(lines, first), {"terms": UNKNOWN_TERMS}


def _obo_rows(lines: TextLines) -> Iterator[tuple[str, Row]]:
    """Universal ids and rows of obo-db-ingest's table: one in a compartment has its universal id for a parent."""
    for row in Table(lines):
        parent = row["parents"].removeprefix("bigg.metabolite:")
        universal = parent if parent != row["parents"] else row["identifier"]
        compartment = row["identifier"].removeprefix(universal).removeprefix("_")
        old = (alternative.removeprefix("bigg.metabolite:") for alternative in row["alts"].split("|"))
        references = joined(f"bigg.metabolite:{universal_id(each, compartment)}" for each in old if each)
        yield universal, Row(row["identifier"], row["name"], "", math.nan, compartment, references)


def _bigg_rows(lines: TextLines) -> Iterator[tuple[str, Row]]:
    """Universal ids and rows of BiGG's own table, which has metabolites in compartments only."""
    for row in Table(lines):
        universal = row["universal_bigg_id"]
        compartment = row["bigg_id"].removeprefix(universal).removeprefix("_")
        # "KEGG Compound: http://identifiers.org/kegg.compound/C00234; …"
        links = (link.rpartition(": ")[2].split("/")[-2:] for link in row["database_links"].split(";"))
        references = [":".join(parts) for parts in links if len(parts) == 2]
        old = (universal_id(identifier.strip(), compartment) for identifier in row["old_bigg_ids"].split(";"))
        references += [f"bigg.metabolite:{identifier}" for identifier in old if identifier not in ("", universal)]
        yield universal, Row(row["bigg_id"], row["name"], "", math.nan, compartment, joined(references))


def _unite(rows: Iterable[tuple[str, Row]]) -> list[Row]:
    """One row for each universal metabolite: its own name, or that of the first compartment without its suffix."""
    united: dict[str, list[Row]] = {}
    for universal, row in rows:
        united.setdefault(universal, []).append(row)
    result = []
    for universal, same in united.items():
        named = next((row.name for row in same if row.name), "")
        name = next((row.name for row in same if row.id == universal), named)
        references = joined(reference for row in same for reference in row.cross_references.split("|"))
        result.append(Row(universal, name, "", math.nan, joined(row.compartments for row in same), references))
    return result


def _own_rows(lines: TextLines, first: str) -> list[Row]:
    """Rows of a table or list of the user's own."""
    header = first.strip().lstrip("#")
    known = (*_ID_COLUMNS, *_NAME_COLUMNS)
    delimiter = delimiter_of(_folded(header), known)
    columns = [column.strip().strip('"').strip() for column in header.split(delimiter)]
    # Names have commas themselves: without a known column the lines of a file are names.
    if len(columns) == 1 or (delimiter != "\t" and not {*known} & {*map(_folded, columns)}):
        listed = [name for _, line in quoted_lines(lines) if (name := " ".join(line.split()))]
        if parted := _parted(listed):
            raise BioftError(
                f"{lines.path} has no column of names: its lines are parted by {parted}, and the first is "
                f"{listed[0][:80]!r}. {_HINT} What stands above the names of the columns must go."
            )
        if listed and _folded(listed[0]) in known:
            del listed[0]
        return [Row(name, name) for name in listed]
    table = Table(lines, [column for column in columns if _folded(column) in known])
    columns_of = {_folded(column): column for column in table.columns}
    id_column = next((columns_of[name] for name in _ID_COLUMNS if name in columns_of), None)
    name_column = next((columns_of[name] for name in _NAME_COLUMNS if name in columns_of), None)
    if name_column is None:
        raise BioftError(
            f"{lines.path} has no column of names. Columns found in line 1: {', '.join(columns[:12])[:200]}. {_HINT}"
        )
    found = []
    for row in table:
        values = {_folded(key): value.strip() for key, value in row.items()}
        identifier, name = row[id_column or name_column].strip(), row[name_column].strip()
        if not identifier and not name:
            continue  # as spreadsheets leave rows behind
        formula, charge = _present(values.get("formula", "")), _charge(values.get("charge", ""), table)
        compartments = values.get("compartments", values.get("compartment", ""))
        found.append(Row(identifier, name, formula, charge, compartments, values.get("cross_references", "")))
    bare = bare_names([(row.name, row.compartments) for row in found], {})
    return [row._replace(name=name) for row, name in zip(found, bare, strict=True)]


def _folded(column: str) -> str:
    return column.strip().strip('"').casefold().replace(" ", "_")


def _parted(lines: Sequence[str]) -> str:
    """What parts lines that are rows of a table and no names, in words: all have it, as often; "" for names.

    Commas in names stand between locants (1,2-propanediol), or before a space.
    """
    for delimiter in (";", "|", ","):
        lengths = {len(row) for row in rows_in(lines, delimiter)}
        alike = len(lines) > 1 and len(lengths) == 1 and lengths != {1}
        if alike and (delimiter != "," or all(re.search(r",(?! )", _LOCANT.sub("", line)) for line in lines)):
            return NAMES[delimiter]
    return ""


def _present(value: str) -> str:
    return "" if value.casefold() in _MISSING else value


def _charge(value: str, table: Table) -> float:
    if not _present(value):
        return math.nan
    try:
        charge = float(value)
    except ValueError:
        raise BioftError(
            f"{table.path}, line {table.line}: the charge {value[:40]!r} is no number. Mend it, or leave it empty."
        ) from None
    return charge if abs(charge) < _UNKNOWN_CHARGE else math.nan


def modelseed_files(directory: str | os.PathLike[str]) -> tuple[Path, Path]:
    """ModelSEED's files of names and of aliases in a folder, packed by gzip or not; BioftError without one of them."""

    def find(name: str) -> Path:
        for path in (Path(directory, name), Path(directory, f"{name}.gz")):
            if path.is_file():
                return path
        raise BioftError(f"{name} is not in {directory}. Fetch it with `bioft download modelseed`.")

    return find(MODELSEED_FILE), find(MODELSEED_ALIASES_FILE)


def read_aliases(path: str | os.PathLike[str]) -> dict[str, list[str]]:
    """BiGG's ids of ModelSEED's compounds: ModelSEED id → ids in BiGG; BioftError: the file is missing or another."""
    lines = TextLines(path, f"It is {MODELSEED_ALIASES_FILE} of the ModelSEED database: `bioft download modelseed`.")
    first = next(iter(lines), "")
    if tuple(first.strip("\r\n").split("\t")) != _MODELSEED_COLUMNS:
        raise BioftError(
            f"{path} is not ModelSEED's table of aliases: its columns are {first.strip()[:100]}; needed: "
            f"{', '.join(_MODELSEED_COLUMNS)}."
        )
    aliases: dict[str, list[str]] = {}
    for row in Table(lines):
        if "BiGG" in row["Source"].split("|"):
            aliases.setdefault(row["ModelSEED ID"], []).append(row["External ID"])
    return aliases


def linked_ids(aliases: Path, namespace: pd.DataFrame) -> dict[str, list[str]]:
    """ModelSEED id → the ids of a namespace that its aliases are resolved to, where there are any."""
    linked = [(own, other) for own, others in read_aliases(aliases).items() for other in others]
    links: dict[str, list[str]] = {}
    for (own, _), found in zip(linked, resolve_ids([other for _, other in linked], namespace), strict=True):
        if found:
            links.setdefault(own, []).append(found)
    return links


def with_synonyms(namespace: pd.DataFrame, directory: str | os.PathLike[str]) -> pd.DataFrame:
    """Return a namespace of BiGG ids with ModelSEED's names of the same compounds as further rows.

    `directory` is that of `bioft download modelseed`, whose aliases say which compounds are the same; those that link
    to several ids, or are linked to by several, give none. BioftError: a file is missing, or no id is linked.
    """
    names, aliases = modelseed_files(directory)
    unique = one_to_one(linked_ids(aliases, namespace))
    if not unique:
        raise BioftError("No id of the namespace is among ModelSEED's aliases: synonyms are for ids of BiGG.")
    synonyms = read_namespace(names)
    synonyms = synonyms[synonyms["id"].isin(unique)]
    added = to_table(Row(unique[own], name) for own, name in zip(synonyms["id"], synonyms["name"], strict=True))
    table = pd.concat([namespace, added], ignore_index=True).drop_duplicates(["id", "name"], ignore_index=True)
    described = namespace.attrs["source"]
    table.attrs["source"] = described | {"terms": f"{described['terms']} {MODELSEED_TERMS}"}
    return table
