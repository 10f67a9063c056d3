"""BioC files, XML or JSON (Comeau et al., Database 2013): passages or sentences with annotations and relations.

Passages are put one after another with a space between them, and offsets are counted anew in that text. A concept id
is the annotation's `identifier` (or the like); a relation is between the concepts that it names.

The XML of the DDI corpus (Herrero-Zazo et al., J Biomed Inform 2013), and of the protein corpora of Pyysalo et al.
(BMC Bioinformatics 2008), is read as if each of its sentences were a passage.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bioft.datasets.documents.corpus import AnnotatedText
from bioft.datasets.documents.pubtator import UNBORNE, UNLINKED, Mention, Relation
from bioft.datasets.formats import conll, inputs
from bioft.errors import BioftError, leaving_out
from bioft.storage import identifiers, json_text
from bioft.storage.text_lines import TextLines, elements_of, encoding_of

IDENTIFIERS = ("identifier", "Identifier", "MESH", "mesh", "concept_id", "ncbi gene", "NCBI GENE", "GeneID", "id")
ENDS = (("entity1", "entity2"), ("role1", "role2"), ("head", "tail"))
NO_RELATION = UNBORNE
TRUE = ("ddi", "interaction", "relation")
"""Where a pair of a sentence of the DDI corpus and its like says that it is a relation."""
PIECES = "mentions in several pieces, taken from first to last"
_DOCUMENTS = re.compile(r'"(?:documents|PubTator3)"\s*:\s*\[')
_LIST = re.compile(r"\A\s*\[")
_NEXT = re.compile(r"[\s,]*")


def read(
    path: Path, *, sentences: bool = False, skipped: list[str] | None, counted: Counter[str]
) -> Iterator[AnnotatedText]:
    """Yield the documents of a file, one in memory at a time (of JSON, beside its text).

    With `sentences`, of corpora that relate what is in one sentence, such as DDI's, each sentence is a document.

    Raises BioftError for a file that is broken, and for an annotation that does not stand at its offsets; with
    `skipped` such a document is left out.
    """
    start = TextLines(path).head(200)
    is_xml = start.decode(encoding_of(start), "replace").lstrip("\ufeff \r\n\t").startswith("<")
    found = elements_of(TextLines(path), lambda tag: tag.rpartition("}")[2] == "document")
    raw_documents = map(_element, found) if is_xml else _json(path, skipped)
    for number, raw in enumerate(_by_sentence(raw_documents) if sentences else raw_documents, 1):
        with leaving_out(skipped):
            try:
                yield _document(raw, f"{path}, document {number}", str(number), counted)
            except (AttributeError, TypeError, KeyError, IndexError) as error:
                raise BioftError(f"{path}, document {number}: it is not as BioC has it ({error}).") from None


def _by_sentence(documents: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Of documents whose passages are sentences, as in the DDI corpus, one for each of these that has words."""
    for raw in documents:
        parts = raw.get("passages", []) if isinstance(raw, dict) else []
        if not any("sentence" in part for part in parts):
            yield raw
            continue
        for number, part in enumerate(parts):
            if str(part["text"]).strip():
                yield {"id": f"{raw['id']}.s{number}", "passages": [part], "group": raw["id"]}


def _element(element: Any) -> dict[str, Any]:
    """A document or a part of it as BioC JSON has it."""
    found: dict[str, Any] = {"id": element.get("id", ""), "infons": {}}
    for child in element:
        kind = child.tag.rpartition("}")[2]
        if kind == "infon":
            found["infons"][child.get("key", "")] = child.text or ""
        elif kind in ("id", "text", "offset"):
            found[kind] = child.text or ""
        elif kind == "sentence" and child.get("text") is not None:
            found.setdefault("passages", []).append(_sentence(child))
        elif kind in ("passage", "sentence", "annotation", "relation"):
            found.setdefault(f"{kind}s", []).append(_element(child))
        elif kind in ("location", "node"):
            found.setdefault(f"{kind}s", []).append(dict(child.attrib))
    return found


