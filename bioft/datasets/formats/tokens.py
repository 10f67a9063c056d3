"""Rows that are documents: text with entities in the columns of bioft's datasets, BigBio's, or tokens with tags."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from bioft.datasets import data
from bioft.datasets.documents.corpus import AnnotatedText
from bioft.datasets.documents.pubtator import Mention, Relation
from bioft.datasets.formats import annotations, conll, inputs, tables
from bioft.datasets.formats.standoff import PIECES
from bioft.datasets.options import OwnData
from bioft.errors import BioftError, leaving_out

_COLUMNS: dict[str, list[str]] = data("columns.toml", __package__)["tokens"]
Maker = Callable[[str, str, dict[str, Any]], AnnotatedText | None]


@dataclass(frozen=True, kw_only=True)
class TagOptions(OwnData):
    """Options of rows of tokens and tags."""

    tokens_column: Annotated[str | None, "Column of the tokens of tables and data on the Hub (by default tokens)."] = (
        None
    )
    tags_column: Annotated[str | None, "Column of their tags (by default ner_tags or tags)."] = None
    tag_names: Annotated[str | None, "Names of tags that are numbers, in their order: O,B-Chemical,I-Chemical."] = None


class Reading(NamedTuple):
    """How documents are read, whatever their format."""

    asked: Any
    """The options of the builder, as `OwnData` has them."""
    only_type: str | None
    """The type of tags and tables that name none."""
    skipped: list[str] | None
    """Takes a message for what is left out because something is wrong in it; None: that raises."""
    counted: Counter[str]


def of_table(table: tables.Table, prefix: str, how: Reading) -> Iterator[AnnotatedText]:
    """Yield a document for each row: of text and entities, of BigBio's passages and entities, or of tokens and tags.

    Raises BioftError for a missing column, a row that is none of a document, more or fewer tags than tokens, and tags
    that are numbers without names; with `skipped` such rows are left out.
    """
    columns = set(table.columns)
    if annotations.holds(columns) or (
        "text" in columns and columns & {*annotations.SPANS} and columns.isdisjoint(_COLUMNS["tokens"])
    ):
        make: Maker = partial(_of_text, counted=how.counted)
    elif {"passages", "entities"} <= columns:
        make = partial(_of_bigbio, counted=how.counted)
    elif isinstance(how.asked, TagOptions):
        make = _of_tags(table, how)
    else:
        raise BioftError(
            f"{table.name} has no columns text, entities and relations, nor BigBio's passages, entities and "
            f"relations. {table.in_words()}"
        )
    id_column = table.find(None, _COLUMNS["id"], "the id", needed=False)
    of_article = None if id_column is not None else table.find(None, _COLUMNS["id_of_article"], "", needed=False)
    seen: set[str] = set()
    for number, (place, cells) in enumerate(table.rows, 1):
        with leaving_out(how.skipped):
            name = tables.text_of(cells[id_column]) if id_column is not None else ""
            if of_article is not None:  # several rows may be of one
                name = tables.text_of(cells[of_article])
                name = "" if name in seen else name
                seen.add(name)
            elif "entities" not in columns:
                # Ids of sentences such as 0, 1, 2 begin again in each split.
                name = f"{prefix}-{name}" if name.isdigit() else name
                name = "" if name in seen else name
                seen.add(name)
            document = make(name or f"{prefix}-{number}", place, dict(zip(table.columns, cells, strict=True)))
            if document is None:
                continue  # counted by who made it
            if document.text:
                yield inputs.check(document, place)
            else:
                how.counted["rows without tokens, of which nothing is made"] += 1


def of_words(path: Path, prefix: str, how: Reading) -> Iterator[AnnotatedText]:
    """Yield a document for each sentence of a table with a token in each row.

    A sentence is the rows one after another with one value in the column of sentences, or with none after the first.
    Raises BioftError for a missing column and what is no tag; with `skipped` such a sentence is left out.
    """
    asked, only_type, skipped, counted = how
    table = tables.read(path, asked.columns(), skipped)
    places = [
        table.find(named, _COLUMNS[known], "", needed=False)
        for named, known in ((None, "sentence"), (asked.tokens_column, "token"), (asked.tags_column, "tag"))
    ]
    if None in places:
        raise BioftError(
            f"{inputs.no_documents(path, 'delimited')} A table of tokens needs the columns sentence_id, token and tag."
        )
    sentence_place, word, tag = (place or 0 for place in places)
    names = conll.listed(asked.tag_names)
    last = ""

    def key(row: tuple[str, Sequence[Any]]) -> str:
        nonlocal last
        last = tables.text_of(row[1][sentence_place]).strip() or last
        return last

    for number, (_, rows) in enumerate(groupby(table.rows, key), 1):
        sentence = []
        with leaving_out(skipped):
            for place, cells in list(rows):
                tag_of = _tag(cells[tag], names, place)
                sentence.append(conll.token(tables.text_of(cells[word]), tag_of, only_type, place))
            counted["sentences"] += 1
            counted["tokens"] += len(sentence)
            yield conll.assemble(f"{prefix}-{number}", [sentence], counted)


def _of_tags(table: tables.Table, how: Reading) -> Maker:
    asked, only_type, _, counted = how
    token_column = table.columns[table.find(asked.tokens_column, _COLUMNS["tokens"], "--tokens-column") or 0]
    tag_column = table.columns[table.find(asked.tags_column, _COLUMNS["tags"], "--tags-column") or 0]
    names = conll.listed(asked.tag_names)

    def make(name: str, place: str, row: dict[str, Any]) -> AnnotatedText:
        words, tags = row[token_column], row[tag_column]
        if not isinstance(words, list) or not isinstance(tags, list) or len(words) != len(tags):
            raise BioftError(f"{place}: tokens and tags must be lists that are equally long.")
        pairs = zip(words, tags, strict=True)
        sentence = [conll.token(str(word), _tag(tag, names, place), only_type, place) for word, tag in pairs]
        counted["sentences"] += bool(sentence)
        counted["tokens"] += len(sentence)
        return conll.assemble(name, [sentence], counted)

    return make


def _tag(tag: Any, names: Sequence[str], place: str) -> str:
    if isinstance(tag, str):
        return tag
    if isinstance(tag, list | dict):
        raise BioftError(
            f"{place}: a tag is {tag!r:.60}: a row for each sentence is read, not a column of all of them."
        )
    if not isinstance(tag, int) or not 0 <= tag < len(names):
        what = f"the tag {tag!r} is a number" if not names else f"the tag {tag!r} has no name in --tag-names"
        raise BioftError(f"{place}: {what}. Name all tags in their order: --tag-names O,B-Chemical,I-Chemical.")
    return names[tag]


def _of_text(name: str, place: str, row: dict[str, Any], counted: Counter[str]) -> AnnotatedText | None:
    if (found := annotations.plain(row, name, place, counted)) is None:
        return None
    row, text = found, found["text"]
    if not isinstance(text, str) or not text.strip():
        raise BioftError(f"{place}: the text is empty or no text.")
    mentions = [_mention(its, text, place) for its in row["entities"]]
    relations = [_relation(its, place) for its in row["relations"]]
    return AnnotatedText(name, text, "", mentions, relations)


def _mention(its: dict[str, Any], text: str, place: str) -> Mention:
    start, end, kind = its.get("start"), its.get("end"), its.get("type", its.get("label"))
    if type(start) is not int or type(end) is not int or not isinstance(kind, str):
        raise BioftError(
            f"{place}: an entity is {str(its)[:80]}; needed are start and end (whole numbers) and type; text and id "
            "may be there too."
        )
    identifier = tables.text_of(its.get("id")) or conll.NOT_LINKED
    if its.get("text") and 0 <= start < end:
        start, end = inputs.of_utf_16(text, start, end, its["text"])
    return Mention(start, end, its.get("text") or text[max(0, start) : max(0, end)], kind, identifier)


def _relation(its: dict[str, Any], place: str) -> Relation:
    values = [tables.text_of(its.get(name)) for name in ("type", "head", "tail")]
    if not all(values):
        raise BioftError(f"{place}: a relation is {str(its)[:80]}; needed are type, head and tail (ids of entities).")
    return Relation(*values)


def _of_bigbio(name: str, place: str, row: dict[str, Any], counted: Counter[str]) -> AnnotatedText:
    """A document of BigBio's schema for knowledge bases (`bigbio_kb`), whose offsets count through all passages.

    Ids are the concepts that entities were normalised to; without, where there are relations, those of the entities.
    """
    try:
        text = ""
        for passage in sorted(annotations.objects(row["passages"], place), key=lambda its: its["offsets"][0][0]):
            (start, _), *_ = passage["offsets"]
            text = text.ljust(start) + " ".join(passage["text"])
        related = annotations.objects(row.get("relations"), place)
        mentions = {}
        for its in annotations.objects(row["entities"], place):
            start, end = min(each[0] for each in its["offsets"]), max(each[1] for each in its["offsets"])
            counted[PIECES] += len(its["offsets"]) > 1
            words = text[start:end] if len(its["offsets"]) > 1 else " ".join(its["text"])
            concepts = [
                _concept(each) for each in annotations.objects(its.get("normalized"), place) if each.get("db_id")
            ]
            other = f"{name}:{its['id']}" if related else conll.NOT_LINKED
            mentions[its["id"]] = Mention(start, end, words, str(its["type"]), "|".join(concepts) or other)
        relations = [
            Relation(str(its["type"]), mentions[its["arg1_id"]].id, mentions[its["arg2_id"]].id) for its in related
        ]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise BioftError(f"{place}: it is not as BigBio's schema has it ({type(error).__name__}: {error}).") from None
    if not text.strip():
        raise BioftError(f"{place}: it has no text.")
    return AnnotatedText(name, text, "", list(mentions.values()), list(dict.fromkeys(relations)))


def _concept(its: dict[str, Any]) -> str:
    database, identifier = str(its.get("db_name") or ""), str(its["db_id"])
    return identifier if not database or identifier.startswith(f"{database}:") else f"{database}:{identifier}"
