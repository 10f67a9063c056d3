"""Vocabularies of every kind made into a namespace: what is left out of them is counted, what is wrong is said."""

import gzip
from pathlib import Path

import pytest

from bioft.datasets.namespaces import concepts
from bioft.datasets.namespaces.concepts import Namespace
from bioft.datasets.namespaces.read import open_namespace, read
from bioft.errors import BioftError

OBO = r"""format-version: 1.2
property_value: http://purl.org/dc/terms/license https://creativecommons.org/licenses/by/4.0/

[Term]
id: X:1
name: disease
is_a: X:3 ! a cycle

[Term]
id: X:2
name: liver "failure\"
synonym: "hepatic \"failure\"" EXACT layperson [ORCID:1]
synonym: "Liver  failure" EXACT []
synonym: "organ failure" BROAD []
alt_id: X:20
is_a: X:1 ! disease
is_a: X:99 ! not there

[Term]
id: X:3
name: infection
is_a: X:1

[Term]
id: X:4
name: obsolete hepatic failure
is_obsolete: true
replaced_by: X:40

[Term]
id: X:40
name: obsolete liver insufficiency
is_obsolete: true
replaced_by: X:2

[Term]
id: X:5
name: infection

[Typedef]
id: part_of
name: part of
"""
OWL = """<?xml version="1.0"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#"
 xmlns:owl="http://www.w3.org/2002/07/owl#" xmlns:oio="http://www.geneontology.org/formats/oboInOwl#"
 xmlns:obo="http://purl.obolibrary.org/obo/"><owl:Ontology rdf:about="http://x"/>
<owl:Class rdf:about="http://purl.obolibrary.org/obo/X_2"><rdfs:label xml:lang="en">liver failure</rdfs:label>
 <rdfs:label xml:lang="de">Leberversagen</rdfs:label><oio:hasExactSynonym>hepatic failure</oio:hasExactSynonym>
 <oio:hasBroadSynonym>organ failure</oio:hasBroadSynonym><oio:hasAlternativeId>X:20</oio:hasAlternativeId>
 <rdfs:subClassOf rdf:resource="http://purl.obolibrary.org/obo/X_1"/>
 <rdfs:subClassOf><owl:Restriction/></rdfs:subClassOf></owl:Class>
<owl:Class rdf:about="http://purl.obolibrary.org/obo/X_1"><rdfs:label>disease</rdfs:label></owl:Class>
<owl:Class rdf:about="http://purl.obolibrary.org/obo/X_4"><owl:deprecated>true</owl:deprecated>
 <obo:IAO_0100001 rdf:resource="http://purl.obolibrary.org/obo/X_2"/></owl:Class></rdf:RDF>"""
MESH = """<?xml version="1.0"?><!DOCTYPE DescriptorRecordSet SYSTEM "d.dtd"><DescriptorRecordSet LanguageCode="eng">
<DescriptorRecord><DescriptorUI>D1</DescriptorUI><DescriptorName><String>Liver Diseases</String></DescriptorName>
 <TreeNumberList><TreeNumber>C06</TreeNumber></TreeNumberList><ConceptList><Concept PreferredConceptYN="Y"><TermList>
 <Term><String>Liver Diseases</String></Term></TermList></Concept></ConceptList></DescriptorRecord>
<DescriptorRecord><DescriptorUI>D2</DescriptorUI><DescriptorName><String>Liver Failure</String></DescriptorName>
 <TreeNumberList><TreeNumber>C06.1</TreeNumber></TreeNumberList><ConceptList>
 <Concept PreferredConceptYN="Y"><TermList><Term><String>Hepatic Failure</String></Term></TermList></Concept>
 <Concept PreferredConceptYN="N"><TermList><Term><String>Hepatic Coma</String></Term></TermList></Concept>
 </ConceptList></DescriptorRecord></DescriptorRecordSet>"""
