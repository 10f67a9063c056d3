"""The figures of a run and of a dataset, as PNG files (or whatever the suffix of the path says).

They are drawn without pyplot: no display is needed, no window or open figure is left behind.
"""

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from bioft.errors import BioftError
from bioft.metrics import intervals

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

StrPath = str | os.PathLike[str]
Interval = Mapping[str, float | int | None]

# Okabe and Ito (2008): told apart with any colour vision. Line styles repeat the distinction.
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW, GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#F0E442",
    "#777777",
)
_COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, GREY)
_STYLES = ("-", "--", "-.", ":")
PANELS = 4
"""Metrics that the figure of a run shows."""


def loss_curve(log_history: Sequence[Mapping[str, Any]], path: StrPath) -> None:
    """Draw training loss against steps, and validation loss where it was logged.

    ``log_history`` is that of a `transformers.Trainer`: dicts with ``step`` and, some of them, ``loss`` or
    ``eval_loss``. Long histories get a running mean over them.

    Raises:
        BioftError: no loss was logged, or the file can't be written.
    """
    steps, losses = _logged(log_history, "loss")
    evaluation_steps, evaluation = _logged(log_history, "eval_loss")
    if not len(losses) and not len(evaluation):
        raise BioftError("There is no loss to plot: log_history has no entry with a step and a loss.")
    figure, axes = new_figure()
    window = max(1, len(losses) // 20)
    if window > 1:
        axes.plot(steps, losses, color=SKY, linewidth=0.8, label="training, as logged")
        mean = np.convolve(losses, np.ones(window) / window, mode="valid")
        middle = (window - 1) // 2
        axes.plot(
            steps[middle : middle + len(mean)],
            mean,
            color=BLUE,
            linewidth=2,
            label=f"training, mean of {window} entries",
        )
    elif len(losses):
        axes.plot(steps, losses, color=BLUE, marker="o", markersize=4, linewidth=1.5, label="training")
    if len(evaluation):
        axes.plot(evaluation_steps, evaluation, color=VERMILION, marker="s", linestyle="--", label="validation")
    last = int(max([*steps, *evaluation_steps]))
    title = f"Loss over {_count(last, 'step')}"
    axes.set_ylim(bottom=0)
    # A first loss many times the rest would leave a flat line: it is named instead of drawn.
    everything = np.concatenate([losses, evaluation])
    usual = 1.25 * float(np.quantile(everything, 0.9))
    if len(everything) >= 10 and everything.max() > 4 * usual:
        axes.set_ylim(top=usual)
        title += f" (highest {everything.max():.2f}, above the axis)"
    axes.set(xlabel="Optimizer step", ylabel="Loss", title=title)
    axes.legend()
    save_figure(figure, path)


def learning_rate(log_history: Sequence[Mapping[str, Any]], path: StrPath) -> None:
    """Draw the learning rate against steps.

    Raises:
        BioftError: no learning rate was logged, or the file can't be written.
    """
    steps, rates = _logged(log_history, "learning_rate")
    if not len(rates):
        raise BioftError(
            "There is no learning rate to plot: log_history has no entry with a step and a learning_rate."
        )
    figure, axes = new_figure()
    axes.plot(steps, rates, color=BLUE, marker="o" if len(rates) < 40 else None, markersize=4)
    axes.set(xlabel="Optimizer step", ylabel="Learning rate", title=f"Learning rate, highest {rates.max():.2g}")
    axes.set_ylim(bottom=0)
    axes.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    save_figure(figure, path)


def roc_pr(
    labels: ArrayLike,
    scores: Mapping[str, ArrayLike],
    path: StrPath,
    *,
    metrics: Mapping[str, Mapping[str, Interval]] | None = None,
) -> None:
    """Draw ROC and precision–recall curves of one or several score vectors on the same examples.

    ``scores`` maps the name in the legend to scores in [0, 1]. The areas with their 95 % intervals are
    computed, unless ``metrics`` has them for a name (in the form of `bioft.metrics.intervals.nest`). The
    first is drawn thickest. With one class only there are no curves, and the figure says so.

    Raises:
        BioftError: no score vector, bad labels or scores, or the file can't be written.
    """
    from sklearn.metrics import precision_recall_curve, roc_curve

    if not scores:
        raise BioftError("There is nothing to plot: scores is empty.")
    checked = {name: intervals.check_labels_and_scores(labels, values) for name, values in scores.items()}
    truth = next(iter(checked.values()))[0]
    positives = int(truth.sum())
    figure, (roc, pr) = new_figure(columns=2, height=5.6)
    prior = positives / len(truth)
    if 0 < positives < len(truth):
        for i, (name, (_, values)) in enumerate(checked.items()):
            areas = (metrics or {}).get(name) or intervals.nest(intervals.bootstrap_metrics(truth, values))
            style: dict[str, Any] = {
                "color": _COLOURS[i % len(_COLOURS)],
                "linestyle": _STYLES[i % len(_STYLES)],
                "linewidth": 2.5 if i == 0 else 1.4,
                "zorder": 3 if i == 0 else 2,
            }
            false_positive_rate, true_positive_rate, _ = roc_curve(truth, values)
            roc.plot(false_positive_rate, true_positive_rate, label=f"{name}: {_interval(areas['auroc'])}", **style)
            precision, recall, _ = precision_recall_curve(truth, values)
            pr.plot(recall, precision, drawstyle="steps-post", label=f"{name}: {_interval(areas['auprc'])}", **style)
        roc.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":", zorder=1)
        pr.axhline(prior, color=GREY, linewidth=0.8, linestyle=":", zorder=1)
        for axes, area in ((roc, "AUROC"), (pr, "AUPRC")):
            # Below the axes: inside, seven rows would hide the curves.
            axes.legend(title=f"{area} [95% interval]", loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize=8)
    else:
        for axes in (roc, pr):
            _note(axes, f"Undefined: all {len(truth):,} labels are {truth[0]}")
    roc.set(xlabel="False positive rate", ylabel="True positive rate (recall)", title="ROC")
    pr.set(xlabel="Recall", ylabel="Precision", title="Precision–recall")
    for axes in (roc, pr):
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        axes.set_box_aspect(1)
    figure.suptitle(f"n = {len(truth):,} ({positives:,} positive; dotted: chance)")
    save_figure(figure, path)


