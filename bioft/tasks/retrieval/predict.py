"""What an encoder finds for each first text of a pair among all other texts of the split."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from datasets import Dataset

from bioft.datasets.pair_audit import RELATED
from bioft.datasets.rank import rank_embeddings
from bioft.models.embed import encode_texts
from bioft.storage.runs import PREDICTIONS
from bioft.tasks.retrieval import encoder as contrastive

DEPTH = 1000
"""Texts that are ranked for a query."""
STORED = 10
"""Those of them that are stored."""
RANKED = "ranked"
"""The column with the indices of the texts that were ranked, up to the last right one: no figure is of those after it,
and a thousand for each of very many queries would fill the memory. `predictions.parquet` does not have it."""


@dataclass(frozen=True)
class Queries:
    """Queries, and the texts among which the right ones are to be found; all are of one split."""

    queries: list[str]
    texts: list[str]
    relevant: list[list[int]]
    """Per query the indices of the right texts: those that a pair of the split joins it to."""
    groups: list[str]
    """Per query that of its first pair: queries of a group are not independent. Without groups, the query."""

    @classmethod
    def of(cls, rows: Dataset, candidates: Sequence[str] | None = None) -> "Queries":
        """The queries of the pairs of a split: anchor and positive, or sentence1, sentence2 and score.

        `candidates` are the columns whose texts are looked through: all by default, and what the manifest of a dataset
        has under that name, where queries are no texts to be found.
        """
        names = ("anchor", "positive") if "anchor" in rows.features else ("sentence1", "sentence2")
        columns = candidates or [*names, *(["negative"] if "negative" in rows.features else [])]
        texts = list(dict.fromkeys(text for column in columns for text in rows[column][:]))
        index = {text: i for i, text in enumerate(texts)}
        scores = rows["score"][:] if "score" in rows.features else [1.0] * len(rows)
        of_pairs = rows["group" if "group" in rows.features else names[0]][:]
        relevant: dict[str, dict[int, None]] = {}
        groups: dict[str, str] = {}
        for query, text, score, group in zip(rows[names[0]][:], rows[names[1]][:], scores, of_pairs, strict=True):
            if score >= RELATED and text != query:
                relevant.setdefault(query, {})[index[text]] = None
                groups.setdefault(query, str(group))
        return cls(list(relevant), texts, [list(found) for found in relevant.values()], list(groups.values()))

    def rank(self, how: Callable[[Sequence[str], Sequence[str], int], Iterable[Sequence[int]]]) -> pd.DataFrame:
        """The predictions table of what ranks texts (queries, texts and their number): best first."""
        found = how(self.queries, self.texts, min(DEPTH, len(self.texts)))
        first, ranked = [], []
        for query, its, right in zip(self.queries, found, self.relevant, strict=True):
            # A query is no answer to itself.
            others = [int(text) for text in its if self.texts[text] != query]
            last = max(map(others.index, {*right} & {*others}), default=-1)
            first.append(others[:STORED])
            ranked.append(others[: last + 1])
        table = {"id": self.queries, "label": self.named(self.relevant, None), "prediction": self.named(first)}
        return pd.DataFrame({**table, "group": self.groups, RANKED: ranked})

    def named(self, found: Sequence[Sequence[int]], first: int | None = STORED) -> list[str]:
        """Of each query the first texts that were found (None: all), by their indices, as a JSON list."""
        return [json.dumps([self.texts[text] for text in each[:first]], ensure_ascii=False) for each in found]


def asked(rows: Dataset, record: Mapping[str, Any]) -> Queries:
    """What is asked of a split, as the dataset of a record has it."""
    return Queries.of(rows, record["dataset"].get("candidates"))


def load(directory: str | Path, dtype: torch.dtype | None = None) -> Any:
    """The encoder of a finished run: see `encoder.load_run`."""
    return contrastive.load_run(directory, dtype)[0]


def predict(model: Any, rows: Dataset, record: Mapping[str, Any], progress: Any = None) -> pd.DataFrame:
    """What the cosines of a `SentenceTransformer`'s embeddings find for each query of a split.

    In the predictions table `id` is the query; `label` and `prediction` are the right texts and those that were found,
    as JSON lists of the first 10; `ranked` has the indices of those that were ranked, up to the last right one.
    """

    def how(queries: Sequence[str], texts: Sequence[str], depth: int) -> Any:
        named = list(dict.fromkeys([*texts, *queries]))
        vectors = dict(zip(named, encode_texts(model, named, progress), strict=True))
        of_queries, of_texts = ([vectors[text] for text in each] for each in (queries, texts))
        return rank_embeddings(of_queries, of_texts, depth)[0]

    return asked(rows, record).rank(how)


answer_of_base = predict


def predict_base(model: Any, dataset: Any, record: Mapping[str, Any], progress: Any = None) -> pd.DataFrame:
    """What the base model finds for each query of the test split."""
    return answer_of_base(contrastive.load_base(record), dataset["test"], record, progress)


def write(
    directory: Path, rows: Any, table: pd.DataFrame, base: pd.DataFrame, baselines: Mapping[str, pd.DataFrame]
) -> None:
    """Write `predictions.parquet`: the model's table, and what the base model and the baselines answered."""
    others = {"base": base, **{f"baseline_{name}": its for name, its in baselines.items()}}
    stored = table.drop(columns=RANKED).assign(**{name: its["prediction"] for name, its in others.items()})
    stored.to_parquet(directory / PREDICTIONS, index=False)
