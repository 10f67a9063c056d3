"""Words and meaning fused: what is found, marked, asked for in a file, written for TREC and measured."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from bioft.datasets.rank import fuse_ranks, rank_bm25
from bioft.errors import BioftError
from bioft.search import evaluate, index as search_index, rerank, words
from bioft.search.articles import IndexedArticle
from tests.search.test_index import VectorsAsTexts, encoder_of, ids, run
from tests.tiny import write_encoder

TEXTS = ["1 0 0 0", "0 1 0 0", "0.9 0.1 0 0", "0 0 1 0"]
TITLES = ["Kidney stones", "Lung cancer of smokers", "Stones of the bladder", "Cancer"]


class VectorsBeforeTexts(VectorsAsTexts):
    """An encoder whose texts begin with the numbers of their embedding."""

    def encode(self, texts, progress=None):
        return super().encode([" ".join(text.split()[-4:]) for text in texts])


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> search_index.SearchIndex:
    encoder = encoder_of()
    articles = [
        IndexedArticle(str(n), title, f"{title} {text}", 2000 + n, (), False)
        for n, (title, text) in enumerate(zip(TITLES, TEXTS, strict=True))
    ]
    made = VectorsBeforeTexts(encoder.model, encoder.name, encoder.identity)
    return search_index.index_articles(tmp_path_factory.mktemp("words") / "index", made, articles)[0]


def test_ranks_are_fused_by_their_reciprocals() -> None:
    assert fuse_ranks([1, 2, 3], [3, 4], 0.5, 60) == [3, 1, 2, 4]
    assert fuse_ranks([1, 2], [2, 1], 0.7, 60) == [1, 2] and fuse_ranks([1, 2], [2, 1], 0.3, 60) == [2, 1]
    assert fuse_ranks([5, 6], [], 0.5, 60) == [5, 6] and fuse_ranks([], [], 0.5, 60) == []


def test_words_and_meaning_each_add_what_the_other_misses(index: search_index.SearchIndex) -> None:
    near_kidney = np.array([1, 0, 0, 0], np.float32)
    assert ids(index.search(near_kidney, 2)) == ["0", "2"]
    alone = index.search(None, 9, "cancer of the lung")
    assert ids(alone) == ["1", "3"] == [str(n) for n in next(rank_bm25(["cancer of the lung"], TITLES, 9))]
    assert [(hit.score, hit.by_words, hit.by_meaning) for hit in alone] == [(None, 1, None), (None, 2, None)]
    both = index.search(near_kidney, 9, "cancer of the lung")
    assert ids(both)[0] == "1" and {*ids(both)} == {"0", "1", "2", "3"}, "both, then what one of them alone finds"
    found = {hit.id: hit for hit in both}
    assert found["1"].by_words == 1 and found["1"].score == pytest.approx(0, abs=1e-3), "its cosine, not its BM25"
    assert ids(index.search(near_kidney, 9, "cancer of the lung", from_year=2002)) == ["3", "2"]
    assert index.search(None, 9, "of the") == [], "stop words alone"
    assert ids(index.search(near_kidney, 1, "of the")) == ["0"]


def test_words_grow_with_the_index(index: search_index.SearchIndex) -> None:
    encoder = encoder_of()
    made = VectorsBeforeTexts(encoder.model, encoder.name, encoder.identity)
    more = [IndexedArticle("9", "Gout", "Gout 0 0 0 1", None, (), False)]
    grown, _ = search_index.index_articles(index.directory, made, more, add=True)
    assert ids(grown.search(None, 5, "gout")) == ["9"] and ids(grown.search(None, 5, "smokers")) == ["1"]
    assert ids(index.search(None, 5, "smokers")) == ["1"], "an index that was open stays usable"
    assert len(list(index.directory.iterdir())) == len(grown.manifest["files"]) + 1


def test_the_sentence_with_most_of_the_words_is_shown() -> None:
    text = "Title. We looked at p53. Lung cancers of smokers e.g. here were many! The end."
    asked = words.words_of("what is the cancer of the lung?")
    assert asked == {"cancer", "lung"}
    found = words.snippet("Title.", text, asked)
    assert found == "Lung cancers of smokers e.g. here were many!"
    assert [piece for piece, marked in words.pieces(found, asked) if marked] == ["Lung", "cancers"]
    assert words.snippet("Title.", text, {"absent"}) == "We looked at p53." and words.snippet("T", "T", asked) == ""
    long = words.snippet("", "word " * 100 + "lung " + "more " * 100, asked)
    assert long.startswith("…") and long.endswith("…") and "lung" in long and len(long) <= words.LONGEST + 2
    assert len(words.snippet("", "x" * 5000, asked)) <= words.LONGEST + 2


COLLECTION = [
    '{"_id": "d1", "title": "Heart pain", "text": "It hurts in the chest."}',
    '{"_id": "d2", "title": "", "text": "Kidney failure of the old."}',
    '{"_id": "d3", "title": "Fever", "text": "Young children are hot."}',
]


def test_a_collection_is_asked_written_and_measured(tmp_path: Path, cross_encoder: Path) -> None:
    """One in the layout of BEIR: with an encoder that knows nothing, words find what meaning does not."""
    write_encoder(tmp_path / "encoder")
    (tmp_path / "corpus.jsonl").write_text("\n".join(COLLECTION))
    assert "Indexed 3" in run("index", tmp_path / "encoder", tmp_path / "corpus.jsonl", "-o", tmp_path / "index")
    (tmp_path / "queries.jsonl").write_text(
        "\n".join(f'{{"_id": "q{n}", "text": "{q}"}}' for n, q in enumerate(("heart chest", "kidney", "hot children")))
    )
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq0\td1\t2\nq0\td3\t0\nq1\td2\t1\nq9\td1\t1\n")
    asked = ["search", tmp_path / "index", "--input", tmp_path / "queries.jsonl"]
    files = ["--trec", tmp_path / "run.txt", "--qrels", tmp_path / "qrels.tsv"]
    told = json.loads(run(*asked, *files, "--json"))
    assert (told["n"], told["not_asked"], list(told["systems"])) == (2, 1, ["hybrid", "words", "meaning"])
    assert told["systems"]["words"]["ndcg_at_10"]["value"] == 1 and told["paired"].keys() == {"words", "meaning"}
    lines = [line.split() for line in (tmp_path / "run.txt").read_text().splitlines()]
    assert len(lines) == 9 and all((line[1], line[5]) == ("Q0", "bioft-hybrid") for line in lines)
    assert [line[3:5] for line in lines[:2]] == [["1", "1.000000"], ["2", "0.500000"]]
    assert "--overwrite" in run(*asked, *files, code=1), "what is there stays"
    anew = ["--rerank", cross_encoder, "--rerank-first", 2, "-k", 3]
    told = json.loads(run(*asked, *files, "--json", "--overwrite", *anew))
    assert list(told["systems"]) == ["reranked", "hybrid", "words", "meaning"]
    assert told["paired"].keys() == {"hybrid", "words", "meaning"}
    lines = [line.split() for line in (tmp_path / "run.txt").read_text().splitlines()]
    assert len(lines) == 9 and {line[5] for line in lines} == {"bioft-hybrid-reranked"}
    (found,) = json.loads(run("search", tmp_path / "index", "heart chest", "--json", *anew[:4], "-k", 1))
    first = next(line[2] for line in lines if line[0] == "q0")
    assert found["id"] == first and found["cross_encoder"] is not None, "of two, though one was asked for"
    assert "cross-encoder" in run("search", tmp_path / "index", "heart chest", *anew)
    assert "is no cross-encoder" in run(*asked, "--json", "--rerank", tmp_path / "encoder", code=1)
    assert "Python package, needs no access" in run(*asked, "--json", "--rerank", "nobody/nothing", code=1)
    (tmp_path / "other.tsv").write_text("q0 0 PMID:d1 1\n")
    told = run(*asked, "--qrels", tmp_path / "other.tsv", "--words")
    assert "None of the 1 articles judged relevant was found: compare their ids" in told
    (tmp_path / "spaced.tsv").write_text("id\tquery\nq 1\tkidney\n")
    spaced = ["search", tmp_path / "index", "--input", tmp_path / "spaced.tsv", "--trec", tmp_path / "spaced.txt"]
    assert "The id 'q 1' has white space" in run(*spaced, code=1) and not (tmp_path / "spaced.txt").exists()
    shown = run(*asked, "--qrels", tmp_path / "qrels.tsv", "--words")
    assert "n = 2 queries" in shown and "1.000 [" in shown and "meaning" not in shown
    rows = [json.loads(line) for line in run(*asked, "--json", "-k", 1, "--words").splitlines()]
    assert [(row["id"], [hit["id"] for hit in row["found"]]) for row in rows] == [
        ("q0", ["d1"]),
        ("q1", ["d2"]),
        ("q2", ["d3"]),
    ]
    assert rows[0]["found"][0]["sentence"] == "It hurts in the chest." and rows[0]["found"][0]["marked"] == [[16, 21]]


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model that scores a pair of texts, with an activation under which nearly all scores are alike."""
    folder = write_encoder(tmp_path_factory.mktemp("cross_encoder"))
    config = BertConfig.from_pretrained(folder, num_labels=1)
    torch.manual_seed(1)
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def test_what_is_found_first_is_reranked_and_the_rest_stays_behind(
    index: search_index.SearchIndex, cross_encoder: Path
) -> None:
    model = rerank.load_reranker(str(cross_encoder))
    near_kidney, query = np.array([1, 0, 0, 0], np.float32), "cancer of the lung"
    before = index.search(near_kidney, 9, query)
    ((*found,),) = rerank.rerank(model, index, [query], [before], first=3)
    assert {*ids(found[:3])} == {*ids(before[:3])} and found[3:] == before[3:] and before[3].cross_encoder is None
    assert [hit.rank for hit in found] == [1, 2, 3, 4]
    inputs = {hit.id: model.tokenizer(query, index.texts([int(hit.id)])[0], return_tensors="pt") for hit in found}
    with torch.no_grad():
        scores = {name: model.model(**each.to(model.device)).logits.item() for name, each in inputs.items()}
    assert ids(found[:3]) == sorted(ids(before[:3]), key=lambda name: -scores[name])
    assert [hit.cross_encoder for hit in found[:3]] == pytest.approx(
        [scores[name] for name in ids(found[:3])], abs=1e-5
    )
    assert ids(found) != ids(before), "of three orders of six none is that of before by chance alone"
    same = SimpleNamespace(predict=lambda pairs, **_: [0.0] * len(pairs))
    assert ids(rerank.rerank(same, index, [query], [before])[0]) == ids(before), "of equal ones the first leads"
    assert rerank.rerank(model, index, [query], [[]]) == [[]]
    assert model.predict([(query, "lung " * 500)]).shape == (1,), "what is longer than the model reads is cut"


