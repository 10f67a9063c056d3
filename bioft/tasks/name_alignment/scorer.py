"""The scorer of candidates: from features of pairs of names to calibrated answers, saved as JSON.

Two logistic regressions are fitted on names whose ids are known. The first tells for each pair whether it is of the
same compound, and ranks the candidates of a name by it. The second tells for each name the probabilities that its best
candidate is right, that the namespace has none, and that another id is right. What the second learns from, and what
thresholds are chosen on, are scores of names that the first was not fitted on (folds of the names).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bioft.datasets.metabolites.baselines import Ranking
from bioft.errors import BioftError, in_words
from bioft.storage import json_text
from bioft.storage.files import write_text
from bioft.storage.json_text import NUMBER
from bioft.storage.runs import AS_IT_WAS
from bioft.tasks.name_alignment.features import CHEMISTRY, NOTATION, SIMILARITY, Reading
from bioft.tasks.name_alignment.words import WORDS

Floats = NDArray[np.floating[Any]]

RIGHT, NO_MATCH, OTHER = 0, 1, 2
"""What can be true of a name: its best candidate is right, the namespace has none, or another id is right."""


class Answer(NamedTuple):
    """What is answered for a name: an id or "" for no match, the ids in order, and the probability of being right."""

    id: str
    ranked: list[str]
    probability: float


SCHEMA_VERSION = 1
FILE = "alignment_scorer.json"
"""The name of the file in a run."""
EMBEDDED = Path(__file__).with_name("alignment_scorer.json")
"""The scorer that needs no encoder and comes with bioft. It was fitted on the validation names of the recipe
`contrastive` with the preset `metabolites`, BiGG and ModelSEED, in one notation (`NOTATION`)."""
_NUMBERS, _RIGHT = [NUMBER], [[(*NUMBER, bool)]]
_LOGISTIC = {"classes": [int], "mean": _NUMBERS, "scale": _NUMBERS, "coefficients": [_NUMBERS], "intercepts": _NUMBERS}
KINDS = {"features": [str], "pair": _LOGISTIC, "name": _LOGISTIC, "matches": _RIGHT, "no_matches": _RIGHT}
"""What a file holds, as `json_text.wrong_in` takes it."""
LIKE = 0.02
"""How far the numbers of a scorer may be from those of one that was fitted on another processor, relatively too."""
WITHOUT_ENCODER = "alignment_scorer_without_encoder.json"
FOLDS = 5
REGULARISATION = 0.3
"""`C` of the regressions: a few hundred names, 25 features."""
_SHOWN_TO_ANSWER = ("n_grams", "standard_similarity", "same_normalised", "same_standard", "same_notation")
READINGS = (CHEMISTRY, NOTATION, WORDS)
_NOTHING = -14.0
"""Log-odds of a candidate that does not exist; those of others are at least as large."""


@dataclass(frozen=True)
class Candidate:
    """A scored candidate: an id, its row in the namespace, the probability of the pair, and the pair's features."""

    id: str
    row: int
    probability: float
    features: Floats


@dataclass(frozen=True)
class Logistic:
    """A fitted multinomial logistic regression on standardised features."""

    classes: list[int]
    mean: list[float]
    scale: list[float]
    coefficients: list[list[float]]
    intercepts: list[float]

    @classmethod
    def fit(cls, features: Floats, labels: NDArray[np.integer[Any]], strength: float = REGULARISATION) -> "Logistic":
        """Fit on features of shape (n, features) and labels of shape (n,); one class alone is always predicted."""
        from sklearn.linear_model import LogisticRegression

        mean, scale = features.mean(axis=0), features.std(axis=0)
        scale[scale == 0] = 1
        classes = np.unique(labels)
        coefficients, intercepts = np.zeros((1, features.shape[1])), np.zeros(1)
        if len(classes) > 1:
            model = LogisticRegression(C=strength, max_iter=2000).fit((features - mean) / scale, labels)
            coefficients, intercepts = model.coef_, model.intercept_
        if len(classes) == 2:  # the first class is the reference
            coefficients = np.vstack([np.zeros_like(coefficients), coefficients])
            intercepts = np.append(0.0, intercepts)
        return cls(classes.tolist(), mean.tolist(), scale.tolist(), coefficients.tolist(), intercepts.tolist())

    def probabilities(self, features: Floats, n_classes: int) -> Floats:
        """Return the probabilities of classes 0 to n_classes - 1, shape (n, n_classes)."""
        scaled = (features - np.array(self.mean)) / np.array(self.scale)
        logits = scaled @ np.array(self.coefficients).T + np.array(self.intercepts)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        result = np.zeros((len(features), n_classes))
        result[:, self.classes] = exponentials / exponentials.sum(axis=1, keepdims=True)
        return result


