"""Names that rules of nomenclature let one write in several ways, and names of other compounds that look alike."""

import pytest

from bioft.datasets.metabolites.names import MAX_LENGTH, standard_name
from bioft.datasets.metabolites.nomenclature import one_notation, parts, same_parts
from bioft.datasets.metabolites.short_forms import spelt_out
from bioft.tasks.name_alignment.features import NOTATION, NOTATION_FEATURES, SAME_PARTS, Metabolite

SAME = [
    ("Pentanoate", "n-Valeric acid", "valeric acid", "pentanoic acid"),
    ("Glutarate", "Pentanedioic acid", "pentane-1,5-dioic acid"),
    ("4-Hydroxybutanoyl-CoA", "4-hydroxybutyryl-CoA", "gamma-hydroxybutyryl-CoA"),
    ("4-Hydroxybenzoate", "p-hydroxybenzoate", "p-hydroxybenzoic acid", "benzoic acid, 4-hydroxy-"),
    ("Hexadecanal", "palmitaldehyde", "palmitic aldehyde"),
    ("Stearoyl-CoA (n-C18:0CoA)", "stearyl-CoA", "octadecanoyl-CoA"),
    ("1-Acyl-sn-glycero-3-phosphoethanolamine (n-C14:0)", "1-Acyl-sn-glycero-3-phosphoethanolamine tetradecanoyl"),
    ("Phosphatidylserine (didodecanoyl, n-C12:0)", "phosphatidylserine didodecanoyl"),
    ("9,12-octadecadienoate", "octadeca-9,12-dienoate", "linoleic acid", "(9Z,12Z)-octadecadienoic acid"),
    ("Propan-1-ol", "1-propanol", "propane-1-ol", "n-propyl alcohol"),
    ("Butane-2,3-diol", "2,3-butanediol"),
    ("L-Alanyl-L-glutamate", "L-Ala-L-Glu", "L-alanine-L-glutamate"),
    ("L-Rhamnulose 1-phosphate", "L-rhamnulose-1-P"),
    ("D-Fructose 1,6-bisphosphate", "D-fructose-1,6-P2", "D-fructose 1,6-diphosphate"),
    ("1D-myo-Inositol 1-phosphate", "D-myo-inositol 1-phosphate"),
    ("GMP", "guanylate", "guanylic acid"),
    ("dAMP", "deoxyadenylate"),
    ("3',5'-Cyclic AMP", "cyclic AMP", "cAMP", "adenosine 3',5'-cyclic phosphate"),
    ("10-Formyltetrahydrofolate", "10-formyl-THF"),
    ("3-Dehydro-L-gulonate", "3-keto-L-gulonate"),
    ("alpha-D-Galactosyl", "alpha-D-galactopyranosyl"),
    ("Phosphocholine", "phosphorylcholine"),
    ("Lactate", "2-hydroxypropanoic acid", "2-hydroxypropionate"),
    ("Riboflavin", "Vitamin B2"),
]
SAME_BUT_FOR_ORDER = [
    ("6-Amino-2-oxohexanoate", "2-oxo-6-aminocaproate"),
    ("Choline phosphate", "phosphocholine"),
    ("L-Normetanephrine", "normetanephrine"),
    ("O-acetyl-L-serine", "O-acetylserine"),
    ("CDP-6-deoxy-alpha-D-glucose", "CDP-6-deoxy-D-glucose"),
    ("D-myo-inositol (1,3,4)-trisphosphate", "Inositol 1,3,4-triphosphate"),
    ("All-trans-retinol", "retinol"),
    ("(2R,3S)-2-methylisocitrate", "2-Methylisocitrate"),
]
APART = [
    ("2-Oxobutanoate", "3-Oxobutanoate"),
    ("Butanoate", "Isobutyrate"),
    ("Glucose 1-phosphate", "Glucose 6-phosphate"),
    ("Glucose 6-phosphate", "Glucose 1,6-bisphosphate"),
    ("N-acetylserine", "O-acetylserine"),
    ("Ala-Gly", "Gly-Ala"),
    ("Stearyl alcohol", "Stearate"),
    ("alpha-Linolenate", "gamma-linolenate"),
    ("Octadecanoyl-phosphate (n-C18:0)", "Octadecanoyl-phosphate (n-C18:1)"),
    ("Phosphatidylglycerol (dihexadecanoyl, n-C16:0)", "Phosphatidylglycerol (ditetradecanoyl, n-C14:0)"),
    ("2-Propanol", "1-Propanol"),
    ("Cholesterol", "7-Dehydrocholesterol"),
    ("p-Benzoquinone", "o-Benzoquinone"),
    ("Ethanolamine", "Ethanol"),
    ("Malonate", "Malate"),
]


