"""A finished run trained again from its record, and how far the new figures are from the recorded ones."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Unpack

import yaml
from rich.console import Console
from rich.text import Text

from bioft.datasets.configuration import recorded_configuration
from bioft.errors import BioftError, suggestion
from bioft.hub import checks, pull
from bioft.hub.client import AccessOptions
from bioft.models import precision
from bioft.storage import environment, run_directory, runs
from bioft.task import FINE_TUNED
from bioft.training import presets
from bioft.verify.findings import Figure, check_base_model, figure_of, print_figures, print_verdict

BASE_MODEL = "base model"
# `compare_with` names runs to compare with, which change nothing in the training.
LEFT_OUT = run_directory.NOT_COMPARED | {"compare_with", "output_dir"}
PRESET = re.compile(r"\w[\w.-]*")
COMPARED_HARDWARE = ("cpu", "cores", "gpus")


@dataclass
class Reproduction:
    """The run that was trained again in `directory`, beside the recorded one, and what differs."""

    name: str
    directory: Path
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    """Why the run is not reproduced."""

    @property
    def holds(self) -> bool:
        """Whether every figure of the fine-tuned model lies in the recorded interval, on the same test examples."""
        return not self.reasons


def reproduce(
    name: str,
    output: Path | None = None,
    *,
    revision: str | None = None,
    dataset_path: Path | None = None,
    **access: Unpack[AccessOptions],
) -> Reproduction:
    """Train a finished run again: the same recipe and configuration, base model and data as its record says.

    A recipe of the user's own, which the recorded command names, is started as `python SCRIPT --config FILE.yaml` like
    bioft's; that of a run from the Hub never is. An interrupted one continues with the same call.

    The new run goes to `output`, by default beside the run, `<run>-reproduced`, and for one from the Hub to
    `runs/<recipe>/<name>-reproduced`; `dataset_path` are the data, if they are elsewhere now (see
    `recorded_configuration`), `access` is which Hub has the run itself, as whom. BioftError: no finished run, files
    changed since, a recipe that is not here, no `config.yaml`, a base model or data that are missing or not the
    recorded ones, an `output` that holds a finished run, or a recipe that failed.
    """
    directory, record = pull.open_run(name, revision=revision, **access)
    with runs.reading([str(directory)]):
        pull.task_of(directory, record)
        recipe, config = _recipe(directory, record), recorded_configuration(directory, record, dataset_path)
        if config.get("mlm_run") is None:  # else the base is the adapted one, which the recipe makes and records
            _check_base(directory, record)
        processes = record["hardware"]["num_processes"]
    if output is None and (origin := pull.origin(directory)) is not None:
        output = Path("runs") / recipe.stem / f"{Path(origin['id']).name}-reproduced"
    elif output is None:
        output = Path(f"{directory if directory.name else directory.resolve()}-reproduced")
    if (output / runs.RECORD).is_file():
        raise BioftError(f"{output} holds a finished run. Name another folder with -o.")
    found = Reproduction(name, output)
    found.notes = environment_differences(record, environment.environment())
    config = {key: value for key, value in config.items() if key not in LEFT_OUT}
    config |= {"output_dir": str(output), "report_to": "none"}
    if "bfloat16" in (record.get("precision") or {}).values() and not precision.multiplies_bfloat16():
        config |= {"dtype": "float32", "bf16": False}
        found.notes.append("Trained in bfloat16, which the hardware here does not multiply: trained again in float32.")
    if processes > 1:
        config["gradient_accumulation_steps"] = config.get("gradient_accumulation_steps", 1) * processes
        found.notes.append(
            f"The recorded run had {processes} processes; here one accumulates the gradients of as many steps."
        )
    _train(recipe, config, str(record.get("preset")))
    _compare(record, runs.read(output), found)
    return found


def environment_differences(recorded: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """What of code, Python, packages and hardware is not as recorded, a sentence each."""
    then, now = recorded.get("bioft", {}), here["bioft"]
    packages = recorded.get("packages", {}), here["packages"]
    differing = [
        "{} {}, now {}".format(name, *(_or_none(each.get(name)) for each in packages))
        for name in sorted({*packages[0], *packages[1]})
        if packages[0].get(name) != packages[1].get(name)
    ]
    notes = []
    if (then.get("version"), then.get("git_commit")) != (now["version"], now["git_commit"]):
        both = (f"{each.get('version')} (commit {_or_none(each.get('git_commit'))})" for each in (then, now))
        notes.append("bioft is another: recorded {}, now {}.".format(*both))
    if then.get("git_dirty"):
        notes.append("The recorded run was trained with changes of bioft that were in no commit.")
    if recorded.get("python") != here["python"]:
        notes.append(f"Python {recorded.get('python')}, now {here['python']}.")
    if differing:
        notes.append(f"Packages: {'; '.join(differing)}.")
    for part in COMPARED_HARDWARE:
        was, is_now = recorded.get("hardware", {}).get(part), here["hardware"][part]
        if was != is_now:
            notes.append(f"Hardware, {part}: {_hardware(was)}, now {_hardware(is_now)}.")
    return notes


def print_reproduction(found: Reproduction, console: Console | None = None) -> None:
    """Print the figures of the fine-tuned model metric by metric, others that differ, and the verdict."""
    console = console or Console(markup=False)
    print_figures(found.figures, console)
    verdict = "reproduced" if found.holds else "not reproduced"
    text = Text(f"{found.name}: {verdict}; the new run is {found.directory}", style="green" if found.holds else "red")
    print_verdict(found.notes, found.reasons, text, console)


def _recipe(directory: Path, record: Mapping[str, Any]) -> Path:
    """The script of a run's recipe: bioft's, or for a run of this machine the user's own that its command names."""
    scripts = presets.scripts()
    recipe = record["recipe"]
    if recipe in scripts:
        return scripts[recipe]
    own, *_ = [Path(word) for word in record["command"] if Path(word).suffix == ".py"] or [Path()]
    if own.stem == recipe and pull.origin(directory) is None:
        if own.is_file():
            return own
        raise BioftError(f"The recipe {own} is not here. Run the command in the folder from which it was trained.")
    pulled = " What comes from the Hub may not choose code of this machine." if own.stem == recipe else ""
    raise BioftError(f"This bioft has no recipe {recipe!r}.{pulled} {suggestion(str(recipe), scripts)}")


