"""Does search by words and meaning together find more than either? On terms of HPO and articles of PubMed.

    python tests/benchmarks/bench_hybrid.py [--pubmed FOLDER] [--terms 800] [--model embedded:all-minilm-l6-v2]
        [--annotated CDR_*.PubTator.txt.gz --names CTD_curated_genes_diseases.csv.gz] [--dimensions 384 192 96]

Synonyms of HPO (exact ones that no other term has) look for their term among terms with their definitions; MeSH
headings look for the articles that have them, among the articles; names of diseases for the abstracts that mention
them by whatever name, in the title twice as relevant. Half of the queries, drawn by term, heading or disease, choose
one constant and weight of the fusion for all collections; the other half is measured once.

With --dimensions nothing is chosen: the other half is measured with vectors cut to so many dimensions and kept in
float32, float16 and int8, each against the whole vectors in float32. Texts are encoded once.
"""

import argparse
import itertools
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from bioft.datasets.documents import pubtator
from bioft.datasets.hpo import terms as hpo_terms
from bioft.datasets.namespaces import read
from bioft.datasets.pubmed.relations import CHECK_TAGS
from bioft.search import evaluate, index as search_index, layout, searchable
from bioft.search.articles import IndexedArticle, read_articles
from bioft.search.encoder import SearchEncoder, load_encoder

