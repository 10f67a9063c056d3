"""Pairs trained per second: the default preset without context, the published settings, and a bare SFTTrainer.

    python tests/benchmarks/bench_training.py [--steps 8]
    python tests/benchmarks/bench_training.py --auroc-pairs 640
    python tests/benchmarks/bench_training.py --encoder 16x192 16x32 4x64

Published settings (BioAlign-QLoRA): Alpaca prompt, every example padded to 128 tokens, batch 2 with 4 accumulated.
The second command trains both on as many pairs and compares the AUROC on the validation split; that takes long. The
third times steps of a tagger in float32 and in bfloat16, by turns, in processor seconds of one thread.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from peft import LoraConfig
from transformers import AutoModelForTokenClassification
from trl import SFTTrainer

from bioft.datasets.load import load_or_build
from bioft.metrics import intervals
from bioft.models import base as models, lora
from bioft.models.arguments import LanguageModelArguments, TrainingArguments
from bioft.tasks.gene_disease import predict as prediction
from bioft.tasks.gene_disease.arguments import GeneDiseaseArguments, PromptArguments
from bioft.tasks.gene_disease.prompts import PairPrompts
from bioft.training import arguments

GROUPS = (PromptArguments, GeneDiseaseArguments, LanguageModelArguments, TrainingArguments)
RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "sft_gda.py"
PUBLISHED = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4, "pad_to_multiple_of": 128}


def trainer_for(style: str, folder: str, n_pairs: int, **settings: Any) -> tuple[SFTTrainer, PairPrompts, Any]:
    """A bare SFTTrainer with the default preset's model and adapter, on the first `n_pairs` training pairs."""
    options = [f"--{key}={value}" for key, value in settings.items()]
    _, data, model_args, training, _ = arguments.parse("sft_gda", GROUPS, [f"--output_dir={folder}", *options])
    training.report_to, training.save_strategy, training.max_steps, training.num_train_epochs = [], "no", -1, 1
    dataset, _ = load_or_build(**vars(data))
    base = models.resolve_base_model(model_args.model_name_or_path)
    model, tokenizer = models.load_causal_lm(base, models.nf4())
    prompts = PairPrompts(style, tokenizer)
    train = dataset["train"].select(range(n_pairs))
    trainer = SFTTrainer(
        model=model,
        args=training,
        train_dataset=train.map(prompts.example, remove_columns=train.column_names),
        processing_class=tokenizer,
        peft_config=LoraConfig(
            r=model_args.lora_r,
            lora_alpha=model_args.lora_alpha,
            lora_dropout=model_args.lora_dropout,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        ),
    )
    lora.keep_adapter_in_float32(trainer.model)
    return trainer, prompts, dataset


def train(style: str, n_pairs: int, **settings: Any) -> float:
    """Pairs per second."""
    with TemporaryDirectory() as folder:
        trainer, *_ = trainer_for(style, str(Path(folder) / "run"), n_pairs, **settings)
        started = time.perf_counter()
        trainer.train()
        return n_pairs / (time.perf_counter() - started)


def validation_scores(style: str, n_pairs: int, **settings: Any) -> tuple[list[int], np.ndarray]:
    """Labels and scores of the validation pairs after training on `n_pairs`."""
    with TemporaryDirectory() as folder:
        trainer, prompts, dataset = trainer_for(style, str(Path(folder) / "run"), n_pairs, **settings)
        trainer.train()
        rows = dataset["validation"]
        return rows["label"], prediction.score_pairs(trainer.model, prompts, rows)


def recipe_speed(folder: Path, n_pairs: int) -> float:
    """Seconds that the recipe itself reports for training on as many pairs, with the same settings."""
    command = [sys.executable, str(RECIPE), "--output_dir", str(folder / "run"), "--max_train_pairs", str(n_pairs)]
    # The other two read no context: a prompt with it is twice as long.
    options = [
        "--context=none",
        "--max_steps=-1",
        "--num_train_epochs=1",
        "--test_size=0.01",
        "--validation_size=0.01",
        "--report_to=none",
    ]
    subprocess.run([*command, *options, "--save_strategy=no"], check=True, capture_output=True, cwd=RECIPE.parents[1])
    training = json.loads((folder / "run" / "run.json").read_text())["training"]
    return training["examples_per_second"]


