"""Families of diseases by an ontology: how many that training lacks have their parent, child or sibling there."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from datasets import Dataset

from bioft.datasets.namespaces.concepts import Namespace
from bioft.datasets.namespaces.tables import bare
from bioft.errors import BioftError
from bioft.inspect.tables import Parts, filled
from bioft.storage.text_lines import normalise

KIN = ("itself", "parent", "child", "sibling")
"""Itself, where training has it under another name and id."""
MOST_SIBLINGS = 20
"""Children of a parent beyond which they are no family: those of "genetic diseases" have little in common."""
BASELINES = ("popularity_boosted", "tfidf")
MOST_ROWS = 50_000
"""Training rows that a baseline sees at most."""


def kin(dataset: Mapping[str, Dataset], namespace: Namespace) -> dict[str, Any]:
    """What is known in training of the diseases that it lacks, by the parents that a namespace has.

    Returns `splits`, for validation and test: `unseen`, how many diseases training lacks; `in_namespace`, how many of
    them are there, by id or name; of these those of which training has one of `KIN`, `any` of them, or `none`. And
    `baselines`: AUROC with interval on test rows of unseen diseases with kin in training, and of those without, None
    where a kind of label is missing. BioftError: the namespace has none of the diseases, or no parents.
    """
    concept_of = _Concepts(namespace)
    if not any(concept_of.parents.values()):
        raise BioftError(
            "The namespace has no parents. Build it of an ontology: OBO, OWL, MeSH's XML, CTD's diseases."
        )
    known = _diseases(dataset["train"])
    train = {concept_of(*each) for each in known} - {None}
    if not train:
        raise BioftError("The namespace has none of the diseases of training, by id or name. Give theirs.")
    seen = {key for each in known for key in each}
    found: dict[str, dict[str, int]] = {}
    kin_of: dict[tuple[str, str], bool] = {}
    for split in (name for name in dataset if name != "train"):
        counts = Counter[str]()
        for each in (its for its in _diseases(dataset[split]) if not seen & {*its}):
            counts["unseen"] += 1
            if (concept := concept_of(*each)) is not None:
                there = [what for what, its in concept_of.kin(concept).items() if its & train]
                counts.update({"in_namespace": 1, "any" if there else "none": 1, **dict.fromkeys(there, 1)})
                kin_of[each] = bool(there)
        found[split] = {what: counts[what] for what in ("unseen", "in_namespace", *KIN, "any", "none")}
    return {"splits": found, "baselines": _baselines(dataset, kin_of)}


def parts(report: Mapping[str, Any]) -> Parts:
    """What is printed of `kin`."""
    titles = ("split", "unseen", "in namespace", *(f"{what} in train" for what in KIN), "any of these", "none")
    rows = ((split, *counts.values()) for split, counts in report["splits"].items())
    yield filled("Diseases that training lacks, and their kin there", titles, rows)
    for its in report["baselines"]:
        found = [
            f"{area['auroc']:.3f} [{area['low']:.3f}–{area['high']:.3f}] of {area['n']:,} rows {words}"
            for kind, words in (("kin", "with kin in training"), ("none", "without"))
            if (area := its[kind])
        ]
        yield f"AUROC of {its['baseline']} on unseen diseases: {', '.join(found) or 'too few rows'}."


class _Concepts:
    """The concepts of a namespace by id and name, with their kin."""

    def __init__(self, namespace: Namespace) -> None:
        self.parents: dict[str, list[str]] = dict(
            zip(namespace.concepts["id"], map(list, namespace.concepts["parents"]), strict=True)
        )
        self.children: defaultdict[str, list[str]] = defaultdict(list)
        for concept, parents in self.parents.items():
            for parent in parents:
                self.children[parent].append(concept)
        self.current = namespace.current()
        names = zip(namespace.names["name"], namespace.names["id"], strict=True)
        self.named: dict[str, str] = {}
        for name, concept in names:
            self.named.setdefault(normalise(name), concept)

    def __call__(self, identifier: str, name: str) -> str | None:
        """The concept of an id or, without one, of a folded name."""
        identifier = self.current.get(bare(identifier), bare(identifier))
        return identifier if identifier in self.parents else self.named.get(name)

    def kin(self, concept: str) -> dict[str, set[str]]:
        """The parents, children and siblings of a concept."""
        parents = self.parents[concept]
        siblings = {
            each for parent in parents if len(self.children[parent]) <= MOST_SIBLINGS for each in self.children[parent]
        }
        found = {concept}, {*parents}, {*self.children[concept]}, siblings - {concept}
        return dict(zip(KIN, found, strict=True))


def _diseases(rows: Dataset) -> set[tuple[str, str]]:
    """The id and the folded name of each disease."""
    pairs = zip(rows["disease_id"][:], rows["disease"][:], strict=True)
    return {(identifier, normalise(name)) for identifier, name in {*pairs}}


def _baselines(dataset: Mapping[str, Dataset], kin_of: Mapping[tuple[str, str], bool]) -> list[dict[str, Any]]:
    from bioft.datasets.gene_disease.baselines import GENE_DISEASE
    from bioft.metrics.estimation.groups import Groups
    from bioft.metrics.estimation.ranking import auroc

    train, test = dataset["train"], dataset["test"]
    if len(train) > MOST_ROWS:
        train = train.select(np.random.default_rng(0).choice(len(train), MOST_ROWS, replace=False))
    keys = zip(test["disease_id"][:], map(normalise, test["disease"][:]), strict=True)
    known = [kin_of.get(key) for key in keys]
    labels = np.asarray(test["label"][:])
    genes, diseases = np.asarray(test["gene_id"][:]), np.asarray(test["disease_id"][:])

    def area(scores: Any, rows: Sequence[int]) -> dict[str, Any] | None:
        if len({*labels[rows].tolist()}) < 2:
            return None
        found = auroc(labels[rows], scores[rows])
        low, high = found.interval(Groups(len(rows), (genes[rows], diseases[rows])))
        return {"n": len(rows), "auroc": round(found.value, 4), "low": round(low, 4), "high": round(high, 4)}

    result = []
    for name in BASELINES:
        scores = GENE_DISEASE[name]().fit(train).predict(test)
        of = {
            what: [row for row, its in enumerate(known) if its is flag]
            for what, flag in (("kin", True), ("none", False))
        }
        result.append({"baseline": name, **{what: area(scores, rows) for what, rows in of.items()}})
    return result
