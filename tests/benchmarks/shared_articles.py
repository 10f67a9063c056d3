"""Why pairs of a random split are easier than later ones: how many share an article with what training knows.

    python tests/benchmarks/shared_articles.py CTD_curated_genes_diseases.csv.gz

CTD is curated article by article. For the random split and the one by time, both with degree-matched negatives, the
positives of the test split are told apart: those of which an article stands at a training pair of the same gene or the
same disease too, and those of which none does (pairs that name no article are in neither row). AUROC is that of a
baseline against all negatives of the test split, with a 95 % interval that knows of shared genes and diseases.
"""

import argparse
import itertools

import numpy as np

from bioft import metrics
from bioft.datasets.gene_disease import ctd
from bioft.datasets.gene_disease.baselines import Graph, Likeness
from bioft.tasks.gene_disease.table import pairs_share

SIDES = ("gene_id", "disease_id")


def main() -> None:
    """Print a line for each split, baseline and kind of positives."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ctd")
    path = parser.parse_args().ctd
    for split in ("pair", "time"):
        data = ctd.build(path, split=split, negatives="degree_matched", validation_size=0.02, test_size=0.05)[0]
        known, test = (data[part].to_pandas() for part in ("train", "test"))
        told = {
            (side, name, article)
            for side in SIDES
            for name, articles in zip(known[side], known["pmids"], strict=True)
            for article in filter(None, articles.split("|"))
        }
        named, positive = test["pmids"] != "", test["label"] == 1
        shares = np.array(
            [
                any(
                    (side, getattr(pair, side), article) in told
                    for side in SIDES
                    for article in filter(None, pair.pmids.split("|"))
                )
                for pair in test.itertuples()
            ]
        )
        kinds = {"all": positive, "article shared": positive & shares, "not shared": positive & named & ~shares}
        for baseline, (kind, chosen) in itertools.product((Likeness(), Graph()), kinds.items()):
            scores = baseline.fit(data["train"]).predict(data["test"])
            rows = np.flatnonzero(chosen | ~positive)
            labels, shared = test["label"].to_numpy()[rows], pairs_share(test.iloc[rows])
            measured = metrics.load("gda").compute(predictions=scores[rows], references=labels, groups=shared)
            low, high = measured["auroc_low"], measured["auroc_high"]
            print(
                f"{split}, {type(baseline).__name__}, {kind}: {chosen.sum():,} positives, AUROC "
                f"{measured['auroc']:.3f} [{low:.3f}, {high:.3f}]"
            )


if __name__ == "__main__":
    main()