def _sentence(element: Any) -> dict[str, Any]:
    """A sentence of the DDI corpus as BioC JSON has a passage; its offsets name the last character of a piece.

    Those of DDI 2011 and of PGR (Sousa et al. 2019) name the one after it: words in one piece say where they end.
    """
    text = element.get("text") or ""
    found: dict[str, Any] = {"text": text, "offset": 0, "annotations": [], "relations": [], "sentence": True}
    for child in element:
        if child.tag == "entity":
            pieces = [(int(a), int(b) + 1) for a, b in re.findall(r"(\d+)-(\d+)", child.get("charOffset", ""))]
            words = child.get("text") or ""
            if len(pieces) == 1:
                start = pieces[0][0]
                there = text[start : start + len(words)]
                if there.casefold() == words.casefold():
                    words, pieces = there, [(start, start + len(words))]
            found["annotations"].append(
                {
                    "id": child.get("id"),
                    "text": words,
                    "infons": {"type": child.get("type") or "entity"},
                    "locations": [{"offset": start, "length": end - start} for start, end in pieces],
                }
            )
        elif child.tag == "interaction" or "true" in {str(child.get(name)).lower() for name in TRUE}:
            nodes = [{"refid": child.get(end)} for end in ("e1", "e2")]
            found["relations"].append({"infons": {"type": child.get("type") or "interaction"}, "nodes": nodes})
    return found


def _json(path: Path, skipped: list[str] | None) -> Iterator[dict[str, Any]]:
    """The documents of a collection or several, of a list of them, or of a file with one on each line."""
    text = json_text.without_lone_surrogates(TextLines(path).read())
    # What PubMed Central gives is a list of collections, whose documents come before the first passage.
    array = _DOCUMENTS.search(text)
    if array is None or '"passages"' in text[: array.start()]:
        array = _LIST.search(text)
    if array is None:
        yield from json_text.rows(TextLines(path), skipped) if _is_lines(text) else [json_text.parse(text, str(path))]
        return
    decoder = json.JSONDecoder()
    # One document after another, so that not all of them are objects at once.
    while array is not None:
        place = _NEXT.match(text, array.end()).end()  # type: ignore[union-attr]
        while text[place : place + 1] != "]":
            try:
                value, end = decoder.raw_decode(text, place)
            except (ValueError, RecursionError) as error:
                raise BioftError(f"{path} is broken JSON ({error}). Download it again.") from None
            yield value
            place = _NEXT.match(text, end).end()  # type: ignore[union-attr]
        array = _DOCUMENTS.search(text, place)
        if '"passages"' in text[place : array.start() if array else None]:
            raise BioftError(f"{path} is broken JSON: documents follow after the end of their list. Mend it.")


def _is_lines(text: str) -> bool:
    """Whether the first line of several is an object of its own."""
    first, _, others = text.lstrip().partition("\n")
    return bool(others.strip()) and first.rstrip().endswith("}")


def _document(raw: Mapping[str, Any], place: str, number: str, counted: Counter[str]) -> AnnotatedText:
    name = json_text.text_of(raw.get("id")) or number
    parts: list[str] = []
    length = 0
    mentions: dict[str, Mention] = {}
    related: list[Mapping[str, Any]] = list(raw.get("relations") or ())
    for passage in raw.get("passages") or ():
        related += passage.get("relations") or ()
        pieces = [passage] if passage.get("text") else passage.get("sentences") or ()
        inside = [each for part in passage.get("sentences") or () for each in part.get("annotations") or ()]
        for piece in pieces:
            text = str(piece.get("text") or "")
            if parts and text:
                parts.append(" ")
                length += 1
            annotations = [*(piece.get("annotations") or ()), *(inside if piece is passage else ())]
            for each in annotations:
                key = str(each.get("id", len(mentions)))
                key = key if key not in mentions else f"{key} {len(mentions)}"
                mentions[key] = _mention(each, text, _number(piece.get("offset"), place), length, place, counted)
            parts.append(text)
            length += len(text)
    text = "".join(parts)
    if not text.strip():
        raise BioftError(f"{place}: it has no text.")
    if related:
        mentions = {
            key: its if its.id not in UNLINKED else Mention(its.start, its.end, its.text, its.type, f"{name}:{key}")
            for key, its in mentions.items()
        }
    ends = [_relation(each, mentions) for each in related]
    relations = [each for each in ends if each is not None]
    counted[NO_RELATION] += len(ends) - len(relations)
    found = AnnotatedText(name, text, "", [*mentions.values()], list(dict.fromkeys(relations)), raw.get("group"))
    return inputs.check(found, place)


