"""What is answered for test names: by the aligner with an encoder, by one without, and by scores alone."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from datasets import DatasetDict

from bioft.datasets.metabolites.baselines import Encoder, NameBaseline
from bioft.models.progress import Work
from bioft.storage.runs import PREDICTIONS
from bioft.tasks.name_alignment.aligner import Aligner, candidate_pairs
from bioft.tasks.name_alignment.candidates import CandidateFinder
from bioft.tasks.name_alignment.scorer import FILE, Answer, ScoreMeaning, Scorer
from bioft.tasks.retrieval import encoder as encoders, predict as retrieval

STORED = 5
"""Candidates of a name that are stored."""


@dataclass(frozen=True)
class Names:
    """Names with known ids and the namespace: what a dataset of names has as its test split.

    `test` and `validation`, which teaches what scores mean, have the columns name, kind, gold, formula and charge.
    """

    namespace: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame
    scorers: dict[str, Scorer] = field(default_factory=dict)
    """By file name the scorers that were fitted on the validation names."""

    @classmethod
    def of(cls, queries: DatasetDict, namespace: pd.DataFrame) -> "Names":
        """The names that `bioft.datasets.metabolites.build_queries` makes."""
        return cls(namespace, *(queries[split].to_pandas() for split in ("validation", "test")))

    @property
    def features(self) -> list[str]:
        """The columns of the test names."""
        return self.test.columns.tolist()

    def __len__(self) -> int:
        """The number of test names."""
        return len(self.test)

    def __getitem__(self, column: str) -> list[Any]:
        """A column of the test names."""
        return self.test[column].tolist()

    def select(self, rows: Sequence[int]) -> "Names":
        """Some of the test names."""
        return Names(self.namespace, self.validation, self.test.iloc[list(rows)], self.scorers)

    def by_score(self, baseline: NameBaseline) -> pd.DataFrame:
        """The predictions table of what scores ids: what a score means is learnt on the validation names."""
        fitted = baseline.fit(self.namespace)
        known, asked = (fitted.predict(rows["name"].tolist()) for rows in (self.validation, self.test))
        return self._table(ScoreMeaning(known, self.validation["gold"].tolist()).answer(asked))

    def align(self, file: str, encoder: Any = None) -> pd.DataFrame:
        """The predictions table of the aligner, whose scorer is fitted and kept under the name of its file."""
        finder = CandidateFinder(self.namespace, encoder)
        pairs = candidate_pairs(finder, self.namespace, self.validation)
        self.scorers[file] = scorer = Scorer.fit(
            [each.features for each in pairs], [each.ids for each in pairs], self.validation["gold"].tolist()
        )
        return self._table(Aligner(self.namespace, finder, scorer).answer(self.test))

    def _table(self, answers: Sequence[Answer]) -> pd.DataFrame:
        table = self.test[["name", "kind", "gold"]].rename(columns={"name": "id", "gold": "label"})
        return table.assign(
            prediction=[answer.id for answer in answers],
            score=np.array([answer.probability for answer in answers], np.float64),
            ranked=[json.dumps(answer.ranked[:STORED]) for answer in answers],
        )


load: Callable[[str | Path], Any] = retrieval.load


def predict(model: Any, rows: Names, record: Mapping[str, Any], progress: Any = None) -> pd.DataFrame:
    """What the aligner answers with a run's `SentenceTransformer`, with its scorer fitted on the validation names.

    In the predictions table `id` is the name, `label` the right ids joined by "|", `prediction` an id or "" for no
    match, `score` the probability that it is right, and `ranked` the first 5 candidates as a JSON list.
    """
    with Work(progress, 0):
        return rows.align(FILE, model)


def answer_of_base(model: Any, rows: Names, record: Mapping[str, Any], progress: Any = None) -> pd.DataFrame:
    """What the cosines of the base model's embeddings alone answer: it is a baseline like the others."""
    with Work(progress, 0):
        return rows.by_score(Encoder(model))


def predict_base(model: Any, dataset: Any, record: Mapping[str, Any], progress: Any = None) -> pd.DataFrame:
    """What the cosines of the base model's embeddings answer for the test names."""
    return answer_of_base(encoders.load_base(record), dataset["test"], record, progress)


def write(
    directory: Path, rows: Names, table: pd.DataFrame, base: pd.DataFrame, baselines: Mapping[str, pd.DataFrame]
) -> None:
    """Write `predictions.parquet`, a row for each test name, and the scorers that `bioft align` uses."""
    others = {"base": base, **{f"baseline_{name}": its for name, its in baselines.items()}}
    stored = table.assign(**{name: its["prediction"] for name, its in others.items()})
    stored.to_parquet(directory / PREDICTIONS, index=False)
    for file, scorer in rows.scorers.items():
        scorer.save(directory / file)
