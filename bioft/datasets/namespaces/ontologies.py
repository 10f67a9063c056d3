"""Ontologies as OBO and as OWL (RDF/XML), and MeSH as its XML of descriptors and of supplementary concepts.

Of OBO and OWL only names, ids and parents are read, of MeSH (https://www.nlm.nih.gov/mesh/xml_data_elements.html) the
terms of all concepts of a record.
"""

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from bioft.datasets import obo
from bioft.datasets.namespaces.concepts import PREFERRED, RELATED, SYNONYM, Concept
from bioft.errors import BioftError
from bioft.storage.text_lines import TextLines, elements_of

_LICENSE = re.compile(r"property_value: \S*license\"? \"?(\S+?)\"?(?: xsd:\S+)?\s*$")
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_RDFS = "{http://www.w3.org/2000/01/rdf-schema#}"
_OWL = "{http://www.w3.org/2002/07/owl#}"
_OBO_IN_OWL = "{http://www.geneontology.org/formats/oboInOwl#}"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_REPLACED_BY = "{http://purl.obolibrary.org/obo/}IAO_0100001"
_SYNONYMS = {"hasExactSynonym": SYNONYM} | dict.fromkeys(
    ("hasRelatedSynonym", "hasNarrowSynonym", "hasBroadSynonym"), RELATED
)
_RECORDS = ("DescriptorRecord", "SupplementalRecord")


def read_obo(lines: TextLines) -> Iterator[Concept]:
    """Yield the terms of an OBO file. BioftError, with the line: a synonym that is not in quotation marks."""
    for stanza, places in obo.terms(lines):
        names = [(obo.unescaped(name), PREFERRED) for name in stanza.get("name", [])]
        for value in stanza.get("synonym", []):
            if (quoted := obo.QUOTED.match(value)) is None:
                raise BioftError(f"{places['synonym']}: a synonym without quotation marks: {value[:60]!r}.")
            names.append((obo.unescaped(quoted[1]), SYNONYM if quoted[2] else RELATED))
        yield Concept(
            _id(stanza["id"][0]),
            names,
            parents=[_id(value) for value in stanza.get("is_a", [])],
            merged=[_id(value) for value in stanza.get("alt_id", [])],
            obsolete=stanza.get("is_obsolete", [""])[0].startswith("true"),
            replaced_by=_id(stanza.get("replaced_by", [""])[0]),
        )


def obo_license(lines: TextLines) -> str:
    """The licence that the header of an OBO file names; "" if it names none."""
    for line in lines:
        if line.startswith("[Term]"):
            return ""
        if found := _LICENSE.match(line):
            return found[1]
    return ""


def _id(value: str) -> str:
    return value.split(" ")[0].strip() if value else ""


def read_owl(lines: TextLines) -> Iterator[Concept]:
    """Yield the classes of an ontology in OWL. BioftError: it is not well-formed."""
    for element in elements_of(lines, f"{_OWL}Class".__eq__):
        if not (iri := element.get(f"{_RDF}about", "")):
            continue  # an anonymous class, of which others are made
        concept = Concept(_of_iri(iri))
        for child in element:
            text = (child.text or "").strip()
            reference = child.get(f"{_RDF}resource", "")
            tag = child.tag.removeprefix(_OBO_IN_OWL)
            if child.tag == f"{_RDFS}label" and child.get(_LANGUAGE, "en").startswith("en"):
                concept.names.append((text, PREFERRED))
            elif tag in _SYNONYMS:
                concept.names.append((text, _SYNONYMS[tag]))
            elif tag == "id":
                concept.id = text
            elif tag == "hasAlternativeId":
                concept.merged.append(text)
            elif child.tag == f"{_RDFS}subClassOf" and reference:
                concept.parents.append(_of_iri(reference))
            elif child.tag == f"{_OWL}deprecated":
                concept.obsolete = text.casefold() in ("true", "1")
            elif child.tag == _REPLACED_BY:
                concept.replaced_by = _of_iri(reference or text)
        yield concept


def _of_iri(iri: str) -> str:
    """HP:0000118 for http://purl.obolibrary.org/obo/HP_0000118."""
    last = re.split(r"[/#]", iri)[-1]
    return re.sub(r"^([A-Za-z]+)_(?=\w+$)", r"\1:", last)


def read_mesh(lines: TextLines) -> Iterator[Concept]:
    """Yield the records of MeSH's XML, of descriptors or of supplementary concepts. BioftError: not well-formed."""
    concepts: list[Concept] = []
    trees: list[list[str]] = []
    by_tree: dict[str, str] = {}
    for record in elements_of(lines, _RECORDS.__contains__):
        kind = record.tag.removesuffix("Record")
        concept = Concept(_text(record, f"{kind}UI"))
        concept.names.append((_text(record, f"{kind}Name/String"), PREFERRED))
        for each in record.iter("Concept"):
            exact = each.get("PreferredConceptYN") == "Y"
            concept.names += [(_text(term, "String"), SYNONYM if exact else RELATED) for term in each.iter("Term")]
        mapped = record.iterfind("HeadingMappedToList/HeadingMappedTo/DescriptorReferredTo/DescriptorUI")
        concept.parents = [(ui.text or "").strip().lstrip("*") for ui in mapped]
        numbers = [(number.text or "").strip() for number in record.iter("TreeNumber")]
        by_tree |= dict.fromkeys(numbers, concept.id)
        concepts.append(concept)
        trees.append(numbers)
    for concept, numbers in zip(concepts, trees, strict=True):
        above = (number.rpartition(".")[0] for number in numbers)
        concept.parents += dict.fromkeys(by_tree[number] for number in above if number in by_tree)
    yield from concepts


def _text(element: ElementTree.Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
