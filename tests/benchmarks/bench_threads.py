"""A training step alone and beside one busy process, under policies of how threads wait for each other.

    python tests/benchmarks/bench_threads.py [--seconds 12]

A LoRA step of SmolLM2-135M on 16 texts of 20 tokens in float32, its median over so many seconds, at least three steps;
each policy in a process of its own, which then starts a loop that keeps one core busy. `bioft.threads` sets what pays.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

POLICIES: dict[str, dict[str, str]] = {
    "the library's own": {"OMP_PROC_BIND": "false"},  # its default, which tells bioft to set nothing
    "GOMP_SPINCOUNT=30000": {"GOMP_SPINCOUNT": "30000"},
    "GOMP_SPINCOUNT=3000": {"GOMP_SPINCOUNT": "3000"},
    "GOMP_SPINCOUNT=300": {"GOMP_SPINCOUNT": "300"},
    "OMP_WAIT_POLICY=PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
    "OMP_NUM_THREADS=1": {"OMP_NUM_THREADS": "1"},
}
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
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            return {"alone": alone, "beside": median()}
        finally:
            busy.kill()


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
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--only", nargs="*", help="beginnings of policies", default=[""])
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure_one(args.seconds)))
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
