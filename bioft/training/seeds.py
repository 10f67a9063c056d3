"""Runs that differ in nothing but their seeds: trained one after the other, and summarised over them.

Two kinds of seeds say how far a figure depends on chance: that of the training, and that of the splits of the data.
"""

import itertools
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from bioft import task as tasks
from bioft.compare import outcomes
from bioft.datasets.configuration import FILES
from bioft.errors import BioftError
from bioft.hub import pull
from bioft.metrics import report
from bioft.storage import files as storage_files, run_directory, runs, yaml_config
from bioft.training.recipe_process import main_metric, options, run_recipe

CONFIDENCE = 0.95
TELLING = 3
"""Logged losses of a run, from which on another one that has the same is a copy."""
OPTIONS = {"seeds": "seed", "split_seeds": "split_seed"}
"""What recipes call several seeds, and one."""
# What may differ between the runs of a summary beside what never matters: the seeds, and where the same data lie.
NOT_COMPARED = {*OPTIONS.values(), "run_name", *FILES}
FOLDER = re.compile(r"(?:split_(\d+))?_?(?:seed_(\d+))?")
ONE_SPLIT = (
    "The runs share their test split, so the interval over seeds alone (Student's t) leaves out that other test "
    "examples would have given other figures. In the last one both stand together: the squares of its half width and "
    "of that of the runs' own intervals are added."
)
SPLITS = (
    "Each split is another draw of training and test examples from the same data. The interval over splits is "
    "Student's t for their means with the variance times 1/splits + test/training examples, since splits overlap "
    "(Nadeau and Bengio 2003): it counts training seed, split and sample together."
)


Interval = tuple[float, float]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Figure:
    """A metric of every run, in the order of the runs, and what chance does to it; None where that is undefined.

    `seed_sd` is the standard deviation of runs on one split, `split_sd` that of the means of the splits. `over_seeds`
    is the 95 % interval of the mean on one and the same test split, `overall` that which counts seeds, splits and test
    examples. `baseline` is the mean of the best baseline.
    """

    values: list[float | None]
    mean: float | None
    seed_sd: float | None
    split_sd: float | None
    over_seeds: Interval | None
    overall: Interval | None
    baseline: float | None


@dataclass(frozen=True)
class SeedSummary:
    """What runs that differ in their seeds reached: figures by metric, the main one of the task first.

    `seeds` and `split_seeds` have a value for each run. `baseline` is the name of the baseline that is the best by the
    main metric (None if there is none), and `difference` the main metric minus its, on the same splits.
    """

    recipe: str
    seeds: list[int]
    split_seeds: list[int]
    runs: list[str]
    metric: str
    baseline: str | None
    difference: Figure | None
    labels: list[str]
    rests_on: str
    metrics: dict[str, Figure]
    left_out: list[str]
    """Runs that their folder was to have too, by its own configuration."""


