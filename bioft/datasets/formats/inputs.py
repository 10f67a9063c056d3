"""What somebody's own files are, told by their content, and what a manifest says of them."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bioft.datasets import data
from bioft.datasets.documents.corpus import AnnotatedText, source as file_source
from bioft.datasets.formats import annotations, conll
from bioft.datasets.options import OwnData, PathName
from bioft.datasets.splits import splits_in
from bioft.errors import BioftError, command_word
from bioft.hub import pull
from bioft.storage import json_text
from bioft.storage.files import file_sha256
from bioft.storage.runs import MANIFEST
from bioft.storage.text_lines import TextLines, encoding_of, no_text

HEAD = 1 << 16
"""Bytes from the start of a file by which its format is told."""
DOCUMENTS = ("pubtator", "bioc", "conll", "brat", "chemprot", "mentions", "documents", "tokens")
TABLES = ("delimited", "records", "parquet")
NAMES = {
    "pubtator": "PubTator",
    "bioc": "BioC (XML or JSON; also DDI's XML)",
    "conll": "CoNLL/IOB",
    "brat": "a brat folder (.txt and .ann; BioNLP's .a1, .a2 and .rel)",
    "chemprot": "ChemProt's or DrugProt's tables",
    "mentions": "a table of mentions (document, start, end, type) beside .txt files, or with texts",
    "documents": "JSON of documents (text, entities; also of spaCy, Prodigy, doccano, Label Studio)",
    "tokens": "JSONL or Parquet with tokens and ner_tags",
    "delimited": "CSV or TSV",
    "records": "JSON or JSONL",
    "parquet": "Parquet",
}
"""The formats by what `tell` calls them."""
OF_DOCUMENTS, OF_TABLES = (", ".join(NAMES[kind] for kind in kinds) for kinds in (DOCUMENTS, TABLES))
STANDOFF = (".ann", ".a1")
"""Endings of files with annotations of a text beside them."""
_OF_FILES = (
    ".csv", ".tsv", ".txt", ".json", ".jsonl", ".parquet", ".xml", ".gz", ".conll", ".iob", ".pubtator", ".xlsx",
    ".zip",
)  # fmt: skip
"""Endings of no dataset's name, so that one who mistypes a path is told so, and the Hub is not asked."""
_SINGLE = (".xml", ".json", ".biocjson")
"""Endings of files that hold one document each in some folders."""
_LINES = (".txt", ".pubtator", ".conll", ".iob", ".bio")
"""The same, of lines."""
_ABSTRACTS = re.compile(r"abstrac(?:t)?s", re.IGNORECASE)
"""As one of DrugProt's files has it, too."""
_FOREIGN = (
    (re.compile(r"#FORMAT=WebAnno TSV"), "WebAnno TSV, as INCEpTION writes it", "Export it as CoNLL 2002."),
    (
        re.compile(r"(?:#.*\n|\s)*1\t[^\t\n]+(?:\t[^\t\n]*){8}\n"),
        "CoNLL-U",
        "Write the tag of each token as its last column.",
    ),
    (
        re.compile(r'c="[^\n]*\|\|t="'),
        "i2b2's annotations by lines and tokens",
        "Convert them to brat, of which n2c2 is.",
    ),
    (re.compile(r"\S+\|title\|"), "PubTator of a full text", "Write it as BioC, of which this is."),
    (re.compile(r"T\d+\t\S+ \d+ \d+"), "annotations of brat", "Name their folder, in which the .txt file is too."),
)
"""How other formats of the field begin, and what to do of them."""
_PUBTATOR = re.compile(r"\s*[^\s|]+\|[ta]\|")
MENTIONED = [*data("columns.toml", __package__)["mentions"].values()]
"""Names of columns that say the document, the start and the end of a mention; then its type, words and concept."""
_SPECIES = re.compile(r"\d+\t[^\t:]+:\d+\t\d+\t\d+\t[^\t]+")
"""A row of Species-800: taxon, document and PubMed id, first and last character, words."""
_TEXTS = re.compile(r"(te?xt|abstract|document|doc)s?([-_]?files)?", re.IGNORECASE)
"""How folders of texts are called."""
_ABOUT = "dataset_info.json"
_ROWS_TOLD = 100
_BRACKET = re.compile(r"[{\[][ \t]+[^\s{\[\"\]}]")
"""A bracket that is the first token of a CoNLL file, and no start of JSON."""
_BETWEEN = re.compile(r"[\s,]*")
_TAG = re.compile(r"(?:O|[BIESLUM](?:[-_].+)?)")
_WORDS_OF_TABLES = frozenset({"text", "label", "labels"})


