"""Tables and sentences of a run for terminals of any width."""

import io
import re
from typing import Any

import pytest
from rich import box
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from bioft.metrics import report
from bioft.metrics.estimation.estimates import PairedDifference
from bioft.task import BASE, FINE_TUNED

SHOWN = {"f1": "F1", "precision": "Precision", "recall": "Recall", "unseen_f1": "F1, not seen in training"}


def figure(value: float) -> dict[str, Any]:
    return {"value": value, "low": value - 0.1, "high": value + 0.1, "n": 1200}


def shown(width: int, rows: dict[str, dict[str, Any]]) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(report.results_table(rows, console, SHOWN))
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(("width", "columns"), [(200, 4), (80, 3), (60, 2), (40, 1)])
def test_a_table_drops_columns_and_breaks_neither_words_nor_numbers(width: int, columns: int) -> None:
    rows = {
        "sentence_co_occurrence": {name: figure(0.5) for name in SHOWN},
        BASE: {name: figure(0.05) for name in SHOWN},
        FINE_TUNED: {name: figure(0.875) for name in SHOWN},
    }
    text = shown(width, rows)
    assert len(report.results_table(rows, Console(width=width), SHOWN).columns) == 1 + columns, (
        "rich cuts off what has no room"
    )
    assert "…" not in text and max(map(len, text.splitlines())) <= width
    assert text.count(".875 [.775–.975]") == columns == text.count(".050 [-.050–.150]")
    words = set(re.findall(r"[a-z]+", text))
    assert {"pairs", "that", "share", "sentence", "base", "fine", "tuned"} <= words


@pytest.mark.parametrize(
    ("width", "columns", "name"),
    [(82, 5, ["a_long_label_precision"]), (69, 4, ["a_long_label_precision"]), (60, 4, ["a_long_label_", "precision"]),
     (50, 3, ["a_long_", "label_", "precision"]), (40, 2, ["a_long_", "label_", "precision"])],
)  # fmt: skip
def test_what_is_broken_is_broken_at_its_joints_and_numbers_never(width: int, columns: int, name: list[str]) -> None:
    whole = ("recorded", "now", "difference", "")
    table = Table("figure", *(Column(each, no_wrap=True) for each in whole), box=box.SIMPLE_HEAD)
    table.add_row(Text("a_long_label_precision"), "0.1234 [0.1234, 0.2345]", "0.1234", "+0.0000", "equal")
    console = Console(file=io.StringIO(), width=width)
    report.show(table, console, ["difference"])
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert len(table.columns) == columns and "0.1234 [0.1234, 0.2345]" in text and "…" not in text
    assert re.findall(r"[a-z]+_[a-z_]*|precision", text) == name


def test_a_column_is_as_wide_as_its_words_where_there_is_room() -> None:
    table = Table("system", *(Column(each, justify="right") for each in ("n", "both right", "p value")))
    table.add_row("a_long_label", "67", "0", ".007")
    console = Console(file=io.StringIO(), width=60)
    report.show(table, console)
    assert " system       │  n │ both right │ p value " in console.file.getvalue().replace("┃", "│")  # type: ignore


def test_numbers_keep_their_digits() -> None:
    """Also where a "0." stands inside of them."""
    assert [report.decimals(value) for value in (10.4, 110.25, 0.5, -0.041, 1.0)] == [
        "10.400", "110.250", ".500", "-.041", "1.000",
    ]  # fmt: skip
    assert report.interval_text({"value": 10.4, "low": 0.5, "high": 20.0}) == "10.400 [.500–20.000]"


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"task": "entity-recognition"}, "base, untrained head"),
        ({"task": "text-classification", "training": {"start_from": "runs/a"}}, "base"),
        ({"task": "text-classification", "base_model": {"source": "local folder runs/a"}}, "base"),
        ({"task": "gene-disease-association"}, BASE),
        ({"task": "masked-language-model", "new_head": []}, BASE),
        ({"task": "masked-language-model", "new_head": ["cls"]}, "base, untrained head"),
    ],
)
def test_what_nothing_has_trained_is_not_called_zero_shot(record: dict[str, Any], words: str) -> None:
    record = {"schema_version": 1, "training": {}, "base_model": {"source": "Hub, commit abc"}} | record
    assert report.base_words(record) == words


def test_a_sentence_is_broken_on_a_terminal_only() -> None:
    sentence = "word " * 40
    for terminal, lines in ((True, 5), (False, 1)):
        console = Console(file=io.StringIO(), width=48, force_terminal=terminal, no_color=True)
        report.say(sentence, console)
        assert len(console.file.getvalue().splitlines()) == lines  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("difference", "p_value", "words"),
    [(0.012, 1e-4, "adds something: difference in AUROC +0.012,"),
     (0.0002, 1e-4, "adds next to nothing: difference in AUROC +0.00020,"),
     (-0.01, 1e-4, "adds less than nothing"),
     (0.0002, 0.4, "adds nothing that could be told from chance: difference in AUROC +0.000,")],
)  # fmt: skip
def test_what_a_model_adds_is_no_zero_that_is_something(difference: float, p_value: float, words: str) -> None:
    found = PairedDifference("auroc", 0.9 + difference, 0.9, difference, difference / 2, difference * 2, p_value, 1200)
    assert words in report.describe_added(found, "AUROC", "genes and diseases")["sentence"]