def calibration(labels: ArrayLike, scores: ArrayLike, path: StrPath) -> None:
    """Draw the reliability diagram: in each bin of scores, the fraction of positives against the mean score.

    The bins are those of the expected calibration error in `bioft.metrics`; bars are Wilson intervals.

    Raises:
        BioftError: bad labels or scores, or the file can't be written.
    """
    truth, values = intervals.check_labels_and_scores(labels, scores)
    bins = intervals.calibration_bins(values)
    sizes = np.bincount(bins, minlength=intervals.CALIBRATION_BINS)
    filled = np.flatnonzero(sizes)
    mean_score = np.bincount(bins, weights=values)[filled] / sizes[filled]
    positives = np.bincount(bins, weights=truth)[filled]
    fraction = positives / sizes[filled]
    bounds = np.array(
        [intervals.wilson_interval(int(k), int(n)) for k, n in zip(positives, sizes[filled], strict=True)]
    )

    figure, (axes, histogram) = new_figure(rows=2, height=6.2, height_ratios=(3, 1), sharex=True)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="perfect calibration")
    axes.errorbar(
        mean_score,
        fraction,
        # Rounding may put a bound a hair on the wrong side.
        yerr=np.maximum([fraction - bounds[:, 0], bounds[:, 1] - fraction], 0),
        color=BLUE,
        marker="o",
        capsize=3,
        label="bins of scores, 95% intervals",
    )
    histogram.bar(
        (np.arange(intervals.CALIBRATION_BINS) + 0.5) / intervals.CALIBRATION_BINS,
        sizes,
        width=0.9 / intervals.CALIBRATION_BINS,
        color=SKY,
        edgecolor=BLUE,
        linewidth=0.5,
    )
    histogram.yaxis.set_major_formatter("{x:,.0f}")
    ece = intervals.nest(_quietly_bootstrapped(truth, values))["ece"]
    axes.set(
        ylabel="Fraction of positives",
        ylim=(-0.02, 1.02),
        title=f"Calibration: ECE {_interval(ece)}, n = {len(truth):,}",
    )
    axes.legend(loc="upper left")
    histogram.set(xlabel="Score (predicted probability of association)", ylabel="Pairs", xlim=(-0.02, 1.02))
    save_figure(figure, path)


