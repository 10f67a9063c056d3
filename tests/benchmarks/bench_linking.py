"""How many annotated mentions get their id, beside exact names and a dictionary of the training names; and how fast.

    python tests/benchmarks/bench_linking.py VOCABULARY... --train CDR_TrainingSet.PubTator.txt.gz
        CDR_DevelopmentSet.PubTator.txt.gz --test CDR_TestSet.PubTator.txt.gz
    python tests/benchmarks/bench_linking.py VOCABULARY... --train ... --test ... --tagger RUN
    python tests/benchmarks/bench_linking.py VOCABULARY... --train ... --joint RUN
    python tests/benchmarks/bench_linking.py VOCABULARY... --speed

Mentions are those annotated (gold spans) that have an id; right is the very id, of a composite mention all of its ids.
Unseen are mentions whose text, but for case and punctuation, is none of their type in the training documents.
Intervals are over documents. `--tagger` takes the spans that a run of token_classification finds in the place of the
annotated ones: F1 of mentions with their ids, and of each document's ids by type, wherever they stand (the
normalization task of BioCreative V); mentions without an id are left out. `--joint` measures the relations of a joint
run on such documents end to end, with its own dictionary of the training names and with the linker in its place.
`--speed` looks for 10,000 changed names among 300,000 in a process limited to two cores.
"""

import argparse
import resource
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bioft.datasets.documents import pubtator
from bioft.datasets.metabolites.tables import Row, to_table
from bioft.datasets.namespaces import read
from bioft.datasets.recorded import recorded_data
from bioft.metrics.estimation import estimates
from bioft.metrics.estimation.groups import Groups
from bioft.metrics.report import interval_text
from bioft.storage.text_lines import normalise
from bioft.tasks.entities.files import UNLINKED
from bioft.tasks.entities.predict import predict_with_run, spans_of
from bioft.tasks.entities.tagging import Span
from bioft.tasks.joint import evaluate, predict as joint
from bioft.tasks.name_alignment.candidates import CandidateFinder
from bioft.tasks.name_alignment.concept_names import Aligner, fit_scorer, fitted_aligner, names_table
from bioft.tasks.name_alignment.linking import Linker
from bioft.tasks.name_alignment.words import WORDS
from bioft.tasks.relations.linking import ConceptDictionary

NAMES, MENTIONS, SECONDS, GIGABYTES = 300_000, 10_000, 120, 3
CANDIDATES = 5


def documents(paths: Iterable[Path]) -> list[pubtator.Document]:
    """The documents of PubTator files."""
    return [document for path in paths for document in pubtator.read(path)]


def row(document: pubtator.Document) -> dict[str, Any]:
    """A document as a row with entities."""
    entities = [
        {"id": each.id, "type": each.type, "start": each.start, "end": each.end, "text": each.text}
        for each in document.mentions
    ]
    return {"text": document.text, "entities": entities}


def accuracy(vocabulary: list[str], train: list[Path], test: list[Path]) -> None:
    """Print the accuracy of each system on all, seen and unseen mentions."""
    namespace = read.read([*train, *vocabulary])
    print(namespace.manifest["counts"])
    linker = Linker({"": fitted_aligner(namespace)})
    known, asked = documents(train), documents(test)
    dictionary = ConceptDictionary.fit(map(row, known))
    seen = {(each.type, normalise(each.text)) for document in known for each in document.mentions}
    exact: dict[str, str] = {}
    for identifier, name in namespace.names[["id", "name"]].to_numpy().tolist():
        exact.setdefault(normalise(name), identifier)
    spans = [[(each.start, each.end, each.type) for each in document.mentions] for document in asked]
    links = linker.links([document.text for document in asked], spans)
    rows: list[tuple[Any, ...]] = []
    for number, (document, its_links) in enumerate(zip(asked, links, strict=True)):
        found = {
            (each["start"], each["end"], each["type"]): each["id"]
            for each in dictionary.link(document.text, spans[number])
        }
        for mention, link in zip(document.mentions, its_links, strict=True):
            if pubtator.concepts(mention.id):
                key = mention.type, normalise(mention.text)
                right = mention.id in (link.id, *link.candidates[: CANDIDATES - 1])
                rows.append(
                    (number, mention.type, key in seen, exact.get(key[1]) == mention.id,
                     found[mention.start, mention.end, mention.type] == mention.id, link.id == mention.id, right,
                     link.decision == "match", link.probability)
                )  # fmt: skip
    table = np.array(rows, dtype=object)
    for kind in ("all", *sorted({*table[:, 1]})):
        for label, which in (("all", None), ("seen", True), ("unseen", False)):
            its = table[((table[:, 1] == kind) | (kind == "all")) & ((table[:, 2] == which) | (which is None))]
            print(f"{kind}, {label}: n = {len(its):,}")
            for name, place in (("exact names", 3), ("dictionary", 4), ("linker", 5), ("linker, among 5", 6)):
                print(f"  {name:16} {shown(its[:, place], its[:, 0])}")
    decided = table[table[:, 7].astype(bool)]
    print(f"matches: {len(decided) / len(table):.3f} of mentions, right {shown(decided[:, 5], decided[:, 0])}")


