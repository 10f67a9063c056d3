"""How long a build of large files takes, and how much memory: a BioC file of 100 MB and a CSV of a million rows.

    python tests/benchmarks/bench_large_files.py --bc5cdr CDR_Data --reasons stopped_predictions.tsv.gz

The figures of docs/own_data.md: documents and reasons why trials stopped are repeated, each time with other words
in the place of some, until the files are large; then `bioft build` and `bioft inspect` run in processes of their own.
"""

import argparse
import csv
import gzip
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any
from xml.sax.saxutils import escape

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bioft.datasets.documents import bc5cdr

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


def run(*words: str) -> None:
    """Print the processor time and the largest memory of a command of bioft."""
    measured = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
        "its = resource.getrusage(resource.RUSAGE_CHILDREN); print(its.ru_utime + its.ru_stime, its.ru_maxrss)"
    )
    command = [sys.executable, "-c", measured, sys.executable, "-m", "bioft", *words]
    seconds, kilobytes = map(float, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    print(f"bioft {' '.join(words[:2])}: {seconds:.0f} s of processor, {kilobytes / unit:,.0f} MB", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bc5cdr", type=Path, required=True)
    parser.add_argument("--reasons", type=Path, required=True)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_bioc(folder / "bioc.xml", asked.bc5cdr)
        write_csv(folder / "labels.csv", asked.reasons)
        run(
            "build",
            "entities",
            str(folder / "bioc.xml"),
            "--overlapping",
            "longest",
            "--output",
            f"{folder}/documents",
        )
        run("inspect", f"{folder}/documents")
        run("build", "labels", str(folder / "labels.csv"), "--id-column", "id", "--output", f"{folder}/labels")
        run("inspect", f"{folder}/labels")