PUBTATOR = "1|t|Liver failure and AKI\n1|a|AKI.\n" + "".join(
    f"1\t{start}\t{end}\t{text}\tDisease\t{identifier}\n"
    for start, end, text, identifier in (
        (0, 13, "Liver failure", "MESH:D2"),
        (18, 21, "AKI", "D3"),
        (22, 25, "AKI", "D4|D5"),
    )
)
PUBTATOR += "1\tCID\tD2\tD9\n"  # of which no mention speaks
CTD = (
    "# The Comparative Toxicogenomics Database\n# Fields:\n# DiseaseName,DiseaseID,AltDiseaseIDs,Definition,ParentIDs,"
    "TreeNumbers,ParentTreeNumbers,Synonyms,SlimMappings\n#\n"
    '"Failure, Liver",MESH:D2,OMIM:1|DO:2,,MESH:D1,,,hepatic failure|liver insufficiency,\n'
)
HGNC = (
    'hgnc_id\tsymbol\tname\tstatus\talias_symbol\tprev_symbol\nHGNC:1\tA1BG\talpha-1-B\tApproved\t"A1B|ABG"\tOLD\n'
    "HGNC:2\tGONE\tgone\tEntry Withdrawn\t\t\n"
)
GENES = "#tax_id\tGeneID\tSymbol\tSynonyms\tdescription\tOther_designations\n9606\t1\tA1BG\tA1B|ABG\talpha\t-\n"
MRCONSO = "".join(
    f"C0000001|{language}|{status}|L1|PF|S1|Y|A1||M1||MSH|PN|D1|{name}|0|{suppress}|256|\n"
    for language, status, name, suppress in (
        ("ENG", "P", "liver failure", "N"),
        ("ENG", "S", "hepatic failure", "N"),
        ("GER", "P", "Leberversagen", "N"),
        ("ENG", "S", "old", "O"),
    )
)
OWN = "id\tname\tsynonyms\nq\tliver failure\thepatic failure|\n"
SNOMED = "id\tactive\tconceptId\tterm\n1\t1\t7\tLiver failure\n2\t0\t7\tOld term\n"


def names_of(namespace: Namespace, identifier: str) -> list[tuple[str, str]]:
    its = namespace.names[namespace.names["id"] == identifier]
    return list(its[["name", "kind"]].itertuples(index=False, name=None))


def test_an_ontology_is_cleaned_and_what_was_left_out_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "x.obo.gz"
    path.write_bytes(gzip.compress(OBO.encode()))
    found = read([path])
    assert names_of(found, "X:2") == [
        ('liver "failure"', "preferred"), ('hepatic "failure"', "synonym"), ("organ failure", "related"),
    ]  # fmt: skip
    assert found.manifest["counts"] == {
        "concepts": 4, "names": 6, "obsolete": 2, "merged ids": 3, "names of several concepts": 1,
        "unknown parents": 1, "parents in a cycle": 1,
    }  # fmt: skip
    merged = found.concepts.set_index("id")["merged"]
    assert sorted(merged["X:2"]) == ["X:20", "X:4", "X:40"] and sum(map(len, merged)) == 3
    parents = found.concepts.set_index("id")["parents"].to_dict()
    assert parents == {
        "X:1": [],
        "X:2": ["X:1"],
        "X:3": ["X:1"],
        "X:5": [],
    }
    assert concepts.terms(found) == "https://creativecommons.org/licenses/by/4.0/"
    concepts.write(found, tmp_path)
    again = open_namespace(str(tmp_path))
    assert again.names.equals(found.names) and again.manifest == found.manifest
    assert [list(each) for each in again.concepts["merged"]] == found.concepts["merged"].tolist()


