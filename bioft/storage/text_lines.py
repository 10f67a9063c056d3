"""Text files read line by line, whatever their compression, and text folded for comparison."""

import functools
import gzip
import html
import io
import itertools
import os
import re
import unicodedata
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast
from xml.etree import ElementTree

from bioft.errors import BioftError, near_file

LONGEST_LINE = 32 << 20
"""Bytes; what goes on for longer without a line break is no line of a text, a table or JSON rows."""
_START = 1 << 16
_NO_TEXT = {
    b"PK\x03\x04": "a zip file or an Excel workbook: unpack it, or save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an Excel workbook: save the sheet as CSV",
    b"PAR1": "a Parquet file, not text",
    b"ARROW1": "an Arrow or Feather file: write it as Parquet",
    b"\x89HDF": "an HDF5 file: write it as Parquet or CSV",
    b"%PDF": "a PDF, not text",
    b"%%MatrixMarket": "a matrix (Matrix Market), which has no names in it",
    b"\x1f\x8b": "packed by gzip twice: unpack it once",
    b"BZh": "packed by bzip2: unpack it, or pack it by gzip",
    b"\xfd7zXZ": "packed by xz: unpack it, or pack it by gzip",
    b"\x28\xb5\x2f\xfd": "packed by zstd: unpack it, or pack it by gzip",
    b"7z\xbc\xaf": "packed by 7-Zip: unpack it",
    b"Rar!": "packed by RAR: unpack it",
    b"version https://git-lfs": "a pointer of Git LFS, not the file: get that by `git lfs pull`",
}
"""How files begin that are no text, or stand for another file, and what to say of them."""
_REFUSAL = re.compile(rb"[45]\d\d:? [A-Z][A-Za-z ]{2,40}\s*")
"""What GitHub answers in the place of a file that is not there: "404: Not Found"."""
_REFERENCES = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:\d+\.\s+)?(?:PMID- *\d|PMC - PMC\d|TY  -\s|FN (?:Clarivate|Thomson|ISI)|%0 [A-Z]"
    rb"|Record #\d+ of \d+\s|@[A-Za-z]+ ?\{[\w:./-]+,)"
)
"""Also as Ovid, the Web of Science, Cochrane and EndNote write them."""
_HTML = re.compile(rb"<(?:!doctype\s+html|html)[\s>]", re.IGNORECASE)


