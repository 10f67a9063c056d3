"""What every reader of a vocabulary yields, and the namespace that is made of it: a folder with names and ids.

Names stand in the order in which they are trusted: of a name that several concepts have, the first is meant. First
come the mentions of annotated documents (the id that each has most often), then preferred names, exact synonyms, and
last what is narrower, broader or otherwise related.
"""

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from bioft.errors import BioftError
from bioft.storage.files import write_json
from bioft.storage.json_text import parse
from bioft.storage.text_lines import TextLines, normalise

ANNOTATED, PREFERRED, SYNONYM, RELATED = "annotated", "preferred", "synonym", "related"
KINDS = (ANNOTATED, PREFERRED, SYNONYM, RELATED)
"""Kinds of names, those that are trusted most first."""
NAMES, CONCEPTS, MANIFEST = "names.parquet", "concepts.parquet", "namespace.json"
SCHEMA_VERSION = 1


@dataclass(slots=True)
class Concept:
    """A concept as one source has it; of an obsolete one only the id and what replaced it are taken."""

    id: str
    names: list[tuple[str, str]] = field(default_factory=list)
    """Names with their kinds (`KINDS`)."""
    parents: list[str] = field(default_factory=list)
    merged: list[str] = field(default_factory=list)
    """Ids that mean this concept too: alternative ones, and those of concepts that were merged into it."""
    obsolete: bool = False
    replaced_by: str = ""


@dataclass(frozen=True)
class Namespace:
    """Concepts with their names."""

    names: pd.DataFrame
    """Columns id, name and kind; one row for each name of each concept, those that are trusted most first."""
    concepts: pd.DataFrame
    """Columns id, name (the preferred one), parents and merged (lists of ids)."""
    manifest: Mapping[str, Any]
    """Sources with checksums and terms, and what was counted."""

    def current(self) -> dict[str, str]:
        """By id that was merged into another concept, the id of that."""
        return {
            old: identifier
            for identifier, merged in zip(self.concepts["id"], self.concepts["merged"], strict=True)
            for old in merged
        }


def unite(concepts: Iterable[Concept], sources: Sequence[Mapping[str, Any]]) -> Namespace:
    """Make one namespace of what sources yield; the same id in several of them is the same concept.

    Obsolete concepts are left out, and their ids stand for what replaced them, along chains; so do merged ids. Counted
    in the manifest: concepts, names, obsolete ones, merged ids, names that several concepts have, concepts without a
    name, parents that are not there, and parents that lead back to their child, which are left out.
    BioftError: no concept has a name.
    """
    found: dict[str, Concept] = {}
    counts: Counter[str] = Counter()
    replaced: dict[str, str] = {}
    for concept in concepts:
        if concept.obsolete:
            counts["obsolete"] += 1
            if concept.replaced_by:
                replaced[concept.id] = concept.replaced_by
            continue
        for other in concept.merged:
            replaced.setdefault(other, concept.id)
        known = found.setdefault(concept.id, Concept(concept.id))
        known.names += concept.names
        known.parents += concept.parents
    for old in [old for old in replaced if old in found]:
        # Another source has the id as a concept of its own: its names go to the one that it was merged into.
        if (new := _end(replaced, old)) in found and new != old:
            found[new].names += found.pop(old).names
        else:
            del replaced[old]
    rows: list[tuple[str, str, str]] = []
    for identifier, concept in found.items():
        seen: dict[str, str] = {}
        for name, kind in sorted(concept.names, key=lambda each: KINDS.index(each[1])):
            if (text := " ".join(name.split())) and normalise(text) not in seen:
                seen[normalise(text)] = text
                rows.append((identifier, text, kind))
    names = pd.DataFrame(rows, columns=["id", "name", "kind"], dtype=object)
    if names.empty:
        raise BioftError("No concept in the sources has a name: there is nothing to be matched to.")
    order = names["kind"].map({kind: place for place, kind in enumerate(KINDS)})
    names = names.iloc[order.argsort(kind="stable")].reset_index(drop=True)
    preferred = names[names["kind"] != ANNOTATED].drop_duplicates("id").set_index("id")["name"]
    preferred = preferred.combine_first(names.drop_duplicates("id").set_index("id")["name"])
    unnamed = [identifier for identifier in found if identifier not in preferred.index]
    parents, counts["unknown parents"], counts["parents in a cycle"] = _parents(found, replaced)
    merged: defaultdict[str, list[str]] = defaultdict(list)
    for old in replaced:
        if (new := _end(replaced, old)) in found:
            merged[new].append(old)
    kept = [identifier for identifier in found if identifier not in set(unnamed)]
    table = pd.DataFrame(
        {
            "id": kept,
            "name": preferred.reindex(kept).to_list(),
            "parents": [parents[each] for each in kept],
            "merged": [merged[each] for each in kept],
        }
    )
    owners = names.assign(key=names["name"].map(normalise)).groupby("key")["id"].nunique()
    counts |= {
        "concepts": len(kept), "names": len(names), "merged ids": sum(map(len, merged.values())),
        "names of several concepts": int((owners > 1).sum()), "without a name": len(unnamed),
    }  # fmt: skip
    manifest = {"schema_version": SCHEMA_VERSION, "sources": list(sources), "counts": dict(counts)}
    return Namespace(names, table, manifest)