def key(name: str) -> str:
    return standard_name(NOTATION.text(name))


@pytest.mark.parametrize("same", SAME, ids=lambda same: same[0])
def test_one_notation(same: tuple[str, ...]) -> None:
    assert len({key(name) for name in same}) == 1, {name: NOTATION.text(name) for name in same}
    for name in same:
        assert one_notation(NOTATION.text(name)) == NOTATION.text(name), "it is left as it is"


@pytest.mark.parametrize(("left", "right"), SAME_BUT_FOR_ORDER)
def test_parts_in_any_order_and_without_what_is_left_out(left: str, right: str) -> None:
    assert parts(NOTATION.text(left)) == parts(NOTATION.text(right))
    found = dict(zip(NOTATION_FEATURES, NOTATION.pair_features(Metabolite(left), Metabolite(right), 0.5), strict=True))
    assert found["same_notation"] == (1 if key(left) == key(right) else SAME_PARTS) and found["parts_similarity"] == 1
    assert "same name" in NOTATION.reasons(Metabolite(left), Metabolite(right))


@pytest.mark.parametrize(("left", "right"), APART)
def test_other_compounds_stay_apart(left: str, right: str) -> None:
    assert key(left) != key(right) and parts(NOTATION.text(left)) != parts(NOTATION.text(right))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("L-Lactaldehyde", "D-Lactaldehyde"),
        ("D,Aspartate", "L-Aspartate"),
        ("(R)-Hydroxyhexanoyl-CoA", "(S)-Hydroxyhexanoyl-CoA"),
        ("Phosphatidylcholine (16:1(9Z)/18:2)", "Phosphatidylcholine(18:2/16:1(9Z))"),
        ("Triacylglycerol (18:1(11Z)/16:0)", "Triacylglycerol (18:1(9Z)/16:0)"),
    ],
)
def test_what_both_say_differently_is_not_left_out(left: str, right: str) -> None:
    assert same_parts(*map(NOTATION.text, (left, right))) == 0
    assert "leaves out" not in NOTATION.reasons(Metabolite(left), Metabolite(right))
    assert same_parts(*map(NOTATION.text, (left, left.replace("-", " ")))) == 1


@pytest.mark.parametrize(
    ("written", "name"),
    [("ATP⁴⁻", "ATP"), ("ATP<sup>4-</sup>", "ATP"), ("ATP(4-)", "ATP"), ("Cl⁻", "Chloride"), ("Ca²⁺", "Calcium")],
)
def test_raised_charges_are_charges(written: str, name: str) -> None:
    assert spelt_out(written) == name


@pytest.mark.parametrize(
    "unit", ["1,2-", "(2R,", "(9Z,", "oxo-", "L-Ala-", "phospho", "-1-P", "n-C16:0)", " C1H1", "a, "]
)
def test_no_name_makes_the_rules_backtrack(unit: str) -> None:
    name = (unit * MAX_LENGTH)[:MAX_LENGTH]
    assert len(parts(one_notation(name))) <= 4 * MAX_LENGTH
