"""Trial records of ClinicalTrials.gov: read from files in each of its formats, and their text.

Formats: JSON of the API, version 2 (one study, a list of them, a page of an answer, or one study after another),
the older XML (`clinical_study`) and the site's CSV export; plain, gzip, many of them in a zip file, or a folder of
any of these.
"""

import csv
import gzip
import io
import json
import logging
import lzma
import os
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, Any, cast
from xml.etree import ElementTree

from bioft.datasets import corpus, data
from bioft.datasets.documents import corpus as documents
from bioft.datasets.trials.sections import clean_text
from bioft.errors import BioftError
from bioft.storage import json_text
from bioft.storage.files import ZIP_ERRORS
from bioft.storage.tables import delimiter_of, fields_of
from bioft.storage.text_lines import elements, no_text

logger = logging.getLogger(__name__)

URL, TERMS, CITATION, LICENSE = corpus("trials")
SUFFIXES = (".json", ".jsonl", ".xml", ".csv", ".tsv", ".zip")
"""What is read in a folder or a zip file, also with .gz after it."""
NCT_ID = re.compile(r"NCT\d{8}")
WITHHELD = "[Trial of device that is not approved or cleared by the U.S. FDA]"
"""The title that stands for a record whose content is not public."""
_SEX = {"": "", "ALL": "ALL", "BOTH": "ALL", "MALE": "MALE", "FEMALE": "FEMALE"}
_DATES = ("%Y-%m-%d", "%Y-%m", "%B %d, %Y", "%b %d, %Y", "%B %Y")
_CHUNK, _START = 1 << 20, 512
_VERSION_1 = ("FullStudiesResponse", "StudyFieldsResponse")
_WORKBOOK = "[Content_Types].xml"
"""What Office puts into its zip files."""
_PLACES: dict[str, dict[str, list[str]]] = data("places.toml", __package__)


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial record; the texts as they are in the file, empty where it has none."""

    nct_id: str
    title: str = ""
    brief_summary: str = ""
    detailed_description: str = ""
    eligibility: str = ""
    sex: str = ""
    """Who may take part: "ALL", "MALE", "FEMALE", or "" where the record does not say."""
    why_stopped: str = ""
    version: str = ""
    """Date of the last update, as YYYY-MM-DD (or YYYY-MM); "" where unknown."""
    source: str = ""
    """The file's name, and after a slash that of the member of a zip file."""


class _BadFileError(BioftError):
    """A file, or the rest of it, can't be read."""


def read_trials(
    path: str | os.PathLike[str],
    skip_bad: bool = False,
    *,
    exclude: Collection[str] = (),
    counts: Counter[str] | None = None,
) -> Iterator[Trial]:
    """Stream the trials of a file, zip file or folder, each NCT id once and in the order of the files.

    Of a record that comes several times the latest version is kept; of equal dates the one with most text, then
    the first. To know it, everything is read twice; one id with its date is held per trial, not its text. `skip_bad`
    leaves out records in which something is wrong, and what follows a place where a file is broken. `exclude` are NCT
    ids to leave out. `counts` receives how many `records` there were, `bad`, `excluded` and `older versions`.

    BioftError, naming file, record and id: a malformed NCT id, an unknown sex, a date that is none, a web page in
    place of data, a truncated or corrupt file, and a place without any trial.
    """
    counts = Counter() if counts is None else counts
    excluded = {nct_id.strip().upper() for nct_id in exclude}
    if wrong := sorted(nct_id for nct_id in excluded if not NCT_ID.fullmatch(nct_id)):
        raise BioftError(f"Trials to exclude: '{wrong[0][:40]}' is no NCT id (NCT and eight digits).")
    latest: dict[str, tuple[str, int, int]] = {}
    for number, trial in enumerate(_records(Path(path), skip_bad, counts, logger.warning)):
        counts["records"] += 1
        if trial.nct_id in excluded:
            counts["excluded"] += 1
            continue
        length = sum(map(len, (trial.title, trial.brief_summary, trial.detailed_description, trial.eligibility)))
        # Of equal ones the first: its number, counted down, is the greater.
        rank = (trial.version, length, -number)
        if trial.nct_id in latest:
            counts["older versions"] += 1
        latest[trial.nct_id] = max(rank, latest.get(trial.nct_id, rank))
    if not counts["records"]:
        raise BioftError(f"{path} holds no trial that can be read. {_HINT}")
    if older := counts["older versions"]:
        said = "%s: %d records are other versions of a trial that comes several times; the latest is kept."
        logger.warning(said, path, older)
    kept = {-rank[2] for rank in latest.values()}
    del latest
    for number, trial in enumerate(_records(Path(path), skip_bad, Counter(), logger.debug)):
        if number in kept:
            yield trial


