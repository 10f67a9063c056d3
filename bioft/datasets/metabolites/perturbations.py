"""Other ways to write the name of a metabolite, and names that look alike but are of another compound."""

import re
from collections.abc import Callable

import numpy as np

from bioft.datasets.metabolites.names import FUNCTIONAL_GROUPS

DELIMITERS = "-_ ,()"
"""The characters that stand for each other in names."""

# The sign of an optical rotation is no delimiter: (+) and (-) are two compounds.
_SIGN_OR_DELIMITER = re.compile(r"\([+-]\)|[-_ ,()]")
_GROUP = re.compile(rf"(?:{'|'.join(FUNCTIONAL_GROUPS)})(?!l|xy)-?", re.IGNORECASE)

_HTML_LETTERS = {"alpha": "&alpha;", "beta": "&beta;", "gamma": "&gamma;", "omega": "&omega;"}
_GREEK_LETTERS = {"alpha": "α", "beta": "β", "gamma": "γ", "omega": "ω"}
_GREEK_NAME = re.compile(r"(?<![a-z&])(alpha|beta|gamma|omega)(?![a-z])", re.IGNORECASE)

_REWRITES: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (_GREEK_NAME.pattern, lambda match: _GREEK_LETTERS[match[1].lower()]),
    (_GREEK_NAME.pattern, lambda match: _HTML_LETTERS[match[1].lower()]),
    (r"(?<!phosph)(?<!sulf)(?<!arsen)(?<=[a-z]{3})ate$", "ic acid"),
    (r"(?<=[a-z]{3})ic acid$", "ate"),
    (r"CoA\b", "coenzyme A"),
    (r"(?<=[a-z] )diphosphate", "pyrophosphate"),
    (r"\[acyl[- ]carrier protein\]", "ACP"),
    (r"(?<![a-z])ACP\b", "[acyl-carrier protein]"),
    (r"oxo", "keto"),
    (r"sulf", "sulph"),
    (r"'", "′"),
    (r"(?<=[A-Z])(\d)(?=[A-Z]|$)", r"<sub>\1</sub>"),
    (r"(?<=[NOS])(\d)(?=-)", r"<sup>\1</sup>"),
    (r"^([DL]|alpha-D|beta-D)-(.+)$", r"\2, \1-"),
)
"""Patterns and what may stand there in another model: the same compound for anyone who reads it."""


def substitute_delimiters(name: str, rng: np.random.Generator) -> str:
    """The name with delimiters replaced at even odds (one at least) by others, as in MetaAlignGen; "" without any."""
    places = [match.start() for match in _SIGN_OR_DELIMITER.finditer(name) if len(match[0]) == 1]
    if not places:
        return ""
    chosen = rng.random(len(places)) < 0.5
    chosen[rng.integers(len(places))] = True
    characters = list(name)
    for place in np.asarray(places)[chosen]:
        others = [delimiter for delimiter in DELIMITERS if delimiter != characters[place]]
        characters[place] = str(rng.choice(others))
    return "".join(characters)


def remove_functional_group(name: str, rng: np.random.Generator) -> str:
    """Return the name without one of the functional groups in it: another compound; "" where it names none.

    Delimiters are substituted as well, as MetaAlignGen makes its negative pairs.
    """
    groups = [match for match in _GROUP.finditer(name) if len(match[0]) < len(name)]
    if not groups:
        return ""
    group = groups[rng.integers(len(groups))]
    rest = name[: group.start()] + name[group.end() :]
    return substitute_delimiters(rest, rng) or rest


def rewrite_notation(name: str, rng: np.random.Generator) -> str:
    """Return the name in one or two other notations of the same compound (`_REWRITES`); "" where none applies."""
    possible = [(pattern, replacement) for pattern, replacement in _REWRITES if re.search(pattern, name)]
    rng.shuffle(possible)
    rewritten = name
    for pattern, replacement in possible[: rng.integers(1, 3)]:
        rewritten = re.sub(pattern, replacement, rewritten)
    return rewritten if rewritten != name else ""
