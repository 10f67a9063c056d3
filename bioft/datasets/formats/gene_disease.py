"""Genes and diseases from tables of one's own: known associations with negatives to be drawn, or labelled pairs."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Annotated, Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]
from datasets import Dataset, DatasetDict

from bioft.datasets import data, splits as splitting
from bioft.datasets.formats import splits
from bioft.datasets.formats.tables import Table, one_text
from bioft.datasets.gene_disease import audit as auditing, pairs as known
from bioft.datasets.gene_disease.excel_dates import warn_of_dates
from bioft.datasets.options import Negatives, NegativesPerPositive, OwnTable, Split, takes
from bioft.errors import BioftError
from bioft.storage.tables import NO_VALUE
from bioft.storage.text_lines import normalise

_COLUMNS: dict[str, list[str]] = data("columns.toml", __package__)["gene_disease"]
SEPARATORS = (", ", ";", "|", " - ", " / ")
"""What parts several genes in one cell."""
POSITIVE = {
    **dict.fromkeys(("1", "1.0", "yes", "true", "positive", "pos"), 1),
    **dict.fromkeys(("0", "0.0", "no", "false", "negative", "neg"), 0),
}
DRAWN = ("split", "negatives", "negatives_per_positive")


@dataclass(frozen=True, kw_only=True)
class GeneDiseaseOptions(OwnTable):
    """Options of gene–disease pairs in tables."""

    gene_column: Annotated[str | None, "Column of the names of genes (by default gene, symbol)."] = None
    gene_id_column: Annotated[
        str | None, "Column of their ids (by default gene_id; without one names are the ids)."
    ] = None
    disease_column: Annotated[str | None, "Column of the names of diseases (by default disease)."] = None
    disease_id_column: Annotated[
        str | None, "Column of their ids (by default disease_id; without one names are the ids)."
    ] = None
    label_column: Annotated[
        str | None, "Column of 1 for associated, 0 for not (by default label); none: all are, and negatives are drawn."
    ] = None
    split: Split = "pair"
    negatives: Negatives = "degree_matched"
    negatives_per_positive: NegativesPerPositive = 1


class Row(NamedTuple):
    """A pair of a gene and a disease; `label` is None where all pairs are associated."""

    gene: str
    gene_id: str
    disease: str
    disease_id: str
    label: int | None
    evidence: str
    pmids: str
    place: str

    def pair(self) -> tuple[str, str]:
        """The names, normalised."""
        return normalise(self.gene), normalise(self.disease)


@takes(GeneDiseaseOptions)
def build_gene_disease(asked: GeneDiseaseOptions) -> tuple[DatasetDict, dict[str, Any]]:
    """Build gene–disease pairs of a table of one's own; returns the splits and the manifest.

    Without labels every row is a known association, and all is as in `gene_disease.pairs.build_pairs`. With labels the
    negatives are those of the table, and the splits are made by `split`, or given. BioftError: no table, a missing
    column or name, a label that is none, given splits without labels, a pair that has both labels, or a split left
    empty.
    """
    labelled: set[bool] = set()
    notes: dict[str, None] = {}
    read = splits.collect(
        "gene_disease", asked, lambda table, start: _maker(table, asked, labelled, notes), apart=DRAWN
    )
    every = [row for rows in read.rows.values() for row in rows]
    warn_of_dates(read.origin.sources[0]["name"], (row.gene for row in every))
    read.told["notes"] += [*notes, *_doubtful(every)]
    if labelled == {False}:
        if splits.ALL not in read.rows:
            raise BioftError(
                "Given splits need a column of labels: negatives are drawn for splits that are made here."
            )
        rows = (row._asdict() for row in read.rows[splits.ALL])
        dataset, manifest = known.build_pairs(
            rows, read.origin, **{name: getattr(asked, name) for name in DRAWN}, **asked.sizes(), seed=asked.seed
        )
        return dataset, manifest | read.told
    if len(labelled) > 1:
        raise BioftError("Some of the files have a column of labels, and others have none.")
    return _of_labelled(read, asked)


def _of_labelled(read: splits.Collected, asked: GeneDiseaseOptions) -> tuple[DatasetDict, dict[str, Any]]:
    """The dataset of pairs whose negatives are given."""
    left_out = Counter[str]()
    given = splits.ALL not in read.rows
    strategy = asked.split
    rows_of = {name: _distinct(rows, left_out) for name, rows in read.rows.items()}
    divided = splits.divide(
        rows_of,
        identity=lambda row: row.place,
        same=lambda row: (row.pair(), (row.gene_id, row.disease_id)),
        group=lambda row: None,
        asked=asked,
        what="pairs",
        assign=lambda rows: _assigned(rows, asked, left_out),
    )
    rng = np.random.default_rng(asked.seed)
    dataset = DatasetDict()
    for name, rows in divided.rows.items():
        order = range(len(rows)) if given and name == "test" else rng.permutation(len(rows)).tolist()
        frame = pd.DataFrame([rows[index]._asdict() for index in order])[list(known.COLUMNS)]
        dataset[name] = Dataset(pa.Table.from_pandas(frame, preserve_index=False))
    counts = {name: known.count_labels(rows) for name, rows in dataset.items()}
    if empty := [name for name, its in counts.items() if not (its["positive"] and its["negative"])]:
        raise BioftError(f"The split '{empty[0]}' has {counts[empty[0]]}: both kinds are needed. Use other sizes.")
    return dataset, read.origin.manifest(
        dataset,
        {"split": "given" if given else strategy, "negatives": "given", **asked.sizes(), "seed": asked.seed},
        rows=counts,
        split=divided.split | ({} if given else {"strategy": strategy}),
        **read.telling(divided, left_out),
        audit=auditing.audit(dataset, split="pair" if given else strategy, seed=asked.seed),
    )


def _assigned(rows: Sequence[Row], asked: GeneDiseaseOptions, left_out: Counter[str]) -> splitting.IntArray:
    """The split of each pair, or `DROPPED`; entities are those that share a name or an id."""
    frame = pd.DataFrame([row._asdict() for row in rows])
    genes, diseases = (known.Entities(frame[side], frame[f"{side}_id"]).codes for side in ("gene", "disease"))
    codes = splitting.assign(asked.split, genes, diseases, **asked.sizes(), rng=np.random.default_rng(asked.seed)).rows
    left_out["pairs between the partitions"] = int((codes == splitting.DROPPED).sum())
    return codes


def _distinct(rows: Sequence[Row], left_out: Counter[str]) -> list[Row]:
    """Each pair once, by names; BioftError for one that has both labels."""
    seen: dict[tuple[str, str], Row] = {}
    for row in rows:
        first = seen.setdefault(row.pair(), row)
        if first.label != row.label:
            raise BioftError(
                f"{row.place}: {row.gene} and {row.disease} have the label {row.label} here, and "
                f"{first.label} in {first.place}. Keep one of the rows."
            )
        left_out["pairs that come again"] += first is not row
    return list(seen.values())


def _doubtful(rows: Sequence[Row]) -> list[str]:
    """What one may not have meant: several genes in a name, and ids that are not those of the names."""
    notes = []
    genes = {row.gene for row in rows}
    if genes and all(gene.isdigit() for gene in genes):
        notes.append("the names of all genes are numbers: if these are ids, name the names' column with --gene-column")
    for separator in SEPARATORS:
        if joined := sorted(gene for gene in genes if separator in gene):
            notes.append(
                f"{len(joined):,} of the {len(genes):,} genes hold {separator!r}, such as {joined[0][:60]!r}: if they "
                "are several in one, write a row for each"
            )
    for side in ("gene", "disease"):
        ids: defaultdict[str, set[str]] = defaultdict(set)
        for row in rows:
            ids[normalise(getattr(row, side))].add(getattr(row, f"{side}_id"))
        if 2 * len(several := [name for name, its in ids.items() if len(its) > 1]) > len(ids):
            notes.append(
                f"{len(several):,} of the {len(ids):,} names of {side}s have several ids, such as "
                f"{several[0][:60]!r}: if the ids are of something else, name their column with --{side}-id-column"
            )
        if alike := _written_twice((getattr(row, f"{side}_id"), getattr(row, side)) for row in rows):
            notes.append(
                f"{len(alike):,} ids of {side}s are written in two ways, and count as two, such as "
                f"{' and '.join(alike[0])}: write them the same"
            )
    return notes


def _written_twice(named: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Ids of other names that differ in case, or in a prefix that one has and another has not."""
    written: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for identifier, name in {*named}:
        if identifier != name:
            written[identifier.casefold().rpartition(":")[2]][identifier] = normalise(name)
    found = []
    for its in written.values():
        prefixes = {identifier.casefold().rpartition(":")[0] for identifier in its}
        if len({*its.values()}) > 1 and (len(prefixes) < len(its) or "" in prefixes):
            found.append(sorted(its))
    return sorted(found)


