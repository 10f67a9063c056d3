"""Reading namespaces and models: real files, every format, and everything that can be wrong with a file."""

import gzip
import logging
import math
import shutil
from pathlib import Path

import cobra
import pytest
from cobra.io import load_json_model, save_json_model, save_yaml_model, write_sbml_model
from hypothesis import given, strategies as st

from bioft.datasets.metabolites import models, namespaces
from bioft.datasets.metabolites.models import model_metabolites, universal_ids
from bioft.datasets.metabolites.names import MAX_LENGTH, plain_text
from bioft.datasets.metabolites.namespaces import read_namespace
from bioft.datasets.metabolites.tables import COLUMNS, Row, problems, resolve_ids, to_table, universal_id
from bioft.errors import BioftError

COBRA_DATA = Path(cobra.__file__).parent / "data"
OBO_HEADER = "identifier\tname\tdefinition\tsynonyms\talts\tparents\tspecies\n"
BIGG_HEADER = "bigg_id\tuniversal_bigg_id\tname\tmodel_list\tdatabase_links\told_bigg_ids\n"


@pytest.fixture(scope="module")
def real(shared_data: Path) -> Path:
    return shared_data / "metabolites"


@pytest.fixture
def model() -> cobra.Model:
    """A made-up model: water in two compartments under two names, glucose, and a metabolite without a name."""
    made = cobra.Model("made_up")
    made.add_metabolites(
        [
            cobra.Metabolite("h2o_c", "H2O", "Water", 0, "c"),
            cobra.Metabolite("h2o_e", "H2O", "Water outside", 0, "e"),
            cobra.Metabolite("glc__D_c", "C6H12O6", "<i>D</i>-Glucose", 0, "c"),
            cobra.Metabolite("nameless_c", None, "", None, "c"),
        ]
    )
    made.metabolites.get_by_id("glc__D_c").annotation = {
        "kegg.compound": "C00031",
        "chebi": ["CHEBI:17634", "CHEBI:4167"],
    }
    reaction = cobra.Reaction("transport")
    reaction.add_metabolites({made.metabolites.h2o_c: -1, made.metabolites.h2o_e: 1})
    made.add_reactions([reaction])
    return made


def test_the_real_bigg_table(real: Path) -> None:
    table = read_namespace(real / "bigg.metabolite.tsv.gz")
    assert list(table.columns) == list(COLUMNS)
    assert len(table) == table["id"].nunique() == 9_088
    assert (table["name"] == "").sum() == 21
    by_id = table.set_index("id")
    assert by_id.loc["10fthf", "name"] == "10-Formyltetrahydrofolate"
    assert by_id.loc["10fthf", "compartments"] == "c|e|h|l|m|x"
    assert by_id.loc["cs_e", "compartments"] == "l"  # an id that ends like a compartment
    assert "bigg.metabolite:ala_DASH_D" in by_id.loc["ala__D", "cross_references"].split("|")
    assert table.attrs["source"]["terms"] == namespaces.BIGG_TERMS


def test_the_real_modelseed_names(real: Path) -> None:
    table = read_namespace(real / "Unique_ModelSEED_Compound_Names.txt.gz")
    assert len(table) == 77_742
    assert table["id"].nunique() == 33_413
    assert {"ATP", "adenosine-triphosphate"} <= set(table.loc[table["id"] == "cpd00002", "name"])
    assert table.attrs["source"]["terms"] == namespaces.MODELSEED_TERMS
    aliases = namespaces.read_aliases(real / "Unique_ModelSEED_Compound_Aliases.txt.gz")
    assert sum(map(len, aliases.values())) == 2_856
    assert aliases["cpd00002"] == ["atp"]