def train_seeds(
    script: Path, config_path: Path, config: Mapping[str, Any], words: Sequence[str], given: Mapping[str, str]
) -> int:
    """Train a recipe once for each seed and split, each into a folder of its own, and summarise those finished.

    One that fails does not stop the others; a finished one is not trained again. In a launch of several processes
    each of them calls this, and the first one reports. `words` are those of the command line without `--config`, whose
    content is `config`, and without the options `given`, such as `{"seeds": "1,2,3"}`. Returns the exit code: 0, or 1
    if a run failed. BioftError: seeds that are no numbers or are given twice, no output directory, one that holds
    something else, or an option that makes no sense for several runs.
    """
    chosen, settings = _runs_of(given), {**config, **options(words)}
    for several in given:
        if OPTIONS[several] in options(words):
            raise BioftError(f"Give --{OPTIONS[several]} or --{several}.")
    if "push_to_hub" in settings:
        raise BioftError("--push_to_hub is for one run. Push the one that you choose with: bioft push-adapter")
    if "output_dir" not in settings:
        raise BioftError(f"--{next(iter(given))} needs --output_dir: the folder for the runs.")
    directory = Path(settings["output_dir"])
    overwrite = str(settings.get("overwrite", False)).lower() in ("", "true")  # "" is the option without a value
    first_process = int(os.environ.get("RANK", "0")) == 0
    if first_process:
        run_directory.prepare(directory, {**settings, **given}, overwrite=overwrite)
    failed = []
    for index, (folder, its) in enumerate(chosen.items()):
        if (directory / folder / runs.RECORD).is_file() and not overwrite:
            continue
        seeds = [word for name, value in its.items() for word in (f"--{name}", str(value))]
        line = ["--config", str(config_path), *words, *seeds, "--output_dir", str(directory / folder)]
        # The processes of each run meet under keys of their own in the store that torchrun keeps for all of them.
        if code := run_recipe(script, line, {"TORCHELASTIC_RESTART_COUNT": str(index)}):
            failed.append(folder)
            print(f"{folder} failed with exit code {code}; its message stands above.")
    if not first_process:
        return 0  # the exit code of one process would end the others before they have reported
    if finished := [str(directory / folder) for folder in chosen if folder not in failed]:
        summary = summarise(finished)
        write_summary(summary, directory)
        print_summary(summary)
        print(f"Written to {directory}")
    if failed:
        print(
            f"{len(failed)} of {len(chosen)} runs failed: {', '.join(failed)}. The same command trains only them; the "
            "others are kept."
        )
    return 1 if failed else 0


def expand(names: Sequence[str]) -> list[str]:
    """The names of runs, with the folder that `--seeds` or `--split_seeds` made replaced by its runs."""
    found = []
    for name in names:
        known = [(match, path) for path in Path(name).glob("s*_*") if (match := FOLDER.fullmatch(path.name))]
        known.sort(key=lambda run: [int(each or 0) for each in run[0].groups()])
        found += [str(path) for _, path in known] or [name]
    return found


def summarise(names: Sequence[str]) -> SeedSummary:
    """Summarise finished runs that differ in nothing but their seeds: directories, or `user/name` on the Hub.

    BioftError: no finished run, one without test figures, with figures that its predictions do not give or with files
    that were changed since, the same seeds or one split twice, or runs that differ in more than their seeds, with what
    differs.
    """
    with runs.reading(names):
        return _summarise(names)


def _summarise(names: Sequence[str]) -> SeedSummary:
    all_ = [
        _Run(name, path, runs.read(path), yaml_config.load_config(path / runs.CONFIG))
        for name in names
        for path in (pull.run_directory(name),)
    ]
    for run in all_:
        runs.check_tested(run.directory, run.record)
        runs.check_files(run.directory, run.record)
    for run in all_[1:]:
        if differing := _differences(all_[0], run):
            raise BioftError(
                f"{run.name} and {all_[0].name} differ in more than the seed: {'; '.join(differing)}. Only runs that "
                "are the same but for their seeds say how much depends on them."
            )
    all_.sort(key=lambda run: run.seeds)
    places = [run.seeds for run in all_]
    if doubled := next((place for place in places if places.count(place) > 1), None):
        raise BioftError(f"Two of the runs have the seed {doubled[1]}: {', '.join(names)}.")
    _check_trained_apart(all_)
    for run in all_:
        outcomes.check_figures(run.directory, run.record)
    records = [run.record for run in all_]
    main = main_metric(all_[0].directory, records[0])
    stated = {name: _mean(_of_baseline(records, name, main)) for name in records[0].get("baselines", {})}
    known = {name: mean for name, mean in stated.items() if mean is not None}
    best = max(known, key=lambda name: known[name]) if known else None
    splits, seeds = (np.array(each) for each in zip(*places, strict=True))
    difference = None
    if best is not None:
        ours = _floats([run["metrics"].get(main, {}).get("value") for run in records])
        sample = [run.get("comparison") or {} for run in records]
        difference = _figure(ours - _of_baseline(records, best, main), splits, _overlap(records), _half(sample))
    metrics = {}
    for name in dict.fromkeys([main, *records[0]["metrics"]]):
        its = [run["metrics"].get(name, {}) for run in records]
        baseline = None if best is None else _mean(_of_baseline(records, best, name))
        values = _floats([each.get("value") for each in its])
        metrics[name] = _figure(values, splits, _overlap(records), _half(its), baseline)
    return SeedSummary(
        recipe=records[0]["recipe"],
        seeds=seeds.tolist(),
        split_seeds=splits.tolist(),
        runs=[run.name for run in all_],
        metric=main,
        baseline=best,
        difference=difference,
        labels=[str(label) for label in records[0].get("labels", [])],
        rests_on=report.rests_on(records[0], seeds=len(set(seeds)), splits=len(set(splits))),
        metrics=metrics,
        left_out=_left_out(all_),
    )


