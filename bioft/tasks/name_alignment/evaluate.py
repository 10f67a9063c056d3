"""How well names are matched to a namespace: the aligner with an encoder, without one, and the baselines."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
from datasets import DatasetDict

from bioft import metrics
from bioft.datasets.metabolites.baselines import NAMES, Encoder, NameBaseline
from bioft.metrics import intervals, report
from bioft.metrics.alignment import paired_alignment_bootstrap
from bioft.tasks.name_alignment.aligner import Aligner, candidate_pairs
from bioft.tasks.name_alignment.candidates import CandidateFinder
from bioft.tasks.name_alignment.name_answers import Answer, AnswerModel, is_right, score_features
from bioft.tasks.name_alignment.scorer import FILE, WITHOUT_ENCODER, Scorer


@dataclass
class NameAlignmentTask:
    """Names with known ids, of which the validation split teaches what scores mean, and the namespace."""

    queries: DatasetDict
    namespace: pd.DataFrame
    TASK: ClassVar = "name-alignment"
    SHOWN: ClassVar = {
        "accuracy": "Accuracy", "coverage_at_95_precision": "Coverage at .95", "precision": "Precision",
        "recall": "Recall", "hits_at_1": "Hits@1", "hits_at_5": "Hits@5", "f1": "F1", "ece": "ECE",
    }  # fmt: skip

    def __post_init__(self) -> None:
        self.validation, self.test = (self.queries[split].to_pandas() for split in ("validation", "test"))
        self.scorers: dict[str, Scorer] = {}

    def rank_baselines(self) -> dict[str, list[Answer]]:
        """The answers of every baseline, and of the aligner with names and chemistry only."""
        answers = {name: self._baseline(make()) for name, make in NAMES.items()}
        return answers | {"aligner_without_encoder": self._align(WITHOUT_ENCODER, None)}

    def rank_base(self, encoder: Any) -> list[Answer]:
        """The answers by the cosine of an encoder's embeddings alone: that of the base model is a baseline too."""
        return self._baseline(Encoder(encoder))

    def rank(self, encoder: Any) -> list[Answer]:
        """The answers of the aligner with an encoder."""
        return self._align(FILE, encoder)

    def evaluate(self, answers: Sequence[Answer]) -> dict[str, Any]:
        """The metrics of `bioft.metrics.alignment`, each with value, low, high and n."""
        flat = metrics.load("alignment").compute(predictions=_rows(answers), references=self.test["gold"].tolist())
        return intervals.nest(flat)

    def compare(self, answers: Sequence[Answer], baselines: Mapping[str, Sequence[Answer]]) -> dict[str, Any]:
        """Paired bootstrap over names of the accuracy against the best baseline's."""
        golds = self.test["gold"].tolist()
        results = {
            name: paired_alignment_bootstrap(golds, _rows(answers), _rows(found)) for name, found in baselines.items()
        }
        best = max(results, key=lambda name: results[name].second)
        return report.describe_difference(best, results[best], "accuracy")

    def details(self, answers: Mapping[str, Sequence[Answer]]) -> dict[str, dict[str, Any]]:
        """The accuracy per kind of name and system, with a Wilson interval."""
        result: dict[str, dict[str, Any]] = {}
        for kind, rows in self.test.groupby("kind").groups.items():
            for name, found in answers.items():
                right = sum(is_right(found[row].id, self.test["gold"].iat[row]) for row in rows)
                low, high = intervals.wilson_interval(right, len(rows))
                figure = {"value": right / len(rows), "low": low, "high": high, "n": len(rows)}
                result.setdefault(str(kind), {})[name] = figure
        return result

    def write_predictions(
        self,
        answers: Sequence[Answer],
        base: Sequence[Answer],
        baselines: Mapping[str, Sequence[Answer]],
        directory: Path,
    ) -> None:
        """Write `predictions.parquet`, a row for each test name, and the scorers that `bioft align` uses."""
        table = self.test[["name", "kind", "gold"]].rename(columns={"name": "id", "gold": "label"})
        table["prediction"] = [answer.id for answer in answers]
        table["score"] = [answer.probability for answer in answers]
        table["ranked"] = [json.dumps(answer.ranked[:5]) for answer in answers]
        for name, found in {"base": base, **{f"baseline_{name}": each for name, each in baselines.items()}}.items():
            table[name] = [answer.id for answer in found]
        table.to_parquet(directory / "predictions.parquet", index=False)
        for file, scorer in self.scorers.items():
            scorer.save(directory / file)

    def _baseline(self, baseline: NameBaseline) -> list[Answer]:
        fitted = baseline.fit(self.namespace)
        known, asked = (fitted.predict(rows["name"].tolist()) for rows in (self.validation, self.test))
        model = AnswerModel().fit(score_features(known), known, self.validation["gold"].tolist())
        return model.answer(score_features(asked), asked)

    def _align(self, file: str, encoder: Any) -> list[Answer]:
        finder = CandidateFinder(self.namespace, encoder)
        pairs = candidate_pairs(finder, self.namespace, self.validation)
        self.scorers[file] = scorer = Scorer.fit(
            [each.features for each in pairs], [each.ids for each in pairs], self.validation["gold"].tolist()
        )
        return Aligner(self.namespace, finder, scorer).answer(self.test)


def _rows(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    return [answer._asdict() for answer in answers]
