"""PubMed XML: real files, every field by hand, and whatever can be wrong with a file or a record."""

import bz2
import gzip
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings, strategies as st

from bioft.datasets.pubmed import articles as pubmed_articles, xml as pubmed_xml
from bioft.datasets.pubmed.articles import Passage, ReadReport
from bioft.errors import BioftError

HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2019//EN" "x.dtd">\n'
    "<PubmedArticleSet>\n"
)
TAIL = "</PubmedArticleSet>\n"
FULL = """<PubmedArticle><MedlineCitation Status="MEDLINE"><PMID Version="2">11</PMID>
<DateRevised><Year>2020</Year><Month>3</Month><Day>07</Day></DateRevised>
<Article><Journal><JournalIssue><PubDate><MedlineDate>1998 Dec-1999 Jan</MedlineDate></PubDate></JournalIssue>
<Title>Journal of Made-up Results</Title></Journal>
<ArticleTitle>Effect of <i>H. fictus</i> on
  CO<sub>2</sub>.</ArticleTitle><ELocationID EIdType="pii">x</ELocationID>
<ELocationID EIdType="doi">10.1/own</ELocationID>
<Abstract><AbstractText Label="AIM" NlmCategory="OBJECTIVE">To <b>test &amp; see</b>.</AbstractText>
<AbstractText Label="RESULT"/><AbstractText>It works.</AbstractText>
<CopyrightInformation>C</CopyrightInformation></Abstract>
<Language>ENG</Language><Language>fre</Language>
<PublicationTypeList><PublicationType UI="D016428">Journal Article</PublicationType></PublicationTypeList></Article>
<CommentsCorrectionsList><CommentsCorrections RefType="Cites"><PMID>5</PMID></CommentsCorrections>
<CommentsCorrections RefType="CommentIn"><PMID>6</PMID></CommentsCorrections></CommentsCorrectionsList>
<MeshHeadingList><MeshHeading><DescriptorName UI="D1" MajorTopicYN="N">Lung</DescriptorName>
<QualifierName UI="Q1" MajorTopicYN="Y">drug effects</QualifierName>
<QualifierName UI="Q2" MajorTopicYN="N">surgery</QualifierName>
</MeshHeading><MeshHeading><DescriptorName UI="D2" MajorTopicYN="N">Humans</DescriptorName></MeshHeading>
</MeshHeadingList>
</MedlineCitation><PubmedData><ArticleIdList><ArticleId IdType="pubmed">11</ArticleId>
<ArticleId IdType="pmc">PMC7</ArticleId>
</ArticleIdList><ReferenceList><Title>References</Title><Reference><Citation>A</Citation><ArticleIdList>
<ArticleId IdType="pubmed">9</ArticleId><ArticleId IdType="doi">10.1/cited</ArticleId></ArticleIdList></Reference>
<ReferenceList><Reference><ArticleIdList><ArticleId IdType="pubmed">8</ArticleId>
<ArticleId IdType="pubmed">5</ArticleId>
</ArticleIdList></Reference></ReferenceList></ReferenceList></PubmedData></PubmedArticle>
"""


def record(pmid, title="A title", version=1, revised="", abstract="Some text.", extra=""):
    date = f"<DateRevised><Year>{revised}</Year></DateRevised>" if revised else ""
    return (
        f'<PubmedArticle>\n<MedlineCitation><PMID Version="{version}">{pmid}</PMID>{date}<Article>'
        f"<ArticleTitle>{escape(title)}</ArticleTitle><Abstract><AbstractText>{escape(abstract)}</AbstractText></Abstract>"
        f"{extra}</Article></MedlineCitation></PubmedArticle>\n"
    )


@pytest.fixture
def write(tmp_path):
    def write(*records, name="articles.xml", head=HEAD, tail=TAIL):
        path = tmp_path / name
        path.write_bytes((head + "".join(records) + tail).encode())
        return path

    return write