@dataclass(frozen=True)
class Scorer:
    """Ranks candidates and answers with probabilities."""

    features: list[str]
    """Those of a `Reading`, and `SIMILARITY` where the scorer needs an encoder."""
    pair: Logistic
    name: Logistic
    matches: list[tuple[float, bool]]
    """Of the validation names that were answered with an id: the probability, from folds, and whether it was right."""
    no_matches: list[tuple[float, bool]]
    """The same of those that were answered "no match"."""

    @classmethod
    def fit(
        cls,
        features: Sequence[Floats],
        ids: Sequence[Sequence[str]],
        golds: Sequence[str],
        reading: Reading = CHEMISTRY,
    ) -> "Scorer":
        """Fit on names whose ids are known.

        Each name has the features of its candidates, shape (candidates, features), their ids, and as gold the right
        ids joined by "|". BioftError: fewer names than folds, or no right id among the candidates.
        """
        labels = [
            np.array([bool(gold) and is_right(identifier, gold) for identifier in found], dtype=np.int64)
            for found, gold in zip(ids, golds, strict=True)
        ]
        if len(golds) < FOLDS or not any(each.any() for each in labels):
            raise BioftError(
                f"A scorer is fitted on at least {FOLDS} names, some of them with their right id among the "
                f"candidates; there are {len(golds)} names."
            )
        names_of = [*reading.features, SIMILARITY][: max(each.shape[1] for each in features if each.size)]
        fold = np.random.default_rng(0).permutation(len(golds)) % FOLDS
        pairs = [_fit_pairs(features, labels, fold != number) for number in range(FOLDS)]
        ranked = [
            _rank(pairs[number], its, found, range(len(found)), reading)
            for number, its, found in zip(fold, features, ids, strict=True)
        ]
        described = np.array([_describe(each, names_of) for each in ranked])
        truth = outcomes([[(c.id, c.probability) for c in each] for each in ranked], golds)
        names = [Logistic.fit(described[fold != number], truth[fold != number]) for number in range(FOLDS)]
        answers = [_answer(names[number], each, names_of) for number, each in zip(fold, ranked, strict=True)]
        right = [(each, is_right(each.id, gold)) for each, gold in zip(answers, golds, strict=True)]
        return cls(
            features=names_of,
            pair=_fit_pairs(features, labels, np.ones(len(golds), bool)),
            name=Logistic.fit(described, truth),
            matches=sorted((each.probability, known) for each, known in right if each.id),
            no_matches=sorted((each.probability, known) for each, known in right if not each.id),
        )

    @property
    def reading(self) -> Reading:
        """How the names are compared whose features these are."""
        return next(each for each in READINGS if self.features[: len(each.features)] == list(each.features))

    @property
    def needs_encoder(self) -> bool:
        """Whether the similarity of embeddings is among the features."""
        return SIMILARITY in self.features

    def rank(self, features: Floats, ids: Sequence[str], rows: Sequence[int]) -> list[Candidate]:
        """Return the candidates of a name, best first; of an id that has several names the best one."""
        return _rank(self.pair, features, ids, rows, self.reading)

    def answer(self, ranked: Sequence[Candidate]) -> Answer:
        """Answer with what is most probably right: the best candidate, or "" for no match."""
        return _answer(self.name, ranked, self.features)

    def probabilities(self, ranked: Sequence[Candidate]) -> tuple[float, float]:
        """Return the probabilities that the best candidate is right, and that the namespace has no match."""
        return _probabilities(self.name, ranked, self.features)

    def threshold(self, *, match: bool, target_precision: float) -> float:
        """Return the lowest probability from which on validation answers were right as often as asked.

        Above 1 where that was reached from no probability on. `match`: of answers with an id, else of "no match".
        """
        known = sorted(self.matches if match else self.no_matches, reverse=True)
        right, chosen = 0, np.inf
        for number, (probability, is_correct) in enumerate(known, 1):
            right += is_correct
            last_of_equals = number == len(known) or known[number][0] < probability
            if last_of_equals and right >= target_precision * number - 1e-9:
                chosen = probability
        return chosen

    def is_like(self, other: "Scorer") -> bool:
        """Whether another scorer is this one but for `LIKE`, as one that is fitted elsewhere on the same names."""
        ours, theirs = (np.array(_numbers(asdict(each)), dtype=float) for each in (self, other))
        return ours.shape == theirs.shape and np.allclose(ours, theirs, rtol=LIKE, atol=LIKE)

    def save(self, path: Path) -> None:
        """Write the scorer as JSON, in one step."""
        content = {"schema_version": SCHEMA_VERSION, **_rounded(asdict(self))}
        write_text(path, json.dumps(content, indent=1) + "\n")


