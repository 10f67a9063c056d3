"""Searching what PubMed really holds: records incomplete, retracted, doubled or broken, and books; odd queries."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bioft.cli.main import app
from bioft.errors import BioftError
from bioft.search.articles import read_articles
from tests.tiny import write_encoder

RUNNER = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"})
RETRACTED = "<PublicationTypeList><PublicationType>Retracted Publication</PublicationType></PublicationTypeList>"


def run(*arguments: object, code: int = 0) -> str:
    result = RUNNER.invoke(app, [str(each) for each in arguments])
    assert result.exit_code == code, result.output + result.stderr
    assert "Traceback" not in result.output + result.stderr
    return result.stdout if code == 0 else result.stderr


def record(pmid: int, title: str, abstract: str = "", version: int = 1, more: str = "") -> str:
    text = f"<Abstract><AbstractText>{abstract}</AbstractText></Abstract>" if abstract else ""
    return (
        f'<PubmedArticle><MedlineCitation><PMID Version="{version}">{pmid}</PMID><Article><ArticleTitle>{title}'
        f"</ArticleTitle>{text}{more}</Article></MedlineCitation></PubmedArticle>\n"
    )


RECORDS = (
    record(1, "Heart pain", "First version."),
    record(2, "Kidney failure, a letter"),
    record(3, "Fever", "Withdrawn later.", more=RETRACTED),
    "<PubmedBookArticle><BookDocument><PMID>4</PMID></BookDocument></PubmedBookArticle>\n",
    record(5, "Broken</i> arm", "Not well-formed."),
    record(1, "Heart pain, revised", "Second version.", version=2),
    record(6, ""),
)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of articles.xml, the encoder and the index that was made with --skip-bad."""
    folder = tmp_path_factory.mktemp("search")
    write_encoder(folder / "encoder")
    (folder / "articles.xml").write_text(f"<PubmedArticleSet>\n{''.join(RECORDS)}</PubmedArticleSet>\n")
    shown = run("index", folder / "encoder", folder / "articles.xml", "-o", folder / "index", "--skip-bad")
    counts = "articles 3, without abstract 2, duplicates 1, books 1, bad 1, without text 1, retracted 1"
    assert counts in shown and "Indexed 3 articles" in shown
    return folder


def test_a_broken_record_stops_the_index_unless_it_is_to_be_skipped(indexed: Path) -> None:
    command = ["index", indexed / "encoder", indexed / "articles.xml", "-o", indexed / "other"]
    message = run(*command, code=1)
    assert "line 6: " in message and "PMID 5" in message and "--skip-bad" in message
    assert not (indexed / "other").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.jsonl", '{"id": 7.0, "text": "Pain", "title": NaN, "year": 2001.0, "mesh": ["Humans", "Asthma"]}\n'),
        ("x.csv", "id,text,title,year,mesh\n7,Pain,NA,2001.0,\"['Humans', 'Asthma']\"\n"),
        ("x.tsv", "id\ttext\ttitle\tyear\tmesh\n7\tPain\t\t2001\tHumans; Asthma\n"),
    ],
)
def test_rows_as_pandas_and_r_write_them(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    ((article,), _) = read_articles([tmp_path / name])
    assert article[:5] == ("7", "Pain", "Pain", 2001, ("Humans", "Asthma"))
    (tmp_path / "y.jsonl").write_text('{"id": 7, "text": "Pain", "mesh": [{"term": "Humans"}]}\n')
    with pytest.raises(BioftError, match=r"line 1: mesh is \[.*\]. Give a list of terms"):
        read_articles([tmp_path / "y.jsonl"])


def test_what_is_found_is_complete_current_and_marked(indexed: Path) -> None:
    found = json.loads(run("search", indexed / "index", "heart", "-k", 9, "--json"))
    assert {hit["id"]: (hit["title"], hit["retracted"]) for hit in found} == {
        "1": ("Heart pain, revised", False),
        "2": ("Kidney failure, a letter", False),
        "3": ("Fever", True),
    }
    assert run("search", indexed / "index", "heart", "-k", 9).lower().count("retracted") >= 1


@pytest.mark.parametrize(
    "query", ["肺がんの治療", "caf\udce9", "вопрос о сердце", "💊", "heart pain " * 2000, "NOT (a) OR [b]*"]
)
def test_any_query_with_words_is_answered(indexed: Path, query: str) -> None:
    found = json.loads(run("search", indexed / "index", query, "--json"))
    assert {hit["id"] for hit in found} == {"1", "2", "3"}
    assert all(-1 <= hit["score"] <= 1.001 for hit in found), "a cosine, not a missing value"


@pytest.mark.parametrize("query", ["", "   ", "\n\t"])
def test_an_empty_query_is_refused(indexed: Path, query: str) -> None:
    assert "The query is empty" in run("search", indexed / "index", query, code=1)