@pytest.mark.parametrize(
    ("name", "text", "identifier", "expected"),
    [
        ("x.owl", OWL, "X:2", "preferred: liver failure; synonym: hepatic failure; related: organ failure"),
        ("desc.xml", MESH, "D2", "preferred: Liver Failure; synonym: Hepatic Failure; related: Hepatic Coma"),
        ("a.pubtator", PUBTATOR, "D2", "annotated: Liver failure"),
        ("d.csv", CTD, "D2", "preferred: Failure, Liver; synonym: hepatic failure; synonym: liver insufficiency"),
        ("h.txt", HGNC, "HGNC:1", "preferred: A1BG; synonym: alpha-1-B; synonym: A1B; synonym: ABG; related: OLD"),
        ("gene_info", GENES, "1", "preferred: A1BG; synonym: alpha; synonym: A1B; synonym: ABG"),
        ("MRCONSO.RRF", MRCONSO, "C0000001", "preferred: liver failure; synonym: hepatic failure"),
        ("sct2.txt", SNOMED, "7", "preferred: Liver failure"),
        ("own.tsv", OWN, "q", "preferred: liver failure; synonym: hepatic failure"),
        ("own.csv", "ID,Name,Synonyms\nq,Liver failure,HF\n", "q", "preferred: Liver failure; synonym: HF"),
        ("own.csv", "id,name,synonyms\nq,Liver failure,\"['HF', 'x']\"\n", "q",
         "preferred: Liver failure; synonym: HF; synonym: x"),
        ("own.csv", "id,name,synonyms\nq,Liver failure,NA\n", "q", "preferred: Liver failure"),
    ],
)  # fmt: skip
def test_every_kind_of_vocabulary_is_read(
    tmp_path: Path, name: str, text: str, identifier: str, expected: str
) -> None:
    (tmp_path / name).write_text(text)
    found = read([tmp_path / name])
    assert "; ".join(f"{kind}: {each}" for each, kind in names_of(found, identifier)) == expected
    assert "HGNC:2" not in set(found.concepts["id"])


def test_an_ontology_in_utf_16(tmp_path: Path) -> None:
    (tmp_path / "x.obo").write_bytes(OBO.encode("utf-16"))
    assert names_of(read([tmp_path / "x.obo"]), "X:2")[0] == ('liver "failure"', "preferred")


def test_several_sources_are_one_namespace_and_documents_say_what_a_name_means(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(CTD)
    (tmp_path / "desc.xml").write_text(MESH)
    (tmp_path / "a.pubtator").write_text(PUBTATOR)
    (tmp_path / "own.tsv").write_text("id\tname\nother\tAKI\n")
    found = read([tmp_path / name for name in ("own.tsv", "d.csv", "desc.xml", "a.pubtator")])
    assert found.names["name"].tolist()[:2] == ["Liver failure", "AKI"]
    assert found.names[found.names["name"] == "AKI"]["id"].tolist() == ["D3", "other"]
    about = found.concepts.set_index("id")
    assert about.loc["D2", "name"] == "Failure, Liver" and about.loc["D2", "parents"] == ["D1"]
    assert sorted(about.loc["D2", "merged"]) == ["DO:2", "OMIM:1"] and sum(map(len, about["merged"])) == 2
    assert "U.S. National Library of Medicine" in concepts.terms(found) and "CTD" in concepts.terms(found)


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("x.obo", "format-version: 1.2\n[Term]\nid: X:1\nname: a\nsynonym: b EXACT []\n", "x.obo, line 5: a synonym"),
        ("x.obo", "[Term]\nid: X:1\nname: a\n\n[Term]\nname: b\n", "x.obo, line 6: a term without an id"),
        ("x.owl", OWL[:900], "no well-formed XML"),
        ("x.owl", "Prefix(:=<http://x#>)\nOntology(<http://x>)\n", "functional, Manchester or Turtle syntax"),
        ("x.ttl", "@prefix owl: <http://www.w3.org/2002/07/owl#> .\n", "robot convert --input x.ttl"),
        ("x.xml", "<a/>", "neither of MeSH nor OWL"),
        ("own.tsv", "id\tname\na\tb\tc\n", "line 2: 3 fields where the header has 2"),
        ("own.tsv", "id\tname\n\tb\n", "line 2: id is empty"),
        ("own.tsv", "id\tname\na\t\n", "nothing to be matched"),
        ("list.txt", "liver failure\nheart failure\n", "line 1: no table of a kind that bioft knows"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, name: str, text: str, problem: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BioftError, match=problem):
        read([tmp_path / name])


def test_a_folder_of_something_else_is_no_namespace(tmp_path: Path) -> None:
    with pytest.raises(BioftError, match="is no namespace"):
        open_namespace(str(tmp_path))
    with pytest.raises(BioftError, match="does not exist"):
        open_namespace(str(tmp_path / "absent"))
    (tmp_path / concepts.MANIFEST).write_text('{"schema_version": 1}')
    with pytest.raises(BioftError, match="is damaged"):
        open_namespace(str(tmp_path))
