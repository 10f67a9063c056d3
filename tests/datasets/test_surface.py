"""The surface of a dataset: what gives labels away is found, alone and together with others, and nothing else is."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset

from bioft.cards.words import audit_in_words
from bioft.datasets.surface import features, predicted, surface, telling_columns

WORDS = ("trial", "stopped", "because", "enrolment", "was", "slow", "and", "funding", "ended", "the", "sponsor")


def splits(change: Any, n: int = 450, labels: tuple[Any, ...] = (0, 1)) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Texts of random words with random labels, after `change` (of a row, its label and the generator)."""
    rng = np.random.default_rng(0)
    rows = []
    for index in range(n):
        label = labels[rng.integers(len(labels))]
        row = {"id": f"NCT{rng.integers(10_000_000):08d}", "text": " ".join(rng.choice(WORDS, rng.integers(5, 12)))}
        rows.append(change(row | {"index": index}, label, rng) | {"label": label})
    frame = pd.DataFrame(rows).drop(columns="index")
    return frame[: n * 2 // 3].reset_index(drop=True), frame[n * 2 // 3 :].reset_index(drop=True)


def nothing(row: dict[str, Any], label: Any, rng: Any) -> dict[str, Any]:
    return row


def trailing_space(row: dict[str, Any], label: Any, rng: Any) -> dict[str, Any]:
    return row | {"text": row["text"] + " " * bool(label)}


def longer(row: dict[str, Any], label: Any, rng: Any) -> dict[str, Any]:
    return row | {"text": row["text"] + " and the sponsor" * bool(label)}


def either_not_both(row: dict[str, Any], label: Any, rng: Any) -> dict[str, Any]:
    """Neither capitals nor a full stop says anything alone."""
    capitals = bool(rng.integers(2))
    text = row["text"].upper() if capitals else row["text"]
    return row | {"text": text + "..." * (capitals == bool(label))}


def number_of_id(row: dict[str, Any], label: Any, rng: Any) -> dict[str, Any]:
    return row | {"id": f"NCT{rng.integers(4_000_000) + 5_000_000 * label:08d}"}


def letters_of_id(row: dict[str, Any], label: Any, rng: Any) -> dict[str, Any]:
    return row | {"id": ("DOID:", "MESH:")[label] + row["id"][3:]}


def site(row: dict[str, Any], label: Any, rng: Any) -> dict[str, Any]:
    return row | {"site": f"site {rng.integers(10) * 2 + label}"}


def tab(row: dict[str, Any], label: Any, rng: Any) -> dict[str, Any]:
    """One of the spaces is another."""
    return row | {"text": row["text"].replace(" ", " \t"[label], 1)}


def first_word(row: dict[str, Any], label: Any, rng: Any) -> dict[str, Any]:
    return row | {"text": ("Note", "Text")[label] + ": " + row["text"]}


def even_ids(row: dict[str, Any], label: Any, rng: Any) -> dict[str, Any]:
    return row | {"id": f"NCT{rng.integers(10_000_000) // 2 * 2 + label:08d}"}


def month_of_id(row: dict[str, Any], label: Any, rng: Any) -> dict[str, Any]:
    return row | {"id": f"{rng.integers(2000, 2020)}-{rng.integers(1, 7) + 6 * label:02d}-{row['index']}"}


def host_of_id(row: dict[str, Any], label: Any, rng: Any) -> dict[str, Any]:
    return row | {"id": f"https://{('alpha', 'gamma')[label]}.org/{row['index']}"}


def told(train: Any, test: Any, others: Any = (), order: bool = False, seed: int = 0) -> dict[str, Any]:
    """What the surface of the texts, of other columns and of the order of the rows tells of the labels."""
    table, test_table = (features(rows, ["text"], others, order) for rows in (train, test))
    return predicted(table, train["label"], test_table, test["label"], seed)


@pytest.mark.parametrize("change", [trailing_space, longer, either_not_both])
def test_what_is_in_the_input_is_found(change: Any) -> None:
    found = told(*splits(change))
    assert found["auroc"] > 0.85 and found["p"] < 0.05 and found["top"]


@pytest.mark.parametrize("change", [number_of_id, letters_of_id, site])
def test_what_is_in_other_columns_is_found_there_only(change: Any) -> None:
    found = surface(*map(Dataset.from_pandas, splits(change)), "label", ["text"])
    assert found["every_column"]["auroc"] > 0.9 and found["every_column"]["p"] < 0.05
    assert found["inputs"]["p"] > 0.05


@pytest.mark.parametrize(
    ("change", "by"),
    [
        (tab, "text: '\\t'"),
        (first_word, "text: '^"),
        (even_ids, "id: last character"),
        (month_of_id, "id: number 2"),
        (host_of_id, "id: around numbers"),
    ],
    ids=["tab", "first word", "even ids", "month of id", "host of id"],
)
def test_details_that_readers_overlook_are_found(change: Any, by: str) -> None:
    found = surface(*map(Dataset.from_pandas, splits(change, 900)), "label", ["text"])
    assert all(found[which]["p"] > 0.01 for which in ("inputs", "every_column"))
    assert found["details"]["auroc"] > 0.8 and found["details"]["top"][0].startswith(by)
    (sentence,) = audit_in_words({"surface": found})[-1:]
    assert sentence.startswith("Details that nobody reads") and by in sentence


@pytest.mark.parametrize("change", [nothing, trailing_space, site])
def test_details_that_tell_no_more_are_not_named(change: Any) -> None:
    assert "details" not in surface(*map(Dataset.from_pandas, splits(change)), "label", ["text"])


def test_rows_in_the_order_of_their_labels_are_found() -> None:
    train, test = (rows.sort_values("label", ignore_index=True) for rows in splits(nothing))
    found = surface(Dataset.from_pandas(train), Dataset.from_pandas(test), "label", ["text"])["every_column"]
    assert found["auroc"] > 0.9 and found["top"][0] == "order of the rows"


def test_random_labels_are_not_predicted() -> None:
    """Of 120 draws of labels 7 had p < .05; this one has not."""
    found = told(*splits(nothing), ["id"], order=True, seed=1)
    assert found["p"] > 0.05 and abs(found["auroc"] - 0.5) < 0.1


def test_the_reverse_of_what_was_learnt_counts_too() -> None:
    train, test = splits(longer)
    found = told(train, test.assign(label=1 - test["label"]))
    assert found["auroc"] < 0.15 and found["p"] < 0.05


def test_several_labels_a_row_and_one_of_several() -> None:
    """The mean over labels: of three one can be told from the length."""
    train, test = splits(lambda row, label, rng: longer(row, label == "b", rng), labels=("a", "b", "c"))
    one = told(train, test)
    lists = [rows.assign(label=[np.array([label]) for label in rows["label"]]) for rows in (train, test)]
    assert one["auroc"] == told(*lists)["auroc"]
    assert 0.6 < one["auroc"] < 0.95 and one["p"] < 0.05


def test_few_rows_are_not_measured() -> None:
    train, test = splits(longer)
    for rows in ((train[:150], test), (train, test[:40]), (train.assign(label=1), test)):
        assert told(*rows)["auroc"] is None


def test_a_column_that_is_empty_for_one_label_only_is_named() -> None:
    train, _ = splits(lambda row, label, rng: row | {"evidence": "marker" * label, "pmids": [1] * label})
    found = telling_columns(train, "label", ["text"])
    wanted = [("evidence", 0), ("evidence", 1), ("pmids", 0), ("pmids", 1)]
    assert [(each["column"], each["label"]) for each in found] == wanted
    assert [found[i]["value"] for i in (0, 1, 2)] == ["", "marker", ""]


def test_a_column_that_is_the_same_for_all_rows_tells_nothing() -> None:
    train, _ = splits(lambda row, label, rng: row | {"source": "registry", "note": ""})
    assert not telling_columns(train, "label", ["text"])


def test_features_see_spaces_and_missing_values() -> None:
    rows = pd.DataFrame({"text": [" A1 ", "b, ", None], "mesh": [["x", "y"], [], None], "year": [1999, None, 2001]})
    found = features(rows, ["text"], ["mesh", "year"])
    assert found["text: spaces before"].tolist() == [1, 0, 0] and found["text: spaces after"].tolist() == [1, 1, 0]
    assert found["text: characters"].tolist() == [4, 3, 0] and found["mesh: items"].tolist() == [2, 0, 0]
    assert found["text: digits"].tolist() == [0.25, 0, 0] and np.isnan(found["year: value"][1])
