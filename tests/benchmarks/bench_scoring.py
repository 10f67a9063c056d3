"""Pairs scored per second: the published way, batched generation, and ours, on one model in one run.

    python tests/benchmarks/bench_scoring.py [--pairs 1000] [--dtype float32]

The three go by turns, since a shared machine is faster in one minute than in the next. The published way, by the pair,
scores some 256 of the pairs, a share in each turn, and the others all of them each time: a file of pairs is what they
sort by length, or by what its prompts have in common.

The published way (BioAlign-QLoRA) calls `generate()` for five new tokens, one pair at a time, and reads a word.
Prompts are its own: 52 shared tokens and about 20 of the pair.
"""

import argparse
import time
from typing import Any

import numpy as np
import torch

from bioft.datasets.hpo import gene_disease as hpo
from bioft.models import base as models, scoring
from bioft.tasks.gene_disease.prompts import PairPrompts

TURNS = 2
"""How often each way has its turn."""
PUBLISHED = 256
"""Pairs that the published way scores, in all turns together."""


def measure(n_pairs: int, dtype: str = "auto") -> list[dict[str, object]]:
    """Rows of the results table: what was measured, the ratio and what it must reach."""
    base = models.resolve_base_model("embedded:smollm2-135m-instruct")
    model, tokenizer = models.load_causal_lm(base, None, models.compute_dtype(dtype))
    model.eval()
    dataset, _ = hpo.build()
    rows = dataset["test"].select(range(n_pairs))
    prompts = PairPrompts("alpaca", tokenizer)
    token_ids = prompts.token_ids(rows["gene"], rows["disease"])
    answers = [tokenizer(text)["input_ids"][0] for text in (prompts.style.positive, prompts.style.negative)]
    scores = np.zeros(n_pairs)
    # The untuned model mostly begins with another word, so what is compared is which answer generate() finds likelier.
    options = {"do_sample": False, "return_dict_in_generate": True, "output_logits": True}

    def likelier(output: Any) -> list[bool]:
        first_word = output.logits[0][:, answers]
        return (first_word[:, 0] >= first_word[:, 1]).tolist()

    step = max(1, n_pairs // PUBLISHED)

    def published(turn: int) -> list[bool]:
        return [
            answer
            for ids in token_ids[turn * step :: TURNS * step]
            for answer in likelier(model.generate(torch.tensor([ids]), max_new_tokens=5, **options))
        ]

    def batched() -> list[bool]:
        found = []
        for start in range(0, n_pairs, 32):
            batch = tokenizer.pad(
                {"input_ids": token_ids[start : start + 32]}, padding_side="left", return_tensors="pt"
            )
            found += likelier(model.generate(**batch, max_new_tokens=1, **options))
        return found

    def ours() -> np.ndarray:
        scores[:] = scoring.score(model, tokenizer, token_ids, prompts.style.positive, prompts.style.negative)
        return scores >= 0.5

    says_true = {name: np.zeros(n_pairs, dtype=bool) for name in ("published", "batched", "ours")}
    seconds = dict.fromkeys(says_true, 0.0)
    for turn in range(TURNS):
        started = time.perf_counter()
        says_true["published"][turn * step :: TURNS * step] = published(turn)
        seconds["published"] += time.perf_counter() - started
        for name, score in (("batched", batched), ("ours", ours)):
            started = time.perf_counter()
            says_true[name][:] = score()
            seconds[name] += (time.perf_counter() - started) / TURNS
    asked = {name: np.arange(0, n_pairs, step if name == "published" else 1) for name in says_true}
    rates = {name: len(asked[name]) / seconds[name] for name in says_true}
    computed_in = str(model.dtype).removeprefix("torch.")
    table = []
    for name, target in (("published", 20.0 if computed_in == "bfloat16" else 12.0), ("batched", 3.5)):
        agree = says_true[name][asked[name]] == says_true["ours"][asked[name]]
        # In bfloat16 generate() rounds its logits, so that the untuned model's near-ties may fall either way.
        furthest = np.abs(scores[asked[name]][~agree] - 0.5).max(initial=0)
        table.append(
            {
                "measured": f"scoring against {name} generate()",
                "ours": f"{rates['ours']:.1f} pairs/s",
                "theirs": f"{rates[name]:.1f} pairs/s",
                "ratio": rates["ours"] / rates[name],
                "must reach": f">= {target}",
                "note": f"{n_pairs:,} pairs in {computed_in}, {len(agree):,} by theirs; "
                f"the same answer in {agree.sum():,}, "
                f"the others within {furthest:.3f} of .5; {says_true['ours'].sum():,} true",
            }
        )
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--dtype", choices=["auto", "bfloat16", "float32"], default="auto")
    parsed = parser.parse_args()
    for row in measure(parsed.pairs, parsed.dtype):
        print(row)
