"""How long a build of large files takes, and how much memory: a BioC file of 100 MB and a CSV of a million rows.

    python tests/benchmarks/bench_large_files.py --bc5cdr CDR_Data --reasons stopped_predictions.tsv.gz
    python tests/benchmarks/bench_large_files.py --ctd CTD_curated_genes_diseases.csv.gz --rows 100000 1000000

The figures of docs/own_data.md: documents and reasons why trials stopped are repeated, each time with other words
in the place of some, until the files are large; then `bioft build` and `bioft inspect` run in processes of their own.
Of CTD the full report is made: the curated rows, and so many inferred ones between their genes and diseases.
"""

import argparse
import csv
import gzip
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import log
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bioft.datasets.documents import bc5cdr
from bioft.datasets.gene_disease import ctd

BYTES, ROWS = 100_000_000, 1_000_000
_WORD = re.compile(r"[a-z]{4,}")


def changed(row: Mapping[str, Any], rng: Random) -> str:
    """The text of a document with other letters in a fifth of the words outside mentions."""
    text = list(row["text"])
    inside = {place for its in row["entities"] for place in range(its["start"], its["end"])}
    for word in _WORD.finditer(row["text"]):
        if rng.random() < 0.2 and inside.isdisjoint(range(*word.span())):
            text[slice(*word.span())] = rng.choices("abcdefghijklmnopqrstuvwxyz", k=len(word[0]))
    return "".join(text)


def write_bioc(path: Path, documents: Path) -> None:
    """Repeat the documents of BC5CDR."""
    rng, rows = Random(0), [row for split in bc5cdr.build(path=documents)[0].values() for row in split]
    number = 0
    with path.open("w", encoding="utf-8") as file:
        file.write("<collection><source>repeated</source><date/><key/>\n")
        while file.tell() < BYTES:
            row = rows[number % len(rows)]
            text = changed(row, rng)
            file.write(f"<document><id>{number}</id><passage><offset>0</offset><text>{escape(text)}</text>")
            for place, its in enumerate(row["entities"]):
                length = its["end"] - its["start"]
                file.write(
                    f'<annotation id="{place}"><infon key="type">{its["type"]}</infon>'
                    f'<infon key="identifier">{escape(its["id"])}</infon>'
                    f'<location offset="{its["start"]}" length="{length}"/>'
                    f"<text>{escape(text[its['start'] : its['end']])}</text></annotation>"
                )
            file.write("</passage></document>\n")
            number += 1
        file.write("</collection>\n")


def write_csv(path: Path, reasons: Path) -> None:
    """Repeat the reasons, each time with a word more, and label them at random."""
    rng = Random(0)
    with gzip.open(reasons, "rt", encoding="utf-8") as file:
        texts = [row["stop_reason"] for row in csv.DictReader(file, delimiter="\t") if row["stop_reason"]]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "label"])
        for number in range(ROWS):
            words = texts[number % len(texts)].split()
            words.insert(rng.randrange(len(words) + 1), f"w{number}")
            writer.writerow([number, " ".join(words), rng.choice("abc")])


def write_report(path: Path, curated: Path, n_rows: int) -> None:
    """Write CTD's full report: after a million rows the same pairs come again, by way of other chemicals."""
    rows = list(ctd.read(curated))
    genes, diseases = (
        list(dict.fromkeys((row[side], row[f"{side}_id"]) for row in rows)) for side in ("gene", "disease")
    )
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*ctd.COLUMNS[:5], ctd.INFERENCE, "InferenceScore", "OmimIDs", "PubMedIDs"])
        for row in rows:
            writer.writerow([*(row[key] for key in ctd.KEYS[:5]), "", "", "", row["pmids"]])
        rng = Random(0)
        for number in range(n_rows):
            if number % ROWS == 0:
                rng.seed(0)
            pair = [*rng.choice(genes), *rng.choice(diseases)]
            articles = "|".join(str(number + 10_000_000 + rng.randrange(1_000)) for _ in range(rng.randrange(1, 4)))
            writer.writerow([*pair, "", f"chemical {number // ROWS}.{number % 997}", "3.1", "", articles])


class Taken(NamedTuple):
    """What a process took."""

    size: int
    seconds: float
    megabytes: float


def measured(size: int, *command: str) -> Taken:
    """The processor time and the largest memory of a command on input of this size, in a process of its own."""
    script = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
        "its = resource.getrusage(resource.RUSAGE_CHILDREN); print(its.ru_utime + its.ru_stime, its.ru_maxrss)"
    )
    found = subprocess.run([sys.executable, "-c", script, *command], check=True, stdout=subprocess.PIPE, text=True)
    seconds, kilobytes = map(float, found.stdout.split())
    return Taken(size, seconds, kilobytes / (1 << 20 if sys.platform == "darwin" else 1 << 10))


def show(what: str, taken: Sequence[Taken]) -> None:
    """Print a row of the table of NOTES.md; exponents are of the time from each size to the next."""
    steps = (log(more.seconds / less.seconds) / log(more.size / less.size) for less, more in pairwise(taken))
    shown = [(f"{size:,}", f"{its:,.{int(its < 10)}f}", f"{most:,.0f}") for size, its, most in taken]
    sizes, seconds, megabytes = map(", ".join, zip(*shown, strict=True))
    print(f"| {what} | {sizes} | {seconds} | {megabytes} | {', '.join(f'{each:.1f}' for each in steps)} |", flush=True)


def run(*words: str, size: int = 1) -> Taken:
    """Print the processor time and the largest memory of a command of bioft, and return them."""
    taken = measured(size, sys.executable, "-m", "bioft", *words)
    told = " ".join(word for word in words if "/" not in word)
    print(f"bioft {told}: {taken.seconds:.0f} s of processor, {taken.megabytes:,.0f} MB", flush=True)
    return taken


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bc5cdr", type=Path)
    parser.add_argument("--reasons", type=Path)
    parser.add_argument("--ctd", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[ROWS // 10, ROWS])
    parser.add_argument("--negatives", nargs="+", default=["uniform"])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if asked.bc5cdr:
            write_bioc(folder / "bioc.xml", asked.bc5cdr)
            options = ["--overlapping", "longest", "--output", f"{folder}/documents"]
            run("build", "entities", str(folder / "bioc.xml"), *options)
            run("inspect", f"{folder}/documents")
        if asked.reasons:
            write_csv(folder / "labels.csv", asked.reasons)
            run("build", "labels", str(folder / "labels.csv"), "--id-column", "id", "--output", f"{folder}/labels")
            run("inspect", f"{folder}/labels")
        for negatives in asked.negatives if asked.ctd else ():
            taken = []
            for rows in asked.rows:
                write_report(folder / "report.csv", asked.ctd, rows)
                options = ["--evidence", "inferred", "--negatives", negatives, "--overwrite"]
                words = ("build", "ctd", str(folder / "report.csv"), *options, "--output", f"{folder}/pairs")
                taken.append(run(*words, size=rows))
            show(f"`build ctd --evidence inferred --negatives {negatives}`, rows", taken)
