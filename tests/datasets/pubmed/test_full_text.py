"""Full text of PubMed Central: real files, every field by hand, and what is refused."""

import pytest

from bioft.datasets.pubmed import full_text as pubmed_central
from bioft.datasets.pubmed.articles import Passage
from bioft.datasets.pubmed.full_text import FullText, Section
from bioft.errors import BioftError

ARTICLE = """<article xmlns:xlink="http://www.w3.org/1999/xlink" article-type="research-article"><front><journal-meta>
<journal-title-group><journal-title>Made-up Letters</journal-title></journal-title-group></journal-meta><article-meta>
<article-id pub-id-type="pmid">11</article-id><article-id pub-id-type="pmc">77</article-id>
<article-id pub-id-type="doi">10.1/own</article-id>
<title-group><article-title>On <italic>H. fictus</italic></article-title>
<alt-title>No</alt-title></title-group><pub-date><year>2013</year></pub-date><pub-date><year>2012</year></pub-date>
<permissions><license xlink:href="{link}"><license-p>Free to <bold>share</bold>.</license-p></license></permissions>
<abstract><sec><title>Aim:</title><p>To see.</p><p>And hear.</p></sec></abstract>
<abstract abstract-type="summary"><p>For editors.</p></abstract></article-meta></front>
<body><p>Before all sections.</p><sec><title>Methods</title><p>As described [<xref ref-type="bibr">1</xref>,
<xref ref-type="bibr">2</xref>] in <xref ref-type="fig">Figure 1</xref>.<fig><caption><p>Legend</p></caption></fig></p>
<list><list-item><p>One.</p></list-item></list><sec><title>Mice</title><p>Ten
<sup>13</sup>C mice
<xref ref-type="bibr">3</xref>.
</p><table-wrap><p>4</p></table-wrap></sec></sec><sec><title>Empty</title></sec></body>
<back><ref-list><ref id="B1"><element-citation><article-title>Cited <sub>1</sub></article-title>
<pub-id pub-id-type="pmid">5</pub-id><pub-id pub-id-type="doi">10.1/c</pub-id></element-citation></ref>
<ref id="B2"><mixed-citation>A book.</mixed-citation></ref></ref-list></back></article>"""
CC = "http://creativecommons.org/licenses/by/2.0"


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "article.nxml"
        path.write_text(content, encoding="utf-8")
        return path

    return write


def test_every_field(write):
    (found,) = pubmed_central.iterate(write('<!DOCTYPE article SYSTEM "a.dtd">\n' + ARTICLE.format(link=CC)))
    assert found == FullText(
        pmid="11",
        pmc="PMC77",
        doi="10.1/own",
        title="On H. fictus",
        abstract=(Passage("Aim", "To see. And hear."),),
        year=2012,
        sections=(
            Section((), "Before all sections."),
            Section(("Methods",), "As described in Figure 1.\nOne."),
            Section(("Methods", "Mice"), "Ten 13C mice."),
        ),
    )


def test_an_empty_article(write):
    (found,) = pubmed_central.iterate(write("<article><front/></article>"))
    assert found == FullText("", "", "", "", (), None, ())


def test_several_articles_and_broken_ones(write):
    articles = [ARTICLE.format(link=CC), "<article><p></article>", "<article><front/></article>"]
    path = write("<pmc-articleset>" + "\n".join(articles) + "</pmc-articleset>")
    with pytest.raises(BioftError, match="last good article is PMID 11"):
        list(pubmed_central.iterate(path))
    skipped = []
    assert [each.pmid for each in pubmed_central.iterate(path, skipped=skipped)] == ["11", ""]
    assert len(skipped) == 1
    with pytest.raises(BioftError, match="a record of PubMed, which has no full text"):
        list(pubmed_central.iterate(write("<PubmedArticle></PubmedArticle>")))


def test_real_files(shared_data):
    """Ids, an abstract, and sections without what marks of references leave."""
    for path in sorted((shared_data / "pubmed" / "pmc_nxml").iterdir()):
        (article,) = pubmed_central.iterate(path)
        assert article.pmid.isdigit()
        assert article.doi.startswith("10.")
        assert article.abstract
        assert len(article.sections) >= 4
        assert all(section.text for section in article.sections)
        assert not any("[]" in section.text for section in article.sections)


