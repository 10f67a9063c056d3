"""Names of metabolites: normalised to be compared, and taken apart into the chemistry that they spell out.

Names of the same compound differ in delimiters, Greek letters, HTML and formulas left in them, which normalisation
undoes. Names of different compounds often differ in one number or letter only: a locant, a chain length, a stereo
descriptor, a phosphate group, an oxidation state. No measure of similarity between texts sees that, so the name is
read for them.
"""

import html
import math
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from bioft.datasets import data

MAX_LENGTH = 1_000
"""Characters of a name that are looked at: the longest name in BiGG and ModelSEED has a third of that."""

_TABLES = data("names.toml", __package__)
GREEK: dict[str, str] = _TABLES["greek"]
"""Names of Greek letters by their lower-case letter; capitals are folded first."""
FUNCTIONAL_GROUPS = tuple(_TABLES["functional_groups"].split())
"""Functional groups (and added or missing hydrogen) as names spell them."""
ELEMENTS = frozenset(_TABLES["elements"].split())
"""Symbols that formulas of metabolites have; R and X stand for the rest of a molecule."""

_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_LATEX_COMMAND = re.compile(r"\\([A-Za-z]+)")
_PRIMES = str.maketrans({"′": "'", "’": "'", "‘": "'", "`": "'", "´": "'", "″": "''", "“": '"', "”": '"'})
_DASHES = re.compile(r"[‐‑‒–—―−]")
# "[c]" and "(in cytosol)" of models; "-c0", "_c0" and "[c0]" of ModelSEED and gapseq ("-d3" is deuterium).
_COMPARTMENT = re.compile(r"\s*(?:\[[a-z]{1,2}\d?\]|\(in [A-Za-z ]{1,60}\)|[-_ ][ceghlmnprsuvwx]0)$")
_ELEMENT = re.compile(r"([A-Z][a-z]?)(\d*)")
_FORMULA = re.compile(r"(?:[A-Z][a-z]?\d*)+")
_SIGN = re.compile(r"\(([+-]|\+/-|±)\)")
_SIGNS = {"+": "plus", "-": "minus", "+/-": "plusminus", "±": "plusminus"}
_ALPHANUMERIC = re.compile(r"[^\W_]+")
_GREEK_NAMES = frozenset(GREEK.values())
_BETWEEN_DIGITS = re.compile(r"(?<=\d)[\W_]+(?=\d)")


@lru_cache(maxsize=200_000)
def plain_text(name: str) -> str:
    """Return a name without mark-up, for people and encoders; case and delimiters stay.

    HTML and LaTeX are undone, Greek letters spelt out, typographic primes and dashes made plain, underscores made
    spaces; a compartment at the end ("[c]", "(in cytosol)", "-c0") and a formula at the end, as the names of some BiGG
    models have ("ATP C10H12N5O13P3"), are left out. Only the first `MAX_LENGTH` characters are looked at.
    """
    text = html.unescape(name[: 4 * MAX_LENGTH])
    text = _TAG.sub("", text)
    if any(character in text for character in "\\${"):
        text = _LATEX_COMMAND.sub(lambda m: m[1] if m[1].lower() in _GREEK_NAMES else "", text)
        text = re.sub(r"[\\${}^]|_(?=\{)", "", text)
    if not text.isascii():  # letter by letter is slow, and most names need none of it
        text = _DASHES.sub("-", unicodedata.normalize("NFKC", text.translate(_PRIMES)))
        text = "".join(GREEK.get(character.lower(), character) for character in text)
    text = " ".join(text.translate(_PRIMES).replace("_", " ").split())[:MAX_LENGTH].strip()
    text = _COMPARTMENT.sub("", text) or text
    head, formula = split_formula(text)
    return head if formula else text


def split_formula(name: str) -> tuple[str, str]:
    """Return a name and the formula at its end ("" where there is none).

    A formula is a last word of two elements with numbers at least, which "B12" and "NO2" are not, or one that
    repeats the whole name ("CO2 CO2").
    """
    head, _, tail = name.rpartition(" ")
    head = head.strip()
    counts = parse_formula(tail) if head else None
    if not counts or not any(character.isdigit() for character in tail):
        return name, ""
    numbers = sum(bool(number) for _, number in _ELEMENT.findall(tail))
    return (head, tail) if numbers >= 2 or head == tail else (name, "")


