"""Llama 3 8B, Mistral 7B and Phi-3 mini at full size on one GPU: random weights, a tokenizer made here, no network.

    python tests/gpu/check.py                              # 80 GB of a GPU, 40 GB of disk; writes RESULTS.md
    python tests/gpu/check.py --tiny --presets phi3_mini   # two small layers, on any machine: does the check work?

Each preset of `sft_gda` trains its recipe with its own settings on 600 pairs of HPO: it is killed at a step past a
checkpoint and goes on, and its loss must fall. The adapter is loaded again on the base model and must score the test
pairs as the record says. Then a bare TRL script with the published settings (BioAlign-QLoRA: Alpaca prompt, padded to
128 tokens, batches of 2, 4 of them accumulated) trains the same adapter, the published `generate()` answers pairs one
by one, and each kind of attention that is installed trains with packing and without. Random weights need the memory
and the time of real ones, and learn less.
"""

import argparse
import importlib.util
import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / "recipes" / "sft_gda.py"
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "benchmarks")]

_LAYERS = {"num_hidden_layers": 32, "num_attention_heads": 32}
FULL: dict[str, dict[str, Any]] = {
    "llama3_8b": _LAYERS
    | {"vocab_size": 128_256, "hidden_size": 4096, "intermediate_size": 14_336, "num_key_value_heads": 8}
    | {"max_position_embeddings": 8192},
    "mistral_7b": _LAYERS
    | {"vocab_size": 32_768, "hidden_size": 4096, "intermediate_size": 14_336, "num_key_value_heads": 8}
    | {"max_position_embeddings": 32_768, "sliding_window": None},
    "phi3_mini": _LAYERS
    | {"vocab_size": 32_064, "hidden_size": 3072, "intermediate_size": 8192, "num_key_value_heads": 32}
    | {"max_position_embeddings": 4096, "sliding_window": 2047},
}
"""As the models' own config.json: meta-llama/Meta-Llama-3-8B-Instruct, mistralai/Mistral-7B-Instruct-v0.3,
microsoft/Phi-3-mini-4k-instruct."""
VOCABULARY = 20_000
PUBLISHED: dict[str, Any] = {
    "per_device_train_batch_size": 2,
    "gradient_accumulation_steps": 4,
    "pad_to_multiple_of": 128,
}
OPTIONS = {"validation_size": 0.2, "test_size": 0.2, "logging_steps": 2, "warmup_steps": 2, "report_to": "none"}
"""What differs from the presets, beside the steps: little data."""
Row = dict[str, Any]


class Amount(NamedTuple):
    """How much is trained: associations, as many negatives; steps of the recipe; batches of what is compared."""

    associations: int = 500
    steps: int = 30
    saved: int = 10
    killed: int = 14
    batches: int = 8
    learning_rate: float | None = None


SMALL = Amount(associations=120, steps=8, saved=3, killed=4, batches=1, learning_rate=0.01)


def write_pairs(path: Path, n: int) -> list[str]:
    """Write associations of HPO in the layout of CTD's file; returns the names of genes and diseases."""
    from bioft.datasets.hpo import gene_disease as hpo

    pairs = hpo.build()[0]["train"].filter(lambda row: row["label"] == 1).select(range(n))
    lines = ["# Report created: Wed Aug 27 14:25:10 EDT 2025", "# Fields:"]
    lines.append("# GeneSymbol,GeneID,DiseaseName,DiseaseID,DirectEvidence,OmimIDs,PubMedIDs")
    for number, row in enumerate(pairs):
        gene, disease = (str(row[f"{side}_id"]).rpartition(":")[2] for side in ("gene", "disease"))
        name = row["disease"].replace('"', "'")
        lines.append(f'{row["gene"]},{gene},"{name}",MESH:D{int(disease):06},marker/mechanism,,{number + 1}')
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [*pairs["gene"], *pairs["disease"]]


def write_base(folder: Path, preset: str, names: Sequence[str], tiny: bool) -> Path:
    """Write a model of the preset's size with random weights in 16 bits, made on the GPU if there is one."""
    import torch

    from bioft.models import base as models
    from bioft.tasks.gene_disease.prompts import STYLES
    from tests import tiny as small

    words = [text for style in STYLES.values() for text in (style.template, style.system or "")]
    kept = torch.get_default_dtype()
    torch.set_default_dtype(models.compute_dtype("auto"))
    try:
        with torch.device(models.local_device()):
            size = {} if tiny else FULL[preset]
            corpus = [*names, *words]
            small.write_model(folder, small.PRESETS[preset], corpus=corpus, vocabulary=VOCABULARY, **size)
    finally:
        torch.set_default_dtype(kept)
    torch.cuda.empty_cache()
    return folder


def recipe(words: Sequence[str], kill_at: int = 0) -> float:
    """Run the recipe in a process of its own, or until it is killed at a step; the GB that it took on the GPU."""
    command = [sys.executable, __file__, "--recipe", str(kill_at), *words]
    ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
    if ran.returncode != (-signal.SIGKILL if kill_at else 0):
        raise SystemExit(f"The recipe ended with {ran.returncode}:\n{ran.stdout[-4000:]}")
    return 0.0 if kill_at else float(ran.stdout.split()[-1])


