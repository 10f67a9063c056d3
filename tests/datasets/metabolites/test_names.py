"""Names of metabolites: what normalisation makes equal and what it keeps apart; the chemistry that names spell out."""

import math

import pytest
from hypothesis import given, settings, strategies as st

from bioft.datasets.metabolites import names
from bioft.datasets.metabolites.names import (
    agreement,
    differences,
    normalise,
    plain_text,
    read_chemistry,
    standard_name,
)


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("&alpha;-D-glucose", "alpha-D-glucose"),
        ("α-D-Glucose", "alpha-D-Glucose"),
        ("Δ9-desaturated", "delta9-desaturated"),
        ("<i>N</i><sup>6</sup>-acetyl-L-lysine", "N6-acetyl-L-lysine"),
        ("&lt;i&gt;N&lt;/i&gt;-acetyl", "N-acetyl"),
        ("$\\alpha$-ketoglutarate", "alpha-ketoglutarate"),
        ("\\mathrm{H_{2}O}", "H2O"),
        ("5′-AMP", "5'-AMP"),
        ("2–oxo", "2-oxo"),
        ("Cl⁻", "Cl-"),
        ("_2-Oxobutanoate", "2-Oxobutanoate"),
        ("lipoteichoic_acid__linked", "lipoteichoic acid linked"),
        ("Cholate [c]", "Cholate"),
        ("Folate (in extracellular space)", "Folate"),
        ("ATP C10H12N5O13P3", "ATP"),
        ("Lipoylprotein H2S2X", "Lipoylprotein"),
        ("CO2 CO2", "CO2"),
        ("Starch n=27 repeat units", "Starch n=27 repeat units"),
        ("a (1->4) b < c", "a (1->4) b < c"),
    ],
)
def test_plain_text_undoes_mark_up_and_leaves_names_alone(written, plain):
    assert plain_text(written) == plain


@pytest.mark.parametrize(
    "name", ["Vitamin B12", "Factor F420", "Nitrite NO2", "Photosystem PSII", "C30H50", "H2O", "CoA"]
)
def test_what_looks_like_a_formula_is_kept_when_it_is_the_name(name):
    """Only a formula of two numbered elements behind a name is left out."""
    assert plain_text(name) == name
    assert names.split_formula(name) == (name, "")


def test_formulas():
    assert names.split_formula("Acetoin C4H8O2") == ("Acetoin", "C4H8O2")
    assert names.parse_formula("C6H12O6") == {"C": 6, "H": 12, "O": 6}
    assert names.parse_formula("CHClCl") == {"C": 1, "H": 1, "Cl": 2}
    for text in ("", "(C6H10O5)n", "CoA", "c6h12", "C6 H12", "12C"):
        assert names.parse_formula(text) is None


@pytest.mark.parametrize(
    "same",
    [
        ("glucose-6-phosphate", "Glucose 6 phosphate", "glucose_6_phosphate", "GLUCOSE(6)PHOSPHATE"),
        ("(R)-Acetoin", "R  Acetoin C4H8O2"),
        ("&beta;-alanine", "β-Alanine", "Beta Alanine [e]"),
        ("H<sub>2</sub>O", "h2o", "H2O H2O"),
        ("Hydroxyacyl-[acp]", "hydroxyacyl ACP"),
        ("Naïve acid", "naive acid"),
    ],
)
def test_normalise_makes_spellings_equal(same):
    assert len({normalise(name) for name in same}) == 1


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("2,3-dihydroxybenzoate", "23-dihydroxybenzoate"),
        ("(+)-limonene", "(-)-limonene"),
        ("L-lactate", "D-lactate"),
        ("Fe2+", "Fe3+"),
        ("(18:1)", "(18:11)"),
        ("alpha-D-glucose", "beta-D-glucose"),
    ],
)
def test_normalise_keeps_compounds_apart(left, right):
    assert normalise(left) != normalise(right)


def test_a_name_without_letters_keeps_its_characters():
    assert normalise("+++") == "+++"
    assert normalise("") == normalise(" _ ") == ""


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Lactic acid", "lactate"),
        ("Hexanoic acid", "Hexanoate"),
        ("Acetyl coenzyme A", "acetyl-CoA"),
        ("Malonyl-[acyl-carrier protein]", "malonyl ACP"),
        ("Geranyl pyrophosphate", "geranyl diphosphate"),
        ("D-Fructose 1,6-bisphosphate", "D-fructose 1,6-diphosphate"),
        ("2-ketobutyrate", "2-oxobutyric acid"),
        ("Hydrogen sulphide", "hydrogen sulfide"),
        ("adenosine 5'-triphosphate", "ATP"),
        ("Thymidine diphosphate", "dTDP"),
        ("2'-deoxythymidine 5'-diphosphate", "dTDP"),
        ("Deoxyguanosine-5'-monophosphate", "dGMP"),
    ],
)
def test_standard_name_sees_through_nomenclature(left, right):
    assert standard_name(left) == standard_name(right)
    assert normalise(left) != normalise(right)


