"""Figures of a run of `contrastive`: how well cosines tell related texts from others, lengths of texts, the data."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict
from scipy import stats

from bioft.datasets.pair_audit import RELATED
from bioft.metrics import plots
from bioft.metrics.estimation.estimates import CORRELATION, NUMBER, Estimate, Measured, ratio
from bioft.metrics.estimation.groups import Groups
from bioft.metrics.estimation.ranking import auroc
from bioft.metrics.report import interval_text
from bioft.tasks.retrieval.encoder import training_rows

PAIRS = 1000
"""Test pairs whose similarity is drawn."""
TEXTS = 20_000
"""Texts of each split whose tokens are counted."""
MEASURES = ("spearman", "pearson", "auroc", "cosine_related", "cosine_unrelated")
"""Correlations of cosine and score, of ranks and linear; how often a related pair is nearer; mean cosines."""
COLUMNS = ("anchor", "positive", "negative", "sentence1", "sentence2")


def draw(dataset: DatasetDict, encoders: Mapping[str, Any], directory: Path, seed: int = 0) -> list[Path]:
    """Draw `similarity.png`, `text_lengths.png` and `dataset.png` into `plots/` of a run; return their paths.

    `encoders` are `SentenceTransformer`s by name, such as the untrained and the trained one. `seed` is that of the
    sample of test pairs, and of the unrelated texts where the data have none.
    """
    folder = directory / "plots"
    folder.mkdir(exist_ok=True)
    paths = [folder / name for name in ("similarity.png", "text_lengths.png", "dataset.png")]
    _draw_similarity(dataset["test"], encoders, paths[0], seed)
    _draw_lengths(dataset, next(iter(encoders.values())), paths[1])
    _draw_dataset(dataset, paths[2])
    return paths


def _draw_similarity(rows: Dataset, encoders: Mapping[str, Any], path: Path, seed: int) -> None:
    scored = training_rows(rows, "CosineSimilarityLoss", seed)
    scored = scored.select(np.sort(np.random.default_rng(seed).permutation(len(scored))[:PAIRS]))
    related = (np.array(scored["score"][:]) >= RELATED).astype(int)
    groups = [np.array(scored["group"][:], str)] if "group" in scored.features else []
    figure, panels = plots.new_figure(columns=len(encoders), height=4.4)
    panels = np.atleast_1d(panels)
    for axes, (name, encoder) in zip(panels, encoders.items(), strict=True):
        found = cosines(scored, encoder)
        edges = np.linspace(min(0.0, found.min()), 1, 41)
        plots.two_histograms(axes, related, found, edges, ("unrelated", "related"))
        title = f"{name}\nAUROC {_auroc(related, found, groups)}"
        axes.set(xlabel="Cosine of the embeddings", ylabel="Pairs", title=title)
        axes.title.set_fontsize(10)
    highest = max(axes.get_ylim()[1] for axes in panels)
    for axes in panels:
        axes.set_ylim(0, highest)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.suptitle("Similarity of test pairs")
    plots.save_figure(figure, path)


def _auroc(related: np.ndarray, cosines: np.ndarray, groups: Sequence[np.ndarray]) -> str:
    if len(set(related.tolist())) < 2:
        return "undefined"
    area = auroc(related, cosines)
    low, high = area.interval(Groups(len(related), groups))
    return interval_text({"value": area.value, "low": low, "high": high})


def _draw_lengths(dataset: DatasetDict, encoder: Any, path: Path) -> None:
    lengths = {}
    for split, rows in dataset.items():
        texts = list(dict.fromkeys(text for column in COLUMNS if column in rows.features for text in rows[column][:]))
        ids = encoder.tokenizer(texts[:TEXTS], truncation=False, verbose=False)["input_ids"]
        lengths[split] = [len(each) for each in ids]
    plots.text_lengths(lengths, "tokens", path, longest=encoder.max_seq_length)


def _draw_dataset(dataset: DatasetDict, path: Path) -> None:
    figure, (counts, sizes) = plots.new_figure(columns=2)
    splits = list(dataset)
    related = [
        int((np.array(rows["score"][:]) >= RELATED).sum()) if "score" in rows.features else len(rows)
        for rows in dataset.values()
    ]
    unrelated = [len(rows) - n for rows, n in zip(dataset.values(), related, strict=True)]
    counts.bar(splits, related, color=plots.BLUE, label="related")
    if any(unrelated):
        counts.bar(
            splits, unrelated, bottom=related, color=plots.ORANGE, hatch="//", edgecolor="white", label="unrelated"
        )
        counts.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, fontsize=plots.SMALL)
    for place, rows in enumerate(dataset.values()):
        counts.text(place, len(rows), f"{len(rows):,}", ha="center", va="bottom")
    counts.yaxis.set_major_formatter("{x:,.0f}")
    counts.grid(axis="x", visible=False)
    counts.set(ylabel="Pairs", title="Pairs of each split")
    for (split, rows), colour, marker in zip(
        dataset.items(), (plots.BLUE, plots.ORANGE, plots.GREEN), "os^", strict=False
    ):
        _, found = np.unique(rows["group"][:], return_counts=True)
        label = f"{split}: {len(found):,} groups, median {np.median(found):g}, largest {found.max():,}"
        plots.shares_at_least(sizes, np.sort(found), colour, marker, label)
    sizes.set(xlabel="Pairs of a group", ylabel="Share of groups with at least as many", title="Pairs of each group")
    sizes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=plots.SMALL)
    plots.save_figure(figure, path)


def measure(rows: Dataset, encoders: Mapping[str, Any]) -> dict[str, Any]:
    """Return for each encoder (a `SentenceTransformer`) the `MEASURES`, each with value, low, high and n.

    The intervals (95 %) are over the groups of the pairs, since pairs of a group share texts. Rows without the columns
    sentence1, sentence2 and score, or of which all or none are related, give an empty dict.
    """
    if not has_both(rows):
        return {}
    scores, groups = np.array(rows["score"][:], float), (np.array(rows["group"][:], str),)
    found = {}
    for name, encoder in encoders.items():
        found[name] = Measured(estimates_of(cosines(rows, encoder), scores), len(rows), groups).nested()
    return found


def has_both(rows: Dataset) -> bool:
    """Whether pairs have scores, by which some are related and others are not."""
    related = np.array(rows["score"][:]) >= RELATED if "score" in rows.features else np.array([])
    return bool(related.any() and not related.all())


def cosines(rows: Dataset, encoder: Any) -> np.ndarray:
    """The cosine of sentence1 and sentence2 in each row, shape (rows,)."""
    texts = list(dict.fromkeys([*rows["sentence1"][:], *rows["sentence2"][:]]))
    vectors = encoder.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    row_of = {text: row for row, text in enumerate(texts)}
    first, second = (vectors[[row_of[text] for text in rows[column][:]]] for column in ("sentence1", "sentence2"))
    return (first * second).sum(axis=1)


def estimates_of(cosines: np.ndarray, scores: np.ndarray) -> dict[str, Estimate]:
    """The `MEASURES` of cosines and scores of the same pairs, each of shape (n,)."""
    related = scores >= RELATED
    return {
        "spearman": _correlation(stats.rankdata(cosines), stats.rankdata(scores)),
        "pearson": _correlation(cosines, scores),
        "auroc": auroc(related, cosines),
        "cosine_related": ratio(cosines * related, related, NUMBER),
        "cosine_unrelated": ratio(cosines * ~related, ~related, NUMBER),
    }


def _correlation(first: np.ndarray, second: np.ndarray) -> Estimate:
    """Pearson's correlation; of ranks, which are taken as they are, Spearman's."""
    first, second = ((each - each.mean()) / each.std() for each in (first, second))
    value = float((first * second).mean())
    return Estimate(value, (first * second - value * (first**2 + second**2) / 2) / len(first), (), CORRELATION)
