"""Entities of documents linked to the ids of namespaces, abbreviations of the document resolved first."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from bioft.datasets.metabolites.tables import Row, to_table
from bioft.errors import BioftError
from bioft.storage.text_lines import normalise
from bioft.tasks.entities.files import UNLINKED, Link
from bioft.tasks.entities.tagging import Span
from bioft.tasks.name_alignment.abbreviations import abbreviations, expanded
from bioft.tasks.name_alignment.aligner import NO_MATCH, Aligner

_DEFINITION = re.compile(r"\s*[(\[]\s*")
_TYPED = re.compile(r"([A-Za-z][\w-]*)=(.+)")


PROBABLY_RIGHT = 0.5
NOT_ASKED = Link(UNLINKED, "", 1.0, NO_MATCH)
"""Of entities of a type for which there is no namespace."""


@dataclass(frozen=True)
class Linker:
    """Links entities by an aligner for each type, or one for all others, under "" in the place of the type."""

    aligners: Mapping[str, Aligner]
    terms: str = ""
    known: dict[tuple[str, str], Link] = field(default_factory=dict)
    """What was asked before, by type (or "") and name."""

    def links(self, texts: Sequence[str], spans: Sequence[Sequence[Span]]) -> list[list[Link]]:
        """The link of each entity of each text."""
        asked = [
            [(kind if kind in self.aligners else "", name) for name, (*_, kind) in zip(names, its, strict=True)]
            for names, its in ((written_out(text, its), its) for text, its in zip(texts, spans, strict=True))
        ]
        new: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for place, name in (each for its in asked for each in its):
            if place in self.aligners and (place, name) not in self.known:
                new[place].setdefault(name)
        for place, names in new.items():
            found = _align(self.aligners[place], list(names))
            self.known.update({(place, name): link for name, link in zip(names, found, strict=True)})
        return [[self.known.get(each, NOT_ASKED) for each in its] for its in asked]

    def link(self, text: str, spans: Sequence[Span], *, name_unlinked: bool = False) -> list[dict[str, Any]]:
        """Entities as in document rows (id, type, start, end, text), in order, as `ConceptDictionary` gives them.

        Only an id that is more probably right than wrong is given: what is built on entities asks nobody to review.
        """
        spans = sorted(spans)
        (links,) = self.links([text], [spans])
        rows = []
        for link, name, (start, end, kind) in zip(links, written_out(text, spans), spans, strict=True):
            unknown = f"name:{normalise(name)}" if name_unlinked else UNLINKED
            identifier = unknown if link.id == UNLINKED or link.probability < PROBABLY_RIGHT else link.id
            rows.append({"id": identifier, "type": kind, "start": start, "end": end, "text": text[start:end]})
        return rows


def open_linker(given: Sequence[str]) -> Linker:
    """The linker of namespaces, each as it is or as TYPE=NAMESPACE; BioftError: two for a type, or none to be read."""
    from bioft.tasks.name_alignment.concept_names import aligner_of

    aligners: dict[str, Aligner] = {}
    terms: dict[str, None] = {}
    for each in given:
        match = _TYPED.fullmatch(each)
        kind, name = (match[1], match[2]) if match else ("", each)
        if kind in aligners:
            raise BioftError(
                f"--link has two namespaces for {kind or 'all types'}. Give TYPE=NAMESPACE for each type."
            )
        aligners[kind] = aligner_of(name)
        terms.setdefault(aligners[kind].namespace.attrs["source"]["terms"])
    return Linker(aligners, " ".join(terms))


def written_out(text: str, spans: Sequence[Span]) -> list[str]:
    """The name of each entity with the abbreviations written out that the text defines.

    Beside `abbreviations`, an entity in brackets right behind another of its type ("paracetamol (APAP)") stands for
    it, if it is one short word with capitals.
    """
    known = abbreviations(text)
    for (start, end, kind), (other_start, other_end, other_kind) in pairwise(sorted(spans)):
        short = text[other_start:other_end]
        is_short = " " not in short and len(short) <= 10 and sum(map(str.isupper, short)) >= 2
        if kind == other_kind and _DEFINITION.fullmatch(text[end:other_start]) and is_short:
            known.setdefault(short, text[start:end])
    return [expanded(text[start:end], known) for start, end, _ in spans]


def _align(aligner: Aligner, names: list[str]) -> list[Link]:
    found = aligner.align(to_table(Row(name, name) for name in names))
    columns = [found[each] for each in ("match_id", "match_name", "probability", "decision", "candidates")]
    return [
        Link(identifier or UNLINKED, name, probability, decision, tuple(filter(None, others.split("|"))))
        for identifier, name, probability, decision, others in zip(*columns, strict=True)
    ]
