"""How often intervals hold the true value, and tests find a difference where there is none: simulated, per metric.

    python tests/benchmarks/bench_coverage.py [--samples 1000] [--only labels] [--metric f1] [--sizes 100 500]

Writes the table of docs/intervals.md, of which only the cells asked for change. Each row is a kind of data; samples of
it are drawn anew and measured by the package's own metrics. The true value is that of a very large sample (of the
calibration error of a calibrated system 0). In the comparisons two systems err independently of each other and equally
often.
"""

import argparse
import re
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from bioft.metrics import alignment, counts, intervals, multilabel
from bioft.metrics.estimation import estimates
from bioft.metrics.estimation.estimates import Measured
from bioft.metrics.estimation.groups import Groups
from bioft.tasks.masked_lm import evaluate as masked_lm
from bioft.tasks.retrieval import figures as similarity

PAGE = Path(__file__).parents[2] / "docs" / "intervals.md"
SIZES = (30, 100, 500, 2000)
LARGE = 400_000
LABELS = np.array(
    [0.25, 0.15, 0.1, 0.08, 0.06, 0.05, 0.04, 0.04, 0.03, 0.03, 0.02, 0.02, 0.015, 0.01, 0.01, 0.005, 0.005]
)
"""How frequent 17 labels are: as those of reasons why trials stopped."""
THRESHOLD = {0.5: 0.5, 0.1: 0.3}
"""By the share of positives."""
Draw = Callable[..., list[Measured]]
"""What was measured of some systems on n examples."""
Floats = NDArray[np.float64]


