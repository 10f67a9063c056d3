"""The commands for PubMed: download from a loopback server, build pairs and articles, show the published overlap."""

import gzip

import pytest
from typer.testing import CliRunner

from bioft.cli.main import app
from bioft.datasets import load
from bioft.datasets.pubmed import download as pubmed_download
from bioft.storage import datasets as storage
from tests.pubmed_server import PubmedServer, served

RUNNER = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"})


def run(*arguments, code=0):
    result = RUNNER.invoke(app, [str(each) for each in arguments])
    assert result.exit_code == code, result.output + result.stderr
    return result.stdout + result.stderr


def test_from_a_query_to_pairs(shared_data, tmp_path, monkeypatch):
    monkeypatch.setattr(pubmed_download, "PAUSE_SECONDS", {False: 0, True: 0})
    files = [shared_data / "pubmed" / name for name in ("xizhou_pubMR.xml.gz", "qi29_main_finding.xml.gz")]
    with served(PubmedServer.of_files(files)) as url:
        monkeypatch.setenv("BIOFT_EUTILS_URL", url)
        shown = run("download", "pubmed", "--query", "cancer", "--output", tmp_path / "xml")
    assert "214" in shown
    shown = run(
        "build", "pubmed", tmp_path / "xml", "--output", tmp_path / "pairs",
        "--articles-out", tmp_path / "articles",
        "--kinds", "citation", "--kinds", "mesh", "--least-similarity", "0.15",
    )  # fmt: skip
    assert "hard negatives" in shown
    assert "Note: left out, articles without title or abstract: 20" in shown
    dataset, manifest = storage.load(tmp_path / "pairs")
    assert set("|".join(dataset["train"]["kind"]).split("|")) == {"citation", "mesh"}
    found = load.load_pairs(str(tmp_path / "pairs"))
    assert found.dataset["test"].to_list() == dataset["test"].to_list()
    articles, _ = storage.load(tmp_path / "articles")
    assert set(dataset["test"]["anchor"]) <= set(articles["test"]["text"])
    card = (tmp_path / "pairs" / "README.md").read_text()
    # The command on the card makes the same rows.
    (command,) = [line for line in card.splitlines() if line.startswith("bioft build pubmed")]
    words = command.removeprefix("bioft ").replace("--output dataset", f"--output {tmp_path / 'again'}").split()
    monkeypatch.chdir(tmp_path / "xml")
    run(*words)
    assert storage.load_manifest(tmp_path / "again")["fingerprints"] == manifest["fingerprints"]
    assert "text-retrieval" in (tmp_path / "articles" / "README.md").read_text()


def test_published_overlap_is_shown_and_on_the_card(tmp_path):
    rows = "".join(f"a{i},b{i},1\na{i},b{(i + 1) % 40},0\n" for i in range(40))
    for name, content in (("train.csv", rows), ("test.csv", "a1,new,0\nnew,newer,1\n")):
        (tmp_path / name).write_text("text1,text2,label\n" + content)
    shown = run(
        "build",
        "pubmed-pairs",
        tmp_path / "train.csv",
        tmp_path / "test.csv",
        "-o",
        tmp_path / "out",
    )
    assert "as published: texts of test.csv that are in train.csv" in shown
    assert "1 of 3" in shown
    card = (tmp_path / "out" / "README.md").read_text()
    assert "As published, 1 of the 3 texts of test.csv are in train.csv too." in card
    assert "bioft build pubmed-pairs train.csv test.csv" in card
    assert set(load.load_pairs(str(tmp_path / "out")).dataset["train"]["score"]) == {0, 1}


def test_broken_records_are_left_out_if_asked(shared_data, tmp_path):
    with gzip.open(shared_data / "pubmed" / "xizhou_pubMR.xml.gz") as stream:
        content = stream.read()
    (tmp_path / "a.xml").write_bytes(content.replace(b"</ArticleTitle>", b"</Title>", 1))
    arguments = ["build", "pubmed", tmp_path / "a.xml", "--output", tmp_path / "out"]
    arguments += [shared_data / "pubmed" / "qi29_main_finding.xml.gz"]
    shown = run(*arguments, code=1)
    assert "broken XML in the article with PMID 30527807" in shown
    shown = run(*arguments, "--skip-bad")
    assert "1 document left out. First: " in shown
    assert storage.load_manifest(tmp_path / "out")["read"]["articles"] == 92 + 121


@pytest.mark.parametrize("command", [["download", "pubmed", "--query", " "], ["build", "pubmed", "none.xml"]])
def test_errors_have_no_traceback(command, tmp_path):
    shown = run(*command, "--output", tmp_path / "out", code=1)
    assert "Error: " in shown
    assert "Traceback" not in shown
    assert not (tmp_path / "out").exists()