def print_summary(summary: SeedSummary, console: Console | None = None) -> None:
    """Print the metrics, but for those of single labels, which the files of `write_summary` have."""
    console = console or Console(markup=False)
    of_labels = tuple(f"{label.lower()}_" for label in summary.labels)
    columns = _columns(summary, [name for name in summary.metrics if not name.startswith(of_labels)])
    rows = zip(*columns.values(), strict=True)
    report.show(report.text_table(columns, rows, ("metric",), _title(summary)), console)
    report.say(_note(summary), console)


def write_summary(summary: SeedSummary, directory: Path) -> None:
    """Write `seeds.json` and `seeds.md` with all metrics."""
    with storage_files.disk_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
    content = asdict(summary) | {"note": _note(summary), "confidence": CONFIDENCE}
    storage_files.write_json(directory / "seeds.json", content, allow_nan=False)
    several = len(set(summary.split_seeds)) > 1
    columns = _columns(summary, list(summary.metrics)) | {
        (f"split {split}, " if several else "") + f"seed {seed}": [
            _text(its.values[place]) for its in summary.metrics.values()
        ]
        for place, (split, seed) in enumerate(zip(summary.split_seeds, summary.seeds, strict=True))
    }
    rows = [list(columns), ["---"] * len(columns), *map(list, zip(*columns.values(), strict=True))]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    storage_files.write_text(directory / "seeds.md", f"## {_title(summary)}\n\n{table}\n\n{content['note']}\n")


@dataclass(frozen=True)
class _Run:
    """A finished run by its name, with its record and its configuration."""

    name: str
    directory: Path
    record: dict[str, Any]
    config: dict[str, Any]

    @property
    def seeds(self) -> tuple[int, int]:
        """Those of the split and of the training."""
        return int(self.config.get("split_seed") or 0), self.record["seed"]


