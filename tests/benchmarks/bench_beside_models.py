"""What evaluating and verifying takes beside the model, part by part: processor seconds, memory and growth with size.

    python tests/benchmarks/bench_beside_models.py gene_disease CTD_curated_genes_diseases.csv.gz --sizes 1400 14000
    python tests/benchmarks/bench_beside_models.py entities CDR_Data.zip --sizes 100 1000 10000
    python tests/benchmarks/bench_beside_models.py relations CDR_Data.zip --sizes 100 1000 10000
    python tests/benchmarks/bench_beside_models.py text_labels stopped_predictions.tsv.gz --sizes 1000 10000 100000
    python tests/benchmarks/bench_beside_models.py name_alignment Unique_ModelSEED_Compound_Names.txt.gz --sizes 10000
    python tests/benchmarks/bench_beside_models.py retrieval Unique_ModelSEED_Compound_Names.txt.gz --sizes 10000

A size is the rows of the test split (documents of entities and of relations; of names those of the namespace, to
which 2,000 are matched). Data are the files' own, repeated with changes as in bench_large_files.py; in the place of
the model stands the answer of the last baseline. Each size has a process of its own, in which the peak of the memory
is set back before each part (Linux). Parts that take less than `--least` seconds are left out.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
from datasets import Dataset, DatasetDict

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bioft.datasets.documents import bc5cdr, corpus
from bioft.storage import datasets as storage
from bioft.task import FINE_TUNED
from tests.benchmarks.bench_alignment import names as repeated_names
from tests.benchmarks.bench_large_files import Taken, changed, show, write_report

Data = tuple[Any, dict[str, Any], Any, dict[str, Any]]
"""Splits, what of a record is read, the task's `evaluate`, and its baselines by name."""
ASKED = 2_000
"""Names that are matched to a namespace."""


def split(rows: Any) -> DatasetDict:
    """Two halves for training and test, and of training a tenth more for validation."""
    half = len(rows) * 10 // 21
    ends = {"train": (0, half), "test": (half, 2 * half), "validation": (2 * half, len(rows))}
    return DatasetDict({name: rows.select(range(*its)) for name, its in ends.items()})


def gene_disease(source: Path, size: int) -> Data:
    """CTD's genes and diseases, paired at random, a fifth of them in the test split."""
    from bioft.datasets.gene_disease import baselines, ctd
    from bioft.tasks.gene_disease import evaluate

    with tempfile.TemporaryDirectory() as place:
        report = Path(place) / "report.csv"
        write_report(report, source, round(size / 2 / 0.2))
        dataset, manifest = part("build", lambda: ctd.build(report, evidence="inferred", test_size=0.2))
    return dataset, {"dataset": manifest}, evaluate, baselines.GENE_DISEASE