def parse_formula(formula: str) -> dict[str, int] | None:
    """Return the number of atoms of each element; None for what is no formula, such as "(C6H10O5)n"."""
    if not _FORMULA.fullmatch(formula):
        return None
    counts: Counter[str] = Counter()
    for element, number in _ELEMENT.findall(formula):
        if element not in ELEMENTS:
            return None
        counts[element] += int(number or 1)
    return dict(counts)


@lru_cache(maxsize=200_000)
def normalise(name: str) -> str:
    """Return the key that is equal for names that differ in mark-up, case and delimiters only.

    It is `plain_text` without case, accents and everything but letters and digits; a space stays between numbers,
    so that 2,3 is not 23, and the sign of an optical rotation stays as a word. A name without any letter or digit
    keeps its characters.
    """
    text = _SIGN.sub(lambda match: _SIGNS[match[1]], plain_text(name)).casefold()
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    words = _ALPHANUMERIC.findall(_BETWEEN_DIGITS.sub(" ", text))
    key = ""
    for word in words:
        key += f" {word}" if key and key[-1].isdigit() and word[0].isdigit() else word
    return key or text.strip()


_OPTIONAL = re.compile(r"(?<=[A-Z])\([A-Z]\)")


def optional_parts(name: str) -> tuple[str, ...]:
    """Return the letters that a name has in brackets behind a letter: "(P)" in NAD(P)H, which is not NADPH alone.

    `normalise` drops the brackets, as it does those that are delimiters.
    """
    return tuple(_OPTIONAL.findall(plain_text(name)))


def without_brackets(name: str) -> str:
    """Return a name without the brackets of `optional_parts`: NADPH for NAD(P)H."""
    return _OPTIONAL.sub(lambda match: match[0][1], plain_text(name))


_ANY = "[^a-z0-9]*"  # delimiters, whichever
_STANDARD_TERMS = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (rf"co-?enzyme{_ANY}a\b", "coa"),
        (rf"acyl{_ANY}carrier{_ANY}protein", "acp"),
        (r"sulph", "sulf"),
        (rf"(?:pyro|bis){_ANY}(?=phosph)", "di"),
        (r"oic[^a-z0-9]+acid\b", "oate"),
        (r"ic[^a-z0-9]+acid\b", "ate"),
        (r"ous[^a-z0-9]+acid\b", "ite"),
        (r"keto(?!l)", "oxo"),
        (r"eicos", "icos"),
    )
)
_NUCLEOTIDE = re.compile(
    rf"(?:2'?{_ANY})?(deoxy)?-?(adenosine|guanosine|cytidine|uridine|thymidine|inosine|xanthosine){_ANY}(?:5{_ANY})?"
    r"(mono|di|tri)-?phosphate"
)


def standard_name(name: str) -> str:
    """Return the key that is also equal for the usual variants of nomenclature.

    It is `normalise` after "-ic acid" was made "-ate", "pyrophosphate" and "bisphosphate" "diphosphate", "coenzyme
    A" "CoA", "acyl carrier protein" "ACP", "keto" "oxo", "sulph" "sulf" and "adenosine 5'-triphosphate" and its like
    "ATP".
    """
    text = plain_text(name).casefold()
    for pattern, replacement in _STANDARD_TERMS:
        text = pattern.sub(replacement, text)
    return normalise(_NUCLEOTIDE.sub(_abbreviation, text))


def _abbreviation(nucleotide: re.Match[str]) -> str:
    """ATP for adenosine 5'-triphosphate; dTTP for thymidine's, with "deoxy" or without."""
    deoxy, nucleoside, number = nucleotide.groups()
    return f"{'d' if deoxy or nucleoside == 'thymidine' else ''}{nucleoside[0]}{number[0]}p"


