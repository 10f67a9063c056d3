"""What somebody's own files are, told by their content, and what a manifest says of them."""

import codecs
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bioft.datasets.documents.corpus import AnnotatedText, source as file_source
from bioft.datasets.formats import annotations, conll
from bioft.datasets.options import OwnData, PathName
from bioft.errors import BioftError
from bioft.storage.files import file_sha256
from bioft.storage.runs import MANIFEST
from bioft.storage.text_lines import TextLines

HEAD = 1 << 16
"""Bytes from the start of a file by which its format is told."""
DOCUMENTS = ("pubtator", "bioc", "conll", "brat", "documents", "tokens")
TABLES = ("delimited", "records", "parquet")
NAMES = {
    "pubtator": "PubTator",
    "bioc": "BioC (XML or JSON)",
    "conll": "CoNLL/IOB",
    "brat": "a brat folder (.txt and .ann)",
    "documents": "JSON of documents (text, entities; also of spaCy, Prodigy, doccano, Label Studio)",
    "tokens": "JSONL or Parquet with tokens and ner_tags",
    "delimited": "CSV or TSV",
    "records": "JSON or JSONL",
    "parquet": "Parquet",
}
"""The formats by what `tell` calls them."""
OF_DOCUMENTS, OF_TABLES = (", ".join(NAMES[kind] for kind in kinds) for kinds in (DOCUMENTS, TABLES))
_PUBTATOR = re.compile(r"\s*[^\s|]+\|[ta]\|")
_ROWS_TOLD = 100
_BETWEEN = re.compile(r"[\s,]*")
_TAG = re.compile(r"(?:O|[BIESLUM](?:[-_].+)?)")
_WORDS_OF_TABLES = frozenset({"text", "label", "labels"})
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def tell(path: Path) -> str:
    """The format of a file or folder, one of `NAMES`, or "dataset" for a folder that `bioft build` wrote.

    Raises:
        BioftError: there is no such file, it is empty, or of a format that is not read.
    """
    if path.is_dir():
        return _tell_folder(path)
    with TextLines(path, "Name a file or folder of yours, or user/name on the Hub.").open_bytes() as stream:
        raw = stream.read(HEAD)
    if raw.startswith(b"PAR1"):
        return _tell_columns(_parquet_columns(path), "parquet")
    text = raw.decode(next((name for mark, name in _BOMS.items() if raw.startswith(mark)), "utf-8"), "replace")
    text = text.removeprefix("\ufeff").lstrip()
    if "\0" in text or raw.startswith(b"PK\x03\x04"):
        raise unknown(path, "a binary file", "An Excel or zip file must be saved as CSV or unpacked first.")
    if not text:
        raise BioftError(f"{path} has no content.")
    if text.startswith("<"):
        return _tell_markup(path, text)
    if text[0] in "{[":
        return _tell_json(text)
    whole = re.split(r"\r\n|\n|\r", text)[: None if len(raw) < HEAD else -1]
    lines = [line for line in whole if line.strip()] or [text]
    if _PUBTATOR.match(lines[0]):
        return "pubtator"
    return "conll" if _is_tagged(lines) else "delimited"


def is_parquet(path: Path) -> bool:
    """Whether a file begins as Parquet does."""
    with path.open("rb") as stream:
        return stream.read(4) == b"PAR1"


def unknown(path: Path, what: str, mend: str = "") -> BioftError:
    """The error that a file is of no format that is read: says which would do."""
    return BioftError(f"{path} is {what}. {mend + ' ' if mend else ''}What is read: {OF_DOCUMENTS}; {OF_TABLES}.")


def _tell_folder(path: Path) -> str:
    if (path / MANIFEST).is_file():
        return "dataset"
    if any(path.glob("*.ann")):
        return "brat"
    raise unknown(path, "a folder without .ann files and without files named train and test")