def test_standard_name_keeps_compounds_apart():
    different = [
        "lactate",
        "lactaldehyde",
        "ketal",
        "oxal",
        "ATP",
        "dATP",
        "GTP",
        "adenosine 2'-triphosphate",
        "nitrous acid",
        "nitric acid",
    ]
    assert len({standard_name(name) for name in different}) == len(different)


@pytest.mark.parametrize(
    ("name", "chains"),
    [
        ("Fatty acid (Anteiso-C15:0)", {"anteiso 15:0"}),
        ("Anteiso C150 CoA C36H60N7O17P3S1", {"anteiso 15:0"}),
        ("CDP-1_2-dianteisopentadecanoylglycerol", {"anteiso 15:0"}),
        ("CDP-1,2-dioctadecanoylglycerol", {"18:0"}),
        ("1-Acyl-sn-glycerol (n-C18 1)", {"18:1"}),
        ("1,2-Diacyl-sn-glycerol (dioctadec-11-enoyl, n-C18:1)", {"18:1"}),
        ("dioctadec-9,12-dienoyl", {"18:2"}),
        ("12-methyl-3-hydroxy-tetra-decanoyl-ACP", {"14:0"}),
        ("Palmitoleoyl-CoA", {"16:1"}),
        ("linolenate", {"18:3"}),
        ("Eicosanoyl-CoA", {"20:0"}),
        ("TG(18:0/18:2(9Z,12Z))", {"18:0", "18:2"}),
        ("Hexaprenyl diphosphate", set()),
        ("D-Hexose", set()),
        ("decarboxylated", set()),
    ],
)
def test_chains(name, chains):
    assert read_chemistry(name).chains == chains


@pytest.mark.parametrize(
    ("name", "aspect", "value"),
    [
        ("D-glucose 6-phosphate", "locants", (6,)),
        ("2,3-Dihydroxybenzoate", "locants", (2, 3)),
        ("PE (16:1(9Z)/18:0)", "locants", (9,)),
        ("Fe2+", "locants", ()),
        ("alpha-D-glucose", "stereo", {"alpha", "D"}),
        ("a-D-glucose", "stereo", {"alpha", "D"}),
        ("(2R,3S)-3-hydroxy", "stereo", {"R", "S"}),
        ("S 3 Hydroxybutyryl CoA", "stereo", {"S"}),
        ("S-Adenosyl-L-methionine", "stereo", {"L"}),
        ("(+)-tartrate", "stereo", {"plus"}),
        ("(E)-but-2-enoate", "stereo", {"trans"}),
        ("trans,trans-Farnesyl", "stereo", {"trans"}),
        ("meso-2,6-Diaminoheptanedioate", "stereo", {"meso"}),
        ("ATP", "phosphates", 3),
        ("UDP-glucose 6-phosphate", "phosphates", 3),
        ("dTDPglucose", "phosphates", 2),
        ("Fructose 1,6-bisphosphate", "phosphates", 2),
        ("pyrophosphate", "phosphates", 2),
        ("Phosphatidylserine", "phosphates", 0),
        ("NADPH", "phosphates", 1),
        ("NADPH", "oxidation", {"reduced"}),
        ("NAD+", "oxidation", {"oxidized"}),
        ("Ubiquinol-8", "oxidation", {"reduced"}),
        ("Ferricytochrome c", "oxidation", {"oxidized"}),
        ("cob(II)alamin", "oxidation", {"II"}),
        ("Iron (Fe3+)", "oxidation", {"III"}),
        ("2-keto-3-deoxy-6-oxo", "groups", (("deoxy", 1), ("oxo", 2))),
        ("glycerol", "groups", ()),
    ],
)
def test_chemistry(name, aspect, value):
    assert getattr(read_chemistry(name), aspect) == value