def tell(path: Path) -> str:
    """The format of a file or folder, one of `NAMES`, or "dataset" for a folder that `bioft build` wrote.

    BioftError: there is no such file, it is empty, or of a format that is not read.
    """
    if path.is_dir():
        return _tell_folder(path)
    raw = TextLines(path, "Name a file or folder of yours, or user/name on the Hub.").head(HEAD)
    if raw.startswith(b"PAR1"):
        return _tell_columns(_parquet_columns(path), "parquet")
    if what := no_text(raw):
        raise unknown(path, what)
    text = raw.decode(encoding_of(raw), "replace")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise unknown(path, f"a binary file, or has a NUL character in line {line:,}", "Remove it.")
    text = text.removeprefix("\ufeff").lstrip()
    if not text:
        raise BioftError(f"{path} has no content.")
    if text.startswith("<"):
        return _tell_markup(path, text)
    if text[0] in "{[" and not _BRACKET.match(text):
        return _tell_json(text)
    for start, what, mend in _FOREIGN:
        if start.match(text):
            raise unknown(path, what, mend)
    if _ABSTRACTS.search(path.name) and len(beside(path)) == 2:
        return "chemprot"
    whole = re.split(r"\r\n|\n|\r", text)[: None if len(raw) < HEAD else -1]
    lines = [line for line in whole if line.strip()] or [text]
    if _PUBTATOR.match(lines[0]):
        return "pubtator"
    if _is_tagged(lines, 0) and any(re.match(r"B[-_].", line) for line in lines):
        raise unknown(
            path, "tokens whose tags come first", "Write the token as first column, and its tag as the last."
        )
    if _is_tagged(lines):
        return "conll"
    names = {cell.strip(' "').lower() for cell in re.split(r"[\t,;]", lines[0].lstrip("#"))}
    of_mentions = all(names & {*known} for known in MENTIONED[:3]) or _SPECIES.fullmatch(lines[0])
    return "mentions" if of_mentions and ("text" in names or texts_beside(path)) else "delimited"


def is_hub_name(name: str) -> bool:
    """Whether what is no file here may be the name of a dataset on the Hub: user/name, but none of a file."""
    return pull.is_repository_name(name) and not name.lower().endswith(_OF_FILES)


def is_parquet(path: Path) -> bool:
    """Whether a file begins as Parquet does."""
    with path.open("rb") as stream:
        return stream.read(4) == b"PAR1"


def unknown(path: Path, what: str, mend: str = "") -> BioftError:
    """The error that a file is of no format that is read: says which would do."""
    return BioftError(f"{path} is {what}. {mend + ' ' if mend else ''}What is read: {OF_DOCUMENTS}; {OF_TABLES}.")


def no_documents(path: Path, kind: str) -> str:
    """The message that a file of some format, as `tell` calls it, holds no documents."""
    return (
        f"{path} is {NAMES[kind]}: that holds no documents with entities. Documents are read from {OF_DOCUMENTS}. For "
        f"texts with labels: bioft build labels {command_word(path)} --output FOLDER."
    )


def _tell_folder(path: Path) -> str:
    if (path / MANIFEST).is_file():
        return "dataset"
    if is_saved(path):
        about = json_text.parse(TextLines(path / _ABOUT).read(), str(path / _ABOUT))
        return _tell_columns([*about["features"]], "parquet")
    if standoff(path):
        return "brat"
    if tables_in(path):
        return "chemprot"
    if mentions_in(path):
        return "mentions"
    for file in inside(path)[:1]:
        with suppress(BioftError):
            if (kind := tell(file)) in DOCUMENTS:
                return kind
    names = {file.name for file in path.iterdir()}
    if {"corpus.jsonl", "queries.jsonl"} <= names:
        raise unknown(path, "BEIR's queries and corpus", "Join them to a table with the columns query and passage.")
    if any(path.rglob("*.con")):
        raise unknown(path, *_FOREIGN[2][1:])
    named = sorted(file.parent for file in path.glob("*/*") if "train" in splits_in(file.name))
    mend = f"Name one of its folders, such as {named[0]}." if named else f"Name files in it, such as {path}/*."
    raise unknown(path, "a folder without .ann files and without files named train and test", mend)


def is_saved(folder: Path) -> bool:
    """Whether `save_to_disk` of Hugging Face's datasets wrote a folder, of one split."""
    return (folder / "state.json").is_file() and (folder / _ABOUT).is_file()


def is_brat(folder: Path) -> bool:
    """Whether a folder itself holds texts with annotations beside them."""
    return any(file.suffix in STANDOFF for file in folder.iterdir())


def standoff(folder: Path) -> list[Path]:
    """The files with annotations of a text in a folder, also in those in it."""
    return sorted(file for file in folder.rglob("[!.]*") if file.suffix in STANDOFF)


def tables_in(folder: Path) -> list[Path]:
    """The tables of ChemProt or DrugProt in a folder, first that of abstracts; none where there are several of it."""
    found = [[file, *beside(file)] for file in folder.glob("*.tsv") if _ABSTRACTS.search(file.name)]
    whole = [its for its in found if len(its) == 3]
    return whole[0] if len(whole) == 1 else []


def mentions_in(folder: Path) -> list[Path]:
    """The table of mentions of the texts in a folder; none where there are several."""
    found = []
    for file in folder.glob("[!.]*.[ct]sv"):
        with suppress(BioftError):
            found += [file] if tell(file) == "mentions" else []
    return found if len(found) == 1 else []


