"""JSON of users' files: what can be wrong with it is one message, and nothing of it is lost without a word."""

import ast
import json
import math
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from bioft.errors import BioftError, leaving_out
from bioft.storage.text_lines import TextLines

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
# Two halves of one character, half of one, or another escape (so that "\\ud800" is a backslash and letters).
_ESCAPES = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)

_ITEM = r"""'[^'\n]*'|"[^"\n]*"|[+-]?\d[\d.e+-]*"""
_OF_NUMPY = re.compile(rf"\[\s*(?:{_ITEM})(?:\s+(?:{_ITEM}))+\s*\]")
_OF_R = re.compile(r"c\(((?:\"[^\"]*\"|[\d., ])*)\)")
_HALF = re.compile("[\ud800-\udfff]")
TEXT_OR_NONE = (str, type(None))
NUMBER = (int, float)


def without_lone_surrogates(text: str) -> str:
    """JSON in which half characters (such as "\\ud83d" alone), which no tokenizer and no file takes, are U+FFFD."""
    if not _SURROGATE.search(text):
        return text
    return _ESCAPES.sub(lambda match: "\\ufffd" if match[1] else match[0], text)


def without_halves(text: str) -> str:
    """A text that JSON said, in which half characters are U+FFFD."""
    return text if text.isascii() else _HALF.sub("\ufffd", text)


def parse(text: str, place: str, hint: str = "", *, finite: bool = False) -> Any:
    """The value that JSON says; half characters become U+FFFD.

    BioftError: no JSON, a key that comes twice in an object, values nested too deeply or, if all must be `finite`, NaN
    and infinities, which JSON does not have; after `place`, with `hint` at the end.
    """
    try:
        number = _finite if finite else None
        plain = without_lone_surrogates(text)
        return json.loads(plain, object_pairs_hook=_distinct, parse_float=number, parse_constant=number)
    except RecursionError:
        problem = "lists and objects are nested too deeply"
    except ValueError as error:
        problem = f"not valid JSON ({error})"
    raise BioftError(f"{place}: {problem}. {hint}".strip())


def text_of(value: Any) -> str:
    """A cell as text: "" for nothing and for NaN, whole numbers without a point, lists as JSON."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)


def container(cell: str) -> list[Any] | dict[str, Any] | None:
    """The list or object that a program wrote as text into a cell: JSON, Python, NumPy or R; None for another cell."""
    if match := _OF_R.fullmatch(cell):
        cell = f"[{match[1]}]"
    if cell[:1] + cell.rstrip()[-1:] not in ("[]", "{}", "()"):
        return None
    if _OF_NUMPY.fullmatch(cell):  # to Python, texts without commas between them are one text
        return [ast.literal_eval(each) for each in re.findall(_ITEM, cell)]
    for read in (json.loads, ast.literal_eval):
        with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            value = read(cell)
            value = [*value] if isinstance(value, set | tuple) else value
            return value if isinstance(value, list | dict) else None
    return None


def rows(lines: TextLines, skipped: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """The objects of a file with one on each line; blank lines are none, and `lines.number` is the line.

    `skipped` takes a message for each line that is left out because it is no object; without it the first raises.
    """
    for line in filter(str.strip, lines):
        with leaving_out(skipped):
            place = f"{lines.path}, line {lines.number}"
            row = parse(line, place)
            if not isinstance(row, dict):
                raise BioftError(f"{place}: a {type(row).__name__} where a JSON object should be.")
            yield row


def wrong_in(value: Any, kind: Any, *, whole: bool = False, place: str = "") -> str:
    """What of a JSON value is not of a kind, in words; "" if nothing is.

    A kind is a type, a tuple of kinds, `[kind]` a list of such values, `{...: kind}` an object of such, and any other
    dict an object with kinds by key. Any of these may be missing, if it is to be `whole` those that end in "?" alone.
    """
    if isinstance(kind, tuple):
        # What is wrong inside an object or a list says more than that it is neither text nor number.
        found = []
        for each in kind:
            if not (why := wrong_in(value, each, whole=whole, place=place)):
                return ""  # before what the others are wrong in is put into words
            found.append(why)
        return max(found, key=len)
    if isinstance(kind, dict) and isinstance(value, dict):
        by_key = {f"{key}?": kind[...] for key in value} if ... in kind else kind
        for each, its in by_key.items():
            key = each.removesuffix("?")
            where = f"{place}.{key}".lstrip(".")
            if key not in value and whole and key == each:
                return f"it has no {where}"
            if key in value and (why := wrong_in(value[key], its, whole=whole, place=where)):
                return why
        return ""
    if isinstance(kind, list) and isinstance(value, list):
        by_place = (wrong_in(its, kind[0], whole=whole, place=f"{place}[{at}]") for at, its in enumerate(value))
        return next(filter(None, by_place), "")
    if isinstance(kind, type) and isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return ""
    return f"its {place} is {json.dumps(value)[:60]}"


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text[:40]} is no number")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for n, (key, _) in enumerate(pairs) if key in {other for other, _ in pairs[:n]})
        raise ValueError(f"the key {twice[:40]!r} comes twice in an object")
    return found
