"""Speed and memory of reading PubMed XML: a file as large as one of PubMed's baseline, in one pass.

    python tests/benchmarks/bench_pubmed.py FOLDER_WITH_PUBMED_XML [--articles 30000]

Repeats the articles of the folder, with new PMIDs, in temporary files (plain and gzip) until there are as many as
asked for, and ten times fewer; reads each in a process of its own, and prints unpacked MB per second of wall and of
CPU time (the target: 20 MB/s) and by how much memory rises above that of the imports.
"""

import argparse
import gzip
import itertools
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]
PMID = re.compile(rb"<PMID[^>]*>\d+</PMID>")


def write(folder: Path, path: Path, n: int) -> int:
    """Write n articles made of those in the folder; returns the bytes before packing."""
    from bioft.datasets.pubmed import articles as pubmed_articles, xml as pubmed_xml

    originals = [
        ElementTree.tostring(piece.root, encoding="unicode").encode()
        for file in pubmed_articles.files([folder])
        for piece in pubmed_xml.articles(file)
        if piece.tag == "PubmedArticle"
    ]
    size = 0
    with gzip.open(path, "wb", compresslevel=1) if path.suffix == ".gz" else path.open("wb") as stream:
        size += stream.write(b'<?xml version="1.0" encoding="utf-8"?>\n<PubmedArticleSet>\n')
        for number, record in enumerate(itertools.islice(itertools.cycle(originals), n), 1):
            size += stream.write(PMID.sub(b'<PMID Version="1">%d</PMID>' % number, record, count=1) + b"\n")
        size += stream.write(b"</PubmedArticleSet>\n")
    return size


def read(path: str) -> dict[str, float]:
    """Read a file in this process; returns seconds, the number of articles, and by how many MB memory rose at most."""
    import psutil

    from bioft.datasets.pubmed import articles as pubmed_articles

    # Not the peak that the system counts: a process inherits that of its parent.
    memory = psutil.Process().memory_info
    before = most = memory().rss
    wall, cpu = time.perf_counter(), time.process_time()
    articles = 0
    for articles, _ in enumerate(pubmed_articles.iterate(path), 1):
        if articles % 100 == 0:
            most = max(most, memory().rss)
    return {
        "articles": articles,
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "mb": (most - before) / 1e6,
    }


def main() -> None:
    """Measure every case, each in a fresh process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", help="folder with PubMed XML")
    parser.add_argument("--articles", type=int, default=30_000)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    if arguments.one:
        print(json.dumps(read(arguments.path)))
        return
    with tempfile.TemporaryDirectory() as directory:
        for n, name in itertools.product((arguments.articles // 10, arguments.articles), ("a.xml", "a.xml.gz")):
            path = Path(directory) / name
            size = write(Path(arguments.path), path, n) / 1e6
            command = [sys.executable, __file__, str(path), "--one"]
            found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
            assert found["articles"] == n
            speeds = f"{size / found['wall']:.1f} MB/s ({size / found['cpu']:.1f} of CPU time)"
            packed = ", gzip" if path.suffix == ".gz" else ""
            print(f"{n:,} articles, {size:.0f} MB{packed}: {speeds}, memory + {found['mb']:.1f} MB")


if __name__ == "__main__":
    main()