AGREEMENT = ("chains", "locants", "stereo", "phosphates", "oxidation", "groups")
"""The aspects of `NameChemistry` that `agreement` compares."""


@dataclass(frozen=True)
class NameChemistry:
    """What a name spells out; empty or 0 where it says nothing."""

    chains: frozenset[str]
    """Acyl and alkyl chains of 4 carbons or more, "carbons:double bonds", with "iso" or "anteiso" before it."""
    locants: tuple[int, ...]
    """The other numbers, in rising order: locants, and counts as in menaquinone 8."""
    stereo: frozenset[str]
    """Stereo descriptors, such as D, S, trans, alpha, plus or meso; E and Z as trans and cis."""
    phosphates: int
    """Phosphate groups, those of nucleotide abbreviations included: 3 in ATP, 3 in UDP-glucose 6-phosphate."""
    oxidation: frozenset[str]
    """Oxidized or reduced (NADH, quinol, ferro-, …), and Roman numerals (cob(II)alamin; Fe3+ is III)."""
    groups: tuple[tuple[str, int], ...]
    """The names in `FUNCTIONAL_GROUPS` that occur, and how often."""


_STEMS: dict[str, int] = _TABLES["carbons"]
_TRIVIAL_STEMS: dict[str, str] = _TABLES["chains"]
_DOUBLE_BONDS = {"di": 2, "tri": 3, "tetra": 4, "penta": 5, "hexa": 6}
_BRANCH = "(anteiso|iso)?"
_SYSTEMATIC_CHAIN = re.compile(
    rf"{_BRANCH}({'|'.join(_STEMS)})(?:-?(?:\d+[ez]?[-, ]+)*(?:a?({'|'.join(_DOUBLE_BONDS)}))?(en)|an|yl)"
)
_TRIVIAL_CHAIN = re.compile(rf"{_BRANCH}({'|'.join(_TRIVIAL_STEMS)})(?=oyl|yl|ate|at|ic|in)")
# 16:1 and C15:0; also C18 1 and C150 (no chain is that long), which lost the colon in the names of some BiGG models.
_COUNTED_CHAIN = re.compile(rf"{_BRANCH}[- ]?(?:(?<!\d)c?(\d\d?):(\d\d?)(?!\d)|\bc(\d\d) ?(\d)(?!\d))")
_SPLIT_STEM = re.compile(r"\b((?:tri|tetra|penta|hexa|hepta|octa|nona)) ?- ?(?=dec)")

_STEREO_FAMILIES = (
    {"D", "L", "DL"}, {"R", "S"}, {"cis", "trans"}, {"alpha", "beta"}, {"plus", "minus", "plusminus"},
    {"erythro", "threo", "meso"}, {"myo", "scyllo", "chiro", "neo", "muco"},
)  # fmt: skip
_OXIDATION_FAMILIES = ({"oxidized", "reduced"}, {"I", "II", "III", "IV", "V", "VI"})
_STEREO_WORD = re.compile(
    r"(?<![a-z])(cis|trans|alpha|beta|erythro|threo|meso|myo|scyllo|chiro|neo|muco)(?![a-z])", re.IGNORECASE
)
_D_OR_L = re.compile(r"(?<![A-Za-z])(DL|D|L)(?=[-( ]|$)")
_BRACKETED_DESCRIPTORS = re.compile(r"\(([\dRSEZ',]+)\)")
# "S" before a letter is the sulfur that something is bound to.
_R_OR_S = re.compile(r"(?<![A-Za-z(])(?:([RS])[- ](?=\d)|(R)[- ](?=[A-Za-z]))")
_E_OR_Z = re.compile(r"\d([EZ])(?![A-Za-z])")
_ALPHA_OR_BETA = re.compile(r"(?<![A-Za-z])([ab])-(?=[DL]-)")
_DESCRIPTORS = {"E": "trans", "Z": "cis", "a": "alpha", "b": "beta"}

