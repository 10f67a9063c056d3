"""The figures of a run of `contrastive`: similarity of pairs before and after, lengths of texts, what the data are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict

from bioft.metrics import bootstrap, plots
from bioft.metrics.intervals import auroc
from bioft.models.embed import encode_texts
from bioft.tasks.retrieval.encoder import RELATED, training_rows

PAIRS = 1000
"""Test pairs whose similarity is drawn."""
TEXTS = 20_000
"""Texts of each split whose tokens are counted."""
COLUMNS = ("anchor", "positive", "negative", "sentence1", "sentence2")


def draw(dataset: DatasetDict, encoders: Mapping[str, Any], directory: Path, seed: int = 0) -> list[Path]:
    """Draw `similarity.png`, `text_lengths.png` and `dataset.png` into `plots/` of a run; return their paths.

    Args:
        dataset: pairs, in splits.
        encoders: by name `SentenceTransformer`s, such as the untrained and the trained one.
        directory: the run.
        seed: of the sample of test pairs, and of the unrelated texts where the data have none.
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
    drawn = np.sort(np.random.default_rng(seed).permutation(len(scored))[:PAIRS])
    scored = scored.select(drawn)
    related = (np.array(scored["score"][:]) >= RELATED).astype(int)
    texts = list(dict.fromkeys([*scored["sentence1"][:], *scored["sentence2"][:]]))
    place = {text: index for index, text in enumerate(texts)}
    first, second = ([place[text] for text in scored[column][:]] for column in ("sentence1", "sentence2"))
    figure, panels = plots.new_figure(columns=len(encoders), height=4.4)
    for axes, (name, encoder) in zip(np.atleast_1d(panels), encoders.items(), strict=True):
        vectors = encode_texts(encoder, texts)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        cosines = (vectors[first] * vectors[second]).sum(axis=1).astype(float)
        edges = np.linspace(min(0.0, cosines.min()), 1, 41)
        for label, words, colour, hatch in (
            (0, "unrelated", plots.ORANGE, ""),
            (1, "related", plots.BLUE, "//"),
        ):
            axes.hist(
                cosines[related == label],
                edges,
                histtype="stepfilled",
                facecolor=(colour, 0.3),
                edgecolor=colour,
                hatch=hatch,
                linewidth=1.5,
                label=f"{words} (n = {(related == label).sum():,})",
            )
        axes.set(xlabel="Cosine of the embeddings", ylabel="Pairs", title=f"{name}\nAUROC {_auroc(related, cosines)}")
        axes.title.set_fontsize(11)
    first_panel = np.atleast_1d(panels)[0]
    highest = max(axes.get_ylim()[1] for axes in np.atleast_1d(panels))
    for axes in np.atleast_1d(panels):
        axes.set_ylim(0, highest)
    figure.legend(*first_panel.get_legend_handles_labels(), loc="outside lower center", ncols=2)
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
        values, first = np.unique(np.sort(found), return_index=True)
        label = f"{split}: {len(found):,} groups, median {np.median(found):g}, largest {values[-1]:,}"
        sizes.plot(values, 1 - first / len(found), color=colour, marker=marker, markersize=4, linewidth=1, label=label)
    sizes.set(
        xscale="log",
        yscale="log",
        xlabel="Pairs of a group",
        ylabel="Share of groups with at least as many",
        title="Pairs of each group",
    )
    sizes.xaxis.set_major_formatter("{x:,.0f}")
    sizes.legend(fontsize=8)
    plots.save_figure(figure, path)
