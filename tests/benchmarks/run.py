"""Run the benchmarks, each in a process of its own, and write tests/benchmarks/RESULTS.md.

    python tests/benchmarks/run.py [--data FOLDER] [--only tagging scoring]

Ratios compare two ways by turns on one machine; nothing else should run meanwhile. What needs files that FOLDER does
not hold (`bioft download` puts them into data/) is left out, and named. Each row keeps its last figure for each kind
of processor in results.json; one that is worse by more than a third ends the command with exit code 1.
Instructions that the processor is kept from are part of its kind: with ONEDNN_MAX_CPU_ISA=AVX2,
MKL_ENABLE_INSTRUCTIONS=AVX2 and ATEN_CPU_CAPABILITY=avx2 in the environment it multiplies as older ones do.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bioft.models.base import compute_dtype
from bioft.storage.environment import git_state, hardware

HERE = Path(__file__).parent
RUN = HERE.parent / "golden" / "runs" / "entities"
RESULTS, KEPT = HERE / "RESULTS.md", HERE / "results.json"
FILES = {
    "bc5cdr": ("CDR_Data.zip", "CDR_TestSet.PubTator.txt.gz"),
    "ctd": ("CTD_curated_genes_diseases.csv.gz",),
    "names": ("Unique_ModelSEED_Compound_Names.txt.gz",),
    "pubmed": ("pubmed",),
}
"""Names that files or folders of the data may have."""
COLUMNS = ("measured", "ours", "theirs", "ratio", "must reach", "reached", "note")
WORSE = 1.5
"""So many times worse than the last figure is a failure."""
Row = dict[str, Any]


def scoring(find: Callable[[str], Path]) -> list[Row]:
    import bench_scoring

    return bench_scoring.measure(1000)


def training(find: Callable[[str], Path]) -> list[Row]:
    import bench_training

    return bench_training.measure(8)


def encoder_training(find: Callable[[str], Path]) -> list[Row]:
    import bench_encoder_training

    with corpus(find) as folder:
        return bench_encoder_training.measure(folder)


def training_in_company(find: Callable[[str], Path]) -> list[Row]:
    import bench_threads

    with corpus(find) as folder:
        return bench_threads.measure_recipes(folder)


def tagging(find: Callable[[str], Path]) -> list[Row]:
    import bench_tagging

    found = find("bc5cdr")
    return bench_tagging.measure(found if found.suffix == ".zip" else found.parent, None, 96)


def encoding(find: Callable[[str], Path]) -> list[Row]:
    import bench_search

    found: dict[str, Any] = bench_search.measure_encoding(find("pubmed"), 192)
    plain, target = found["plain"]["texts/s of processor time"], {"pytorch": ">= 1.5", "onnx-int8": ">= 1.5"}
    return [
        {
            "measured": f"index --backend {way}, against SentenceTransformer.encode(batch_size=32)",
            "ours": f"{its['texts/s of processor time']:.1f} texts/s",
            "theirs": f"{plain:.1f} texts/s",
            "ratio": its["ratio"],
            "must reach": target.get(way, ">= 3.5"),
            "note": "nDCG@10 less by {:.4f} ({:.4f} to {:.4f})".format(*its["less than plain"]),
        }
        for way, its in found.items()
        if way not in ("texts", "plain")
    ]


def packing(find: Callable[[str], Path]) -> list[Row]:
    import bench_packing

    return bench_packing.measure(None, 8)


def comparing(find: Callable[[str], Path]) -> list[Row]:
    import bench_comparison

    return [bench_comparison.measure(10_000)]


def building(find: Callable[[str], Path]) -> list[Row]:
    found = last_json("bench_dataset_build.py", str(find("ctd")), "--one", "pair", "degree_matched")
    return [
        {
            "measured": f"building a dataset: {found['what']}",
            "ours": f"{found['seconds']} s, {found['peak_mb']} MB",
            "ratio": found["seconds"],
            "must reach": "< 10 s",
            "note": f"{found['rows']:,} rows; imports, audit and Parquet included",
        }
    ]


def reading(find: Callable[[str], Path]) -> list[Row]:
    import bench_pubmed

    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.xml.gz"
        size = bench_pubmed.write(find("pubmed"), path, 10_000) / 1e6
        found = last_json("bench_pubmed.py", str(path), "--one")
    return [
        {
            "measured": "reading packed PubMed XML, MB a second of processor time",
            "ours": f"{size / found['cpu']:.1f} MB/s",
            "ratio": size / found["cpu"],
            "must reach": ">= 20",
            "note": f"10,000 articles, {size:.0f} MB unpacked; memory rises by {found['mb']:.1f} MB",
        }
    ]


def aligning(find: Callable[[str], Path]) -> list[Row]:
    found = last_json("bench_alignment.py", str(find("names")), "--queries", "2000", "--only", "25000")
    return [
        {
            "measured": "matching 2,000 names to 25,000",
            "ours": f"{found['seconds']:.1f} s, {found['gb']:.2f} GB",
            "ratio": found["seconds"],
            "must reach": "< 60 s",
            "note": f"{found['cpu']:.1f} s of processor time, without an encoder",
        }
    ]


def threads(find: Callable[[str], Path]) -> list[Row]:
    import bench_threads

    own, ours = (bench_threads.in_own_process(name, 12) for name in ("the library's own", "GOMP_SPINCOUNT=3000"))
    return [
        {
            "measured": "a training step alone, against the library's own threads",
            "ours": f"{ours['alone']:.2f} s",
            "theirs": f"{own['alone']:.2f} s",
            "ratio": ours["alone"] / own["alone"],
            "must reach": "<= 1.1",
        },
        {
            "measured": "a training step beside one busy process, times as long as alone",
            "ours": f"{ours['beside']:.2f} s",
            "theirs": f"{own['beside']:.2f} s",
            "ratio": ours["beside"] / ours["alone"],
            "must reach": "<= 3.5",
            "note": f"the library's own: {own['beside'] / own['alone']:.1f} times",
        },
    ]


def starting(find: Callable[[str], Path]) -> list[Row]:
    commands = {
        "`bioft --help`": (["--help"], "< 0.5 s"),
        "`bioft align` of three names": (["align", "names.txt", "--namespace", "hpo", "--output", "{}.tsv"], "< 3 s"),
        "`bioft search` of one query among 500 terms": (["search", "terms", "short stature"], "< 3 s"),
        "`bioft predict` of one text": (["predict", str(RUN), "--text", "Naloxone reverses clonidine."], "< 3 s"),
    }
    rows = []
    with TemporaryDirectory() as folder:
        Path(folder, "names.txt").write_text("short stature\nseizures\nno such thing\n")
        texts = "".join(f'{{"id": "{n}", "text": "finding number {n} of the hand"}}\n' for n in range(500))
        Path(folder, "terms.jsonl").write_text(texts)
        bioft(folder, "index", "embedded:all-minilm-l6-v2", "terms.jsonl", "--output", "terms")
        for name, (words, target) in commands.items():
            seconds = min(bioft(folder, *(word.format(turn) for word in words)) for turn in range(3))
            row: Row = {"measured": name, "ours": f"{seconds:.2f} s", "ratio": seconds, "must reach": target}
            rows.append(row | {"note": "the shortest of three"})
    return rows


BENCHMARKS = {
    its.__name__: its
    for its in (
        scoring,
        training,
        encoder_training,
        training_in_company,
        tagging,
        encoding,
        packing,
        comparing,
        building,
        reading,
        aligning,
        threads,
        starting,
    )
}


def bioft(folder: str, *words: str) -> float:
    """The seconds that a command takes."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "bioft", *words], cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - started


