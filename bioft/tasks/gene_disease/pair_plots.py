"""Plots of scored pairs: ROC and PR curves, calibration, scores, degrees."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bioft.errors import BioftError
from bioft.metrics import intervals, plots
from bioft.metrics.estimation import estimates
from bioft.metrics.estimation.calibration import calibration_error, reliability
from bioft.metrics.estimation.groups import Groups
from bioft.metrics.report import interval_text
from bioft.task import FINE_TUNED
from bioft.tasks.answers import BASE, NUMBERS, TEXTS, columns_of, read_table
from bioft.tasks.gene_disease.table import pairs_share


def roc_pr(
    labels: ArrayLike,
    scores: Mapping[str, ArrayLike],
    path: plots.StrPath,
    *,
    metrics: Mapping[str, Mapping[str, plots.Interval]] | None = None,
    groups: tuple[ArrayLike, ...] = (),
) -> None:
    """Draw ROC and precision–recall curves of one or several score vectors on the same examples, the first thickest.

    `scores` maps the name in the legend to scores in [0, 1]. The areas with their 95 % intervals are computed, unless
    `metrics` has them for a name; `groups` are the genes and the diseases. With one class only there are no curves,
    and the figure says so. BioftError: no score vector, bad labels or scores, or a file that can't be written.
    """
    from sklearn.metrics import precision_recall_curve, roc_curve

    if not scores:
        raise BioftError("There is nothing to plot: scores is empty.")
    checked = {name: intervals.check_labels_and_scores(labels, values) for name, values in scores.items()}
    truth = next(iter(checked.values()))[0]
    positives = int(truth.sum())
    figure, (roc, pr) = plots.new_figure(columns=2, height=5.6)
    prior = positives / len(truth)
    if 0 < positives < len(truth):
        for i, (name, (_, values)) in enumerate(checked.items()):
            areas = (metrics or {}).get(name) or intervals.measured(truth, values, groups=groups).nested()
            style: dict[str, Any] = {"linewidth": 2.5 if i == 0 else 1.4, "zorder": 3 if i == 0 else 2}
            style |= {key: its for key, its in plots.style_of(name).items() if key != "marker"}
            words = f"{name}: AUROC {interval_text(areas['auroc'])}, AUPRC {interval_text(areas['auprc'])}"
            roc.plot(*roc_curve(truth, values)[:2], label=words, **style)
            pr.plot(*precision_recall_curve(truth, values)[1::-1], drawstyle="steps-post", **style)
        roc.plot([0, 1], [0, 1], color=plots.GREY, linewidth=0.8, linestyle=":", zorder=1)
        pr.axhline(prior, color=plots.GREY, linewidth=0.8, linestyle=":", zorder=1)
        plots.legend_below(figure, roc)
    else:
        for axes in (roc, pr):
            words = f"Undefined: all {len(truth):,} labels are {truth[0]}"
            axes.text(0.5, 0.5, words, ha="center", va="center", transform=axes.transAxes, color=plots.VERMILION)
    roc.set(xlabel="False positive rate", ylabel="True positive rate (recall)", title="ROC")
    pr.set(xlabel="Recall", ylabel="Precision", title="Precision–recall")
    for axes in (roc, pr):
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        axes.set_box_aspect(1)
    figure.suptitle(f"n = {len(truth):,} ({positives:,} positive; dotted: chance; 95 % intervals)")
    plots.save_figure(figure, path)


def calibration(
    labels: ArrayLike, scores: ArrayLike, path: plots.StrPath, *, groups: tuple[ArrayLike, ...] = ()
) -> None:
    """Draw the reliability diagram: in each bin of scores, the fraction of positives against the mean score.

    The bins are those of the expected calibration error in `bioft.metrics`; bars are intervals of which `groups`,
    the genes and the diseases, are known. BioftError: bad labels or scores, or a file that can't be written.
    """
    truth, values = intervals.check_labels_and_scores(labels, scores)
    means, shares, errors, sizes = reliability(truth, values, groups)
    figure, (axes, histogram) = plots.new_figure(rows=2, height=6.2, height_ratios=(3, 1), sharex=True)
    axes.plot([0, 1], [0, 1], color=plots.GREY, linestyle=":", label="perfect calibration")
    style = {"color": plots.BLUE, "marker": "o", "capsize": 3, "label": "bins of scores, 95% intervals"}
    axes.errorbar(means, shares, yerr=errors, **style)
    bins = len(sizes)
    style = {"color": plots.SKY, "edgecolor": plots.BLUE, "linewidth": 0.5}
    histogram.bar((np.arange(bins) + 0.5) / bins, sizes, width=0.9 / bins, **style)
    histogram.yaxis.set_major_formatter("{x:,.0f}")
    ece = calibration_error(truth, values)
    low, high = ece.interval(Groups(len(truth), groups))
    axes.set(
        ylabel="Fraction of positives",
        ylim=(-0.02, 1.02),
        title=f"ECE {interval_text({'value': ece.value, 'low': low, 'high': high})}, n = {len(truth):,}",
    )
    plots.legend_below(figure, axes, columns=2)
    histogram.set(xlabel="Score (predicted probability of association)", ylabel="Pairs", xlim=(-0.02, 1.02))
    plots.save_figure(figure, path)


def score_distribution(
    labels: ArrayLike,
    scores: ArrayLike,
    threshold: float,
    path: plots.StrPath,
    *,
    groups: tuple[ArrayLike, ...] = (),
) -> None:
    """Draw histograms of the scores of positives and of negatives, and the threshold; BioftError as `calibration`."""
    truth, values = intervals.check_labels_and_scores(labels, scores)
    accuracy = estimates.mean((values >= threshold) == truth)
    low, high = accuracy.interval(Groups(len(truth), groups))
    figure, axes = plots.new_figure()
    plots.two_histograms(axes, truth, values, np.linspace(0, 1, 41), ("negative", "positive"))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.axvline(threshold, color="black", linestyle="--", linewidth=1.2, label=f"threshold {threshold:.3f}")
    axes.set(
        xlabel="Score (predicted probability of association)",
        ylabel="Pairs",
        xlim=(-0.02, 1.02),
        title=f"Accuracy {interval_text({'value': accuracy.value, 'low': low, 'high': high})}, n = {len(truth):,}",
    )
    plots.legend_below(figure, axes, columns=2)
    plots.save_figure(figure, path)


def degree_distribution(gene_degrees: ArrayLike, disease_degrees: ArrayLike, path: plots.StrPath) -> None:
    """Draw how many entities have at least so many associations, genes and diseases, on logarithmic axes.

    The degree of an entity is its number of positive pairs; BioftError for one below 1, or none at all.
    """
    figure, axes = plots.new_figure()
    for name, degrees, colour, marker in (
        ("genes", gene_degrees, plots.BLUE, "o"),
        ("diseases", disease_degrees, plots.VERMILION, "s"),
    ):
        values = np.sort(np.asarray(degrees, dtype=np.float64))
        if not len(values) or not values[0] >= 1:
            raise BioftError(f"The degrees of the {name} must be at least 1, and there must be some.")
        label = f"{name}: n = {len(values):,}, median {np.median(values):g}, highest {values[-1]:,.0f}"
        plots.shares_at_least(axes, values, colour, marker, label)
    axes.set(
        xlabel="Degree (associations of one gene or disease)",
        ylabel="Fraction with at least that degree",
        title="Degree distribution",
    )
    plots.legend_below(figure, axes)
    plots.save_figure(figure, path)


def plot_run(directory: Path, record: Mapping[str, Any]) -> list[Path]:
    """Draw curves, calibration and scores of a run into `plots/`, and return the paths; the predictions are read."""
    table = read_table(
        directory, dict.fromkeys(("label", "score"), NUMBERS) | dict.fromkeys(("gene_id", "disease_id"), TEXTS)
    )
    groups = pairs_share(table)
    columns = columns_of(table, "score", "base_score")
    shown = {FINE_TUNED: "fine-tuned model", BASE: "base model, zero-shot", "tfidf": "TF-IDF"}
    names = {system: shown.get(system, system.replace("_", ", ")) for system in columns}
    metrics = record.get("baselines", {}) | {FINE_TUNED: record.get("metrics"), BASE: record.get("base_model_metrics")}
    (directory / "plots").mkdir(exist_ok=True)
    drawn = [directory / "plots" / f"{name}.png" for name in ("roc_pr", "calibration", "score_distribution")]
    roc_pr(
        table["label"],
        {names[system]: table[column] for system, column in columns.items()},
        drawn[0],
        metrics={names[system]: metrics[system] for system in columns if metrics.get(system)},
        groups=groups,
    )
    calibration(table["label"], table["score"], drawn[1], groups=groups)
    threshold = record.get("scoring", {}).get("threshold", 0.5)
    score_distribution(table["label"], table["score"], threshold, drawn[2], groups=groups)
    return drawn
