"""Terms of an ontology as OBO has them (https://owlcollab.github.io/oboformat/doc/GO.format.obo-1_4.html)."""

import re
from collections.abc import Iterator
from itertools import chain

from bioft.errors import BioftError
from bioft.storage.text_lines import TextLines

QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(EXACT\b)?')
"""A definition or synonym, and whether it is an exact one."""
_ESCAPED = re.compile(r"\\(.)")


def terms(lines: TextLines) -> Iterator[tuple[dict[str, list[str]], dict[str, str]]]:
    """Yield each term of an OBO file: by tag its values, and the place of the first. BioftError: one without an id."""
    term: dict[str, list[str]] = {}
    places: dict[str, str] = {}
    kind = ""
    for line in chain(lines, "[\n"):  # what begins a stanza ends the last one too
        text = line.strip()
        if text.startswith("["):
            if kind == "[Term]" and term and "id" not in term:
                raise BioftError(f"{next(iter(places.values()))}: a term without an id.")
            if "id" in term and kind in ("[Term]", ""):
                yield term, places
            term, places, kind = {}, {}, text
            continue
        tag, colon, value = text.partition(": ")
        if colon and not text.startswith("!"):
            term.setdefault(tag, []).append(value)
            places.setdefault(tag, f"{lines.path}, line {lines.number}")


def unescaped(text: str) -> str:
    """A value without the backslashes of OBO."""
    return _ESCAPED.sub(lambda match: " " if match[1] in "nt" else match[1], text)
