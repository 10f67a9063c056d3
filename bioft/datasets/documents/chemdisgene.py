"""ChemDisGene: abstracts with relations between chemicals, diseases and genes, after CTD's classes.

The curated corpus has 523 abstracts whose 18 types of relations were curated by biologists; the entity mentions
are automatic (PubTator Central). The training corpus (76,942 abstracts, and 1,521 for validation) has relations
derived from CTD by distant supervision, hence noisy, of 14 types. Read in the layout of the authors (PubTator
files with the relations in a TSV beside them) or as the JSON list that their `tsv2json.py` makes of it.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from datasets import DatasetDict

from bioft.datasets import corpus, data
from bioft.datasets.documents import corpus as documents, pubtator
from bioft.datasets.documents.pubtator import Document, Mention, Relation
from bioft.datasets.options import PathName, Seed, SkipBad, TestSize, ValidationSize
from bioft.datasets.origin import Origin
from bioft.errors import BioftError, leaving_out, suggestion
from bioft.storage import json_text
from bioft.storage.text_lines import TextLines

URL, TERMS, CITATION, _ = corpus("chemdisgene")
_CORPUS = data("corpora.toml")["chemdisgene"]
BENCHMARK_TYPES = tuple(_CORPUS["benchmark_types"])
"""The relation types of the training corpus, which the benchmark keeps."""
RELATION_TYPES = (*BENCHMARK_TYPES, *_CORPUS["other_types"])
CHOICES = ("benchmark", "all")
CURATED_COUNTS = _CORPUS["curated_counts"]
"""What the curated corpus holds, all types of relations counted."""
REVISION, FILES = _CORPUS["revision"], _CORPUS["files"]
"""The authors' files at `REVISION`, with the SHA-256 that Git LFS has on record there."""
CURATED = tuple(FILES["curated"])
"""Abstracts and relations; those of training by split, after the JSON file that may hold the same."""
TRAINING = {
    "train": ("train.json", "train_abstracts.txt.gz", "train_relationships.tsv.gz"),
    "validation": ("valid.json", "dev_abstracts.txt.gz", "dev_relationships.tsv.gz"),
}
HINT = "Get the corpus with `bioft download chemdisgene`."


def build(
    path: Annotated[PathName, "The curated corpus: its folder, or a JSON file."],
    *,
    train_path: Annotated[
        PathName | None, "Folder of the training corpus. Without it the curated documents are split at random."
    ] = None,
    relation_types: Annotated[Literal["benchmark", "all"], "The 14 types of the benchmark, or all 18."] = "benchmark",
    validation_size: ValidationSize = 0.1,
    test_size: TestSize = 0.2,
    seed: Seed = 0,
    skip_bad: SkipBad = False,
) -> tuple[DatasetDict, dict[str, Any]]:
    """Build ChemDisGene from the curated corpus and, where given, the training corpus.

    `path` is a JSON file or the authors' folder (`data/curated`), `train_path` the folder of the training corpus
    (`data/ctd_derived`), or one with `train.json` and `valid.json`; with it the curated documents are the test split,
    as in the benchmark. Without it the curated documents themselves are split at random; the manifest says so, and
    figures on that test split are not comparable with published ones.

    BioftError: missing files, what is wrong in a document (as in `pubtator.read`), or another number of documents,
    mentions and relations in the curated corpus than the authors report. With `skip_bad` wrong documents are left out
    and counted in the manifest.
    """
    if relation_types not in CHOICES:
        raise BioftError(f"Unknown relation_types {relation_types!r}. {suggestion(relation_types, CHOICES)}")
    files: list[Path] = []
    skipped: dict[str, list[str]] = {}

    def take(name: str, path: Path, layout: tuple[str, ...]) -> list[Document]:
        skipped[name] = []
        found, used = _read(path, layout, skipped[name] if skip_bad else None)
        files.extend(used)
        return found

    curated = take("test" if train_path else "curated", Path(path), CURATED)
    if not any(skipped.values()):
        types = Counter(mention.type for document in curated for mention in document.mentions)
        relations = sum(len(document.relations) for document in curated)
        found = {"documents": len(curated), **types, "relations": relations}
        file = f"{path} is not the curated corpus (version 1, all relations)"
        documents.check_counts(found, CURATED_COUNTS, "authors", file, HINT)
    arguments: dict[str, Any] = {"relation_types": relation_types, "skip_bad": skip_bad}
    if train_path is None:
        sizes = {"validation_size": validation_size, "test_size": test_size}
        arguments |= {**sizes, "seed": seed}
        splits = documents.split_at_random(curated, **sizes, seed=seed)
        split: dict[str, Any] = {
            "strategy": "document",
            **sizes,
            "note": "the curated documents alone, split at random by document: no training corpus was given, so "
            "figures on this test split are not comparable with those on all 523 curated documents",
        }
    else:
        folder = Path(train_path)
        splits = {
            name: take(name, folder / json_file if (folder / json_file).is_file() else folder, tuple(layout))
            for name, (json_file, *layout) in TRAINING.items()
        }
        splits["test"] = curated
        split = {
            "strategy": "official",
            "note": "training and validation relations derived from CTD by distant supervision; the test split is "
            "the curated corpus",
        }
    kept = BENCHMARK_TYPES if relation_types == "benchmark" else RELATION_TYPES
    for its in splits.values():
        for document in its:
            document.relations = [relation for relation in document.relations if relation.type in kept]
    sources = [documents.source(file, url=URL, terms=TERMS, citation=CITATION) for file in files]
    origin = Origin("chemdisgene", arguments, sources, {"license": "cc0-1.0"})
    return documents.build(splits, origin, split=split, skipped=skipped)


