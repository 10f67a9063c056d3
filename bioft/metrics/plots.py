"""The figures of a run and of a dataset, as PNG files (or whatever the suffix of the path says).

They are drawn without pyplot: no display is needed, no window or open figure is left behind.
"""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from bioft.errors import BioftError
from bioft.storage import files

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

StrPath = str | os.PathLike[str]
Interval = Mapping[str, float | int | None]

# Okabe and Ito (2008): told apart with any colour vision. Line styles repeat the distinction.
BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, YELLOW, GREY = "#CC79A7", "#56B4E9", "#F0E442", "#777777"
COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, GREY)
STYLES = ("-", "--", "-.", ":")
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
        places = steps[(window - 1) // 2 :][: len(mean)]
        axes.plot(places, mean, color=BLUE, linewidth=2, label=f"training, mean of {window} entries")
    elif len(losses):
        axes.plot(steps, losses, color=BLUE, marker="o", markersize=4, linewidth=1.5, label="training")
    if len(evaluation):
        axes.plot(evaluation_steps, evaluation, color=VERMILION, marker="s", linestyle="--", label="validation")
    last = int(max([*steps, *evaluation_steps]))
    title = f"Loss over {last:,} step" + ("" if last == 1 else "s")
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


def plot_training(run_directory: StrPath, log_history: Sequence[Mapping[str, Any]]) -> list[Path]:
    """Draw ``loss.png`` and ``learning_rate.png``, where such was logged, into ``plots/``; return their paths."""
    folder = Path(run_directory) / "plots"
    folder.mkdir(exist_ok=True)
    paths = []
    drawn = {"loss": (loss_curve, ("loss", "eval_loss")), "learning_rate": (learning_rate, ("learning_rate",))}
    for name, (draw, keys) in drawn.items():
        if any(len(_logged(log_history, key)[0]) for key in keys):
            paths.append(folder / f"{name}.png")
            draw(log_history, paths[-1])
    return paths


def _logged(log_history: Sequence[Mapping[str, Any]], key: str) -> tuple[Any, Any]:
    """Return the steps and the values of the entries that have a value, each shape (entries,)."""
    found = [(entry["step"], entry[key]) for entry in log_history if entry.get(key) is not None and "step" in entry]
    array = np.array(found, dtype=np.float64).reshape(-1, 2)
    return array[:, 0], array[:, 1]


def line_style(index: int) -> dict[str, str]:
    """Colour and line style of the first, second, … of several lines."""
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": STYLES[index % len(STYLES)]}


def interval_words(metric: Interval) -> str:
    """A metric with its interval for a legend: "0.84 [0.83, 0.85]"."""
    value, low, high = (metric.get(key) for key in ("value", "low", "high"))
    if value is None or low is None or high is None or any(map(math.isnan, (value, low, high))):
        return "undefined"
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


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


def empty_figure(size: tuple[float, float], rows: int, columns: int, **options: Any) -> tuple["Figure", Any]:
    """Return a figure of a size (inches) in matplotlib's own style, and its axes as an array (rows, columns)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def save_figure(figure: "Figure", path: StrPath) -> None:
    """Write a figure in the format of the path's suffix; what was there stays if that fails.

    Raises:
        BioftError: the file can't be written.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise BioftError(f"The figure {path} can't be written: there is no folder {path.parent}.")
    try:
        with files.new_file(path) as partial:
            figure.savefig(partial, format=path.suffix.removeprefix(".") or "png", dpi=150)
    except ValueError as error:
        raise BioftError(f"The figure {path} can't be written: {error}.") from error


def two_histograms(axes: "Axes", labels: Any, values: Any, edges: Any, names: tuple[str, str]) -> None:
    """Draw histograms of the values with label 0 and of those with label 1, one over the other, with their numbers."""
    for label, (name, colour, hatch) in enumerate(zip(names, (ORANGE, BLUE), ("", "//"), strict=True)):
        chosen = values[labels == label]
        style: dict[str, Any] = {"facecolor": (colour, 0.3), "edgecolor": colour, "hatch": hatch, "linewidth": 1.5}
        axes.hist(chosen, edges, histtype="stepfilled", label=f"{name} (n = {len(chosen):,})", **style)


def shares_at_least(axes: "Axes", counts: Any, colour: str, marker: str, label: str) -> None:
    """Draw which share of the counts is at least as large as each of them, on logarithmic axes."""
    values, first = np.unique(counts, return_index=True)
    style: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 4, "linewidth": 1}
    axes.plot(values, 1 - first / len(counts), label=label, **style)
    axes.set(xscale="log", yscale="log")
    axes.xaxis.set_major_formatter("{x:,.0f}")


def comparison(rankings: Sequence[tuple[str, Any]], path: StrPath) -> None:
    """Draw each run with the 95 % interval of its metric, the best at the top; one panel for each ranking.

    ``rankings``: the name of a metric and a table with the columns ``run``, ``value``, ``low`` and ``high``.
    """
    rows = [len(table) for _, table in rankings]
    size = (8, 1.2 + 0.35 * sum(rows) + 0.6 * len(rows))
    figure, panels = empty_figure(size, len(rankings), 1, height_ratios=[count + 1 for count in rows])
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
    size = (2.2 + 2.4 * len(drawn), 1.5 + 0.36 * len(rows))
    figure, [panels] = empty_figure(size, 1, len(drawn), sharey=True)
    places = np.arange(len(rows))[::-1]
    for axes, metric in zip(panels, drawn, strict=True):
        for place, figures in zip(places, rows.values(), strict=True):
            value, low, high = (figures[metric][key] for key in ("value", "low", "high"))
            colour, marker = (BLUE, "o") if place == 0 else (GREY, "s")
            axes.plot([low, high], [place, place], color=colour, linewidth=2)
            axes.plot([value], [place], marker, color=colour)
            style: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "fontsize": 7, "color": colour}
            axes.annotate(f"{value:.3f}", (value, place), (0, 6), **style)
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
        label = f"{split}: n = {len(values):,}, median {np.median(values):g}, longest {values.max():,}{cut}"
        shares = np.full(len(values), 1 / len(values))
        axes.hist(values, edges, weights=shares, histtype="step", label=label, **line_style(index), linewidth=1.8)
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
        style: dict[str, Any] = {"hatch": ("", "//", "..")[index % 3], "edgecolor": "white"}
        axes.barh(labels, widths, left=start, label=split, color=COLOURS[index % len(COLOURS)], **style)
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
