"""A sweep: a recipe trained with many configurations, one chosen on validation, and only that one tested."""

import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from bioft.compare import outcomes
from bioft.errors import BioftError, extra, in_words, suggestion
from bioft.metrics import plots, report
from bioft.storage import files, run_directory, runs, yaml_config
from bioft.training import arguments, launch, presets
from bioft.training.recipe_process import main_metric, options, run_recipe

with extra("sweep", "A sweep"):
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

STUDY = "trials.db"
TRIALS = "trials"
CHOSEN = "chosen"
# What a sweep sets by itself, and what reads the test split in a trial.
NOT_TO_SET = {
    "output_dir": "name the folder of the sweep with -o",
    "validation_only": "a sweep sets it for its trials",
    "dry_run": "try one configuration with the recipe itself",
    "overwrite": "name another folder, or remove the old one",
    "seeds": "train the chosen configuration with --seeds afterwards",
    "split_seeds": "train the chosen configuration with --split_seeds afterwards",
    "push_to_hub": "push the chosen run afterwards",
    "entity_run": "it is for test documents; give it to the chosen configuration afterwards",
    "compare_with": "it is for test documents; compare the chosen run afterwards",
}
Parameters = dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """One configuration and its figure on the validation split, with the 95 % interval over its `n` examples."""

    parameters: Parameters
    directory: str
    value: float
    low: float | None
    high: float | None
    n: int
    training_seconds: float


@dataclass(frozen=True)
class Sweep:
    """Finished trials, the best first, what failed, and the test figures of the first if it was trained and tested."""

    recipe: str
    metric: str
    minimized: bool
    trials: list[Trial]
    failed: list[Parameters]
    chosen: str | None
    test: dict[str, Any] | None


def sweep(
    recipe: str,
    words: Sequence[str],
    directory: Path,
    *,
    grid: Mapping[str, Sequence[str]],
    ranges: Mapping[str, Sequence[str]] | None = None,
    trials: int | None = None,
    metric: str | None = None,
    minimize: bool = False,
    skip_failed: bool = False,
) -> Sweep:
    """Train a recipe with every configuration of a grid, or with those that Optuna's TPE sampler draws.

    A trial uses nothing of the test split (see `bioft.datasets.load.validation_as_test`), and only its record and
    configuration are kept. The best one is then trained again, evaluated on the test split and kept in `chosen`. A
    sweep that was interrupted continues with the same call: what is finished is not trained again.

    `words` are of the recipe's command line, for every trial; `grid` has by key of the recipe the values to try, as on
    the command line, and `ranges` "low, high" or "low, high, log"; `trials` is how many configurations the sampler
    draws, None tries all of the grid. If some failed, `skip_failed` chooses among the others, else nothing.
    BioftError: an unknown recipe, key, value or metric, a key that a sweep can't set, a folder with another sweep, or
    a chosen configuration that could not be trained.
    """
    script = presets.script(recipe)
    recipe, words, ranges = script.stem, arguments.with_underscores(words), ranges or {}
    distributions = _distributions(grid, ranges, trials)
    groups = arguments.groups_of(launch.load(script, recipe)["main"])
    config_path = _check(script, groups, words, {**grid, **{key: value[:2] for key, value in ranges.items()}})
    settings = yaml_config.load_config(config_path) | options(words)
    searched = {"grid": {key: list(values) for key, values in grid.items()}, "ranges": dict(ranges)}
    run_directory.prepare(directory, settings | searched | {"recipe": recipe, "metric": metric, "minimize": minimize})
    command = ["--config", str(config_path), *words]

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    database = f"sqlite:///{(directory / STUDY).resolve()}"
    direction = "minimize" if minimize else "maximize"
    with _reading_trials(directory / STUDY):
        study = optuna.create_study(storage=database, study_name="sweep", direction=direction, load_if_exists=True)
        todo = _todo(study, grid, trials)
    # Of the number of trials: a sampler with the same seed would draw after a resumption what it drew before.
    study.sampler = optuna.samplers.TPESampler(seed=len(study.trials))
    if todo and (directory / CHOSEN).exists():
        raise BioftError(
            f"The sweep in {directory} has chosen its configuration, and the test split was used for it. Start a "
            "sweep with more trials in another folder."
        )
    failed = []
    for parameters in todo:
        if parameters is not None:
            study.enqueue_trial(parameters)
        trial = study.ask(distributions)
        run = directory / TRIALS / _name(trial.params)
        print(f"Trial {trial.number}: {_words_of(trial.params)}", flush=True)
        if not (run / runs.RECORD).is_file():
            its = ["--output_dir", str(run), "--validation_only", "True", "--report_to", "none"]
            if run_recipe(script, [*command, *_options(trial.params), *its]):
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
                failed.append(trial.params)
                continue
        study.tell(trial, _trial(run, trial.params, metric).value)
        # Without its model: it is trained again if it is chosen.
        files.remove(path for path in run.iterdir() if path.name not in (runs.RECORD, runs.CONFIG))
    found = _results(recipe, study, directory, metric, minimize, failed)
    if found.trials and (not failed or skip_failed):
        found = _test_chosen(found, script, command, directory)
    _write(found, directory)
    return found


