"""The commands that are made of the signatures of builders: their options, and the names that those had before."""

import inspect
import json
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import pytest
from typer.testing import CliRunner

from bioft.cli import build, signature
from bioft.cli.main import app
from bioft.datasets.options import Option, PathName, Seed
from bioft.task import registered


def invoke(*words: Any) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


def manifest(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "manifest.json").read_text())


def test_there_is_a_command_for_each_source_with_a_purpose() -> None:
    group: Any = build.BuildGroup(name="build")
    sources = {source for task in registered().values() for source in task.sources if source.purpose}
    names = {source.name.replace("_", "-") for source in sources}
    assert set(group.list_commands(None)) == names | {build.NAMESPACE}
    for source in sources:
        command = group.get_command(None, source.name.replace("_", "-"))
        assert command.help == source.purpose
        annotated = set(inspect.signature(source.builder()).parameters) - {"directory"}
        shown = {option.name for option in command.params if not getattr(option, "hidden", False)}
        assert shown == annotated | {"output", "overwrite"}
        assert all(option.help for option in command.params if option.name in shown)


def test_a_signature_says_types_bounds_choices_and_defaults() -> None:
    def builder(
        path: Annotated[PathName | None, Option("A file.", default="from the Hub")] = None,
        *,
        kinds: Annotated[tuple[str, ...], "Kinds."] = ("a", "b"),
        style: Annotated[Literal["x", "y"], "Style."] = "x",
        seed: Seed = 0,
        start: Annotated[str | None, Option("Start.", name="--from", variable="START")] = None,
        internal: int = 1,
    ) -> None:
        pass

    found = {each.name: each for each in signature.parameters_of(builder)}
    assert list(found) == ["path", "kinds", "style", "seed", "start"]
    infos = {name: get_args(each.annotation)[1] for name, each in found.items()}
    assert get_args(found["path"].annotation)[0] == Path | None and infos["path"].show_default == "from the Hub"
    assert get_args(found["seed"].annotation)[0] is int and (infos["seed"].min, infos["seed"].max) == (0, 2**32 - 1)
    assert found["kinds"].default is None, "a builder's own list is its default when none is given"
    assert infos["start"].envvar == "START"
    assert "--from" in invoke("download", "pubmed", "--help").output


@pytest.mark.usefixtures("part_of_hpo")
def test_old_names_of_options_work_and_say_the_new_ones(tmp_path: Path) -> None:
    old = invoke("build", "hpo-synonyms", "--out", tmp_path / "old", "--seed", "4")
    assert old.exit_code == 0, old.output
    assert "--out is now written --output." in old.stderr and len(old.stderr.splitlines()) == 1
    new = invoke("build", "hpo-synonyms", "-o", tmp_path / "new", "--seed=4")
    assert new.exit_code == 0 and not new.stderr
    assert manifest(tmp_path / "old") == manifest(tmp_path / "new")
    helped = invoke("build", "hpo-synonyms", "--help").output
    assert "--output" in helped and "--out " not in helped


def test_files_were_options_and_weak_labels_an_option(tmp_path: Path) -> None:
    rows = "".join(f"a{i},b{i},1\na{i},b{(i + 1) % 40},0\n" for i in range(40))
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text(f"text1,text2,label\n{rows}")
    old = invoke("build", "pubmed-pairs", "--input", tmp_path / "one.csv", f"--input={tmp_path / 'two.csv'}", "--out",
                 tmp_path / "old")  # fmt: skip
    assert old.exit_code == 0, old.output
    assert "--input FILE is now written FILE." in old.stderr
    files = [tmp_path / "one.csv", tmp_path / "two.csv"]
    assert invoke("build", "pubmed-pairs", *files, "-o", tmp_path / "new").exit_code == 0
    assert manifest(tmp_path / "old") == manifest(tmp_path / "new")
    weak = invoke("build", "stop-reasons", tmp_path / "none.tsv", "--weak", "-o", tmp_path / "weak")
    assert weak.exit_code == 1 and "is now written stop-reasons-weak" in weak.stderr and "none.tsv" in weak.stderr
    assert invoke("build", "hpo", "--input", "x", "-o", tmp_path / "hpo").exit_code == 2, "it reads no file"


@pytest.mark.parametrize("words", [["--negatives-per-positive", "0"], ["--test-size", "2"], ["--splits", "pair"]])
def test_wrong_values_are_refused_before_the_work(tmp_path: Path, words: list[str]) -> None:
    found = invoke("build", "hpo", "-o", tmp_path / "x", *words)
    assert found.exit_code == 2 and words[0] in found.output
    assert not (tmp_path / "x").exists()


def test_an_occupied_folder_is_found_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("")
    found = invoke("build", "ctd", tmp_path / "not there.csv", "-o", tmp_path)
    assert found.exit_code == 1 and "is not empty" in found.stderr
