"""JSON of annotation tools and corpora, as bioft's own documents have it.

Of each the layout that it exports: spaCy's `[text, {"entities": [[start, end, type]]}]`
(https://spacy.io/api/data-formats), Prodigy's `spans` (https://prodi.gy/docs/api-interfaces), doccano's `label` or
`entities` with `relations` (https://doccano.github.io/doccano), Label Studio's JSON and JSON-MIN
(https://labelstud.io/guide/export). Of corpora PubAnnotation's `denotations` (https://www.pubannotation.org/docs), and
the tokens of SpERT (Eberts and Ulges 2020) and DyGIE++ (Wadden et al. 2019), whose entities are spans of these.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from bioft.errors import BioftError

SPANS = ("entities", "spans", "label", "labels")
"""Where mentions stand beside a text."""
LABEL_STUDIO = frozenset({"data", "annotations"})
ACCEPT = "accept"
PRODIGY = "_task_hash"
"""A key that Prodigy gives each task."""


def as_row(value: Any) -> Any:
    """The row, with `text`, of a document that spaCy has as a pair of text and annotations, PubAnnotation, SpERT or
    DyGIE++ in ways of their own; any other value as it is.
    """
    if isinstance(value, list) and [type(each) for each in value] == [str, dict] and "entities" in value[1]:
        return {"text": value[0], **value[1]}
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("data"), str) and "text" not in value and _are_spans(value.get("label")):
        return {**value, "text": value["data"]}  # as doccano 1.5 calls it
    if "denotations" in value and isinstance(value.get("text"), str):
        return _of_pubannotation(value)
    if {"sentences", "ner"} <= value.keys():
        return _of_dygie(value)
    if {"tokens", "entities"} <= value.keys() and "text" not in value:
        return _of_spert(value)
    return value


def _of_pubannotation(value: dict[str, Any]) -> Any:
    """A document of PubAnnotation; a span in several pieces has no start here, and is refused where it is read."""
    name = "-".join(str(value[key]) for key in ("sourceid", "divid") if value.get(key) is not None)
    related = value.get("relations") or []
    begins = f"{name or value['text'][:20]}:" if related else ""
    try:
        entities = [
            {
                "id": begins and f"{begins}{its.get('id')}",
                "type": its["obj"],
                "start": span["begin"],
                "end": span["end"],
            }
            for its in value["denotations"]
            for span in [its["span"]]
        ]
        relations = [
            {"type": its["pred"], "head": f"{begins}{its['subj']}", "tail": f"{begins}{its['obj']}"} for its in related
        ]
    except (KeyError, TypeError):
        return value
    return {"id": name, "text": value["text"], "entities": entities, "relations": relations}


def _of_spert(value: dict[str, Any]) -> Any:
    try:
        spans = [(its["start"], its["end"], its["type"]) for its in value["entities"]]
        related = value.get("relations") or ()
        relations = [(its["type"], spans[its["head"]][:2], spans[its["tail"]][:2]) for its in related]
        return _of_tokens(str(value.get("orig_id") or ""), [value["tokens"]], spans, relations)
    except (KeyError, IndexError, TypeError):
        return value


def _of_dygie(value: dict[str, Any]) -> Any:
    """A document of DyGIE++, whose spans count the tokens of all sentences and name their last one."""
    try:
        spans = [(first, last + 1, kind) for its in value["ner"] for first, last, kind, *_ in its]
        relations = [
            (kind, (head, head_last + 1), (tail, tail_last + 1))
            for its in value.get("relations") or ()
            for head, head_last, tail, tail_last, kind, *_ in its
        ]
        return _of_tokens(str(value.get("doc_key") or ""), value["sentences"], spans, relations)
    except (KeyError, IndexError, TypeError, ValueError):
        return value


def _of_tokens(
    name: str,
    sentences: Sequence[Sequence[str]],
    spans: Sequence[tuple[int, int, str]],
    relations: Sequence[tuple[str, tuple[int, int], tuple[int, int]]],
) -> dict[str, Any]:
    """The row of a document of tokens: a space between them, a line break between sentences."""
    places: list[tuple[int, int]] = []
    start = 0
    for token in (token for sentence in sentences for token in sentence):
        places.append((start, start + len(token)))
        start += len(token) + 1
    text = "\n".join(" ".join(its) for its in sentences if its)

    def key(first: int, after: int) -> str:
        return f"{name or text[:20]}:{first}-{after}" if relations else ""

    entities = [
        {"id": key(a, b), "type": kind, "start": places[a][0], "end": places[b - 1][1]} for a, b, kind in spans
    ]
    related = [{"type": kind, "head": key(*head), "tail": key(*tail)} for kind, head, tail in relations]
    return {"id": name, "text": text, "entities": entities, "relations": related}


def holds(columns: Collection[str]) -> bool:
    """Whether rows with these columns are texts with mentions, whatever stands in them."""
    return ("text" in columns and ("entities" in columns or "spans" in columns)) or set(columns) >= LABEL_STUDIO


def is_document(row: Any) -> bool:
    """Whether a row is a text with mentions: so also doccano's, whose labels of texts have the same column."""
    if not isinstance(row, dict):
        return False
    return holds(row) or ("text" in row and any(_are_spans(row.get(name)) for name in SPANS))