def score_distribution(labels: ArrayLike, scores: ArrayLike, threshold: float, path: StrPath) -> None:
    """Draw histograms of the scores of positives and of negatives, and the threshold between them.

    Raises:
        BioftError: bad labels or scores, or the file can't be written.
    """
    truth, values = intervals.check_labels_and_scores(labels, scores)
    accuracy = float(((values >= threshold) == truth).mean())
    low, high = intervals.wilson_interval(round(accuracy * len(truth)), len(truth))
    figure, axes = new_figure()
    edges = np.linspace(0, 1, 41)
    for label, name, colour, hatch in ((0, "negative", ORANGE, ""), (1, "positive", BLUE, "//")):
        chosen = values[truth == label]
        axes.hist(
            chosen,
            edges,
            histtype="stepfilled",
            facecolor=(colour, 0.3),
            edgecolor=colour,
            hatch=hatch,
            linewidth=1.5,
            label=f"{name} (n = {len(chosen):,})",
        )
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.axvline(threshold, color="black", linestyle="--", linewidth=1.2, label=f"threshold {threshold:.3f}")
    axes.set(
        xlabel="Score (predicted probability of association)",
        ylabel="Pairs",
        xlim=(-0.02, 1.02),
        title=f"Scores: accuracy {accuracy:.3f} [{low:.3f}, {high:.3f}], n = {len(truth):,}",
    )
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3)
    save_figure(figure, path)


def degree_distribution(gene_degrees: ArrayLike, disease_degrees: ArrayLike, path: StrPath) -> None:
    """Draw how many entities have at least so many associations, genes and diseases, on logarithmic axes.

    The degree of an entity is its number of positive pairs, at least 1.

    Raises:
        BioftError: a degree below 1, no degrees at all, or the file can't be written.
    """
    figure, axes = new_figure()
    for name, degrees, colour, marker in (
        ("genes", gene_degrees, BLUE, "o"),
        ("diseases", disease_degrees, VERMILION, "s"),
    ):
        values = np.sort(np.asarray(degrees, dtype=np.float64))
        if not len(values) or not values[0] >= 1:
            raise BioftError(f"The degrees of the {name} must be at least 1, and there must be some.")
        distinct, first = np.unique(values, return_index=True)
        axes.plot(
            distinct,
            1 - first / len(values),
            color=colour,
            marker=marker,
            markersize=4,
            linewidth=1,
            label=f"{name}: n = {len(values):,}, median {np.median(values):g}, highest {values[-1]:,.0f}",
        )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="Degree (associations of one gene or disease)",
        ylabel="Fraction with at least that degree",
        title="Degree distribution",
    )
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.legend()
    save_figure(figure, path)


def plot_training(run_directory: StrPath, log_history: Sequence[Mapping[str, Any]]) -> list[Path]:
    """Draw ``loss.png`` and ``learning_rate.png``, where such was logged, into ``plots/``; return their paths."""
    folder = Path(run_directory) / "plots"
    folder.mkdir(exist_ok=True)
    paths = []
    if len(_logged(log_history, "loss")[0]) or len(_logged(log_history, "eval_loss")[0]):
        paths.append(folder / "loss.png")
        loss_curve(log_history, paths[-1])
    if len(_logged(log_history, "learning_rate")[0]):
        paths.append(folder / "learning_rate.png")
        learning_rate(log_history, paths[-1])
    return paths


def plot_run(run_directory: StrPath, run: Mapping[str, Any] | None = None) -> list[Path]:
    """Draw the figures of a run from its files into ``plots/``, and return their paths.

    Reads ``predictions.parquet`` and ``run.json``; ``run`` is the content of the latter, for a run that hasn't
    written it yet (it is written last). Writes ``loss.png`` and ``learning_rate.png`` (where such was logged),
    ``roc_pr.png`` with the base model and the baselines beside the fine-tuned model,
    ``calibration.png`` and ``score_distribution.png``.

    Raises:
        BioftError: a file is missing or unreadable, or a column is missing.
    """
    directory = Path(run_directory)
    run = _read_run(directory / "run.json") if run is None else run
    predictions = _read_predictions(directory / "predictions.parquet")
    labels, scores = predictions["label"], predictions["score"]
    threshold = run.get("scoring", {}).get("threshold", 0.5)

    compared, metrics = {"fine-tuned model": scores}, {"fine-tuned model": run.get("metrics")}
    if "base_score" in predictions and predictions["base_score"].notna().all():
        compared["base model, zero-shot"] = predictions["base_score"]
        metrics["base model, zero-shot"] = run.get("base_model_metrics")
    for column in predictions:
        if str(column).startswith("baseline_"):
            name = str(column).removeprefix("baseline_")
            shown = "TF-IDF" if name == "tfidf" else name.replace("_", ", ")
            compared[shown] = predictions[column]
            metrics[shown] = run.get("baselines", {}).get(name)

    paths = plot_training(directory, run.get("log_history") or [])
    folder = directory / "plots"
    paths.append(folder / "roc_pr.png")
    roc_pr(labels, compared, paths[-1], metrics={name: value for name, value in metrics.items() if value})
    paths.append(folder / "calibration.png")
    calibration(labels, scores, paths[-1])
    paths.append(folder / "score_distribution.png")
    score_distribution(labels, scores, threshold, paths[-1])
    return paths