def _number(value: Any, place: str) -> int:
    try:
        return int(value or 0)
    except (TypeError, ValueError):
        raise BioftError(f"{place}: the offset {value!r} is no whole number.") from None


def _mention(
    each: Mapping[str, Any], text: str, offset: int, length: int, place: str, counted: Counter[str]
) -> Mention:
    infons = each.get("infons") or {}
    words, kind = str(each.get("text") or ""), str(infons.get("type") or infons.get("label") or "")
    places = [
        (_number(its.get("offset"), place), _number(its.get("length"), place)) for its in each.get("locations") or ()
    ]
    if not places:
        raise BioftError(f"{place}: the annotation {words!r} has no location.")
    start = min(first for first, _ in places)
    end = max(first + size for first, size in places)
    counted[PIECES] += len(places) > 1
    identifier = next((str(infons[name]) for name in IDENTIFIERS if infons.get(name)), conll.NOT_LINKED)
    for before in (offset, 0):
        there = text[start - before : end - before] if start >= before else ""
        if there and (there == words or len(places) > 1):
            return Mention(length + start - before, length + end - before, there, kind, identifier)
    # Some files count bytes of UTF-8.
    raw = text.encode()
    if start >= offset and raw[start - offset : end - offset] == words.encode() and words:
        characters = len(raw[: start - offset].decode(errors="replace"))
        return Mention(length + characters, length + characters + len(words), words, kind, identifier)
    if start >= offset:
        first, after = inputs.of_utf_16(text, start - offset, end - offset, words)
        if text[first:after] == words:
            return Mention(length + first, length + after, words, kind, identifier)
    there = text[max(0, start - offset) : max(0, end - offset)]
    raise BioftError(
        f"{place}: the annotation {words!r} is said to stand at {start} to {end}, where the text has {there[:60]!r}."
    )


def _relation(each: Mapping[str, Any], mentions: Mapping[str, Mention]) -> Relation | None:
    infons = each.get("infons") or {}
    kind = str(infons.get("type") or infons.get("relation") or infons.get("relation type") or "relation")
    borne = {its.id for its in mentions.values()}
    joined = {part: its for its in borne for part in identifiers.parts(its)}
    for pair in ENDS:
        if all(infons.get(name) for name in pair):
            # PubTator3 writes the type before the id: "Chemical|MESH:D000082".
            said = [infons[name] for name in pair]
            ends = [str(its.get("identifier") if isinstance(its, dict) else its) for its in said]
            ends = [its if its in borne or its in joined else its.partition("|")[2] for its in ends]
            return Relation(kind, *ends) if all(its in borne or its in joined for its in ends) else None
    named = [str(its) for name, its in infons.items() if name not in ("type", "relation") and str(its) in joined]
    if len(named) == 2:
        return Relation(kind, *named)
    nodes = [str(node.get("refid")) for node in each.get("nodes") or ()]
    if len(nodes) == 2 and all(node in mentions for node in nodes):
        return Relation(kind, mentions[nodes[0]].id, mentions[nodes[1]].id)
    return None