def _tell_markup(path: Path, text: str) -> str:
    start = text[:4000].lower()
    if "<html" in start or "<!doctype html" in start:
        raise unknown(path, "a web page, not data", "Download the file itself.")
    if "bioc" in start or re.search(r"<collection\b", start):
        return "bioc"
    command = "bioft build pubmed" if "pubmedarticle" in text.lower() else "bioft build trials"
    known = "pubmedarticle" in text.lower() or "clinical_study" in start
    raise unknown(path, "XML that is no BioC", f"Try `{command} {path}`." if known else "")


def _tell_json(text: str) -> str:
    if '"passages"' in text:
        return "documents" if '"entities"' in text else "bioc"
    rows = _values(text, 1 if text[0] == "[" else 0)
    if len(rows) < 2 and text[0] == "{" and (inner := re.search(r'"\w+"\s*:\s*\[\s*(?=[\[{])', text)):
        rows += _values(text, inner.end())  # of one object with a list of rows
    for row in map(annotations.as_row, rows):
        if annotations.is_document(row):
            return "documents"
        if isinstance(row, dict) and (kind := _tell_columns(list(row), "records")) != "records":
            return kind
    return "records"


def _values(text: str, start: int) -> list[Any]:
    """The first JSON values in a text, one after another with nothing but commas and space between them."""
    found: list[Any] = []
    with suppress(ValueError, RecursionError):
        while len(found) < _ROWS_TOLD:
            start = _BETWEEN.match(text, start).end()  # type: ignore[union-attr]
            value, start = json.JSONDecoder().raw_decode(text, start)
            found.append(value)
    return found


def _tell_columns(columns: Sequence[str], otherwise: str) -> str:
    if annotations.holds(columns) or {"entities", "passages"} <= {*columns}:
        return "documents"
    return "tokens" if any("tokens" in name for name in columns) and len(columns) > 1 else otherwise


def _parquet_columns(path: Path) -> list[str]:
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    try:
        return list(pq.read_schema(path).names)
    except (OSError, ValueError) as error:
        raise BioftError(f"{path} can't be read as Parquet ({error}). Write it again.") from None


def _is_tagged(lines: Sequence[str]) -> bool:
    """Whether lines are tokens with tags: at least two columns, of which the last is a tag in all lines but a few."""
    tokens = [line for line in lines[:500] if not conll.is_no_token(line)]
    if lines[0].startswith("-DOCSTART-") or not tokens:
        return lines[0].startswith("-DOCSTART-")
    found = [line.split("\t") if "\t" in line else line.split() for line in tokens]
    tagged = [len(cells) > 1 and bool(_TAG.fullmatch(cells[-1].strip())) for cells in found]
    return sum(tagged) >= max(1, 0.9 * len(tagged)) and not _WORDS_OF_TABLES & {cell.lower() for cell in found[0]}


def check(document: AnnotatedText, place: str) -> AnnotatedText:
    """The document, if its mentions stand where they say; BioftError, with the place, if one does not."""
    for mention in document.mentions:
        if not mention.type:
            raise BioftError(f"{place}: the mention {mention.text!r} has no type.")
        if not 0 <= mention.start < mention.end or document.text[mention.start : mention.end] != mention.text:
            there = document.text[max(0, mention.start) : max(0, mention.end)][:60]
            raise BioftError(
                f"{place}: the mention {mention.text!r} is said to stand at {mention.start} to {mention.end}, where "
                f"the text has {there!r}. Offsets count characters."
            )
    return document


def sources(files: Iterable[PathName], asked: OwnData) -> list[dict[str, Any]]:
    """What a manifest says of files and folders of one's own; terms and citation as they were given."""
    return [_source(Path(file), asked) for file in files]


def _source(path: Path, asked: OwnData) -> dict[str, Any]:
    given = {"terms": asked.terms or "not stated", "citation": asked.citation}
    if path.is_dir():
        digest, size = hashlib.sha256(), 0
        for file in sorted(its for its in path.iterdir() if its.suffix in (".txt", ".ann")):
            digest.update(f"{file.name} {file_sha256(file)}\n".encode())
            size += file.stat().st_size
        return {
            "name": path.resolve().name,
            "sha256": digest.hexdigest(),
            "bytes": size,
            "version": None,
            "url": None,
            "redistribution": "ask",
        } | given
    return file_source(path) | given
