"""Reading of the Xet client's local storage: which file lies in which blocks, and the file put together again.

The formats are those of the `hf_xet` client: shards (`*.mdb`) say of which pieces of which blocks ("xorbs") a file
consists; a block is a row of compressed chunks.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow

ENTRY = 48  # bytes of every record of a shard
HEADER = struct.Struct("<32s2Q")
SEQUENCE = struct.Struct("<32sIIQ")  # the file's hash, flags, number of segments
SEGMENT = struct.Struct("<32s4I")  # the block's hash, flags, bytes, first chunk, chunk after the last
HAS_VERIFICATION, HAS_METADATA = 0x80000000, 0x40000000
UNCOMPRESSED, LZ4, GROUPED_LZ4 = 0, 1, 2


@dataclass(frozen=True)
class XetFile:
    """A stored file: its Xet hash, its size in bytes and its pieces (block, first chunk, chunk after the last)."""

    hash: str
    size: int
    pieces: tuple[tuple[str, int, int], ...]


class XetStorage:
    """The folder that the client is told to use as its storage server (`local://…`)."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._files: dict[str, XetFile] = {}
        self._read: set[Path] = set()

    def find(self, sha256: str) -> XetFile | None:
        """Return the file with a SHA-256 checksum, None where it was not uploaded."""
        for shard in set(self.folder.glob("**/xorbs/shards/*.mdb")) - self._read:
            self._files |= read_shard(shard.read_bytes())
            self._read.add(shard)
        return self._files.get(sha256)

    def restore(self, sha256: str, target: Path) -> None:
        """Write a file's content to `target`."""
        file = self._files[sha256]
        with target.open("wb") as stream:
            for block, first, end in file.pieces:
                (path,) = self.folder.glob(f"**/xorbs/xorbs/*.{block}")
                for chunk in _chunks(path.read_bytes(), first, end):
                    stream.write(chunk)


def read_shard(shard: bytes) -> dict[str, XetFile]:
    """Return the files of a shard by their SHA-256 checksum."""
    magic, version, _ = HEADER.unpack_from(shard)
    if not magic.startswith(b"HFRepoMetaData") or version != 2:
        raise ValueError(f"not a shard that this reader knows: {magic!r}, version {version}")
    files: dict[str, XetFile] = {}
    position = HEADER.size
    while True:
        name, flags, n_segments, _ = SEQUENCE.unpack_from(shard, position)
        if name == b"\xff" * 32:
            return files
        position += ENTRY
        segments = [SEGMENT.unpack_from(shard, position + ENTRY * i) for i in range(n_segments)]
        position += ENTRY * n_segments * (2 if flags & HAS_VERIFICATION else 1)
        if flags & HAS_METADATA:
            pieces = tuple((_hexadecimal(block), first, end) for block, _, _, first, end in segments)
            size = sum(n_bytes for _, _, n_bytes, _, _ in segments)
            files[_hexadecimal(shard[position : position + 32])] = XetFile(_hexadecimal(name), size, pieces)
            position += ENTRY


def _chunks(block: bytes, first: int, end: int) -> list[bytes]:
    """Return the content of the chunks `first` to `end - 1` of a block."""
    chunks, position = [], 0
    for index in range(end):
        compressed = int.from_bytes(block[position + 1 : position + 4], "little")
        scheme = block[position + 4]
        size = int.from_bytes(block[position + 5 : position + 8], "little")
        position += 8
        if index >= first:
            chunks.append(_decompress(block[position : position + compressed], scheme, size))
        position += compressed
    return chunks


def _decompress(data: bytes, scheme: int, size: int) -> bytes:
    if scheme == UNCOMPRESSED:
        return data
    content = pyarrow.Codec("lz4").decompress(data, size, asbytes=True)
    if scheme == LZ4:
        return content
    if scheme != GROUPED_LZ4:
        raise ValueError(f"unknown compression of a chunk: {scheme}")
    # The bytes at positions 0, 4, 8, … come first, then those at 1, 5, 9, … and so on.
    mixed = np.empty(size, np.uint8)
    grouped, start = np.frombuffer(content, np.uint8), 0
    for offset in range(4):
        n = len(range(offset, size, 4))
        mixed[offset::4] = grouped[start : start + n]
        start += n
    return mixed.tobytes()


def _hexadecimal(raw: bytes) -> str:
    """Write a hash as its four little-endian 64-bit words, which is how Xet names things."""
    return "".join(f"{word:016x}" for word in struct.unpack("<4Q", raw))
