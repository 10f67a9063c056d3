"""Fine-tune an encoder on named entities: BIO tags, full fine-tuning or LoRA (Transformers' Trainer).

    bioft train token_classification                                 # MiniLM on a small sample, on a laptop's CPU
    bioft train token_classification bc5cdr --dataset_path data/CDR_Data.zip
    bioft train token_classification pubmedbert --dataset_path data/CDR_Data.zip

Every key of recipes/configs/token_classification/*.yaml can be given on the command line; a killed run resumes by
itself. Long documents are read in overlapping windows: nothing is cut off.
"""

from pathlib import Path

import bioft  # noqa: F401  # isort: skip  (keeps back what the libraries say while they are imported)
from peft import get_peft_model
from transformers import AutoModelForTokenClassification, DataCollatorForTokenClassification, Trainer, set_seed

from bioft.datasets.documents.corpus import training_documents
from bioft.datasets.load import load_documents
from bioft.models import base as models, dry_run, lora, precision, progress
from bioft.models.arguments import EncoderModelArguments, EncoderTrainingArguments, RecipeArguments
from bioft.tasks.entities import TASK, answers, evaluate, tagging, windows as entities_windows
from bioft.tasks.entities.arguments import DocumentArguments, WindowArguments, keep_last_checkpoint
from bioft.tasks.entities.predict import predict
from bioft.training import arguments, steps as training_run


def main(
    script_args: RecipeArguments,
    data_args: DocumentArguments,
    window_args: WindowArguments,
    model_args: EncoderModelArguments,
    training_args: EncoderTrainingArguments,
    preset: str,
) -> None:
    """Train, evaluate and record one run; `training_args.output_dir` becomes the run directory."""
    record, base = training_run.begin(
        script_args, model_args, training_args, recipe="token_classification", preset=preset, task=TASK.name
    )
    directory = Path(training_args.output_dir)

    progress.stage(1)  # data: whole documents in each split
    dataset, manifest = load_documents(**vars(data_args))
    keep_last_checkpoint(training_args, data_args.train_on)
    train, validation, test = training_documents(dataset, data_args.train_on), dataset["validation"], dataset["test"]
    evaluate.check_supports(test, manifest)
    names = tagging.bio_labels(
        each["type"] for rows in (train, validation) for row in rows for each in row["entities"]
    )
    record["train_on"] = data_args.train_on

    progress.stage(2)  # baselines that need no model
    baselines = evaluate.baselines(dataset, record)

    # The base model with a head, and the windows of tagged tokens that it will read.
    set_seed(training_args.seed)
    model, tokenizer = models.load_encoder(base, AutoModelForTokenClassification, id2label=dict(enumerate(names)))
    labels = [model.config.id2label[index] for index in range(len(names))]
    size, overlap = entities_windows.window_size(tokenizer, model, **vars(window_args)), window_args.window_overlap
    train_windows, cut_documents = entities_windows.window_dataset(tokenizer, train, labels, size, overlap)
    validation_windows, _ = entities_windows.window_dataset(tokenizer, validation, labels, size, overlap)
    adapter = lora.lora_config(model, model_args, "TOKEN_CLS") if model_args.use_peft else None

    # What can go wrong before the first step has now been tried: only from here on is anything written.
    checkpoint, writes = training_run.prepare(script_args, data_args, window_args, model_args, training_args)

    record |= {"labels": labels, "windows": vars(window_args)}
    if writes:
        progress.stage(3)  # the base model, before any training: with a new head it knows nothing yet
        untrained = precision.lowered(model.to(training_args.device), training_args.evaluated_in)
        base_table = predict((untrained, tokenizer), test, record, "")

    progress.stage(4)  # the whole model is trained, or an adapter and the head
    trainer = Trainer(
        model=model if adapter is None else get_peft_model(model, adapter),
        args=training_args,
        train_dataset=train_windows,
        eval_dataset=validation_windows,
        processing_class=tokenizer,
        data_collator=DataCollatorForTokenClassification(tokenizer),
        compute_metrics=evaluate.window_f1(labels),
    )
    if script_args.dry_run:
        dry_run.report(trainer, show=dry_run.tagged_example)
        return

    progress.stage(5)  # train, from the last checkpoint if there is one
    training = training_run.train(trainer, checkpoint)
    if not writes:
        return

    progress.stage(6)  # evaluate on whole test documents
    asked = precision.lowered(trainer.model, training_args.evaluated_in)
    table, seconds = training_run.timed(predict, (asked, tokenizer), test, record, "")

    progress.stage(7)  # record
    models.save_encoder(trainer.model, tokenizer, base, directory)
    answers.write(directory, table, baselines)
    record |= {
        "base_model": models.describe(base, model_args, model),
        "windows": vars(window_args) | {"training": len(train_windows), "documents_cut_for_alignment": cut_documents},
        **training_run.results(evaluate, table, base_table, baselines, dataset, record, manifest),
        "training": training,
        "timings": {"predict_seconds": seconds, "examples_per_second": len(test) / seconds},
    }
    training_run.finish(trainer, record, evaluate.shown(record), script_args.push_to_hub)


if __name__ == "__main__":
    arguments.run(main)
