"""The figures of an analysis, in the style of `bioft.metrics.plots`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd

from bioft.metrics import plots
from bioft.metrics.estimation import calibration
from bioft.metrics.report import cut
from bioft.task import FINE_TUNED, called
from bioft.tasks.answers import Probabilities

COLOURS = (
    plots.BLUE, plots.VERMILION, plots.GREEN, plots.ORANGE, plots.PURPLE, plots.SKY, plots.YELLOW, "#000000",
)  # fmt: skip
MARKERS = "os^Dv<>p"
READABLE = 20
"""Rows and columns of a heatmap that can hold numbers."""
SHOWN = 33
"""Characters of a name."""


def draw_changes(table: pd.DataFrame, path: Path) -> None:
    """Draw what became of the units, from each other system to the fine-tuned model (table of `changes`)."""
    figure, axes = plots.new_figure(height=2.0 + 0.42 * len(table))
    places = np.arange(len(table))[::-1]
    start = np.zeros(len(table))
    for column, words, colour, hatch in (
        ("both_right", "equal, right", plots.GREEN, None),
        ("gained", "gained", plots.BLUE, "//"),
        ("lost", "lost", plots.VERMILION, "\\\\"),
        ("both_wrong", "equal, wrong", "#bbbbbb", None),
    ):
        widths = table[column].to_numpy(float)
        axes.barh(places, widths, left=start, color=colour, hatch=hatch, edgecolor="white", label=words, height=0.7)
        for place, left, width in zip(places, start, widths, strict=True):
            if width > 0.06 * table["n"].iloc[0]:
                box = {"facecolor": "white", "edgecolor": "none", "pad": 1.2, "alpha": 0.85}
                axes.text(left + width / 2, place, f"{width:,.0f}", ha="center", va="center", fontsize=8, bbox=box)
        start += widths
    axes.set_yticks(places, [f"from {called(name)}" for name in table["system"]])
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(axis="y", visible=False)
    axes.set(xlabel="Units of the test split", title="To the fine-tuned model")
    plots.legend_below(figure, axes, columns=2)
    plots.save_figure(figure, path)


def draw_confusion(tables: Mapping[str, pd.DataFrame], path: Path) -> None:
    """Draw confusion matrices side by side: rows are the truth, colours the share of the row."""
    rows = max(len(table) for table in tables.values())
    columns = max(len(table.columns) for table in tables.values())
    large = columns > 6
    # Many classes need the width of a page each.
    shape = (len(tables), 1) if large else (1, len(tables))
    size = (plots.PAGE, (1.9 + 0.38 * rows) * shape[0] + 0.6)
    figure, panels = plots.empty_figure(size if large else (plots.COLUMN * len(tables), 2.4 + 0.5 * rows), *shape)
    for axes, (name, table) in zip(panels.ravel(), tables.items(), strict=True):
        counts = table.to_numpy(float)
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        if max(counts.shape) <= READABLE:
            for (row, column), count in np.ndenumerate(counts):
                colour = "white" if shares[row, column] > 0.55 else "black" if count else "#bbbbbb"
                axes.text(column, row, f"{count:,.0f}", ha="center", va="center", fontsize=8, color=colour)
        labels = [_words(each) for each in table.columns]
        axes.set_xticks(range(len(labels)), labels, rotation=40 if large else 0, ha="right" if large else "center")
        axes.set_yticks(range(len(table)), [_words(each) for each in table.index])
        axes.tick_params(length=0, labelsize=8)
        axes.spines[:].set_visible(False)
        axes.set(ylabel="Truth", xlabel="Answer", title=called(name))
    _colour_bar(figure, image, panels, "Share of what is so (row)")
    plots.save_figure(figure, path)


def _colour_bar(figure: Any, image: Any, panels: Any, words: str) -> None:
    bar = figure.colorbar(image, ax=panels, label=words, fraction=0.05, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=plots.SMALL)


def draw_calibration(known: Mapping[str, Probabilities], path: Path) -> None:
    """Draw the reliability of systems: in each bin of scores the share that is so, with intervals."""
    figure, (axes, histogram) = plots.new_figure(rows=2, height=6.0, height_ratios=(3, 1), sharex=True)
    axes.plot([0, 1], [0, 1], color=plots.GREY, linestyle=":", label="perfect calibration")
    for name, given in known.items():
        look = plots.style_of(name)
        means, shares, errors, sizes = calibration.reliability(*given)
        style: dict[str, Any] = look | {"markersize": 5, "capsize": 2, "linewidth": 1.4}
        axes.errorbar(means, shares, yerr=errors, label=f"{called(name)} (n = {len(given.truth):,})", **style)
        edges = np.linspace(0, 1, len(sizes) + 1)
        histogram.stairs(sizes, edges, color=look["color"], linestyle=look["linestyle"], linewidth=1.6)
    histogram.yaxis.set_major_formatter("{x:,.0f}")
    axes.set(ylabel="Share that is so", ylim=(-0.02, 1.02), title="Calibration, with 95 % intervals")
    plots.legend_below(figure, axes)
    histogram.set(xlabel="Probability that the system gave", ylabel="Answers", xlim=(-0.02, 1.02))
    plots.save_figure(figure, path)


def draw_correlation(table: pd.DataFrame, title: str, path: Path) -> None:
    """Draw a matrix of correlations, -1 to 1, each with its value."""
    figure, axes = plots.new_figure(height=2.2 + 0.4 * len(table))
    image = axes.imshow(table.to_numpy(), cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
    _colour_bar(figure, image, axes, "Spearman's correlation")
    for (row, column), value in np.ndenumerate(table.to_numpy()):
        colour = "white" if abs(value) > 0.6 else "black"
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=9, color=colour)
    names = [called(str(each)) for each in table]
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0, labelsize=8)
    axes.grid(visible=False)
    axes.set_title(title)
    plots.save_figure(figure, path)


def draw_groups(tables: Mapping[str, pd.DataFrame], path: Path) -> None:
    """Draw AUROC, or else the `measure`, of systems in each group: a panel for each property (`by_group`)."""
    rows, columns = -(-len(tables) // 2), min(2, len(tables))
    figure, grid = plots.empty_figure((plots.COLUMN * columns, 3.5 * rows + 0.4), rows, columns)
    panels = grid.ravel()
    handles: dict[str, Any] = {}
    for axes in panels[len(tables) :]:
        axes.set_visible(False)
    # One scale for all panels of the same measure: what looks far apart is.
    everything = pd.concat(list(tables.values()))
    limits = {
        measure: (its["low"].min() - 0.03, its["high"].max() + 0.03) for measure, its in everything.groupby("measure")
    }
    # One colour for a system in all panels, whether or not it is in each.
    names = list(dict.fromkeys(system for table in tables.values() for system in table["system"]))
    of_runs = [{"color": colour, "marker": marker} for colour, marker in zip(COLOURS, MARKERS, strict=True)]
    styles = {
        system: plots.style_of(system) if FINE_TUNED in names else of_runs[index % len(of_runs)]
        for index, system in enumerate(names)
    }
    for axes, (name, table) in zip(panels, tables.items(), strict=False):
        measure = "AUROC" if "AUROC" in set(table["measure"]) else table["measure"].iloc[0]
        drawn = table[table["measure"] == measure]
        order = list(dict.fromkeys(drawn["group"]))
        sizes = drawn.groupby("group", observed=True)["n"].first()
        for index, system in enumerate(names):
            its = drawn[drawn["system"] == system]
            if its.empty:
                continue
            look = styles[system]
            places = np.array([order.index(group) for group in its["group"]]) + (index - (len(names) - 1) / 2) * 0.16
            spread = np.maximum([its["value"] - its["low"], its["high"] - its["value"]], 0)
            handles[called(system)] = axes.errorbar(
                places, its["value"], yerr=spread, **look | {"linestyle": "none"}, capsize=2, markersize=5
            )
        few = len(order) <= 5
        labels = [f"{_words(group)} (n = {sizes[group]:,})" for group in order]
        if few:
            labels = [f"{fill(_words(group).replace('|', ' + '), 12)}\nn = {sizes[group]:,}" for group in order]
        axes.set_xticks(range(len(order)), labels, rotation=0 if few else 40, ha="center" if few else "right")
        axes.tick_params(axis="x", labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set(title=name[0].upper() + name[1:], ylabel=measure[0].upper() + measure[1:])
        axes.set(xlim=(-0.6, len(order) - 0.4), ylim=limits[measure])
        axes.title.set_fontsize(10)
        if (guessing := plots.chance_of(str(measure))) is not None:
            axes.axhline(guessing, color=plots.GREY, linestyle=":", linewidth=0.8, label="chance")
            handles["chance"] = axes.get_lines()[-1]
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=len(handles), fontsize=9)
    plots.save_figure(figure, path)


def draw_maps(maps: Mapping[str, np.ndarray], labels: Sequence[str], path: Path) -> None:
    """Draw points of the same examples, shape (n, 2), a panel an encoder; colours tell the most frequent labels."""
    names = pd.Series(labels).value_counts(sort=True).index[: len(COLOURS)].to_list()
    figure, panels = plots.new_figure(columns=len(maps), height=4.8)
    given = np.asarray(labels, dtype=object)
    for axes, (title, points) in zip(np.atleast_1d(panels), maps.items(), strict=True):
        others = ~np.isin(given, names)
        if others.any():
            axes.scatter(*points[others].T, s=8, color="#cccccc", label=f"others ({others.sum():,})", linewidth=0)
        for name, colour, marker in zip(names, COLOURS, MARKERS, strict=False):
            chosen = points[given == name]
            label = f"{cut(_words(name), SHOWN)} ({len(chosen):,})"
            axes.scatter(*chosen.T, s=16, color=colour, marker=marker, alpha=0.75, linewidth=0, label=label)
        axes.set(xticks=[], yticks=[], title=title)
        axes.spines[:].set(visible=True, color="#cccccc")
        axes.grid(visible=False)
        axes.set_box_aspect(1)
    handles = np.atleast_1d(panels)[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, fontsize=plots.SMALL, markerscale=1.5)
    figure.suptitle(f"t-SNE of the embeddings, n = {len(labels):,}")
    plots.save_figure(figure, path)


def draw_agreement(table: pd.DataFrame, path: Path) -> None:
    """Draw for each pair of runs how many units only one of them answers better (table of `errors.pairs`)."""
    figure, axes = plots.new_figure(height=1.8 + 0.7 * len(table))
    places = np.arange(len(table))[::-1]
    axes.barh(places, -table["only_first"], color=plots.BLUE, hatch="//", edgecolor="white")
    axes.barh(places, table["only_second"], color=plots.VERMILION, hatch="\\\\", edgecolor="white")
    for place, first, second in zip(places, table["only_first"].tolist(), table["only_second"].tolist(), strict=True):
        axes.text(-first, place, f"{first:,} ", ha="right", va="center", fontsize=9)
        axes.text(second, place, f" {second:,}", ha="left", va="center", fontsize=9)
    widest = 1.25 * max(table["only_first"].max(), table["only_second"].max(), 1)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(
        places,
        [f"{cut(a, SHOWN)}\nor {cut(b, SHOWN)}" for a, b in zip(table["first"], table["second"], strict=True)],
        fontsize=plots.SMALL,
    )
    axes.set(xlim=(-widest, widest), title="Units that one is righter on")
    axes.set_xlabel("← the first   the second →", fontsize=plots.SMALL)
    axes.xaxis.set_major_formatter(lambda value, _: f"{abs(value):,.0f}")
    axes.grid(axis="y", visible=False)
    plots.save_figure(figure, path)


def _words(name: object) -> str:
    text = str(name)
    return text if text == FINE_TUNED else text.replace("_", " ")
