"""Folders of brat standoff: a text in each .txt file, what is annotated in it in the .ann file of the same name.

See https://brat.nlplab.org/standoff.html. The shared tasks of BioNLP have .a1 and .a2 in the place of .ann. Entities
(T), binary relations (R) and normalisations (N) are read; events, attributes and notes are counted. A mention in
several pieces is taken from its first character to its last.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bioft.datasets.documents.corpus import AnnotatedText
from bioft.datasets.documents.pubtator import Mention, Relation
from bioft.datasets.formats import conll, inputs
from bioft.errors import BioftError, leaving_out

_ENTITY = re.compile(r"(\S+) (\d+ \d+(?:;\d+ \d+)*)")
_RELATION = re.compile(r"(\S+) \S+?:(\S+) \S+?:(\S+)\s*")
_NORMALISATION = re.compile(r"\S+ (\S+) (\S+)")
OTHERS = {"E": "events", "A": "attributes", "M": "attributes", "#": "notes", "*": "equivalences"}
PIECES = "mentions in several pieces, taken from first to last"


def read(folder: Path, *, skipped: list[str] | None, counted: Counter[str]) -> Iterator[AnnotatedText]:
    """Yield the documents of a folder by name. A mention's id is its normalisation; without one, where the document
    has relations, document and T number, since relations there are between mentions.

    Raises BioftError, with file and line, for a line that is none of standoff, a mention that does not stand at its
    offsets, and a relation of what is not there; with `skipped` the document is left out.
    """
    for path in sorted(file for file in folder.iterdir() if file.suffix in inputs.STANDOFF):
        text_file = path.with_suffix(".txt")
        with leaving_out(skipped):
            if not text_file.is_file():
                raise BioftError(f"{path} has no text beside it: {text_file.name} is missing.")
            yield _document(path, text_file, counted)
    counted["texts without annotations beside them"] += sum(
        not any(file.with_suffix(suffix).exists() for suffix in inputs.STANDOFF) for file in folder.glob("*.txt")
    )


def _text(path: Path) -> str:
    try:
        # Offsets count the characters of the file: line breaks stay as they are.
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise BioftError(f"{path} is not UTF-8 ({error.reason} at byte {error.start}). Convert it.") from None


def _document(path: Path, text_file: Path, counted: Counter[str]) -> AnnotatedText:
    text, name = _text(text_file), path.stem
    mentions: dict[str, Mention] = {}
    relations: list[tuple[str, re.Match[str]]] = []
    concepts: dict[str, str] = {}
    files = [path, *(each for each in [path.with_suffix(".a2")] if path.suffix == ".a1" and each.is_file())]
    lines = ((f"{file}, line {n}", line) for file in files for n, line in enumerate(_text(file).split("\n"), 1))
    for place, line in lines:
        key, _, rest = line.rstrip("\r").partition("\t")
        if key.startswith("T"):
            mentions[key] = _mention(rest, text, place, counted)
        elif key.startswith("R"):
            if (match := _RELATION.match(rest)) is None:
                raise BioftError(f"{place}: {rest[:60]!r} is no relation such as 'Causes Arg1:T1 Arg2:T2'.")
            relations.append((place, match))
        elif key.startswith("N"):
            if (match := _NORMALISATION.match(rest)) is None:
                raise BioftError(f"{place}: {rest[:60]!r} is no normalisation such as 'Reference T1 MESH:D003920'.")
            concepts.setdefault(match[1], match[2])
        elif line.strip():
            if key[:1] not in OTHERS:
                raise BioftError(f"{place}: {line[:60]!r} is no line of brat standoff (T, R, N, E, A, #).")
            counted[f"{OTHERS[key[:1]]} that are not read"] += 1
    ids = {key: concepts.get(key) or (f"{name}:{key}" if relations else conll.NOT_LINKED) for key in mentions}
    found = []
    for place, match in relations:
        if missing := [key for key in match.groups()[1:] if key not in mentions]:
            raise BioftError(f"{place}: the relation names {missing[0]}, which is no entity of the document.")
        found.append(Relation(match[1], ids[match[2]], ids[match[3]]))
    named = [Mention(its.start, its.end, its.text, its.type, ids[key]) for key, its in mentions.items()]
    return inputs.check(AnnotatedText(name, text, "", named, list(dict.fromkeys(found))), str(path))


def _mention(rest: str, text: str, place: str, counted: Counter[str]) -> Mention:
    about, _, words = rest.partition("\t")
    if (match := _ENTITY.fullmatch(about.strip())) is None:
        raise BioftError(f"{place}: {rest[:60]!r} is no entity such as 'Disease 0 7<tab>disease'.")
    places = [tuple(map(int, each.split())) for each in match[2].split(";")]
    start, end = min(each[0] for each in places), max(each[1] for each in places)
    counted[PIECES] += len(places) > 1
    there = text[start:end]
    # brat writes a line break inside a mention as a space, and pieces with a space between them.
    if len(places) == 1 and re.sub(r"\s", " ", there) != re.sub(r"\s", " ", words):
        raise BioftError(
            f"{place}: {words[:60]!r} is said to stand at {start} to {end}, where the text has {there[:60]!r}. "
            "Offsets count characters of the .txt file."
        )
    return Mention(start, end, there, match[1], conll.NOT_LINKED)
