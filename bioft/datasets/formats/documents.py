"""Documents of one's own with entities and relations, whatever their format: kept, dropped and merged types."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from datasets import DatasetDict

from bioft.datasets.documents import corpus, pubtator
from bioft.datasets.documents.corpus import Overlapping
from bioft.datasets.documents.pubtator import Document, Mention
from bioft.datasets.formats import bioc, conll, inputs, splits, standoff, tables, tokens
from bioft.datasets.formats.tokens import Reading
from bioft.datasets.options import OwnData, takes
from bioft.datasets.origin import Origin
from bioft.errors import BioftError, leaving_out, suggestion
from bioft.storage.identifiers import UNLINKED
from bioft.storage.text_lines import normalise

NO_RELATIONS = (bioc.NO_RELATION, "events that are not read")
"""What is counted that could have been taken for relations."""


@dataclass(frozen=True, kw_only=True)
class DocumentOptions(OwnData):
    """Options of documents, whatever is annotated in them."""

    types: Annotated[str | None, "Types to keep, such as Chemical,Disease; or the one of tags that name none."] = None
    map_type: Annotated[
        Sequence[str] | None, "Give a type another name: SpecificDisease=Disease; repeat for several."
    ] = None
    overlapping: Overlapping = "keep"


@dataclass(frozen=True, kw_only=True)
class EntityOptions(tokens.TagOptions, DocumentOptions):
    """Options of documents for entities."""

    overlapping: Annotated[
        Literal["refuse", "longest"], "What of mentions that overlap: refuse them, or keep the longest of them."
    ] = "refuse"


@takes(EntityOptions)
def build_entities(asked: EntityOptions) -> tuple[DatasetDict, dict[str, Any]]:
    """Build a dataset of documents with entities; returns the splits and the manifest.

    The columns are those of `bioft.datasets.documents`. Raises BioftError for a file of another format, what its
    reader finds wrong, mentions that overlap (unless `overlapping` is "longest"), unknown types, or an empty split.
    """
    return _build("entities", asked)


@takes(DocumentOptions)
def build_relations(asked: DocumentOptions) -> tuple[DatasetDict, dict[str, Any]]:
    """Build a dataset of documents with entities and relations: as `build_entities`, and mentions may overlap
    (`overlapping`).

    Raises BioftError also where no document has a relation.
    """
    return _build("relations", asked)


def _build(builder: str, asked: DocumentOptions) -> tuple[DatasetDict, dict[str, Any]]:
    opened = splits.open_inputs(asked)
    renamed, kept = _mapping(asked.map_type), conll.listed(asked.types)
    counted: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    skipped: dict[str, list[str]] = {name: [] for name in opened.files}
    only_type = kept[0] if len(kept) == 1 else None
    found = {}
    for name, messages in skipped.items():
        how = Reading(asked, only_type, messages if asked.skip_bad else None, counted)
        found[name] = list(_read(opened, name, how))
    if builder == "relations":
        found = _all_linked(found)
    there = {each.type for its in found.values() for document in its for each in document.mentions}
    there |= {each.type for its in found.values() for document in its for each in document.relations}
    if not there:
        raise BioftError("No document has an entity: there is nothing to learn from.")
    _check_names(renamed, there, "--map-type")
    _check_names(kept, {renamed.get(name, name) for name in there}, "--types")
    found = {
        name: corpus.settle_overlaps(
            (_kept(_renamed(each, renamed), kept, left_out) for each in its), asked.overlapping, left_out
        )
        for name, its in found.items()
    }
    _check_ids(found)
    if splits.begin_again({name: [(its.document_id, its.text) for its in rows] for name, rows in found.items()}):
        found = {name: [_named_after(name, each) for each in its] for name, its in found.items()}
        opened.notes.append(splits.BEGIN_AGAIN)
    if builder == "relations" and not any(each.relations for its in found.values() for each in its):
        found_else = "".join(f" There are {n:,} {what}." for what, n in counted.items() if n and what in NO_RELATIONS)
        raise BioftError(f"No document has a relation.{found_else} For their entities: bioft build entities.")
    divided = splits.divide(
        found,
        identity=lambda each: each.document_id,
        same=lambda each: (normalise(each.text),),
        group=lambda each: getattr(each, "group", None),
        asked=asked,
        what="documents",
    )
    n_read = sum(len(each) for its in (found, skipped) for each in its.values())
    found.clear()
    skipped = {name: opened.without_folders(its) for name, its in skipped.items()}
    arguments = asked.arguments() | opened.named() | asked.sizes() | {"seed": asked.seed}
    origin = Origin(builder, arguments, opened.sources, opened.license)
    dataset, manifest = corpus.build(divided.rows, origin, split=divided.split, skipped=skipped)
    read = {"documents": n_read, **{key: n for key, n in counted.items() if n}}
    return dataset, manifest | {
        "read": read,
        "left_out": {key: n for key, n in {**left_out, **divided.left_out}.items() if n},
        "notes": [*opened.notes, *divided.notes],
    }


def _read(opened: splits.Opened, split: str, how: Reading) -> Iterator[Document]:
    for number, file in enumerate(opened.files[split], 1):
        path = Path(file)
        prefix = (path.name.partition(".")[0] if split == splits.ALL else split) + (f"-{number}" if number > 1 else "")
        if opened.on_hub:
            yield from tokens.of_table(opened.on_hub[file], prefix, how)
            continue
        whole = not path.is_dir() or inputs.is_saved(path)
        if whole or inputs.tell(path) in ("brat", "chemprot", "mentions", "dataset"):
            yield from _of_file(path, prefix, how)
            continue
        inside = inputs.inside(path)
        how.counted["files"] += len(inside)
        for place, each in enumerate(inside, 1):
            with leaving_out(how.skipped):
                yield from _of_file(each, f"{prefix}-{place}", how)


def _of_file(path: Path, prefix: str, how: Reading) -> Iterator[Document]:
    asked, only_type, skipped, counted = how
    kind = inputs.tell(path)
    if kind == "pubtator":
        yield from pubtator.read(path, skipped=skipped, allow_empty_abstract=True, unborne=counted)
    elif kind == "conll":
        yield from conll.read(path, prefix, only_type=only_type, skipped=skipped, counted=counted)
    elif kind == "bioc":
        sentences = not isinstance(asked, EntityOptions)
        yield from bioc.read(path, sentences=sentences, skipped=skipped, counted=counted)
    elif kind == "brat":
        yield from standoff.read_brat(path, skipped=skipped, counted=counted)
    elif kind == "chemprot":
        yield from standoff.read_chemprot(next(iter(inputs.tables_in(path)), path), skipped=skipped, counted=counted)
    elif kind == "mentions":
        yield from standoff.read_mentions(path, only_type, skipped=skipped, counted=counted)
    elif kind in ("documents", "tokens"):
        yield from tokens.of_table(tables.read(path, asked.columns(), skipped), prefix, how)
    elif kind == "dataset":
        raise BioftError(f"{path} was written by `bioft build`: give it to a recipe as --dataset.")
    elif kind == "delimited" and isinstance(asked, EntityOptions):
        yield from tokens.of_words(path, prefix, how)
    else:
        raise BioftError(inputs.no_documents(path, kind))


def _mapping(words: Iterable[str] | None) -> dict[str, str]:
    found = {}
    for word in words or ():
        for pair in word.split(","):
            before, equals, after = pair.partition("=")
            if not (equals and before.strip() and after.strip()):
                raise BioftError(f"--map-type is {pair!r}; write OLD=NEW, such as SpecificDisease=Disease.")
            found[before.strip()] = after.strip()
    return found


def _renamed(document: Document, names: Mapping[str, str]) -> Document:
    if not names:
        return document
    mentions = [replace(each, type=names.get(each.type, each.type)) for each in document.mentions]
    relations = [replace(each, type=names.get(each.type, each.type)) for each in document.relations]
    return replace(document, mentions=mentions, relations=relations)


def _check_names(asked: Iterable[str], there: Collection[str], option: str) -> None:
    for name in asked:
        if name not in there:
            raise BioftError(f"{option} names {name!r}, which nothing is of. {suggestion(name, sorted(there))}")


def _kept(document: Document, kept: Sequence[str], left_out: Counter[str]) -> Document:
    """The document with the types to keep, and with the relations whose ends are still there."""
    if not kept:
        return document
    mentions = [each for each in document.mentions if each.type in kept]
    left_out["mentions of other types"] += len(document.mentions) - len(mentions)
    # Names of entity types alone say nothing of the types of relations.
    of_relations = {each.type for each in document.relations} & set(kept)
    relations = [each for each in document.relations if not of_relations or each.type in kept]
    left_out["relations of other types"] += len(document.relations) - len(relations)
    return _with(replace(document, relations=relations), mentions, left_out)


def _with(document: Document, mentions: list[Mention], left_out: Counter[str]) -> Document:
    """The document with these of its mentions, and the relations whose ends they bear."""
    borne = pubtator.borne_ids(mentions)
    relations = [each for each in document.relations if {each.head, each.tail} <= borne]
    left_out["relations whose ends were left out"] += len(document.relations) - len(relations)
    return replace(document, mentions=mentions, relations=relations)


def _all_linked(found: Mapping[str, list[Document]]) -> dict[str, list[Document]]:
    """The documents, all of whose mentions have ids, if relations there are between mentions and not between concepts.

    Readers give mentions ids of their own where a document has relations: one without is about unrelated ones, too.
    """

    def own(document: Document) -> bool:
        return any(each.head.startswith(f"{document.document_id}:") for each in document.relations)

    def linked(document: Document) -> Document:
        mentions = [
            replace(its, id=f"{document.document_id}:{its.start}-{its.end}-{its.type}") if its.id in UNLINKED else its
            for its in document.mentions
        ]
        return replace(document, mentions=mentions)

    if not any(own(each) for its in found.values() for each in its):
        return {**found}
    return {name: [linked(each) for each in its] for name, its in found.items()}


def _named_after(split: str, document: Document) -> Document:
    """The document with the name of its split before its id, and before that of its group."""
    named = replace(document, document_id=f"{split}-{document.document_id}")
    group = getattr(named, "group", None)
    return named if group is None else replace(named, group=f"{split}-{group}")  # type: ignore[call-arg]


def _check_ids(found: Mapping[str, Iterable[Document]]) -> None:
    for documents in found.values():
        counts = Counter(each.document_id for each in documents)
        if (most := counts.most_common(1)) and most[0][1] > 1:
            raise BioftError(
                f"The document id {most[0][0]!r} comes {most[0][1]} times. Give each document its own, and name the "
                "files of one format or annotator only."
            )