def run_recipe(kill_at: int, words: list[str]) -> None:
    """What `recipe` starts."""
    import torch

    sys.argv[:] = [str(RECIPE), *words]
    if kill_at:
        sys.argv.insert(0, str(kill_at))
        sys.argv.insert(0, "kill_at_step.py")
        runpy.run_path(str(ROOT / "tests" / "recipes" / "kill_at_step.py"), run_name="__main__")
    runpy.run_path(str(RECIPE), run_name="__main__")
    print(torch.cuda.max_memory_allocated() / 1e9 if torch.cuda.is_available() else 0)


def one(preset: str, folder: Path, tiny: bool) -> list[Row]:
    """The rows of one preset."""
    amount = SMALL if tiny else Amount()
    names = write_pairs(folder / "pairs.csv", amount.associations)
    started = time.perf_counter()
    base = write_base(folder / "base", preset, names, tiny)
    print(f"{preset}: written after {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    options = OPTIONS | {
        "model_name_or_path": base,
        "dataset_path": folder / "pairs.csv",
        "output_dir": folder / "run",
        "max_steps": amount.steps,
        "save_steps": amount.saved,
    }
    options |= {"learning_rate": amount.learning_rate} if amount.learning_rate else {}
    words = ["--config", preset, *(word for name, value in options.items() for word in (f"--{name}", str(value)))]
    recipe(words, amount.killed)
    memory = recipe(words)
    print(f"{preset}: recipe after {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    record = json.loads((folder / "run" / "run.json").read_text(encoding="utf-8"))
    rows = _rows_of_recipe(preset, record, memory, amount) + _compare(preset, words, folder, amount.batches)
    print(f"{preset}: all after {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    return rows


def _rows_of_recipe(preset: str, record: dict[str, Any], memory: float, amount: Amount) -> list[Row]:
    """Memory, resumption and loss of the recipe's own run."""
    losses = [each["loss"] for each in record["log_history"] if "loss" in each]
    training = record["training"]
    return [
        {
            "measured": f"{preset}: memory of the recipe",
            "ours": f"{memory:.1f} GB",
            "ratio": memory,
            "must reach": "<= 80",
            "note": f"NF4, products in {record['base_model']['dtype']}",
        },
        {
            "measured": f"{preset}: goes on from a checkpoint after a kill at step {amount.killed}",
            "ours": f"step {training['resumed_from']}",
            "ratio": training["resumed_from"] or 0,
            "must reach": f">= {amount.saved}",
        },
        {
            "measured": f"{preset}: loss at the end of {amount.steps} steps, as a part of that at the start",
            "ours": f"{losses[-1]:.3f}",
            "theirs": f"{losses[0]:.3f}",
            "ratio": losses[-1] / losses[0],
            "must reach": "<= 0.97",
        },
    ]


def _compare(preset: str, words: list[str], folder: Path, batches: int) -> list[Row]:
    """The adapter loaded again, and the same model in a bare TRL script and `generate()`."""
    import numpy as np
    import pandas as pd
    import torch
    from peft import PeftModel

    from bioft.datasets.load import load_or_build
    from bioft.models import base as models, lora, scoring
    from bioft.models.arguments import LanguageModelArguments, TrainingArguments
    from bioft.tasks.gene_disease import predict as prediction
    from bioft.tasks.gene_disease.arguments import GeneDiseaseArguments, PromptArguments
    from bioft.tasks.gene_disease.prompts import PairPrompts
    from bioft.training import arguments

    groups = (PromptArguments, GeneDiseaseArguments, LanguageModelArguments, TrainingArguments)
    script_args, data_args, model_args, training_args, _ = arguments.parse("sft_gda", groups, words)
    dataset, _ = load_or_build(**vars(data_args))
    dtype = models.compute_dtype(model_args.dtype)
    base = models.resolve_base_model(str(folder / "base"))
    model, tokenizer = models.load_causal_lm(base, models.nf4(dtype), dtype)
    adapter = lora.lora_config(model, model_args)
    prompts = PairPrompts(script_args.prompt_style, tokenizer)

    tuned = PeftModel.from_pretrained(model, str(folder / "run")).eval()
    again = prediction.score_pairs(tuned, prompts, dataset["test"])
    kept = pd.read_parquet(folder / "run" / "predictions.parquet")["score"].to_numpy()
    model = tuned.unload()
    moved = float(np.abs(again - kept).max())
    rows: list[Row] = [
        {
            "measured": f"{preset}: the adapter loaded again, largest difference of a score",
            "ours": f"{moved:.4f}",
            "ratio": moved,
            "must reach": "<= 0.02",
            "note": f"{len(kept)} test pairs",
        }
    ]

    def train(style: str, n: int, **settings: Any) -> tuple[float, float]:
        """Pairs a second, and the loss, of a bare SFTTrainer over n pairs."""
        from trl import SFTTrainer

        nonlocal model
        options = {"learning_rate": training_args.learning_rate, "max_length": training_args.max_length} | settings
        with TemporaryDirectory() as place:
            args = TrainingArguments(place, num_train_epochs=1, report_to=[], save_strategy="no", **options)
            asked = PairPrompts(style, tokenizer)
            pairs = dataset["train"].select(range(n))
            trainer = SFTTrainer(
                model=model,
                args=args,
                train_dataset=pairs.map(asked.example, remove_columns=pairs.column_names),
                processing_class=tokenizer,
                peft_config=adapter,
            )
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            started = time.perf_counter()
            found = trainer.train()
            seconds = time.perf_counter() - started
            model = trainer.model.unload()
        return n / seconds, found.training_loss

    own: dict[str, Any] = {"per_device_train_batch_size": training_args.per_device_train_batch_size}
    own["activation_checkpointing"] = training_args.activation_checkpointing
    n = batches * own["per_device_train_batch_size"]
    train(prompts.name, own["per_device_train_batch_size"], **own)  # what the first step alone does is not counted
    (ours, _), (theirs, _) = train(prompts.name, n, **own), train("alpaca", max(n // 4, 8), **PUBLISHED)
    rows.append(
        {
            "measured": f"{preset}: training with the preset's settings against the published ones, bare TRL",
            "ours": f"{ours:.2f} pairs/s",
            "theirs": f"{theirs:.2f} pairs/s",
            "ratio": ours / theirs,
            "must reach": ">= 1",
            "note": f"{n} pairs ours, {max(n // 4, 8)} theirs",
        }
    )

    model.eval()
    test = dataset["test"]
    token_ids = prompts.token_ids(test["gene"], test["disease"])
    started = time.perf_counter()
    scoring.score(model, tokenizer, token_ids, prompts.style.positive, prompts.style.negative)
    ours = len(token_ids) / (time.perf_counter() - started)
    some = token_ids[:12]
    started = time.perf_counter()
    for ids in some:
        model.generate(torch.tensor([ids], device=model.device), max_new_tokens=5, do_sample=False)
    theirs = len(some) / (time.perf_counter() - started)
    rows.append(
        {
            "measured": f"{preset}: scoring against published generate()",
            "ours": f"{ours:.1f} pairs/s",
            "theirs": f"{theirs:.1f} pairs/s",
            "ratio": ours / theirs,
            "must reach": ">= 1",
            "note": f"{len(token_ids)} pairs ours, {len(some)} theirs",
        }
    )

    kinds = ["eager", "sdpa"]
    if torch.cuda.is_available() and importlib.util.find_spec("flash_attn"):
        kinds.append("flash_attention_2")
    plain = 0.0
    for kind in kinds:
        model.set_attn_implementation(kind)
        for packed in (False, True):
            speed, loss = train(prompts.name, n, packing=packed, **own)
            plain = plain or speed
            rows.append(
                {
                    "measured": f"{preset}: training with {kind} attention, {'packed' if packed else 'not packed'}",
                    "ours": f"{speed:.2f} pairs/s",
                    "theirs": f"{plain:.2f} pairs/s",
                    "ratio": speed / plain,
                    "must reach": ">= 0",
                    "note": f"against eager, not packed; loss {loss:.3f}, {n} pairs",
                }
            )
    return rows


def main() -> None:
    """Check the presets, each in a process of its own, and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", choices=FULL, default=list(FULL))
    parser.add_argument("--tiny", action="store_true", help="small models on any machine; nothing is written")
    parser.add_argument("--folder", type=Path, help="where the models are written meanwhile")
    parser.add_argument("--one", choices=FULL, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print("\n" + json.dumps(one(args.one, args.folder, args.tiny), default=float))
        return
    import torch

    if not args.tiny and not torch.cuda.is_available():
        sys.exit("There is no GPU that PyTorch sees. --tiny tries the check itself on small models.")
    started, rows, failed = time.perf_counter(), list[Row](), list[str]()
    for preset in args.presets:
        with TemporaryDirectory(dir=args.folder) as folder:
            if not args.tiny and (free := shutil.disk_usage(folder).free / 1e9) < 40:
                sys.exit(f"{folder} has {free:.0f} GB left: give a --folder with 40 GB.")
            words = [sys.executable, __file__, "--one", preset, "--folder", folder, *(["--tiny"] if args.tiny else [])]
            told = subprocess.run(words, stdout=subprocess.PIPE, text=True)
        if told.returncode:
            failed.append(f"{preset} failed; its message stands above.")
        else:
            rows += json.loads(told.stdout.splitlines()[-1])
    import run as benchmarks

    missed = [row["measured"] for row in rows if not benchmarks.reached(row)]
    if args.tiny:
        print(benchmarks.as_text({"Small models": benchmarks.as_kept(rows)}))
    else:
        name = torch.cuda.get_device_name()
        print(benchmarks.keep(rows, f"{name}, {torch.cuda.get_device_properties(0).total_memory / 1e9:.0f} GB"))
    print(f"{time.perf_counter() - started:.0f} s in all")
    if failed or missed:
        sys.exit("\n".join([*failed, *(f"Not reached: {name}" for name in missed)]))


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if sys.argv[1:2] == ["--recipe"]:
        run_recipe(int(sys.argv[2]), sys.argv[3:])
    else:
        main()
