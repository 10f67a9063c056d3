"""How many edited texts an audit finds, how many others it takes for such, and how long 100,000 texts take.

    python tests/benchmarks/bench_audits.py --bc5cdr CDR_Data --pairs pubmed_pairs

The figures of docs/audits.md: the edits are those of the tests, on the abstracts of BC5CDR and on those of
train_small.csv.gz; others are those of the test split, and of test_small.csv.gz. The audit that is timed is that of
labelled texts, of shuffled abstracts with made-up labels.
"""

import argparse
import csv
import gzip
import sys
import time
from pathlib import Path
from random import Random

from datasets import Dataset, DatasetDict

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bioft.datasets.documents import bc5cdr
from bioft.datasets.near_duplicates import Texts
from bioft.datasets.texts import labelled
from tests.datasets.test_near_duplicates import EDITS

SIZES = {"train": 70_000, "validation": 10_000, "test": 20_000}


def abstracts(path: Path) -> list[str]:
    """The distinct cells of a file of pairs that are longer than a title."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return sorted({cell for row in csv.reader(file) for cell in row if len(cell) > 200})


def report(name: str, train: list[str], others: list[str]) -> None:
    """Print the share of each kind of edit that is found, and the others that are."""
    texts = Texts(train)
    for edit, change in EDITS.items():
        rng = Random(0)
        edited = [change(text, rng, others[row % len(others)]) for row, text in enumerate(train)]
        print(f"{name}: {edit}: {len(texts.find(edited)) / len(train):.1%} of {len(train):,}")
    print(f"{name}: others taken for edited ones: {len(texts.find(others))} of {len(others):,}")


def timed(texts: list[str]) -> None:
    """Print how long the audit of so many labelled texts takes."""
    rng, splits = Random(0), {}
    for name, n in SIZES.items():
        words = [text.split() for text in rng.choices(texts, k=n)]
        shuffled = [" ".join([*rng.sample(each, len(each)), f"{name}{row}"]) for row, each in enumerate(words)]
        ids = [f"{name}{row}" for row in range(n)]
        splits[name] = Dataset.from_dict({"id": ids, "text": shuffled, "label": rng.choices("abc", k=n)})
    started, busy = time.perf_counter(), time.process_time()
    labelled.audit(DatasetDict(splits))
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    print(f"audit of {sum(SIZES.values()):,} labelled texts: {seconds:.0f} s, {busy:.0f} s of the processor")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bc5cdr", type=Path, required=True)
    parser.add_argument("--pairs", type=Path, required=True)
    asked = parser.parse_args()
    documents = bc5cdr.build(path=asked.bc5cdr)[0]
    report("BC5CDR", documents["train"]["text"][:], documents["test"]["text"][:])
    train = abstracts(asked.pairs / "train_small.csv.gz")
    report("PubMed", train, [text for text in abstracts(asked.pairs / "test_small.csv.gz") if text not in set(train)])
    timed(train)
