"""The leaderboard: a page without a network, rows that link to cards, and "verified" only where that is on record."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from datasets import load_dataset
from huggingface_hub import RepoCard
from safetensors.numpy import save_file
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from bioft.cli.main import app
from bioft.compare import leaderboard
from bioft.errors import BioftError
from bioft.hub import pull
from bioft.metrics import report
from bioft.storage import runs
from bioft.task import BASE
from bioft.verify.findings import checksum_of
from tests.compare.test_compare import simulated, write_run

COIN = {"auroc": {"value": 0.5, "low": 0.4, "high": 0.6, "n": 400}}


class Page(HTMLParser):
    """Rows with their data, cells and links; the options of the menus; and every address that the page names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[dict[str, Any]] = []
        self.options: dict[str, list[str]] = {}
        self.addresses: list[str] = []
        self.sections, self.menu, self.inside = 0, "", ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.inside = "td" if found.get("scope") == "row" else tag
        self.addresses += [value or "" for key, value in attrs if key in ("href", "src")]
        self.sections += tag == "section"
        if tag == "select":
            self.menu = found["name"] or ""
            self.options[self.menu] = []
        elif tag == "tr" and "data-task" in found:
            self.rows.append({key.removeprefix("data-"): value for key, value in attrs} | {"cells": []})
        elif self.inside == "td":
            self.rows[-1]["cells"].append("")
        elif tag == "a":
            self.rows[-1]["href"] = found["href"]

    def handle_data(self, data: str) -> None:
        if self.inside == "option":
            self.options[self.menu].append(data)
        elif self.inside in ("td", "a") and self.rows:
            self.rows[-1]["cells"][-1] += data.strip()

    def handle_endtag(self, tag: str) -> None:
        self.inside = "" if tag != "a" else "td"


def write(folder: Path, seed: int, split: str = "pair", negatives: str = "uniform", **changes: Any) -> Path:
    labels, scores = simulated(seed, strength=0.2 + seed)
    dataset = {"split": {"strategy": split}, "negatives": {"strategy": negatives}}
    dataset["fingerprints"] = {"test": split[0] * 64}  # type: ignore[dict-item]
    metrics = {"auroc": {"value": 0.5 + seed / 10, "low": 0.4, "high": 0.9, "n": len(labels)}}
    known = {"dataset": dataset, "metrics": metrics, "base_model": {"id": "user/base<1>"}}
    run = write_run(folder, scores, labels, **known | changes)
    (run / runs.CARD).write_text("# A card\n")
    return run


def verification(run: Path, status: str = "verified", **changes: Any) -> dict[str, Any]:
    """What `bioft verify RUN --json` prints, as far as it is read."""
    figures = [
        {"model": "fine-tuned", "metric": metric, "recorded": figure["value"]}
        for metric, figure in runs.read(run)["metrics"].items()
    ]
    found = {"name": str(run), "revision": None, "checksum": checksum_of(run), "status": status, "reasons": []}
    return found | {"figures": figures, "predictions": None} | changes


def save(folder: Path, *found: dict[str, Any]) -> Path:
    folder.mkdir()
    for index, content in enumerate(found):
        (folder / f"{index}.json").write_text(json.dumps(content))
    return folder


