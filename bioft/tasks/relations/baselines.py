"""Baselines of relations between the concepts of a document, from concepts that are given.

Fit on a training split, predict another: with annotated entities, or with predicted ones in the same column. They
choose among the same candidate pairs as a model (`candidates`). Three of them read nothing but where the
concepts stand; a model is worth its training only where it beats all.
"""

from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
from datasets import Dataset
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.preprocessing import StandardScaler

from bioft.metrics import thresholds
from bioft.metrics.relation_f1 import Relation
from bioft.tasks.entities.baselines import document_rows
from bioft.tasks.relations import candidates as relations
from bioft.tasks.relations.candidates import Candidate
from bioft.tasks.relations.marking import PAIR_FEATURES, SentenceNumbers, pair_features
from bioft.tasks.relations.words import candidate_words, in_one_sentence

FOLDS = 5
"""Parts of the training documents for the cross-validation that chooses the threshold of `TfIdf`."""

# Chosen on the development set of BC5CDR. Numbers are scaled below one: a row of TF-IDF has length one.
REGULARISATION, NUMBERS_SCALE = 3, 0.3

PLACES = "gap", "head in title", "tail in title"
"""Those of `PAIR_FEATURES` that `TfIdf` reads."""

Floats = NDArray[np.float64]
Rows = Sequence[Mapping[str, Any]]


class RelationBaseline(ABC):
    """Says which concepts of a document are related, after being fitted on a training split."""

    def fit(self, train: Dataset) -> Self:
        """Fit on a training split and return the baseline itself; BioftError: no relation between its mentions."""
        rows = document_rows(train, ("text", "entities", "relations"))
        self.arguments = relations.argument_types(rows)
        """Relation type → the entity types of head and tail that it has in training."""
        self._fit(rows, relations.candidates(rows, self.arguments))
        return self

    def predict(self, dataset: Dataset) -> list[list[Relation]]:
        """Return the relations (type, head, tail) of each document by its `text` and `entities`."""
        rows = document_rows(dataset, ("text", "entities"))
        predicted: list[list[Relation]] = [[] for _ in rows]
        for name, candidate in self._predict(rows, relations.candidates(rows, self.arguments)):
            predicted[candidate.document].append((name, candidate.head.id, candidate.tail.id))
        return predicted

    @abstractmethod
    def _fit(self, rows: Rows, candidates: Sequence[Candidate]) -> None: ...

    @abstractmethod
    def _predict(self, rows: Rows, candidates: Sequence[Candidate]) -> Iterator[tuple[str, Candidate]]:
        """Yield the type of each relation and the candidate that has it."""


class CoOccurrence(RelationBaseline):
    """Concepts are related if their entity types can be, by the relation most frequent between these in training."""

    def _fit(self, rows: Rows, candidates: Sequence[Candidate]) -> None:
        found: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        for candidate in candidates:
            found[_entity_types(candidate)].update(sorted(candidate.types))
        self.types = {ends: types.most_common(1)[0][0] for ends, types in found.items() if types}

    def _predict(self, rows: Rows, candidates: Sequence[Candidate]) -> Iterator[tuple[str, Candidate]]:
        for candidate in candidates:
            if _entity_types(candidate) in self.types:
                yield self.types[_entity_types(candidate)], candidate


class SentenceCoOccurrence(CoOccurrence):
    """Two concepts are related if a sentence has mentions of both, and their entity types can be."""

    def _predict(self, rows: Rows, candidates: Sequence[Candidate]) -> Iterator[tuple[str, Candidate]]:
        sentences = SentenceNumbers(row["text"] for row in rows)
        for name, candidate in super()._predict(rows, candidates):
            if any(in_one_sentence(sentences, candidate)):
                yield name, candidate


class KnownPair(RelationBaseline):
    """Two concepts of a document are related if they are so in a training document: nothing of the text is read."""

    def _fit(self, rows: Rows, candidates: Sequence[Candidate]) -> None:
        self.known: dict[tuple[str, str], set[str]] = defaultdict(set)
        for candidate in candidates:
            self.known[candidate.head.id, candidate.tail.id] |= candidate.types

    def _predict(self, rows: Rows, candidates: Sequence[Candidate]) -> Iterator[tuple[str, Candidate]]:
        for candidate in candidates:
            for name in sorted(self.known.get((candidate.head.id, candidate.tail.id), ())):
                yield name, candidate


