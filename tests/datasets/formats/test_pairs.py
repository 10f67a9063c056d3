"""Pairs of texts and gene–disease pairs from tables: scores, splits by text, given negatives, and bad ones."""

from pathlib import Path
from typing import Any

import pytest

from bioft.datasets.formats.gene_disease import build_gene_disease
from bioft.datasets.formats.pairs import build_pairs
from bioft.errors import BioftError
from tests.datasets.formats.test_labels import write

HEADER = ("sentence1", "sentence2", "score")


def scored(n: int = 60) -> list[tuple[Any, ...]]:
    return [(f"heart attack {i}", f"infarction of the heart {i}", f"{i % 11 / 2:.1f}") for i in range(n)]


def texts_of(rows: Any) -> set[str]:
    return {text for column in ("sentence1", "sentence2") for text in rows[column]}


def test_graded_scores_are_scaled_and_their_order_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "own.tsv", scored(), HEADER)
    with pytest.raises(BioftError, match=r"go from 0 to 5\. Say from where to where they may, with --score-range"):
        build_pairs([path])
    dataset, manifest = build_pairs([path], score_range="0,5")
    german = tmp_path / "german.csv"
    german.write_text(path.read_text().replace(".", ",").replace("\t", ";"))
    assert build_pairs([german], score_range="0,5")[1]["fingerprints"] == manifest["fingerprints"]
    found = {row["sentence1"]: row["score"] for rows in dataset.values() for row in rows.to_list()}
    assert found == {first: pytest.approx(float(score) / 5) for first, _, score in scored()}
    assert manifest["graded"] and manifest["arguments"]["score_range"] == "0,5"
    with pytest.raises(BioftError, match=r"line 11: the score 4\.5 is not from 0 to 4 \(--score-range\)"):
        build_pairs([path], score_range="0,4")
    with pytest.raises(BioftError, match=r"--score-range is '5'; give the lowest and the highest"):
        build_pairs([path], score_range="5")


def test_no_text_is_in_two_splits_and_what_is_between_is_counted(tmp_path: Path) -> None:
    rows = [(f"query {i}", f"answer {i}", 1) for i in range(40)]
    rows += [(f"query {i}", f"answer {(i + 7) % 40}", 0) for i in range(40)]  # would join all into one group
    rows += [("query 0", "answer 0", 1), ("same", "Same.", 1)]
    dataset, manifest = build_pairs([write(tmp_path / "own.tsv", rows, ("text1", "text2", "label"))])
    found = [texts_of(its) for its in dataset.values()]
    assert sum(map(len, found)) == len(set.union(*found))
    assert sum(its["related"] for its in manifest["rows"].values()) == 40
    kept = sum(map(len, dataset.values()))
    assert manifest["left_out"] == {
        "pairs that come again, of which the first is kept": 1,
        "pairs of a text with itself": 1,
        "pairs between splits": 80 - kept,
    }
    assert dataset["train"].features["score"].dtype == "int64" and not manifest["graded"]


def test_a_given_test_file_keeps_its_rows_and_training_loses_its_texts(tmp_path: Path) -> None:
    test = [*scored(10), scored(10)[0]]
    train = [(f"other {i}", f"thing {i}", "1.5") for i in range(30)] + [("heart attack 3", "nothing", "0.0")]
    files = write(tmp_path / "train.tsv", train, HEADER), write(tmp_path / "test.tsv", test, HEADER)
    dataset, manifest = build_pairs(train=[files[0]], test=[files[1]], score_range="0,5")
    assert dataset["test"]["sentence1"][:] == [row[0] for row in test]
    assert manifest["left_out"] == {"pairs of train that test has too": 1}
    assert len(dataset["train"]) + len(dataset["validation"]) == 30


def test_anchors_with_positives_and_negatives(tmp_path: Path) -> None:
    rows = [(f"a{i}", f"p{i}", f"n{i}") for i in range(30)]
    dataset, _ = build_pairs([write(tmp_path / "own.tsv", rows, ("anchor", "positive", "negative"))])
    assert dataset["train"].column_names == ["anchor", "positive", "negative", "group"]
    assert sum(map(len, dataset.values())) == 30


