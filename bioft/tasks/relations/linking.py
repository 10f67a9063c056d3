"""From the name of an entity to its concept id, by the names that the training documents use."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bioft.datasets.documents.pubtator import concepts
from bioft.errors import BioftError, in_words
from bioft.storage import json_text
from bioft.storage.runs import AS_IT_WAS
from bioft.storage.text_lines import normalise
from bioft.tasks.entities.tagging import Span

UNLINKED = "-1"
NAME = "name:"
FILE = "concepts.json"
_DEFINITION = re.compile(r"\s*[(\[]\s*")


@dataclass(frozen=True)
class ConceptDictionary:
    """The id that each name of an entity type had most often in training.

    Names are compared without case, punctuation and plural s. A mention in brackets right behind another of its type
    ("acute renal failure (ARF)") has that one's id wherever else it stands in the document: abbreviations mean
    something else in every article. What is in neither stays unlinked.
    """

    ids: Mapping[str, Mapping[str, str]]
    """By entity type and name."""

    @classmethod
    def fit(cls, rows: Iterable[Mapping[str, Any]]) -> Self:
        """Count the names in document rows; of ids that are equally frequent the first in the alphabet is taken."""
        counts: defaultdict[str, defaultdict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        for row in rows:
            for entity in row["entities"]:
                if concepts(entity["id"]):
                    counts[entity["type"]][_key(entity["text"])][entity["id"]] += 1
        return cls(
            {
                kind: {
                    name: min(found, key=lambda each: (-found[each], each)) for name, found in sorted(names.items())
                }
                for kind, names in sorted(counts.items())
            }
        )

    def link(self, text: str, spans: Sequence[Span], *, name_unlinked: bool = False) -> list[dict[str, Any]]:
        """Entities as in document rows (id, type, start, end, text), in order.

        An unlinked one has the id "-1"; with `name_unlinked` it has "name:" and its name, so that the mentions of a
        concept that the dictionary does not know still belong together.
        """
        spans = sorted(spans)
        keys = [_key(text[start:end]) for start, end, _ in spans]
        found = [self.ids.get(kind, {}).get(key, UNLINKED) for key, (*_, kind) in zip(keys, spans, strict=True)]
        if name_unlinked:
            found = [f"{NAME}{key}" if linked == UNLINKED else linked for key, linked in zip(keys, found, strict=True)]
        defined: dict[tuple[str, str], str] = {}
        for index in range(1, len(spans)):
            (_, before, kind), (start, end, other) = spans[index - 1 : index + 1]
            if kind == other and _DEFINITION.fullmatch(text[before:start]):
                long_id, short_id = found[index - 1], found[index]
                known = short_id if _is_unknown(long_id) and not _is_unknown(short_id) else long_id
                defined.setdefault((kind, text[start:end]), known)
        return [
            {"id": defined.get((kind, text[start:end]), linked), "type": kind, "start": start, "end": end}
            | {"text": text[start:end]}
            for (start, end, kind), linked in zip(spans, found, strict=True)
        ]

    def save(self, directory: Path) -> None:
        """Write `concepts.json` into a directory."""
        text = json.dumps(self.ids, ensure_ascii=False, indent=0, sort_keys=True)
        (directory / FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what `save` wrote. Raises BioftError: there is no such file, or it holds something else."""
        path = directory / FILE
        try:
            ids = json_text.parse(path.read_text(encoding="utf-8"), "its text")
            if why := json_text.wrong_in(ids, {...: {...: str}}):
                raise ValueError(why)
        except (BioftError, OSError, ValueError) as error:
            raise BioftError(f"{path} does not hold the names of concepts: {in_words(error)}. {AS_IT_WAS}") from error
        return cls(ids)


def _is_unknown(identifier: str) -> bool:
    return identifier == UNLINKED or identifier.startswith(NAME)


def _key(name: str) -> str:
    folded = normalise(name)
    plural = folded.endswith("s") and not folded.endswith(("is", "ss", "us")) and len(folded) > 4
    return folded[:-1] if plural else folded