@pytest.mark.parametrize(("file", "n", "changed"), [("iYS854.json", 1_084, 29), ("iSB619.xml.gz", 577, 55)])
def test_real_models_and_their_ids_in_bigg(real: Path, file: str, n: int, changed: int) -> None:
    """Every metabolite of both models is one of BiGG, in whatever spelling of its id."""
    bigg = read_namespace(real / "bigg.metabolite.tsv.gz")
    table = read_namespace(real / file)
    assert len(table) == table["id"].nunique() == n
    resolved = resolve_ids(table["id"], bigg)
    assert "" not in resolved
    assert sum(old != new for old, new in zip(table["id"], resolved, strict=True)) == changed
    row = table.set_index("id").loc["10fthf"]
    assert (row["formula"], row["charge"]) == ("C20H21N7O7", -2)


def test_bigg_tables_have_universal_rows(tmp_path: Path) -> None:
    """Compartments of a metabolite are one row, in both layouts; the universal name stands without its compartment."""
    obo = tmp_path / "bigg.metabolite.tsv"
    obo.write_text(
        OBO_HEADER
        + "abc\tAbc acid\t\t\t\tcob:0000013\t\n"
        + "abc_c\tAbc acid (in cytosol)\t\t\tbigg.metabolite:abc_old_c\tbigg.metabolite:abc\t\n"
        + "abc_e\tAbc acid (in extracellular space)\t\t\t\tbigg.metabolite:abc\t\n"
        + "xyz_e_c\tXyz (in cytosol)\t\t\t\tbigg.metabolite:xyz_e\t\n"
    )
    own = tmp_path / "bigg_models_metabolites.txt"
    links = "KEGG Compound: http://identifiers.org/kegg.compound/C1; CHEBI: http://identifiers.org/chebi/CHEBI:1"
    own.write_text(
        BIGG_HEADER
        + f"abc_c\tabc\tAbc acid\tm1; m2\t{links}\tabc_c; abc_old_c\n"
        + "abc_e\tabc\tAbc acid\tm1\t\t\n"
        + "xyz_e_c\txyz_e\tXyz\tm1\t\t\n"
    )
    found = {path.name: read_namespace(path).set_index("id") for path in (obo, own)}
    for table in found.values():
        assert list(table.index) == ["abc", "xyz_e"]
        assert list(table["compartments"]) == ["c|e", "c"]
        assert table.loc["abc", "name"] == "Abc acid"
    assert found[obo.name].loc["abc", "cross_references"] == "bigg.metabolite:abc_old"
    references = "kegg.compound:C1|chebi:CHEBI:1|bigg.metabolite:abc_old"
    assert found[own.name].loc["abc", "cross_references"] == references


def test_downloaded_namespaces_are_found_by_name(tmp_path: Path) -> None:
    content = "ModelSEED ID\tExternal ID\tSource\ncpd1\tAbc\tname\ncpd1\tabc acid\tname\n"
    with gzip.open(tmp_path / "Unique_ModelSEED_Compound_Names.txt.gz", "wt") as stream:
        stream.write(content)
    table = read_namespace("modelseed", tmp_path)
    assert list(zip(table["id"], table["name"], strict=True)) == [("cpd1", "Abc"), ("cpd1", "abc acid")]
    with pytest.raises(BioftError, match=r"bigg is not in .*bioft download bigg"):
        read_namespace("bigg", tmp_path)
    (tmp_path / "bigg_models_metabolites.txt").write_text("Service unavailable\n")
    with pytest.raises(BioftError, match=r"is no table of bigg. Fetch it again"):
        read_namespace("bigg", tmp_path)


