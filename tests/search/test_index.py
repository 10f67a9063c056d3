"""The search index: what is found, filters, adds, kills, changed files, other encoders, and what can be indexed."""

import json
import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from typer.testing import CliRunner

from bioft.cli.main import app
from bioft.errors import BioftError
from bioft.models import base as models
from bioft.models.embed import encode_texts
from bioft.search import index as search_index, layout
from bioft.search.articles import IndexedArticle, read_articles
from bioft.search.encoder import SearchEncoder, load_encoder
from bioft.search.near_duplicates import near_duplicates
from bioft.search.topics import find_topics
from bioft.storage import runs
from bioft.tasks.retrieval import encoder as contrastive, named
from bioft.tasks.retrieval.encoder import ContrastiveArguments
from tests.tiny import write_encoder

RUNNER = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"})
EMBEDDED = "embedded:all-minilm-l6-v2"


def run(*arguments: object, code: int = 0) -> str:
    result = RUNNER.invoke(app, [str(each) for each in arguments])
    assert result.exit_code == code, result.output + result.stderr
    assert "Traceback" not in result.output + result.stderr
    return result.stdout if code == 0 else result.stderr


class VectorsAsTexts(SearchEncoder):
    """An encoder whose texts are the numbers of their embedding."""

    def encode(self, texts, progress=None):
        return np.array([[float(number) for number in text.split()] for text in texts], np.float32).reshape(-1, 4)


def encoder_of(identity: str = "a") -> VectorsAsTexts:
    model = SimpleNamespace(get_embedding_dimension=lambda: 4, max_seq_length=8)
    return VectorsAsTexts(model, f"encoder {identity}", identity)


def article(number: int, vector: str, year: int | None = 2000, *mesh: str) -> IndexedArticle:
    return IndexedArticle(str(number), f"Title {number}", vector, year, mesh, number == 2)


ARTICLES = [
    article(1, "1 0 0 0", 1999, "Humans", "Neoplasms"),
    article(2, "0.9 0.1 0 0", 2005, "Humans"),
    article(3, "0 1 0 0", None, "Mice"),
    article(4, "0 0 2 0", 2010),
]
QUERY = np.array([1, 0, 0, 0], np.float32)


@pytest.fixture
def index(tmp_path: Path) -> search_index.SearchIndex:
    return search_index.index_articles(tmp_path / "index", encoder_of(), ARTICLES)[0]


def ids(hits) -> list[str]:
    return [hit.id for hit in hits]


def test_nearest_articles_lead(index: search_index.SearchIndex) -> None:
    hits = index.search(QUERY, 3)
    assert ids(hits)[:2] == ["1", "2"]
    assert [hit.rank for hit in hits] == [1, 2, 3]
    assert hits[0].score == pytest.approx(1, abs=1e-3) and hits[1].score == pytest.approx(0.994, abs=1e-3)
    assert (hits[1].title, hits[1].year, hits[1].retracted, hits[0].retracted) == ("Title 2", 2005, True, False)
    assert len(index.search(QUERY, 99)) == 4
    with pytest.raises(BioftError, match="k is 0"):
        index.search(QUERY, 0)


def test_filters_leave_only_what_passes(index: search_index.SearchIndex) -> None:
    assert ids(index.search(QUERY, from_year=2000)) == ["2", "4"], "an article without a year is in no range"
    assert ids(index.search(QUERY, to_year=2005)) == ["1", "2"]
    assert ids(index.search(QUERY, mesh=["HUMANS"])) == ["1", "2"]
    assert ids(index.search(QUERY, mesh=["Humans", "Neoplasms"])) == ["1"]
    assert index.search(QUERY, from_year=2000, mesh=["Mice"]) == []
    with pytest.raises(BioftError, match=r"MeSH term 'Neoplasm'\. Did you mean 'neoplasms'"):
        index.search(QUERY, mesh=["Neoplasm"])
    with pytest.raises(BioftError, match="from 2005 and to 2000"):
        index.search(QUERY, from_year=2005, to_year=2000)