def _runs_of(given: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """The folder of each run, with the options that name its seeds."""
    numbers = {OPTIONS[several]: _numbers(several, text) for several, text in sorted(given.items(), reverse=True)}
    combined = [dict(zip(numbers, each, strict=True)) for each in itertools.product(*numbers.values())]
    return {"_".join(f"{name.removesuffix('_seed')}_{its}" for name, its in each.items()): each for each in combined}


def _numbers(option: str, text: str) -> list[int]:
    try:
        numbers = [int(each) for each in text.split(",")]
    except ValueError:
        raise BioftError(f"--{option} takes whole numbers with commas, such as 1,2,3, not {text!r}.") from None
    if len(set(numbers)) != len(numbers) or min(numbers) < 0:
        raise BioftError(f"--{option} takes different numbers from 0, not {text!r}.")
    return numbers


def _differences(one: _Run, other: _Run) -> list[str]:
    """What but the seeds differs between two runs: base model, data, configuration."""
    found = [
        f"{key}: {second!r} and {first!r}"
        for key, first, second in run_directory.differing_settings(one.config, other.config)
        if key not in NOT_COMPARED
    ]
    parts = [(part, one.record[part], other.record[part]) for part in ("recipe", "task")]
    bases = one.record["base_model"], other.record["base_model"]
    parts += [(f"base model, {part}", *(base.get(part) for base in bases)) for part in ("id", "revision", "sha256")]
    found += [f"{part}: {second} and {first}" for part, first, second in parts if first != second]
    same_split = one.seeds[0] == other.seeds[0]
    # Of another split only the files that it was made from are the same.
    prints, others = (
        run.record["dataset"]["fingerprints"]
        if same_split
        else {source["name"]: source["sha256"] for source in run.record["dataset"]["sources"]}
        for run in (one, other)
    )
    if changed := [name for name in prints if prints[name] != others.get(name)]:
        found.append(f"other data ({', '.join(changed)})")
    return found


def _check_trained_apart(all_: Sequence[_Run]) -> None:
    """Refuse runs of which chance made no other: BioftError.

    Two have the same weights (also saved anew), losses or answers, or one split under two seeds; or one says two
    things of its seed.
    """
    seen: dict[Any, str] = {}
    for run in all_:
        if (losses := _losses(run)) and (first := seen.setdefault(losses, run.name)) != run.name:
            raise BioftError(f"{run.name} and {first} have the same logged losses: they are copies of one run.")
    models = {run.name: outcomes.Model.of(run.directory) for run in all_}
    for (one, its), (other, theirs) in itertools.combinations(models.items(), 2):
        for what in its.shares(theirs):
            raise BioftError(f"{other} and {one} have the same {what}: they are copies of one run.")
    for run in all_:
        if (seed := run.config.get("seed")) not in (None, run.record["seed"]):
            raise BioftError(
                f"{run.name} says two things of its seed: {runs.RECORD} {run.record['seed']}, {runs.CONFIG} {seed}."
            )
    splits: dict[str, _Run] = {}
    for run in all_:
        other_run = splits.setdefault(run.record["dataset"]["fingerprints"]["test"], run)
        if other_run.seeds[0] != run.seeds[0]:
            raise BioftError(
                f"{run.name} and {other_run.name} name different seeds of their splits ({run.seeds[0]} and "
                f"{other_run.seeds[0]}) and have the same test split: that is one split."
            )


def _losses(run: _Run) -> tuple[Any, ...]:
    """The losses in a run's log, if they are so many that no other run can have the same."""
    log = run.record.get("log_history") or ()
    found = tuple((entry.get("step"), entry["loss"]) for entry in log if "loss" in entry)
    return found if len(found) >= TELLING else ()


def _left_out(all_: Sequence[_Run]) -> list[str]:
    """The runs that the folders of these were to have too, by the seeds in their configurations."""
    here = {run.directory.resolve() for run in all_}
    found = []
    for folder in dict.fromkeys(path.parent for path in sorted(here)):
        if (folder / runs.CONFIG).is_file():
            config = yaml_config.load_config(folder / runs.CONFIG)
            if given := {several: str(config[several]) for several in OPTIONS if several in config}:
                found += [name for name in _runs_of(given) if folder / name not in here]
    return found


def _figure(
    values: Floats, splits: NDArray[np.int64], overlap: float, half: float, baseline: float | None = None
) -> Figure:
    """A metric over runs: shape (runs,), with the seed of each run's split, and the half width of a run's interval."""
    from scipy.stats import t

    listed = [None if np.isnan(value) else float(value) for value in values]
    if np.isnan(values).any():
        return Figure(listed, None, None, None, None, None, baseline)
    by_split = [values[splits == split] for split in np.unique(splits)]
    means = np.array([each.mean() for each in by_split])
    mean, n_splits, more = float(means.mean()), len(means), len(values) - len(means)
    seed_sd = split_sd = over_seeds = overall = None
    if more:
        seed_sd = float(np.sqrt(sum(((each - each.mean()) ** 2).sum() for each in by_split) / more))
    if n_splits > 1:
        split_sd = float(means.std(ddof=1))
        error = float(t.ppf((1 + CONFIDENCE) / 2, n_splits - 1)) * split_sd * (1 / n_splits + overlap) ** 0.5
        overall = mean - error, mean + error
    elif seed_sd is not None:
        error = float(t.ppf((1 + CONFIDENCE) / 2, more)) * seed_sd / len(values) ** 0.5
        over_seeds = mean - error, mean + error
        if not np.isnan(half):
            both = float(np.hypot(error, half))
            overall = mean - both, mean + both
    return Figure(listed, mean, seed_sd, split_sd, over_seeds, overall, baseline)


def _overlap(records: Sequence[Mapping[str, Any]]) -> float:
    """Test examples for each training example, in the mean: how far other splits repeat the same examples."""
    rows = [record["dataset"]["rows"] for record in records]  # of each split what was split stands first
    counts = [[next(iter(its[split].values())) for split in ("test", "train")] for its in rows]
    return float(np.mean([test / train for test, train in counts]))


def _half(figures: Sequence[Mapping[str, Any]]) -> float:
    """Half the width of the intervals over test examples, in the mean; NaN if one has none."""
    return float(np.mean([(_floats([each.get("high")]) - _floats([each.get("low")])) / 2 for each in figures]))


def _of_baseline(records: Sequence[Mapping[str, Any]], name: str, metric: str) -> Floats:
    return _floats([record["baselines"].get(name, {}).get(metric, {}).get("value") for record in records])


def _floats(values: Sequence[float | None]) -> Floats:
    """Shape (n,), NaN for None."""
    return np.array(values, dtype=np.float64)


def _mean(values: Floats) -> float | None:
    mean = float(np.mean(values))
    return None if np.isnan(mean) else mean


def _note(summary: SeedSummary) -> str:
    left_out = ""
    if summary.left_out:
        left_out = (
            f" Not among them, though their folder was to have them too: {', '.join(summary.left_out)}. What is left "
            "when others are taken away says little of chance."
        )
    if summary.metrics[summary.metric].mean is None:
        left_out += f" Not every run has the metric {summary.metric}, as where all test examples are of one class."
    if len(summary.runs) == 1:
        return f"One run does not say how far the figures depend on its seeds. {summary.rests_on}{left_out}"
    sentence = ""
    if (its := summary.difference) is not None and its.mean is not None and its.overall is not None:
        low, high = its.overall
        verdict = "apart from 0" if low > 0 or high < 0 else "not apart from 0"
        sentence = (
            f" Minus the best baseline ({tasks.called(str(summary.baseline))}), {summary.metric} is "
            f"{its.mean:+.3f}, 95 % interval {low:+.3f} to {high:+.3f} ({verdict})."
        )
    return f"{SPLITS if len(set(summary.split_seeds)) > 1 else ONE_SPLIT}{sentence} {summary.rests_on}{left_out}"


def _title(summary: SeedSummary) -> str:
    parts = {"seeds": summary.seeds, "split seeds": summary.split_seeds}
    several = [f"{name} {', '.join(map(str, sorted(set(its))))}" for name, its in parts.items() if len(set(its)) > 1]
    return ", ".join([summary.recipe, *(several or [f"seeds {summary.seeds[0]}"])])


def _columns(summary: SeedSummary, metrics: Sequence[str]) -> dict[str, list[str]]:
    figures = [summary.metrics[name] for name in metrics]

    def interval(its: Interval | None) -> str:
        return "–" if its is None else f"[{_text(its[0])}–{_text(its[1])}]"

    columns = {"metric": list(metrics), "mean": [_text(its.mean) for its in figures]}
    if len(set(summary.split_seeds)) > 1:
        columns["sd of splits"] = [_text(its.split_sd) for its in figures]
    if any(its.seed_sd is not None for its in figures):
        columns["sd of seeds"] = [_text(its.seed_sd) for its in figures]
    if any(its.over_seeds is not None for its in figures):
        columns["95 % seeds"] = [interval(its.over_seeds) for its in figures]
    columns["95 % in all"] = [interval(its.overall) for its in figures]
    if summary.baseline is not None:
        columns[tasks.called(summary.baseline)] = [_text(its.baseline) for its in figures]
    return columns


def _text(value: float | None) -> str:
    return "–" if value is None else report.decimals(value)
