"""Metabolite names matched to a namespace: candidates, calibrated answers, decisions and the reasons for them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bioft.datasets.metabolites.names import optional_parts, plain_text
from bioft.datasets.metabolites.tables import resolve_ids
from bioft.errors import BioftError
from bioft.tasks.name_alignment.candidates import CandidateFinder, Candidates
from bioft.tasks.name_alignment.features import CHEMISTRY, NOTATION, Metabolite, Reading
from bioft.tasks.name_alignment.scorer import Answer, Candidate, Scorer

COLUMNS = ("id", "name", "match_id", "match_name", "probability", "decision", "reasons", "candidates")
"""The columns of an alignment. `probability`: that the answer (an id, or that there is none) is right, from 0 to 1;
NaN where there is no name to judge by. `candidates`: the next best ids, joined by "|"."""
MATCH, REVIEW, NO_MATCH = "match", "review", "no match"
SHOWN_CANDIDATES = 4
LEAST = 0.8
"""How probable an answer is by itself that nobody checks, however often all such answers together are right."""
_CHEMISTRY = ("formula", "charge")
_COLUMNS = ("name", *_CHEMISTRY)
_LEAST = 1e-6
"""Values of 0 would be missing edges of an assignment."""


@dataclass(frozen=True)
class Pairs:
    """The candidates of one name: ids and rows of the namespace, and the features, shape (candidates, features)."""

    ids: list[str]
    rows: list[int]
    features: np.ndarray


class Aligner:
    """Matches metabolites to one namespace, which has the columns of `metabolite_tables.COLUMNS`.

    The finder finds candidates in this very namespace; with an encoder exactly if the scorer needs one.
    """

    def __init__(self, namespace: pd.DataFrame, finder: CandidateFinder, scorer: Scorer) -> None:
        if scorer.needs_encoder != (finder.encoder is not None):
            raise BioftError("A scorer that needs an encoder goes with candidates found with it, and only such a one.")
        if scorer.reading is not finder.reading:
            raise BioftError("The scorer was fitted on names of another kind than those of the namespace.")
        self.namespace, self.finder, self.scorer = namespace, finder, scorer
        self.ids, self.columns = namespace["id"].to_numpy(), _columns(namespace)
        self.names: list[str] = self.columns[0]

    def rank(self, metabolites: pd.DataFrame) -> list[list[Candidate]]:
        """Return the scored candidates of each metabolite (columns name, formula, charge), best first."""
        found = _pairs(self.finder, self.columns, self.ids, metabolites)
        return [self.scorer.rank(each.features, each.ids, each.rows) for each in found]

    def answer(self, metabolites: pd.DataFrame) -> list[Answer]:
        """Answer each metabolite on its own: an id or no match, with the probability of being right."""
        return [self.scorer.answer(ranked) for ranked in self.rank(metabolites)]

    def align(
        self, metabolites: pd.DataFrame, *, target_precision: float = 0.95, one_to_one: bool = False
    ) -> pd.DataFrame:
        """Match metabolites (columns id, name, formula, charge) to the namespace: a row for each, columns `COLUMNS`.

        `target_precision` is how often a decision that nobody checks is to be right: the thresholds are chosen on the
        validation names of the scorer, and answers below them, or below `LEAST`, are for review. So are a name that
        several ids of the namespace have, and a metabolite without a name, whatever the probability. `one_to_one`
        gives no id to two names, so that the answers together are as probable as can be; rows with the same name,
        formula and charge are one compound and get the same. BioftError: a precision that is not between 0 and 1.
        """
        if not 0 < target_precision < 1:
            raise BioftError(f"The target precision is {target_precision}; give one between 0 and 1, such as 0.95.")
        every = self.rank(metabolites)
        lost = [""] * len(every)
        if one_to_one:
            best = [ranked[0].id if ranked else "" for ranked in every]
            # One compound in several compartments, which differ in ids only, is one question with one answer.
            columns = (metabolites["name"].map(plain_text), *(metabolites[each].astype(str) for each in _CHEMISTRY))
            keys = list(zip(*columns, strict=True))
            first = {key: index for index, key in reversed(list(enumerate(keys)))}
            asked = sorted(first.values())
            questions = [every[index] for index in asked]
            answered = assign(questions, list(map(self.scorer.probabilities, questions)))
            answer_of = dict(zip(asked, answered, strict=True))
            every = [answer_of[first[key]] for key in keys]
            lost = [
                identifier if not ranked or ranked[0].id != identifier else ""
                for identifier, ranked in zip(best, every, strict=True)
            ]
        thresholds = {
            match: max(LEAST, self.scorer.threshold(match=match, target_precision=target_precision))
            for match in (True, False)
        }
        nameless = metabolites["name"].map(self.finder.reading.text) == ""
        resolved = resolve_ids(metabolites["id"][nameless], self.namespace) if nameless.any() else []
        by_id = np.full(len(metabolites), "", dtype=object)
        by_id[nameless.to_numpy()] = resolved
        rows = []
        queries = map(Metabolite, *_columns(metabolites))
        for identifier, query, ranked, taken, same_id in zip(
            metabolites["id"], queries, every, lost, by_id, strict=True
        ):
            if self.finder.reading.text(query.name):
                answer = self.scorer.answer(ranked)
                decision, words = self._judge(query, answer, ranked, thresholds[bool(answer.id)])
            else:
                answer, decision = Answer("", [same_id] if same_id else [], math.nan), REVIEW
                words = ["has no name" + (f"; {same_id} of the namespace has the same id" if same_id else "")]
            if taken:
                words.append(f"{taken} went to a name that fits it better")
            name = next((self.names[each.row] for each in ranked if each.id == answer.id), "")
            others = [each for each in answer.ranked if each != answer.id][:SHOWN_CANDIDATES]
            values = (identifier, query.name, answer.id, name, answer.probability, decision)
            rows.append((*values, "; ".join(words), "|".join(others)))
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def _optional_parts(self, name: str) -> tuple[str, ...]:
        return optional_parts(name) if self.finder.reading in (CHEMISTRY, NOTATION) else ()

    def _judge(
        self, query: Metabolite, answer: Answer, ranked: Sequence[Candidate], threshold: float
    ) -> tuple[str, list[str]]:
        """The decision about an answer, and the reasons."""
        if not ranked:
            return (NO_MATCH if answer.probability >= threshold else REVIEW), ["nothing in the namespace is like it"]
        best = ranked[0]
        name, known = self.names[best.row], Metabolite(*(column[best.row] for column in self.columns))
        key = self.finder.reading.key
        similarity = float(best.features[-1]) if self.scorer.needs_encoder else None
        compared = self.finder.reading.reasons(query, known, similarity)
        decided = answer.probability >= threshold
        if not answer.id:
            return (NO_MATCH if decided else REVIEW), [f"nearest is {best.id}, {name[:80]}: {compared}"]
        words, own = [compared], self._optional_parts(query.name)
        # NADPH is not NAD(P)H; but which of both NADP(H) is, nobody knows.
        same = key(query.name) == key(name)
        vague = same and own != self._optional_parts(name)
        having = [row for row in self.finder.rows_by_name[key(name)] if self.ids[row] != best.id]
        if same and not vague:
            having = [row for row in having if own == self._optional_parts(self.names[row])]
        others = list(dict.fromkeys(self.ids[row] for row in having))
        if others:
            words.append(f"{', '.join(others[:3])}{' and more' * (len(others) > 3)} have this name too")
        if vague:
            words.append("brackets leave open what is meant")
        return (MATCH if decided and not others and not vague else REVIEW), words


def candidate_pairs(finder: CandidateFinder, namespace: pd.DataFrame, metabolites: pd.DataFrame) -> list[Pairs]:
    """Return the candidates of each metabolite (columns name, formula, charge) with the features of the pairs."""
    return list(_pairs(finder, _columns(namespace), namespace["id"].to_numpy(), metabolites))


def _columns(table: pd.DataFrame) -> list[list[Any]]:
    return [table[each].tolist() for each in _COLUMNS]


def _pairs(
    finder: CandidateFinder, columns: list[list[Any]], ids: NDArray[np.object_], metabolites: pd.DataFrame
) -> Iterator[Pairs]:
    queries = list(zip(*_columns(metabolites), strict=True))
    found = finder.find([query[0] for query in queries])
    for query, candidates in zip(queries, found, strict=True):
        yield compare(finder.reading, columns, ids, query, candidates)


def compare(
    reading: Reading,
    columns: Sequence[Sequence[Any]],
    ids: NDArray[np.object_],
    query: tuple[str, str, float],
    candidates: Candidates,
) -> Pairs:
    """The features of a name and its candidates; `columns` are name, formula and charge of the namespace."""
    asked = Metabolite(*query)
    features = np.array(
        [
            reading.pair_features(asked, Metabolite(*(column[row] for column in columns)), float(similarity))
            for row, similarity in zip(candidates.rows, candidates.n_grams, strict=True)
        ]
    )
    if candidates.embeddings is not None and len(features):
        features = np.column_stack([features, candidates.embeddings])
    return Pairs(ids[candidates.rows].tolist(), candidates.rows.tolist(), features)


def assign(
    every: Sequence[Sequence[Candidate]], probabilities: Sequence[tuple[float, float]]
) -> list[list[Candidate]]:
    """Give each id to one name at most, so that as many answers as can be expected are right.

    `every` has the candidates of each name, best first, `probabilities` that its best candidate is right, and that it
    has none. Returns the candidates without those that went to another name; the id that went to the name leads.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    if not every:
        return []
    columns: dict[str, int] = {}
    rows, cols, values = [], [], []
    for index, (ranked, (right, _)) in enumerate(zip(every, probabilities, strict=True)):
        for candidate in ranked:
            rows.append(index)
            cols.append(columns.setdefault(candidate.id, len(columns)))
            # How probable the others are tells the pairs, in proportion to the best.
            values.append(max(_LEAST, right * candidate.probability / max(ranked[0].probability, _LEAST)))
    ids = list(columns)
    for index, (_, no_match) in enumerate(probabilities):  # each name has a column of its own for "no match"
        rows.append(index)
        cols.append(len(ids) + index)
        values.append(max(_LEAST, no_match))
    shape = (len(every), len(ids) + len(every))
    # Sparse, and of the same result as `scipy.optimize.linear_sum_assignment`, whose matrix would be 2,000 x 20,000.
    graph = csr_array((values, (rows, cols)), shape=shape)
    assigned = dict(zip(*min_weight_full_bipartite_matching(graph, maximize=True), strict=True))
    owner = {ids[column]: int(index) for index, column in assigned.items() if column < len(ids)}
    # Sorting is stable: the own id leads, the others stay as they were.
    return [
        sorted((each for each in ranked if owner.get(each.id, index) == index), key=lambda each: each.id not in owner)
        for index, ranked in enumerate(every)
    ]