class TextLines:
    """The decoded lines of a text file, plain or gzip, one at a time in bounded memory.

    UTF-8, or UTF-16 as spreadsheets write it, without byte order marks, which stand inside where files were put
    together; lines end with LF, CR LF or, where the file begins so, CR alone.
    `number` is the line last yielded (from 1). A missing, empty, truncated or corrupt file, a byte that is not UTF-8,
    a line of more than `LONGEST_LINE`, a web page and a packed or binary file raise BioftError with the place.
    """

    def __init__(self, path: str | os.PathLike[str], hint: str = "") -> None:
        self.path = Path(path)
        self.hint = hint
        self.number = 0

    def _error(self, problem: str, mend: str = "") -> BioftError:
        return BioftError(f"{self.path}{problem}. {mend or self.hint}".strip())

    def open_bytes(self) -> IO[bytes]:
        """Open the file to read its bytes, unpacked; a missing, empty or unreadable one raises BioftError."""
        if self.path.is_dir():
            raise self._error(" is a directory", "Give the path of the file inside it.")
        try:
            stream = self.path.open("rb")
        except FileNotFoundError:
            raise self._error(" does not exist", f"{near_file(self.path)} {self.hint}".strip()) from None
        except OSError as error:
            raise self._error(f" can't be read: {error.strerror}", "Check its permissions.") from error
        # The content decides, not the name: browsers unpack .gz files and keep the name.
        magic = stream.read(2)
        stream.seek(0)
        if not magic:
            stream.close()
            raise self._error(" is empty (0 bytes)")
        if magic != b"\x1f\x8b":
            return stream
        stream.close()
        return cast(IO[bytes], io.BufferedReader(_Gzip(self.path), 1 << 20))

    def head(self, size: int) -> bytes:
        """The first bytes, unpacked; raises as `open_bytes`, and for a gzip file that is damaged there."""
        with self.open_bytes() as stream, self.unpacking(mend="Pack or download it again."):
            return stream.read(size)

    @contextmanager
    def unpacking(self, read: Callable[[], str] = str, mend: str = "") -> Iterator[None]:
        """Say of a gzip file that is damaged so, as BioftError, after what was `read` ("line 7"), where that is told.

        `mend` is what to do, by default the file's hint.
        """
        try:
            yield
        except EOFError:
            where = f": it breaks off after {read()}" if read() else ""
            raise self._error(f" is a truncated gzip file{where}", mend) from None
        except (gzip.BadGzipFile, zlib.error) as error:
            where = f" after {read()}" if read() else ""
            raise self._error(f" is a corrupt gzip file{where} ({error})", mend) from None

    def __iter__(self) -> Iterator[str]:
        """Yield each line with its line break; restarts from the first line."""
        self.number = 0
        encoding, lone_returns = self._look_at_start()
        with self.open_bytes() as stream, self.unpacking(lambda: f"line {self.number}"):
            if encoding == "utf-8" and not lone_returns:
                yield from self._utf8_lines(stream)
            else:
                yield from self._text_lines(io.TextIOWrapper(stream, encoding, newline=""))
        if self.number == 0:
            raise self._error(" is empty: a gzip file with no content")

    def read(self) -> str:
        """The whole text, whose lines may have any length, as those of a JSON document."""
        encoding, _ = self._look_at_start()
        with self.open_bytes() as stream, self.unpacking():
            try:
                return stream.read().decode("utf-8-sig" if encoding == "utf-8" else encoding)
            except UnicodeDecodeError as error:
                problem = f": byte 0x{error.object[error.start]:02x} at {error.start:,} is not {error.encoding}"
                raise self._error(problem, "Convert the file to UTF-8.") from None

    def _look_at_start(self) -> tuple[str, bool]:
        """The encoding, and whether lines end with CR alone; BioftError for what is no text."""
        with self.open_bytes() as stream:
            try:
                start = stream.read(_START)
            except (EOFError, gzip.BadGzipFile, zlib.error):
                return "utf-8", False  # told, with its line, when the lines are read
        if kind := no_text(start):
            raise self._error(f" is {kind}")
        if start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<" and _HTML.search(start[:2000]):
            raise self._error(" is a web page (HTML), not data")
        return encoding_of(start), b"\n" not in start and b"\r" in start

    def _utf8_lines(self, stream: IO[bytes]) -> Iterator[str]:
        offset = 0
        while raw := stream.readline(LONGEST_LINE + 1):
            self.number += 1
            self._check_length(len(raw))
            try:
                line = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                raise self._error(
                    f", line {self.number}: byte 0x{raw[error.start]:02x} at byte {error.start} of "
                    f"the line (byte {offset + error.start} of the unpacked file) is not UTF-8",
                    "Download the file again, or convert it to UTF-8 (iconv -f cp1252 -t utf-8).",
                ) from None
            offset += len(raw)
            yield line.lstrip("\ufeff")

    def _text_lines(self, stream: IO[str]) -> Iterator[str]:
        try:
            while line := stream.readline(LONGEST_LINE + 1):
                self.number += 1
                self._check_length(len(line))
                yield line.lstrip("\ufeff")
        except UnicodeError as error:
            problem = f": not {getattr(error, 'encoding', 'UTF-16')} ({getattr(error, 'reason', error)})"
            raise self._error(f", after line {self.number}{problem}", "Save the file as UTF-8.") from None

    def _check_length(self, length: int) -> None:
        if length > LONGEST_LINE:
            raise self._error(f", line {self.number}: more than {LONGEST_LINE >> 20} MiB without a line break")


class LinesAfter(TextLines):
    """The lines of a file after the first `n`; those that `is_none` says are none are blank, so that lines count."""

    def __init__(self, path: str | os.PathLike[str], n: int, is_none: Callable[[str], bool], hint: str = "") -> None:
        super().__init__(path, hint)
        self.n, self.is_none = n, is_none

    def __iter__(self) -> Iterator[str]:
        """Yield each line with its line break."""
        return ("\n" if self.is_none(line) else line for line in itertools.islice(super().__iter__(), self.n, None))


def elements(stream: IO[bytes], is_wanted: Callable[[str], bool]) -> Iterator[ElementTree.Element]:
    """Yield the elements of XML whose tags are wanted and that are in no other such, one in memory at a time."""
    around: list[ElementTree.Element] = []
    inside = 0
    for event, element in ElementTree.iterparse(stream, events=("start", "end")):
        if event == "start":
            around.append(element)
            inside += is_wanted(element.tag)
            continue
        around.pop()
        if is_wanted(element.tag):
            inside -= 1
            if not inside:
                yield element
                for each in around[-1:]:
                    each.clear()


def elements_of(lines: TextLines, is_wanted: Callable[[str], bool]) -> Iterator[ElementTree.Element]:
    """The `elements` of a file; BioftError: it is not well-formed."""
    with lines.open_bytes() as stream:
        try:
            yield from elements(stream, is_wanted)
        except (ElementTree.ParseError, EOFError, OSError) as error:
            raise BioftError(f"{lines.path} is no well-formed XML: {error}. Download it again.") from None


def no_text(start: bytes) -> str:
    """What a file is that begins so and is no text, or none of the data, in words; "" for any other."""
    if start[257:262] == b"ustar":
        return "a tar archive: unpack it"
    if _REFERENCES.match(start):
        return "a list of references (MEDLINE, RIS or BibTeX), of which bioft reads PubMed's XML only"
    if _REFUSAL.fullmatch(start[:100]):
        return f"the refusal of a server ({start.decode().strip()}): download it again"
    return next((kind for magic, kind in _NO_TEXT.items() if start.startswith(magic)), "")


