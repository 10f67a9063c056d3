"""A small dataset with one label a text, in a folder as `bioft build` writes it."""

from pathlib import Path

from bioft.datasets.texts.stop_reasons import build_weak
from bioft.storage import datasets as storage


def write_weak_labels(folder: Path) -> Path:
    """Write a dataset of 90 made-up reasons for stopping a trial, with three labels."""
    folder.mkdir(parents=True)
    words = {"Covid19": "pandemic", "Negative": "no effect", "Success": "early success"}
    labels = list(words) * 30
    rows = [f"{words[label]} at site {i}\tnan\tNCT{i:08}\t{label}\t\t\n" for i, label in enumerate(labels)]
    (folder / "weak.tsv").write_text("stop_reason\tphase\tnct_id\tprediction\t\t\n" + "".join(rows))
    storage.save(*build_weak(folder / "weak.tsv"), folder / "data")
    return folder / "data"