def _read_run(path: Path) -> dict[str, Any]:
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BioftError(f"{path} is missing: {path.parent} is not the directory of a finished run.") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BioftError(f"{path} can't be read: {error}.") from error
    if not isinstance(run, dict):
        raise BioftError(f"{path} is no record of a run: it holds no JSON object.")
    return run


def _read_predictions(path: Path) -> Any:
    import pandas as pd

    if not path.is_file():
        raise BioftError(f"{path} is missing: {path.parent} is not the directory of a finished run.")
    try:
        predictions = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise BioftError(f"{path} can't be read as Parquet: {error}.") from error
    missing = [column for column in ("label", "score") if column not in predictions]
    if missing:
        raise BioftError(f"{path} has no column {', '.join(missing)}; it has {', '.join(map(str, predictions))}.")
    return predictions


def _logged(log_history: Sequence[Mapping[str, Any]], key: str) -> tuple[Any, Any]:
    """Return the steps and the values of the entries that have a value, each shape (entries,)."""
    found = [(entry["step"], entry[key]) for entry in log_history if entry.get(key) is not None and "step" in entry]
    array = np.array(found, dtype=np.float64).reshape(-1, 2)
    return array[:, 0], array[:, 1]


def _quietly_bootstrapped(labels: Any, scores: Any) -> dict[str, float]:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # AUROC of one class: not in this figure
        return intervals.bootstrap_metrics(labels, scores)


def _interval(metric: Interval) -> str:
    value, low, high = (metric.get(key) for key in ("value", "low", "high"))
    if value is None or low is None or high is None or any(map(math.isnan, (value, low, high))):
        return "undefined"
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def _note(axes: "Axes", text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, color=VERMILION)


def new_figure(
    rows: int = 1,
    columns: int = 1,
    *,
    height: float = 4.2,
    height_ratios: Sequence[float] | None = None,
    sharex: bool = False,
) -> tuple["Figure", Any]:
    """Return an empty figure in the style of all, and its axes (an array of them if there are several)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4 if columns == 1 else 9.2, height), layout="constrained")
    axes = figure.subplots(rows, columns, height_ratios=height_ratios, sharex=sharex)
    for each in np.atleast_1d(axes).ravel():
        each.spines[["top", "right"]].set_visible(False)
        each.grid(color="#dddddd", linewidth=0.6)
        each.set_axisbelow(True)
    return figure, axes


def save_figure(figure: "Figure", path: StrPath) -> None:
    """Write a figure in the format of the path's suffix; what was there stays if that fails.

    Raises:
        BioftError: the file can't be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        figure.savefig(temporary, format=path.suffix.removeprefix(".") or "png", dpi=150)
        temporary.replace(path)
    except (OSError, ValueError) as error:
        raise BioftError(f"The figure {path} can't be written: {error}.") from error
    finally:
        temporary.unlink(missing_ok=True)


def comparison(rankings: Sequence[tuple[str, Any]], path: StrPath) -> None:
    """Draw each run with the 95 % interval of its metric, the best at the top; one panel for each ranking.

    ``rankings``: the name of a metric and a table with the columns ``run``, ``value``, ``low`` and ``high``.
    """
    from matplotlib.figure import Figure

    rows = [len(table) for _, table in rankings]
    figure = Figure(figsize=(8, 1.2 + 0.35 * sum(rows) + 0.6 * len(rows)), layout="constrained")
    panels = figure.subplots(len(rankings), 1, squeeze=False, height_ratios=[count + 1 for count in rows])
    for (metric, table), axes in zip(rankings, panels[:, 0], strict=True):
        places = np.arange(len(table))[::-1]
        axes.hlines(places, table["low"], table["high"], color=BLUE, linewidth=2)
        axes.plot(table["value"], places, "o", color=BLUE)
        axes.set_yticks(places, [name if len(name) <= 40 else f"…{name[-39:]}" for name in table["run"]])
        axes.set_ylim(-0.7, len(table) - 0.3)
        axes.set_xlabel(f"{metric}, with 95 % interval")
        axes.grid(axis="x", alpha=0.3)
    save_figure(figure, path)