def test_a_score_that_is_no_number_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "own.tsv", [("a", "b", "entailment")], HEADER)
    with pytest.raises(BioftError, match="line 2: the score 'entailment' is no number"):
        build_pairs([path])


def genes(label: bool = True) -> list[tuple[Any, ...]]:
    rows = [(f"GENE{g}", f"Disease {d}") for g in range(12) for d in range(12) if ((g * 5 + d) % 3 != 0) == label]
    return [(*row, (n * 7) % 2) if label else row for n, row in enumerate(rows)]


def test_given_negatives_are_those_of_the_table(tmp_path: Path) -> None:
    path = write(tmp_path / "own.csv", genes(), ("Symbol", "disease", "label"), ",")
    dataset, manifest = build_gene_disease([path])
    found = {(row["gene"], row["disease"], row["label"]) for rows in dataset.values() for row in rows.to_list()}
    assert found == set(genes()) and manifest["arguments"]["negatives"] == "given"
    held_out, manifest = build_gene_disease([path], split="gene_held_out")
    assert not set(held_out["test"]["gene"]) & set(held_out["train"]["gene"])
    assert manifest["audit"]["checks"]["held_out_genes_shared"] == 0
    both, manifest = build_gene_disease([path], split="both_held_out", validation_size=0.3, test_size=0.3)
    assert sum(map(len, both.values())) + manifest["left_out"]["pairs between the partitions"] == len(genes())


def test_genes_that_a_spreadsheet_made_dates_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [("2-Sep" if gene == "GENE3" else gene, *others) for gene, *others in genes()]
    build_gene_disease([write(tmp_path / "own.csv", rows, ("gene", "disease", "label"), ",")])
    assert "own.csv: 1 gene is a date" in caplog.text and "2-Sep" in caplog.text


def test_without_labels_negatives_are_drawn(tmp_path: Path) -> None:
    path = write(tmp_path / "own.csv", genes(label=False), ("gene", "disease"), ",")
    dataset, manifest = build_gene_disease([path], negatives="uniform", test_size=0.2)
    positives = {(row["gene"], row["disease"]) for rows in dataset.values() for row in rows.to_list() if row["label"]}
    assert positives == set(genes(label=False))
    assert all(its["positive"] == its["negative"] for its in manifest["rows"].values())


def test_a_given_test_file_of_pairs_is_kept(tmp_path: Path) -> None:
    rows = genes()
    files = [
        write(tmp_path / f"{name}.csv", its, ("gene", "disease", "label"), ",")
        for name, its in (("a", rows[:60]), ("b", [*rows[60:], rows[0]]))
    ]
    dataset, manifest = build_gene_disease(train=[files[0]], test=[files[1]])
    assert [tuple(row[name] for name in ("gene", "disease", "label")) for row in dataset["test"].to_list()] == [
        *rows[60:], rows[0]
    ]  # fmt: skip
    assert manifest["left_out"] == {"pairs of train that test has too": 1}


@pytest.mark.parametrize(
    ("rows", "header", "said"),
    [
        ([("A", "b", "maybe")], ("gene", "disease", "label"), "line 2: the label is 'maybe'; write 1 for associated"),
        ([("A", "b", 1), ("a", "B", 0)], ("gene", "disease", "label"), "have the label 0 here, and 1 in"),
        ([("A", "", 1)], ("gene", "disease", "label"), "line 2: the name of a gene or disease is empty"),
        ([("A", "b", 1)], ("gene", "sickness", "label"), "has no column for --disease-column: name it"),
    ],
)
def test_what_is_wrong_with_gene_disease_pairs(
    tmp_path: Path, rows: list[tuple[Any, ...]], header: tuple[str, ...], said: str
) -> None:
    with pytest.raises(BioftError, match=said):
        build_gene_disease([write(tmp_path / "own.csv", rows, header, ",")])


def test_negatives_of_some_files_alone(tmp_path: Path) -> None:
    """It ended in a traceback: a split had no such column."""
    for name, rows in (("train", "anchor,positive,negative\na b,c d,e f\n"), ("test", "anchor,positive\ng h,i j\n")):
        (tmp_path / f"{name}.csv").write_text(rows)
    with pytest.raises(BioftError, match="have a column of negatives, and others have none"):
        build_pairs([tmp_path])