def plain(row: Mapping[str, Any], name: str, place: str, counted: Counter[str]) -> dict[str, Any] | None:
    """The `text`, `entities` and `relations` of a row; None where it was not accepted, or annotated by nobody.

    `name` is the document's id, `counted` gets what is left out. Raises BioftError where there is no text.
    """
    if row.get("answer", ACCEPT) not in (ACCEPT, None):
        counted["texts whose annotation was not accepted, which are left out"] += 1
        return None
    if set(row) >= LABEL_STUDIO:
        return _of_label_studio(row, name, place, counted)
    spans = next((row[key] for key in SPANS if row.get(key)), None) or []
    spans = [_of_list(each) for each in spans] if isinstance(spans, list) else spans
    related = objects(row.get("relations"), place)
    entities = [_entity(each, name, bool(related)) for each in objects(spans, place)]
    at = {(its["start"], its["end"]): str(its["id"]) for its in entities}
    return {
        "text": row.get("text"),
        "entities": entities,
        "relations": [_relation(each, name, at) for each in related],
    }


def _are_spans(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(
        (isinstance(each, dict) and ("start" in each or "start_offset" in each))
        or (isinstance(each, list) and len(each) == 3 and all(type(its) is int for its in each[:2]))
        for each in value
    )  # fmt: skip


def objects(value: Any, place: str) -> list[dict[str, Any]]:
    """The objects of a cell: a list of them or, as older datasets on the Hub have it, lists by key."""
    if isinstance(value, dict) and all(isinstance(each, list) for each in value.values()):
        value = [dict(zip(value, each, strict=False)) for each in zip(*value.values(), strict=False)]
    if not isinstance(value or [], list) or not all(isinstance(each, dict) for each in value or ()):
        raise BioftError(f"{place}: {str(value)[:80]} is no list of objects.")
    return value or []


def _of_list(each: Any) -> Any:
    whole = isinstance(each, list) and len(each) == 3
    return dict(zip(("start", "end", "type"), each, strict=True)) if whole else each


def _entity(each: dict[str, Any], name: str, has_relations: bool) -> dict[str, Any]:
    """A mention with start, end and type; an id of its own only where there are relations between such."""
    start, end = (each.get(key, each.get(f"{key}_offset")) for key in ("start", "end"))
    kind = each.get("type", each.get("label", each.get("labels")))
    kind = kind[0] if isinstance(kind, list) and len(kind) == 1 else kind
    if "start_offset" in each:  # doccano's: a number in its data base, which links nothing
        identifier = f"{name}:{each.get('id')}" if has_relations else ""
    else:
        identifier = each.get("id") or (f"{name}:{start}-{end}" if has_relations else "")
    return {"start": start, "end": end, "type": kind, "id": identifier, "text": each.get("text")}


def _relation(each: dict[str, Any], name: str, at: Mapping[tuple[Any, Any], str]) -> dict[str, Any]:
    if "from_id" in each:
        return {"type": each.get("type"), "head": f"{name}:{each['from_id']}", "tail": f"{name}:{each.get('to_id')}"}
    if isinstance(each.get("head_span"), dict) and isinstance(each.get("child_span"), dict):
        ends = [at.get((each[key].get("start"), each[key].get("end"))) for key in ("head_span", "child_span")]
        return {"type": each.get("label"), "head": ends[0], "tail": ends[1]}
    return each


def _of_label_studio(row: Mapping[str, Any], name: str, place: str, counted: Counter[str]) -> dict[str, Any] | None:
    data = row["data"] if isinstance(row["data"], dict) else {}
    texts = [data["text"]] if "text" in data else [its for its in data.values() if isinstance(its, str)]
    if len(texts) != 1:
        raise BioftError(f"{place}: data has no text, or several: {', '.join(map(str, data))}. Call it text.")
    done = [each for each in row["annotations"] or () if isinstance(each, dict) and not each.get("was_cancelled")]
    if not done:
        counted["texts that nobody annotated, which are left out"] += 1
        return None
    counted["annotations by others after the first, which are not read"] += len(done) - 1
    entities, related = [], []
    for result in done[0].get("result") or ():
        value = result.get("value") or {}
        if result.get("type") == "relation":
            related.append(result)
        elif result.get("type") in ("labels", "hypertextlabels") and "start" in value:
            named = value.get("labels") or [""]
            counted["further labels of a mention, of which the first is read"] += len(named) - 1
            entities.append(value | {"type": named[0], "key": result.get("id")})
        else:
            counted[f"results of type {result.get('type')}, which are not read"] += 1
    for each in entities:
        each["id"] = f"{name}:{each['key']}" if related else ""
    relations = []
    for each in related:
        ends = [f"{name}:{each.get(key)}" for key in ("from_id", "to_id")]
        ends = ends[::-1] if each.get("direction") == "left" else ends
        relations.append({"type": (each.get("labels") or ["relation"])[0], "head": ends[0], "tail": ends[1]})
    return {"text": texts[0], "entities": entities, "relations": relations}
