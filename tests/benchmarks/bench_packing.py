"""Packing texts for masked-language-model training: padding, real tokens per second, and memory on a large corpus.

    python tests/benchmarks/bench_packing.py                                   # padding and speed, HPO definitions
    python tests/benchmarks/bench_packing.py --trials FOLDER                   # the same on trial files
    python tests/benchmarks/bench_packing.py --trials FOLDER --corpus 435000   # that many made by repetition, memory

Both ways of training get batches by turns in one process: forward and backward of the whole model, in seconds of the
processor, which other programs on the machine disturb less. The usual way is that of Transformers' example scripts:
one text a row, cut at and padded to the length of a block, and the head over every token.
"""

import argparse
import json
import os
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import torch
from datasets import Dataset
from transformers import AutoModelForMaskedLM, DataCollatorForLanguageModeling, set_seed

from bioft.datasets.hpo import terms as hpo_terms
from bioft.datasets.trials import texts as trial_texts
from bioft.datasets.trials.records import read_trials, trial_text
from bioft.models import base as models
from bioft.tasks.masked_lm import models as masked_models, packing
from bioft.tasks.masked_lm.masking import collator_for
from bioft.tasks.masked_lm.models import use_masked_head

ROWS = 8
BASE = "embedded:all-minilm-l6-v2"


def measure(trials: Path | None, turns: int) -> list[dict[str, Any]]:
    """Rows of the results table: padding, and speed against the usual way."""
    base = models.resolve_base_model(BASE)
    set_seed(0)
    length = 256 if trials else 128
    dataset, _ = trial_texts.build(trials) if trials else hpo_terms.build_definitions()
    texts = dataset["train"]
    sparse, tokenizer, _ = masked_models.load_masked_lm(base, length)
    full = AutoModelForMaskedLM.from_pretrained(base.path, attention_probs_dropout_prob=0.0)
    full.load_state_dict(sparse.state_dict())
    use_masked_head(sparse)
    blocks = packing.pack_texts(texts, tokenizer, length)
    batches = {
        "bioft": packed_batches(blocks, collator_for(sparse, tokenizer)),
        "usual": padded_batches(texts, DataCollatorForLanguageModeling(tokenizer), length),
    }
    seconds, tokens, padding = ({way: 0.0 for way in batches} for _ in range(3))
    for turn in range(turns + 1):
        for way, model in (("bioft", sparse), ("usual", full)):
            batch, real = next(batches[way])
            started = time.process_time()
            model(**batch).loss.backward()
            model.zero_grad()
            if turn:  # the first turn warms up
                seconds[way] += time.process_time() - started
                tokens[way] += real
                padding[way] += batch["input_ids"].numel() - real
    speed = {way: tokens[way] / seconds[way] for way in batches}
    what = "trials" if trials else "HPO definitions"
    share = packing.padding_share(blocks, length)
    return [
        {
            "measured": f"padding, {len(texts):,} {what} in blocks of {length}",
            "ours": f"{share:.2%}",
            "theirs": f"{padding['usual'] / (padding['usual'] + tokens['usual']):.1%}",
            "ratio": share,
            "must reach": "< 2 %",
            "note": f"{sum(blocks['length']):,} tokens in {len(blocks):,} blocks; nothing is cut off",
        },
        {
            "measured": f"training on {what}, against one text padded per row",
            "ours": f"{speed['bioft']:,.0f} tokens/s",
            "theirs": f"{speed['usual']:,.0f} tokens/s",
            "ratio": speed["bioft"] / speed["usual"],
            "must reach": ">= 2",
            "note": f"{turns} batches of {ROWS} rows each, real tokens per second of processor time, "
            f"{torch.get_num_threads()} thread(s)",
        },
    ]


def packed_batches(blocks: Dataset, collator: Any) -> Iterator[tuple[dict[str, Any], int]]:
    """Random packed blocks as batches, and how many real tokens each has."""
    blocks = blocks.shuffle(seed=0)
    for start in range(0, len(blocks) - ROWS, ROWS):
        rows = [blocks[number] for number in range(start, start + ROWS)]
        yield collator(rows), sum(row["length"] for row in rows)


def padded_batches(texts: Dataset, collator: Any, length: int) -> Iterator[tuple[dict[str, Any], int]]:
    """The usual way: random texts, each cut at and padded to the same length."""
    texts = texts.shuffle(seed=0)
    for start in range(0, len(texts) - ROWS, ROWS):
        rows = collator.tokenizer(
            texts[start : start + ROWS]["text"], truncation=True, max_length=length, padding="max_length"
        )
        batch = collator([{key: values[row] for key, values in rows.items()} for row in range(ROWS)])
        yield dict(batch), int(batch["attention_mask"].sum())


def large_corpus(trials: Path, count: int) -> dict[str, Any]:
    """Write `count` records made of real ones by repetition with changes, then clean, tokenise and pack them."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BIOFT_CACHE"] = folder
        path = Path(folder) / "trials.jsonl"
        write_corpus(trials, count, path)
        tokenizer = masked_models.load_masked_lm(models.resolve_base_model(BASE), 256)[1]
        peak = PeakMemory()
        with peak:
            started = time.perf_counter()
            cpu = time.process_time()
            dataset, manifest = trial_texts.build(path)
            built = time.perf_counter() - started
            blocks = packing.pack_texts(dataset["train"], tokenizer, 256)
            seconds = time.perf_counter() - started
        return {
            "trials": count,
            "megabytes_read": path.stat().st_size // 10**6,
            "groups": manifest["split"]["groups"],
            "tokens": sum(blocks["length"]),
            "padding": round(packing.padding_share(blocks, 256), 5),
            "seconds": round(seconds),
            "seconds_to_build": round(built),
            "processor_seconds": round(time.process_time() - cpu),
            "megabytes_before": peak.first // 10**6,
            "megabytes_peak": peak.highest // 10**6,
        }


def write_corpus(trials: Path, count: int, path: Path) -> None:
    """Records of the API, one a line; every paragraph gets a word of its own, so that no two texts are alike."""
    rng = random.Random(0)
    texts = [text for trial in read_trials(trials) if (text := trial_text(trial))]
    with path.open("w", encoding="utf-8") as stream:
        for number in range(count):
            lines = texts[number % len(texts)].split("\n")
            changed = [f"{line} {''.join(rng.choices('abcdefghijklmnop', k=8))}" if line else line for line in lines]
            section = {
                "identificationModule": {"nctId": f"NCT{number:08d}", "briefTitle": changed[0]},
                "descriptionModule": {"briefSummary": "\n".join(changed[1:])},
            }
            stream.write(json.dumps({"protocolSection": section}, ensure_ascii=False) + "\n")


class PeakMemory:
    """The highest memory of this process without what it shares with files (mapped files can be dropped any time)."""

    def __enter__(self) -> None:
        self.first = self.highest = self.now()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()

    def watch(self) -> None:
        """Look every tenth of a second."""
        while not self.ended.wait(0.1):
            self.highest = max(self.highest, self.now())

    @staticmethod
    def now() -> int:
        """Bytes."""
        found = psutil.Process().memory_info()
        return found.rss - found.shared


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=Path, help="file, zip file or folder of trials")
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--corpus", type=int, help="clean, tokenise and pack so many trials instead")
    arguments = parser.parse_args()
    if arguments.corpus:
        print(large_corpus(arguments.trials, arguments.corpus))
    else:
        for row in measure(arguments.trials, arguments.turns):
            print(row)
