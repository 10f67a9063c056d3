"""What the surface of documents and of pairs of texts gives away is found, and nothing else is."""

from typing import Any

import numpy as np
import pytest
from datasets import Dataset, DatasetDict

from bioft.cards.words import audit_in_words
from bioft.datasets import pair_audit
from bioft.datasets.documents import surface

WORDS = ("trial", "stopped", "because", "enrolment", "was", "slow", "and", "funding", "ended", "the", "sponsor")


def documents(n: int, rng: np.random.Generator, *, marked: bool, near: bool) -> Dataset:
    """Texts of random words, some of which are mentions, capitals if `marked`; relations of neighbours if `near`."""
    rows: list[dict[str, Any]] = []
    for _ in range(n):
        words = list(rng.choice(WORDS, 30))
        places = np.sort(rng.choice(30, 6, replace=False))
        for place in places if marked else ():
            words[place] = words[place].upper()
        starts = np.cumsum([0, *(len(word) + 1 for word in words)])
        entities = [
            {
                "id": f"D{rng.integers(10**6)}",
                "type": kind,
                "start": int(starts[place]),
                "end": int(starts[place]) + len(words[place]),
                "text": words[place],
            }
            for kind, place in zip(rng.permutation(["Drug", "Disease"] * 3).tolist(), places, strict=True)
        ]
        drugs, others = ([its for its in entities if its["type"] == kind] for kind in ("Drug", "Disease"))
        pairs = [(drug, other) for drug in drugs for other in others]
        related = [abs(one["start"] - two["start"]) < 40 if near else rng.random() < 0.4 for one, two in pairs]
        relations = [
            {"type": "treats", "head": one["id"], "tail": two["id"]}
            for (one, two), its in zip(pairs, related, strict=True)
            if its
        ]
        rows.append({"text": " ".join(words), "entities": entities, "relations": relations})
    return Dataset.from_list(rows)


@pytest.mark.parametrize(("marked", "near"), [(True, False), (False, True)])
def test_what_tells_mentions_and_relations_is_found_and_nothing_else(marked: bool, near: bool) -> None:
    rng = np.random.default_rng(0)
    found = surface.surface(*(documents(n, rng, marked=marked, near=near) for n in (60, 30)))
    words, relations = found["entity_surface"], found["relation_surface"]
    assert (words["auroc"] > 0.8, relations["auroc"] > 0.95) == (marked, near)
    assert (words["p"] < 0.01, relations["p"] < 0.01) == (marked, near)
    if near:
        assert relations["top"][0] == "characters between"
    else:
        assert words["top"][0].startswith("word: ") and abs(relations["auroc"] - 0.5) < 0.1
    (sentence,) = audit_in_words(found)
    assert ("which concepts are related: AUROC" if near else "which are mentions of what type: AUROC") in sentence


def test_documents_without_relations_have_no_audit_of_them() -> None:
    rows = documents(30, np.random.default_rng(0), marked=True, near=False).remove_columns("relations")
    rows = rows.add_column("relations", [[]] * len(rows))
    assert surface.surface(rows, rows).keys() == {"entity_surface"}


def pairs(change: str, n: int = 400) -> DatasetDict:
    """Pairs of random texts; those that belong together are as long, or negatives are longer."""
    rng = np.random.default_rng(0)

    def text(words: int) -> str:
        return " ".join(rng.choice(WORDS, words))

    rows = []
    for i in range(n):
        long = int(rng.integers(4, 30))
        row = {"anchor": text(long), "positive": text(long if change == "as long" else int(rng.integers(4, 30)))}
        row["negative"] = text(int(rng.integers(4, 30)) + 30 * (change == "longer negatives"))
        rows.append(row | {"group": str(i)})
    return DatasetDict(train=Dataset.from_list(rows[: n // 2]), test=Dataset.from_list(rows[n // 2 :]))


@pytest.mark.parametrize("change", ["nothing", "as long", "longer negatives"])
def test_what_tells_pairs_is_found_and_nothing_else(change: str) -> None:
    found = pair_audit.audit(pairs(change))
    drawn, given = found["pair_surface"]["inputs"], found["pair_surface"]["given_negatives"]
    assert ("as long" if drawn["p"] < 0.01 else "nothing") == (change if change == "as long" else "nothing")
    assert (given["auroc"] > 0.95) == (change == "longer negatives")
    if change == "as long":
        assert drawn["top"][0] == "difference: characters" and drawn["auroc"] > 0.8
    assert sum("belong together" in each for each in audit_in_words(found)) == (change == "as long")


@pytest.mark.parametrize("scores", [[0.0, 1.0], [0.1, 0.3, 0.6, 0.9]], ids=["two", "graded"])
def test_of_scored_pairs_high_ones_belong_together(scores: list[float]) -> None:
    splits = {}
    for split, rows in pairs("nothing").items():
        score = [scores[i % len(scores)] for i in range(len(rows))]
        second = [text + "!" * (its > 0.5) for text, its in zip(rows["positive"], score, strict=True)]
        columns = {"sentence1": rows["anchor"], "sentence2": second, "score": score, "group": rows["group"]}
        splits[split] = Dataset.from_dict(columns)
    found = pair_audit.audit(splits)["pair_surface"]
    assert found.keys() == {"inputs"} and found["inputs"]["auroc"] > 0.95


@pytest.mark.parametrize(("column", "by"), [("sentence2", "sentence2: '\\t'"), ("group", "group: around numbers")])
def test_details_of_scored_pairs_are_found(column: str, by: str) -> None:
    splits = {}
    for split, rows in pairs("nothing", 900).items():
        score = np.random.default_rng(0).integers(0, 2, len(rows))
        shown = rows.to_pandas().rename(columns={"anchor": "sentence1", "positive": "sentence2"}).assign(score=score)
        marked = {"sentence2": lambda its: its.replace(" ", "\t", 1), "group": lambda its: f"pair{its}"}[column]
        shown[column] = [marked(its) if one else its for its, one in zip(shown[column], score, strict=True)]
        splits[split] = Dataset.from_pandas(shown.drop(columns="negative"))
    found = pair_audit.audit(splits)["pair_surface"]["details"]
    assert found["auroc"] > 0.9 and found["top"][0] == by
