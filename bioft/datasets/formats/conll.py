"""CoNLL/IOB files: a token with its tag in each line, a blank line after each sentence.

Tags may be IOB1, IOB2 or IOBES (BILOU, BMEWO); columns are parted by tabs or spaces, the first is the token and the
last the tag. `-DOCSTART-` begins a document, and so does a line `# doc_id = …`; without either, or with a single
`-DOCSTART-` above all, each sentence is one. Other lines `# name = …` are comments. The text is built of the tokens
with a space between them, sentences with a line break: offsets count in it. Where the first column numbers the tokens
of a sentence, the second one is the token.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from bioft.datasets.documents.corpus import AnnotatedText
from bioft.datasets.documents.pubtator import Mention
from bioft.errors import BioftError
from bioft.storage.text_lines import TextLines

NOT_LINKED = "-1"
"""The concept id of mentions that are linked to nothing, as in PubTator files."""
BROKEN = "mentions that begin with I or E, as in IOB1"
AGAIN = "documents whose id came before, which have a number behind it"
BEGINS, INSIDE, ENDS, SINGLE = frozenset("B"), frozenset("IM"), frozenset("EL"), frozenset("SUW")
_TAG = re.compile(r"([BIESLUMW])(?:[-_](.+))?")
_DOCUMENT = re.compile(
    r"#\s*(?:doc_id|document_id|newdoc id|id|pmid)\s*[=:]\s*(\S+)|###\s*(?:MEDLINE|PMID)\s*:\s*(\S+)"
    r"|# id (\S+)\s+domain=\S+",
    re.IGNORECASE,
)
"""Also as JNLPBA and MultiCoNER have it."""
_COMMENT = re.compile(r"#\s*(?:new(?:doc|par)\b|[\w.]+(?: \w+)?\s*=\s)")
"""What other programs write above a sentence: "# text = …"."""


class Token(NamedTuple):
    """A token, the letter of its tag ("O" outside) and the type."""

    text: str
    letter: str
    type: str


def read(
    path: Path,
    prefix: str,
    *,
    only_type: str | None = None,
    skipped: list[str] | None = None,
    counted: Counter[str] | None = None,
) -> Iterator[AnnotatedText]:
    """Yield the documents of a file, with its mentions.

    `prefix` is what the ids of documents without one begin with, before their number, `only_type` the type of tags
    that name none. With `skipped`, documents in which something is wrong are left out and a message is appended.
    `counted` gets "sentences", "tokens" and, of IOB that is not consistent, what was mended. BioftError: lines with
    another number of columns, no tag, a tag without a type; with file and line.
    """
    counted = Counter() if counted is None else counted
    document: list[list[Token]] = []
    name, number, problem = "", 0, ""
    seen: Counter[str] = Counter()

    def finished() -> Iterator[AnnotatedText]:
        nonlocal document, number, problem
        if problem and skipped is not None:
            skipped.append(f"{problem} All of its document is left out.")
        elif any(document):
            number += 1
            seen[name] += 1
            again = f"-{seen[name]}" if name and seen[name] > 1 else ""
            counted[AGAIN] += bool(again)
            yield assemble(f"{name}{again}" if name else f"{prefix}-{number}", document, counted)
        document, problem = [], ""

    by_sentence, word = not _has_documents(path), _column_of_tokens(path)
    for sentence, starts in _sentences(path):
        if starts is not None or by_sentence:
            yield from finished()
            name = starts or ""
        try:
            document.append([_token(f"{path}, line {line}", cells[word:], only_type) for line, cells in sentence])
        except BioftError as error:
            if skipped is None:
                raise
            problem = problem or str(error)
            document.append([])
        counted["sentences"] += bool(sentence)
        counted["tokens"] += len(sentence)
    yield from finished()
    if by_sentence:
        counted["sentences without documents, each of which is one"] = counted["sentences"]


def _has_documents(path: Path) -> bool:
    """Whether the file begins with a document, before its first token, that has a name or is not the only one."""
    lines = (line for line in _lines(path) if line.strip())
    for line in takewhile(lambda line: line[0] in "-#", lines):
        if match := _begins(line):
            return bool(_name(line, match)) or any(_begins(other) for other in lines if other[0] in "-#")
    return False


def _column_of_tokens(path: Path) -> int:
    """The place of the token in a line: the second one where the first numbers the tokens of a sentence."""
    several = (sentence for sentence, _ in _sentences(path) if len(sentence) > 1)
    first = next(several, [])
    return int(bool(first) and all(len(cells) > 2 and cells[0] == str(n) for n, (_, cells) in enumerate(first, 1)))


def _begins(line: str) -> re.Match[str] | bool | None:
    return _DOCUMENT.match(line) or line.startswith("-DOCSTART-")


def is_no_token(line: str) -> bool:
    """Whether a line begins a document, or is a comment."""
    return bool(_begins(line) or _COMMENT.match(line))


def _lines(path: Path) -> TextLines:
    return TextLines(path, "Give a file of tokens and tags.")


def _sentences(path: Path) -> Iterator[tuple[list[tuple[int, list[str]]], str | None]]:
    """The lines of each sentence, and at the start of a document its name ("" without one)."""
    sentence: list[tuple[int, list[str]]] = []
    starts: str | None = None
    for number, line in enumerate(_lines(path), 1):
        line = line.rstrip("\r\n")
        if line[:1] in "-#" and line and (match := _begins(line)):
            if sentence:
                yield sentence, starts
            sentence, starts = [], _name(line, match)
        elif line.strip() and not (line[0] == "#" and _COMMENT.match(line)):
            sentence.append((number, line.split("\t") if "\t" in line else line.split()))
        elif sentence and not line.strip():
            yield sentence, starts
            sentence, starts = [], None
    if sentence:
        yield sentence, starts


def _name(line: str, match: re.Match[str] | bool) -> str:
    if isinstance(match, re.Match):
        return match[1] or match[2] or match[3]
    found = re.search(r"\(([^)]+)\)", line)
    return found[1] if found else ""


def _token(place: str, cells: Sequence[str], only_type: str | None) -> Token:
    if len(cells) < 2 or not cells[0]:
        raise BioftError(f"{place}: {' '.join(cells)[:60]!r} is no token with a tag, parted by a tab or space.")
    return token(cells[0], cells[-1], only_type, place)


def token(text: str, tag: str, only_type: str | None, place: str) -> Token:
    """A token with its tag as a file has it; BioftError, with the place, as `read_tag`."""
    try:
        return Token(text, *read_tag(tag, only_type))
    except BioftError as error:
        raise BioftError(f"{place}: {error}") from None


def listed(names: str | None) -> list[str]:
    """The names in an option that has them joined by commas."""
    return [each.strip() for each in (names or "").split(",") if each.strip()]


@lru_cache(maxsize=4096)
def read_tag(tag: str, only_type: str | None) -> tuple[str, str]:
    """The letter and the type of a tag, ("O", "") outside; BioftError for what is no tag or names no type."""
    tag = tag.strip()
    if tag == "O":
        return "O", ""
    if (match := _TAG.fullmatch(tag)) is None:
        raise BioftError(f"{tag[:40]!r} is no tag. Tags are O, or B-, I-, E- or S- and a type (B-Disease).")
    if (kind := match[2] or only_type) is None:
        raise BioftError(f"the tag {tag} names no type. Say which with --types, such as --types Disease.")
    return match[1], kind


def assemble(name: str, sentences: Iterable[Sequence[Token]], counted: Counter[str]) -> AnnotatedText:
    """The document of tagged sentences: its text, and the mentions at their places in it.

    A mention begins at B or S, at any tag after O or another type, and after E or S; it goes on with I and ends
    before O, or with E. So IOB1, IOB2 and IOBES are read alike; `counted` gets how often an I began a mention.
    """
    parts: list[str] = []
    spans: list[tuple[int, int, str]] = []
    place = 0
    for sentence in sentences:
        start, kind, end, closed = 0, "", 0, True
        for position, token in enumerate(sentence):
            letter = token.letter
            opens = letter in BEGINS or letter in SINGLE or (letter != "O" and (closed or token.type != kind))
            if (letter == "O" or opens) and kind:
                spans.append((start, end, kind))
                kind = ""
            if parts:
                parts.append(" " if position else "\n")
                place += 1
            if opens:
                start, kind = place, token.type
                counted[BROKEN] += letter in INSIDE or letter in ENDS
            parts.append(token.text)
            place += len(token.text)
            end = place
            closed = letter == "O" or letter in ENDS or letter in SINGLE
        if kind:
            spans.append((start, end, kind))
    text = "".join(parts)
    return AnnotatedText(name, text, "", [Mention(a, b, text[a:b], its, NOT_LINKED) for a, b, its in spans], [])
