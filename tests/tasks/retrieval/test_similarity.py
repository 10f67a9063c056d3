"""Spearman's correlation and separation of cosines on pairs with scores."""

import numpy as np
import pytest
from datasets import Dataset
from scipy.stats import spearmanr

from bioft.tasks.retrieval.figures import measure

# Texts are their own angle: the cosine of a pair falls with the difference.
ROWS = Dataset.from_dict(
    {
        "sentence1": ["0", "0", "10", "40", "40", "80"],
        "sentence2": ["5", "50", "20", "47", "0", "20"],
        "score": [1, 0, 1, 1, 0, 0],
        "group": ["a", "a", "b", "c", "c", "d"],
    }
)


class Angles:
    """A stand-in for an encoder: a text is a direction in the plane."""

    def __init__(self, mirrored: bool = False) -> None:
        self.mirrored = mirrored

    def encode(self, texts: list[str], **options: object) -> np.ndarray:
        angles = np.radians([float(text) for text in texts])
        if self.mirrored:  # every second text turned round
            angles[1::2] += np.pi
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_values_are_those_of_the_definitions() -> None:
    found = measure(ROWS, {"model": Angles()})["model"]
    degrees = np.array([5, 50, 10, 7, 40, 60])
    cosines = np.cos(np.radians(degrees))
    assert found["spearman"]["value"] == pytest.approx(spearmanr(cosines, ROWS["score"][:])[0])
    assert found["auroc"]["value"] == 1, "each related pair is nearer than each unrelated one"
    assert found["cosine_related"]["value"] == pytest.approx(cosines[[0, 2, 3]].mean())
    assert found["cosine_unrelated"]["value"] == pytest.approx(cosines[[1, 4, 5]].mean())
    for figure in found.values():
        assert figure["n"] == 6 and figure["low"] <= figure["value"] <= figure["high"]
    assert found["cosine_unrelated"]["low"] < found["cosine_unrelated"]["high"]


def test_encoders_differ_and_groups_stay_together() -> None:
    found = measure(ROWS, {"one": Angles(), "other": Angles(mirrored=True)})
    assert found["one"]["auroc"]["value"] > found["other"]["auroc"]["value"]
    one_group = ROWS.remove_columns("group").add_column("group", ["a"] * 6)
    figure = measure(one_group, {"one": Angles()})["one"]["cosine_related"]
    assert figure["low"] is figure["high"] is None, "one group does not tell how groups vary"


def test_pairs_that_are_all_related_have_no_separation() -> None:
    assert measure(ROWS.filter(lambda row: row["score"] == 1), {"model": Angles()}) == {}
    assert measure(Dataset.from_dict({"anchor": ["a"], "positive": ["b"], "group": ["1"]}), {"model": Angles()}) == {}