def _check_base(directory: Path, record: dict[str, Any]) -> None:
    """Refuse a base model that is missing, not the recorded one, or in a folder of another machine."""
    if pull.origin(directory) is not None:
        checks.check_base_model(record, directory)
    if reasons := check_base_model(directory, record):
        raise BioftError(reasons[0])


def _train(recipe: Path, config: dict[str, Any], preset: str) -> None:
    """Run the recipe with this configuration."""
    with tempfile.TemporaryDirectory() as folder:
        # The new record gets the preset's name, if it is one, too.
        path = Path(folder) / f"{preset if PRESET.fullmatch(preset) else 'config'}.yaml"
        path.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
        ended = subprocess.run([sys.executable, str(recipe), "--config", str(path)])
    if ended.returncode:
        raise BioftError(
            f"The recipe {recipe.stem} ended with exit code {ended.returncode}; its message stands above. What it "
            f"wrote is in {config['output_dir']}; the same command continues it."
        )


def _compare(recorded: Mapping[str, Any], now: Mapping[str, Any], found: Reproduction) -> None:
    """Compare the figures, and whether they are of the same test examples."""
    then, after = (
        {FINE_TUNED: each["metrics"], BASE_MODEL: each.get("base_model_metrics") or {}, **each.get("baselines", {})}
        for each in (recorded, now)
    )
    found.figures += [
        figure_of(model, metric, figure, after.get(model, {}).get(metric, {}).get("value"))
        for model, stated in then.items()
        for metric, figure in stated.items()
    ]
    was, is_now = (record["dataset"]["fingerprints"] for record in (recorded, now))
    if changed := [split for split in was if was[split] != is_now.get(split)]:
        found.reasons.append(f"The data are others than the recorded ones: {', '.join(changed)} differ.")
    outside = [figure.metric for figure in found.figures if figure.model == FINE_TUNED and not figure.holds]
    if outside:
        found.reasons.append(f"Outside the recorded intervals: {', '.join(outside)}.")


def _or_none(value: Any) -> str:
    return "none" if value is None else str(value)


def _hardware(value: Any) -> str:
    return ", ".join(value) or "none" if isinstance(value, list) else _or_none(value)