def test_real_files(shared_data):
    """The counts of the source's own table."""
    counts = {
        "xizhou_pubMR.xml.gz": (93, 92, 11, 93, 0),
        "qi29_main_finding.xml.gz": (121, 102, 31, 112, 0),
        "sk8erjs69_sr_project.xml.gz": (106, 106, 28, 91, 0),
        "solitude6060_fulltext_search.xml.gz": (208, 171, 51, 205, 6),
        "mokztk_cpfe.xml.gz": (111, 108, 13, 40, 0),
        "pubmed-29768149.xml": (1, 1, 1, 1, 0),
    }
    for name, expected in counts.items():
        report = ReadReport()
        articles = list(pubmed_articles.iterate(shared_data / "pubmed" / name, report=report))
        structured = sum(any(part.label for part in article.abstract) for article in articles)
        with_abstract, with_mesh = sum(bool(a.abstract) for a in articles), sum(bool(a.mesh) for a in articles)
        assert (len(articles), with_abstract, structured, with_mesh, report.books) == expected
        assert all(article.year and article.journal and article.title for article in articles)
        assert not any("<" in article.title for article in articles)
    articles, report = pubmed_articles.read([shared_data / "pubmed"])
    assert (len(articles), report.duplicates, report.books) == (640, 0, 6)
    assert report.without_abstract == 60
    assert len({article.pmid for article in articles}) == 640


def test_every_field(write):
    (article,) = pubmed_articles.iterate(write(FULL))
    assert article == pubmed_articles.Article(
        pmid="11",
        version=2,
        revised="2020-03-07",
        title="Effect of H. fictus on CO2.",
        abstract=(Passage("AIM", "To test & see."), Passage("", "It works.")),
        journal="Journal of Made-up Results",
        year=1998,
        mesh=("Lung", "Humans"),
        references=("9", "8", "5"),
        retracted=False,
    )
    assert article.text == "Effect of H. fictus on CO2. AIM: To test & see. It works."


def test_retracted_articles_are_marked_and_reported(write):
    types = "<PublicationTypeList><PublicationType>{}</PublicationType></PublicationTypeList>"
    retracted = record(1, extra=types.format("Retracted Publication"))
    notice = record(2, extra=types.format("Retraction of Publication"))
    comment = '<CommentsCorrectionsList><CommentsCorrections RefType="RetractionIn"/></CommentsCorrectionsList>'
    old = record(3).replace("</MedlineCitation>", comment + "</MedlineCitation>")
    articles, _ = pubmed_articles.read([write(retracted, notice, old)])
    assert [article.retracted for article in articles] == [True, False, True]


def test_latest_version_of_a_duplicate_is_kept(write):
    first = write(record(1, "old", version=1), record(2, "two", revised="2021"), record(3), name="a.xml")
    second = write(
        record(1, "new", version=2), record(2, "older two", revised="2019"), record(3, "again"), name="b.xml"
    )
    for paths in ([first, second], [second, first]):
        articles, report = pubmed_articles.read(paths)
        assert [article.pmid for article in articles] == ["1", "2", "3"]
        assert [article.title for article in articles][:2] == ["new", "two"]
        assert report.duplicates == 3
    assert pubmed_articles.read([first, second])[0][2].title == "again"


def test_books_are_left_out_and_counted(write):
    book = '<PubmedBookArticle><BookDocument><PMID Version="1">7</PMID></BookDocument></PubmedBookArticle>\n'
    articles, report = pubmed_articles.read([write(book, record(1), book)])
    assert [article.pmid for article in articles] == ["1"]
    assert report.books == 2
    with pytest.raises(BioftError, match=r"No articles in .*2 records of books"):
        pubmed_articles.read([write(book, book)])