def write(namespace: Namespace, folder: Path) -> None:
    """Write the files of a namespace into a folder."""
    namespace.names.to_parquet(folder / NAMES, index=False)
    namespace.concepts.to_parquet(folder / CONCEPTS, index=False)
    write_json(folder / MANIFEST, namespace.manifest)


def load(folder: Path) -> Namespace:
    """Read what `write` wrote. BioftError: no such folder, or something else in it."""
    if not (folder / MANIFEST).is_file():
        raise BioftError(f"{folder} is no namespace: it has no {MANIFEST}. Make one with `bioft build namespace`.")
    manifest = parse(TextLines(folder / MANIFEST).read(), str(folder / MANIFEST))
    if manifest.get("schema_version") != SCHEMA_VERSION:
        raise BioftError(f"{folder} was made by another bioft. Make it again with `bioft build namespace`.")
    try:
        names, concepts = (pd.read_parquet(folder / file) for file in (NAMES, CONCEPTS))
        return Namespace(names[["id", "name", "kind"]], concepts[["id", "name", "parents", "merged"]], manifest)
    except (OSError, ValueError, KeyError) as error:
        raise BioftError(f"{folder} is damaged ({error}). Make it again with `bioft build namespace`.") from None


def terms(namespace: Namespace) -> str:
    """The terms of all sources, in one line."""
    return " ".join(dict.fromkeys(str(source["terms"]) for source in namespace.manifest["sources"]))


def _end(replaced: Mapping[str, str], identifier: str) -> str:
    """The last of a chain of replacements; of a cycle the one that it was entered by."""
    passed = {identifier}
    while (identifier := replaced.get(identifier, identifier)) not in passed:
        passed.add(identifier)
    return identifier


def _parents(found: Mapping[str, Concept], replaced: Mapping[str, str]) -> tuple[dict[str, list[str]], int, int]:
    """The parents of each concept that are there and don't lead back to it; how many did neither."""
    parents: dict[str, list[str]] = {}
    unknown = 0
    for identifier, concept in found.items():
        given = dict.fromkeys(_end(replaced, parent) for parent in concept.parents)
        parents[identifier] = [each for each in given if each in found and each != identifier]
        unknown += sum(each not in found for each in given)
    # Concepts that are left when those without parents left are taken away, again and again, are in or below cycles.
    children: defaultdict[str, list[str]] = defaultdict(list)
    open_parents = {identifier: len(its) for identifier, its in parents.items()}
    for identifier, its in parents.items():
        for parent in its:
            children[parent].append(identifier)
    free = [identifier for identifier, n in open_parents.items() if not n]
    while free:
        for child in children[free.pop()]:
            open_parents[child] -= 1
            if not open_parents[child]:
                free.append(child)
    left = dict.fromkeys(identifier for identifier, n in open_parents.items() if n)
    cyclic = 0
    for identifier in left:
        kept = [each for each in parents[identifier] if not _leads_to(parents, each, identifier, left)]
        cyclic += len(parents[identifier]) - len(kept)
        parents[identifier] = kept
    return parents, unknown, cyclic


def _leads_to(parents: Mapping[str, list[str]], start: str, end: str, among: Container[str]) -> bool:
    waiting, seen = [start], {start}
    while waiting:
        if (each := waiting.pop()) == end:
            return True
        new = [parent for parent in parents[each] if parent in among and parent not in seen]
        seen.update(new)
        waiting += new
    return False