def is_right(identifier: str, gold: str) -> bool:
    """Tell whether an id is one of the right ones (joined by "|"); "" is right where there is none."""
    return identifier in gold.split("|")


def outcomes(rankings: Sequence[Ranking], golds: Sequence[str]) -> NDArray[np.int64]:
    """Return for each name whether its best candidate is right, shape (n,): `RIGHT`, `NO_MATCH` or `OTHER`."""
    return np.array(
        [
            NO_MATCH if not gold else RIGHT if ranking and is_right(ranking[0][0], gold) else OTHER
            for ranking, gold in zip(rankings, golds, strict=True)
        ],
        dtype=np.int64,
    )


def score_features(rankings: Sequence[Ranking]) -> Floats:
    """Return what the scores alone tell, shape (n, 4): best, its square, lead over the second, and whether it is 1."""
    best = np.array([ranking[0][1] if ranking else 0.0 for ranking in rankings])
    second = np.array([ranking[1][1] if len(ranking) > 1 else 0.0 for ranking in rankings])
    return np.stack([best, best**2, best - second, best >= 1 - 1e-6], axis=1)


class ScoreMeaning:
    """What scores alone mean, learnt on names with known ids; BioftError: no names, or not a ranking for each."""

    def __init__(self, rankings: Sequence[Ranking], golds: Sequence[str]) -> None:
        if not golds or len(rankings) != len(golds):
            raise BioftError(
                f"Answers are learnt from names with candidates and ids: there are {len(rankings)} and {len(golds)}."
            )
        self.model = Logistic.fit(score_features(rankings), outcomes(rankings, golds), strength=1.0)

    def probabilities(self, rankings: Sequence[Ranking]) -> Floats:
        """Return the probabilities of `RIGHT`, `NO_MATCH` and `OTHER`, shape (n, 3)."""
        return self.model.probabilities(score_features(rankings), 3)

    def answer(self, rankings: Sequence[Ranking]) -> list[Answer]:
        """Answer each name with what is most probably right: its best candidate or "" for no match."""
        every = zip(rankings, self.probabilities(rankings).tolist(), strict=True)
        return [_best([found for found, _ in ranking], right, no_match) for ranking, (right, no_match, _) in every]


