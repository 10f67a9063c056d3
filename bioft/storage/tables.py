"""Tables in text files, CSV and its like: the one reader of them, through which every command reads tables.

What spreadsheets and programs make of a table is read: commas, semicolons, tabs or "|" between the fields, a byte
order mark, UTF-16, lines that end with CR alone, fields of any length up to a line's, empty columns at the end. What
would lose or glue rows is refused with its line: a quotation mark that is not closed, a row with more or fewer fields
than there are columns, two columns of one name, a header that comes again.
"""

import csv
import logging
import os
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice

from bioft.errors import BioftError, leaving_out, nearest
from bioft.storage.text_lines import LONGEST_LINE, TextLines

logger = logging.getLogger(__name__)

DELIMITERS = (",", "\t", ";", "|")
NAMES = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "'|'"}
NO_VALUE = frozenset({"NA", "NaN", "nan", "<NA>", "NULL"})
"""What R, pandas and databases write in a cell where nothing is."""
_SEPARATOR_LINE = "sep="
"""With which Excel says the delimiter in a first line of its own."""
_MOST_JOINED = 1_000
"""Lines that a quoted field of a tab-separated table has at most."""
_SHOWN, _SHOWN_LENGTH = 20, 1 << 20
"""Lines and characters that tell the delimiter."""

# The csv module has one limit for the whole process, and stops at 131,072 characters.
csv.field_size_limit(max(csv.field_size_limit(), LONGEST_LINE))