def _maker(
    table: Table, asked: GeneDiseaseOptions, labelled: set[bool], notes: dict[str, None]
) -> Callable[[str, Sequence[Any]], Row]:
    gene, disease = (
        table.option(asked, f"{side}_column", _COLUMNS[side], needed=True) for side in ("gene", "disease")
    )
    gene_id, disease_id, label = (
        table.option(asked, f"{name}_column", _COLUMNS[name]) for name in ("gene_id", "disease_id", "label")
    )
    evidence, pmids = (table.find(None, (name,), name, needed=False) for name in ("evidence", "pmids"))
    labelled.add(label is not None)
    numbers = count(1)
    used = {gene, gene_id, disease, disease_id, label, evidence, pmids}
    if label is None and (unread := [name for n, name in enumerate(table.columns) if name and n not in used]):
        shown = ", ".join(unread[:8]) + ", …" * (len(unread) > 8)
        notes[f"no column is known as that of labels: all pairs are taken as associated. Not read: {shown}"] = None

    def make(place: str, cells: Sequence[Any]) -> Row:
        def cell(column: int | None) -> str:
            found = "" if column is None else one_text(cells[column], place).strip()
            return "" if found in NO_VALUE else found

        names = cell(gene), cell(disease)
        if not all(any(map(str.isalnum, name)) for name in names):
            raise BioftError(
                f"{place}: the name of a gene or disease is empty, or has no letter or digit. Fill it in, or give "
                "--skip-bad."
            )
        value = None
        if label is not None and (value := POSITIVE.get(cell(label).lower())) is None:
            raise BioftError(f"{place}: the label is {cell(label)[:40]!r}; write 1 for associated, else 0.")
        # Where some are missing, programs make the others 7157.0.
        ids = [re.sub(r"^(\d+)\.0$", r"\1", cell(column)) for column in (gene_id, disease_id)]
        others = cell(evidence), cell(pmids)
        place = f"{place} ({next(numbers)})"
        return Row(names[0], ids[0] or names[0], names[1], ids[1] or names[1], value, *others, place)

    return make
