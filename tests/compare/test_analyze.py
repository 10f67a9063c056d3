"""What `bioft analyze` says of runs whose errors are known: where they lie, what changed, and what can't be told."""

import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from datasets import DatasetDict
from rich.console import Console
from typer.testing import CliRunner

from bioft.cli.main import app
from bioft.compare import analyze as analysis, errors as analysis_errors, page as analysis_page
from bioft.compare.outcomes import read_answers
from bioft.compare.page import Chapter, Section
from bioft.datasets.documents import sample
from bioft.errors import BioftError
from bioft.metrics import entity_f1
from bioft.metrics.estimation.estimates import difference, mean
from bioft.metrics.estimation.groups import Groups
from bioft.storage import runs
from bioft.tasks import answers as tasks_answers
from tests.analysis_runs import build_dataset, row, write_pairs_run, write_record
from tests.wilson import wilson_interval


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DatasetDict, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("built")
    return folder, *build_dataset(folder)


@pytest.fixture(scope="module")
def rare(built: tuple[Path, DatasetDict, dict[str, Any]]) -> tuple[Path, np.ndarray, np.ndarray]:
    """A run that is wrong on every pair whose disease has at most one association in training, and on no other."""
    folder, dataset, manifest = built
    train = dataset["train"].to_pandas()
    known = train[train["label"] == 1]["disease_id"].value_counts()
    often = dataset["test"].to_pandas()["disease_id"].map(known).fillna(0).to_numpy()
    right, base_right = often > 1, np.arange(len(often)) % 2 == 0
    assert 0 < (~right).sum() < len(right)
    return write_pairs_run(folder / "rare", dataset, manifest, right, base_right), right, base_right


@pytest.fixture(scope="module")
def analysed(
    built: tuple[Path, DatasetDict, dict[str, Any]], rare: tuple[Path, np.ndarray, np.ndarray]
) -> tuple[Path, Chapter]:
    output = built[0] / "analysis"
    (chapter,) = analysis.analyse([str(rare[0])], output, analysis.Options(dataset_path=built[0] / "dataset"))
    return output, chapter


def section(chapter: Chapter, title: str) -> Section:
    (found,) = [each for each in chapter.sections if each.title.startswith(title)]
    return found


def test_errors_are_found_where_they_are(analysed: tuple[Path, Chapter]) -> None:
    """All errors are on diseases that training hardly has: that group has an accuracy of 0, every other of 1."""
    found = section(analysed[1], "Errors by group")
    table = found.tables["groups.csv"]
    ours = table[(table["system"] == "fine-tuned") & (table["measure"] == "accuracy")]
    by_disease = ours[ours["property"] == "associations of the disease in training"].set_index("group")
    assert by_disease["value"].to_dict() == {group: float(group not in ("0", "1")) for group in by_disease.index}
    assert {"2–4", "5–19"} & set(by_disease.index) and {"0", "1"} & set(by_disease.index)
    for _, each in by_disease.iterrows():
        assert 0 <= each["low"] <= each["value"] <= each["high"] <= 1 and each["high"] - each["low"] > 0.01
    # Genes are held out: they have no frequency in training to be told apart by.
    assert "By associations of the gene in training: fewer than two groups." in found.reasons
    assert not any("of the gene in training" in sentence for sentence in found.sentences)


def test_changes_are_counted_and_tested(
    built: tuple[Path, DatasetDict, dict[str, Any]],
    analysed: tuple[Path, Chapter],
    rare: tuple[Path, np.ndarray, np.ndarray],
) -> None:
    _, right, base_right = rare
    found = section(analysed[1], "Which predictions changed")
    changes = row(found.tables["changes.csv"], system="base model")
    gained, lost = int((right & ~base_right).sum()), int((base_right & ~right).sum())
    assert (changes["gained"], changes["lost"]) == (gained, lost)
    assert (
        changes["both_right"] == (right & base_right).sum() and changes["both_wrong"] == (~right & ~base_right).sum()
    )
    dataset = built[1]["test"].to_pandas()
    groups = Groups(len(right), [dataset["gene_id"], dataset["disease_id"]])
    assert changes["p_value"] == difference("accuracy", mean(right), mean(base_right), groups).p_value
    table = found.tables["changed.csv"]
    assert table["change"].value_counts().to_dict() == {"gained": gained, "lost": lost}
    one = table[table["change"] == "gained"].iloc[0]
    assert one["fine-tuned"] == one["truth"] != one["base model"]
    assert f"Against base model, by accuracy: {gained:,} gained, {lost:,} lost of {len(right):,}" in found.sentences[0]