def test_tables_and_lists_of_ones_own(tmp_path: Path) -> None:
    table = tmp_path / "own.tsv"
    table.write_text(
        'ID\tName\tformula\tcharge\tcompartment\na1\t"Quoted" 2,3-acid\tC3H4O3\t-1\tc\na2\tOther\tnull\t10000000\t\n'
    )
    found = read_namespace(table)
    assert found["name"].tolist() == ['"Quoted" 2,3-acid', "Other"]
    assert found["formula"].tolist() == ["C3H4O3", ""]
    assert found["charge"][0] == -1 and math.isnan(found["charge"][1])
    assert found["compartments"].tolist() == ["c", ""]
    assert "not stated" in found.attrs["source"]["terms"]
    commas = tmp_path / "own.csv"
    commas.write_text('id,name\na1,"2,3-acid"\n')
    assert read_namespace(commas)["name"].tolist() == ["2,3-acid"]
    commas.write_text(
        "Compound ID,Compound Name,Compartment\na1,ATP [Cytosol],cytosol\na2,L-Lysine [Cytosol],cytosol\n"
    )
    assert read_namespace(commas)[["id", "name"]].to_numpy().tolist() == [["a1", "ATP"], ["a2", "L-Lysine"]]
    (names := tmp_path / "names.txt").write_text("1,2-propanediol\nN,N-dimethylglycine\n3',5'-cAMP\n")
    assert len(read_namespace(names)) == 3
    for first in ("", "name\n", "Metabolite\n"):
        names = tmp_path / "names.txt"
        names.write_text(f"{first}2,3-butanediol\n\n  Water \n")
        found = read_namespace(names)
        assert found["id"].tolist() == found["name"].tolist() == ["2,3-butanediol", "Water"]


def test_every_model_format_gives_the_same_table(tmp_path: Path, model: cobra.Model) -> None:
    write_sbml_model(model, tmp_path / "m.xml")
    save_json_model(model, tmp_path / "m.json")
    save_yaml_model(model, tmp_path / "m.yml")
    with gzip.open(tmp_path / "m.sbml.gz", "wb") as stream:
        stream.write((tmp_path / "m.xml").read_bytes())
    expected = [
        Row("h2o", "Water", "H2O", 0.0, "c|e", ""),
        Row(
            "glc__D",
            "<i>D</i>-Glucose",
            "C6H12O6",
            0.0,
            "c",
            "kegg.compound:C00031|chebi:CHEBI:17634|chebi:CHEBI:4167",
        ),
    ]
    for file in ("m.json", "m.yml", "m.xml", "m.sbml.gz"):
        found = [Row(*row) for row in read_namespace(tmp_path / file).itertuples(index=False)]
        assert sorted(found[0].cross_references.split("|")) == sorted(expected[0].cross_references.split("|"))
        assert [row[:5] for row in found[:2]] == [row[:5] for row in expected], file
        assert set(found[1].cross_references.split("|")) >= set(expected[1].cross_references.split("|"))
        # cobra writes a charge of 0 into SBML where there is none.
        assert found[2].id == "nameless" and (math.isnan(found[2].charge) or "m.json" not in file)


def test_the_formats_in_the_cobra_wheel_agree() -> None:
    """The same model as SBML, JSON, YAML and MATLAB, as cobra ships it."""
    tables = [read_namespace(COBRA_DATA / file) for file in ("mini_cobra.xml", "mini.json", "mini.yml", "mini.mat")]
    for table in tables:
        assert table.iloc[:, :5].equals(tables[0].iloc[:, :5])
    assert tables[0].set_index("id").loc["atp", "formula"] == "C10H12N5O13P3"


def test_mixed_compartments_are_united_with_care() -> None:
    made = cobra.Model("mixed")
    metabolites = [("a_c", "c"), ("a_e", ""), ("a_b", "e"), ("b_e", "e"), ("cs_e_c", "c"), ("d[c]", "c"), ("e_x", "")]
    made.add_metabolites([cobra.Metabolite(i, name=f"name of {i}", compartment=c) for i, c in metabolites])
    table = model_metabolites(made)
    # "e_x" stays: no metabolite of the model is in x.
    assert table["id"].tolist() == ["a", "b", "cs_e", "d", "e_x"]
    assert table["compartments"].tolist() == ["c|e", "e", "c", "c", ""]


