"""Names that are the same but for how they are written: the order of words, plurals, Greek letters, Roman numerals."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bioft.storage.text_lines import normalise

SHOWN = 3
_NUMBERED = re.compile(r"\b([^\W\d_]+)(\d+)\b")
_ROMAN = {
    name: str(number)
    for number, name in enumerate(("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii"), 1)
}
_SYMBOL = re.compile(r"[A-Z]{2,}")
_SAID_LITTLE = frozenset(("s", "the", "of", "and"))


def variants(names: Iterable[str], train: Iterable[str]) -> dict[str, Any]:
    """Which of these names training lacks as they are, folded, and has in another spelling.

    Returns `unseen`, how many training lacks; `variant_in_train`, how many of them it has otherwise; and the `first`,
    each with the name in training.
    """
    known = {normalise(name): name for name in train}
    spelt: dict[Any, str] = {}
    for name in known.values():
        spelt.setdefault(spelling(name), name)
    unseen = sorted({name for name in names if normalise(name) not in known})
    found = [[name, spelt[key]] for name in unseen if (key := spelling(name)) in spelt]
    return {"unseen": len(unseen), "variant_in_train": len(found), "first": found[:SHOWN]}


def in_words(found: Mapping[str, Mapping[str, Any]], what: str) -> Iterator[str]:
    """What is printed of `variants`, by split; `what` says of what in it the names are."""
    for split, its in found.items():
        if its["variant_in_train"]:
            name, other = its["first"][0]
            counts = f"{its['variant_in_train']:,} of the {its['unseen']:,} {what} of {split} that train lacks"
            yield f"{counts} are there in another order of words, number or spelling, first {name} ({other})."


def spelling(name: str) -> tuple[tuple[str, ...], ...]:
    """What names have in common that say the same: their words in the order of the alphabet, and their numbers."""
    spelt = _NUMBERED.sub(r"\1 \2", normalise("".join(map(_greek, name))))  # IL6 is IL-6
    symbols = {each.casefold() for each in _SYMBOL.findall(name)} - _ROMAN.keys()  # CAPNS1 is not CAPN1
    parts = [part if part in symbols else _stem(part) for part in spelt.split() if part not in _SAID_LITTLE]
    return tuple(sorted(part for part in parts if not part.isdigit())), tuple(filter(str.isdigit, parts))


def _greek(character: str) -> str:
    """A Greek letter by its name."""
    name = unicodedata.name(character, "") if character > "\x7f" else ""
    found = re.fullmatch(r"GREEK (?:SMALL|CAPITAL) LETTER (?:FINAL )?(\w+)(?: WITH .*)?", name)
    return f" {found[1].lower()} " if found else character


def _stem(part: str) -> str:
    """A word in the singular and without the vowels that British spelling adds, a Roman numeral as a number."""
    if part in _ROMAN:
        return _ROMAN[part]
    part = part.replace("ae", "e").replace("oe", "e").replace("our", "or")
    if len(part) > 4 and part.endswith("ies"):
        return part[:-3] + "y"
    return part[:-1] if len(part) > 4 and part.endswith("s") and not part.endswith(("ss", "us", "is")) else part