_PHOSPHATE = re.compile(
    r"(pyro|bis|di|tris|tri|tetrakis|tetra|pentakis|penta|hexakis|hexa)?[- ]?phosph(?!atid|olip|in)", re.IGNORECASE
)
_PHOSPHATE_NUMBERS: dict[str, int] = _TABLES["phosphates"]
_NUCLEOTIDE_ABBREVIATION = re.compile(r"(?<![A-Za-z])[dcDC]?[ACGTUIX]([MDT])P(?![A-Z])")
_NADP = re.compile(r"(?<![A-Za-z])NADP")
_REDUCED = re.compile(r"NADP?H|FADH2|FMNH2|(?i:reduced|quinol|ferro)|[- ]red\b")
_OXIDIZED = re.compile(r"(?<![A-Za-z])(?:NADP?|FAD|FMN)(?![A-Za-z])|(?i:oxidi[sz]ed|quinone|ferri)|[- ]ox\b")
_ROMAN = re.compile(r"(?<![A-Za-z])(I{1,3}|IV|VI?)(?![A-Za-z])")
_METAL_ION = re.compile(r"\b[A-Z][a-z](?:([123])\+|\(([123])\+\))")
_NUMBER = re.compile(r"\d{1,9}")


@lru_cache(maxsize=200_000)
def read_chemistry(name: str) -> NameChemistry:
    """Read what a name spells out of the compound's structure."""
    text = plain_text(name)
    for ion in _METAL_ION.findall(text):
        text += f" ({'I' * int(ion[0] or ion[1])})"
    text = _METAL_ION.sub(" ", text)
    lower = _SPLIT_STEM.sub(r"\1", text.casefold()).replace("eicos", "icos")
    chains = {_chain(match[1], match[2] or match[4], match[3] or match[5]) for match in _COUNTED_CHAIN.finditer(lower)}
    for match in _SYSTEMATIC_CHAIN.finditer(lower):
        double_bonds = _DOUBLE_BONDS.get(match[3], 1) if match[4] else 0
        chains.add(_chain(match[1], _STEMS[match[2]], double_bonds))
    for match in _TRIVIAL_CHAIN.finditer(lower):
        chains.add(_chain(match[1], *_TRIVIAL_STEMS[match[2]].split(":")))
    groups = Counter({group: lower.count(group) for group in FUNCTIONAL_GROUPS if group not in ("phospho", "keto")})
    groups["oxo"] += lower.count("keto")
    return NameChemistry(
        chains=frozenset(chains),
        locants=tuple(sorted(map(int, _NUMBER.findall(_COUNTED_CHAIN.sub(" ", lower))))),
        stereo=_stereo(text),
        phosphates=_phosphates(text),
        oxidation=_oxidation(text),
        groups=tuple(sorted((group, n) for group, n in groups.items() if n)),
    )


def _chain(branch: str | None, carbons: int | str, double_bonds: int | str) -> str:
    return f"{branch or ''} {int(carbons)}:{int(double_bonds)}".strip()


def _stereo(text: str) -> frozenset[str]:
    found = {word.lower() for word in _STEREO_WORD.findall(text)} | set(_D_OR_L.findall(text))
    found |= {_SIGNS[sign] for sign in _SIGN.findall(text)}
    letters = "".join(_BRACKETED_DESCRIPTORS.findall(text)) + "".join(_E_OR_Z.findall(text))
    letters += "".join(a or b for a, b in _R_OR_S.findall(text)) + "".join(_ALPHA_OR_BETA.findall(text))
    return frozenset(found | {_DESCRIPTORS.get(letter, letter) for letter in letters if letter.isalpha()})


def _phosphates(text: str) -> int:
    spelt = sum(_PHOSPHATE_NUMBERS.get(prefix.lower(), 1) for prefix in _PHOSPHATE.findall(text))
    abbreviated = sum("MDT".index(letter) + 1 for letter in _NUCLEOTIDE_ABBREVIATION.findall(text))
    return spelt + abbreviated + len(_NADP.findall(text))


def _oxidation(text: str) -> frozenset[str]:
    states = {"reduced": _REDUCED, "oxidized": _OXIDIZED}
    return frozenset(_ROMAN.findall(text)) | {state for state, pattern in states.items() if pattern.search(text)}