@given(st.text(alphabet="ab_[]()ce", min_size=1, max_size=12), st.sampled_from(["c", "e", "C_c"]))
def test_universal_ids(identifier: str, compartment: str) -> None:
    """A suffix is taken off once, never more, and never the whole id; without a compartment nothing is."""
    letter = compartment[-1]
    for form in (f"{identifier}_{letter}", f"{identifier}[{letter}]", f"{identifier}({letter})"):
        assert universal_id(form, compartment) in (identifier, form.removesuffix(f"_{compartment}"))
    assert universal_id(identifier, "") == universal_id(identifier, None) == identifier
    assert universal_id(f"_{letter}", compartment) == f"_{letter}"


def test_ids_are_found_in_any_spelling() -> None:
    table = to_table(
        [
            Row("ala__L", "L-Alanine", cross_references="bigg.metabolite:ala_DASH_L|kegg.compound:C1"),
            Row("a_b", "One"),
            Row("a__b", "Two"),
            Row("cs_e", "Sulfate"),
        ]
    )
    asked = [
        "ala__L",
        "ala_DASH_L",
        "ala-L",
        "ala_L",
        "M_ala__L_c",
        "ala__L[c]",
        "a_b",
        "a-b",
        "cs_e",
        "cs_e_c",
        "zzz",
    ]
    expected = ["ala__L"] * 6 + ["a_b", "", "cs_e", "cs_e", ""]
    assert resolve_ids(asked, table) == expected


def test_problems_of_names_are_counted_with_an_example(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "bad.tsv"
    rows = ["a\t", "cpd00001_c\tcpd00001-c", "b\tSame name", "c\tSame name", f"d\t{'long ' * 2_000}", "e\tGood"]
    path.write_text("id\tname\n" + "\n".join(rows) + "\n")
    with caplog.at_level(logging.WARNING):
        table = read_namespace(path)
    assert len(table) == 6
    assert len(table["name"][4]) == 9_999
    found = problems(table)
    assert [message.split(" rows ")[0] for message in found] == ["1 of 6", "1 of 6", "2 of 6", "1 of 6"]
    assert "no name" in found[0] and "'cpd00001-c'" in found[1] and "b ('Same name')" in found[2]
    assert f"{MAX_LENGTH:,} characters" in found[3] and len(found[3]) < 250
    assert [record.getMessage() for record in caplog.records] == [f"bad.tsv: {message}" for message in found]
    assert problems(table[5:]) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id\tname\na\n", r"line 2: 1 fields where the header has 2 columns"),
        ("id\tname\tcharge\na\tA\tmany\n", r"line 2: the charge 'many' is no number"),
        ("id\tname\na\t\nb\t \n", r"has no names: the name of each of its 2 metabolites is empty"),
        ("id\tformula\na\tC2\n", r"no column of names. Columns found in line 1: id, formula"),
        ("\n\n", r"has no names"),
        ('<?xml version="1.0"?>\n<sbml level="3"/>\n', r"is XML or JSON.*Of a model, name it .xml or .json"),
        ('{"metabolites": [\n]}', r"is XML or JSON"),
        ("Kürzel;Bezeichnung\natp;ATP\nglc;D-Glucose\n", r"parted by semicolons.*first is 'Kürzel;Bezeichnung'"),
        ("abbreviation,fullName\ncpd2,ATP\nglc,D-Glucose\n", r"parted by commas"),
        ("Table S1. Names,,\nid,name,formula\na,ATP,\n", r"What stands above the names of the columns must go"),
        ("<!DOCTYPE html><html></html>", r"is a web page"),
        ('id,name\na,"ATP\nb,NAD\n', r"line 2: not a row of a table"),
        ("", r"is empty \(0 bytes\)"),
        (b"id\tname\na\t\xff\n", r"line 2: byte 0xff"),
        (OBO_HEADER + "abc\tAbc\n", r"line 2: 2 fields where the header has 7 columns"),
        ('id,name\na,"' + "x" * 200_000 + "\n", r"line 2: not a row of a table \(unexpected end of data"),
    ],
)
def test_tables_that_cannot_be_read(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = tmp_path / "table.tsv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BioftError, match=message):
        read_namespace(path)


def test_aliases_must_be_modelseeds(tmp_path: Path) -> None:
    path = tmp_path / "aliases.txt"
    path.write_text("id\tname\n")
    with pytest.raises(BioftError, match="not ModelSEED's table of aliases: its columns are id\tname"):
        namespaces.read_aliases(path)


SBML = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<sbml xmlns="http://www.sbml.org/sbml/level2" level="2" version="1">{}</sbml>'
)
COMPARTMENT = '<listOfCompartments><compartment id="c"/></listOfCompartments>'


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("m.xml", "<html><body>Not found</body></html>", "can't read .*SBML XML schema"),
        ("m.xml", "hello", "can't read .*XML content is not well-formed"),
        ("m.xml", SBML.format(""), "can't read .*No model definition found"),
        (
            "m.xml",
            SBML.format(
                f'<model id="m">{COMPARTMENT}<listOfSpecies><species compartment="c"/></listOfSpecies></model>'
            ),
            "can't read .*attribute 'id' is required",
        ),
        (
            "m.xml",
            SBML.format(
                f'<model id="m">{COMPARTMENT}<listOfSpecies><species id="a" compartment="c"/>'
                '<species id="a" compartment="c"/></listOfSpecies></model>'
            ),
            "can't read .*Duplicate 'id' attribute value",
        ),
        ("m.xml", "", r"is empty \(0 bytes\)"),
        ("m.json", "{", "can't read .*Expecting property name"),
        ("m.json", "[]", "can't read .*no .reactions attribute"),
        ("m.json", '{"metabolites": [{"id": "a"}], "reactions": [], "genes": []}', "has no names"),
        ("m.yml", "a: [", "can't read .*while parsing"),
        ("m.mat", "no MATLAB", "can't read .*Mat"),
        ("m.mat", "MATLAB 7.3 MAT-file".ljust(124) + "\0\2IM" + "\0" * 400, "it is of MATLAB 7.3, save it with -v7"),
        ("m.json.gz", "{}", "only SBML may be packed"),
    ],
)
def test_models_that_cannot_be_read(
    tmp_path: Path, file: str, content: str, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / file
    path.write_text(content)
    with pytest.raises(BioftError, match=message) as error:
        read_namespace(path)
    assert str(path) in str(error.value)
    assert len(str(error.value)) < 1_200


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BioftError, match=r"There is no model at .*m\.xml"):
        read_namespace(tmp_path / "m.xml")