@contextmanager
def _reading_trials(path: Path) -> Iterator[None]:
    """Say in a sentence that the trials of an interrupted sweep can't be read: BioftError."""
    try:
        yield
    except (SQLAlchemyError, optuna.exceptions.OptunaError, RuntimeError) as error:
        raise BioftError(
            f"{path} does not hold the trials of a sweep ({in_words(error)}). Remove it, and the same command goes on "
            "with the runs that are finished, or name another folder."
        ) from error


def parse_values(given: Sequence[str]) -> dict[str, list[str]]:
    """`["learning_rate=1e-4,3e-4"]` as a dict; BioftError for what is not of that form, or a key given twice."""
    values: dict[str, list[str]] = {}
    for text in given:
        key, equals, listed = text.partition("=")
        if not equals or not key or not all(each.strip() for each in listed.split(",")):
            raise BioftError(f"Give values as key=value,value, such as learning_rate=1e-4,3e-4, not {text!r}.")
        if key in values:
            raise BioftError(f"{key} is given twice.")
        values[key] = [each.strip() for each in listed.split(",")]
    return values


def print_sweep(found: Sweep, console: Console | None = None) -> None:
    """Print the trials, the best first, and how the chosen configuration did on the test split."""
    console = console or Console(markup=False)
    if found.trials:
        title = f"{found.recipe}: {found.metric} on the validation split, n = {found.trials[0].n:,}"
        figures = (Column(each, justify="right", no_wrap=True) for each in (f"{found.metric} [95 %]", "training"))
        columns: list[Column | str] = [*found.trials[0].parameters, *figures]
        table = Table(*columns, title=title, title_justify="left", box=box.SIMPLE_HEAD)
        for place, trial in enumerate(found.trials):
            cells = [_value_text(value) for value in trial.parameters.values()]
            style = "bold" if place == 0 and found.chosen else None
            table.add_row(*cells, report.interval_text(asdict(trial)), f"{trial.training_seconds:.0f} s", style=style)
        report.show(table, console)
    for parameters in found.failed:
        console.print(Text(f"Failed: {_words_of(parameters)}", style="red"), soft_wrap=True)
    others = "; --skip-failed chooses among the others" if found.trials else ""
    verdict = (
        f"Nothing was chosen, and the test split was left alone. The same command tries again what failed{others}."
    )
    if found.test is not None:
        verdict = (
            f"Chosen on the validation split: {_words_of(found.trials[0].parameters)}\n"
            f"On the test split, used for this one only: {found.metric} {report.interval_text(found.test)}, "
            f"n = {found.test['n']:,} ({found.chosen})"
        )
    console.print(verdict, highlight=found.test is None, soft_wrap=True)


