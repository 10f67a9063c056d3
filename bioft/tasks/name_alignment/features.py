"""What speaks for and against two names being those of one compound, as numbers for the scorer and as words."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from bioft.datasets.metabolites import names as spelling
from bioft.datasets.metabolites.nomenclature import one_notation, parts, same_parts, systematic
from bioft.datasets.metabolites.short_forms import spelt_out

STRINGS = ("n_grams", "edit_similarity", "word_similarity", "standard_similarity", "same_normalised", "same_standard")
FORMULAS = ("same", "protonation", "different")
CHARGES = ("same", "different")
FEATURES = (
    *STRINGS,
    *(f"{aspect}_{outcome}" for aspect in spelling.AGREEMENT for outcome in ("agree", "disagree")),
    *(f"formula_{outcome}" for outcome in FORMULAS),
    *(f"charge_{outcome}" for outcome in CHARGES),
)
"""The features of a pair of names, in order: similarities of the strings, what the names spell out of the structure
(see `metabolite_names.agreement`), and whether formulas and charges are the same, where both are known."""
_IN_NOTATION = {"word_similarity": "parts_similarity", "same_standard": "same_notation"}
NOTATION_FEATURES = tuple(_IN_NOTATION.get(name, name) for name in FEATURES)
"""The same of names in one notation, with their parts in the place of their words."""
SAME_PARTS = 0.5
"""What `same_notation` is of names that have the same parts, in any order and but for what one leaves out."""
SAME_SPELT = 0.9
"""What `same_normalised` is in one notation of names that are the same once their short forms are written out."""
SIMILARITY = "embedding_similarity"
"""The feature that comes last where there is an encoder: the cosine of the embeddings."""


@dataclass(frozen=True, slots=True)
class Metabolite:
    """A name with what is known beside it; formula "" and charge NaN where nothing is."""

    name: str
    formula: str = ""
    charge: float = field(default=float("nan"))


@dataclass(frozen=True)
class Reading:
    """How names of a kind are compared."""

    features: tuple[str, ...]
    """The features of a pair of names; `STRINGS` come first."""
    text: Callable[[str], str]
    """What n-grams are taken of."""
    key: Callable[[str], str]
    """Equal for what counts as the same name."""
    pair_features: Callable[[Metabolite, Metabolite, float], list[float]]
    reasons: Callable[[Metabolite, Metabolite, float | None], str]
    n_grams: tuple[int, int]
    """The shortest and longest n-grams, in characters."""
    same_name_first: bool = False
    """Whether a candidate of the same name leads whatever speaks for others; of several the first of the namespace."""


def pair_features(query: Metabolite, candidate: Metabolite, n_grams: float) -> list[float]:
    """Return the values of `FEATURES` for a pair; `n_grams` is the similarity by TF-IDF of character n-grams."""
    from rapidfuzz import fuzz

    ours, theirs = spelt_out(query.name), spelt_out(candidate.name)
    left, right = spelling.plain_text(ours).casefold(), spelling.plain_text(theirs).casefold()
    standard_left, standard_right = spelling.standard_name(ours), spelling.standard_name(theirs)
    compared = spelling.agreement(spelling.read_chemistry(ours), spelling.read_chemistry(theirs))
    formula = spelling.formula_agreement(query.formula, candidate.formula, query.charge, candidate.charge)
    charge = spelling.charge_agreement(query.charge, candidate.charge)
    return [
        n_grams,
        fuzz.ratio(left, right) / 100,
        fuzz.token_sort_ratio(left, right) / 100,
        fuzz.ratio(standard_left, standard_right) / 100,
        float(spelling.normalise(ours) == spelling.normalise(theirs)),
        float(standard_left == standard_right),
        *(part for aspect in spelling.AGREEMENT for part in (max(compared[aspect], 0.0), min(compared[aspect], 0.0))),
        *(float(formula == outcome) for outcome in FORMULAS),
        *(float(charge == outcome) for outcome in CHARGES),
    ]


def reasons(query: Metabolite, candidate: Metabolite, similarity: float | None = None) -> str:
    """Say in words what speaks for and against a pair, the strongest first; joined by "; "."""
    same = spelling.standard_name(spelt_out(query.name)) == spelling.standard_name(spelt_out(candidate.name))
    return _reasons(query, candidate, similarity, "same name in another notation" if same else None)


def _reasons(query: Metabolite, candidate: Metabolite, similarity: float | None, alike: str | None) -> str:
    """The reasons; `alike` says how names are the same that differ in more than delimiters."""
    if spelling.normalise(query.name) == spelling.normalise(candidate.name):
        found = ["same name" if query.name.strip() == candidate.name.strip() else "same name but for delimiters"]
    elif alike:
        found = [alike]
    else:
        from rapidfuzz import fuzz

        ratio = fuzz.ratio(spelling.plain_text(query.name).casefold(), spelling.plain_text(candidate.name).casefold())
        found = [f"names are {ratio:.0f} % the same"]
        if similarity is not None:
            found.append(f"embeddings similar to {similarity:.2f}")
    formula = spelling.formula_agreement(query.formula, candidate.formula, query.charge, candidate.charge)
    found += {
        "same": ["same formula"],
        "protonation": ["same formula but for protons"],
        "different": [f"formulas differ ({query.formula} against {candidate.formula})"],
        "unknown": [],
    }[formula]
    if spelling.charge_agreement(query.charge, candidate.charge) == "different" and formula != "protonation":
        found.append(f"charges differ ({query.charge:+.0f} against {candidate.charge:+.0f})")
    chemistry = [spelling.read_chemistry(spelt_out(each.name)) for each in (query, candidate)]
    found += [f"differ in {difference}" for difference in spelling.differences(*chemistry)]
    return "; ".join(found)


CHEMISTRY = Reading(
    FEATURES,
    spelt_out,
    lambda name: spelling.normalise(spelt_out(spelling.without_brackets(name))),
    pair_features,
    reasons,
    n_grams=(2, 4),
)
"""How runs compare names of metabolites: as they stand."""


def _in_one_notation(name: str) -> str:
    return one_notation(spelt_out(name))


def _nearest(left: str, right: str) -> tuple[str, str]:
    """The most alike of the names in each: "Adipic acid; hexane-1,6-dioic acid" is two."""
    pairs = list(itertools.product(left.split("; "), right.split("; ")))
    if len(pairs) == 1:
        return pairs[0]
    from rapidfuzz import fuzz

    written = {pair: list(map(_in_one_notation, pair)) for pair in pairs}
    return max(pairs, key=lambda pair: (same_parts(*written[pair]), fuzz.ratio(*written[pair])))


def notation_features(query: Metabolite, candidate: Metabolite, n_grams: float) -> list[float]:
    """Return the values of `NOTATION_FEATURES` for a pair; `n_grams` is as in `pair_features`."""
    from rapidfuzz import fuzz

    normalise = spelling.normalise
    same = float(normalise(query.name) == normalise(candidate.name))
    same = same or SAME_SPELT * (normalise(spelt_out(query.name)) == normalise(spelt_out(candidate.name)))
    names = _nearest(candidate.name if same else query.name, candidate.name)
    ours, theirs = map(_in_one_notation, names)
    left, right = ours.casefold(), theirs.casefold()
    standard_left, standard_right = spelling.standard_name(ours), spelling.standard_name(theirs)
    parts_left, parts_right = (" ".join(map("".join, parts(each))) for each in (ours, theirs))
    compared = spelling.agreement(*(spelling.read_chemistry(systematic(spelt_out(name))) for name in names))
    formula = spelling.formula_agreement(query.formula, candidate.formula, query.charge, candidate.charge)
    charge = spelling.charge_agreement(query.charge, candidate.charge)
    return [
        n_grams,
        fuzz.ratio(left, right) / 100,
        fuzz.ratio(parts_left, parts_right) / 100,
        fuzz.ratio(standard_left, standard_right) / 100,
        same,
        1.0 if standard_left == standard_right else SAME_PARTS * same_parts(ours, theirs),
        *(part for aspect in spelling.AGREEMENT for part in (max(compared[aspect], 0.0), min(compared[aspect], 0.0))),
        *(float(formula == outcome) for outcome in FORMULAS),
        *(float(charge == outcome) for outcome in CHARGES),
    ]


def notation_reasons(query: Metabolite, candidate: Metabolite, similarity: float | None = None) -> str:
    """As `reasons`, of names in one notation."""
    names = [_in_one_notation(each) for each in _nearest(query.name, candidate.name)]
    alike = None
    if len({spelling.standard_name(name) for name in names}) == 1:
        alike = "same name in another notation"
    elif same_parts(*names):
        alike = "same name but for the order of its parts and what one leaves out"
    return _reasons(query, candidate, similarity, alike)


NOTATION = Reading(
    NOTATION_FEATURES,
    _in_one_notation,
    CHEMISTRY.key,
    notation_features,
    notation_reasons,
    n_grams=(2, 4),
    same_name_first=True,
)
"""How names of metabolites are compared without a run: in one notation."""
