"""Texts of millions of pairs in files without a name, which go with the last that reads them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]

from bioft.storage.files import UnnamedFile, forget

Integers = npt.NDArray[np.int64]

PIECE = 1 << 16
"""Texts that are in memory at once."""


class Texts:
    """Texts that are added some at a time, in a file, and read as an array of Arrow."""

    def __init__(self, file: UnnamedFile | None = None) -> None:
        self.file = file or UnnamedFile()
        self.start, self.bytes, self.n = self.file.size, 0, 0
        self.ends: list[Integers] = [np.zeros(1, np.int64)]

    def add(self, texts: pa.Array | pa.ChunkedArray) -> None:
        """Add texts, of which none is null; nothing else may have been written to the file since the first ones."""
        if isinstance(texts, pa.ChunkedArray):
            texts = texts.combine_chunks()
        texts = texts.cast(pa.large_string())
        ends = np.frombuffer(texts.buffers()[1], np.int64)[texts.offset :][: len(texts) + 1]
        if size := int(ends[-1] - ends[0]) if len(texts) else 0:
            self.file.write(texts.buffers()[2].slice(int(ends[0]), size))
        self.ends.append(ends[1:] - ends[:1] + self.bytes)
        self.bytes, self.n = self.bytes + size, self.n + len(texts)

    def array(self) -> pa.Array:
        """All texts; where they end is in memory."""
        self.ends = [np.concatenate(self.ends)]
        return self.ending_at(self.ends[0], pa.large_string())

    def ending_at(self, ends: Any, kind: pa.DataType) -> pa.Array:
        """The same by where the texts end, numbers of as many bits as this type has."""
        buffers = [None, pa.py_buffer(ends), pa.py_buffer(self.file.read(self.start, self.bytes))]
        return pa.Array.from_buffers(kind, self.n, buffers)

    def take(self, places: Integers) -> pa.Array:
        """The texts at these places, in memory."""
        found = self.array().take(pa.array(places)).cast(pa.string())
        forget()
        return found


def stored(columns: Mapping[str, Iterable[pa.Array]]) -> dict[str, pa.Array]:
    """Columns of texts, each given some at a time, as arrays of less than 2 GB that are in a file as a whole."""
    file, texts, ends = UnnamedFile(), {}, {}
    for name, parts in columns.items():
        texts[name] = Texts(file)
        for part in parts:
            texts[name].add(part)
        array = pa.array(np.concatenate(texts[name].ends)).cast(pa.int32())
        texts[name].ends, ends[name] = [], (file.align(), array.nbytes)
        file.write(array.buffers()[1].slice(0, array.nbytes))
    return {name: its.ending_at(file.read(*ends[name]), pa.string()) for name, its in texts.items()}


def pieces(n: int) -> Iterator[slice]:
    """`n` places, `PIECE` at a time."""
    return (slice(start, min(start + PIECE, n)) for start in range(0, n, PIECE))