BROKEN = {
    "wrong end tag": (record(2).replace("</ArticleTitle>", "</Title>"), 7, "PMID 2"),
    "no end of the article": (record(2).replace("</PubmedArticle>", ""), 6, "has no </PubmedArticle>"),
    "bare ampersand": (record(2).replace("Some text", "salt & pepper"), 7, "PMID 2"),
    "undeclared entity": (record(2).replace("Some text", "&alpha;"), 7, "PMID 2"),
    "text between articles": ("\ntitle</ArticleTitle>\n" + record(4), 7, "between articles"),
    "no PMID": (record(2).replace('<PMID Version="1">2</PMID>', ""), 6, "without PMID"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_broken_xml_in_the_middle(write, broken):
    """The message has file, line and last good PMID; with skip_bad this one is counted."""
    content, line, words = BROKEN[broken]
    path = write(record(1), content, record(3))
    with pytest.raises(BioftError) as caught:
        list(pubmed_articles.iterate(path))
    assert f"{path}, line {line}: " in str(caught.value)
    assert words in str(caught.value)
    assert "--skip-bad" in str(caught.value)
    if broken != "no PMID":
        assert "last good article is PMID 1" in str(caught.value)
    articles, report = pubmed_articles.read([path], skip_bad=True)
    assert {"1", "3"} <= {article.pmid for article in articles} <= {"1", "3", "4"}
    assert len(report.bad) == 1
    assert f"line {line}: " in report.bad[0]


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_truncated_files_say_so_wherever_they_end(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("truncated") / "articles.xml"
    whole = (HEAD + record(1) + record(2) + TAIL).encode()
    end = data.draw(st.integers(len(HEAD), len(whole) - len("</PubmedArticleSet>\n") - 1))
    path.write_bytes(whole[:end])
    with pytest.raises(BioftError, match=r"breaks off|between articles"):
        list(pubmed_articles.iterate(path))
    found = [article.pmid for article in pubmed_articles.iterate(path, report=ReadReport(), skip_bad=True)]
    assert found == [pmid for pmid in ("1", "2") if whole.find(f">{pmid}</PMID>".encode()) < end][: len(found)]


TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1).filter(str.strip)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=6), st.integers(200, 300), st.booleans())
def test_any_text_survives_whatever_the_blocks_that_are_read(tmp_path_factory, texts, block, packed):
    """Tags that are cut by the end of a block must be found all the same."""
    content = HEAD + "".join(record(i, title, abstract=text) for i, (title, text) in enumerate(texts, 1)) + TAIL
    path = tmp_path_factory.mktemp("blocks") / "articles.xml.gz"
    path.write_bytes(gzip.compress(content.encode()) if packed else content.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pubmed_xml, "_BLOCK", block)
        found = list(pubmed_articles.iterate(path))
    assert [article.title for article in found] == [" ".join(title.split()) for title, _ in texts]
    assert [article.abstract_text for article in found] == [" ".join(text.split()) for _, text in texts]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<html><body>Sorry</body></html>", r"no XML of PubMed.*begins with '<html>"),
        (b"PMID- 1\nTI  - A title\n", "no XML of PubMed.*: it is a list of references"),
        (bz2.compress(b"<PubmedArticleSet/>"), "no XML of PubMed.*: it is packed by bzip2"),
        ((HEAD + record(1) + TAIL).encode("utf-16"), "encoded in UTF-16"),
        ((HEAD.replace("utf-8", "latin1") + TAIL).encode(), "encoded in latin1"),
        (
            (HEAD + record(1, "\xe4") + TAIL).encode("latin1"),
            r"line 5: .*PMID 1: not well-formed \(invalid token\); no good",
        ),
        (b"<eFetchResult><ERROR>Cannot retrieve</ERROR></eFetchResult>", "error message of NCBI: Cannot retrieve"),
        (gzip.compress((HEAD + record(1) * 99).encode(), mtime=0)[:150], "truncated gzip file"),
        (b'<article article-type="x"><front/></article>', "full text of PubMed Central"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    path = tmp_path / "articles.xml"
    path.write_bytes(content)
    with pytest.raises(BioftError, match=message):
        list(pubmed_articles.iterate(path))


def test_an_article_that_never_ends_is_not_read_into_memory(write, monkeypatch):
    monkeypatch.setattr(pubmed_xml, "LARGEST_ARTICLE", 5_000)
    monkeypatch.setattr(pubmed_xml, "_BLOCK", 1_000)
    assert len(list(pubmed_articles.iterate(write(*map(record, range(1, 60)))))) == 59
    with pytest.raises(BioftError, match="no article ends within"):
        list(pubmed_articles.iterate(write(record(1).replace("</PubmedArticle>", "x" * 9_000))))


def test_folders(write, tmp_path):
    write(record(2), name="b.xml")
    write(record(1), name="a.xml")
    write("nothing", name="c.txt", head="", tail="")
    articles, _ = pubmed_articles.read([tmp_path])
    assert [article.pmid for article in articles] == ["1", "2"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(BioftError, match=r"has no \.xml, \.xml\.gz, \.nxml, \.nxml\.gz files"):
        pubmed_articles.read([tmp_path / "empty"])
    with pytest.raises(BioftError, match="does not exist"):
        pubmed_articles.read([tmp_path / "d.xml"])


def test_several_sets_deletions_and_bare_articles_in_one_file(write):
    """What joined files, update files of PubMed and single records look like."""
    deletion = "<DeleteCitation><PMID>4</PMID></DeleteCitation>"
    joined = write(record(1), TAIL, "\ufeff" + HEAD, record(2), deletion)
    assert [article.pmid for article in pubmed_articles.iterate(joined)] == ["1", "2"]
    assert [article.pmid for article in pubmed_articles.iterate(write(record(3), head="", tail=""))] == ["3"]
    assert list(pubmed_articles.iterate(write(head="", tail="<PubmedArticleSet/>"))) == []


def test_deleted_articles_go_from_their_file_and_those_before_it_and_are_counted(write):
    deletion = '<DeleteCitation><PMID Version="1">2</PMID>\n<PMID>4</PMID><PMID>99</PMID></DeleteCitation>'
    first, update = write(record(1), record(2), name="a.xml"), write(record(3), record(4), deletion, name="b.xml")
    report = ReadReport()
    assert [article.pmid for article in pubmed_articles.iterate(update, report=report)] == ["3"]
    assert report.deleted == ["4"]
    articles, report = pubmed_articles.read([first, update])
    assert [article.pmid for article in articles] == ["1", "3"]
    assert sorted(report.deleted) == ["2", "4"]


@pytest.mark.parametrize("block", [17, 50, 1 << 20])
def test_deletions_are_found_whatever_the_blocks_that_are_read(write, monkeypatch, block):
    pmids = [str(n) for n in range(100, 140)]
    path = write(
        f"<DeleteCitation>{''.join(f'<PMID Version={chr(34)}1{chr(34)}>{n}</PMID>' for n in pmids)}</DeleteCitation>"
    )
    monkeypatch.setattr(pubmed_xml, "_BLOCK", block)
    assert pubmed_xml.deleted(path) == set(pmids)


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        ("10<sup>6</sup> PFU", "10^6 PFU"),
        ("Ca<sup>2+</sup>, 10<sup>-3</sup> M", "Ca^2+, 10^-3 M"),
        ("x<sup>2</sup>=4, m<i>x</i><sup>3</sup>", "x^2=4, mx^3"),
        ("<sup>13</sup>C and CO<sub>2</sub>", "13C and CO2"),
        ("one<p>two</p>three<list><item>four</item></list>five", "one two three four five"),
        ("be<mml:math><mml:msup><mml:mn>10</mml:mn><mml:mn>6</mml:mn></mml:msup></mml:math>", "be10^6"),
        ("<mml:mfrac><mml:mi>a</mml:mi><mml:mi>b</mml:mi></mml:mfrac>", "a/b"),
        ("<mml:msubsup><mml:mi>x</mml:mi><mml:mi>i</mml:mi><mml:mn>2</mml:mn></mml:msubsup>", "xi^2"),
        ("2 × 10 <sup>6</sup> cells", "2 × 10 ^6 cells"),
        ("at 10 <sup>18</sup>F and 5 <sup>13</sup>C", "at 10 18F and 5 13C"),
    ],
)
def test_what_mark_up_says_is_kept_and_nothing_is_glued(write, inside, text):
    head = HEAD.replace("<PubmedArticleSet>", '<PubmedArticleSet xmlns:mml="http://www.w3.org/1998/Math/MathML">')
    (article,) = pubmed_articles.iterate(write(record(1, abstract="@").replace("@", inside), head=head))
    assert article.abstract_text == text