def test_large_indexes_are_searched_in_the_graph_and_filtered_ones_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a lower bound for exact comparison, the graph finds what comparing all finds, filters included."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(3000, 4)).astype(np.float32)
    made = [article(i, " ".join(map(str, v)), 1990 + i % 30, "All") for i, v in enumerate(vectors.tolist())]
    index, _ = search_index.index_articles(tmp_path / "index", encoder_of(), made)
    queries = rng.normal(size=(20, 4)).astype(np.float32)
    filters: list[dict[str, object]] = [{}, {"from_year": 2005}, {"mesh": ["All"]}, {"from_year": 2019}]
    exact = [[ids(index.search(query, 10, **kept)) for query in queries] for kept in filters]
    pairs = near_duplicates(index, 0.9999)
    monkeypatch.setattr(search_index, "EXACT_UP_TO", 500)
    graph = [[ids(index.search(query, 10, **kept)) for query in queries] for kept in filters]
    shared = [
        len({*a} & {*b}) for one, other in zip(exact, graph, strict=True) for a, b in zip(one, other, strict=True)
    ]
    assert all(len(found) == 10 for answers in graph for found in answers)
    assert np.mean(shared) > 9.8
    assert graph[3] == exact[3], "100 articles of one year: compared one by one"
    # Years that lie away from the query: what the graph fetches does not pass, so all that pass are compared.
    near = np.argsort(-(vectors @ queries[0]) / np.linalg.norm(vectors, axis=1))
    years = np.full(3000, 2000)
    years[near[:2000]] = 1900
    far = [one._replace(year=int(year)) for one, year in zip(made, years, strict=True)]
    other, _ = search_index.index_articles(tmp_path / "far", encoder_of(), far)
    assert set(ids(other.search(queries[0], 5, from_year=2000))) == {str(i) for i in near[2000:2005]}
    found = {frozenset((pair.id, pair.other_id)) for pair in near_duplicates(index, 0.9999)}
    expected = {frozenset((pair.id, pair.other_id)) for pair in pairs}
    assert expected and len(found & expected) > 0.95 * len(expected)


def test_adding_skips_what_is_known(index: search_index.SearchIndex) -> None:
    more = [article(4, "1 0 0 0"), article(5, "0 0 0 1", 2020, "Mice")]
    grown, new = search_index.index_articles(index.directory, encoder_of(), more, add=True)
    assert new == 1 and len(grown) == 5
    assert ids(grown.search(np.array([0, 0, 0, 1], np.float32), 1)) == ["5"]
    assert ids(grown.search(QUERY, 1)) == ["1"], "4 is as it was first indexed"
    assert ids(grown.search(QUERY, mesh=["Mice"])) == ["3", "5"]
    assert len(list(index.directory.iterdir())) == 3, "what the manifest no longer names is removed"
    assert search_index.index_articles(index.directory, encoder_of(), more, add=True)[1] == 0
    assert ids(index.search(QUERY, 1)) == ["1"], "an index that was open stays usable"