def test_a_truncated_model(tmp_path: Path) -> None:
    path = tmp_path / "m.xml"
    text = (COBRA_DATA / "mini_cobra.xml").read_text()
    path.write_text(text[: len(text) // 2])
    with pytest.raises(BioftError, match="not well-formed"):
        read_namespace(path)


def test_html_latex_and_endless_names_come_back_as_they_are(tmp_path: Path) -> None:
    mini = load_json_model(COBRA_DATA / "mini.json")
    written = ["<sup>2</sup>H &alpha;", "$\\alpha$-x", "x" * 10_000]
    for metabolite, name in zip(mini.metabolites, written, strict=False):
        metabolite.name = name
    save_json_model(mini, tmp_path / "m.json")
    table = read_namespace(tmp_path / "m.json")
    assert table["name"].tolist()[:3] == written


def test_charges_that_are_no_numbers_are_missing(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    shutil.copy(COBRA_DATA / "mini.json", path)
    path.write_text(path.read_text().replace('"charge": -4', '"charge": ""'))
    charges = read_namespace(path).set_index("id")["charge"]
    assert math.isnan(charges["13dpg"]) and charges["2pg"] == -3


# Compartments, as the ids and names of models mark them

COMPARTMENTS = {
    "Human-GEM": (("MAM01371c", "ATP", "c"), ("MAM01371m", "ATP", "m"), ("MAM02040e", "H2O", "e")),
    "gapseq": (("cpd00002_c0", "ATP-c0", "c0"), ("cpd00002_m0", "ATP-m0", "m0"), ("cpd00001_e0", "H2O-e0", "e0")),
    "ModelSEED": (("cpd00002[c0]", "ATP [c0]", "c0"), ("cpd00002[m0]", "ATP [m0]", "m0"), ("x[e0]", "H2O [e0]", "e0")),
    "KBase": (("cpd00002_c0", "ATP_c0", "c0"), ("cpd00002_m0", "ATP_m0", "m0"), ("cpd00001_e0", "H2O_e0", "e0")),
    "BiGG": (("atp_c", "ATP", "c"), ("atp_m", "ATP", "m"), ("h2o_e", "H2O", "e")),
    "cobra of old": (
        ("atp__91__c__93__", "ATP", "c"),
        ("atp__91__m__93__", "ATP", "m"),
        ("w_LPAREN_e_RPAREN_", "H2O", "e"),
    ),
    "after a comma": (
        ("atp-c", "ATP, cytosol", "c"),
        ("atp-m", "ATP, mitochondria", "m"),
        ("w-e", "H2O, outside", "e"),
    ),
    "words": (("atp-c", "ATP [Cytosol]", "c"), ("atp-m", "ATP [mitochondria]", "m"), ("w-e", "H2O [outside]", "e")),
}


@pytest.mark.parametrize("kind", COMPARTMENTS)
def test_one_compound_in_several_compartments_is_one_row(kind: str) -> None:
    made = cobra.Model(kind)
    made.add_metabolites([cobra.Metabolite(i, None, name, None, end) for i, name, end in COMPARTMENTS[kind]])
    made.compartments = {"c": "cytosol", "m": "mitochondria", "e": "outside"}
    table = model_metabolites(made)
    assert table["name"].tolist() == ["ATP", "H2O"]
    assert len(table["compartments"][0].split("|")) == 2
    first, second, _ = universal_ids(made).values()
    assert first == second == table["id"][0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_models_of_any_encoding_with_half_characters_and_m_before_names(tmp_path: Path, encoding: str) -> None:
    names = {"atp_c": "M_ATP_C10H12N5O13P3", "h2o_c": "H2O \\ud83d"}
    metabolites = ", ".join(f'{{"id": "{key}", "name": "{its}", "compartment": "c"}}' for key, its in names.items())
    content = f'{{"metabolites": [{metabolites}], "reactions": [], "genes": []}}'
    (tmp_path / "m.json").write_bytes(content.encode(encoding))
    assert read_namespace(tmp_path / "m.json")["name"].tolist() == ["ATP_C10H12N5O13P3", "H2O \ufffd"]


def test_letters_that_are_no_compartments_stay() -> None:
    made = cobra.Model("x")
    named = (("g6p", "Vitamin-c", "p"), ("glc", "Cytochrome-c", "c"), ("s_0434", "ATP", "c"), ("s_0439", "ATP", "m"))
    made.add_metabolites([cobra.Metabolite(i, None, name, None, end) for i, name, end in named])
    table = model_metabolites(made)
    assert table["id"].tolist() == ["g6p", "glc", "s_0434", "s_0439"]
    assert table["name"].tolist() == ["Vitamin-c", "Cytochrome-c", "ATP", "ATP"]


def test_a_crash_of_the_reader_of_mat_files_is_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_READ_MAT", "import os; os.kill(os.getpid(), 11)")
    (tmp_path / "m.mat").write_bytes(b"x")
    with pytest.raises(BioftError, match=r"can't read .*m\.mat: the file is damaged: reading it crashes"):
        read_namespace(tmp_path / "m.mat")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("said", [False, True])
def test_tables_with_any_delimiter_and_the_id_0(tmp_path: Path, delimiter: str, said: bool) -> None:
    path = tmp_path / "x.csv"
    start = f"sep={delimiter}\n" if said else ""  # as Excel writes it
    path.write_text(start + "id,name,formula\n0,D-Glucose,C6H12O6\n1,ATP-c0,\n".replace(",", delimiter))
    table = read_namespace(path)
    assert table["id"].tolist() == ["0", "1"]
    assert [plain_text(name) for name in table["name"]] == ["D-Glucose", "ATP"]
