"""Abbreviations that a document defines, with what they stand for.

The algorithm of Schwartz AS, Hearst MA. A simple algorithm for identifying abbreviation definitions in biomedical
text. Pac Symp Biocomput. 2003:451-62: the shortest words before "(ARF)" that hold its characters from right to left,
the first of them at the beginning of a word.
"""

import re

_BRACKETS = re.compile(r"[(\[]\s*([^()\[\]]{2,200}?)\s*[)\]]")
_SHORT = re.compile(r"(?=[^a-zA-Z]*[a-zA-Z])[\w][\w/&.+-]{1,9}(?: [\w-]{1,9})?")
_ENDS = re.compile(r"[,;:]| or | and ")
_SENTENCE = re.compile(r"[.;!?]\s")


def abbreviations(text: str) -> dict[str, str]:
    """The long form of each short form that a text defines, as "long (short)" or "short (long form)"."""
    found: dict[str, str] = {}
    for match in _BRACKETS.finditer(text):
        before = _SENTENCE.split(text[max(0, match.start() - 200) : match.start()])[-1].rstrip()
        inside = _ENDS.split(match[1])[0].strip()
        if _SHORT.fullmatch(inside) and len(inside.split()) <= 2:
            words = before.split()
            kept = words[-min(len(inside) + 5, 2 * len(inside)) :]
            if long := long_form(inside, " ".join(kept)):
                found.setdefault(inside, long)
            continue
        short = before.split()[-1] if before else ""
        if len(inside.split()) > 1 and _SHORT.fullmatch(short) and long_form(short, inside) == inside:
            found.setdefault(short, inside)
    return found


def long_form(short: str, before: str) -> str | None:
    """The shortest end of what stands before a short form that it may be short for; None if there is none."""
    place = len(before) - 1
    for index in range(len(short) - 1, -1, -1):
        character = short[index].casefold()
        if not character.isalnum():
            continue
        while place >= 0 and (
            before[place].casefold() != character or (index == 0 and place > 0 and before[place - 1].isalnum())
        ):
            place -= 1
        if place < 0:
            return None
        place -= 1
    start = before.rfind(" ", 0, place + 1) + 1
    long = before[start:]
    if len(long) <= len(short) or short in long.split():
        return None
    return long


def expanded(name: str, known: dict[str, str]) -> str:
    """A name with the long form in the place of each word, or run of words, that is a known short form."""
    if name in known:
        return known[name]
    for short, long in known.items():
        if short in name and long not in name:
            name = re.sub(rf"(?<![\w-]){re.escape(short)}(?!\w)", long.replace("\\", r"\\"), name)
    return name