def test_articles_are_taken_out(index: search_index.SearchIndex, tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("1\n3\n")
    assert "now holds 2" in run("index", "-o", index.directory, "--remove", tmp_path / "ids.txt")
    left = search_index.open_index(index.directory)
    assert ids(left.search(QUERY, 9)) == ["2", "4"] and left.texts([1]) == [ARTICLES[3].text]
    assert ids(index.search(QUERY, 1)) == ["1"], "an index that was open stays usable"
    before = sorted(path.name for path in index.directory.iterdir())
    assert "has the id '1'" in run("index", "-o", index.directory, "--remove", tmp_path / "ids.txt", code=1)
    with layout.locked(index.directory), pytest.raises(BioftError, match="Another process"):
        search_index.remove_articles(index.directory, ["2"])
    assert sorted(path.name for path in index.directory.iterdir()) == before
    assert len(search_index.remove_articles(index.directory, ["2", "4"])) == 0
    assert search_index.index_articles(index.directory, encoder_of(), ARTICLES, add=True)[1] == 4
    message = run("index", "-o", index.directory, code=1)
    assert "Name a model and the articles" in message


def test_an_index_is_replaced_where_that_is_asked_for(index: search_index.SearchIndex) -> None:
    other = encoder_of("b")
    made, new = search_index.index_articles(index.directory, other, ARTICLES[:1], overwrite=True, stored_as="int8")
    assert (len(made), new) == (1, 1) and made.manifest["model"]["name"] == other.name
    assert layout.stored_as(made.manifest) == "int8" and made.ids([0]) == [ARTICLES[0].id]
    assert len([*index.directory.glob("vectors-*")]) == 1


def test_what_would_spoil_an_index_is_refused(index: search_index.SearchIndex, tmp_path: Path) -> None:
    folder = index.directory
    for options, message in [({}, "Add to it with --add"), ({"add": True}, "made with encoder a, not with encoder b")]:
        with pytest.raises(BioftError, match=message):
            search_index.index_articles(folder, encoder_of("b"), ARTICLES, **options)
    with pytest.raises(BioftError, match="Leave one of them out"):
        search_index.index_articles(folder, encoder_of(), ARTICLES, add=True, overwrite=True)
    with pytest.raises(BioftError, match="No index in"):
        search_index.index_articles(tmp_path / "none", encoder_of(), ARTICLES, add=True)
    assert not (tmp_path / "none").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(BioftError, match="holds other files"):
        search_index.index_articles(tmp_path / "mine", encoder_of(), ARTICLES)
    with layout.locked(folder), pytest.raises(BioftError, match="Another process"):
        search_index.index_articles(folder, encoder_of(), ARTICLES, add=True)
    (vectors,) = folder.glob("vectors-*")
    content = vectors.read_bytes()
    vectors.write_bytes(content[:-8] + b"changed!")
    with pytest.raises(BioftError, match="was changed"):
        search_index.index_articles(folder, encoder_of(), ARTICLES, add=True)
    vectors.write_bytes(content[:100])
    with pytest.raises(BioftError, match="is not the file of the manifest"):
        search_index.open_index(folder)
    (folder / "manifest.json").write_text("{}")
    with pytest.raises(BioftError, match="is not the manifest of an index"):
        search_index.open_index(folder)
    with pytest.raises(BioftError, match="Make one with `bioft index`"):
        search_index.open_index(tmp_path / "mine")


def killed_before_the_manifest(folder: Path, add: bool) -> None:
    """Index an article in a child process that is killed when both files are written, the manifest not."""
    child = os.fork()
    if child == 0:
        try:
            layout.storage_files.file_sha256 = lambda path: os.kill(os.getpid(), signal.SIGKILL)
            layout.check_sums = lambda *_: None
            search_index.index_articles(folder, encoder_of(), [article(7, "0 0 0 1")], add=add)
        finally:
            os._exit(0)  # whatever happens, the child runs no further test
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_a_killed_build_leaves_the_old_index(index: search_index.SearchIndex, tmp_path: Path) -> None:
    before = index.manifest
    killed_before_the_manifest(index.directory, True)
    killed_before_the_manifest(tmp_path / "new", False)
    assert len(list(index.directory.glob("vectors-*"))) == 2
    opened = search_index.open_index(index.directory)
    assert opened.manifest == before and ids(opened.search(QUERY, 1)) == ["1"]
    grown, new = search_index.index_articles(index.directory, encoder_of(), [article(7, "0 0 0 1")], add=True)
    assert new == 1 and len(grown) == 5 and len(list(index.directory.iterdir())) == 3
    with pytest.raises(BioftError, match="No index in"):
        search_index.open_index(tmp_path / "new")
    assert len(search_index.index_articles(tmp_path / "new", encoder_of(), ARTICLES)[0]) == 4


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_leaves_the_old_index(index: search_index.SearchIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        layout.pq, "write_table", lambda *_, **__: os.write(os.open("/dev/full", os.O_WRONLY), b"content")
    )
    with pytest.raises(BioftError, match=r"No space left on device.*Make space"):
        search_index.index_articles(index.directory, encoder_of(), [article(7, "0 0 0 1")], add=True)
    assert len(list(index.directory.iterdir())) == 3
    assert len(search_index.open_index(index.directory)) == 4


def test_near_duplicates_and_topics(index: search_index.SearchIndex) -> None:
    (pair,) = near_duplicates(index, 0.9)
    assert (pair.id, pair.other_id, pair.title) == ("1", "2", "Title 1")
    assert near_duplicates(index, 0.999) == []
    with pytest.raises(BioftError, match="threshold is 2"):
        near_duplicates(index, 2)
    topics = find_topics(index, 3)
    assert sorted(topic.rows for topic in topics) == [(0, 1), (2,), (3,)]
    assert topics[0].size == 2 and topics[0].terms == ("Neoplasms",), "not who was studied"
    assert topics[0].years == {1999: 1, 2005: 1} and topics[0].name == "title"
    with pytest.raises(BioftError, match="from 1 to 4"):
        find_topics(index, 5)


def test_embeddings_are_those_of_the_library(tmp_path: Path) -> None:
    base = models.resolve_base_model(str(write_encoder(tmp_path)))
    model = contrastive.load_model(base, ContrastiveArguments(max_length=64)).train()
    texts = ["heart pain " * n for n in (3, 0, 70, 1, 12, 40)]
    found = encode_texts(model, texts)
    assert model.training, "as it was"
    np.testing.assert_allclose(found, model.encode(texts), atol=1e-5)
    assert encode_texts(model, []).shape == (0, 32)


def test_a_query_is_embedded_to_the_bit_as_sentence_transformers_does(tmp_path: Path) -> None:
    """Without its imports; a run's adapter is loaded by it all the same, and so is another architecture."""
    texts = ["heart pain " * n for n in (3, 0, 70, 1, 12, 40)]
    for name in ("embedded:all-minilm-l6-v2", str(write_encoder(tmp_path))):
        for dtype in (torch.float32, torch.bfloat16):
            (whole, told_by), (plain, of_plain) = (named.load(name, dtype, whole=its) for its in (True, False))
            assert isinstance(whole, SentenceTransformer) and isinstance(plain, named.MeanPooling)
            np.testing.assert_array_equal(encode_texts(plain, texts), encode_texts(whole, texts))
            assert told_by == of_plain and plain.max_seq_length == whole.max_seq_length


def test_a_run_is_told_by_its_weights(tmp_path: Path) -> None:
    """Moved, a run serves its index; trained further, or another base model, it is refused."""
    base = models.resolve_base_model(str(write_encoder(tmp_path / "base")))
    folder = tmp_path / "run"
    contrastive.save(contrastive.load_model(base, ContrastiveArguments(max_length=32)), base, folder)
    write_record(folder)
    first = load_encoder(str(folder))
    index, _ = search_index.index_articles(tmp_path / "index", first, [article(1, "heart pain")])
    moved = folder.rename(tmp_path / "moved")
    search_index.check_encoder(index.directory, index.manifest, load_encoder(str(moved)))
    found = run("search", index.directory, "heart", "--model", moved, "--json")
    assert json.loads(found)[0]["id"] == "1"
    message = run("search", index.directory, "heart", code=1)
    assert str(tmp_path / "run") in message and "--model" in message
    message = run("search", index.directory, "heart", "--model", tmp_path / "base", code=1)
    assert "was made with" in message and "into another folder" in message
    model, _ = contrastive.load_run(moved)
    next(model.parameters()).data += 0.1
    shutil.rmtree(moved)
    contrastive.save(model, base, moved)
    write_record(moved)
    assert "was made with" in run("search", index.directory, "heart", "--model", moved, code=1)


def write_record(folder: Path) -> None:
    base = {"id": "base", "revision": None, "sha256": None}
    record = {"schema_version": 1, "name": "a", "recipe": "contrastive", "task": "text-retrieval", "base_model": base}
    record |= {"contrastive": {"max_length": 32}}
    (folder / "run.json").write_text(json.dumps(record | {"files": runs.checksums(folder)}))


def test_tables_are_read(tmp_path: Path) -> None:
    rows = tmp_path / "a.csv"
    rows.write_text('id,text,year,mesh\n1,"Two\nlines",2001,Humans|Mice\n2,Other,,\n')
    lines = tmp_path / "b.jsonl"
    lines.write_text('{"id": 2, "text": "again"}\n\n{"id": "3", "text": "T", "title": "U", "mesh": ["Rats"]}\n')
    articles, counts = read_articles([rows, lines])
    assert articles == [
        IndexedArticle("1", "Two lines", "Two lines", 2001, ("Humans", "Mice"), False),
        IndexedArticle("2", "Other", "Other", None, (), False),
        IndexedArticle("3", "U", "U T", None, ("Rats",), False),
    ]
    assert (counts["articles"], counts["duplicates"]) == (3, 1)


def test_texts_without_titles_and_terms_are_shown_by_their_words(tmp_path: Path) -> None:
    long = "lithium " * 30
    rows = [
        ("1", "1 0 0 0", f"{long} tremor"),
        ("2", "1 0.1 0 0", "The lithium"),
        ("3", "0 1 0 0", "Aspirin"),
        ("4", "0.1 1 0 0", "aspirin"),
    ]
    (tmp_path / "a.csv").write_text("id,text\n" + "".join(f"{key},{text}\n" for key, _, text in rows))
    read, _ = read_articles([tmp_path / "a.csv"])
    assert (
        read[0].title.endswith("lithium…")
        and len(read[0].title) <= 80
        and read[0].text == f"{long} tremor".replace("  ", " ")
    )
    vectors = [each._replace(text=vector) for each, (_, vector, _) in zip(read, rows, strict=True)]
    index, _ = search_index.index_articles(tmp_path / "index", encoder_of(), vectors)
    assert {topic.name for topic in find_topics(index, 2)} == {"lithium", "aspirin"}
    shown = run("topics", tmp_path / "index", "-n", "2")
    assert "aspirin" in shown and "lithium" in shown


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "id,text\n1,\n", "line 2: no text"),
        ("a.csv", "text\nwords\n", "has no column id"),
        ("a.csv", "id,text,year\n1,words,MMXX\n", "the year is 'MMXX'"),
        ("a.csv", "id,text\n", "No article with a text"),
        ("a.jsonl", '{"id": 1, "text": "a"}\n{"id"\n', "line 2: not valid JSON"),
        ("a.jsonl", "[1]\n", "a list where a JSON object should be"),
        ("a.xml", "<PubmedArticleSet>", "a.xml"),
    ],
)
def test_bad_tables_are_refused(name: str, content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(BioftError, match=message):
        read_articles([tmp_path / name])


def test_pubmed_from_xml_to_answers(shared_data: Path, tmp_path: Path) -> None:
    """Real articles with the embedded MiniLM: what a query names is found; filters, JSON and bad queries."""
    folder, index = shared_data / "pubmed", tmp_path / "index"
    _, counts = read_articles([folder])
    assert (counts["articles"], counts["books"]) == (640, 6)
    assert counts["without_abstract"] > 0
    assert "Indexed 1 articles" in run("index", EMBEDDED, folder / "pubmed-29768149.xml", "-o", index)
    with_mesh = tmp_path / "some.jsonl"
    chosen = read_articles([folder / "mokztk_cpfe.xml.gz"])[0][:24]
    with_mesh.write_text("".join(json.dumps(each._asdict() | {"text": each.title}) + "\n" for each in chosen))
    assert "Indexed 24 articles" in run("index", EMBEDDED, with_mesh, "-o", index, "--add")
    assert len(search_index.open_index(index)) == 25
    assert "Indexed 0 articles" in run("index", EMBEDDED, with_mesh, "-o", index, "--add")
    query = "emphysema together with fibrosis of the lung"
    found = json.loads(run("search", index, query, "-k", 5, "--json"))
    assert [hit["rank"] for hit in found] == [1, 2, 3, 4, 5]
    assert "emphysema" in found[0]["title"].lower()
    assert found[0]["by_words"] and found[0]["by_meaning"] and found[0]["sentence"] == "", "of a title alone"
    year = chosen[0].year
    found = json.loads(run("search", index, query, "--from-year", year, "--to-year", year, "--json"))
    assert found and {hit["year"] for hit in found} == {year}
    shown = run("search", index, "Lungenemphysem und Lungenfibrose", "-k", 2)
    assert "cosine" in shown and "\n  2. " in shown, "a query in another language is answered"
    assert "query is empty" in run("search", index, " ", code=1)
    assert "takes no query" in run("search", index, "words", "--near-duplicates", code=1)
    assert "No article of the index has" in run("search", index, "lung", "--mesh", "No such thing", code=1)
    assert json.loads(run("topics", index, "-n", 2, "--json"))[0]["articles"] >= 13
    assert "Nothing found" in run("search", index, "--near-duplicates", "--threshold", 1)


def test_an_id_0_is_an_id_and_wrong_rows_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [
        '{"id": 0, "text": "a"}',
        '{"id": 1, "text": 5}',
        "[1]",
        '{"id": 2, "text": "b", "mesh": 7}',
        '{"text": "c"}',
    ]
    path.write_text("\n".join([*rows, '{"id": 3, "text": "d"}']))
    articles, counts = read_articles([path], skip_bad=True)
    assert [article.id for article in articles] == ["0", "3"]
    assert counts["bad"] == 4
    with pytest.raises(BioftError, match="line 2: the text is of type int"):
        read_articles([path])
    (tmp_path / "a.csv").write_text('id,text\n1,a\n2,"b\n3,c\n4,"d"\n')
    with pytest.raises(BioftError, match="line 3: not a row of a table"):
        read_articles([tmp_path / "a.csv"])


def test_texts_are_kept_and_read_by_their_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "READ_TOGETHER", 3)
    made, _ = search_index.index_articles(tmp_path / "index", encoder_of(), ARTICLES)
    assert made.table.metadata.num_row_groups == 2
    assert made.texts([3, 0, 2]) == [ARTICLES[row].text for row in (3, 0, 2)]
    assert made.rows_of([ARTICLES[2].id, ARTICLES[0].id]) == [2, 0]


