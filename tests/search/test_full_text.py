"""Full text of PubMed Central in an index: what its sections say is found, and no article goes without a word."""

import pytest

from bioft.errors import BioftError
from bioft.search.articles import read_articles
from tests.datasets.pubmed.test_full_text import ARTICLE

RECORD = """<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID Version="1">5</PMID><Article><ArticleTitle>On mice
</ArticleTitle><Abstract><AbstractText>They are small.</AbstractText></Abstract></Article></MedlineCitation>
</PubmedArticle></PubmedArticleSet>"""


def test_a_folder_holds_records_and_full_text(tmp_path):
    """The article is called by its PMID, has the year of its first publication, and its text all of its sections."""
    (tmp_path / "whole.nxml").write_text(ARTICLE.replace("{link}", ""), encoding="utf-8")
    (tmp_path / "record.xml").write_text(RECORD, encoding="utf-8")
    read, counts = read_articles([tmp_path])
    by_id = {each.id: each for each in read}
    assert set(by_id) == {"11", "5"} and counts["articles"] == 2
    whole = by_id["11"]
    assert (whole.title, whole.year, whole.mesh) == ("On H. fictus", 2012, ())
    parts = ["On H. fictus", "To see. And hear.", "Before all sections.", "Methods", "As described", "Mice", "Ten"]
    places = [whole.text.index(part) for part in parts]
    assert places == sorted(places)
    assert by_id["5"].text == "On mice They are small."


def test_an_article_that_has_no_id_is_said(tmp_path):
    """It is refused with its file, or left out and counted; its PMCID or DOI would do."""
    path = tmp_path / "whole.nxml"
    content = ARTICLE.replace("{link}", "").replace('pub-id-type="pmid">11', 'pub-id-type="other">11', 1)
    for left, name in ((content, "PMC77"), (content.replace(">77<", "><", 1), "10.1/own")):
        path.write_text(left, encoding="utf-8")
        assert [each.id for each in read_articles([path])[0]] == [name]
    path.write_text(content.replace(">77<", "><", 1).replace(">10.1/own<", "><", 1), encoding="utf-8")
    with pytest.raises(BioftError, match=r"whole\.nxml: an article without PMID, PMCID and DOI"):
        read_articles([path])
    (tmp_path / "record.xml").write_text(RECORD, encoding="utf-8")
    read, counts = read_articles([path, tmp_path / "record.xml"], skip_bad=True)
    assert [each.id for each in read] == ["5"] and counts["bad"] == 1
