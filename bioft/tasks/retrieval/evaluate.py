"""How well an encoder finds the partner of a text: each first text of a pair against all other texts of the split."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
from datasets import Dataset

from bioft import metrics
from bioft.datasets.rank import rank_bm25, rank_embeddings, rank_tfidf
from bioft.metrics import intervals, report
from bioft.metrics.retrieval import paired_retrieval_bootstrap

DEPTH = 1000
"""Texts that are ranked for a query."""

Ranked = list[list[int]]


@dataclass(frozen=True)
class RetrievalTask:
    """Queries, and the texts among which the right ones are to be found; all are of one split."""

    TASK: ClassVar = "text-retrieval"
    SHOWN: ClassVar = {
        "ndcg_at_10": "nDCG@10", "mrr_at_10": "MRR@10", "recall_at_10": "Recall@10", "recall_at_100": "Recall@100",
        "map": "MAP",
    }  # fmt: skip

    queries: list[str]
    texts: list[str]
    relevant: list[list[int]]
    """Per query the indices of the right texts: those that a pair of the split joins it to."""

    @classmethod
    def of(cls, rows: Dataset, candidates: Sequence[str] | None = None, related: float = 0.5) -> "RetrievalTask":
        """Make the task of the pairs of a split: anchor and positive, or sentence1, sentence2 and score.

        `candidates` are the columns whose texts are looked through: all by default, and what the manifest of a dataset
        has under that name, where queries are no texts to be found.
        """
        names = ("anchor", "positive") if "anchor" in rows.features else ("sentence1", "sentence2")
        columns = candidates or [*names, *(["negative"] if "negative" in rows.features else [])]
        texts = list(dict.fromkeys(text for column in columns for text in rows[column][:]))
        index = {text: i for i, text in enumerate(texts)}
        scores = rows["score"][:] if "score" in rows.features else [1.0] * len(rows)
        relevant: dict[str, dict[int, None]] = {}
        for query, text, score in zip(rows[names[0]][:], rows[names[1]][:], scores, strict=True):
            if score >= related and text != query:
                relevant.setdefault(query, {})[index[text]] = None
        return cls(list(relevant), texts, [list(found) for found in relevant.values()])

    def rank_baselines(self) -> dict[str, Ranked]:
        """The rankings of BM25 and TF-IDF."""
        rankings = {"bm25": rank_bm25, "tfidf": rank_tfidf}
        found = {name: rank(self.queries, self.texts, self._depth) for name, rank in rankings.items()}
        return {name: self._without_queries(ranked) for name, ranked in found.items()}

    def rank(self, encoder: Any) -> Ranked:
        """The rankings by the cosine of a `SentenceTransformer`'s embeddings."""
        named = list(dict.fromkeys([*self.texts, *self.queries]))
        vectors = dict(zip(named, encoder.encode(named, show_progress_bar=False), strict=True))
        queries, texts = ([vectors[text] for text in each] for each in (self.queries, self.texts))
        return self._without_queries(rank_embeddings(queries, texts, self._depth)[0].tolist())

    rank_base = rank

    def details(self, rankings: Mapping[str, Ranked]) -> dict[str, Any]:
        """How many texts were looked through, and how often each system found nothing that is right."""
        missed = {
            name: sum(set(found).isdisjoint(right) for found, right in zip(ranked, self.relevant, strict=True))
            for name, ranked in rankings.items()
        }
        return {"texts": len(self.texts), "queries_without_a_right_text_found": missed}

    def evaluate(self, ranked: Ranked) -> dict[str, Any]:
        """The metrics of `bioft.metrics.retrieval`, each with value, low, high and n."""
        return intervals.nest(metrics.load("retrieval").compute(predictions=ranked, references=self.relevant))

    def compare(self, ranked: Ranked, baselines: Mapping[str, Ranked]) -> dict[str, Any]:
        """Paired bootstrap over queries of nDCG@10 against the best baseline's."""
        results = {name: paired_retrieval_bootstrap(self.relevant, ranked, found) for name, found in baselines.items()}
        best = max(results, key=lambda name: results[name].second)
        return report.describe_difference(best, results[best], "nDCG@10")

    def write_predictions(
        self, ranked: Ranked, base: Ranked, baselines: Mapping[str, Ranked], directory: Path
    ) -> None:
        """Write `predictions.parquet`: a row for each query, right texts and the first 10 found as JSON lists."""
        columns: dict[str, Any] = {"id": self.queries, "label": self._named(self.relevant)}
        columns["prediction"], columns["base"] = self._named(ranked), self._named(base)
        for name, found in baselines.items():
            columns[f"baseline_{name}"] = self._named(found)
        pd.DataFrame(columns).to_parquet(directory / "predictions.parquet", index=False)

    @property
    def _depth(self) -> int:
        return min(DEPTH, len(self.texts))

    def _without_queries(self, ranked: Sequence[Sequence[int]]) -> Ranked:
        """A query is no answer to itself."""
        return [
            [text for text in found if self.texts[text] != query]
            for query, found in zip(self.queries, ranked, strict=True)
        ]

    def _named(self, found: Sequence[Sequence[int]]) -> list[str]:
        return [json.dumps([self.texts[text] for text in each[:10]], ensure_ascii=False) for each in found]