def _distributions(
    grid: Mapping[str, Sequence[str]], ranges: Mapping[str, Sequence[str]], trials: int | None
) -> dict[str, Any]:
    """What Optuna draws from, by key."""
    if not grid and not ranges:
        raise BioftError("There is nothing to try: give --grid, or --range with --trials.")
    if ranges and trials is None:
        raise BioftError("A range has no end of values: say with --trials how many configurations to try.")
    if both := sorted(grid.keys() & ranges.keys()):
        raise BioftError(f"{both[0]} is in --grid and in --range.")
    kinds = optuna.distributions
    found: dict[str, Any] = {
        key: kinds.CategoricalDistribution(list(dict.fromkeys(values))) for key, values in grid.items()
    }
    for key, (*ends, last) in ranges.items():
        log = last == "log"
        try:
            low, high = ends if log else (*ends, last)
            if all(re.fullmatch(r"[+-]?\d+", end) for end in (low, high)):
                found[key] = kinds.IntDistribution(int(low), int(high), log=log)
            else:
                found[key] = kinds.FloatDistribution(float(low), float(high), log=log)
        except ValueError as error:
            raise BioftError(f"--range {key}: give low,high or low,high,log with low < high ({error}).") from None
    return found


def _check(script: Path, groups: Sequence[Any], words: list[str], tried: Mapping[str, Sequence[str]]) -> Path:
    """Check keys and values before any training; the configuration file, whose option is removed from the words."""
    if "validation_only" not in arguments.fields_of(groups):
        raise BioftError(
            f"A sweep chooses on the validation split, and {script.name} has no option validation_only, by which its "
            "trials leave the test split alone. docs/add_your_own_task.md shows it."
        )
    given = [f"--{key}={value}" for key, values in tried.items() for value in values]
    path, config = arguments.configuration(script.stem, groups, words, script)
    arguments.configuration(script.stem, groups, ["--config", str(path), *given], script)
    if seed := tried.keys() & {"seed", "split_seed"}:
        raise BioftError(
            f"A seed is nothing to choose: train the chosen configuration with --{min(seed)}s afterwards."
        )
    set_here = options([*words, *given]).keys() | {
        key for key, value in config.items() if value and key != "output_dir"
    }
    if refused := [key for key in NOT_TO_SET if key in set_here]:
        raise BioftError(f"A sweep can't set {refused[0]}: {NOT_TO_SET[refused[0]]}.")
    parser = arguments.Parser(groups)
    for option in given:
        arguments.check_ranges(vars(parser.parse_args([*words, option])))
    return path


def _todo(study: Any, grid: Mapping[str, Sequence[str]], trials: int | None) -> list[Parameters | None]:
    """The configurations still to be tried; None is one that the sampler draws."""
    states = optuna.trial.TrialState
    for trial in study.get_trials(states=(states.RUNNING,)):  # of a sweep that was killed
        study.tell(trial.number, state=states.FAIL)
    complete = study.get_trials(states=(states.COMPLETE,))
    finished = {_name(trial.params) for trial in complete}
    if trials is None:
        product = (dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values()))
        return [parameters for parameters in product if _name(parameters) not in finished]
    failed = {_name(trial.params): trial.params for trial in study.get_trials(states=(states.FAIL,))}
    unfinished = {name: parameters for name, parameters in failed.items() if name not in finished}
    drawn = max(0, trials - len(complete) - len(unfinished))
    return [*unfinished.values(), *[None] * drawn]


def _trial(run: Path, parameters: Parameters, metric: str | None) -> Trial:
    """Read the figure of a finished trial."""
    with runs.reading([str(run)]):
        return _figure_of(run, runs.read(run), parameters, metric)


def _figure_of(run: Path, record: Mapping[str, Any], parameters: Parameters, metric: str | None) -> Trial:
    name = metric or main_metric(run, record)
    if name not in record["metrics"]:
        raise BioftError(f"No metric {name!r} to choose by. {suggestion(name, record['metrics'])}")
    if record["dataset"].get("evaluated_on") != "validation":
        raise BioftError(f"The run in {run} was not evaluated on its validation split.")
    figure = record["metrics"][name]
    if figure["value"] is None:
        raise BioftError(f"{name} is not defined on the validation split. Choose by another metric with --metric.")
    seconds = record["training"]["seconds"]
    return Trial(parameters, str(run), figure["value"], figure["low"], figure["high"], figure["n"], seconds)