@pytest.mark.parametrize("kind", layout.STORED_AS)
def test_vectors_are_kept_as_asked_cut_and_stay_so(kind: str, tmp_path: Path) -> None:
    """What is added, taken out and looked for is cut and stored as the index was made, and finds what it must."""
    encoder = load_encoder(str(write_encoder(tmp_path / "encoder")), first=8)
    texts = ["heart pain", "kidney failure of the old", "fever", "a broken arm"]
    articles = [IndexedArticle(str(n), text, text, None, (), False) for n, text in enumerate(texts)]
    folder = tmp_path / "index"
    search_index.index_articles(folder, encoder, articles[:3], stored_as=kind)
    whole = load_encoder(str(tmp_path / "encoder"))
    made, new = search_index.index_articles(folder, whole, articles, add=True)
    assert (new, made.manifest["dimensions"], made.manifest["vectors"], made.vectors.ndim) == (1, 8, kind, 8)
    assert made.vectors.dtype.name == layout.STORED_AS[kind].upper()
    stored = [np.asarray(made.vectors.get(np.arange(1, 4, dtype=np.uint64))).tolist()]
    left = search_index.remove_articles(folder, ["0"])
    stored.append(np.asarray(left.vectors.get(np.arange(3, dtype=np.uint64))).tolist())
    assert stored[0] == stored[1], "not rounded again"
    asked = search_index.load_encoder_of(left)
    vector = asked.encode_query("fever")
    assert vector.shape == (8,) and ids(left.search(vector, 1)) == ["2"]
    exact = whole.encode(["fever", "a broken arm"])[:, :8]
    cosine = exact[0] @ exact[1] / np.linalg.norm(exact[0]) / np.linalg.norm(exact[1])
    assert {hit.id: hit.score for hit in left.search(vector)}["3"] == pytest.approx(cosine, abs=0.02)
    other = {"float32": "int8"}.get(kind, "float32")
    for using, asked_for in ((whole, other), (load_encoder(str(tmp_path / "encoder"), first=16), None)):
        with pytest.raises(BioftError, match=f"have 8 dimensions in {kind}"):
            search_index.index_articles(folder, using, articles, add=True, stored_as=asked_for)
    with pytest.raises(BioftError, match=r"64 dimensions were asked for: .* has 32"):
        load_encoder(str(tmp_path / "encoder"), first=64)