def test_what_is_no_cross_encoder_is_refused(tmp_path: Path, cross_encoder: Path) -> None:
    with pytest.raises(BioftError, match="is no cross-encoder but BertModel: give a model"):
        rerank.load_reranker(str(write_encoder(tmp_path / "encoder")))
    config = BertConfig.from_pretrained(cross_encoder, num_labels=3)
    BertForSequenceClassification(config).save_pretrained(tmp_path / "labels")
    with pytest.raises(BioftError, match="BertForSequenceClassification with 3 labels"):
        rerank.load_reranker(str(tmp_path / "labels"))
    with pytest.raises(BioftError, match="No cross-encoder could be loaded"):
        rerank.load_reranker(str(tmp_path))


def test_queries_and_judgements_are_read_as_others_write_them(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    for content in (
        "id\tquery\nq1\tone\n", "q1\tone\n", "query_id\ttext\nq1\tone\n", "text\tquery_id\none\tq1\n",
        "\ufeffQuery ID,Notes,Query Text\r\nq1,x,one\r\n", '"id";"query"\n"q1";"one"\n',
        '{"qid": "q1", "question": "one"}\n',
    ):  # fmt: skip
        path.write_text(content)
        assert evaluate.read_queries(path) == {"q1": "one"}, content
    for content in ("q1 0 d1 1\nq1 Q0 d2 -1\n", "\ufeffquery-id\tcorpus-id\tscore\r\nq1\td1\t1.0\r\n"):
        path.write_text(content)
        assert evaluate.read_qrels(path) == {"q1": {"d1": 1}}
    for content, message in (
        ("id\tquery\nq1\t\n", "line 2: no query"),
        ("q\ta\nq\tb\n", "'q' comes again"),
        ("id\tasked\nq1\tone\n", "none of the columns id, asked is the query"),
        ("fever\ncough\n", "'fever' is one column"),
        ('[{"id": "q1", "query": "one"}]', "a list where a JSON object should be"),
        ('{"id": "q1", "query": ["one"]}', "line 1: no query"),
    ):
        path.write_text(content)
        with pytest.raises(BioftError, match=message):
            evaluate.read_queries(path)
    for content, message in (
        ("q 0 d 1\nq d\n", "line 2: 'q d' is no"),
        ("q 0 d 0\n", "of no article"),
        ("q 0 d x\nq 0 e 1\n", "line 1: 'q 0 d x' is no"),
        ("q\t0\t\t1\n", "is no judgement"),
        ("q 0 d 1\nq 0 d 0\n", "line 2: the article 'd' was judged otherwise"),
    ):
        path.write_text(content)
        with pytest.raises(BioftError, match=message):
            evaluate.read_qrels(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["words", "--words", "--meaning"], "Leave both out"),
        (["words", "--qrels", "a"], "are for many queries"),
        (["words", "--input", "a"], "a query and --input are given"),
        (["--input", "a"], "--trec, --qrels or --json"),
        (["--input", "a", "--json"], "a"),
    ],
)
def test_options_that_do_not_go_together(index: search_index.SearchIndex, options: list[str], message: str) -> None:
    assert message in run("search", index.directory, *options, code=1).replace("\n", " ")