@pytest.mark.parametrize(
    ("left", "right", "aspect", "value"),
    [
        ("CDP-1_2-dianteisopentadecanoylglycerol", "CDP-1,2-dioctadecanoylglycerol", "chains", -1),
        (
            "Dianteisopentadecanoylphosphatidylethanolamine",
            "Dianteisoheptadecanoylphosphatidylethanolamine",
            "chains",
            -1,
        ),
        ("Hexadecanoate", "palmitate", "chains", 1),
        ("diacylglycerol", "dihexadecanoylglycerol", "chains", 0),
        ("glucose 6-phosphate", "glucose 1-phosphate", "locants", -1),
        ("2-oxo-3-methylbutanoate", "3-methyl-2-oxobutanoate", "locants", 1),
        ("adenosine 5'-triphosphate", "ATP", "locants", 0),
        ("1D-myo-inositol 3-phosphate", "myo-inositol 3-phosphate", "locants", -0.5),
        ("D-alanine", "L-alanine", "stereo", -1),
        ("(S)-lactate", "L-lactate", "stereo", 0),
        ("alpha-D-glucose", "D-glucose", "stereo", 1),
        ("UDP", "UTP", "phosphates", -1),
        ("glucose", "glucose 6-phosphate", "phosphates", -0.5),
        ("NADH", "NAD+", "oxidation", -1),
        ("menaquinone 8", "menaquinol 8", "oxidation", -1),
        ("2-hydroxyadipate", "2-aminoadipate", "groups", -1),
        ("2-ketoadipate", "2-oxoadipate", "groups", 1),
        ("hydroxymethyl", "methyl", "groups", pytest.approx(1 / 3)),
    ],
)
def test_agreement(left, right, aspect, value):
    chemistry = read_chemistry(left), read_chemistry(right)
    assert agreement(*chemistry)[aspect] == value
    assert agreement(*reversed(chemistry))[aspect] == value


def test_differences_are_told_in_words():
    left, right = read_chemistry("D-glucose 6-phosphate"), read_chemistry("L-glucose 1-phosphate")
    assert differences(left, right) == ["numbers 6 against 1", "stereo D against L"]
    assert differences(left, left) == []
    assert differences(read_chemistry("glucose"), left) == ["phosphate groups 0 against 1"]


ANY_NAME = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.sampled_from(
            ["2", ",", "3", "-", "di", "hydroxy", "(", "R", ")", "C18:1", " ", "α", "<i>", "&", "_", "ate", "P"]
        ),
        max_size=25,
    ).map("".join),
)


@settings(max_examples=300, deadline=None)
@given(ANY_NAME, ANY_NAME)
def test_any_text_is_read(left, right):
    """No text breaks the readers; keys are stable; a name agrees with itself; agreement is symmetric and bounded."""
    key = normalise(left)
    if key.isascii():
        assert normalise(key) == key
    standard_name(left)
    ours, theirs = read_chemistry(left), read_chemistry(right)
    assert all(value in (0, 1) for value in agreement(ours, ours).values())
    compared = agreement(ours, theirs)
    assert compared == agreement(theirs, ours)
    assert all(-1 <= value <= 1 for value in compared.values())


def test_only_the_start_of_an_endless_name_is_looked_at():
    start = "hexadecanoyl-"
    assert normalise(start * 1000) == normalise((start * 1000)[: names.MAX_LENGTH])
    assert len(plain_text("x" * 10_000)) == names.MAX_LENGTH


@pytest.mark.parametrize(
    "unit",
    [
        "<",
        "<a",
        "(in ",
        "1",
        "but1",
        "C1",
        "but-1,",
        "&amp;",
        "(R",
        " ",
        "d-",
        "phosph",
        "hexahexa",
        "iso",
        "$\\a",
        "((",
        "C18:",
    ],
)
def test_no_name_makes_the_patterns_backtrack(unit):
    """A pattern that backtracks would not come to an end on a name of 10,000 characters."""
    name = unit * (10_000 // len(unit))
    assert len(normalise(name)) <= 2 * names.MAX_LENGTH
    assert len(standard_name(name)) <= 2 * names.MAX_LENGTH
    assert read_chemistry(name) == read_chemistry(plain_text(name))


@pytest.mark.parametrize(
    ("left", "right", "charges", "expected"),
    [
        ("C6H12O6", "C6H12O6", (0, 0), "same"),
        ("C3H5O3", "C3H6O3", (-1, 0), "protonation"),
        ("C3H5O3", "C3H6O3", (0, 0), "different"),
        ("C3H5O3", "C3H6O3", (None, math.nan), "protonation"),
        ("C18H36", "C18H30", (None, None), "different"),
        ("C3H5O3", "C3H5O4", (0, 0), "different"),
        ("", "C3H6O3", (0, 0), "unknown"),
        ("C3H6O3R", "C3H6O3R", (0, 0), "unknown"),
        ("(C6H10O5)n", "C6H10O5", (0, 0), "unknown"),
    ],
)
def test_formula_agreement(left, right, charges, expected):
    assert names.formula_agreement(left, right, *charges) == expected
    assert names.formula_agreement(right, left, *reversed(charges)) == expected


def test_charge_agreement():
    assert names.charge_agreement(-1, -1.0) == "same"
    assert names.charge_agreement(-1, 0) == "different"
    assert names.charge_agreement(None, 0) == names.charge_agreement(0, math.nan) == "unknown"