def test_empty_headings_are_left_out(write):
    headings = (
        "<MeshHeadingList><MeshHeading></MeshHeading><MeshHeading><DescriptorName/></MeshHeading></MeshHeadingList>"
    )
    path = write(record(1).replace("</MedlineCitation>", headings + "</MedlineCitation>"))
    assert next(pubmed_articles.iterate(path)).mesh == ()


@pytest.mark.parametrize(
    "start",
    [
        b"<PubmedArticleSet " + b'a="b" ' * 300_000,
        b"<PubmedArticleSet " * 100_000,
        b"<PubmedArticleSet><!--" + b"<!-- -" * 300_000,
        b"<PubmedArticleSet>" + b"<!-- a -->" * 100_000 + b"<!-- ",
        b"<PubmedArticleSet>" + b"<DeleteCitation>" * 100_000,
        b"<PubmedArticle>" * 100_000,
        b"<PubmedArticleSet><PubmedArticle>" + b"<PMID " * 300_000 + b"</PubmedArticle>",
    ],
)
def test_a_start_that_never_ends_takes_linear_time(tmp_path, start):
    """About two million bytes each: what takes quadratic time would take hours."""
    (tmp_path / "x.xml").write_bytes(start)
    report = ReadReport()
    assert list(pubmed_articles.iterate(tmp_path / "x.xml", report=report, skip_bad=True)) == []
    assert report.bad
