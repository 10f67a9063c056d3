"""Ask a language model about relations between the concepts of a document, with (Q)LoRA (TRL's SFTTrainer).

    bioft train sft_relations                                   # SmolLM2-135M on a small sample, on a laptop's CPU
    bioft train sft_relations bc5cdr --dataset_path data/CDR_Data.zip
    bioft train sft_relations llama3_8b --dataset_path data/CDR_Data.zip     # on a GPU

Every key of recipes/configs/sft_relations/*.yaml can be given on the command line; a killed run resumes by itself.
After the text stands a question for each pair of concepts that may be related, which the model answers with yes or no.
A document is one training example: its questions see the text and themselves, not each other.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

import bioft  # noqa: F401  # isort: skip  (keeps back what the libraries say while they are imported)
from trl import SFTTrainer

from bioft.datasets.documents.corpus import training_documents
from bioft.datasets.load import load
from bioft.metrics import thresholds
from bioft.models import base as models, dry_run, lora, progress
from bioft.models.arguments import LanguageModelArguments, RecipeArguments, TrainingArguments
from bioft.models.scoring import use_completion_head
from bioft.storage import environment, run_directory, runs
from bioft.tasks.entities.arguments import keep_last_checkpoint
from bioft.tasks.relations import TASK, answers, candidates as relations, evaluate, predict as prediction
from bioft.tasks.relations.arguments import PromptedRelationArguments, RelationDocumentArguments
from bioft.tasks.relations.linking import ConceptDictionary
from bioft.tasks.relations.prompted import training as shared
from bioft.training import arguments, steps as training_run


def main(
    script_args: RecipeArguments,
    data_args: RelationDocumentArguments,
    relation_args: PromptedRelationArguments,
    model_args: LanguageModelArguments,
    training_args: TrainingArguments,
    preset: str,
) -> None:
    """Train, evaluate and record one run; `training_args.output_dir` becomes the run directory."""
    record, base = training_run.begin(
        script_args, model_args, training_args, recipe="sft_relations", preset=preset, task=TASK.name
    )
    directory = Path(training_args.output_dir)

    progress.stage(1)  # data: whole documents in each split; end to end also with entities that a run finds
    dataset, manifest = load(TASK, **vars(data_args))
    keep_last_checkpoint(training_args, data_args.train_on)
    train, validation, test = training_documents(dataset, data_args.train_on), dataset["validation"], dataset["test"]
    evaluate.check_supports(test, manifest)
    types = relations.argument_types(train)
    dictionary = ConceptDictionary.fit(train)
    linked = evaluate.find_and_link(relation_args.entity_run, test, manifest, dictionary)
    record |= {"new_head": False, "train_on": data_args.train_on}
    chooses_threshold = data_args.train_on == "train" and relation_args.threshold is None
    if chooses_threshold:
        chosen_on = prediction.threshold_chosen_on(validation.to_list(), types)
        training_run.note_thresholds(record, {TASK.name: chosen_on})

    progress.stage(2)  # baselines that need no model
    baselines = evaluate.baselines(dataset, record, linked=linked)

    # The model, a prompt that it can read, its examples, and the adapter that it gets.
    dtype = models.compute_dtype(model_args.dtype)
    quantization = models.nf4(dtype) if model_args.load_in_4bit else None
    model, tokenizer = models.load_causal_lm(base, quantization, dtype, model_args.attn_implementation)
    prompt = shared.prompt_for(model, tokenizer, types, relation_args, training_args.max_length)
    record["relations"] = {"arguments": types, "prompt": vars(prompt)}
    examples, counts = shared.examples_of_splits(prompt, tokenizer, dataset | {"train": train}, types, record)
    adapter = lora.lora_config(model, model_args)

    # What can go wrong before the first step has now been tried: only from here on is anything written.
    checkpoint, writes = training_run.prepare(script_args, data_args, relation_args, model_args, training_args)

    base_scores = None
    if writes and not environment.is_sharded():
        progress.stage(3)  # the base model, before any training
        # Kept beside the checkpoints, so that a resumed run need not score the base again.
        cache = directory / f"{runs.BASE_SCORES}{manifest['fingerprints']['test'][:12]}.npz"
        base_scores = run_directory.cached(cache, lambda: prediction.score_base(model, tokenizer, test, record))

    progress.stage(4)  # an adapter, on the text and all questions of a document: loss on the answers only
    trainer = SFTTrainer(
        model=model,
        args=training_args,
        train_dataset=examples["train"],
        eval_dataset=examples["validation"],
        processing_class=tokenizer,
        data_collator=shared.Collator(tokenizer.pad_token_id),
        peft_config=adapter,
    )
    lora.keep_adapter_in_float32(trainer.model)
    use_completion_head(trainer)
    if script_args.dry_run:
        dry_run.report(trainer)
        return

    progress.stage(5)  # train, from the last checkpoint if there is one
    training = training_run.train(trainer, checkpoint)

    progress.stage(6)  # threshold from validation, figures from whole test documents
    model = models.whole_model(trainer, base, model_args.load_in_4bit, dtype, directory)
    if not writes:
        return
    score = partial(prediction.score, (model, tokenizer), record=record)
    validation_scores = score(validation.to_list(), progress="validation") if chooses_threshold else None
    threshold, chosen_on = prediction.choose_threshold(validation_scores, validation, relation_args.threshold)
    scores, score_seconds = training_run.timed(score, test.to_list(), progress="test")
    if base_scores is None:
        with model.disable_adapter():
            base_scores = prediction.score_base(model, tokenizer, test, record)
    end_to_end = score(linked.to_list()).found(len(test), threshold) if linked is not None else None
    table = prediction.table_of(test, scores.found(len(test), threshold), end_to_end)
    of_base = replace(scores, scores=base_scores["scores"])
    base_table = prediction.table_of(test, of_base.found(len(test), thresholds.DEFAULT))

    progress.stage(7)  # record
    lora.save_adapter(model, tokenizer, base, directory)
    dictionary.save(directory)
    answers.write(directory, prediction.candidates_table(test.to_list(), scores, threshold), table)
    record |= {
        "base_model": models.describe(base, model_args, model),
        "relations": record["relations"]
        | {"threshold": threshold, "threshold_chosen_on": chosen_on, "training_pairs": counts},
        "end_to_end": evaluate.describe_links(relation_args.entity_run, linked),
        **training_run.results(evaluate, table, base_table, baselines, dataset, record, manifest),
        "training": training,
        "timings": {"score_seconds": score_seconds, "examples_per_second": len(scores.candidates) / score_seconds},
    }
    training_run.finish(trainer, record, evaluate.SHOWN, script_args.push_to_hub)


if __name__ == "__main__":
    arguments.run(main)
