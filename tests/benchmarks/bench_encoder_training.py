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
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

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


def seconds(tree: Path, recipe: str, words: tuple[str, ...]) -> float:
    """Processor seconds of one run of a recipe of a checkout, on one thread."""
    environment = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with TemporaryDirectory() as folder:
        command = [sys.executable, f"recipes/{recipe}.py", *words, f"--output_dir={folder}/run", "--report_to=none"]
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{recipe} of {tree} failed:\n{done.stdout[-500:]}{done.stderr[-3000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def training(tree: Path, recipe: str, folder: str, words: tuple[str, ...]) -> float:
    """Processor seconds of the steps between the shorter and the longer training."""
    _, (option, few, more), _, _ = RECIPES[recipe]
    words = tuple(word.format(f"{folder}/{tree.name}") for word in words)
    short, long = (seconds(tree, recipe, (*words, f"--{option}={each}")) for each in (few, more))
    return long - short


def measure(corpus: Path, only: tuple[str, ...] = (), before: Path | None = None) -> list[dict[str, Any]]:
    """A row for each recipe: ours, theirs, and how many times as fast."""
    rows = []
    with TemporaryDirectory() as folder:
        files = [shortened(corpus, name, count, Path(folder)) for name, count in DOCUMENTS.items()]
        for tree in {ROOT, before or ROOT}:
            command = [
                sys.executable,
                "-m",
                "bioft",
                "build",
                "pubtator",
                *map(str, files),
                "--output",
                f"{folder}/{tree.name}",
            ]
            subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(tree)}, stdout=subprocess.DEVNULL)
        for recipe in only or RECIPES:
            preset, (option, few, more), target, further = RECIPES[recipe]
            words = (
                f"--config=recipes/configs/{recipe}/{preset}.yaml",
                *(["--dataset={}"] if preset == "bc5cdr" else []),
            )
            ours = training(ROOT, recipe, folder, (*words, *further))
            usual = (before, words) if before else (ROOT, (*words, *further, *PLAIN))
            theirs = training(usual[0], recipe, folder, usual[1])
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