def trial_text(trial: Trial, strip_symbols: bool = False) -> str:
    """The text of a trial: title, summary, description and eligibility, each cleaned and on lines of its own.

    A part that the one before it contains already is left out. Empty for a trial without text, also where only
    the title stands that replaces one that is not public. `strip_symbols` as in `clean_text`.
    """
    if trial.title == WITHHELD:
        return ""
    parts: list[str] = []
    for field in (trial.title, trial.brief_summary, trial.detailed_description, trial.eligibility):
        text = clean_text(field, strip_symbols)
        if text and not (parts and text in parts[-1]):
            parts.append(text)
    return "\n\n".join(parts)


def source_files(path: str | os.PathLike[str]) -> list[Path]:
    """The files that `read_trials` reads, in order. Raises BioftError when there are none."""
    place = Path(path)
    if not place.exists():
        raise BioftError(f"{place} does not exist. {_HINT}")
    if not place.is_dir():
        return [place]
    files = sorted(file for file in place.rglob("*") if file.is_file() and _is_data(file.name))
    if not files:
        raise BioftError(f"{place} holds no file of trials ({', '.join(SUFFIXES)}, also with .gz). {_HINT}")
    return files


def source_entries(files: Iterable[Path]) -> list[dict[str, Any]]:
    """What a manifest says of files of trial records."""
    about = {"url": URL, "terms": TERMS, "redistribution": "free", "citation": CITATION}
    return [documents.source(file, **about) for file in files]


_HINT = "Fetch trials with `bioft download trials`, or save a search of clinicaltrials.gov as JSON or CSV."


def _is_data(name: str) -> bool:
    # `*.source.json` is what the downloader records about a file.
    name = name.lower().removesuffix(".gz")
    return name.endswith(SUFFIXES) and not name.endswith(".source.json") and not Path(name).name.startswith(".")


def _records(path: Path, skip_bad: bool, counts: Counter[str], warn: Callable[..., None]) -> Iterator[Trial]:
    """Every record of every file, also those of one trial; wrong ones are skipped and counted, or raise."""
    for name, opened in _streams(path, warn):
        try:
            with _read_errors(name), opened() as stream:
                for place, fields in _fields(stream, name):
                    try:
                        yield _trial(fields, name)
                    except ValueError as problem:
                        error = BioftError(f"{name}, {place}: {problem}. Mend or remove the record, or use skip_bad.")
                        if not skip_bad:
                            raise error from None
                        counts["bad"] += 1
                        warn("Left out: %s", error)
        except _BadFileError as error:
            if not skip_bad:
                raise
            counts["bad"] += 1
            warn("Left out, from there on: %s", error)


def _tell_unread(place: Path, names: Iterable[str], warn: Callable[..., None]) -> None:
    """Say which files of a folder or zip file are none of trials by their names, but for hidden and our own ones."""
    others = [name for name in names if not (_is_data(name) or Path(name).name.startswith("."))]
    if others := [name for name in others if not name.endswith(".source.json")]:
        more = f" and {len(others) - 3:,} more" if len(others) > 3 else ""
        warn("%s: not read, by their names: %s%s.", place, ", ".join(sorted(others)[:3]), more)


def _streams(path: Path, warn: Callable[..., None]) -> Iterator[tuple[str, Callable[[], IO[bytes]]]]:
    """The name of each file, of a zip file those of its members, and what opens its unpacked bytes."""
    if path.is_dir():
        _tell_unread(path, (str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()), warn)
    for file in source_files(path):
        with file.open("rb") as raw:
            is_zip = raw.read(4) == b"PK\x03\x04"
        if not is_zip:
            yield file.name, partial(_unpacked, partial(file.open, "rb"), file.name)
            continue
        try:
            archive = zipfile.ZipFile(file)
        except ZIP_ERRORS:
            raise BioftError(f"{file} is a damaged zip file. Download it again.") from None
        with archive:
            if _WORKBOOK in archive.namelist():
                raise BioftError(f"{file} is an Excel workbook. Save its sheet as CSV.")
            names = [name for name in archive.namelist() if not name.endswith("/")]
            members = sorted(filter(_is_data, names))
            if members:
                _tell_unread(file, names, warn)
            else:
                raise BioftError(f"{file} holds no file of trials ({', '.join(SUFFIXES)}). {_HINT}")
            for member in members:
                name = f"{file.name}/{member}"
                yield name, partial(_unpacked, partial(archive.open, member), name)