class Table:
    """The rows of a table, one at a time; `for row in table` gives each as a dict of texts by column.

    Attributes: `columns`, their names in order; `delimiter`; `line`, where the row last given begins (from 1);
    `path`, for messages. A tab-separated table has no quoting but fields that are quoted as a whole, and may have line
    breaks then; in the others quotation marks hold line breaks and delimiters.

    Args:
        source: the file, plain or gzip, or the `TextLines` of it with a hint of its own.
        needed: columns that must be there; they also tell the delimiter.
        header: names of the columns of a table that has no header line.
        delimiter: what parts the fields, where that is known; by default what parts most of them.
        hint: the end of messages on files that can't be read: what to give instead.
        skipped: takes a message for each row that is left out because it has another number of fields than there are
            columns, or is the header again; without it the first such row raises.

    Raises:
        BioftError: as `TextLines`; a needed column is missing (the nearest is named), two columns have one name, or
            what the module's text says.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | TextLines,
        needed: Sequence[str] = (),
        *,
        header: Sequence[str] | None = None,
        delimiter: str | None = None,
        hint: str = "",
        skipped: list[str] | None = None,
    ) -> None:
        self.lines = source if isinstance(source, TextLines) else TextLines(source, hint)
        self.path, self.hint, self.skipped = self.lines.path, hint or self.lines.hint, skipped
        self.line = 0
        self._rest = iter(self.lines)
        self._first = next((line for line in self._rest if line.strip()), "")
        delimiter = self._separator_line() or delimiter
        candidates = DELIMITERS if delimiter is None else (delimiter,)
        fields = {each: self._header_fields(self._first, each) for each in candidates}
        start = _start_of(TextLines(self.path))

        def fits(delimiter: str) -> tuple[int, int, int]:
            """How many needed columns, rows of the same length and columns there are with a delimiter."""
            n_fields = len(fields[delimiter] if header is None else header)
            alike = sum(len(row) == n_fields > 1 for row in rows_in(start, delimiter))
            return len({*needed} & {*fields[delimiter]}) if header is None else 0, alike, len(fields[delimiter])

        self.delimiter = max(fields, key=fits)
        self._has_header = header is None
        named = fields[self.delimiter] if header is None else list(header)
        # Spreadsheets leave columns without a name behind; the first one may be that of row numbers.
        self._places = [place for place, name in enumerate(named) if name or place == 0]
        self._n_fields = len(named)
        self.columns = [self._bare(named[place], needed) for place in self._places]
        self._check_columns(needed)

    def __iter__(self) -> Iterator[dict[str, str]]:
        """Yield the rows that have not been read yet."""
        rows = self._tab_rows() if self.delimiter == "\t" else self._quoted_rows()
        whole = len(self._places) == self._n_fields
        for fields in rows:
            if problem := self._problem(fields):
                with leaving_out(self.skipped):
                    raise BioftError(f"{self.path}, line {self.line}: {problem}")
                continue
            values = fields if whole else [fields[place] for place in self._places]
            yield dict(zip(self.columns, values, strict=False))

    def _separator_line(self) -> str | None:
        line = self._first.strip(" \r\n").strip('"')
        if not line.lower().startswith(_SEPARATOR_LINE) or len(line) != len(_SEPARATOR_LINE) + 1:
            return None
        self._first = next((line for line in self._rest if line.strip()), "")
        return line[-1]

    def _header_fields(self, line: str, delimiter: str) -> list[str]:
        if delimiter == "\t" and "\t" not in line and line.count('"') % 2:
            return []  # no name of one column, but names with a mark that is not closed
        try:
            fields = next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter, strict=delimiter != "\t"), [])
        except csv.Error as error:
            # A mark that is not closed under one delimiter may be a plain character under another.
            if delimiter == "\t" or '"' not in line:
                raise BioftError(f"{self.path}, line {self.lines.number}: not a row of a table ({error}).") from None
            fields = []
        return [field.strip() for field in fields]

    @staticmethod
    def _bare(name: str, needed: Sequence[str]) -> str:
        """A name without the "#" that makes a header a comment."""
        bare = name.lstrip("# ")
        return bare if bare in needed or (name.startswith("#") and name[1:2].isalnum()) else name

    def _check_columns(self, needed: Sequence[str]) -> None:
        found = ", ".join(column[:40] for column in self.columns[:12]) or "none"
        if not self._first:
            raise BioftError(f"{self.path} holds no row: all its lines are blank. {self.hint}".strip())
        if not self.columns:
            raise BioftError(
                f"{self.path}, line {self.lines.number}: the names of the columns can't be read, a quotation mark is "
                f"not closed. {self.hint}".strip()
            )
        if twice := [column for column in self.columns if self.columns.count(column) > 1]:
            raise BioftError(
                f"{self.path} has two columns of one name, {twice[0][:40]!r}. Rename one: nothing of it may get lost."
            )
        if missing := [column for column in needed if column not in self.columns]:
            guess = nearest(missing[0], self.columns)
            raise BioftError(
                f"{self.path} has no column {' and no column '.join(missing)}. Columns found in line "
                f"{self.lines.number}, separated by {NAMES.get(self.delimiter, self.delimiter)}: {found}."
                f"{guess and f' {guess}'} {self.hint}".strip()
            )

    def _problem(self, fields: list[str]) -> str:
        """What is wrong with a row, "" if nothing is."""
        n_fields = self._n_fields
        if len(fields) != n_fields:
            mend = "" if self.delimiter == "\t" else " A text with the delimiter in it needs quotation marks around."
            return f"{len(fields)} fields where the header has {n_fields} columns.{mend}"
        if len(self._places) != n_fields and any(fields[n] for n in {*range(n_fields)} - {*self._places}):
            return "a value stands in a column without a name. Name it, or remove it."
        if (
            n_fields > 1
            and self._has_header
            and fields[0].strip() == self.columns[0]  # of few rows all fields are looked at
            and [field.strip() for field in fields] == self.columns
        ):
            return "the header comes again, as where files were put together. Remove it."
        return ""

    def _data_lines(self) -> Iterator[str]:
        if not self._has_header:
            yield self._first
        yield from self._rest

    def _tab_rows(self) -> Iterator[list[str]]:
        lines = (line.rstrip("\r\n") for line in self._data_lines())
        for number, fields in _tab_rows(lines, self._n_fields, self.lines.number + self._has_header):
            self.line = number
            if any(map(str.strip, fields)):
                yield [_unquoted(field) if '"' in field else field for field in fields]

    def _quoted_rows(self) -> Iterator[list[str]]:
        # Written by hand, all fields have a space in front of them; quotation marks after it are such.
        spaced = len(self._first.split(f"{self.delimiter} ")) == len(self._first.split(self.delimiter)) > 1
        rows = fields_of(self._data_lines(), self.delimiter, spaced)
        before = self.lines.number - (not self._has_header)
        while True:
            self.line = before + 1
            try:
                fields = next(rows, None)
            except csv.Error as error:
                raise BioftError(
                    f"{self.path}, line {self.line}: not a row of a table ({error}). A quotation mark that opens a "
                    "field must be closed at its end, and is written twice inside."
                ) from None
            if fields is None:
                return
            if self.lines.number > self.line and self._runs_over_rows(fields):
                logger.warning(
                    "%s, line %d: a quoted field goes on to line %d, over what look like rows of the table. If they "
                    "are, close the quotation mark.",
                    self.path.name,
                    self.line,
                    self.lines.number,
                )
            before = self.lines.number
            if any(map(str.strip, fields)) or len(fields) == self._n_fields > 1:
                yield fields

    def _runs_over_rows(self, fields: list[str]) -> bool:
        for line in (line for field in fields for line in field.splitlines()[1:]):
            inner = line.split(self.delimiter)
            if len(inner) == self._n_fields > 1 and not any(each[:1].isspace() for each in inner[1:]):
                return True
        return False


def fields_of(lines: Iterable[str], delimiter: str, spaced: bool = False) -> Iterator[list[str]]:
    """The fields of each row of lines that begin after a header, if they are `spaced` without a space before each.

    csv.Error: a quotation mark that is not closed.
    """
    if delimiter == "\t":
        return csv.reader(lines, delimiter=delimiter, strict=True, quoting=csv.QUOTE_NONE)
    return csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=spaced)


def delimiter_of(header: str, known: Collection[str]) -> str:
    """The delimiter with which a header line has most known columns, then most columns."""
    fields = {each: [name.strip().strip('"') for name in rows_in([header.strip()], each)[0]] for each in DELIMITERS}
    return max(DELIMITERS, key=lambda each: (len({*known} & {*fields[each]}), len(fields[each])))


def _start_of(lines: TextLines) -> list[str]:
    """The first lines, as far as they can be read; what is wrong in them is told by who reads the rows."""
    start: list[str] = []
    with suppress(BioftError):
        for line in lines:
            start.append(line.rstrip("\r\n"))
            if lines.number == _SHOWN or sum(map(len, start)) > _SHOWN_LENGTH:
                break
    return start


def rows_in(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """The rows of lines from the start of a table, as far as they can be read; quoted fields may hold line breaks."""
    if delimiter == "\t":
        return [fields for _, fields in _tab_rows(lines, lines[0].count("\t") + 1)] if lines else []
    found: list[list[str]] = []
    with suppress(csv.Error):
        found.extend(csv.reader((f"{line}\n" for line in lines), delimiter=delimiter))
    return found or [[]]


def _tab_rows(lines: Iterable[str], n_fields: int, number: int = 1) -> Iterator[tuple[int, list[str]]]:
    """The rows of a tab-separated table, each with the number of its first line; `number` is that of the first one.

    Where the last field of a line opens a quotation mark, the row goes on to the line that closes it, if it has all
    `n_fields` then; else the mark is a plain character.
    """
    rest, ahead = iter(lines), deque[str]()
    while (line := ahead.popleft() if ahead else next(rest, None)) is not None:
        fields, place = line.split("\t"), 0
        if '"' in line and n_fields > 1 and _is_open(fields[-1]):
            whole = line
            while place < _MOST_JOINED and len(whole) < LONGEST_LINE:
                if place == len(ahead):
                    ahead.extend(islice(rest, 1))
                if place == len(ahead):
                    break
                whole, place = f"{whole}\n{ahead[place]}", place + 1
                joined = whole.split("\t")
                if len(joined) > n_fields:
                    break
                if len(joined) == n_fields and not any(map(_is_open, joined)):
                    fields = joined
                    break
            place = place if "\n" in "".join(fields) else 0
            ahead = deque(islice(ahead, place, None))
        yield number, fields
        number += 1 + place


def quoted_lines(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """The rows of a table of one column, each with the number of its first line (from 1).

    What is quoted as a whole may have line breaks in it; other quotation marks are plain characters.
    """
    rest, ahead, number = (line.rstrip("\r\n") for line in lines), deque[str](), 1
    while (line := ahead.popleft() if ahead else next(rest, None)) is not None:
        whole, place = line, 0
        while _is_open(whole) and place < _MOST_JOINED:
            if place == len(ahead):
                ahead.extend(islice(rest, 1))
            if place == len(ahead):
                break
            whole, place = f"{whole}\n{ahead[place]}", place + 1
        text = _unquoted(whole)
        place = place if text != whole else 0
        ahead = deque(islice(ahead, place, None))
        yield number, text if text != whole else line
        number += 1 + place


def are_quoted(lines: Sequence[str]) -> bool:
    """Whether lines are those of a table of one column: what has commas or quotation marks in it is quoted."""
    marked = [line for line in lines if '"' in line or "," in line]
    return bool(marked) and all(_unquoted(line) != line for line in marked)


def _is_open(field: str) -> bool:
    """Whether a field begins with a quotation mark that is not closed in it."""
    return field.startswith('"') and field.count('"') % 2 == 1


def _unquoted(field: str) -> str:
    """A field of a tab-separated table without quotation marks around all of it, as spreadsheets write them."""
    if len(field) > 1 and field[0] == field[-1] == '"':
        inner = field[1:-1]
        if '"' not in inner.replace('""', ""):
            return inner.replace('""', '"')
    return field
