"""Figures of a run of `contrastive`: how well cosines tell related texts from others, lengths of texts, the data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict
from scipy import stats

from bioft.metrics import bootstrap, plots
from bioft.metrics.intervals import auroc
from bioft.tasks.retrieval.encoder import RELATED, training_rows

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
    figure, panels = plots.new_figure(columns=len(encoders), height=4.4)
    panels = np.atleast_1d(panels)
    for axes, (name, encoder) in zip(panels, encoders.items(), strict=True):
        found = cosines(scored, encoder)
        edges = np.linspace(min(0.0, found.min()), 1, 41)
        plots.two_histograms(axes, related, found, edges, ("unrelated", "related"))
        axes.set(xlabel="Cosine of the embeddings", ylabel="Pairs", title=f"{name}\nAUROC {_auroc(related, found)}")
        axes.title.set_fontsize(11)
    highest = max(axes.get_ylim()[1] for axes in panels)
    for axes in panels:
        axes.set_ylim(0, highest)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.suptitle("Similarity of test pairs")
    plots.save_figure(figure, path)


def _auroc(related: np.ndarray, cosines: np.ndarray) -> str:
    if len(set(related.tolist())) < 2:
        return "undefined"
    measured = bootstrap.Measured(lambda drawn: {"auroc": auroc(related, cosines, drawn)}, len(related))
    return "{auroc:.3f} [{auroc_low:.3f}, {auroc_high:.3f}]".format(**bootstrap.figures(measured))


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
        counts.legend(fontsize=8)
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
    sizes.legend(fontsize=8)
    plots.save_figure(figure, path)


def measure(rows: Dataset, encoders: Mapping[str, Any], *, n_resamples: int = 1000, seed: int = 0) -> dict[str, Any]:
    """Return for each encoder (a `SentenceTransformer`) the `MEASURES`, each with value, low, high and n.

    The intervals (95 %) are bootstrapped over the groups of the pairs, since pairs of a group share texts. Rows
    without the columns sentence1, sentence2 and score, or of which all or none are related, give an empty dict.
    """
    related = np.array(rows["score"][:]) >= RELATED if "score" in rows.features else np.array([])
    if not (related.any() and not related.all()):
        return {}
    scores = np.array(rows["score"][:], float)
    _, group_index = np.unique(rows["group"][:], return_inverse=True)
    drawn = [
        np.repeat(np.arange(len(rows)), weights.astype(int))
        for chunk in bootstrap.resample_weights(len(rows), n_resamples, seed, group_index)
        for weights in chunk
    ]
    return {name: _with_intervals(cosines(rows, encoder), scores, drawn) for name, encoder in encoders.items()}


def cosines(rows: Dataset, encoder: Any) -> np.ndarray:
    """The cosine of sentence1 and sentence2 in each row, shape (rows,)."""
    texts = list(dict.fromkeys([*rows["sentence1"][:], *rows["sentence2"][:]]))
    vectors = encoder.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    row_of = {text: row for row, text in enumerate(texts)}
    first, second = (vectors[[row_of[text] for text in rows[column][:]]] for column in ("sentence1", "sentence2"))
    return (first * second).sum(axis=1)


def _with_intervals(cosines: np.ndarray, scores: np.ndarray, drawn: list[np.ndarray]) -> dict[str, Any]:
    values = _values(cosines, scores)
    # A resample of one kind only says nothing of the other.
    both = [each for each in drawn if len(np.unique(scores[each] >= RELATED)) == 2]
    resampled = np.array([_values(cosines[each], scores[each]) for each in both]).reshape(-1, len(MEASURES))
    found = {}
    for column, (name, value) in enumerate(zip(MEASURES, values, strict=True)):
        low, high = bootstrap.percentiles(resampled[:, column], 0.95, value)
        found[name] = {"value": value, "low": low, "high": high, "n": len(scores)}
    return found


def _values(cosines: np.ndarray, scores: np.ndarray) -> tuple[float, ...]:
    # From ranks: SciPy's and scikit-learn's own functions take several times as long, for each resample.
    related, ranks = scores >= RELATED, stats.rankdata(cosines)
    n, n_related = len(scores), related.sum()
    above = ranks[related].sum() - n_related * (n_related + 1) / 2
    return (
        float(np.corrcoef(ranks, stats.rankdata(scores))[0, 1]),
        float(np.corrcoef(cosines, scores)[0, 1]),
        float(above / (n_related * (n - n_related))),
        float(cosines[related].mean()),
        float(cosines[~related].mean()),
    )