def scored(
    rng: np.random.Generator,
    n: int,
    systems: int,
    *,
    share: float = 0.5,
    apart: float = 1.5,
    overconfident: float = 1.0,
    crossed: bool = False,
    metrics: Sequence[str] = intervals.METRICS,
) -> list[Measured]:
    """Scores that say how likely a label is; where crossed, they err together on each gene and each disease."""
    kinds, spread, known = [], 1.0, np.full(n, logit(share))
    for size in (max(20, n // 3), max(10, n // 8)) if crossed else ():
        # As in real data some genes and diseases have many pairs and others one.
        frequent = rng.lognormal(0, 1, size)
        kinds.append(rng.choice(size, n, p=frequent / frequent.sum()))
        known += rng.normal(0, 0.5, size)[kinds[-1]]
        spread = 0.5**0.5
    labels = (rng.random(n) < expit(known)).astype(int)
    found = []
    for _ in range(systems):
        value = rng.normal(0, spread, n) + apart * labels
        for kind in kinds:
            # What a system knows of a gene, and how well it tells apart what is with it.
            value += rng.normal(0, 0.5, kind.max() + 1)[kind] + labels * rng.normal(0, 0.3, kind.max() + 1)[kind]
        scores = expit(overconfident * (apart * value - apart**2 / 2 + logit(share)))
        found.append(intervals.measured(labels, scores, threshold=THRESHOLD[share], groups=kinds, metrics=metrics))
    return found


def labelled(
    rng: np.random.Generator,
    n: int,
    systems: int,
    *,
    shares: Floats,
    right: Floats,
    metrics: Sequence[str] = ("macro_auroc",),
) -> list[Measured]:
    """Labels of texts, of which a share (recall and precision alike) is found."""
    names = [f"label{i}" for i in range(len(shares))]
    there = rng.random((n, len(shares))) < shares
    wrong = np.where(right > 0, shares * (1 - right) / (1 - shares), 0)
    found = []
    for _ in range(systems):
        predicted = rng.random(there.shape) < np.where(there, right, wrong)
        scores = expit(rng.normal(size=there.shape) + 2.5 * there - 2)
        areas = any(metric.startswith("macro_au") for metric in metrics)
        found.append(multilabel.measured(multilabel.Indicators(names, there, predicted), scores if areas else None))
    return found


def in_documents(
    rng: np.random.Generator, n: int, systems: int, *, found: float, missed: float = 0.0
) -> list[Measured]:
    """Items of two types in documents; a part of the documents is hard, and `missed` of them have none."""
    there = rng.poisson(np.where(rng.random(n) < missed, 0, 4)[:, None] * np.array([0.7, 0.3]), (n, 2))
    usual = 2 * (1 - missed)
    result = []
    for _ in range(systems):
        ease = expit(rng.normal(logit(found), 0.7, (n, 1)))
        right = rng.binomial(there, ease)
        wrong = rng.poisson(usual * (1 - ease) * np.ones((1, 2)))
        result.append(counts.measured(counts.Counts(["A", "B"], right, wrong, there - right)))
    return result


def aligned(rng: np.random.Generator, n: int, systems: int, *, right: float = 0.0) -> list[Measured]:
    """Answers for names, three of a compound, which is hard or easy; a quarter of the names has no match."""
    compounds = np.arange(n) // 3
    golds = np.where(rng.random(compounds.max() + 1) < 0.25, "", "c")[compounds]
    found = []
    for _ in range(systems):
        probability = expit(right + rng.normal(1, 1.2, compounds.max() + 1)[compounds] + rng.normal(0, 1.2, n))
        ok = rng.random(n) < probability
        ids = np.where(ok, golds, np.where(golds == "c", np.where(rng.random(n) < 0.5, "x", ""), "x"))
        answers = [
            {"id": each, "ranked": [each or "c", "c"], "probability": p}
            for each, p in zip(ids.tolist(), probability.tolist(), strict=True)
        ]
        found.append(alignment.measured(answers, golds.tolist(), [compounds]))
    return found


def ranked(rng: np.random.Generator, n: int, systems: int, *, ease: float = 0.0) -> list[Measured]:
    """Where the one right text of a query comes; two queries of a term are equally hard."""
    terms = np.arange(n) // 2
    found = []
    for _ in range(systems):
        value = rng.normal(ease, 1.5, terms.max() + 1)[terms] + rng.normal(0, 1, n)
        place = np.floor(np.exp(np.clip(2.5 - value, 0, 8)))  # 1, 2, …
        gains = {
            "ndcg_at_10": np.where(place <= 10, 1 / np.log2(place + 1), 0),
            "mrr_at_10": np.where(place <= 10, 1 / place, 0),
            "recall_at_10": place <= 10,
            "map": 1 / place,
        }
        found.append(Measured({name: estimates.mean(each) for name, each in gains.items()}, n, (terms,)))
    return found


def masked(rng: np.random.Generator, n: int, systems: int) -> list[Measured]:
    """Hidden tokens of texts of different lengths and difficulty."""
    hidden = rng.integers(1, 40, n)
    found = []
    for _ in range(systems):
        ease = expit(rng.normal(0.3, 0.8, n))
        table = {"hidden": hidden, "correct": rng.binomial(hidden, ease), "loss": hidden * -np.log(ease) * 2}
        found.append(masked_lm.measured(pd.DataFrame(table)))
    return found


def similar(rng: np.random.Generator, n: int, systems: int) -> list[Measured]:
    """Cosines of pairs of texts, of which half are related; four pairs share a text."""
    groups = np.arange(n) // 4
    scores = rng.integers(0, 2, n).astype(float)
    found = []
    for _ in range(systems):
        cosines = np.tanh(0.5 * scores + rng.normal(0, 0.3, groups.max() + 1)[groups] + rng.normal(0, 0.3, n))
        found.append(Measured(similarity.estimates_of(cosines, scores), n, (groups,)))
    return found


METRICS: dict[Draw, tuple[str, ...]] = {
    scored: ("accuracy", "f1", "precision", "recall", "auroc", "auprc", "mcc", "ece"),
    labelled: (
        "f1", "macro_f1", "weighted_f1", "samples_f1", "accuracy", "macro_precision", "macro_recall", "macro_auroc",
        "macro_auprc",
    ),
    in_documents: ("f1", "precision", "recall", "macro_f1", "b_f1"),
    aligned: ("accuracy", "precision", "recall", "f1", "hits_at_1", "coverage_at_95_precision", "ece"),
    ranked: ("ndcg_at_10", "mrr_at_10", "recall_at_10", "map"),
    masked: ("masked_accuracy", "perplexity"),
    similar: ("spearman", "pearson", "auroc", "cosine_related", "cosine_unrelated"),
}  # fmt: skip
KINDS: dict[str, partial[list[Measured]]] = {
    "scores, half positive": partial(scored),
    "scores, 10 % positive": partial(scored, share=0.1),
    "scores, half positive, near the ceiling": partial(scored, apart=4.0),
    "scores, 10 % positive, near the ceiling": partial(scored, share=0.1, apart=4.0),
    "scores, half positive, overconfident": partial(scored, overconfident=2.0),
    "scores, genes × diseases, half positive": partial(scored, crossed=True),
    "scores, genes × diseases, 10 % positive": partial(scored, crossed=True, share=0.1),
    "scores, genes × diseases, near the ceiling": partial(scored, crossed=True, apart=4.0),
    "labels, 3 frequent ones": partial(labelled, shares=np.array([0.5, 0.4, 0.3]), right=np.array([0.8, 0.7, 0.6])),
    "labels, 17, some rare and harder": partial(labelled, shares=LABELS, right=np.linspace(0.9, 0.4, 17)),
    "labels, 17, some rare": partial(labelled, shares=LABELS, right=np.full(17, 0.7)),
    "labels, 17, five never predicted": partial(labelled, shares=LABELS, right=np.repeat([0.7, 0.0], [12, 5])),
    "items in documents": partial(in_documents, found=0.75),
    "items in documents, near the ceiling": partial(in_documents, found=0.99),
    "items in 1 of 4 documents": partial(in_documents, found=0.75, missed=0.75),
    "names of compounds": partial(aligned),
    "names of compounds, easy": partial(aligned, right=3.0),
    "queries": partial(ranked),
    "queries, near the ceiling": partial(ranked, ease=4.0),
    "hidden tokens": partial(masked),
    "cosines": partial(similar),
}
"""By words of the table how data are drawn."""
NO_TEST = ("coverage_at_95_precision",)


def only(draw: partial[list[Measured]], metrics: Sequence[str]) -> partial[list[Measured]]:
    """The same data, of which nothing else need be measured, where that takes long."""
    return partial(draw, metrics=metrics) if draw.func in (scored, labelled) else draw


def true_values(draw: partial[list[Measured]], metrics: Sequence[str]) -> dict[str, float]:
    """The values in a very large sample."""
    (measured,) = only(draw, metrics)(np.random.default_rng(1), LARGE, 1)
    found = {metric: measured.estimates[metric].value for metric in metrics}
    if "ece" in found and draw.func is scored and not {"crossed", "overconfident"} & draw.keywords.keys():
        found["ece"] = 0.0
    return found


def simulate(
    name: str, n: int, samples: int, truth: dict[str, float], metrics: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """By metric the share of samples whose interval holds the true value, and that in which equal systems differ."""
    draw = only(KINDS[name], metrics)
    rng = np.random.default_rng(zlib.crc32(f"{name} {n}".encode()))
    held, differing = ({metric: 0 for metric in metrics} for _ in range(2))
    for _ in range(samples):
        first, second = draw(rng, n, 2)
        groups = Groups(n, first.groups)
        for metric in metrics:
            ours, theirs = (each.estimates.get(metric) for each in (first, second))
            if ours is None or theirs is None:
                continue
            low, high = ours.interval(groups)
            held[metric] += bool(low <= truth[metric] <= high or np.isnan(low))
            if metric not in NO_TEST:
                differing[metric] += estimates.difference(metric, ours, theirs, groups).p_value < 0.05
    return {metric: (held[metric] / samples, differing[metric] / samples) for metric in metrics}


def cells_of(name: str, metrics: Sequence[str], sizes: Sequence[int], samples: int) -> dict[str, dict[int, str]]:
    """By metric the cells of its row in the page's table for a kind of data, by place."""
    truth = true_values(KINDS[name], metrics)
    cells = {metric: {2: f"{truth[metric]:.3f}"} for metric in metrics}
    for n in sizes:
        # Large samples cost more, and vary as little.
        found = simulate(name, n, samples if n < SIZES[-1] else samples // 2, truth, metrics)
        place = 3 + SIZES.index(n)
        for metric, (held, differing) in found.items():
            cells[metric][place] = f"{100 * held:.1f}"
            cells[metric][place + len(SIZES)] = "–" if metric in NO_TEST else f"{100 * differing:.1f}"
    return cells


def write(name: str, cells: dict[str, dict[int, str]]) -> None:
    """Put cells of a kind of data into the table of the page."""
    text = PAGE.read_text(encoding="utf-8")
    start, end = text.index("<!-- simulated -->\n") + len("<!-- simulated -->\n"), text.index("<!-- end -->")
    columns = ["Data", "Metric", "True value", *(f"n = {n:,}" for n in SIZES * 2)]
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in text[start:end].splitlines()[2:]]
    known = {(row[0], row[1]): row for row in rows}
    for metric, its in cells.items():
        row = known.setdefault((name, metric), [name, metric] + [""] * (len(columns) - 2))
        for place, cell in its.items():
            row[place] = cell
    order = [(name, metric) for name, draw in KINDS.items() for metric in METRICS[draw.func]]
    lines = [" | ".join(row) for row in (columns, *(known[key] for key in order if key in known))]
    table = "\n".join([f"| {lines[0]} |", "|" + "---|" * len(columns), *(f"| {line} |" for line in lines[1:])])
    PAGE.write_text(f"{text[:start]}{table}\n{text[end:]}", encoding="utf-8")


def main(arguments: Any) -> None:
    """Simulate, kind by kind."""
    for name, draw in KINDS.items():
        metrics = [metric for metric in METRICS[draw.func] if re.search(arguments.metric, metric)]
        if arguments.only in name and metrics:
            cells = cells_of(name, metrics, arguments.sizes, arguments.samples)
            for metric, its in cells.items():
                print(name, metric, *its.values(), sep=" | ", flush=True)
            write(name, cells)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--only", default="", help="a part of the name of the data")
    parser.add_argument("--metric", default="", help="a regular expression for the name of the metric")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, choices=SIZES, help="numbers of examples")
    main(parser.parse_args())
