"""Texts of one split that are nearly those of another: edited, cut, put together, or the same but for numbers.

Texts that are equal as they are read (`bioft.storage.text_lines.as_read`) and folded (`normalise`) are duplicates.
Nearly so are texts of `LEAST_WORDS` words or more that are equal but for their numbers, whose sets of words and
neighbouring words overlap by `ALIKE` (Jaccard; candidates by MinHash with bands, Broder 1997), of which one has a
sentence and half of the words of the other, or that have a passage in common: a part of their runs of words (some of
which are looked up, the same ones of every text, Manber 1994), wherever sentences end and whatever is between them.
Shorter ones are names and phrases: "type 1" and "type 2" are not the same there.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice, pairwise
from typing import Any

import numpy as np
from datasets import Dataset
from numpy.typing import NDArray

from bioft.datasets.splits import in_batches
from bioft.storage.datasets import remembered
from bioft.storage.text_lines import as_read, normalise, normalise_each

LEAST_WORDS = 8
ALIKE = 0.6
"""Jaccard similarity of the sets of words and pairs of words: one of eight words is another, .64."""
SHARED = 0.5
"""Share of the words and pairs of words of the shorter text that are in the longer one, if they share a sentence."""
LEAST_OF_SENTENCE = 5
"""Words of a sentence that counts as shared; "Methods and results" is in many texts."""
COMMON = 5
"""Texts of a split that may have a sentence before it is one that many write (of a licence, of a trial's phase)."""
HASHES, BANDS = 96, 32
"""Of MinHash: a pair at .6 is a candidate with a probability of .9996, one at .2 with .22."""
LOOKED_UP, COMPARED = 500, 20
"""Candidates whose hashes are compared, those first that most bands have in common, and of these the likeliest, whose
words are: where all texts are of the same few words each is a candidate of every other."""
SHOWN = 3
RUN, SHORT, STEM = 3, 3, 5
"""Neighbouring words that are looked up together, wherever sentences end: of those that are not `SHORT`, as most are
that say little, the first letters, which an inflection leaves."""
KEPT, MANY = 4, 50
"""Of so many runs of words one is looked up, the same ones in every text, and none that more than `MANY` have."""
LEAST_RUNS, PASSAGE = 20, 0.33
"""Runs that texts share which have a passage in common, and their share of those of the text that has fewer: of words
of which one in five is another, .51 are left."""
MOST = 100_000
"""Texts of a split that are looked at, which takes a minute."""
_BATCH, _PIECE = 2_000, 1 << 21
"""Texts, and characters of texts, that are in memory at a time."""
_Keys = NDArray[Any]
_NONE = np.zeros(0, np.int32)
_SENTENCE = re.compile(r"[.!?;]\s+|\n+")
_NUMBER = re.compile(r"\d(?<!\w\d)\d*")
"""Not those at the end of a name: BRCA1 is not BRCA2. Written so it is found twice as fast as with a word boundary."""


@remembered
def near_duplicates(dataset: Mapping[str, Any], key: str = "id") -> dict[str, Any]:
    """Which texts of each other split are nearly one of the training split; the part of an audit that JSON can hold.

    Texts are named by their `key`. By split: `texts`, how many were looked up; `among` how many training texts;
    `near`, how many are nearly one of these; `first`, the first of them (`id`, `of` the training text, and `because`:
    "folded", "numbers", "words", "sentences" or "passage"). Of more than `MOST` texts so many are taken, at even
    distances.
    """
    train = at_most(dataset["train"])
    texts = Texts(in_batches(train["text"]))
    found = {}
    for split, rows in dataset.items():
        if split != "train":
            tested = at_most(rows)
            near = texts.find(in_batches(tested["text"]))
            first = [{"id": tested[row][key], "of": train[of][key], "because": why} for row, of, why in near[:SHOWN]]
            found[split] = {"texts": len(tested), "among": len(train), "near": len(near), "first": first}
    return found


def at_most(rows: Any, most: int = MOST) -> Any:
    """The rows of a split, or as many of them at even distances."""
    return rows if len(rows) <= most else rows.select(range(0, len(rows), -(-len(rows) // most)))


def near_duplicates_in(dataset: Mapping[str, Dataset], *columns: str) -> dict[str, Any]:
    """The same where rows have several texts: of the distinct ones in these columns, named by how they begin."""
    distinct: dict[str, Dataset] = {}
    for split, rows in dataset.items():
        texts = list(dict.fromkeys(text for column in columns for text in in_batches(at_most(rows)[column])))
        distinct[split] = Dataset.from_dict({"id": [text[:60] for text in texts], "text": texts})
    return near_duplicates(distinct)


class Texts:
    """Texts among which those are looked up that are nearly another one."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts: list[str] = []
        self.folded: dict[int, int] = {}
        self.without_numbers: dict[int, int] = {}
        sentences, digests, runs = [], [], []
        for start, batch in _batches(texts):
            parts = [_sentences(each) for each in batch]
            self.texts += (texts := [" ".join(its) for its in parts])
            bare = [_without_numbers(its) for its in parts]
            joined = [" ".join(its) for its in bare]
            for row, (folded, its) in enumerate(zip(texts, joined, strict=True), start):
                self.folded.setdefault(hash(folded), row)
                if _is_long(folded):
                    self.without_numbers.setdefault(hash(its), row)
            sentences.append(_keys(bare, start))
            runs.append(_runs(texts, start))
            digests.append(_digests(texts))
        self.digests = np.concatenate(digests)
        self.sentences = _Rows(*np.concatenate(sentences, axis=1))
        keys, of = np.concatenate(runs, axis=1)
        self.runs, self.n_runs = _Rows(keys, of), np.bincount(of, minlength=len(self.texts))
        rows = np.arange(len(self.digests))
        self.bands = [_Rows(band, rows) for band in _bands(self.digests)]

    def find(self, texts: Iterable[str]) -> list[tuple[int, int, str]]:
        """The texts that are nearly one of these: the row, that of the other text, and why it is."""
        found: list[tuple[int, int, str]] = []
        for start, batch in _batches(texts):
            parts = [_sentences(each) for each in batch]
            folded = [" ".join(its) for its in parts]
            bare = [_without_numbers(its) for its in parts]
            joined = [" ".join(its) for its in bare]
            passages = self._sharing_runs(_runs(folded, 0))
            digests = _digests(folded)
            keys, of = _keys(bare, 0)
            in_band = [rows.find(band) for rows, band in zip(self.bands, _bands(digests), strict=True)]
            in_sentence, first = self.sentences.find(keys), np.searchsorted(of, np.arange(len(batch) + 1))
            for row, text in enumerate(folded):
                near = self._same(text, joined[row])
                if near is None and _is_long(text):
                    alike = [self.bands[i].rows[lo[row] : hi[row]] for i, (lo, hi) in enumerate(in_band)]
                    ends = (its[first[row] : first[row + 1]] for its in in_sentence)
                    sharing = [self.sentences.rows[lo:hi] for lo, hi in zip(*ends, strict=True) if hi - lo <= COMMON]
                    near = self._nearest(text, digests[row], np.concatenate(alike), np.concatenate([_NONE, *sharing]))
                near = near or self._same_passage(text, passages.get(row, ()))
                if near is not None:
                    found.append((start + row, *near))
        return found

    def _same(self, folded: str, bare: str) -> tuple[int, str] | None:
        """The text that is this one, of long ones but for numbers: `bare` is without them."""
        if (of := self.folded.get(hash(folded))) is not None:
            return of, "folded"
        of = self.without_numbers.get(hash(bare)) if _is_long(folded) else None
        return None if of is None else (of, "numbers")

    def _nearest(self, folded: str, digest: _Keys, alike: _Keys, sharing: _Keys) -> tuple[int, str] | None:
        """The text that this one is nearly, of those that have a band and of those that have a sentence of it."""
        shingles = {*_shingles(folded)}
        # The share of hashes that agree estimates the overlap (standard error .05); far below ALIKE it is none.
        for of in self._likeliest(alike, digest, (ALIKE - 0.2) * HASHES):
            others = {*_shingles(self.texts[of])}
            if _is_long(self.texts[of]) and len(shingles & others) >= ALIKE * len(shingles | others):
                return of, "words"
        for of in self._likeliest(sharing, digest):
            others = {*_shingles(self.texts[of])}
            if _is_long(self.texts[of]) and len(shingles & others) >= SHARED * min(len(shingles), len(others)):
                return of, "sentences"
        return None

    def _sharing_runs(self, runs: _Keys) -> dict[int, list[int]]:
        """By row of a batch, of which these are the runs, the texts with which it shares most of them, if many."""
        keys, of = runs
        first, last = self.runs.find(keys)
        n = np.where(last - first <= MANY, last - first, 0)
        ends = np.cumsum(n)
        rows = self.runs.rows[np.arange(n.sum()) + np.repeat(first - ends + n, n)]
        pairs, times = np.unique(np.repeat(of, n) * len(self.texts) + rows, return_counts=True)
        row, other = np.divmod(pairs, len(self.texts))
        fewer = np.minimum(np.bincount(of, minlength=1)[row], self.n_runs[other]) if len(pairs) else n
        found: dict[int, list[int]] = {}
        for place in np.argsort(-times, kind="stable"):
            if times[place] > 1 and times[place] >= PASSAGE / 2 * fewer[place]:
                found.setdefault(int(row[place]), []).append(int(other[place]))
        return found

    def _same_passage(self, folded: str, texts: Sequence[int]) -> tuple[int, str] | None:
        """The first of these texts of which this one has a passage."""
        its = _runs_of(folded)
        for of in texts[:SHOWN]:
            others = _runs_of(self.texts[of])
            if len(its & others) >= max(LEAST_RUNS, PASSAGE * min(len(its), len(others))):
                return of, "passage"
        return None

    def _likeliest(self, rows: _Keys, digest: _Keys, least: float = 0) -> list[int]:
        """The texts whose hashes agree with these most."""
        if not len(rows):
            return []
        rows, times = np.unique(rows, return_counts=True)
        rows = rows[np.argsort(-times, kind="stable")[:LOOKED_UP]]
        agreeing = (self.digests[rows] == digest).sum(axis=1)
        likely = np.argsort(-agreeing, kind="stable")[:COMPARED]
        return [int(rows[place]) for place in likely if agreeing[place] >= least]


class _Rows:
    """The rows that have a key, as sorted arrays: a dictionary of lists takes twenty times the memory."""

    def __init__(self, keys: _Keys, rows: _Keys) -> None:
        order = np.argsort(keys, kind="stable")
        self.keys, self.rows = keys[order], rows[order].astype(np.int32)

    def find(self, keys: _Keys) -> tuple[_Keys, _Keys]:
        """Where the rows of each key begin and end, of more than `LOOKED_UP` the first."""
        first, last = (np.searchsorted(self.keys, keys, side) for side in ("left", "right"))
        return first, np.minimum(last, first + LOOKED_UP)


def _batches(texts: Iterable[str]) -> Iterable[tuple[int, Sequence[str]]]:
    """Pieces of the texts with the place of their first, so that no column is in memory twice."""
    rest, start = iter(texts), 0
    while (batch := list(islice(rest, _BATCH))) or not start:
        yield start, batch
        start += len(batch) or 1


def _words(folded: str) -> int:
    return folded.count(" ") + 1


def _is_long(folded: str) -> bool:
    return _words(folded) >= LEAST_WORDS


def _shingles(folded: str) -> list[str]:
    """The words and pairs of neighbouring words of a text."""
    words = folded.split()
    return [*words, *map(" ".join, pairwise(words))]


def _runs_of(folded: str) -> set[tuple[str, ...]]:
    """The runs of words of a text."""
    words = [word[:STEM] for word in folded.split() if len(word) > SHORT]
    return {*zip(*(words[start:] for start in range(RUN)), strict=False)}


def _runs(texts: Sequence[str], start: int) -> _Keys:
    """A key of some of the runs of words of each text, and its row; shape (2, runs)."""
    pieces = np.cumsum([len(text) for text in texts]) // _PIECE
    bounds = [0, *(np.flatnonzero(np.diff(pieces)) + 1).tolist(), len(texts)]
    found = [_runs_of_piece(texts[one:end], start + one) for one, end in pairwise(bounds) if end > one]
    return np.concatenate([np.zeros((2, 0), np.int64), *found], axis=1)


def _runs_of_piece(texts: Sequence[str], start: int) -> _Keys:
    """The key is made of the bytes, the same in any process: it decides which runs are looked up."""
    encoded = [text.encode("utf-8", "surrogatepass") + b" " for text in texts]
    data = np.frombuffer(b"".join(encoded), np.uint8)
    ends = np.flatnonzero(data <= ord(" "))
    starts = np.concatenate([[0], ends[:-1] + 1])
    starts = starts[ends - starts > SHORT]
    rows = np.searchsorted(np.cumsum([len(each) for each in encoded]), starts, "right") + start
    keys, inside = np.zeros(len(starts), np.uint64), np.ones(len(starts), bool)
    for letter in range(STEM):
        its = data[np.minimum(starts + letter, len(data) - 1)]
        inside &= its > ord(" ")
        keys = _mixed(keys ^ np.where(inside, its, 0).astype(np.uint64))
    n = max(len(keys) - RUN + 1, 0)
    whole = rows[:n] == rows[RUN - 1 :]
    run = np.zeros(n, np.uint64)
    for word in range(RUN):
        run = _mixed(run ^ keys[word : n + word])
    chosen = whole & (run % np.uint64(KEPT) == 0)
    return np.stack([run[chosen].view(np.int64), rows[:n][chosen]])


def _mixed(keys: _Keys) -> _Keys:
    """Numbers of which the high bits depend on all, and the low ones on these."""
    keys = keys * np.uint64(0x9E3779B97F4A7C15)
    return keys ^ keys >> np.uint64(29)


def _digests(many: list[str]) -> _Keys:
    """The MinHash of each text, shape (texts, HASHES)."""
    from rensa import RMinHash

    return np.array(RMinHash.digests_from_token_sets(map(_shingles, many), HASHES, 0), np.uint32).reshape(-1, HASHES)


def _bands(digests: _Keys) -> Iterable[_Keys]:
    """A key of the hashes of each text in each band."""
    for band in np.split(digests.astype(np.uint64), BANDS, axis=1):
        key = np.zeros(len(band), np.uint64)
        for column in band.T:
            key = _mixed(key ^ column)
        yield key


def _sentences(text: str) -> list[str]:
    """The folded sentences of a text; together they are the folded text."""
    return [*filter(None, normalise_each(_SENTENCE.split(as_read(text))))] or [normalise(text)]


def _keys(parts: Sequence[list[str]], start: int) -> _Keys:
    """A hash of each sentence, without numbers, that is long enough, and its text's row; shape (2, sentences)."""
    keys = [{hash(each) for each in its if _words(each) >= LEAST_OF_SENTENCE} for its in parts]
    rows = np.repeat(np.arange(start, start + len(parts)), [len(its) for its in keys])
    return np.stack([np.fromiter((key for its in keys for key in its), np.int64, len(rows)), rows])


def _without_numbers(sentences: Sequence[str]) -> list[str]:
    return _NUMBER.sub("0", "\n".join(sentences)).split("\n")