def _unpacked(opened: Callable[[], Any], name: str) -> IO[bytes]:
    try:
        stream = io.BufferedReader(opened())
    except ZIP_ERRORS as error:
        encrypted = "encrypt" in str(error) or "password" in str(error)
        problem = "is encrypted" if encrypted else f"can't be unpacked ({error})"
        raise _BadFileError(f"{name} {problem}. Unpack the zip file, and give the folder.") from None
    start = stream.peek(_START)
    if start.startswith(b"PK\x03\x04"):
        raise _BadFileError(f"{name} is a zip file in a zip file. Unpack it, and give the folder.")
    packed = gzip.GzipFile(fileobj=stream) if start.startswith(b"\x1f\x8b") else None
    if what := no_text(packed.peek(_START) if packed else start):
        raise _BadFileError(f"{name} is {what}.")
    return cast(IO[bytes], packed) if packed else stream


@contextmanager
def _read_errors(name: str) -> Iterator[None]:
    """Turn what can go wrong in reading a file into one error with its name."""
    try:
        yield
    except EOFError:
        raise _BadFileError(f"{name} is truncated: the gzip file breaks off. Download it again.") from None
    except (gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError) as error:
        raise _BadFileError(f"{name} is damaged ({error}). Download it again.") from None
    except UnicodeDecodeError as error:
        raise _BadFileError(
            f"{name}: byte 0x{error.object[error.start]:02x} is not {error.encoding.upper()}. Convert the file "
            "(iconv -f cp1252 -t utf-8)."
        ) from None
    except ElementTree.ParseError as error:
        raise _BadFileError(f"{name} is not well-formed XML ({error}). Download it again.") from None
    except csv.Error as error:
        raise _BadFileError(f"{name} is not a CSV file ({error}). Export it again.") from None


