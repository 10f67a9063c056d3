"""Ranked candidates: every pair once, the best first, and places counted as the definition says."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from bioft.cli.main import app
from bioft.datasets.recorded import recorded_data
from bioft.errors import BioftError
from bioft.metrics import combination as together, thresholds
from bioft.storage import runs
from bioft.task import FINE_TUNED
from bioft.tasks.gene_disease import predict as prediction, rank


def splits_of(run: Path) -> dict[str, pd.DataFrame]:
    return {split: rows.to_pandas() for split, rows in recorded_data(run, runs.read(run)).splits.items()}


def test_all_candidates_are_ranked_by_the_combined_score(combined: Path, tmp_path: Path) -> None:
    everything = pd.concat(splits_of(combined).values())
    disease = everything["disease"].iloc[0]
    output = tmp_path / "ranked.csv"
    result = CliRunner().invoke(
        app, ["rank", str(combined), "--disease", disease.upper(), "--output", str(output), "--top", "7"]
    )
    assert result.exit_code == 0, result.output
    ranked = pd.read_csv(output, keep_default_na=False, na_values=[""])
    assert sorted(ranked.gene_id.astype(str)) == sorted(everything.gene_id.unique())
    read = ranked.head(7)
    assert ranked.model.notna().sum() == 7 == read.model.notna().sum()
    assert set(read.gene_id) == set(ranked.sort_values("all_together", ascending=False).gene_id.head(7))
    combination = runs.read(combined)["random_negatives"]["combination"]
    scores = {name: read[name].to_numpy() for name in combination["weights"] if name != FINE_TUNED}
    made = together.score(combination, {FINE_TUNED: read.model.to_numpy(), **scores})
    np.testing.assert_allclose(read.score, made, atol=1e-9)
    assert read.score.is_monotonic_decreasing
    asked = [(gene, disease) for gene in read.gene]
    again = [its["score"] for its in prediction.predict_pairs(combined, asked)]
    np.testing.assert_allclose(read.model, again, atol=1e-5)
    rest = ranked.iloc[7:]
    assert rest.score.isna().all()
    assert rest.all_together.is_monotonic_decreasing


def test_a_ranking_goes_on_where_it_was_interrupted(
    combined: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores are asked for once; those of another run, or a file that was cut off, are not taken."""
    monkeypatch.setattr(rank, "AT_ONCE", 4)
    disease = splits_of(combined)["train"]["disease"].iloc[0]
    output, asked, score = tmp_path / "ranked.csv", list[int](), prediction.score_pairs
    kept = tmp_path / "ranked.csv.scores.json"
    command = ["rank", str(combined), "--disease", disease, "--top", "11", "--output", str(output)]

    def counting(model: object, prompts: object, pairs: dict[str, list[str]], **options: object) -> np.ndarray:
        if len(asked) == 2:
            asked.append(0)
            raise KeyboardInterrupt
        asked.append(len(pairs["gene"]))
        return score(model, prompts, pairs, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(prediction, "score_pairs", counting)
    assert CliRunner().invoke(app, command).exit_code != 0
    assert asked == [4, 4, 0] and kept.is_file() and not output.exists()
    interrupted = kept.read_text()
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert asked == [4, 4, 0, 3] and not kept.exists()
    assert "8 scores are those of a ranking that was interrupted" in " ".join(result.output.split())
    first = output.read_text()
    for other in (interrupted.replace('"dtype": "', '"dtype": "other '), interrupted[:-9], "[]"):
        kept.write_text(other)
        result = CliRunner().invoke(app, [*command, "--overwrite"])
        assert result.exit_code == 0 and "interrupted" not in result.output
        assert asked[-3:] == [4, 4, 3] and output.read_text() == first


def test_known_pairs_are_marked_with_their_split(combined: Path) -> None:
    splits = splits_of(combined)
    train = splits["train"]
    gene = train[train.label == 1].gene_id.iloc[0]
    ranked, _ = rank.rank(combined, "gene", gene, None, 5)
    for split, rows in splits.items():
        positives = set(rows[(rows.gene_id == gene) & (rows.label == 1)].disease_id)
        assert set(ranked[ranked.known == split].disease_id) == positives


def test_candidates_of_a_file(combined: Path, tmp_path: Path) -> None:
    everything = pd.concat(splits_of(combined).values())
    known = everything["gene"].iloc[0]
    file = tmp_path / "genes.csv"
    lines = f"\ufeffgene,why\r\n{known.lower()},seen\r\nNEWGENE1,new\r\n\r\n{known},again\r\n,none\r\n"
    file.write_bytes(lines.encode())
    ranked, notes = rank.rank(combined, "disease", "Some disease of ours", file, 10)
    assert set(ranked.gene) == {known, "NEWGENE1"}
    assert any("NEWGENE1" in note and "1 of 3" in note for note in notes)
    assert any("know no disease 'Some disease of ours'" in note for note in notes)
    assert "Of 4 rows of genes.csv 1 name a gene again, 1 none." in notes


def test_a_name_of_several_ids_is_refused(combined: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where candidates are named and where one is asked for; the id tells them apart."""
    known = pd.DataFrame({"id": ["1", "2", "3"], "name": ["SMN", "smn", "FBN1"]})
    monkeypatch.setattr(rank, "_names", lambda splits, side: known)
    file = tmp_path / "genes.csv"
    file.write_text("gene\nFBN1\nSMN\n")
    with pytest.raises(BioftError, match=r"names of several in the data: smn\. Give their ids"):
        rank.rank(combined, "disease", "3", file, 5)
    with pytest.raises(BioftError, match=r"the name of several: 1 \(SMN\), 2 \(smn\)"):
        rank.rank(combined, "gene", "SMN", None, 5)
    file.write_text("gene\n2\nFBN1\n")
    assert set(rank.rank(combined, "disease", "3", file, 5)[0].gene_id) == {"2", "3"}


def test_without_weights_the_model_alone_ranks(combined: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = runs.read(combined)
    del record["scoring"]["combination"], record["random_negatives"]
    monkeypatch.setattr(runs, "read_trained", lambda *words: record)
    monkeypatch.setattr(thresholds, "LEAST_ROWS", 10_000)
    disease = splits_of(combined)["train"]["disease_id"].iloc[0]
    ranked, notes = rank.rank(combined, "disease", disease, None, 3)
    assert ranked.model.notna().all()
    assert ranked.model.is_monotonic_decreasing
    assert any("the model alone" in note for note in notes)
    assert {"fine-tuned", "with_model"} & rank.test(combined, "disease", 2, 3)[0].keys() == {"fine-tuned"}


def test_places_are_filtered_and_ties_share_one() -> None:
    candidates, scores = pd.Series(list("abcdef")), pd.Series([0.9, 0.8, 0.7, 0.7, 0.7, 0.1])
    # a is known from training; of c, d, e with the same score c is the answer.
    places = rank._places(candidates, scores, {"c", "f"}, {"a", "c", "f"})
    assert places.place.tolist() == [3.0, 4.0]


def test_how_far_up_held_out_pairs_stand(combined: Path) -> None:
    figures, _ = rank.test(combined, "disease", 100, 10_000)
    assert set(figures) >= {"popularity_boosted", "likeness", "all_together", "with_model"}
    splits = splits_of(combined)
    test = splits["test"][splits["test"].label == 1]
    assert figures["with_model"]["mrr"]["n"] == len(test)
    assert figures["with_model"]["recall_at_100"]["n"] == test.disease_id.nunique()
    for its in figures.values():
        assert its["hits_at_10"]["value"] <= its["hits_at_100"]["value"]
        assert its["mrr"]["low"] <= its["mrr"]["value"] <= its["mrr"]["high"]


@pytest.mark.parametrize("words", [["--disease", "a"], ["--test-queries", "2"]])
def test_other_data_than_those_of_the_run_are_refused(words: list[str], combined: Path, tmp_path: Path) -> None:
    run = shutil.copytree(combined, tmp_path / "run")
    record = runs.read(run)
    record["dataset"]["fingerprints"]["test"] = "0" * 16
    (run / runs.RECORD).write_text(json.dumps(record))
    result = CliRunner().invoke(app, ["rank", str(run), *words])
    assert result.exit_code == 1 and "test" in result.output and "fingerprint" in result.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give one of --disease, --gene and --test-queries"),
        (["--disease", "a", "--gene", "b"], "give one of"),
        (["--disease", " "], "must not be empty"),
    ],
)
def test_what_can_not_be_ranked(words: list[str], message: str, combined: Path) -> None:
    result = CliRunner().invoke(app, ["rank", str(combined), *words])
    assert result.exit_code != 0
    assert message in " ".join(result.output.replace("│", " ").split())


def test_a_folder_that_takes_no_file_is_said_before_the_model_runs(
    combined: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rank, "rank", None)
    refused = CliRunner().invoke(app, ["rank", str(combined), "--gene", "a", "--output", str(tmp_path / "r.jsonl")])
    assert refused.exit_code == 1 and "is no .csv" in " ".join(refused.output.split())
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != tmp_path)
    result = CliRunner().invoke(app, ["rank", str(combined), "--gene", "a", "--output", str(tmp_path / "ranked.csv")])
    assert result.exit_code == 1 and "Nothing may be written to the folder" in " ".join(result.output.split())