def encoding_of(start: bytes) -> str:
    """The encoding of a text that begins so: UTF-8, or UTF-16 with or without a byte order mark."""
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if start[1::2][:2] == b"\0\0" and b"\0" not in start[::2][:2]:
        return "utf-16-le"
    if start[::2][:2] == b"\0\0" and b"\0" not in start[1::2][:2]:
        return "utf-16-be"
    return "utf-8"


class _Gzip(gzip.GzipFile):
    """Gives out all that a truncated file holds before it raises; filling a whole buffer first would lose it."""

    def readinto(self, buffer: Any) -> int:
        return self.readinto1(buffer)


_ASCII = frozenset(map(chr, range(128)))
_WORD = frozenset(each for each in _ASCII if each.isalnum() or each == "\n")
_NOT_A_WORD = str.maketrans(dict.fromkeys(_ASCII - _WORD, " "))
_ALPHABETS = ("CYRILLIC", "ARMENIAN", "CHEROKEE", "COPTIC")
"""Of letters that stand for Latin ones in names too; Greek ones mean something else there."""
_LATIN = re.compile(r"LATIN (?:\w+ )*LETTER (?:\w+ )*([A-Z])(?: WITH .*)?")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>")
_PARTED = re.compile(r"(?<=\w)[-\u00ad\u2010][ \t\r]*\n\s*(?=\w)")
_ACCENT = re.compile("[\u0300-\u036f]")


def normalise(text: str) -> str:
    """Text reduced to what makes it the same name: no case, accents or punctuation, single spaces, compatible forms.

    Two texts with the same result count as duplicates: also where one has characters that nobody sees (soft hyphens,
    spaces without width), or letters that look like Latin ones. A text of punctuation only keeps it.
    """
    folded = _folded(text)
    return " ".join(_words(folded).split()) or folded.strip()


def as_read(text: str) -> str:
    """A text as one reads it, to be folded: without mark-up, with words whole that the end of a line parts, and with
    Latin letters for all that look so, also where they mean something else in a name.
    """
    if "&" in text:
        text = html.unescape(text)
    if "<" in text:
        text = _TAG.sub("", text)
    if "\n" in text:
        text = _PARTED.sub("", text)
    for character in () if text.isascii() else set(text) - _ASCII:
        if (plain := _seen(character)) != character:
            text = text.replace(character, plain)
    return text


def normalise_each(lines: Sequence[str]) -> list[str]:
    """Lines normalised in one go, which takes less time than one by one; those without letter or digit become ""."""
    return [" ".join(line.split()) for line in _words(_folded("\n".join(lines))).split("\n")]


def _words(folded: str) -> str:
    """A folded text with spaces for what is no letter and no digit, and with its line breaks."""
    if folded.isascii():
        return folded.translate(_NOT_A_WORD)
    for character in set(folded) - _WORD:
        if not character.isalnum():
            folded = folded.replace(character, " ")
    return folded


def _folded(text: str) -> str:
    """In small letters without accents, without what is not seen, and with Latin letters for those that look so."""
    if text.isascii():
        return text.casefold()
    for character in set(text) - _ASCII:
        if (plain := _plain(character)) != character:
            text = text.replace(character, plain)
    return (text if text.isascii() else unicodedata.normalize("NFKC", text)).casefold()


@functools.lru_cache(maxsize=1 << 16)
def _plain(character: str) -> str:
    if unicodedata.category(character) == "Cf":
        return ""
    parts = _ACCENT.sub("", unicodedata.normalize("NFKD", character))
    return unicodedata.normalize("NFKC", "".join(_look_alikes(_ALPHABETS).get(each, each) for each in parts))


@functools.lru_cache(maxsize=1 << 16)
def _seen(character: str) -> str:
    name = unicodedata.name(character, "")
    if unicodedata.category(character) in ("Cf", "Me", "Mn") or "FILLER" in name:
        return ""
    if latin := _LATIN.fullmatch(name):
        return latin[1]
    plain = _look_alikes("").get(character) or _plain(character)
    return plain if any(map(str.isalnum, plain)) else " "


@functools.cache
def _look_alikes(alphabets: str | tuple[str, ...]) -> dict[str, str]:
    """Letters of these alphabets that look like Latin ones (Unicode, UTS #39), with these."""
    from confusable_homoglyphs.confusables import confusables_data

    letters = {}
    for letter, alike in confusables_data.items():
        latin = [each["c"] for each in alike if re.fullmatch("[A-Za-z]", each["c"])]
        if len(letter) == 1 and latin and unicodedata.name(letter, "").startswith(alphabets):
            letters[letter] = latin[0]
    return letters