class TfIdf(RelationBaseline):
    """Logistic regression on the words between and around the mentions of two concepts, for each relation type.

    TF-IDF of `candidate_words`. Besides: how often both are in a sentence, how near they come, whether either is in
    the first sentence (the title), and how many heads and tails are mentioned more often. The threshold is the one
    with the highest F1 in cross-validation over training documents.
    """

    def _fit(self, rows: Rows, candidates: Sequence[Candidate]) -> None:
        words, numbers = _features(rows, candidates)
        documents = np.array([candidate.document for candidate in candidates])
        truth = relations.true_labels(candidates, self.arguments)
        self.classifiers: dict[str, _Classifier] = {}
        for name, labels in zip(self.arguments, truth.T, strict=True):
            its = self._possible(name, candidates)
            chosen_words = [words[i] for i in its]
            self.classifiers[name] = _Classifier(chosen_words, numbers[its], labels[its], documents[its])

    def _predict(self, rows: Rows, candidates: Sequence[Candidate]) -> Iterator[tuple[str, Candidate]]:
        words, numbers = _features(rows, candidates)
        for name, classifier in self.classifiers.items():
            possible = self._possible(name, candidates)
            if len(possible):
                related = classifier.predict([words[i] for i in possible], numbers[possible])
                for i in possible[related]:
                    yield name, candidates[i]

    def _possible(self, name: str, candidates: Sequence[Candidate]) -> NDArray[np.int64]:
        return np.flatnonzero([_entity_types(candidate) in self.arguments[name] for candidate in candidates])


RELATIONS: dict[str, Callable[[], RelationBaseline]] = {
    "co_occurrence": CoOccurrence,
    "sentence_co_occurrence": SentenceCoOccurrence,
    "known_pair": KnownPair,
    "tfidf": TfIdf,
}
"""The baselines of relations by name, each a function that makes an unfitted one."""


def _entity_types(candidate: Candidate) -> tuple[str, str]:
    return candidate.head.type, candidate.tail.type


class _Classifier:
    """Logistic regression of one relation type, with the threshold that cross-validation chose."""

    def __init__(
        self, words: list[list[str]], numbers: Floats, labels: NDArray[np.bool_], documents: NDArray[np.int64]
    ) -> None:
        self.constant: bool | None = None
        folds = min(FOLDS, *(len(set(documents[labels == label])) for label in (False, True)))
        if folds < 2:  # too few to learn from: the more frequent label
            self.constant = bool(labels.mean() > 0.5)
            return
        self.vectorizer = TfidfVectorizer(analyzer=list, sublinear_tf=True).fit(words)  # the words as they are
        self.scaler = StandardScaler().fit(numbers)
        features = self._features(words, numbers)
        self.classifier = LogisticRegression(C=REGULARISATION, solver="liblinear")
        parts = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
        probabilities = cross_val_predict(
            self.classifier, features, labels, groups=documents, cv=parts, method="predict_proba"
        )
        self.threshold, _ = thresholds.best_threshold(labels, probabilities[:, 1])
        self.classifier.fit(features, labels)

    def _features(self, words: list[list[str]], numbers: Floats) -> sparse.csr_array:
        scaled = NUMBERS_SCALE * self.scaler.transform(numbers)
        return sparse.csr_array(sparse.hstack([self.vectorizer.transform(words), scaled]))

    def predict(self, words: list[list[str]], numbers: Floats) -> NDArray[np.bool_]:
        """Return whether each pair is related, shape (pairs,)."""
        if self.constant is not None:
            return np.full(len(words), self.constant)
        return self.classifier.predict_proba(self._features(words, numbers))[:, 1] >= self.threshold


def _features(rows: Rows, candidates: Sequence[Candidate]) -> tuple[list[list[str]], Floats]:
    """Return the words of each candidate, marked with the place where they are, and its numbers, (candidates, 6)."""
    texts = [row["text"] for row in rows]
    sentences = SentenceNumbers(texts)
    # Document → concept id → number of mentions.
    heads: dict[int, dict[str, int]] = defaultdict(dict)
    tails: dict[int, dict[str, int]] = defaultdict(dict)
    for document, head, tail, _ in candidates:
        heads[document][head.id], tails[document][tail.id] = len(head.places), len(tail.places)
    shared = [len(list(in_one_sentence(sentences, candidate))) for candidate in candidates]
    more = [
        [sum(n > len(of.places) for n in its[document].values()) for of, its in ((head, heads), (tail, tails))]
        for document, head, tail, _ in candidates
    ]
    places = pair_features(texts, candidates)[:, [PAIR_FEATURES.index(name) for name in PLACES]]
    counts = np.log1p(np.array(more, dtype=np.int64).reshape(-1, 2))
    return candidate_words(rows, candidates), np.column_stack([np.log1p(shared), places, counts])
