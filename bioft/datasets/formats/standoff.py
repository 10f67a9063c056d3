"""Standoff: texts in files of their own, and beside them what is annotated in them.

**brat** (https://brat.nlplab.org/standoff.html): a text in each .txt file, what is annotated in it in the .ann file of
the same name. The shared tasks of BioNLP have .a1 and .a2, or .rel, in the place of .ann. Entities (T), binary
relations (R) and normalisations (N) are read; events, attributes and notes are counted, and what is related to an
event is related to its trigger. A mention in several pieces is taken from its first character to its last.

**ChemProt and DrugProt** (BioCreative VI and VII): tables of abstracts, entities and relations, which belong together;
their names differ in one word only. The table of abstracts has id, title and abstract; offsets count in both with one
character between them. That of entities has id, T number, type, start, end and text; that of relations id, type and,
last, `Arg1:T1` and `Arg2:T2`.

**Tables of mentions** beside a .txt file for each document, as those of LINNAEUS (Gerner et al. 2010), Species-800
(Pafilis et al. 2013) and the Spanish corpora of the Barcelona Supercomputing Center (DisTEMIST and others).
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from bioft.datasets.documents.corpus import AnnotatedText
from bioft.datasets.documents.pubtator import Mention, Relation
from bioft.datasets.formats import conll, inputs, tables
from bioft.errors import BioftError, leaving_out
from bioft.storage.text_lines import TextLines, encoding_of

_ENTITY = re.compile(r"(\S+) (\d+ \d+(?:;\d+ \d+)*)")
_SPAN = re.compile(r"^T\S*\t\S+ (\d+) (\d+)\t([^\r\n]*)", re.MULTILINE)
"""An entity in one piece: its place and words."""
_RELATED = re.compile(r"(\S+) \S+?:(\S+) \S+?:(\S+)\s*")
_NORMALISATION = re.compile(r"\S+ (?:Annotation:)?(\S+) (?:Referent:)?(\S+)")
_TRIGGER = re.compile(r"\S+?:(T\S+)")
OTHERS = {"E": "events", "A": "attributes", "M": "attributes", "#": "notes", "*": "equivalences"}
PIECES = "mentions in several pieces, taken from first to last"


def read_brat(folder: Path, *, skipped: list[str] | None, counted: Counter[str]) -> Iterator[AnnotatedText]:
    """Yield the documents of a folder, also of folders in it, by name.

    A document is called as its file, or by its path where several files are called so. A mention's id is its
    normalisation; without one, where the document has relations, document and T number, since relations there are
    between mentions.

    Raises BioftError, with file and line, for a line that is none of standoff, a mention that does not stand at its
    offsets, and a relation of what is not there; with `skipped` the document is left out. A text that several files
    annotate raises too.
    """
    files, texts = inputs.standoff(folder), defaultdict(list)
    for text in sorted(folder.rglob("[!.]*.txt")):
        texts[text.name].append(text)
    stems = Counter(path.stem for path in files)
    seen: dict[tuple[str, int], Path] = {}
    for path in files:
        name = path.stem if stems[path.stem] == 1 else path.relative_to(folder).with_suffix("").as_posix()
        with leaving_out(skipped):
            beside = path.with_suffix(".txt")
            elsewhere = texts[beside.name]
            if not beside.is_file() and len(elsewhere) != 1:
                raise BioftError(
                    f"{path} has no text beside it: {beside.name} is missing. Name the folder in which both are."
                )
            document = _annotated(path, beside if beside.is_file() else elsewhere[0], name, counted)
            if (first := seen.setdefault((path.stem, hash(document.text)), path)) != path:
                raise BioftError(f"{first} and {path} annotate one text. Name the folder of one annotator.")
            yield document
    counted["texts without annotations beside them"] += sum(
        len(its) for name, its in texts.items() if Path(name).stem not in stems
    )


def _text(path: Path) -> str:
    try:
        # Offsets count the characters of the file: line breaks stay as they are.
        return (raw := path.read_bytes()).decode(encoding_of(raw[:4]))
    except UnicodeDecodeError as error:
        raise BioftError(f"{path} is not UTF-8 ({error.reason} at byte {error.start}). Convert it.") from None


def _as_counted(text: str, annotations: str) -> str:
    """The text in which the mentions stand: as it is, or as it was before Windows or git put a byte order mark and
    carriage returns into it.
    """
    spans = [(int(start), int(end), _in_line(words)) for start, end, words in _SPAN.findall(annotations)]
    bare = text.removeprefix("\ufeff")
    forms = (text, bare, bare.replace("\r\n", "\n"), text.replace("\r\n", "\n"))
    return next((form for form in forms if all(_in_line(form[a:b]) == words for a, b, words in spans)), text)


def _in_line(words: str) -> str:
    """Words as brat writes them: with a space for a line break."""
    return re.sub(r"\s", " ", words)


def _annotated(path: Path, text_file: Path, name: str, counted: Counter[str]) -> AnnotatedText:
    mentions: dict[str, Mention] = {}
    relations: list[tuple[str, re.Match[str]]] = []
    concepts: dict[str, str] = {}
    triggers: dict[str, str] = {}
    more = (path.with_suffix(suffix) for suffix in (".a2", ".rel") if path.suffix == ".a1")
    files = [path, *(each for each in more if each.is_file())]
    said = {file: _text(file).removeprefix("\ufeff") for file in files}
    text = _as_counted(_text(text_file), "\n".join(said.values()))
    lines = ((f"{file}, line {n}", line) for file, its in said.items() for n, line in enumerate(its.split("\n"), 1))
    for place, line in lines:
        key, _, rest = line.rstrip("\r").partition("\t")
        if key.startswith("T"):
            mentions[key] = _entity(rest, text, place, counted)
        elif key.startswith("R"):
            if (match := _RELATED.match(rest)) is None:
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
            if match := _TRIGGER.match(rest):
                triggers[key] = match[1]
    ids = {key: concepts.get(key) or (f"{name}:{key}" if relations else conll.NOT_LINKED) for key in mentions}
    found = []
    for place, match in relations:
        # An event stands where its trigger does.
        ends = [triggers.get(key, key) for key in match.groups()[1:]]
        if missing := [key for key in ends if key not in mentions]:
            raise BioftError(f"{place}: the relation names {missing[0]}, which is no entity of the document.")
        found.append(Relation(match[1], ids[ends[0]], ids[ends[1]]))
    named = [Mention(its.start, its.end, its.text, its.type, ids[key]) for key, its in mentions.items()]
    return inputs.check(AnnotatedText(name, text, "", named, list(dict.fromkeys(found))), str(path))


def _entity(rest: str, text: str, place: str, counted: Counter[str]) -> Mention:
    about, _, words = rest.partition("\t")
    if (match := _ENTITY.fullmatch(about.strip())) is None:
        raise BioftError(f"{place}: {rest[:60]!r} is no entity such as 'Disease 0 7<tab>disease'.")
    places = [tuple(map(int, each.split())) for each in match[2].split(";")]
    start, end = min(each[0] for each in places), max(each[1] for each in places)
    counted[PIECES] += len(places) > 1
    there = text[start:end]
    # brat writes pieces with a space between them.
    if len(places) == 1 and _in_line(there) != _in_line(words):
        raise BioftError(
            f"{place}: {words[:60]!r} is said to stand at {start} to {end}, where the text has {there[:60]!r}. "
            "Offsets count characters of the .txt file."
        )
    return Mention(start, end, there, match[1], conll.NOT_LINKED)


def read_chemprot(path: Path, *, skipped: list[str] | None, counted: Counter[str]) -> Iterator[AnnotatedText]:
    """Yield the documents of a table of abstracts, with what the tables beside it say of them.

    A mention's id is document and T number, where there is a table of relations. Raises BioftError, with file and
    line, for a line that is none of its table, and as `inputs.check`; with `skipped` the line or document is left out.
    """
    entities, relations = inputs.beside(path)
    related: dict[str, list[tuple[str, list[str]]]] = {}
    mentions: dict[str, dict[str, Mention]] = {}
    for place, (document, *fields) in _rows(entities, (6,), skipped):
        with leaving_out(skipped):
            key, kind, start, end, words = fields
            if not (start.isdigit() and end.isdigit()):
                raise BioftError(f"{place}: offsets that are no whole numbers: {start[:40]!r} and {end[:40]!r}.")
            identifier = f"{document}:{key}" if relations else conll.NOT_LINKED
            its = mentions.setdefault(document, {})
            if key in its:
                raise BioftError(f"{place}: the entity {key} comes twice in document {document}.")
            its[key] = Mention(int(start), int(end), words, kind, identifier)
    for place, (document, *fields) in _rows(relations, (4, 5, 6), skipped) if relations else ():
        related.setdefault(document, []).append((place, fields))
    for place, (document, title, abstract) in _rows(path, (3,), skipped):
        with leaving_out(skipped):
            its = mentions.pop(document, {})
            found = [_relation(where, fields, its) for where, fields in related.pop(document, ())]
            text = f"{title} {abstract}"
            yield inputs.check(AnnotatedText(document, text, "", [*its.values()], list(dict.fromkeys(found))), place)
    for what, left in (("entities", mentions), ("relations", related)):
        counted[f"{what} of documents that have no text"] += sum(map(len, left.values()))


def _rows(path: Path, lengths: tuple[int, ...], skipped: list[str] | None) -> Iterator[tuple[str, list[str]]]:
    lines = TextLines(path)
    for line in lines:
        fields = line.rstrip("\r\n").split("\t")
        place = f"{path}, line {lines.number}"
        with leaving_out(skipped):
            if len(fields) in lengths:
                yield place, fields
            elif line.strip():
                raise BioftError(f"{place}: {len(fields)} fields where {' or '.join(map(str, lengths))} should be.")


def _relation(place: str, fields: list[str], mentions: dict[str, Mention]) -> Relation:
    ends = []
    for number, field in enumerate(fields[-2:], 1):
        match = re.fullmatch(rf"Arg{number}:(\S+)", field.strip())
        if match is None or match[1] not in mentions:
            raise BioftError(
                f"{place}: {field[:40]!r} names no entity of the document, such as Arg{number}:T{number}."
            )
        ends.append(mentions[match[1]].id)
    return Relation(fields[0], ends[0], ends[1])


def read_mentions(
    path: Path, only_type: str | None, *, skipped: list[str] | None, counted: Counter[str]
) -> Iterator[AnnotatedText]:
    """Yield the documents of the texts beside a table of mentions; `only_type` is that of a table without types.

    The texts are files in the table's own folder, those in it or beside it: all of a folder in which the table names
    one. Else the column of the words has them. Raises BioftError, with file and line, for a row that names no text,
    and for what is no mention of it; with `skipped` the row is left out.
    """
    table = tables.read(next(iter(inputs.mentions_in(path)), path), (), skipped)
    document, start, end, kind, words, identifier = (
        (table.find(None, known, "", needed=False) for known in inputs.MENTIONED)
        if table.header
        else (1, 2, 3, None, 4, 0)  # as Species-800 has them
    )
    files = {file.stem: file for file in sorted(inputs.texts_beside(Path(table.name)))}
    texts: dict[str, AnnotatedText] = {}
    for place, cells in table.rows:
        with leaving_out(skipped):
            name, first, last = (tables.text_of(cells[its or 0]).strip() for its in (document, start, end))
            name = name.partition(":")[0].removesuffix(".txt")
            if not (first.isdigit() and last.isdigit()):
                raise BioftError(f"{place}: offsets that are no whole numbers: {first[:40]!r} and {last[:40]!r}.")
            of_type = only_type if kind is None else tables.text_of(cells[kind])
            if of_type is None:
                raise BioftError(f"{place}: the table names no type. Say which with --types, such as --types Disease.")
            said = "" if words is None else tables.text_of(cells[words])
            a, b = int(first), int(last)
            if name not in texts:
                texts[name] = AnnotatedText(
                    name, _text_of(name, files, said if len(said) > b - a + 1 else "", place), ""
                )
            text = texts[name].text
            said = said if said != text else text[a:b]
            b += said != text[a:b] and said == text[a : b + 1]
            concept = "" if identifier is None else tables.text_of(cells[identifier])
            mention = Mention(a, b, said or text[a:b], of_type, concept or conll.NOT_LINKED)
            inputs.check(replace(texts[name], mentions=[mention]), place)
            texts[name].mentions.append(mention)
    folders = {files[name].parent for name in texts if name in files}
    without = [name for name, file in files.items() if name not in texts and file.parent in folders]
    yield from texts.values()
    yield from (AnnotatedText(name, _text_of(name, files, "", str(path)), "") for name in without)


def _text_of(name: str, files: Mapping[str, Path], said: str, place: str) -> str:
    """The text of a document: that of its file, else what the table says."""
    if not said and name not in files:
        raise BioftError(f"{place}: there is no text {name[:60]}.txt in the table's folder, nor beside it.")
    return _text(files[name]) if name in files else said