def agreement(left: NameChemistry, right: NameChemistry) -> dict[str, float]:
    """Return how two names agree in each aspect of `AGREEMENT`, from -1 to 1.

    1: both say the same. 0: at least one says nothing. -1: they say different things. Between -1 and 0: numbers of
    one that are all in the other (-0.5), phosphate groups that only one has (-0.5), and functional groups that are
    partly the same.
    """
    return {
        "chains": _compare(left.chains, right.chains),
        "locants": _compare_numbers(left.locants, right.locants),
        "stereo": _compare_families(left.stereo, right.stereo, _STEREO_FAMILIES),
        "phosphates": _compare_counts(left.phosphates, right.phosphates),
        "oxidation": _compare_families(left.oxidation, right.oxidation, _OXIDATION_FAMILIES),
        "groups": _compare_groups(Counter(dict(left.groups)), Counter(dict(right.groups))),
    }


def differences(left: NameChemistry, right: NameChemistry) -> list[str]:
    """Return what two names disagree in, each as a phrase such as "numbers 6 against 1"."""
    words = {"locants": "numbers", "phosphates": "phosphate groups"}
    return [
        f"{words.get(aspect, aspect)} {_listed(left, aspect)} against {_listed(right, aspect)}"
        for aspect, agreed in agreement(left, right).items()
        if agreed < 0
    ]


def _listed(chemistry: NameChemistry, aspect: str) -> str:
    values: Any = [chemistry.phosphates] if aspect == "phosphates" else getattr(chemistry, aspect)
    if aspect == "groups":
        values = [name if n == 1 else f"{n} {name}" for name, n in values]
    return ", ".join(map(str, sorted(values))) or "none"


def _compare(left: frozenset[str], right: frozenset[str]) -> float:
    return (1.0 if left == right else -1.0) if left and right else 0.0


def _compare_numbers(left: tuple[int, ...], right: tuple[int, ...]) -> float:
    if not left or not right:
        return 0.0
    if left == right:
        return 1.0
    missing, additional = Counter(left) - Counter(right), Counter(right) - Counter(left)
    return -1.0 if missing and additional else -0.5


def _compare_counts(left: int, right: int) -> float:
    if left == right:
        return 1.0 if left else 0.0
    return -1.0 if left and right else -0.5


def _compare_families(left: frozenset[str], right: frozenset[str], families: tuple[set[str], ...]) -> float:
    """-1 if any family is told differently, 1 if all that both tell are the same."""
    compared = [_compare(left & family, right & family) for family in families]
    return min(compared) if -1.0 in compared else max(compared)


def _compare_groups(left: Counter[str], right: Counter[str]) -> float:
    if not left or not right:
        return -0.5 if left or right else 0.0
    return 4 * (left & right).total() / (left.total() + right.total()) - 1


def formula_agreement(
    left: str, right: str, left_charge: float | None = None, right_charge: float | None = None
) -> str:
    """Compare two formulas: "same", "protonation", "different" or "unknown".

    "protonation": the same but for hydrogen, as far as the charges explain it where both are known, else up to
    4 atoms. "unknown": one is missing, is no formula, or has an unspecified rest (R, X).
    """
    ours, theirs = parse_formula(left), parse_formula(right)
    if not ours or not theirs or not {"R", "X"}.isdisjoint({*ours, *theirs}):
        return "unknown"
    if ours == theirs:
        return "same"
    hydrogen = ours.pop("H", 0) - theirs.pop("H", 0)
    if ours != theirs:
        return "different"
    charges = (left_charge, right_charge)
    if any(charge is None or math.isnan(charge) for charge in charges):
        return "protonation" if abs(hydrogen) <= 4 else "different"
    return "protonation" if hydrogen == left_charge - right_charge else "different"  # type: ignore[operator]


def charge_agreement(left: float | None, right: float | None) -> str:
    """Compare two charges: "same", "different", or "unknown" where one is missing (None or NaN)."""
    if left is None or right is None or math.isnan(left) or math.isnan(right):
        return "unknown"
    return "same" if left == right else "different"
