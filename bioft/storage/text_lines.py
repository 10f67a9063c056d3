"""Text files read line by line, whatever their compression, and text folded for comparison."""

import gzip
import io
import os
import re
import unicodedata
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from bioft.errors import BioftError


class TextLines:
    """The decoded lines of a UTF-8 text file, plain or gzip, one at a time in bounded memory.

    `number` is the line last yielded (from 1). A missing, empty, truncated or corrupt file and a byte that is
    not UTF-8 raise BioftError with the place.
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
            raise self._error(" does not exist") from None
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

    def __iter__(self) -> Iterator[str]:
        """Yield each line with its line break; restarts from the first line."""
        self.number = 0
        offset = 0
        with self.open_bytes() as stream:
            try:
                for raw in stream:
                    self.number += 1
                    try:
                        line = raw.decode("utf-8")
                    except UnicodeDecodeError as error:
                        raise self._error(
                            f", line {self.number}: byte 0x{raw[error.start]:02x} at byte {error.start} of "
                            f"the line (byte {offset + error.start} of the unpacked file) is not UTF-8",
                            "Download the file again, or convert it to UTF-8 (iconv -f latin1 -t utf-8).",
                        ) from None
                    offset += len(raw)
                    yield line.removeprefix("\ufeff") if self.number == 1 else line
            except EOFError:
                raise self._error(f" is a truncated gzip file: it breaks off after line {self.number}") from None
            except (gzip.BadGzipFile, zlib.error) as error:
                raise self._error(f" is a corrupt gzip file after line {self.number} ({error})") from None
        if offset == 0:
            raise self._error(" is empty: a gzip file with no content")


class _Gzip(gzip.GzipFile):
    """Gives out all that a truncated file holds before it raises; filling a whole buffer first would lose it."""

    def readinto(self, buffer: Any) -> int:
        return self.readinto1(buffer)


_NOT_A_WORD = re.compile(r"[\W_]+")


def normalise(text: str) -> str:
    """Text reduced to what makes it the same name: no case, no punctuation, single spaces, compatible forms.

    Two texts with the same result count as duplicates. A text of punctuation only keeps it.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _NOT_A_WORD.sub(" ", folded).strip() or folded.strip()
