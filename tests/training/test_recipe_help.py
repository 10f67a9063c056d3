"""The help of every recipe fits two screens, begins with `--config` and shows one spelling of each option."""

import json
import re

import pytest

from bioft.errors import BioftError
from bioft.training import arguments, help_page, presets
from tests.recipe import RECIPES, help_of, load_recipe

NAMES = sorted(path.stem for path in RECIPES.glob("*.py"))


def shown(name: str, words: list[str], columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    groups = arguments.groups_of(load_recipe(name).main)
    with pytest.raises(SystemExit) as left:
        arguments.parse(name, groups, words, script=RECIPES / f"{name}.py")
    assert left.value.code == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_help_fits_two_screens(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown(name, ["--help"], 80, monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"Usage: bioft train {name} [PRESET]")
    options = [line.split()[0] for line in lines if line.startswith("  --")]
    assert options[:2] == ["--config", "--help_all"]
    # What the recipe adds stands before what its trainer has.
    assert options.index("--dataset") < options.index("--model_name_or_path") < options.index("--learning_rate")
    assert {"--max_steps", "--seed", "--report_to", "--bf16", "--output_dir"} <= set(options)
    assert not [option for option in options if "-" in option[2:]]
    assert len(lines) <= 60 and max(map(len, lines)) <= 80
    # Cut between words, and never in a default.
    assert not [line for line in lines if line.count("[") != line.count("]")]
    shown(name, ["-h"], 40, monkeypatch)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 40


def test_the_help_shows_the_values_of_the_preset(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown("sft_gda", ["--config=llama3_8b", "--help"], 120, monkeypatch)
    made = capsys.readouterr().out
    assert re.search(r"--model_name_or_path .*\[meta-llama/", made) and re.search(r"--seed .*\[\d+\]", made)
    assert help_page.kept("sft_gda", presets.resolve_config("sft_gda", "llama3_8b")) == made


@pytest.mark.parametrize("name", NAMES)
def test_what_is_kept_of_the_help_is_what_it_says(name: str) -> None:
    kept = json.loads(help_page.KEPT.read_text(encoding="utf-8"))
    assert sorted(kept) == NAMES
    assert kept[name] == help_of(name), "Write it again: python -m tests.recipe"


def test_help_all_shows_every_option_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    shown("token_classification", ["--help-all", "--max-steps=1"], 80, monkeypatch)
    text = capsys.readouterr().out
    options = re.findall(r"^  (--\S+)", text, re.MULTILINE)
    groups = arguments.groups_of(load_recipe("token_classification").main)
    assert arguments.fields_of(groups) <= {option[2:] for option in options}
    assert not [option for option in options if "-" in option[2:]] and len(options) == len(set(options))


def test_both_spellings_of_an_option_are_one() -> None:
    groups = arguments.groups_of(load_recipe("token_classification").main)
    words = ["--max-steps", "7", "--learning_rate=1e-3", "--output-dir", "a-b"]
    *_, training_args, _ = arguments.parse("token_classification", groups, words)
    assert (training_args.max_steps, training_args.learning_rate, training_args.output_dir) == (7, 1e-3, "a-b")
    with pytest.raises(BioftError, match=r"unknown key 'maxsteps'\. Did you mean 'max_steps'"):
        arguments.parse("token_classification", groups, ["--maxsteps=1"])
    assert arguments.with_underscores(["--a-b=c-d", "e-f", "-o", "--g"]) == ["--a_b=c-d", "e-f", "-o", "--g"]