def last_json(script: str, *words: str) -> dict[str, Any]:
    """What a benchmark in a process of its own prints last."""
    told = subprocess.run([sys.executable, str(HERE / script), *words], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(told.stdout.splitlines()[-1])


@contextmanager
def corpus(find: Callable[[str], Path]) -> Iterator[Path]:
    """The folder of BC5CDR's files."""
    found = find("bc5cdr")
    with TemporaryDirectory() as folder:
        if found.suffix == ".zip":
            shutil.unpack_archive(found, folder)
        yield next(Path(folder).rglob("CDR_TestSet.PubTator.txt"), found).parent


def finder(folder: Path) -> Callable[[str], Path]:
    """Where the data are: FileNotFoundError names what is not there."""

    def find(what: str) -> Path:
        for name in FILES[what]:
            for found in sorted(folder.rglob(name)):
                return found
        raise FileNotFoundError(f"{' or '.join(FILES[what])} below {folder}")

    return find


def reached(row: Row) -> bool:
    """Whether a row's figure is as good as its target."""
    sign, number = row["must reach"].split()[:2]
    return row["ratio"] >= float(number) if sign == ">=" else row["ratio"] <= float(number) * _unit(row)


def _unit(row: Row) -> float:
    return 0.01 if row["must reach"].endswith("%") else 1.0


def is_worse(row: Row, before: float) -> bool:
    """Whether a row's figure is worse than an earlier one by more than a third."""
    now = row["ratio"]
    return now * WORSE < before if row["must reach"].startswith(">=") else now > before * WORSE


def measure(names: Iterable[str], data: Path, failed: list[str]) -> list[Row]:
    """The rows of benchmarks, each measured in a process of its own; what failed is told."""
    rows: list[Row] = []
    for name in names:
        print(f"{name} …", file=sys.stderr, flush=True)
        words = [sys.executable, __file__, "--one", name, "--data", str(data)]
        told = subprocess.run(words, stdout=subprocess.PIPE, text=True)
        if told.returncode:
            failed.append(f"The benchmark {name} failed.")
            continue
        found = json.loads(told.stdout.splitlines()[-1])
        if isinstance(found, str):
            print(f"Left out: {name} needs {found}", file=sys.stderr)
        else:
            rows += found
    return rows


def main() -> None:
    """Measure, write the table, and fail where something became worse."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--only", nargs="*", choices=BENCHMARKS, default=list(BENCHMARKS))
    parser.add_argument("--one", choices=BENCHMARKS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        try:
            print("\n" + json.dumps(BENCHMARKS[args.one](finder(args.data)), default=float))
        except FileNotFoundError as error:
            print("\n" + json.dumps(str(error)))
        return
    machine = hardware()
    kept_to = f" kept to {level}" if (level := os.environ.get("ONEDNN_MAX_CPU_ISA")) else ""
    kind = f"{machine['cpu']}{kept_to}, {str(compute_dtype('auto')).removeprefix('torch.')}"
    before, worse, failed = _read().get(kind, {}), list[str](), list[str]()
    rows = measure(args.only, args.data.resolve(), failed)
    for row in rows:
        if (earlier := before.get(row["measured"])) is not None and is_worse(row, earlier["ratio"]):
            worse.append(f"{row['measured']}: {row['ratio']:.3g}, before {earlier['ratio']:.3g}")
    print(keep(rows, kind))
    if worse:
        failed.append("Worse than before by more than a third:\n" + "\n".join(worse))
    if failed:
        sys.exit("\n".join(failed))


def _read() -> dict[str, dict[str, Row]]:
    return json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {}


def as_kept(rows: Iterable[Row]) -> dict[str, Row]:
    """Rows by what was measured, each with whether it reached its target and the commit that it is of."""
    commit = (git_state()["git_commit"] or "unknown")[:10]
    return {row["measured"]: row | {"reached": "yes" if reached(row) else "no", "commit": commit} for row in rows}


def keep(rows: Iterable[Row], kind: str) -> str:
    """Write the rows of one kind of processor beside those kept before; returns the page."""
    kept = _read()
    kept[kind] = kept.get(kind, {}) | as_kept(rows)
    KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    RESULTS.write_text(text := as_text(kept), encoding="utf-8")
    return text


def as_text(kept: dict[str, dict[str, Row]]) -> str:
    """All rows as a page, those of each kind of processor as a table."""
    text = (
        "# Speed\n\nWritten by `make bench` alone (`python tests/benchmarks/run.py --data FOLDER`): ratios of two\n"
        "ways by turns on one machine with 2 cores, seconds where there is no other way. What was measured once, or\n"
        "by hand, is in [the notes](NOTES.md).\n"
    )
    for kind, rows in sorted(kept.items()):
        text += f"\n## {kind}\n\n| {' | '.join((*COLUMNS, 'commit')).capitalize()} |\n|{'---|' * (len(COLUMNS) + 1)}\n"
        for row in rows.values():
            cells = [f"{row['ratio']:.3g}" if name == "ratio" else str(row.get(name, "")) for name in COLUMNS]
            text += f"| {' | '.join([*cells, row['commit']])} |\n"
    if not any(name.startswith("llama3_8b") for rows in kept.values() for name in rows):
        text += (
            "\n## Llama 3 8B, Mistral 7B and Phi-3 mini on a GPU\n\nNot measured at full size.\n"
            "`python tests/gpu/check.py` does it on one GPU of 80 GB and writes its rows here.\n"
        )
    return text


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
