"""The figures of a run and of a dataset, as PNG files with SVG and PDF beside them.

They are drawn without pyplot: no display is needed, no window or open figure is left behind. A figure with one panel
is made for a column of 85 mm, one with several side by side for a page of 170 mm: there no letter is below 6 points.
"""

import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from bioft.errors import BioftError
from bioft.metrics.report import decimals
from bioft.storage import files

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

StrPath = str | os.PathLike[str]
Interval = Mapping[str, float | int | None]
SALT = 1990
"""Chosen so that no two baselines of a task look the same."""

# Okabe and Ito (2008): told apart with any colour vision. Line styles repeat the distinction.
BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, YELLOW, GREY = "#CC79A7", "#56B4E9", "#F0E442", "#777777"
COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, GREY)
STYLES, MARKERS = ("-", "--", "-.", ":"), "^Dv<>pP"
COLUMN, PAGE = 4.4, 8.8
"""Inches of a figure for a column of 85 mm and for a page of 170 mm, on which `SMALL` is 6 points."""
SMALL = 8
"""Points of the smallest letters."""
BESIDE = (".svg", ".pdf")
"""What is written beside a PNG file."""
SAME: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
"""Metadata by format: the same figure is the same file, whenever it is drawn."""
CHANCE = {"auroc": 0.5, "mcc": 0.0}
"""What guessing gives, whatever the data."""
PANELS = 4
"""Metrics that the figure of a run shows."""


def loss_curve(log_history: Sequence[Mapping[str, Any]], path: StrPath) -> None:
    """Draw training loss against steps, and validation loss where it was logged.

    ``log_history`` is that of a `transformers.Trainer`: dicts with ``step`` and, some of them, ``loss`` or
    ``eval_loss``. Long histories get a running mean over them. BioftError: no loss was logged, or the file can't be
    written.
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
    legend_below(figure, axes)
    save_figure(figure, path)


def learning_rate(log_history: Sequence[Mapping[str, Any]], path: StrPath) -> None:
    """Draw the learning rate against steps; BioftError: no learning rate was logged, or the file can't be written."""
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