def texts_beside(table: Path) -> list[Path]:
    """The text files in the folder of a table and in those in it, or else in the folders of texts beside that one."""
    inner = [file for file in table.parent.rglob("[!.]*.txt") if file != table]
    outer = table.parent.parent.glob("*/[!.]*.txt")
    return inner or [file for file in outer if _TEXTS.fullmatch(file.parent.name)]


def inside(folder: Path) -> list[Path]:
    """The files of a folder, also of those in it, each of which holds documents: XML and JSON, or else lines."""
    files = sorted(file for file in folder.rglob("[!.]*") if file.is_file())
    return next(
        filter(None, ([file for file in files if file.suffix.lower() in its] for its in (_SINGLE, _LINES))), []
    )


def beside(abstracts: Path) -> list[Path]:
    """The tables of entities and, where it is there, of relations that belong to one of abstracts."""
    found = (abstracts.with_name(_ABSTRACTS.sub(word, abstracts.name)) for word in ("entities", "relations"))
    return [file for file in found if file != abstracts and file.is_file()]


def _tell_markup(path: Path, text: str) -> str:
    start = text[:4000].lower()
    if "<html" in start or "<!doctype html" in start:
        raise unknown(path, "a web page, not data", "Download the file itself.")
    if "bioc" in start or re.search(r"<collection\b", start) or re.search(r"<sentence\s[^>]*\btext=", text):
        return "bioc"
    command = "bioft build pubmed" if "pubmedarticle" in text.lower() else "bioft build trials"
    known = "pubmedarticle" in text.lower() or "clinical_study" in start
    root = match[1] if (match := re.search(r"<([A-Za-z][^\s/>]*)", text)) else "?"
    raise unknown(
        path,
        f"XML that is no BioC: its root is <{root[:40]}>",
        f"Try `{command} {command_word(path)}`." if known else "",
    )


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


def _is_tagged(lines: Sequence[str], column: int = -1) -> bool:
    """Whether lines are tokens with tags: at least two columns, of which the last, or another, is a tag in all lines
    but a few.
    """
    tokens = [line for line in lines[:500] if not conll.is_no_token(line)]
    if column == -1 and (lines[0].startswith("-DOCSTART-") or not tokens):
        return lines[0].startswith("-DOCSTART-")
    found = [line.split("\t") if "\t" in line else line.split() for line in tokens]
    tagged = [len(cells) > 1 and bool(_TAG.fullmatch(cells[column].strip())) for cells in found]
    return sum(tagged) >= max(1, 0.9 * len(tagged)) and not _WORDS_OF_TABLES & {cell.lower() for cell in found[0]}


def check(document: AnnotatedText, place: str) -> AnnotatedText:
    """The document, if its mentions stand where they say; BioftError, with the place, if one does not."""
    for mention in document.mentions:
        if not mention.type:
            raise BioftError(f"{place}: the mention {mention.text!r} has no type. Give it one.")
        inside = 0 <= mention.start < mention.end <= len(document.text)
        if not inside or document.text[mention.start : mention.end] != mention.text:
            there = document.text[max(0, mention.start) : max(0, mention.end)][:60]
            raise BioftError(
                f"{place}: the mention {mention.text!r} is said to stand at {mention.start} to {mention.end}, where "
                f"the text (of {len(document.text):,} characters) has {there!r}. Offsets count characters."
            )
    return document


def of_utf_16(text: str, start: int, end: int, words: str) -> tuple[int, int]:
    """The offsets of words in a text in characters, where programs in JavaScript or Java have counted half ones.

    Some characters are two of these; other offsets come back as they are.
    """
    if text[start:end] != words and len(raw := text.encode("utf-16-le")) > 2 * len(text):
        before, there = (part.decode("utf-16-le", "replace") for part in (raw[: 2 * start], raw[2 * start : 2 * end]))
        if there == words:
            return len(before), len(before) + len(words)
    return start, end


def sources(files: Iterable[PathName], asked: OwnData) -> list[dict[str, Any]]:
    """What a manifest says of files and folders of one's own; terms and citation as they were given."""
    paths: list[Path] = []
    for path in map(Path, files):
        of_mentions = path.is_file() and tell(path) == "mentions"
        paths += [path, *(beside(path) if path.is_file() else ())]
        paths += sorted({text.parent for text in texts_beside(path)}) if of_mentions else []
    return [_source(path, asked) for path in dict.fromkeys(paths)]


def _source(path: Path, asked: OwnData) -> dict[str, Any]:
    given = {"terms": asked.terms or "not stated", "citation": asked.citation}
    if path.is_dir():
        digest, size = hashlib.sha256(), 0
        texts = sorted(its for its in path.rglob("[!.]*") if its.suffix in (".txt", ".a2", ".rel", *STANDOFF))
        saved = sorted(path.iterdir()) if is_saved(path) else ()
        its = texts if standoff(path) else saved or tables_in(path) or inside(path) or [*mentions_in(path), *texts]
        for file in its:
            digest.update(f"{file.relative_to(path).as_posix()} {file_sha256(file)}\n".encode())
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