def test_systems_confusion_and_calibration(
    analysed: tuple[Path, Chapter], rare: tuple[Path, np.ndarray, np.ndarray]
) -> None:
    _, right, base_right = rare
    systems = section(analysed[1], "How right").tables["systems.csv"]
    assert row(systems, system="fine-tuned", measure="accuracy")["value"] == pytest.approx(right.mean())
    assert row(systems, system="majority", measure="AUROC")["value"] == 0.5
    confusion = section(analysed[1], "Confusion").tables["confusion_base_model.csv"].set_index("truth")
    assert confusion.loc["associated", "associated"] + confusion.loc["not associated", "not associated"] == (
        base_right.sum()
    )
    calibration = section(analysed[1], "Calibration").tables["calibration.csv"]
    # Scores are 0.9 or 0.1, in a bin each.
    table = pd.read_parquet(rare[0] / "predictions.parquet")
    bins = [table["score"] == score for score in (0.9, 0.1)]
    expected = sum(its.mean() * abs(table["label"][its].mean() - table["score"][its].mean()) for its in bins)
    assert row(calibration, system="fine-tuned")["value"] == pytest.approx(expected)


def test_every_heading_that_is_printed_has_something_below_it(analysed: tuple[Path, Chapter]) -> None:
    """Also one with a figure only; a small confusion matrix is printed."""
    chapter = replace(analysed[1], sections=[*analysed[1].sections, Section("Map", figures={"map.png": "A map"})])
    console = Console(file=io.StringIO(), width=80)
    analysis_page.print_chapters([chapter], console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    lines = [line for line in text.splitlines() if line.strip()]
    titles = [each.title for each in chapter.sections]
    for title in titles:
        below = lines[lines.index(title) + 1]
        assert below not in titles and below.startswith(" "), title
    assert "confusion fine tuned" in text and "On the page: map.png" in text


def test_runs_that_cannot_be_set_together_leave_no_empty_folder(
    built: tuple[Path, DatasetDict, dict[str, Any]], rare: tuple[Path, np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(rare[0], other)
    record = json.loads((other / runs.RECORD).read_text()) | {"task": "gene-disease-association"}
    table = pd.read_parquet(other / "predictions.parquet").iloc[1:]
    table.to_parquet(other / "predictions.parquet", index=False)
    write_record(other, **{key: its for key, its in record.items() if key not in ("files", "name", "schema_version")})
    output = tmp_path / "out"
    *_, together = analysis.analyse([str(rare[0]), str(other)], output)
    assert [each.title for each in together.sections] == ["Runs that can't be set beside another"]
    folders = [path for path in output.iterdir() if path.is_dir()]
    assert sorted(path.name for path in folders) == ["run1", "run2"] and all(any(path.iterdir()) for path in folders)


def test_the_page_shows_files_of_its_own(analysed: tuple[Path, Chapter]) -> None:
    output, chapter = analysed
    page = (output / "index.html").read_text(encoding="utf-8")
    assert "http" not in page and "<script" not in page
    linked = set(re.findall(r'(?:src|href)="([^"#]+)"', page))
    assert linked and all((output / name).is_file() for name in linked)
    files = {name for each in chapter.sections for name in (*each.tables, *each.figures)}
    assert {Path(name).name for name in linked} == files
    assert not list(output.parent.glob(".analysis*")), "nothing half-written beside it"
    assert "Not done: It needs the model: give --embeddings." in page


def test_the_command(
    built: tuple[Path, DatasetDict, dict[str, Any]], rare: tuple[Path, np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    """Without the dataset the rest is still told, and why frequencies are not."""
    output = tmp_path / "out"
    command = ["analyze", str(rare[0]), "--output", str(output), "--dataset-path", str(tmp_path / "missing.csv")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    words = " ".join(result.output.split())
    assert "frequencies, lengths): The data are missing" in words and "Against base model" in words
    changes = pd.read_csv(output / "run1" / "changes.csv")
    assert row(changes, system="base model")["gained"] == (rare[1] & ~rare[2]).sum()
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 1 and "not empty" in again.output


def test_edited_predictions_are_refused(rare: tuple[Path, np.ndarray, np.ndarray], tmp_path: Path) -> None:
    record = json.loads((rare[0] / runs.RECORD).read_text())
    edited = tmp_path / "edited"
    edited.mkdir()
    pd.read_parquet(rare[0] / "predictions.parquet").assign(score=0.9).to_parquet(edited / "predictions.parquet")
    (edited / runs.RECORD).write_text(json.dumps(record))
    with pytest.raises(BioftError, match=r"predictions\.parquet was changed"):
        analysis.analyse([str(edited)], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_runs_together(
    built: tuple[Path, DatasetDict, dict[str, Any]], rare: tuple[Path, np.ndarray, np.ndarray]
) -> None:
    folder, dataset, manifest = built
    _, right, base_right = rare
    other = write_pairs_run(folder / "other", dataset, manifest, base_right, right)
    fewer = DatasetDict(dataset | {"test": dataset["test"].select(range(30))})
    short = write_pairs_run(folder / "short", fewer, manifest, right[:30], right[:30])
    read = {}
    for path in (rare[0], other, short):
        record = runs.read(path)
        read[path.name] = (record["task"], read_answers(path, record))
    ((_, answers),), apart = analysis_errors.together(read)
    assert list(answers.values) == ["rare", "other"]
    assert list(apart) == ["short"] and "same test examples" in apart["short"]
    (pair,) = analysis_errors.pairs(answers).to_dict("records")
    assert (pair["only_first"], pair["only_second"]) == ((right & ~base_right).sum(), (base_right & ~right).sum())
    table = analysis_errors.differing(answers)
    assert len(table) == (right != base_right).sum() and (table["rare"] != table["other"]).all()


def test_two_runs_with_the_same_answers(tmp_path: Path) -> None:
    """Nothing differs between them: the table of what differs is empty."""
    dataset, manifest = build_dataset(tmp_path)
    right = np.arange(len(dataset["test"])) % 3 > 0
    folders = [write_pairs_run(tmp_path / name, dataset, manifest, right, ~right) for name in ("one", "other")]
    *_, together = analysis.analyse([str(folder) for folder in folders], tmp_path / "out")
    assert together.sections[0].tables["differing1.csv"].empty


def test_mentions_of_new_names(tmp_path: Path) -> None:
    """A tagger that finds what training has, and no new name; one mention that is not there; one of another type."""
    dataset, manifest = sample.build()
    seen = {name for name, _ in entity_f1.seen_in_training(dataset["train"])}
    rows = dataset["test"].to_list()
    from bioft.storage.text_lines import normalise

    truth = entity_f1.spans(rows)
    found = [
        [[e["start"], e["end"], e["type"], 0.9] for e in each["entities"] if normalise(e["text"]) in seen]
        for each in rows
    ]
    n_found = sum(map(len, found))
    found[0][0][2] = "Gene" if found[0][0][2] != "Gene" else "Disease"
    found[1].append([0, 1, "Chemical", 0.9])
    folder = tmp_path / "tagger"
    folder.mkdir()
    table = pd.DataFrame({"id": [each["document_id"] for each in rows], "label": list(map(json.dumps, truth))})
    table["prediction"] = list(map(json.dumps, found))
    table["baseline_dictionary"] = list(map(json.dumps, truth))
    table.to_parquet(folder / "predictions.parquet", index=False)
    write_record(
        folder,
        recipe="token_classification",
        task="entity-recognition",
        dataset={key: manifest[key] for key in ("builder", "arguments", "fingerprints", "sources", "rows")},
        comparison={"baseline": "dictionary"},
    )
    (chapter,) = analysis.analyse([str(folder)], tmp_path / "out")
    n = sum(map(len, truth))
    systems = section(chapter, "How right")
    assert row(systems.tables["systems.csv"], system="fine-tuned")["value"] == pytest.approx((n_found - 1) / n)
    assert "base model's answers are not among the predictions" in systems.reasons[0]
    groups = section(chapter, "Errors by group").tables["groups.csv"]
    new = row(groups, property="mentions of the same name in training", group="0", system="fine-tuned")
    assert new["value"] == 0 and new["n"] == n - n_found
    confusion = section(chapter, "Confusion").tables["confusion_fine_tuned.csv"].set_index("truth")
    assert confusion.loc["none", "Chemical"] == 1 and confusion["none"].sum() == n - n_found
    calibration = section(chapter, "Calibration").tables["calibration.csv"].iloc[0]
    assert calibration["value"] == pytest.approx(abs(0.9 - (n_found - 1) / (n_found + 1)))


def test_groups_of_numbers_and_categories() -> None:
    frequency = analysis_errors.groups("names in training", pd.Series([0, 1, 2, 4, 5, 19, 99, 4000]))
    assert frequency is not None
    assert frequency.to_list() == ["0", "1", "2–4", "2–4", "5–19", "5–19", "20–99", "1,000+"]
    quartiles = analysis_errors.groups("words", pd.Series([1, 1, 1, 1, 2, 3, 4, 50]))
    assert quartiles is not None and list(quartiles.cat.categories) == ["1", "2", "3–4", "50"]
    kinds = analysis_errors.groups("kind", pd.Series(["a"] * 6 + ["b"] * 5 + ["c", "d", None]))
    assert kinds is not None and kinds.value_counts().to_dict() == {"a": 6, "b": 5, "all others": 2}
    assert not kinds.cat.ordered and quartiles.cat.ordered
    assert analysis_errors.groups("words", pd.Series([3, 3, 3])) is None


def test_a_share_over_documents_is_less_sure_than_one_over_mentions() -> None:
    values = np.repeat([1.0, 0.0], 100)
    weights = np.ones(200)
    value, low, high = analysis_errors.share(values, weights, [])
    assert (value, low, high) == pytest.approx((0.5, *wilson_interval(100, 200)), abs=0.001)
    _, lower, higher = analysis_errors.share(values, weights, [np.repeat(np.arange(10), 20)])
    assert lower < low - 0.1 and higher > high + 0.1
    # 3 of 4 tokens of the one text, 0 of 1 of the other: 3 of 5 together.
    assert analysis_errors.share(np.array([0.75, 0.0]), np.array([4.0, 1.0]), [])[0] == pytest.approx(0.6)


def read(folder: Path, table: dict[str, Any], **record: Any) -> tasks_answers.Answers:
    pd.DataFrame(table).to_parquet(folder / "predictions.parquet", index=False)
    return read_answers(folder, record)


def test_candidates_of_relations(tmp_path: Path) -> None:
    table = {
        "id": ["a", "b", "c", "d"],
        "document_id": ["1", "1", "2", "2"],
        "type": ["CID"] * 4,
        "label": [1, 1, 0, 0],
        "score": [0.9, 0.2, 0.6, 0.1],
        "prediction": [1, 0, 1, 0],
    }
    found = read(tmp_path, table, task="relation-extraction")
    assert found.values["fine-tuned"].tolist() == [1, 0, 0, 1]
    assert found.confusion["fine-tuned"].loc["relation", "no relation"] == 1
    assert analysis_errors.changes(found).empty and "Only the fine-tuned" in found.missing["base model"]
    _, low, high = analysis_errors.share(found.values["fine-tuned"].to_numpy(), found.weights, found.groups)
    assert low < 0.15 and high > 0.85, "two documents say little"


def test_queries_by_what_words_tell(tmp_path: Path) -> None:
    """nDCG@10 of a right text at place 1, at place 2 and nowhere; and the words in common with it."""
    table = {
        "id": ["short stature", "high fever", "ataxia"],
        "label": [json.dumps([text]) for text in ("small stature", "fever high", "unsteady gait")],
        "prediction": [
            json.dumps(texts) for texts in (["small stature"], ["cough", "fever high"], ["cough", "fever high"])
        ],
        "base": [json.dumps([])] * 3,
        "baseline_bm25": [json.dumps(["small stature"])] * 3,
    }
    found = read(tmp_path, table, task="text-retrieval")
    assert found.values["fine-tuned"].tolist() == pytest.approx([1, 1 / np.log2(3), 0])
    assert found.values["base model"].tolist() == [0, 0, 0] and found.values["bm25"].tolist() == [1, 0, 0]
    common = found.properties["share of words in common with a right text"]
    assert common.tolist() == ["1/4 to 1/2", "more than 1/2", "none"]
    (base, bm25) = analysis_errors.changes(found).to_dict("records")
    assert (base["gained"], base["lost"], base["both_wrong"]) == (2, 0, 1)
    assert (bm25["gained"], bm25["lost"], bm25["both_right"]) == (1, 0, 1)
    t_test = scipy.stats.ttest_1samp([0, 1 / np.log2(3), 0], 0)
    assert bm25["p_value"] == pytest.approx(t_test.pvalue, rel=0.05), "of one example more"


def test_names_and_hidden_tokens(tmp_path: Path) -> None:
    names = {
        "id": ["D-glucose", "water", "new thing", "other"],
        "kind": ["a", "a", "b", "b"],
        "label": ["glc", "h2o|oh", "", "co2"],
        "prediction": ["glc", "oh", "", ""],
        "score": [0.9, 0.8, 0.7, 0.6],
        "base": ["glc", "glc", "x", "co2"],
        "baseline_exact": ["", "", "", ""],
    }
    found = read(tmp_path, names, task="name-alignment")
    assert found.values["fine-tuned"].tolist() == [1, 1, 1, 0]
    assert found.confusion["base model"].loc["in the namespace"].tolist() == [2, 1, 0]
    assert found.confusion["fine-tuned"].loc["not in the namespace"].tolist() == [0, 0, 1]
    tokens = {
        "id": ["a", "b", "c"],
        "hidden": [4, 1, 0],
        "correct": [3, 0, 0],
        "loss": [2.0, 1.0, 0.0],
        "base_correct": [0, 1, 0],
        "base_loss": [8.0, 3.0, 0.0],
    }
    found = read(tmp_path, tokens, task="masked-language-model")
    assert found.ids == ["a", "b"], "a text without hidden tokens says nothing"
    row_of_all = row(analysis_errors.systems(found), system="fine-tuned")
    assert row_of_all["value"] == pytest.approx(3 / 5)
    assert found.scores["base model"].tolist() == [2, 3]


def test_a_task_that_is_not_known(tmp_path: Path) -> None:
    with pytest.raises(BioftError, match="There is no task 'parsing'"):
        read(tmp_path, {"id": ["a"]}, task="parsing")
    with pytest.raises(BioftError, match="can't be read as predictions on name-alignment"):
        read(tmp_path, {"id": ["a"]}, task="name-alignment", contrastive={"max_length": 8})


def test_answers_without_properties_have_no_groups(tmp_path: Path) -> None:
    given = pd.DataFrame({"truth": ["a"], "fine-tuned": ["a"]})
    answers = tasks_answers.Answers("texts", "accuracy", ["0"], pd.DataFrame({"fine-tuned": [1.0]}), given, np.ones(1))
    section = analysis._groups(answers, ["fine-tuned"], tmp_path, [])
    assert section.reasons == ["The answers have no properties to group them by."]