def _fields(stream: IO[bytes], name: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The place and the raw fields of each record; the content decides the format, not the name."""
    unpacked = io.BufferedReader(cast(Any, stream), _CHUNK)
    begins = unpacked.peek(_START)[:_START].lstrip()
    if begins.startswith(b"<?xml") and b"html" not in begins.lower():  # which says its encoding itself
        yield from _xml_fields(unpacked)
        return
    utf16 = begins[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = io.TextIOWrapper(unpacked, encoding="utf-16" if utf16 else "utf-8-sig", newline="")
    start = text.read(_CHUNK)
    first = start.lstrip()[:1]
    if not first:
        raise _BadFileError(f"{name} is empty. {_HINT}")
    if first in "{[":
        for number, study in enumerate(_studies(start, text, name), 1):
            yield f"record {number}", _json_fields(study)
    elif re.match(r"\s*<(!doctype html|html)", start, re.IGNORECASE):
        raise _BadFileError(f"{name} is a web page, not trial records. {_HINT}")
    elif first == "<":
        unpacked.seek(0)
        yield from _xml_fields(unpacked)
    else:
        lines = chain(io.StringIO(start + text.readline(), newline=""), text)
        # The export of ClinicalTrials.gov until 2024 has a quotation mark too many in studies of expanded access.
        yield from _csv_fields((line.replace('"Expanded Access":', '"Expanded Access:') for line in lines), name)


def _studies(buffer: str, text: IO[str], name: str) -> Iterator[Any]:
    """The studies of a JSON file: those of a list or of values one after another, decoded as they come."""
    decode = json.JSONDecoder().raw_decode
    position = 0
    ended = False
    while True:
        # Between values: white space, and the signs of the list around them.
        while position < len(buffer) and (buffer[position].isspace() or buffer[position] in "[],"):
            position += 1
        try:
            value, end = decode(buffer, position)
            if end == len(buffer) and not ended:
                raise ValueError  # a number or a word may go on; so may the file
        except RecursionError:
            raise _BadFileError(f"{name} is no list of trials: lists and objects are nested too deeply.") from None
        except ValueError as error:
            # Not whole yet: read on, at least as much again, so that a long value is not decoded too often.
            more = "" if ended else text.read(max(_CHUNK, len(buffer) - position))
            if more:
                buffer, position = buffer[position:] + more, 0
                continue
            if not ended:
                ended = True
                continue
            if position == len(buffer):
                return
            raise _BadFileError(f"{name} is broken or cut off JSON ({error}). Download it again.") from None
        position = end
        if isinstance(value, dict) and isinstance(value.get("studies"), list):
            yield from value["studies"]  # a page of an answer of the API
        elif isinstance(value, dict) and not value.keys().isdisjoint(_VERSION_1):
            raise _BadFileError(f"{name} is of version 1 of the API, which ended in 2024. {_HINT}")
        else:
            yield value


def _json_fields(study: Any) -> dict[str, str]:
    section = study.get("protocolSection") if isinstance(study, dict) else None
    if not isinstance(section, dict):
        return {}

    def get(path: str) -> str:
        value: Any = section
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None and not isinstance(value, str):
            raise ValueError(f"{path.rpartition('.')[2]} is of type {type(value).__name__} where a text should be")
        return json_text.without_halves(value or "")

    try:
        return {field: next(filter(None, map(get, its["json"])), "") for field, its in _PLACES.items()}
    except ValueError as error:
        return {"problem": str(error)}


def _xml_fields(stream: IO[bytes]) -> Iterator[tuple[str, dict[str, str]]]:
    for number, study in enumerate(elements(stream, "clinical_study".__eq__), 1):
        yield f"record {number}", _xml_study(study)


def _xml_study(study: ElementTree.Element) -> dict[str, str]:
    def get(path: str) -> str:
        element = study.find(path)
        text = "" if element is None else "".join(element.itertext()).strip()
        # Paragraphs are wrapped and indented; only an empty line, or an item of a list, begins a new one.
        return re.sub(r"[ \t]*\n[ \t]+(?=[^\s\-*•\d])", " ", text)

    return {field: next(filter(None, map(get, its["xml"])), "") for field, its in _PLACES.items()}


def _csv_fields(lines: Iterator[str], name: str) -> Iterator[tuple[str, dict[str, str]]]:
    first = next(lines, "")
    first = next(lines, "") if re.fullmatch(r'"?sep=.\W*', first) else first  # as Excel says the delimiter
    known = [each for its in _PLACES.values() for each in its["csv"]]
    rows: Any = fields_of(chain([first], lines), delimiter_of(first, known))
    header = [" ".join(column.split()) for column in next(rows, [])]
    columns = {
        field: next((header.index(known) for known in its["csv"] if known in header), None)
        for field, its in _PLACES.items()
    }
    if columns["nct_id"] is None or columns["title"] is None:
        found = ", ".join(column[:40] for column in header[:8]) or "none"
        raise _BadFileError(
            f"{name} is no export of ClinicalTrials.gov: columns 'NCT Number' and 'Study Title' needed, found: "
            f"{found}. {_HINT}"
        )
    for row in rows:
        if not any(map(str.strip, row)):
            continue  # as spreadsheets leave rows behind
        if len(row) != len(header):
            fields = {"problem": f"{len(row)} fields where the header names {len(header)}"}
        else:
            fields = {field: "" if column is None else row[column] for field, column in columns.items()}
        yield f"record that ends in line {rows.line_num}", fields


def _trial(fields: Mapping[str, str], source: str) -> Trial:
    """Make a Trial of raw fields; ValueError says what is wrong in them."""
    if problem := fields.get("problem"):
        raise ValueError(problem)
    if not fields:
        raise ValueError("no trial record: protocolSection is missing")
    nct_id = fields["nct_id"].strip().upper()
    if not NCT_ID.fullmatch(nct_id):
        raise ValueError(f"'{fields['nct_id'][:40]}' is no NCT id (NCT and eight digits)")
    sex = fields.get("sex", "").strip().upper()
    if sex not in _SEX:
        raise ValueError(f"{nct_id}: unknown sex '{sex[:40]}' (All, Male or Female)")
    values = {key: value.strip() for key, value in fields.items()}
    return Trial(**values | {"nct_id": nct_id, "sex": _SEX[sex], "version": _date(values, nct_id), "source": source})


def _date(values: Mapping[str, str], nct_id: str) -> str:
    value = re.sub(r"^(\d{4}-\d\d-\d\d)[T ][\d:.]+Z?$", r"\1", values.get("version", ""))
    for form in _DATES:
        try:
            date = datetime.strptime(value, form)
        except ValueError:
            continue
        return date.strftime("%Y-%m-%d" if "%d" in form else "%Y-%m")
    if value:
        raise ValueError(f"{nct_id}: '{value[:40]}' is no date of a last update (such as 2025-05-09)")
    return ""