def test_int8_keeps_cosines_of_vectors_of_many_dimensions(tmp_path: Path) -> None:
    """Numbers around .05 use all of int8: neighbours are told apart as in float32, at any length of the vectors."""
    rng = np.random.default_rng(0)
    exact = rng.normal(size=(400, 384)).astype(np.float32) * rng.uniform(0.01, 10, (400, 1)).astype(np.float32)
    exact[7] = 0
    texts = [f"article {n}" for n in range(len(exact))]

    class Encoder(SearchEncoder):
        def encode(self, texts: Sequence[str], progress: str | None = None) -> NDArray[np.float32]:
            return exact[[int(text.split()[1]) for text in texts]]

    model = SimpleNamespace(get_embedding_dimension=lambda: 384, max_seq_length=16)
    articles = [IndexedArticle(str(n), text, text, None, (), False) for n, text in enumerate(texts)]
    made, _ = search_index.index_articles(tmp_path, Encoder(model, "name", "identity"), articles, stored_as="int8")
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    unit = exact / np.where(lengths > 0, lengths, 1)
    assert np.abs(made.embeddings() @ unit.T - unit @ unit.T).max() < 0.002
    every, some = made.by_meaning(exact[:50], 10, None), made.by_meaning(exact[:50], 10, np.arange(0, 400, 2))
    for found, rows in ((every, np.arange(400)), (some, np.arange(0, 400, 2))):
        right = [rows[np.argsort(-(unit[n] @ unit[rows].T))[:10]].tolist() for n in range(50) if n != 7]
        its = [each for n, each in enumerate(found) if n != 7]
        shared = [len(set(each) & set(wanted)) / 10 for each, wanted in zip(its, right, strict=True)]
        assert np.mean(shared) > 0.97


def test_an_index_of_an_older_layout_is_refused(index: search_index.SearchIndex) -> None:
    path = index.directory / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 1}))
    message = run("search", index.directory, "words", code=1).replace("\n", " ")
    assert "an older bioft" in message and f"--output {index.directory}-2" in message
