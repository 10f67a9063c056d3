"""PubMed and PMC articles: download, reading, pairs by citation and by MeSH."""

from bioft.task import Source

PAIRS = Source(
    name="pubmed",
    title="pairs of PubMed articles",
    build="bioft.datasets.pubmed.pairs:build",
    purpose="Build pairs of PubMed articles that citations or topics relate, each with one that nothing relates.",
    fetch="pubmed",
)
ARTICLES = Source(
    name="pubmed_articles",
    title="PubMed articles to be found",
    build="bioft.datasets.pubmed.pairs:build_article_lists",
    purpose="Build PubMed articles, and for each those that citations or topics relate to it.",
    dataset=None,
    fetch="pubmed",
)
HEADINGS = Source(
    name="pubmed_headings",
    title="MeSH headings and PubMed articles",
    build="bioft.datasets.pubmed.headings:build",
    purpose="Build pairs of a MeSH heading and a PubMed article that has it, as in a search by topic.",
    fetch="pubmed",
)
PUBLISHED_PAIRS = Source(
    name="pubmed_pairs",
    title="pairs of PubMed abstracts",
    build="bioft.datasets.pubmed.published_pairs:build",
    purpose="Build pairs of texts from published CSV files, split anew so that no text is in two splits.",
)
SOURCES = (PAIRS, ARTICLES, HEADINGS, PUBLISHED_PAIRS)
