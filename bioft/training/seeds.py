"""Runs that differ in nothing but their seed: trained one after the other, and summarised over the seeds."""

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import stdev
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bioft.datasets.configuration import FILES
from bioft.errors import BioftError
from bioft.hub import pull
from bioft.storage import files as storage_files, run_directory, runs, yaml_config
from bioft.training.recipe_process import main_metric, options, run_recipe

CONFIDENCE = 0.95
NOTE = (
    "The intervals are over seeds (t distribution, n = {n}): how far the figures depend on the seed of the training, "
    "on one and the same test split. They are not those over test examples, which each run has for itself."
)
# What may differ between the runs of a summary beside what never matters: the seed, and where the same data lie.
NOT_COMPARED = {"seed", "run_name", *FILES}


@dataclass(frozen=True)
class Figure:
    """A metric of every seed, in the order of the seeds; mean, standard deviation and interval, None if undefined."""

    values: list[float | None]
    mean: float | None
    sd: float | None
    low: float | None
    high: float | None
    baseline: float | None


@dataclass(frozen=True)
class SeedSummary:
    """What runs that differ in their seed reached: figures by metric, the main one of the task first.

    `baseline` is the name of the baseline that is the best by the main metric (None if there is none): its mean over
    the runs is the `baseline` of each figure.
    """

    recipe: str
    seeds: list[int]
    runs: list[str]
    metric: str
    baseline: str | None
    labels: list[str]
    metrics: dict[str, Figure]


def train_seeds(script: Path, config_path: Path, config: Mapping[str, Any], words: Sequence[str], seeds: str) -> int:
    """Train a recipe once for each seed, into `seed_<seed>` in its output directory, and summarise those finished.

    A seed that fails does not stop the others; a finished one is not trained again. In a launch of several processes
    each of them calls this, and the first one reports. `words` are those of the command line without `--config`, whose
    content is `config`, and without `--seeds`, such as "1,2,3". Returns the exit code: 0, or 1 if a seed failed.

    Raises:
        BioftError: seeds that are no numbers or are given twice, no output directory, one that holds something else,
            or an option that makes no sense for several runs.
    """
    numbers, settings = _seeds(seeds), {**config, **options(words)}
    if "seed" in options(words):
        raise BioftError("Give --seed or --seeds.")
    if "push_to_hub" in settings:
        raise BioftError("--push_to_hub is for one run. Push the one that you choose with: bioft push-adapter")
    if "output_dir" not in settings:
        raise BioftError("--seeds needs --output_dir: the folder for a run of each seed.")
    directory = Path(settings["output_dir"])
    overwrite = str(settings.get("overwrite", False)).lower() in ("", "true")  # "" is the option without a value
    first_process = int(os.environ.get("RANK", "0")) == 0
    if first_process:
        run_directory.prepare(directory, settings, overwrite=overwrite)
    failed = []
    folders = {seed: directory / f"seed_{seed}" for seed in numbers}
    for index, (seed, run) in enumerate(folders.items()):
        if (run / runs.RECORD).is_file() and not overwrite:
            continue
        its = ["--config", str(config_path), *words, "--seed", str(seed), "--output_dir", str(run)]
        # The processes of each seed meet under keys of their own in the store that torchrun keeps for all of them.
        code = run_recipe(script, its, {"TORCHELASTIC_RESTART_COUNT": str(index)})
        if code:
            failed.append(seed)
            print(f"Seed {seed} failed with exit code {code}; its message stands above.")
    if not first_process:
        return 0  # the exit code of one process would end the others before they have reported
    if finished := [str(run) for seed, run in folders.items() if seed not in failed]:
        summary = summarise(finished)
        write_summary(summary, directory)
        print_summary(summary)
        print(f"Written to {directory}")
    if failed:
        print(
            f"{len(failed)} of {len(numbers)} seeds failed: {', '.join(map(str, failed))}. The same command trains "
            "only them; the others are kept."
        )
    return 1 if failed else 0


def expand(names: Sequence[str]) -> list[str]:
    """The names of runs, with the folder of `--seeds` replaced by the runs of its seeds."""
    found = []
    for name in names:
        folders = [path for path in Path(name).glob("seed_*") if re.fullmatch(r"seed_\d+", path.name)]
        folders.sort(key=lambda path: int(path.name.removeprefix("seed_")))
        found += [str(path) for path in folders] or [name]
    return found


def summarise(names: Sequence[str]) -> SeedSummary:
    """Summarise finished runs that differ in nothing but their seed: directories, or `user/name` on the Hub.

    Raises:
        BioftError: no finished run, one without test figures or with files that were changed since, one seed twice, or
            runs that differ in more than the seed, with what differs.
    """
    directories = [pull.run_directory(name) for name in names]
    records = [runs.read(directory) for directory in directories]
    for directory, record in zip(directories, records, strict=True):
        runs.check_tested(directory, record)
        runs.check_files(directory, record)
    for name, directory, record in zip(names[1:], directories[1:], records[1:], strict=True):
        if differing := _differences(directories[0], records[0], directory, record):
            raise BioftError(
                f"{name} and {names[0]} differ in more than the seed: {'; '.join(differing)}. Only runs that are the "
                "same but for their seed say how much depends on it."
            )
    runs_by_seed = sorted(zip(records, directories, names, strict=True), key=lambda run: run[0]["seed"])
    records = [record for record, _, _ in runs_by_seed]
    seeds = [record["seed"] for record in records]
    if doubled := sorted({seed for seed in seeds if seeds.count(seed) > 1}):
        raise BioftError(f"Two of the runs have the seed {doubled[0]}: {', '.join(names)}.")
    main = main_metric(runs_by_seed[0][1], records[0])
    stated = {name: [each["baselines"].get(name, {}) for each in records] for name in records[0].get("baselines", {})}
    baselines = {name: {metric: _mean(_values(all_, metric)) for metric in all_[0]} for name, all_ in stated.items()}
    known = {name: figures[main] for name, figures in baselines.items() if figures.get(main) is not None}
    best = max(known, key=lambda name: known[name] or 0.0) if known else None
    measured = [record["metrics"] for record in records]
    metrics = {
        name: _figure(_values(measured, name), baselines[best].get(name) if best else None)
        for name in dict.fromkeys([main, *measured[0]])
    }
    labels = [str(label) for label in records[0].get("labels", [])]
    return SeedSummary(records[0]["recipe"], seeds, [name for *_, name in runs_by_seed], main, best, labels, metrics)