def documents(source: Path, size: int) -> DatasetDict:
    """BC5CDR's documents with other words."""
    rng, rows = Random(0), [row for its in bc5cdr.build(path=source)[0].values() for row in its]

    def made() -> Iterator[dict[str, Any]]:
        for number in range(size * 21 // 10):
            row = rows[number % len(rows)]
            yield {**row, "document_id": str(number), "text": changed(row, rng)}

    return split(Dataset(pa.Table.from_pylist(list(made()), schema=corpus.SCHEMA)))


def entities(source: Path, size: int) -> Data:
    """Entities of documents."""
    from bioft.tasks.entities import baselines, evaluate

    return documents(source, size), {"train_on": "train", "labels": ["O"]}, evaluate, baselines.ENTITIES


def relations(source: Path, size: int) -> Data:
    """Relations of documents: some ten candidates in each."""
    from bioft.tasks.relations import baselines, evaluate

    return documents(source, size), {"train_on": "train"}, evaluate, baselines.RELATIONS


def text_labels(source: Path, size: int) -> Data:
    """Reasons why trials stopped, a word more in each, with one or two of the 17 labels."""
    from bioft.datasets.texts import baselines, stop_reasons
    from bioft.tasks.text_labels import evaluate

    rng, found = Random(0), list(stop_reasons.read_weak(source, skip_bad=True))
    texts, labels = [], []
    for number in range(size * 21 // 10):
        one = found[number % len(found)]
        words = one.text.split()
        words.insert(rng.randrange(len(words) + 1), f"w{number}")
        texts.append(" ".join(words))
        labels.append(sorted({*one.labels, *rng.choices(stop_reasons.LABELS, k=rng.randrange(2))}))
    rows = Dataset.from_dict({"id": list(map(str, range(len(texts)))), "text": texts, "labels": labels})
    record = {"labels": list(stop_reasons.LABELS), "dataset": {"multi_label": True}}
    return split(rows), record, evaluate, baselines.TEXTS


def name_alignment(source: Path, size: int) -> Data:
    """Names of ModelSEED's compounds, written in another way, among those of the namespace."""
    from bioft.datasets.metabolites import baselines
    from bioft.datasets.metabolites.namespaces import read_namespace
    from bioft.tasks.name_alignment import evaluate
    from bioft.tasks.name_alignment.predict import Names

    namespace, rng = repeated_names(read_namespace(source), size), np.random.default_rng(0)
    asked = namespace.sample(min(2 * ASKED, size), random_state=1).reset_index(drop=True)
    asked = asked.assign(gold=asked["id"], kind="variant", formula="", charge=None)
    asked["name"] = [name.replace("-", " ") + rng.choice(["", "e", " acid"]) for name in asked["name"]]
    half = len(asked) // 2
    return {"test": Names(namespace, asked[:half], asked[half:])}, {}, evaluate, baselines.NAMES


def retrieval(source: Path, size: int) -> Data:
    """Pairs of synonyms of ModelSEED's compounds."""
    from bioft.datasets.metabolites.namespaces import read_namespace
    from bioft.tasks.retrieval import evaluate

    names = repeated_names(read_namespace(source), size * 12)
    pairs: dict[str, list[str]] = {}
    for identifier, name in zip(names["id"], names["name"], strict=True):
        pairs.setdefault(identifier, []).append(name)
    rows = [(*its[:2], each) for each, its in pairs.items() if len(set(its)) > 1][: size * 21 // 10]
    columns = dict(zip(("anchor", "positive", "group"), map(list, zip(*rows, strict=True)), strict=True))
    return split(Dataset.from_dict(columns)), {"dataset": {}}, evaluate, {}


TASKS: dict[str, Callable[[Path, int], Data]] = {
    each.__name__: each for each in (gene_disease, entities, relations, text_labels, name_alignment, retrieval)
}
TAKEN: dict[str, tuple[float, float]] = {}


def part(name: str, function: Callable[[], Any]) -> Any:
    """What a function gives, with nothing remembered; its seconds and the peak of memory are kept."""
    storage._ANSWERS.clear()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    started = time.process_time()
    found = function()
    seconds = time.process_time() - started
    status = Path("/proc/self/status").read_text(encoding="ascii")
    TAKEN[name] = seconds, int(status.partition("VmHWM:")[2].split()[0]) / 1024
    print(f"{name}: {seconds:.1f} s, {TAKEN[name][1]:,.0f} MB", file=sys.stderr, flush=True)
    return found


def measure(task: str, source: Path, size: int) -> None:
    """Fill `TAKEN` with all parts of a task."""
    dataset, record, evaluate, registry = TASKS[task](source, size)
    if hasattr(evaluate, "audit") and task not in ("name_alignment", "retrieval"):
        part("audit", lambda: evaluate.audit(dataset, record))
    elif task == "retrieval":
        part("audit", lambda: evaluate.pair_audit.audit(dataset))
    tables: dict[str, Any] = {}
    if task == "retrieval":
        queries = evaluate.asked(dataset["test"], record)
        for name in ("rank_bm25", "rank_tfidf"):
            tables[name] = part(name, lambda name=name: queries.rank(getattr(evaluate, name)))
    for name, kind in registry.items():
        if task == "name_alignment":
            tables[name] = part(name, lambda kind=kind: dataset["test"].by_score(kind()))
            continue
        with patch.dict(registry, {name: kind}, clear=True):
            tables[name] = part(name, lambda name=name: evaluate.baselines(dataset, record)[name])
    model = tables[list(tables)[-1]]
    part("figures", lambda: evaluate.figures(model, dataset, record))
    part("comparisons", lambda: evaluate.comparisons(model, tables, dataset, record))
    if hasattr(evaluate, "analyses"):
        part("analyses", lambda: evaluate.analyses({FINE_TUNED: model, **tables}, dataset, record))
    if task == "gene_disease":
        part("plots", lambda: draw(model, tables, evaluate))


def draw(model: Any, others: dict[str, Any], evaluate: Any) -> None:
    """The plots of a run on pairs."""
    with tempfile.TemporaryDirectory() as place:
        evaluate.write_predictions(model, model, others, Path(place))
        evaluate.plot(Path(place), {})


def main() -> None:
    """Print a row for each part, and one for all together."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("source", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", required=True)
    parser.add_argument("--least", type=float, default=1.0)
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.only:
        measure(asked.task, asked.source, asked.only)
        print(json.dumps(TAKEN))
        return
    rows: dict[str, list[Taken]] = {}
    for size in asked.sizes:
        command = [sys.executable, __file__, asked.task, str(asked.source), "--sizes", "0", "--only", str(size)]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        for name, its in json.loads(output.splitlines()[-1]).items():
            rows.setdefault(name, []).append(Taken(size, *its))
    for name, taken in rows.items():
        if taken[-1].seconds >= asked.least:
            show(f"{asked.task}: {name}", taken)


if __name__ == "__main__":
    main()
