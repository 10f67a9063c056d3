"""Rows that are documents: text with entities in the columns of bioft's datasets, or tokens with their tags."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from bioft.datasets.documents.corpus import AnnotatedText
from bioft.datasets.documents.pubtator import Mention, Relation
from bioft.datasets.formats import conll, inputs, tables
from bioft.errors import BioftError

TokensColumn = Annotated[str | None, "Column of the tokens of tables and data on the Hub (by default tokens)."]
TagsColumn = Annotated[str | None, "Column of their tags (by default ner_tags or tags)."]
TagNames = Annotated[str | None, "Names of tags that are numbers, in their order: O,B-Chemical,I-Chemical."]
TOKENS, TAGS = ("tokens", "words"), ("ner_tags", "tags", "labels", "ner_labels")


def read(
    path: Path,
    prefix: str,
    asked: Mapping[str, Any],
    only_type: str | None,
    *,
    skipped: list[str] | None,
    counted: Counter[str],
) -> Iterator[AnnotatedText]:
    """Yield the documents of a JSONL or Parquet file."""
    columns = [asked.get(name) for name in ("tokens_column", "tags_column")]
    table = tables.read(path, columns, skipped)
    yield from of_table(table, prefix, asked, only_type, skipped=skipped, counted=counted)


def of_table(
    table: tables.Table,
    prefix: str,
    asked: Mapping[str, Any],
    only_type: str | None,
    *,
    skipped: list[str] | None,
    counted: Counter[str],
) -> Iterator[AnnotatedText]:
    """Yield a document for each row: of text and entities, or of tokens and tags (names, or numbers that have names).

    Raises BioftError for a missing column, a row with more or fewer tags than tokens, and numbers without names.
    """
    if {"text", "entities"} <= set(table.columns):
        yield from _documents(table, prefix, skipped)
        return
    token_column = table.find(asked.get("tokens_column"), TOKENS, "--tokens-column")
    tag_column = table.find(asked.get("tags_column"), TAGS, "--tags-column")
    id_column = table.find(None, ("document_id", "id", "sent_id", "guid"), "the id", needed=False)
    names = [each.strip() for each in (asked.get("tag_names") or "").split(",") if each.strip()]
    seen: set[str] = set()
    for number, (place, cells) in enumerate(table.rows, 1):
        try:
            words, tags = cells[token_column or 0], cells[tag_column or 0]
            if not isinstance(words, list) or not isinstance(tags, list) or len(words) != len(tags):
                raise BioftError(f"{place}: tokens and tags must be lists that are equally long.")
            if not words:
                continue
            try:
                sentence = [
                    conll.Token(str(word), *conll.read_tag(_tag(tag, names), only_type))
                    for word, tag in zip(words, tags, strict=True)
                ]
            except BioftError as error:
                raise BioftError(f"{place}: {error}") from None
        except BioftError as error:
            if skipped is None:
                raise
            skipped.append(str(error))
            continue
        name = tables.text_of(cells[id_column]) if id_column is not None else ""
        # Ids such as 0, 1, 2 begin again in each split.
        name = f"{prefix}-{name or number}" if not name or name.isdigit() else name
        if name in seen:
            name = f"{prefix}-{number}"
        seen.add(name)
        counted["sentences"] += 1
        counted["tokens"] += len(sentence)
        yield conll.assemble(name, [sentence], counted)


def _tag(tag: Any, names: Sequence[str]) -> str:
    if isinstance(tag, str):
        return tag
    if not isinstance(tag, int) or not 0 <= tag < len(names):
        what = f"the tag {tag!r} is a number" if not names else f"the tag {tag!r} has no name in --tag-names"
        raise BioftError(f"{what}. Name all tags in their order: --tag-names O,B-Chemical,I-Chemical.")
    return names[tag]


def _documents(table: tables.Table, prefix: str, skipped: list[str] | None) -> Iterator[AnnotatedText]:
    id_column = table.find(None, ("document_id", "id"), "the id", needed=False)
    text_column, entities = (table.columns.index(name) for name in ("text", "entities"))
    relations = table.find(None, ("relations",), "relations", needed=False)
    for number, (place, cells) in enumerate(table.rows, 1):
        try:
            text = cells[text_column]
            if not isinstance(text, str) or not text.strip():
                raise BioftError(f"{place}: the text is empty or no text.")
            name = tables.text_of(cells[id_column]) if id_column is not None else ""
            mentions = [_mention(its, text, place) for its in cells[entities] or ()]
            found = [_relation(its, place) for its in (cells[relations] if relations is not None else None) or ()]
            document = AnnotatedText(name or f"{prefix}-{number}", text, "", mentions, found)
            yield inputs.check(document, place)
        except BioftError as error:
            if skipped is None:
                raise
            skipped.append(str(error))


def _mention(its: Any, text: str, place: str) -> Mention:
    try:
        start, end = its["start"], its["end"]
        kind = its.get("type", its.get("label"))
        if type(start) is not int or type(end) is not int or not isinstance(kind, str):
            raise TypeError
    except (KeyError, TypeError, AttributeError):
        raise BioftError(
            f"{place}: an entity is {str(its)[:80]}; needed are start and end (whole numbers) and type; text and id "
            "may be there too."
        ) from None
    identifier = tables.text_of(its.get("id")) or conll.NOT_LINKED
    return Mention(start, end, its.get("text") or text[max(0, start) : max(0, end)], kind, identifier)


def _relation(its: Any, place: str) -> Relation:
    values = [tables.text_of(its.get(name)) for name in ("type", "head", "tail")] if isinstance(its, dict) else [""]
    if not all(values):
        raise BioftError(f"{place}: a relation is {str(its)[:80]}; needed are type, head and tail (ids of entities).")
    return Relation(*values)