def body(text, attributes="", abstract="<p>A.</p>"):
    meta = f"<front><article-meta><abstract>{abstract}</abstract></article-meta></front>"
    return f"<article{attributes}>{meta}<body>{text}</body></article>"


@pytest.mark.parametrize(
    ("inside", "sections"),
    [
        ("<p>Of:<list><list-item><p>a</p></list-item><list-item><p>b</p></list-item></list></p>", [((), "Of:\na\nb")]),
        ("<p>written<disp-formula>x</disp-formula>in</p>", [((), "written in")]),
        ("<p>shown<sup><xref ref-type='bibr'>1</xref></sup>. Of 10<sup>6</sup></p>", [((), "shown. Of 10^6")]),
        ("<boxed-text><sec><title>Key</title><p>k</p></sec></boxed-text><p>b</p>", [((), "Key\nk\nb")]),
        ("<sec><title/><p>a</p><sec><title>In</title><p>b</p></sec></sec>", [((), "a"), (("In",), "b")]),
        ("Bare <italic>words</italic> too<p>a</p>", [((), "Bare words too\na")]),
        ("<p>a</p><verse-group><verse-line>b</verse-line></verse-group><preformat>c</preformat>", [((), "a\nb\nc")]),
        (
            "<p>shown<sup><xref ref-type='bibr'>1</xref>,<xref ref-type='bibr'>2</xref></sup>, CD4<sup>+</sup></p>",
            [((), "shown, CD4^+")],
        ),
        (
            "<p>acid<chem-struct-wrap><chem-struct>C6H6</chem-struct></chem-struct-wrap>was</p>",
            [((), "acid\nC6H6\nwas")],
        ),
        ("<p>see <inline-graphic><alt-text>a picture</alt-text></inline-graphic>here</p>", [((), "see here")]),
        ("<p>a<break/>b<table-wrap><p>no</p></table-wrap>c</p>", [((), "a\nb c")]),
    ],
)
def test_no_paragraph_is_lost_or_glued(write, inside, sections):
    (found,) = pubmed_central.iterate(write(body(inside)))
    assert [tuple(section) for section in found.sections] == sections


@pytest.mark.parametrize("note", ["<xref ref-type='fn' rid='f'>*</xref>", "<fn><p>Funded by X.</p></fn>"])
def test_notes_are_no_words_of_a_title(write, note):
    title = f"<title-group><article-title>On pain{note}</article-title></title-group><abstract>"
    (found,) = pubmed_central.iterate(write(body("<p>B</p>").replace("<abstract>", title)))
    assert found.title == "On pain"


def test_an_abstract_of_paragraphs_and_sections(write):
    abstract = (
        "<title>Abstract</title><p>Lead.</p><sec><title>Aim:</title><p>a</p><sec><title>In</title><p>b</p></sec></sec>"
    )
    (found,) = pubmed_central.iterate(write(body("<p>B</p>", abstract=abstract)))
    assert found.abstract == (Passage("", "Lead."), Passage("Aim", "a"), Passage("Aim: In", "b"))


@pytest.mark.parametrize(
    "attributes", ["", ' xmlns="https://jats.nlm.nih.gov/ns/archiving/1.3/"', ' xmlns="urn:other"']
)
def test_any_namespace_and_envelopes_of_oai(write, attributes):
    article = body("<p>Text.</p>", attributes)
    record = f"<record><header><identifier>x</identifier></header><metadata>{article}</metadata></record>"
    oai = (
        '<?xml version="1.0"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/" xmlns:xlink="urn:x"><responseDate>'
        f'2020</responseDate><request verb="ListRecords">y</request><ListRecords>{record}{record}'
        "<resumptionToken>z</resumptionToken></ListRecords></OAI-PMH>"
    )
    prefixed = body("<p>Text.</p>").replace("</", "</j:").replace("<", "<j:").replace("<j:/j:", "</j:")
    prefixed = prefixed.replace("<j:article>", '<j:article xmlns:j="urn:j">')
    for content, number in ((article, 1), (oai, 2), (prefixed, 1)):
        found = list(pubmed_central.iterate(write(content)))
        assert [each.sections for each in found] == [(Section((), "Text."),)] * number
        assert found[0].abstract == (Passage("", "A."),)
    error = '<OAI-PMH><error code="idDoesNotExist">No such id</error></OAI-PMH>'
    with pytest.raises(BioftError, match="No such id"):
        list(pubmed_central.iterate(write(error)))