def predicted(vocabulary: list[str], train: list[Path], test: list[Path], run: str) -> None:
    """Print the F1 of mentions with ids, and of documents' ids, over the spans that a run of entities finds."""
    namespace = read.read([*train, *vocabulary])
    asked = documents(test)
    texts = [document.text for document in asked]
    spans = [sorted(its) for its in spans_of(predict_with_run(run, texts, progress="spans"))]
    known = [sorted((each.start, each.end, each.type) for each in document.mentions) for document in asked]
    exact: dict[str, str] = {}
    for identifier, name in namespace.names[["id", "name"]].to_numpy().tolist():
        exact.setdefault(normalise(name), identifier)
    dictionary = ConceptDictionary.fit(map(row, documents(train)))
    linker = Linker({"": fitted_aligner(namespace)})
    gold = [with_ids(row(document)["entities"]) for document in asked]

    def by_exact(text: str, its: Sequence[Span]) -> list[dict[str, Any]]:
        return [
            {"start": start, "end": end, "type": kind, "id": exact.get(normalise(text[start:end]), UNLINKED)}
            for start, end, kind in its
        ]

    print(f"spans alone: F1 {f1(known, spans)}")
    for name, link in (("exact names", by_exact), ("dictionary", dictionary.link), ("linker", linker.link)):
        linked = [link(text, its) for text, its in zip(texts, spans, strict=True)]
        answers = [with_ids(its) for its in linked]
        ids = f1([ids_of(its) for its in gold], [ids_of(its) for its in answers])
        print(f"{name:16} mentions with ids, F1 {f1(gold, answers)}; ids of documents, F1 {ids}")


def with_ids(entities: Iterable[Mapping[str, Any]]) -> list[tuple[int, int, str, str]]:
    """Start, end, type and id of the entities that have an id."""
    return [(its["start"], its["end"], its["type"], its["id"]) for its in entities if pubtator.concepts(its["id"])]


def ids_of(entities: Iterable[tuple[int, int, str, str]]) -> set[tuple[str, str]]:
    """Types and ids of linked entities, each of a composite mention's ids alone."""
    return {(kind, each) for _, _, kind, identifier in entities for each in pubtator.concepts(identifier)}


def f1(known: Iterable[Collection[Any]], found: Iterable[Collection[Any]]) -> str:
    """Micro F1 of what is found in each document, with its interval over documents."""
    counts = [(2 * len({*gold} & {*its}), len({*gold}) + len({*its})) for gold, its in zip(known, found, strict=True)]
    twice, both = np.array(counts, dtype=float).T
    share = estimates.ratio(twice, both)
    low, high = share.interval(Groups(len(counts)))
    return f"{share.value:.3f} [{low:.3f}–{high:.3f}]"


def shown(right: np.ndarray, groups: np.ndarray) -> str:
    """A mean with its interval over documents."""
    share = estimates.mean(right.astype(bool))
    low, high = share.interval(Groups(len(right), [groups.astype(int)]))
    return f"{share.value:.3f} [{low:.3f}–{high:.3f}]"


def end_to_end(vocabulary: list[str], train: list[Path], run: str) -> None:
    """Print the F1 of relations between entities that the run finds itself, by what gives these their ids."""
    model = joint.load(run)
    record = model[-1]
    data = recorded_data(Path(run), record, rebuild=True)
    linker = Linker({"": fitted_aligner(read.read([*train, *vocabulary]))})
    for name, its in (("dictionary", model), ("linker", joint.with_linker(model, linker))):
        found = evaluate.figures(joint.predict(its, data.splits["test"], record), data.splits, record)
        print(
            name, *(f"{each} {interval_text(found[f'end_to_end_{each}'])}" for each in ("f1", "precision", "recall"))
        )


def speed(vocabulary: list[str]) -> None:
    """Print the seconds and the peak memory of building and of asking."""
    table = names_table(read.read(vocabulary)).sample(NAMES, random_state=0).reset_index(drop=True)
    rng = np.random.default_rng(1)
    asked = [
        " ".join(rng.permutation(name.split())) + rng.choice(["", "s", " disease"])
        for name in table["name"].sample(MENTIONS, random_state=1)
    ]
    started = time.perf_counter()
    finder = CandidateFinder(table, reading=WORDS)
    aligner = Aligner(table, finder, fit_scorer(table, finder))
    built, cpu = time.perf_counter(), time.process_time()
    aligner.align(to_table(Row(name, name) for name in asked))
    seconds, cpu = time.perf_counter() - built, time.process_time() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(f"{NAMES:,} names indexed in {built - started:.0f} s, {MENTIONS:,} mentions matched in {seconds:.0f} s")
    print(f"of these {cpu:.0f} s of processor time; peak memory {memory:.1f} GB")
    assert seconds < SECONDS and memory < GIGABYTES


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vocabulary", nargs="+")
    parser.add_argument("--train", type=Path, nargs="+", default=[])
    parser.add_argument("--test", type=Path, nargs="+", default=[])
    parser.add_argument("--tagger")
    parser.add_argument("--joint")
    parser.add_argument("--speed", action="store_true")
    args = parser.parse_args()
    if args.speed:
        speed(args.vocabulary)
    elif args.joint:
        end_to_end(args.vocabulary, args.train, args.joint)
    elif args.tagger:
        predicted(args.vocabulary, args.train, args.test, args.tagger)
    else:
        accuracy(args.vocabulary, args.train, args.test)


if __name__ == "__main__":
    main()