def _results(
    recipe: str, study: Any, directory: Path, metric: str | None, minimize: bool, failed: list[Parameters]
) -> Sweep:
    complete = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    different = {_name(trial.params): trial for trial in complete}
    trials = [_trial(directory / TRIALS / name, its.params, metric) for name, its in different.items()]
    for trial, its in zip(trials, different.values(), strict=True):
        if trial.value != its.value:
            raise BioftError(
                f"The record in {trial.directory} has another figure ({trial.value:.3f}) than when its trial ended "
                f"({its.value:.3f}): it was changed since. Remove that folder and start the sweep in another one."
            )
    trials.sort(key=lambda trial: trial.value, reverse=not minimize)  # equal ones stay in the order of the trials
    records = {trial.directory: runs.read(trial.directory) for trial in trials}
    with runs.reading(list(records)):
        if len({record["dataset"]["fingerprints"]["test"] for record in records.values()}) > 1:
            raise BioftError(
                "The trials were evaluated on different data: a sweep can't choose between datasets or splits."
            )
        name = metric or next((main_metric(*run) for run in records.items()), "")
    return Sweep(recipe, name, minimize, trials, failed, None, None)


def _test_chosen(found: Sweep, script: Path, command: Sequence[str], directory: Path) -> Sweep:
    """Train the chosen configuration again, and evaluate it on the test split."""
    run, parameters = directory / CHOSEN, found.trials[0].parameters
    if not (run / runs.RECORD).is_file():
        print(f"Chosen: {_words_of(parameters)}", flush=True)
        if code := run_recipe(script, [*command, *_options(parameters), "--output_dir", str(run)]):
            raise BioftError(
                f"The chosen configuration ended with exit code {code}; its message stands above. The same command "
                "tries it again; no trial is repeated."
            )
    with runs.reading([str(run)]):
        record = outcomes.finished_run(str(run))[1]  # one of before may have been changed since
        outcomes.check_figures(run, record)
        _check_settings(Path(found.trials[0].directory), run)
        return Sweep(**vars(found) | {"chosen": str(run), "test": record["metrics"][found.metric]})


def _check_settings(trial: Path, run: Path) -> None:
    """Refuse a run that was not trained as the best trial, whose place as the chosen one it has: BioftError."""
    configs = [yaml_config.load_config(each / runs.CONFIG) for each in (trial, run)]
    others = [each for each in run_directory.differing_settings(*configs) if each[0] != "validation_only"]
    if others:
        key, wanted, found = others[0]
        raise BioftError(
            f"The run in {run} was not trained as the trial that was chosen: {key} {found!r}, there {wanted!r}. "
            "Remove that folder; the same command trains it again."
        )


def _write(found: Sweep, directory: Path) -> None:
    """Write `sweep.json`, `sweep.csv` and `sweep.png`."""
    content = asdict(found) | {"split": "validation"}
    files.write_json(directory / "sweep.json", content)
    if not found.trials:
        return
    table = pd.DataFrame([trial.parameters | asdict(trial) for trial in found.trials]).drop(columns="parameters")
    files.write_text(directory / "sweep.csv", table.to_csv(index=False))
    shown = table.assign(run=[_words_of(trial.parameters) for trial in found.trials])
    plots.comparison([(f"{found.metric} on the validation split", shown)], directory / "sweep.png")


def _options(parameters: Parameters) -> list[str]:
    return [f"--{key}={value}" for key, value in parameters.items()]


def _words_of(parameters: Parameters) -> str:
    return ", ".join(f"{key} {_value_text(value)}" for key, value in parameters.items())


def _value_text(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _name(parameters: Parameters) -> str:
    """A name for the folder of a trial: readable, and another one for other parameters."""
    exact = " ".join(f"{key}={value}" for key, value in sorted(parameters.items()))
    readable = re.sub(r"[^\w.=+-]+", "_", exact)[:80]
    return f"{readable}-{hashlib.sha256(exact.encode()).hexdigest()[:8]}"
