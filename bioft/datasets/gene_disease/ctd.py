"""Gene–disease associations of the Comparative Toxicogenomics Database (CTD), https://ctdbase.org.

Reads CTD's gene–disease reports as CTD publishes them (CSV or TSV, plain or gzip): the curated report
`CTD_curated_genes_diseases` and the full one, `CTD_genes_diseases`, whose inferred rows (gene and disease
linked through a chemical, no direct evidence) outnumber the curated ones by far.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from datasets import DatasetDict

from bioft.datasets import corpus, options
from bioft.datasets.documents import corpus as documents
from bioft.datasets.gene_disease import pairs as gene_disease
from bioft.datasets.gene_disease.excel_dates import is_date, warn_of_dates
from bioft.datasets.origin import Origin
from bioft.errors import BioftError, suggestion
from bioft.metrics.thresholds import LEAST_ROWS
from bioft.storage.tables import Table, delimiter_of
from bioft.storage.text_lines import LinesAfter, TextLines

URL, TERMS, CITATION, LICENSE = corpus("ctd")
DIRECT_EVIDENCE = ("marker/mechanism", "therapeutic")
INFERRED = "inferred"
EVIDENCE = (*DIRECT_EVIDENCE, INFERRED)
COLUMNS = ("GeneSymbol", "GeneID", "DiseaseName", "DiseaseID", "DirectEvidence", "PubMedIDs")
KEYS = ("gene", "gene_id", "disease", "disease_id", "evidence", "pmids")
"""What `read` calls them."""
INFERENCE = "InferenceChemicalName"
"""The column that only the report with inferred rows has."""
COMMENT = ("#", '"#')
HINT = "Get the file with `bioft download ctd`."


class Header(NamedTuple):
    """What stands above the rows of a CTD report."""

    columns: tuple[str, ...]
    delimiter: str
    created: str | None
    """CTD's "Report created" date, as written in the file."""
    lines: int
    """How many there are."""


def _columns(line: str) -> tuple[tuple[str, ...], str]:
    line = line.strip().removeprefix('"').removeprefix("#").strip()
    delimiter = delimiter_of(line, COLUMNS)
    return tuple(name.strip().strip('"') for name in line.split(delimiter)), delimiter


def read_header(path: str | os.PathLike[str]) -> Header:
    """Read up to the line that names the columns.

    The columns are the comment line after `# Fields:`, or a first row that is not a comment (files saved again by
    other programs). BioftError, with the columns found: no gene–disease report of CTD.
    """
    created = None
    after_fields = False
    columns: tuple[str, ...] = ()
    delimiter = ","
    lines = TextLines(path, HINT)
    for line in lines:
        if after_fields or not line.startswith(COMMENT):
            columns, delimiter = _columns(line)
            break
        # Spreadsheets quote comments and put an empty field into each column.
        text = line.strip().rstrip(',;\t"').strip('"# ')
        if text.startswith("Report created:"):
            created = text.removeprefix("Report created:").strip()
        after_fields = text == "Fields:"
    missing = [column for column in COLUMNS if column not in columns]
    if missing:
        found = ", ".join(column[:40] for column in columns[:12]) or "none"
        raise BioftError(
            f"{lines.path} is not a gene–disease report of CTD. Columns found in line {lines.number}: "
            f"{found}. Missing: {', '.join(missing)}. {HINT}"
        )
    return Header(columns, delimiter, created, lines.number)


def _wanted(evidence: str | Sequence[str] | None) -> tuple[str, ...]:
    if evidence is None:
        return DIRECT_EVIDENCE
    wanted = (evidence,) if isinstance(evidence, str) else tuple(evidence)
    for value in wanted:
        if value not in EVIDENCE:
            raise BioftError(f"Unknown CTD evidence '{value}'. {suggestion(value, EVIDENCE)}")
    if not wanted:
        raise BioftError(f"The CTD evidence filter is empty. Choose from: {', '.join(EVIDENCE)}.")
    return wanted