def metrics(rows: Mapping[str, Mapping[str, Interval]], shown: Mapping[str, str], path: StrPath) -> None:
    """Draw each system's figures with their 95 % intervals: a panel for each of the first `PANELS` metrics.

    ``rows`` maps names of systems to their metrics, the model last; ``shown`` metrics to their words. Metrics that
    reach above 1, such as perplexity, are left out; without any other nothing is drawn.
    """

    def known(metric: str) -> bool:
        values = [figures[metric]["value"] if metric in figures else None for figures in rows.values()]
        return all(value is not None and value <= 1 for value in values)

    drawn = list(filter(known, shown))[:PANELS]
    if not drawn:
        return
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.2 + 2.4 * len(drawn), 1.5 + 0.36 * len(rows)), layout="constrained")
    panels = figure.subplots(1, len(drawn), sharey=True, squeeze=False)[0]
    places = np.arange(len(rows))[::-1]
    for axes, metric in zip(panels, drawn, strict=True):
        for place, figures in zip(places, rows.values(), strict=True):
            value, low, high = (figures[metric][key] for key in ("value", "low", "high"))
            colour, marker = (BLUE, "o") if place == 0 else (GREY, "s")
            axes.plot([low, high], [place, place], color=colour, linewidth=2)
            axes.plot([value], [place], marker, color=colour)
            axes.annotate(
                f"{value:.3f}",
                (value, place),
                (0, 6),
                textcoords="offset points",
                ha="center",
                fontsize=7,
                color=colour,
            )
        axes.set(title=shown[metric], xlim=(-0.02, 1.02), ylim=(-0.6, len(rows) - 0.3))
        axes.title.set_fontsize(10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    panels[0].set_yticks(places, [name.replace("_", " ") for name in rows])
    n = next(iter(next(iter(rows.values())).values()))["n"]
    figure.supxlabel(f"With 95 % intervals, n = {n:,}", fontsize=9)
    save_figure(figure, path)


def text_lengths(lengths: Mapping[str, ArrayLike], unit: str, path: StrPath, *, longest: int | None = None) -> None:
    """Draw how long the texts of each split are, in a unit such as "tokens".

    ``longest`` is what a model reads at most: longer texts are counted in the legend. The longest of 1,000 texts are
    beyond the axis, so that one long text does not hide the others.
    """
    figure, axes = new_figure()
    found = {split: np.asarray(values, dtype=np.int64) for split, values in lengths.items()}
    top = max([2, *(int(np.quantile(each, 0.999)) for each in found.values() if len(each))])
    edges = np.unique(np.linspace(0, top, min(top, 40) + 1).astype(int))
    for index, (split, values) in enumerate(found.items()):
        if not len(values):
            continue
        cut = "" if longest is None else f", cut {(values > longest).mean():.1%}"
        axes.hist(
            values,
            edges,
            weights=np.full(len(values), 1 / len(values)),
            histtype="step",
            color=_COLOURS[index % len(_COLOURS)],
            linestyle=_STYLES[index % len(_STYLES)],
            linewidth=1.8,
            label=f"{split}: n = {len(values):,}, median {np.median(values):g}, longest {values.max():,}{cut}",
        )
    if longest is not None and longest <= top:
        axes.axvline(longest, color="black", linestyle=":", label=f"read: {longest} {unit}")
    axes.set(xlabel=f"{unit.capitalize()} of a text", ylabel="Share of the texts", title="Length of the texts")
    axes.legend(fontsize=8)
    save_figure(figure, path)


def label_counts(counts: Mapping[str, Mapping[str, int]], path: StrPath) -> None:
    """Draw how many texts of each split have each label, the most frequent at the top; ``counts`` by split, label."""
    labels = list(dict.fromkeys(label for split in counts.values() for label in split))
    labels.sort(key=lambda label: sum(split.get(label, 0) for split in counts.values()))
    figure, axes = new_figure(height=1.6 + 0.28 * len(labels))
    start = np.zeros(len(labels))
    for index, (split, found) in enumerate(counts.items()):
        widths = np.array([found.get(label, 0) for label in labels], dtype=float)
        axes.barh(
            labels,
            widths,
            left=start,
            label=split,
            color=_COLOURS[index % len(_COLOURS)],
            hatch=("", "//", "..")[index % 3],
            edgecolor="white",
        )
        start += widths
    for place, total in enumerate(start):
        axes.text(total, place, f" {total:,.0f}", va="center", fontsize=8)
    axes.margins(x=0.12)
    axes.tick_params(axis="y", labelsize=8)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(axis="y", visible=False)
    axes.set(xlabel="Texts", title="Labels")
    axes.legend(fontsize=8, loc="lower right")
    save_figure(figure, path)
