"""Fine-tune a language model on gene–disease association with QLoRA (TRL's SFTTrainer).

    bioft train sft_gda                                              # SmolLM2-135M on HPO, on a laptop's CPU
    bioft train sft_gda llama3_8b                                    # Llama 3 8B on CTD, on a GPU
    bioft train sft_gda mistral_7b --processes 8 --dataset_path data/CTD_curated_genes_diseases.csv.gz

Every key of recipes/configs/sft_gda/*.yaml can be given on the command line; a killed run resumes by itself.
"""

import time
from pathlib import Path

import bioft  # noqa: F401  # isort: skip  (keeps back what the libraries say while they are imported)
import numpy as np
from trl import SFTTrainer

from bioft.datasets.hpo import context
from bioft.datasets.load import describe, load_or_build
from bioft.models import base as models, dry_run, lora, progress
from bioft.models.arguments import LanguageModelArguments, TrainingArguments
from bioft.models.scoring import use_completion_head
from bioft.storage import environment, run_directory, runs
from bioft.task import BASE, FINE_TUNED
from bioft.tasks.gene_disease import TASK, evaluate, predict as prediction
from bioft.tasks.gene_disease.arguments import GeneDiseaseArguments, PromptArguments
from bioft.tasks.gene_disease.prompts import PairPrompts
from bioft.training import arguments, steps as training_run


def main(
    script_args: PromptArguments,
    data_args: GeneDiseaseArguments,
    model_args: LanguageModelArguments,
    training_args: TrainingArguments,
    preset: str,
) -> None:
    """Train, evaluate and record one run; `training_args.output_dir` becomes the run directory."""
    record, base = training_run.begin(
        script_args, model_args, training_args, recipe="sft_gda", preset=preset, task=TASK.name
    )
    directory = Path(training_args.output_dir)

    progress.stage(1)  # data: positives are split first, negatives are drawn inside each split
    dataset, manifest = load_or_build(**vars(data_args))
    chosen_on = evaluate.threshold_chosen_on(dataset)
    training_run.note_thresholds(record, {TASK.name: chosen_on})
    earlier_run = prediction.find_start(script_args.start_from, base, manifest)
    start = runs.describe_start(script_args.start_from, earlier_run)

    # The model, prompts that it can read, and the adapter that it gets.
    dtype = models.compute_dtype(model_args.dtype)
    quantization = models.nf4(dtype) if model_args.load_in_4bit else None
    model, tokenizer = models.load_causal_lm(base, quantization, dtype, model_args.attn_implementation)
    known = context.build(script_args.context, dataset, script_args.gene_context)
    prompts = PairPrompts(script_args.prompt_style, tokenizer, known)
    prompts.check_length(dataset, training_args.max_length, record)
    shots = prompts.with_shots(dataset["train"], script_args.few_shot, model.config) if script_args.few_shot else None
    adapter = None if earlier_run else lora.lora_config(model, model_args)
    if earlier_run:  # what is wrong with its adapter must not show after the base model was scored
        models.load_adapter(model, earlier_run).unload()

    # What can go wrong before the first step has now been tried: only from here on is anything written.
    checkpoint, writes = training_run.prepare(script_args, data_args, model_args, training_args)

    progress.stage(2)  # baselines that need no model
    scored = dict(evaluate.fit_baselines(dataset, record, progress=True)) if writes else {}

    base_scores: dict[str, np.ndarray] = {}
    if not script_args.dry_run and not environment.is_sharded():
        progress.stage(3)  # the base model, before any training
        # Kept beside the checkpoints, so that a resumed run need not score the base again.
        cache = directory / f"{runs.BASE_SCORES}{manifest['fingerprints']['test'][:12]}.npz"
        base_scores = run_directory.cached(cache, lambda: prediction.score_base(model, prompts, shots, dataset))

    progress.stage(4)  # the adapter, new or of an earlier run, on prompts and answers: loss on the answer only
    splits = ["train"] if training_args.eval_strategy == "no" else ["train", "validation"]
    columns = dataset["train"].column_names
    examples = {
        split: dataset[split].map(
            prompts.example, fn_kwargs={"training": split == "train"}, remove_columns=columns, desc="Prompts"
        )
        for split in splits
    }
    trainer = SFTTrainer(
        model=models.load_adapter(model, earlier_run, is_trainable=True) if earlier_run else model,
        args=training_args,
        train_dataset=examples["train"],
        eval_dataset=examples.get("validation"),
        processing_class=tokenizer,
        peft_config=adapter,
    )
    lora.keep_adapter_in_float32(trainer.model)
    use_completion_head(trainer)
    if script_args.dry_run:
        dry_run.report(trainer)
        return

    progress.stage(5)  # train, from the last checkpoint if there is one
    training = training_run.train(trainer, checkpoint)

    progress.stage(6)  # evaluate on the splits that the base model was evaluated on
    started = time.perf_counter()
    model = models.whole_model(trainer, base, model_args.load_in_4bit, dtype, directory)
    scores = prediction.score_splits(model, prompts, dataset)
    score_seconds = time.perf_counter() - started
    on_random_negatives = prediction.score_random_negatives(model, prompts, dataset, describe(manifest), scores)
    if not base_scores:
        with model.disable_adapter():
            base_scores = prediction.score_base(model, prompts, shots, dataset)
    if not writes:
        return
    if script_args.memorisation_probe:
        with model.disable_adapter():
            record["memorisation"] = evaluate.memorisation(model, tokenizer, dataset, script_args.memorisation_probe)
    scored = {FINE_TUNED: scores, **scored, **prediction.by_system(base_scores)}
    thresholds = {name: evaluate.choose_threshold(dataset, its, chosen_on) for name, its in scored.items()}
    tables = {
        name: evaluate.predictions(dataset["test"], its["test"], thresholds[name]) for name, its in scored.items()
    }
    table, base_table, baselines = tables.pop(FINE_TUNED), tables.pop(BASE), tables
    scoring = evaluate.describe_scoring(prompts, thresholds, chosen_on, script_args.few_shot)
    record["scoring"] = scoring | evaluate.combine(dataset, scored, chosen_on)
    results = training_run.results(evaluate, table, base_table, baselines, dataset, record, manifest)

    progress.stage(7)  # record
    lora.save_adapter(model, tokenizer, base, directory)
    context.write(directory, known)
    evaluate.write_predictions(table, base_table, baselines, directory)
    record |= {
        "base_model": models.describe(base, model_args, model),
        **results,
        **evaluate.on_random_negatives(on_random_negatives, results["baselines"]),
        "training": training | start,
        "timings": {
            "score_seconds": score_seconds,
            "pairs_per_second": sum(map(len, scores.values())) / score_seconds,
        },
    }
    training_run.finish(trainer, record, evaluate.SHOWN, script_args.push_to_hub)


if __name__ == "__main__":
    arguments.run(main)