def style_of(system: str) -> dict[str, str]:
    """Colour, line style and marker of a system, the same in every figure."""
    name = system.lower().replace("-", "").replace(", ", "_").replace(" ", "_")
    for known, colour, marker in (("finetuned", BLUE, "o"), ("base", VERMILION, "s")):
        if name == known or name.startswith(f"{known}_"):
            return {"color": colour, "linestyle": "-", "marker": marker}
    place, colours = zlib.crc32(f"{SALT}{name}".encode()), COLOURS[2:]
    return {
        "color": colours[place % len(colours)],
        "linestyle": STYLES[1:][place // 8 % 3],
        "marker": MARKERS[place // 64 % len(MARKERS)],
    }


def chance_of(metric: str) -> float | None:
    """What guessing gives of a metric ("auroc", "macro_auroc"); None where that depends on the data."""
    return CHANCE.get(metric.lower().rpartition("_")[2])


def legend_below(figure: "Figure", axes: "Axes", columns: int = 1) -> None:
    """Set the legend of axes below the figure, where it hides no data."""
    handles, labels = axes.get_legend_handles_labels()
    if labels:
        figure.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=SMALL)


def new_figure(
    rows: int = 1,
    columns: int = 1,
    *,
    height: float = 3.4,
    height_ratios: Sequence[float] | None = None,
    sharex: bool = False,
) -> tuple["Figure", Any]:
    """Return an empty figure in the style of all, and its axes (an array of them if there are several)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(COLUMN if columns == 1 else PAGE, height), layout="constrained")
    axes = figure.subplots(rows, columns, height_ratios=height_ratios, sharex=sharex)
    for each in np.atleast_1d(axes).ravel():
        each.spines[["top", "right"]].set_visible(False)
        each.grid(color="#dddddd", linewidth=0.6)
        each.set_axisbelow(True)
        each.title.set_fontsize(10)
    return figure, axes


def empty_figure(size: tuple[float, float], rows: int, columns: int, **options: Any) -> tuple["Figure", Any]:
    """Return a figure of a size (inches) in matplotlib's own style, and its axes as an array (rows, columns)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def save_figure(figure: "Figure", path: StrPath) -> None:
    """Write a figure, a PNG file with SVG and PDF beside it, whole or not at all; BioftError: it can't be written."""
    import matplotlib

    path = Path(path)
    if not path.parent.is_dir():
        raise BioftError(f"The figure {path} can't be written: there is no folder {path.parent}.")
    try:
        for each in (path, *(path.with_suffix(suffix) for suffix in BESIDE if path.suffix == ".png")):
            kind = each.suffix.removeprefix(".") or "png"
            with files.new_file(each) as partial, matplotlib.rc_context({"svg.hashsalt": "bioft"}):
                figure.savefig(partial, format=kind, dpi=220, metadata=SAME.get(kind))
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

    ``rankings``: the name of a metric and a table with the columns ``run``, ``value``, ``low`` and ``high``, and
    ``kind`` and ``words`` where it has other systems than runs, which are drawn in their own colours.
    """
    rows = [len(table) for _, table in rankings]
    size = (PAGE, 1.2 + 0.3 * sum(rows) + 0.6 * len(rows))
    figure, panels = empty_figure(size, len(rankings), 1, height_ratios=[count + 1 for count in rows])
    for (metric, table), axes in zip(rankings, panels[:, 0], strict=True):
        places = np.arange(len(table))[::-1]
        for place, row in zip(places, table.to_dict("records"), strict=True):
            is_run = row.get("kind", "run") == "run"
            style = {"color": BLUE, "marker": "o"} if is_run else style_of(row["run"]) | {"linestyle": "-"}
            axes.plot([row["low"], row["high"]], [place, place], color=style["color"], linewidth=2)
            axes.plot(row["value"], place, **style)
        if (guessing := chance_of(metric)) is not None:
            axes.axvline(guessing, color="black", linestyle=":", linewidth=1)
            metric += " (dotted: chance)"
        names = [name if len(name) <= 40 else f"…{name[-39:]}" for name in table.get("words", table["run"])]
        axes.set_yticks(places, names, fontsize=SMALL)
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
    size = (COLUMN if len(drawn) == 1 else PAGE, 1.5 + 0.36 * len(rows))
    figure, [panels] = empty_figure(size, 1, len(drawn), sharey=True)
    places = np.arange(len(rows))[::-1]
    for axes, metric in zip(panels, drawn, strict=True):
        for place, (name, figures) in zip(places, rows.items(), strict=True):
            value, low, high = (figures[metric][key] for key in ("value", "low", "high"))
            look = style_of(name) | {"linestyle": "-"}
            axes.plot([low, high], [place, place], color=look["color"], linewidth=2)
            axes.plot([value], [place], **look)
            style: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "fontsize": SMALL}
            axes.annotate(decimals(value or 0.0), (value, place), (0, 6), **style)
        if (guessing := chance_of(metric)) is not None:
            axes.axvline(guessing, color="black", linestyle=":", linewidth=1)
        limits = {"xlim": (-0.02, 1.02), "xticks": [0, 0.5, 1], "ylim": (-0.6, len(rows) - 0.3)}
        axes.set(title=shown[metric], **limits)
        axes.title.set_fontsize(10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    panels[0].set_yticks(places, [name.replace("_", " ") for name in rows], fontsize=SMALL)
    n = next(iter(next(iter(rows.values())).values()))["n"]
    chance = "; dotted: chance" if any(chance_of(metric) is not None for metric in drawn) else ""
    figure.supxlabel(f"With 95 % intervals, n = {n:,}{chance}", fontsize=9)
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
        look = {"color": COLOURS[index % len(COLOURS)], "linestyle": STYLES[index % len(STYLES)], "linewidth": 1.8}
        axes.hist(values, edges, weights=shares, histtype="step", label=label, **look)
    if longest is not None and longest <= top:
        axes.axvline(longest, color="black", linestyle=":", label=f"read: {longest} {unit}")
    axes.set(xlabel=f"{unit.capitalize()} of a text", ylabel="Share of the texts", title="Length of the texts")
    legend_below(figure, axes)
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
        axes.text(total, place, f" {total:,.0f}", va="center", fontsize=SMALL)
    axes.margins(x=0.12)
    axes.tick_params(axis="y", labelsize=8)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(axis="y", visible=False)
    axes.set(xlabel="Texts", title="Labels")
    legend_below(figure, axes, columns=3)
    save_figure(figure, path)