CONSTANTS, WEIGHTS = (1, 5, 10, 20, 60), (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
Queries = dict[str, dict[str, int]]


def hpo_collection(n: int) -> tuple[list[IndexedArticle], Queries]:
    """Terms that have synonyms, drawn at random, and the synonyms with the term that each looks for."""
    dataset, _ = hpo_terms.build_synonyms()
    rows = [row for split in dataset.values() for row in split]
    named = {row["group"] for row in rows}
    read = [(identifier, text) for identifier, text in hpo_terms.read_definitions() if identifier in named]
    drawn = [read[row] for row in np.random.default_rng(0).choice(len(read), min(n, len(read)), replace=False)]
    articles = [
        IndexedArticle(identifier, text.partition(": ")[0], text, None, (), False) for identifier, text in drawn
    ]
    known = {article.id for article in articles}
    return articles, {row["positive"]: {row["group"]: 1} for row in rows if row["group"] in known}


def pubmed_collection(folder: Path) -> tuple[list[IndexedArticle], Queries]:
    """Articles with headings, and the headings that at most 5 % of them have with these articles."""
    articles = [article for article in read_articles([folder])[0] if article.mesh]
    queries: Queries = {}
    for article in articles:
        for term in set(article.mesh) - CHECK_TAGS:
            queries.setdefault(term, {})[article.id] = 1
    return articles, {term: its for term, its in queries.items() if len(its) <= 0.05 * len(articles)}


def annotated_collection(files: Sequence[Path], names: Path) -> tuple[list[IndexedArticle], Queries]:
    """Abstracts with annotated diseases, and the names of those that 2 to 60 abstracts mention."""
    documents = [document for path in files for document in pubtator.read(path)]
    articles = [IndexedArticle(each.document_id, each.title, each.text, None, (), False) for each in documents]
    queries: Queries = {}
    known = read.read([names]).concepts.set_index("id")["name"].to_dict()
    for document in documents:
        for mention in document.mentions:
            for concept in {*pubtator.concepts(mention.id)} & known.keys() if mention.type == "Disease" else ():
                its = queries.setdefault(known[concept], {})
                its[document.document_id] = max(
                    its.get(document.document_id, 1), 1 + (mention.start < len(document.title))
                )
    return articles, {name: its for name, its in queries.items() if 2 <= len(its) <= 60}


class Asked:
    """An indexed collection, and its queries in two halves."""

    def __init__(
        self,
        name: str,
        encoder: SearchEncoder,
        articles: list[IndexedArticle],
        queries: Queries,
        folder: Path,
        stored_as: str | None = None,
    ) -> None:
        self.name, self.queries = name, queries
        self.index, _ = search_index.index_articles(folder / name, encoder, articles, stored_as=stored_as)
        # By what is looked for, so that synonyms of one term are in one half.
        groups = {query: min(its) if name == "hpo" else query for query, its in queries.items()}
        names = sorted(set(groups.values()))
        tested = {*np.random.default_rng(0).permutation(names)[len(names) // 2 :].tolist()}
        self.halves = [[query for query in queries if (groups[query] in tested) == test] for test in (False, True)]
        self.vectors = [encoder.encode_queries(half) for half in self.halves]

    def find(self, half: int, way: str) -> dict[str, list[searchable.Hit]]:
        """What one half of the queries finds by a way."""
        asked, vectors = self.halves[half], self.vectors[half]
        given = {"hybrid": (vectors, asked), "words": (None, asked), "meaning": (vectors, None)}
        return dict(zip(asked, self.index.search_all(*given[way], evaluate.FOUND), strict=True))

    def measure(self, half: int, *ways: str) -> dict:
        """The figures of one half of the queries by each way, of which the first is paired with the others."""
        return evaluate.measure(self.queries, {way: self.find(half, way) for way in ways})


class Once(SearchEncoder):
    """An encoder that encodes the same texts once, whatever of their embeddings is kept."""

    def encode(self, texts: Sequence[str], progress: str | None = None) -> np.ndarray:
        """As `SearchEncoder`."""
        return self._cut(_encoded(replace(self, first=None), tuple(texts)))

    def encode_queries(self, queries: Sequence[str]) -> np.ndarray:
        """As `SearchEncoder`."""
        return self.encode(queries)


@cache
def _encoded(encoder: SearchEncoder, texts: tuple[str, ...]) -> np.ndarray:
    return SearchEncoder.encode(encoder, texts, "Texts")


def measure_vectors(encoder: SearchEncoder, name: str, made: tuple, dimensions: Sequence[int], folder: Path) -> None:
    """Print what each size and kind of vectors finds by meaning and by both, and how large they are on disk."""
    encoder, found = Once(encoder.model, encoder.name, encoder.identity), {}
    for first, kind in itertools.product(dimensions, layout.STORED_AS):
        asked = Asked(f"{name}-{first}-{kind}", replace(encoder, first=first), *made, folder, kind)
        (file,) = asked.index.directory.glob("vectors-*")
        print(f"{asked.name}: {file.stat().st_size / len(asked.index):,.0f} bytes an article on disk", flush=True)
        found[f"{first} {kind}"] = {way: asked.find(1, way) for way in ("meaning", "hybrid")}
    for way in ("meaning", "hybrid"):
        measured = evaluate.measure(asked.queries, {each: its[way] for each, its in found.items()})
        for row in evaluate.in_words(measured):
            print(name, way, " | ".join(row), sep=" | ", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="embedded:all-minilm-l6-v2")
    parser.add_argument("--terms", type=int, default=800, help="terms of HPO, drawn at random; 0 for none")
    parser.add_argument("--pubmed", type=Path, help="folder of PubMed XML; without it HPO alone")
    parser.add_argument("--annotated", type=Path, nargs="*", default=[], help="PubTator files of BC5CDR")
    parser.add_argument("--names", type=Path, help="CTD's table with the names of diseases")
    parser.add_argument("--dimensions", type=int, nargs="*", default=[], help="to be measured, the whole first")
    arguments = parser.parse_args()
    encoder = load_encoder(arguments.model)
    with tempfile.TemporaryDirectory() as place:
        made = {} if arguments.pubmed is None else {"pubmed": pubmed_collection(arguments.pubmed)}
        made |= {"hpo": hpo_collection(arguments.terms)} if arguments.terms else {}
        if arguments.annotated:
            made["annotated"] = annotated_collection(arguments.annotated, arguments.names)
        for name, each in made.items():
            if arguments.dimensions:
                measure_vectors(encoder, name, each, arguments.dimensions, Path(place))
        if arguments.dimensions:
            raise SystemExit
        collections = [Asked(name, encoder, *each, Path(place)) for name, each in made.items()]
        chosen: dict[tuple[float, float], list[float]] = {}
        for pair in itertools.product(CONSTANTS, WEIGHTS):
            searchable.CONSTANT, searchable.WEIGHT_OF_MEANING = pair
            measured = [each.measure(0, "hybrid")["systems"]["hybrid"] for each in collections]
            chosen[pair] = [its["ndcg_at_10"]["value"] for its in measured]
            print(pair, [round(value, 4) for value in chosen[pair]], flush=True)
        best = max(chosen, key=lambda pair: sum(chosen[pair]))
        searchable.CONSTANT, searchable.WEIGHT_OF_MEANING = best
        print("chosen:", best)
        for each in collections:
            print(each.name, f"{len(each.index):,} articles")
            for row in evaluate.in_words(each.measure(1, "hybrid", "words", "meaning")):
                print(" | ".join(row), flush=True)