def read(path: str | os.PathLike[str], evidence: str | Sequence[str] | None = None) -> Iterator[dict[str, str]]:
    """Stream the rows of a CTD gene–disease report that have the evidence asked for; None takes all direct evidence.

    Yields one dict per row of the file with the keys `KEYS`, evidence and pmids joined by "|". One row is held at a
    time: the full report has about 10^8 rows. BioftError, with the line: a row that can't be right, and as
    `TextLines`.
    """
    wanted = _wanted(evidence)
    header = read_header(path)
    # Spreadsheets leave rows of nothing but delimiters behind.
    lines = LinesAfter(path, header.lines, lambda line: line.startswith(COMMENT) or not line.strip(' ,;"\t\r\n'), HINT)
    rows = Table(lines, header=header.columns, delimiter=header.delimiter)
    # The evidence to write for each DirectEvidence seen, or None to skip the row.
    accepted: dict[str, str | None] = {}
    dates: dict[str, None] = {}

    def error(problem: str) -> BioftError:
        return BioftError(f"{path}, line {rows.line}: {problem}. Mend the row, or download the file again.")

    for row in rows:
        value = row["DirectEvidence"]
        if value not in accepted:
            if not value and INFERENCE not in header.columns:
                raise error("DirectEvidence is empty in a report without inferred rows")
            parts = value.split("|") if value else [INFERRED]
            unknown = [part for part in parts if part not in EVIDENCE]
            if unknown:
                raise error(f"unknown DirectEvidence '{unknown[0]}' (CTD has: {', '.join(DIRECT_EVIDENCE)})")
            accepted[value] = "|".join(sorted(parts)) if any(part in wanted for part in parts) else None
        if (found := accepted[value]) is None:
            continue
        for column in COLUMNS[:4]:
            if not row[column].strip():
                raise error(f"{column} is empty")
        if is_date(row["GeneSymbol"]):
            dates[row["GeneSymbol"]] = None
        yield {key: row[column] for key, column in zip(KEYS, COLUMNS, strict=True)} | {"evidence": found}
    warn_of_dates(path, dates)


def build(
    path: Annotated[options.PathName, "CTD's gene–disease file (.csv, .tsv, .gz)."],
    *,
    evidence: Annotated[
        str | Sequence[str] | None,
        options.Option(
            "marker/mechanism, therapeutic or inferred; repeat for several. Without it: the first two.",
            default="the first two",
        ),
    ] = None,
    split: options.Split = "pair",
    negatives: options.Negatives = "degree_matched",
    negatives_per_positive: options.NegativesPerPositive = 1,
    validation_size: options.ValidationSize = 0.1,
    test_size: options.TestSize = 0.2,
    seed: options.Seed = 0,
    known_until: options.KnownUntil = None,
    least_validation_rows: options.LeastValidationRows = LEAST_ROWS,
) -> tuple[DatasetDict, dict[str, Any]]:
    """Build the gene–disease dataset from a CTD report; returns the splits and the manifest.

    A pair with direct evidence of any kind is never a negative, also when the evidence filter leaves it out. Inferred
    pairs count as known only where they are asked for: CTD infers links between most well-studied genes and diseases,
    and they are no curated associations. About 13 % of the curated pairs name no article: a split by time leaves them
    out. Memory grows with the number of *different* pairs kept, by what they are and not by what is told of them: that
    is in temporary files (where `TMPDIR` says), as are rows that wait to be united.
    """
    wanted = _wanted(evidence)
    header, name = read_header(path), Path(path).name
    url = f"{URL}/reports/{name}" if name.startswith("CTD_") else URL
    source = documents.source(Path(path), version=header.created, url=url, terms=TERMS, citation=CITATION)
    chosen = (split, negatives, negatives_per_positive, validation_size, test_size, seed)
    return gene_disease.build_pairs(
        read(path, tuple({*wanted, *DIRECT_EVIDENCE})),
        Origin("ctd", {"evidence": list(wanted)}, [source], LICENSE),
        *chosen,
        known_until=known_until,
        least_validation_rows=least_validation_rows,
        accept=lambda found: any(part in wanted for part in found.split("|")),
    )
