"""What speaks for and against two names being those of one compound, as numbers for the scorer and as words."""

from collections.abc import Callable
from dataclasses import dataclass, field

from bioft.datasets.metabolites.names import (
    AGREEMENT,
    agreement,
    charge_agreement,
    differences,
    formula_agreement,
    normalise,
    plain_text,
    read_chemistry,
    standard_name,
    without_brackets,
)
from bioft.datasets.metabolites.short_forms import spelt_out

STRINGS = ("n_grams", "edit_similarity", "word_similarity", "standard_similarity", "same_normalised", "same_standard")
FORMULAS = ("same", "protonation", "different")
CHARGES = ("same", "different")
FEATURES = (
    *STRINGS,
    *(f"{aspect}_{outcome}" for aspect in AGREEMENT for outcome in ("agree", "disagree")),
    *(f"formula_{outcome}" for outcome in FORMULAS),
    *(f"charge_{outcome}" for outcome in CHARGES),
)
"""The features of a pair of names, in order: similarities of the strings, what the names spell out of the structure
(see `metabolite_names.agreement`), and whether formulas and charges are the same, where both are known."""
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
    left, right = plain_text(ours).casefold(), plain_text(theirs).casefold()
    standard_left, standard_right = standard_name(ours), standard_name(theirs)
    compared = agreement(read_chemistry(ours), read_chemistry(theirs))
    formula = formula_agreement(query.formula, candidate.formula, query.charge, candidate.charge)
    charge = charge_agreement(query.charge, candidate.charge)
    return [
        n_grams,
        fuzz.ratio(left, right) / 100,
        fuzz.token_sort_ratio(left, right) / 100,
        fuzz.ratio(standard_left, standard_right) / 100,
        float(normalise(ours) == normalise(theirs)),
        float(standard_left == standard_right),
        *(part for aspect in AGREEMENT for part in (max(compared[aspect], 0.0), min(compared[aspect], 0.0))),
        *(float(formula == outcome) for outcome in FORMULAS),
        *(float(charge == outcome) for outcome in CHARGES),
    ]


def reasons(query: Metabolite, candidate: Metabolite, similarity: float | None = None) -> str:
    """Say in words what speaks for and against a pair, the strongest first; joined by "; "."""
    if normalise(query.name) == normalise(candidate.name):
        found = ["same name" if query.name.strip() == candidate.name.strip() else "same name but for delimiters"]
    elif standard_name(spelt_out(query.name)) == standard_name(spelt_out(candidate.name)):
        found = ["same name in another notation"]
    else:
        from rapidfuzz import fuzz

        ratio = fuzz.ratio(plain_text(query.name).casefold(), plain_text(candidate.name).casefold())
        found = [f"names are {ratio:.0f} % the same"]
        if similarity is not None:
            found.append(f"embeddings similar to {similarity:.2f}")
    formula = formula_agreement(query.formula, candidate.formula, query.charge, candidate.charge)
    found += {
        "same": ["same formula"],
        "protonation": ["same formula but for protons"],
        "different": [f"formulas differ ({query.formula} against {candidate.formula})"],
        "unknown": [],
    }[formula]
    if charge_agreement(query.charge, candidate.charge) == "different" and formula != "protonation":
        found.append(f"charges differ ({query.charge:+.0f} against {candidate.charge:+.0f})")
    chemistry = [read_chemistry(spelt_out(each.name)) for each in (query, candidate)]
    found += [f"differ in {difference}" for difference in differences(*chemistry)]
    return "; ".join(found)


CHEMISTRY = Reading(
    FEATURES,
    spelt_out,
    lambda name: normalise(spelt_out(without_brackets(name))),
    pair_features,
    reasons,
    n_grams=(2, 4),
)
"""How names of metabolites are compared."""