def print_summary(summary: SeedSummary, console: Console | None = None) -> None:
    """Print the metrics, but for those of single labels, which the files of `write_summary` have."""
    console = console or Console()
    table = Table(title=_title(summary), title_justify="left", box=box.SIMPLE_HEAD)
    of_labels = tuple(f"{label.lower()}_" for label in summary.labels)
    columns = _columns(summary, [name for name in summary.metrics if not name.startswith(of_labels)])
    for column in columns:
        table.add_column(column, justify="left" if column == "metric" else "right", no_wrap=True)
    for row in zip(*columns.values(), strict=True):
        table.add_row(*row)
    console.print(table)
    console.print(Text(_note(summary)), soft_wrap=True)


def write_summary(summary: SeedSummary, directory: Path) -> None:
    """Write `seeds.json` and `seeds.md` with all metrics."""
    with storage_files.disk_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
    content = asdict(summary) | {"note": _note(summary), "confidence": CONFIDENCE}
    storage_files.write_json(directory / "seeds.json", content, allow_nan=False)
    columns = _columns(summary, list(summary.metrics)) | {
        f"seed {seed}": [_text(figure.values[place]) for figure in summary.metrics.values()]
        for place, seed in enumerate(summary.seeds)
    }
    rows = [list(columns), ["---"] * len(columns), *map(list, zip(*columns.values(), strict=True))]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    storage_files.write_text(directory / "seeds.md", f"## {_title(summary)}\n\n{table}\n\n{content['note']}\n")


def _seeds(text: str) -> list[int]:
    try:
        numbers = [int(each) for each in text.split(",")]
    except ValueError:
        raise BioftError(f"--seeds takes whole numbers with commas, such as 1,2,3, not {text!r}.") from None
    if len(set(numbers)) != len(numbers) or min(numbers) < 0:
        raise BioftError(f"--seeds takes different numbers from 0, not {text!r}.")
    return numbers


def _differences(first: Path, its: Mapping[str, Any], second: Path, others: Mapping[str, Any]) -> list[str]:
    """What but the seed differs between two runs: base model, data, configuration."""
    settings = [yaml_config.load_config(directory / runs.CONFIG) for directory in (first, second)]
    found = [
        f"{key}: {other!r} and {one!r}"
        for key, one, other in run_directory.differing_settings(*settings)
        if key not in NOT_COMPARED
    ]
    parts = [(part, its[part], others[part]) for part in ("recipe", "task")]
    bases = its["base_model"], others["base_model"]
    parts += [(f"base model, {part}", *(base.get(part) for base in bases)) for part in ("id", "revision", "sha256")]
    found += [f"{part}: {other} and {one}" for part, one, other in parts if one != other]
    prints = [record["dataset"]["fingerprints"] for record in (its, others)]
    if changed := [split for split in prints[0] if prints[0][split] != prints[1].get(split)]:
        found.append(f"other data ({', '.join(changed)})")
    return found


def _figure(values: list[float | None], baseline: float | None) -> Figure:
    """Mean, standard deviation (n - 1) and Student's t interval of the mean."""
    from scipy.stats import t

    known = [value for value in values if value is not None]
    mean = _mean(values)
    if mean is None or len(known) < 2:
        return Figure(values, mean, None, None, None, baseline)
    sd = stdev(known)
    half = float(t.ppf((1 + CONFIDENCE) / 2, len(known) - 1)) * sd / math.sqrt(len(known))
    return Figure(values, mean, sd, mean - half, mean + half, baseline)


def _values(figures: Sequence[Mapping[str, Any]], metric: str) -> list[float | None]:
    return [each.get(metric, {}).get("value") for each in figures]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def _note(summary: SeedSummary) -> str:
    if len(summary.seeds) == 1:
        return "One seed does not say how far the figures depend on it: there is no interval."
    return NOTE.format(n=len(summary.seeds))


def _title(summary: SeedSummary) -> str:
    return f"{summary.recipe}, seeds {', '.join(map(str, summary.seeds))}"


def _columns(summary: SeedSummary, metrics: Sequence[str]) -> dict[str, list[str]]:
    figures = [summary.metrics[name] for name in metrics]
    columns = {
        "metric": list(metrics),
        "mean ± sd": [_text(each.mean) + ("" if each.sd is None else f" ± {each.sd:.3f}") for each in figures],
        "95 % over seeds": [
            "–" if each.low is None else f"[{_text(each.low)}, {_text(each.high)}]" for each in figures
        ],
    }
    if summary.baseline is not None:
        columns[summary.baseline.replace("_", " ")] = [_text(each.baseline) for each in figures]
    return columns


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
