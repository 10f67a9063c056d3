"""A training step alone and beside one busy process, under policies of how threads wait for each other.

    python tests/benchmarks/bench_threads.py [--seconds 12] [--recipes BC5CDR_FOLDER]

A LoRA step of SmolLM2-135M on 16 texts of 20 tokens in float32, its median over so many seconds, at least three steps;
each policy in a process of its own, which then starts a loop that keeps one core busy. `bioft.threads` sets what pays.
With `--recipes` the encoders' recipes train instead, as in bench_encoder_training.py but by the clock, with what bioft
sets and with each policy alone, and with the former beside the loop.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

POLICIES: dict[str, dict[str, str]] = {
    "the library's own": {"OMP_PROC_BIND": "false"},  # its default, which tells bioft to set nothing
    "GOMP_SPINCOUNT=30000": {"GOMP_SPINCOUNT": "30000"},
    "GOMP_SPINCOUNT=3000": {"GOMP_SPINCOUNT": "3000"},
    "GOMP_SPINCOUNT=300": {"GOMP_SPINCOUNT": "300"},
    "OMP_WAIT_POLICY=PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
    "OMP_NUM_THREADS=1": {"OMP_NUM_THREADS": "1"},
}
COMPARED = ("the library's own", "OMP_WAIT_POLICY=PASSIVE", "OMP_NUM_THREADS=1")
"""With what bioft sets, where whole recipes train."""
NAMES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_NUM_THREADS", "OMP_PROC_BIND")


def measure_one(seconds: float) -> dict[str, float]:
    """Seconds of a step alone and beside a busy process, in this process."""
    import torch
    from peft import LoraConfig, get_peft_model

    from bioft.models import base as models

    found = models.resolve_base_model("embedded:smollm2-135m-instruct")
    model, tokenizer = models.load_causal_lm(found, None, torch.float32)
    model = get_peft_model(model, LoraConfig(target_modules="all-linear", task_type="CAUSAL_LM"))
    optimizer = torch.optim.AdamW([each for each in model.parameters() if each.requires_grad], lr=1e-4)
    ids = torch.randint(len(tokenizer), (16, 20), generator=torch.Generator().manual_seed(0))

    def step() -> float:
        begun = time.perf_counter()
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return time.perf_counter() - begun

    def median() -> float:
        times, begun = [], time.perf_counter()
        while len(times) < 3 or time.perf_counter() - begun < seconds:
            times.append(step())
        return statistics.median(times)

    step()
    alone = median()
    with busy():
        return {"alone": alone, "beside": median()}


@contextmanager
def busy() -> Iterator[None]:
    """A loop in a process of its own."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as loop:
        try:
            yield
        finally:
            loop.kill()


def measure_recipes(corpus: Path) -> list[dict[str, Any]]:
    """Two rows for each recipe of an encoder: alone against the best policy, and beside a busy process."""
    import bench_encoder_training as encoders

    rows: list[dict[str, Any]] = []
    with TemporaryDirectory() as folder:
        encoders.build(encoders.ROOT, corpus, folder)

        def seconds(recipe: str, policy: dict[str, str]) -> float:
            words = encoders.RECIPES[recipe][3]
            return encoders.training(encoders.ROOT, recipe, folder, words, policy)[1]

        for recipe in encoders.RECIPES:
            ours = seconds(recipe, {})
            others = {name: seconds(recipe, policy) for name, policy in POLICIES.items() if name in COMPARED}
            with busy():
                beside = seconds(recipe, {})
            best = min(others, key=lambda name: others[name])
            found = (
                ("alone, against the best policy", ours, f"{others[best]:.1f} s", ours / others[best], "<= 1.1", best),
                ("beside one busy process, times as long as alone", beside, "", beside / ours, "<= 3.5", ""),
            )
            rows += [
                {"measured": f"training, {recipe}, {what}", "ours": f"{its:.1f} s", "theirs": theirs, "ratio": ratio}
                | {"must reach": target, "note": note}
                for what, its, theirs, ratio, target, note in found
            ]
            print(*rows[-2:], sep="\n", file=sys.stderr, flush=True)
    return rows


def in_own_process(policy: str, seconds: float) -> dict[str, float]:
    """`measure_one` in a new process under a policy."""
    environment = {key: its for key, its in os.environ.items() if key not in NAMES} | POLICIES[policy]
    words = [sys.executable, __file__, "--one", "--seconds", str(seconds)]
    told = subprocess.run(words, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(told.splitlines()[-1])


def main() -> None:
    """Print a row for each policy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=12)
    parser.add_argument("--recipes", type=Path, help="folder of BC5CDR")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--only", nargs="*", help="beginnings of policies", default=[""])
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure_one(args.seconds)))
        return
    if args.recipes:
        measure_recipes(args.recipes)
        return
    print("| Policy | Step alone | Beside one busy process | Times |\n|---|---|---|---|")
    for name in POLICIES:
        if not name.startswith(tuple(args.only)):
            continue
        found = in_own_process(name, args.seconds)
        times = found["beside"] / found["alone"]
        print(f"| {name} | {found['alone']:.2f} s | {found['beside']:.2f} s | {times:.1f} |", flush=True)


if __name__ == "__main__":
    main()