def _read(path: Path, layout: tuple[str, ...], skipped: list[str] | None) -> tuple[list[Document], list[Path]]:
    """The documents of a JSON file, or of a folder in the authors' layout; and the files they were read from."""
    if not path.is_dir():
        return list(_from_json(path, skipped)), [path]
    packed = [path / name for name in layout]
    abstracts, *relation_files = (
        file.with_suffix("") if file.with_suffix("").is_file() and not file.is_file() else file for file in packed
    )
    relations: dict[str, list[tuple[str, Relation]]] = {}
    for file in relation_files:
        _add_relations(file, relations)
    found = list(_with_relations(pubtator.read(abstracts, skipped=skipped), relations, skipped))
    if relations and skipped is None:
        place, _ = next(iter(relations.values()))[0]
        raise BioftError(f"{place}: a relation of document {next(iter(relations))}, which is not in {abstracts}.")
    return found, [abstracts, *relation_files]


def _add_relations(path: Path, relations: dict[str, list[tuple[str, Relation]]]) -> None:
    lines = TextLines(path, HINT)
    for line in lines:
        fields = line.rstrip("\r\n").split("\t")
        if len(fields) != 4 or not all(fields):
            raise BioftError(f"{path}, line {lines.number}: not four tab-separated fields: {line[:60]!r}.")
        relations.setdefault(fields[0], []).append((f"{path}, line {lines.number}", Relation(*fields[1:])))


def _with_relations(
    found: Iterator[Document], relations: dict[str, list[tuple[str, Relation]]], skipped: list[str] | None
) -> Iterator[Document]:
    """The documents with their relations, which are taken out of `relations`."""
    for document in found:
        places = relations.pop(document.document_id, [])
        document.relations = [relation for _, relation in places]
        with leaving_out(skipped):
            if problem := _relation_problem(document):
                where = f"{places[problem.position][0]}, document {document.document_id}"
                raise BioftError(f"{where}: {problem.message}")
            yield document


def _relation_problem(document: Document) -> pubtator.Problem | None:
    for index, relation in enumerate(document.relations):
        if relation.type not in RELATION_TYPES:
            message = f"unknown relation type {relation.type!r}. {suggestion(relation.type, RELATION_TYPES)}"
            return pubtator.Problem("relation", index, message)
    return pubtator.find_problem(document)


def _from_json(path: Path, skipped: list[str] | None) -> Iterator[Document]:
    content = json_text.parse(TextLines(path, HINT).read(), str(path), HINT)
    if not isinstance(content, list):
        raise BioftError(f"{path} is no list of documents, which ChemDisGene's JSON is. {HINT}")
    seen: set[str] = set()
    for position, item in enumerate(content, 1):
        with leaving_out(skipped):
            document = _document(item, f"{path}, item {position}")
            if document.document_id in seen:
                raise BioftError(f"{path}, item {position}: document {document.document_id} comes twice.")
            seen.add(document.document_id)
            yield document


def _document(item: Any, place: str) -> Document:
    try:
        mentions = [Mention(e["start"], e["end"], e["mention"], e["type"], e["id"]) for e in item["entity"]]
        relations = [Relation(r["type"], r["subj"], r["obj"]) for r in item["relation"]]
        document = Document(item["docid"], item["title"], item["abstract"], mentions, relations)
        words = [document.document_id, document.title, document.abstract]
        words += [word for each in mentions for word in (each.text, each.type, each.id)]
        words += [word for each in relations for word in (each.type, each.head, each.tail)]
        if wrong := [word for word in words if not isinstance(word, str)]:
            raise TypeError(f"{str(wrong[0])[:40]} where a text should be")
        problem = _relation_problem(document)
    except (KeyError, TypeError, AttributeError) as error:
        raise BioftError(
            f"{place} is no document of ChemDisGene ({type(error).__name__}: {error}). It needs docid, title, "
            "abstract, entity (start, end, mention, type, id) and relation (type, subj, obj)."
        ) from None
    if problem:
        part = f"{problem.part} {problem.position + 1}" if problem.part in ("mention", "relation") else problem.part
        raise BioftError(f"{place}, document {document.document_id}, {part}: {problem.message}")
    return document