def load(path: Path) -> Scorer:
    """Read a scorer; BioftError if it is missing, is something else, or was written for other features."""
    try:
        content = json_text.parse(path.read_text(encoding="utf-8"), "its text")
        if why := json_text.wrong_in(content, KINDS, whole=True):
            raise ValueError(why)
        features = content["features"]
        scorer = Scorer(
            features,
            Logistic(**content["pair"]),
            Logistic(**content["name"]),
            [(p, bool(known)) for p, known in content["matches"]],
            [(p, bool(known)) for p, known in content["no_matches"]],
        )
    except FileNotFoundError:
        raise BioftError(f"There is no scorer of names at {path}.") from None
    except (BioftError, OSError, ValueError, TypeError) as error:
        raise BioftError(f"{path} is no scorer of names: {in_words(error)}. {AS_IT_WAS}") from error
    if features not in [[*each.features, *more] for each in READINGS for more in ((), (SIMILARITY,))]:
        raise BioftError(f"{path} was fitted on other features than this bioft computes. Train the run again.")
    return scorer


def _fit_pairs(features: Sequence[Floats], labels: Sequence[Any], chosen: NDArray[np.bool_]) -> Logistic:
    picked = [index for index in np.flatnonzero(chosen).tolist() if len(features[index])]
    its_features, its_labels = (np.concatenate([every[index] for index in picked]) for every in (features, labels))
    return Logistic.fit(its_features, its_labels)


def _rank(
    model: Logistic, features: Floats, ids: Sequence[str], rows: Sequence[int], reading: Reading
) -> list[Candidate]:
    if not len(features):
        return []
    scores = model.probabilities(features, 2)[:, 1]
    best: dict[str, Candidate] = {}
    same = features[:, reading.features.index("same_normalised")] if reading.same_name_first else np.zeros(len(scores))
    for index in np.lexsort((np.asarray(rows), -scores, -same)).tolist():
        candidate = Candidate(ids[index], rows[index], float(scores[index]), features[index])
        best.setdefault(candidate.id, candidate)
    return list(best.values())


def _describe(ranked: Sequence[Candidate], names: Sequence[str]) -> list[float]:
    """What the second regression sees of a name: log-odds of its candidates, and the best one's main features."""
    odds = [max(_NOTHING, _log_odds(candidate.probability)) for candidate in ranked]
    best, second, *_ = [*odds, _NOTHING, _NOTHING]
    features = ranked[0].features if ranked else np.zeros(len(names))
    shown = [float(features[place]) for place, name in enumerate(names) if name in (*_SHOWN_TO_ANSWER, SIMILARITY)]
    told = [best, best - second, float(np.log1p(np.exp(odds).sum())), max(best, 0.0)]
    return [*told, *shown]


def _log_odds(probability: float) -> float:
    clipped = min(max(probability, 1e-6), 1 - 1e-6)
    return float(np.log(clipped / (1 - clipped)))


def _answer(model: Logistic, ranked: Sequence[Candidate], names: Sequence[str]) -> Answer:
    return _best([candidate.id for candidate in ranked], *_probabilities(model, ranked, names))


def _best(ids: list[str], right: float, no_match: float) -> Answer:
    """What is most probably right: the first id or "" for no match."""
    return Answer(ids[0], ids, right) if ids and right >= no_match else Answer("", ids, no_match)


def _probabilities(model: Logistic, ranked: Sequence[Candidate], names: Sequence[str]) -> tuple[float, float]:
    right, no_match = model.probabilities(np.array([_describe(ranked, names)]), 3)[0, [RIGHT, NO_MATCH]]
    return float(right), float(no_match)


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict | list | tuple | np.ndarray):
        return [each for item in (value.values() if isinstance(value, dict) else value) for each in _numbers(item)]
    return [] if isinstance(value, str) else [float(value)]


def _rounded(value: Any) -> Any:
    """The same with 6 significant digits: more make no difference to an answer."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
