"""Abstracts per second: ours against Transformers' pipeline one by one; and time to tag a corpus.

    python tests/benchmarks/bench_tagging.py CDR_Data.zip [--run RUN] [--abstracts 96]

Both ways get the same texts by turns in one process, on the GPU if there is one. Only texts that fit into one window
are used: the pipeline would read others in another way. Without `--run` the head is a new one: it takes as long, but
its tags are random, so that the spans of two ways of decoding are not comparable.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from transformers import AutoModelForTokenClassification, pipeline

from bioft.datasets.load import load_documents
from bioft.models import base as models, precision
from bioft.tasks.entities import answers, predict as entity_prediction, tagging, windows as entities_windows

WINDOW, OVERLAP, TURN = 512, 128, 32


def measure(path: Path, run: Path | None, abstracts: int) -> list[dict[str, object]]:
    """Rows of the results table: what was measured, the ratio or seconds, and what it must reach."""
    dataset, _ = load_documents("bc5cdr", dataset_path=str(path))
    labels = tagging.bio_labels(["Chemical", "Disease"])
    if run is not None:
        model, tokenizer, _ = entity_prediction.load(run, whole=True)
    else:
        base = models.resolve_base_model("embedded:all-minilm-l6-v2")
        model, tokenizer = models.load_encoder(base, AutoModelForTokenClassification, id2label=dict(enumerate(labels)))
        model.to(models.local_device()).eval()
    return [
        tagging_row(tokenizer, dataset, labels),
        prediction_row(model.float(), tokenizer, dataset, labels, abstracts),
        type_row(model.float(), tokenizer, dataset, labels, abstracts),
    ]


def tagging_row(tokenizer: Any, dataset: Any, labels: list[str]) -> dict[str, object]:
    """Make the training windows of every document of the corpus."""
    started = time.perf_counter()
    windows = [
        entities_windows.window_dataset(tokenizer, split, labels, WINDOW - 2, OVERLAP)[0] for split in dataset.values()
    ]
    seconds = time.perf_counter() - started
    documents = sum(map(len, dataset.values()))
    return {
        "measured": f"tokenise, align and window {documents:,} abstracts",
        "ours": f"{seconds:.1f} s",
        "theirs": "",
        "ratio": seconds,
        "must reach": "< 10 s",
        "note": f"{sum(map(len, windows)):,} windows",
    }


def prediction_row(model: Any, tokenizer: Any, dataset: Any, labels: list[str], n: int) -> dict[str, object]:
    """Predict by turns, a few abstracts each, and compare the spans: bioft in the type that is fast here."""
    lengths = [len(tokens.ids) for tokens in tagging.tokenize(tokenizer, list(dataset["test"]["text"]))]
    texts = [text for text, length in zip(dataset["test"]["text"], lengths, strict=True) if length <= WINDOW - 2][:n]
    reference = pipeline("token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="first")
    asked = precision.lowered(model, precision.choose())
    seconds = {"pipeline": 0.0, "bioft": 0.0}
    same = of = 0
    for first in range(0, len(texts), TURN):
        part = texts[first : first + TURN]
        started = time.perf_counter()
        theirs = [reference(text) for text in part]
        seconds["pipeline"] += time.perf_counter() - started
        started = time.perf_counter()
        windows = {"window_length": WINDOW, "window_overlap": OVERLAP}
        ours = entity_prediction.find_entities((asked, tokenizer), part, {"labels": labels, "windows": windows})
        seconds["bioft"] += time.perf_counter() - started
        for found, expected in zip(entity_prediction.spans_of(ours), theirs, strict=True):
            wanted = {(e["start"], e["end"], e["entity_group"]) for e in expected}
            same, of = same + len(wanted & set(found)), of + len(wanted | set(found))
    return {
        "measured": "entities of an abstract, against the pipeline one by one",
        "ours": f"{len(texts) / seconds['bioft']:.1f} abstracts/s",
        "theirs": f"{len(texts) / seconds['pipeline']:.1f} abstracts/s",
        "ratio": seconds["pipeline"] / seconds["bioft"],
        "must reach": ">= 5",
        "note": f"{len(texts)} abstracts on {model.device.type}, {asked.dtype} against {model.dtype}; {same:,} of the "
        f"{of:,} spans that either found are the same; the pipeline takes the most probable tag of each word, bioft "
        "the most probable valid sequence "
        "made one sense per discourse",
    }


def type_row(model: Any, tokenizer: Any, dataset: Any, labels: list[str], n: int) -> dict[str, object]:
    """Predict in float32 and in bfloat16 by turns, in processor seconds of one thread; compare spans and F1."""
    torch.set_num_threads(1)
    test = dataset["test"].select(range(n))
    record = {"labels": labels, "windows": {"window_length": WINDOW, "window_overlap": OVERLAP}}
    ways = {"float32": model, "bfloat16": precision.lowered(model, torch.bfloat16)}
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in ways}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for each in ways.values():
        entity_prediction.predict((each, tokenizer), test.select(range(4)), record)
    for first in range(0, n, TURN // 2):
        part = test.select(range(first, min(first + TURN // 2, n)))
        for name, each in ways.items():
            started = time.process_time()
            tables[name].append(entity_prediction.predict((each, tokenizer), part, record))
            seconds[name].append(time.process_time() - started)
    found = {name: pd.concat(its, ignore_index=True) for name, its in tables.items()}
    compared = answers.differences(found["bfloat16"], found["float32"], {})
    f1 = {name: answers.outcomes(its).metrics["f1"].estimate().value for name, its in found.items()}
    ratios = np.array(seconds["float32"]) / np.array(seconds["bfloat16"])
    return {
        "measured": "entities in bfloat16, against float32, processor time of one thread",
        "ours": f"{n / sum(seconds['bfloat16']):.1f} abstracts/s",
        "theirs": f"{n / sum(seconds['float32']):.1f} abstracts/s",
        "ratio": float(np.median(ratios)),
        "must reach": ">= 1.5",
        "note": f"{compared['changed'].sum():,} of {compared['answers'].sum():,} spans are others, scores differ by "
        f"up to {compared['difference'].max():.3f}; F1 {f1['float32']:.4f} and {f1['bfloat16']:.4f}",
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="folder or zip file of BC5CDR")
    parser.add_argument("--run", type=Path, help="finished run of token_classification")
    parser.add_argument("--abstracts", type=int, default=96)
    arguments = parser.parse_args()
    for row in measure(arguments.path, arguments.run, arguments.abstracts):
        print(row)
