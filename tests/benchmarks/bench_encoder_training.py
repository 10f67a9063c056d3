"""Seconds of training an example by the encoders' recipes, with their settings and with the trainers' own.

    python tests/benchmarks/bench_encoder_training.py BC5CDR_FOLDER [--only mlm] [--before TREE]

Each recipe trains twice, some steps and more of them, in a process on one core; the difference is the time of the
steps in between, without what comes before and after. The trainers' own settings are float32, no fused optimizer, and
examples as they come, padded to the longest of a batch. With `--before` the same preset of another checkout of bioft
is timed in their place.
"""

import argparse
import gzip
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench_threads import NAMES

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = {"Training": 64, "Development": 8, "Test": 8}
"""How many documents of each of the corpus's sets are taken: the whole takes hours."""
EPOCHS, STEPS = ("num_train_epochs", 1, 3), ("max_steps", 4, 24)
RECIPES: dict[str, tuple[str, tuple[str, int, int], float, tuple[str, ...]]] = {
    "token_classification": ("bc5cdr", EPOCHS, 1.5, ("--train_on=train",)),
    "sequence_classification": ("bc5cdr", EPOCHS, 1.5, ()),
    "joint_ner_re": ("bc5cdr", EPOCHS, 1.5, ()),
    "text_classification": ("default", EPOCHS, 1.5, ()),
    "contrastive": ("default", STEPS, 1.5, ("--hard_negatives=0",)),
    "mlm": ("default", STEPS, 1.3, ()),
}
"""The preset of each recipe, how long it trains, how many times as fast it must be, and further options."""
PLAIN = ("--dtype=float32", "--optim=adamw_torch", "--train_sampling_strategy=random")


ONE_THREAD = {"OMP_NUM_THREADS": "1"}
Seconds = tuple[float, float]
"""Of the processor, and of the clock."""


def seconds(tree: Path, recipe: str, words: tuple[str, ...], policy: dict[str, str]) -> Seconds:
    """The time of one run of a recipe of a checkout, under a policy of threads."""
    environment = {key: its for key, its in os.environ.items() if key not in NAMES}
    environment |= {"PYTHONPATH": str(tree), "HF_HUB_OFFLINE": "1"} | policy
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with TemporaryDirectory() as folder:
        command = [sys.executable, f"recipes/{recipe}.py", *words, f"--output_dir={folder}/run", "--report_to=none"]
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{recipe} of {tree} failed:\n{done.stdout[-500:]}{done.stderr[-3000:]}")
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def training(
    tree: Path, recipe: str, folder: str, words: tuple[str, ...] = (), policy: dict[str, str] = ONE_THREAD
) -> Seconds:
    """The time of the steps between the shorter and the longer training, with the preset's words and these."""
    preset, (option, few, more), _, _ = RECIPES[recipe]
    usual = [f"--config=recipes/configs/{recipe}/{preset}.yaml"]
    usual += [f"--dataset={folder}/{tree.name}"] if preset == "bc5cdr" else []
    short, long = (seconds(tree, recipe, (*usual, *words, f"--{option}={each}"), policy) for each in (few, more))
    return long[0] - short[0], long[1] - short[1]


def build(tree: Path, corpus: Path, folder: str) -> None:
    """Write the dataset that recipes of a checkout read in a folder, of the beginning of the corpus."""
    files = [str(shortened(corpus, name, count, Path(folder))) for name, count in DOCUMENTS.items()]
    words = ["build", "pubtator", *files, "--output", f"{folder}/{tree.name}"]
    environment = os.environ | {"PYTHONPATH": str(tree)}
    subprocess.run([sys.executable, "-m", "bioft", *words], check=True, env=environment, stdout=subprocess.DEVNULL)


def measure(corpus: Path, only: tuple[str, ...] = (), before: Path | None = None) -> list[dict[str, Any]]:
    """A row for each recipe: ours, theirs, and how many times as fast."""
    rows = []
    with TemporaryDirectory() as folder:
        for tree in {ROOT, before or ROOT}:
            build(tree, corpus, folder)
        for recipe in only or RECIPES:
            preset, (option, few, more), target, further = RECIPES[recipe]
            ours, _ = training(ROOT, recipe, folder, further)
            usual = (before, ()) if before else (ROOT, (*further, *PLAIN))
            theirs, _ = training(usual[0], recipe, folder, usual[1])
            rows.append(
                {
                    "measured": f"training, {recipe} {preset}, against {'before' if before else 'plain settings'}",
                    "ours": f"{ours:.1f} s",
                    "theirs": f"{theirs:.1f} s",
                    "ratio": theirs / ours,
                    "must reach": f">= {target}",
                    "note": f"processor time of {option} {few} to {more}, one thread",
                }
            )
            print(json.dumps(rows[-1]), flush=True)
    return rows


def shortened(corpus: Path, name: str, count: int, folder: Path) -> Path:
    """The first documents of one of the corpus's files, as a file."""
    (path,) = corpus.glob(f"CDR_{name}Set.PubTator.txt*")
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as lines:
        documents = lines.read().strip().split("\n\n")[:count]
    (written := folder / f"{name}.pubtator").write_text("\n\n".join(documents) + "\n", encoding="utf-8")
    return written


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--only", nargs="*", choices=RECIPES, default=[])
    parser.add_argument("--before", type=Path)
    args = parser.parse_args()
    measure(args.corpus, tuple(args.only), args.before)