def compare_auroc(n_pairs: int) -> dict[str, object]:
    """Validation AUROC after training on as many pairs, with the paired difference."""
    labels, ours = validation_scores("plain", n_pairs, validation_size=0.1)
    _, theirs = validation_scores("alpaca", n_pairs, validation_size=0.1, **PUBLISHED)
    found = intervals.paired(labels, ours, theirs, metric="auroc")
    return {
        "pairs": n_pairs,
        "ours": intervals.measured(labels, ours).estimates["auroc"].value,
        "theirs": intervals.measured(labels, theirs).estimates["auroc"].value,
        "difference": found._asdict(),
        "n": len(labels),
    }


def encoder_row(shape: str, turns: int = 7) -> dict[str, object]:
    """A training step of MiniLM with a head for tags on so many texts of so many tokens, in both types."""
    torch.set_num_threads(1)
    rows, tokens = map(int, shape.split("x"))
    base = models.resolve_base_model("embedded:all-minilm-l6-v2")
    ids, labels = torch.randint(1000, 20_000, (rows, tokens)), torch.randint(0, 5, (rows, tokens))

    def stepper(in_16_bits: bool) -> Callable[[], float]:
        tags = dict(enumerate("OABCD"))
        model, _ = models.load_encoder(base, AutoModelForTokenClassification, id2label=tags)
        optimizer = torch.optim.AdamW(model.train().parameters(), lr=1e-5, fused=True)
        model.set_attn_implementation("eager" if in_16_bits else "sdpa")  # as `precision.trained`

        def step() -> float:
            started = time.process_time()
            with torch.autocast("cpu", torch.bfloat16, enabled=in_16_bits):
                loss = model(input_ids=ids, labels=labels).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            return time.process_time() - started

        return step

    exact, coarse = stepper(False), stepper(True)
    seconds = np.array([(exact(), coarse()) for _ in range(turns + 1)])[1:]
    return {
        "measured": f"a training step of an encoder in bfloat16, against float32, {rows} texts of {tokens} tokens",
        "ours": f"{np.median(seconds[:, 1]):.3f} s",
        "theirs": f"{np.median(seconds[:, 0]):.3f} s",
        "ratio": float(np.median(seconds[:, 0] / seconds[:, 1])),
        "must reach": ">= 1.5",
        "note": f"processor time of one thread, {turns} turns",
    }


def measure(steps: int) -> list[dict[str, object]]:
    """Rows of the results table."""
    with TemporaryDirectory() as folder:
        ours = recipe_speed(Path(folder), 16 * steps)
    bare = train("plain", 16 * steps, test_size=0.01, validation_size=0.01)
    theirs = train("alpaca", 8 * max(1, steps // 2), **PUBLISHED)
    return [
        {
            "measured": "training against the published settings",
            "ours": f"{ours:.2f} pairs/s",
            "theirs": f"{theirs:.2f} pairs/s",
            "ratio": ours / theirs,
            "must reach": ">= 8",
            "note": f"{16 * steps} pairs ours, {8 * max(1, steps // 2)} theirs",
        },
        {
            "measured": "time of the recipe's training over a bare SFTTrainer, same settings and pairs",
            "ours": f"{ours:.2f} pairs/s",
            "theirs": f"{bare:.2f} pairs/s",
            "ratio": bare / ours,
            "must reach": "<= 1.02",
            "note": f"{16 * steps} pairs each",
        },
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--auroc-pairs", type=int, default=0)
    parser.add_argument("--encoder", nargs="+", metavar="TEXTSxTOKENS", help="instead: steps of an encoder")
    parsed = parser.parse_args()
    if parsed.encoder:
        for shape in parsed.encoder:
            print(encoder_row(shape))
        sys.exit()
    for row in [compare_auroc(parsed.auroc_pairs)] if parsed.auroc_pairs else measure(parsed.steps):
        print(row)