def test_the_page_has_a_row_for_each_run_and_needs_no_network(tmp_path: Path) -> None:
    names = [
        write(tmp_path / "runs" / "first <run>", 0),
        write(tmp_path / "runs" / "second", 1),
        write(tmp_path / "runs" / "held out", 2, "gene_held_out", "degree_matched"),
        write(tmp_path / "runs" / "newer", 3, schema_version=99),
    ]
    out = tmp_path / "pages" / "board"
    result = CliRunner().invoke(app, ["leaderboard", *map(str, names), "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert "3 runs, written to" in " ".join(result.output.split()) and "Update bioft" in result.output
    text = (out / "index.html").read_text()
    page = Page(text)
    assert [row["cells"][1] for row in page.rows] == [str(names[index]) for index in (1, 0, 2)], "best first"
    assert page.sections == 2 and "newer" in text and "<run>" not in text
    assert page.options == {
        "task": ["all", "gene-disease-association"],
        "split": ["all", "gene_held_out", "pair"],
        "negatives": ["all", "degree_matched", "uniform"],
    }
    assert [(row["split"], row["negatives"]) for row in page.rows] == [
        ("pair", "uniform"),
        ("pair", "uniform"),
        ("gene_held_out", "degree_matched"),
    ]
    for row, run in zip(page.rows, (names[1], names[0], names[2]), strict=True):
        assert (out / unquote(row["href"])).resolve() == (run / runs.CARD).resolve()
        assert row["cells"][-1] == "not verified"
    assert sorted(page.addresses) == sorted(row["href"] for row in page.rows), "nothing else is loaded"
    again = CliRunner().invoke(app, ["leaderboard", str(names[0]), "-o", str(out)])
    assert again.exit_code == 1 and "not empty" in again.output


def test_the_table_has_what_the_page_shows(tmp_path: Path) -> None:
    run = write(tmp_path / "run", 1)
    board = leaderboard.build_leaderboard([str(run)], tmp_path / "board")
    rows = pd.read_parquet(tmp_path / "board" / "leaderboard.parquet")
    pd.testing.assert_frame_equal(rows, board.rows)
    assert len(pd.read_csv(tmp_path / "board" / "leaderboard.csv")) == 1
    card = RepoCard.load(tmp_path / "board" / "README.md").data.to_dict()
    assert card["sdk"] == "static" and (tmp_path / "board" / card["app_file"]).is_file()
    (row,) = load_dataset(str(tmp_path / "board"), split="train", cache_dir=str(tmp_path / "cache"))
    assert row["run"] == board.rows["run"].iloc[0]
    row = rows.iloc[0]
    assert row["low"] < row["value"] < row["high"] and row["base_model"] == "user/base<1>"
    cells = Page((tmp_path / "board" / "index.html").read_text()).rows[0]["cells"]
    value, baseline, difference = cells[3:6]
    assert value == report.interval_text(row)
    assert (baseline, difference) == ("popularity", "+.050 (p = .020)")


def test_baselines_and_base_model_are_rows_of_their_own(tmp_path: Path) -> None:
    """Computed from the answers that the run holds, or as recorded; they have no rank, no card, no verification."""
    run = write(tmp_path / "run", 1, answers={"baseline_popularity": 0, "base_score": 2}, baselines={"coin": COIN})
    board = leaderboard.build_leaderboard([str(run)], tmp_path / "board")
    assert board.runs == 1
    rows = board.rows.set_index("run")
    assert rows.index[rows["rank"].notna()].tolist() == [str(run)]
    labels, scores = simulated(0)
    assert rows.at["popularity", "value"] == pytest.approx(roc_auc_score(labels, scores))
    assert rows.at["coin", "value"] == 0.5 and rows.at[BASE, "value"] > rows.at[str(run), "value"]
    page = Page((tmp_path / "board" / "index.html").read_text())
    shown = {row["cells"][1]: row for row in page.rows}
    assert {"base model", "popularity (baseline)", "coin (baseline)", str(run)} == shown.keys()
    assert "href" not in shown["coin (baseline)"] and shown["coin (baseline)"]["cells"][-1] == "–"
    assert {row["split"] for row in page.rows} == {"pair"}, "the menus find them with the run"


def test_only_a_verification_of_this_run_as_it_is_counts(tmp_path: Path) -> None:
    """Of its record, and so of its predictions and weights, and of its card; wherever it is now."""
    kinds = ["verified", "refuted", "other", "unchecked", "before", "sampled", "restated", "repredicted", "reworded"]
    by_name = {name: write(tmp_path / name, index) for index, name in enumerate(kinds)}
    folder = save(
        tmp_path / "verifications",
        *(verification(run) for name, run in by_name.items() if name not in ("other", "unchecked", "sampled")),
        verification(by_name["refuted"], "not reproduced", figures=[], reasons=["It is not so."]),
        verification(by_name["other"], checksum="0" * 64),
        verification(by_name["unchecked"], "cannot be checked"),
        verification(by_name["sampled"], predictions={"compared": 7, "total": 400}),
        verification(by_name["verified"], predictions={"compared": 400, "total": 400}),
    )
    by_name["moved"] = by_name.pop("before").rename(tmp_path / "moved")
    change(by_name["restated"], metrics={"auroc": {"value": 0.99, "low": 0.98, "high": 1.0, "n": 400}})
    predictions = by_name["repredicted"] / runs.PREDICTIONS
    pd.read_parquet(predictions).assign(score=lambda table: table["label"]).to_parquet(predictions)
    change(by_name["repredicted"], files=runs.checksums(by_name["repredicted"]))
    (by_name["reworded"] / runs.CARD).write_text("# AUROC 0.99\n")
    names = list(map(str, by_name.values()))
    board = leaderboard.build_leaderboard(names, tmp_path / "board", verifications=folder)
    found = {Path(row["run"]).name: row["verification"] for row in board.rows.to_dict("records")}
    assert found == dict.fromkeys(by_name, "not verified") | {
        "verified": "verified",
        "refuted": "not reproduced",
        "moved": "verified",
        "sampled": "verified (7 of 400 predictions)",
    }


def change(run: Path, **changes: Any) -> None:
    (run / runs.RECORD).write_text(json.dumps(runs.read(run) | changes))


def test_a_model_is_ranked_once_and_other_labels_are_no_better(tmp_path: Path) -> None:
    """Saved anew it is the same; and who calls the model's answers right is not ranked beside the others."""
    _, scores = simulated(1)
    weights = {"b": np.ones(3, np.float32), "a": np.zeros(3, np.float32)}
    first, again = (write(tmp_path / name, 1) for name in ("first", "again"))
    other = write(tmp_path / "other", 2)
    save_file(weights, first / "model.safetensors")
    save_file(dict(reversed(weights.items())), again / "model.safetensors", {"format": "pt"})
    save_file(weights | {"c": np.ones(4, np.float32)}, other / "model.safetensors")
    forged = write_run(tmp_path / "forged", scores, (scores > 0.5).astype(int), dataset=runs.read(first)["dataset"])
    board = leaderboard.build_leaderboard([str(run) for run in (first, again, other, forged)], tmp_path / "board")
    assert {Path(name).name for name in board.rows["run"]} == {"first", "other"}
    reasons = {Path(name).name: words for name, words in board.apart.items()}
    assert f"Its weights are those of {first}: they are one model." in reasons["again"]
    assert f"other labels than those of {first} for the same test examples" in reasons["forged"]
    with pytest.raises(BioftError, match="is given twice"):
        leaderboard.build_leaderboard([str(first), f"{first}/../first"], tmp_path / "twice")


def test_what_is_no_number_is_in_no_record(tmp_path: Path) -> None:
    for number, value in enumerate(("NaN", "-Infinity", "1e999")):
        run = write(tmp_path / str(number), 1, baselines={"coin": COIN})
        text = (run / runs.RECORD).read_text()
        (run / runs.RECORD).write_text(text.replace('"high": 0.6', f'"high": {value}'))
        with pytest.raises(BioftError, match=f"{value} is no number"):
            leaderboard.build_leaderboard([str(run)], tmp_path / "board")


def test_a_run_from_the_hub_links_to_its_card_and_is_verified_at_its_commit(tmp_path: Path, monkeypatch: Any) -> None:
    run, commit = write(tmp_path / "pulled", 1), "c" * 40
    (run / pull.ORIGIN).write_text(json.dumps({"id": "user/adapter", "revision": commit}))
    monkeypatch.setattr(pull, "run_directory", lambda name, revision=None: run)
    earlier = verification(run, name="user/adapter", revision="d" * 40)
    this = verification(run, name="user/adapter", revision=commit)
    for folder, content, expected in (("a", earlier, "not verified"), ("b", this, "verified")):
        board = leaderboard.build_leaderboard(
            ["user/adapter"],
            tmp_path / f"board-{folder}",
            verifications=save(tmp_path / folder, content),
        )
        assert board.rows.iloc[0]["verification"] == expected
    assert board.rows.iloc[0]["card"] == f"https://huggingface.co/user/adapter/blob/{commit}/README.md"


CONTRADICTION = {"name": "run", "status": "verified", "revision": None, "checksum": "", "predictions": None}


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"name": "run", "status": "verified"}', json.dumps(CONTRADICTION | {"reasons": ["no"]})],
)
def test_a_file_that_is_no_verification_is_named(content: str, tmp_path: Path) -> None:
    folder = save(tmp_path / "verifications")
    (folder / "wrong.json").write_text(content)
    run = write(tmp_path / "run", 1)
    with pytest.raises(BioftError, match=r"wrong\.json is no verification.*bioft verify RUN --json"):
        leaderboard.build_leaderboard([str(run)], tmp_path / "board", verifications=folder)
    with pytest.raises(BioftError, match="There is no folder"):
        leaderboard.build_leaderboard([str(run)], tmp_path / "board", verifications=tmp_path / "nothing")
    assert not (tmp_path / "board").exists() and [path.name for path in folder.iterdir()] == ["wrong.json"]
