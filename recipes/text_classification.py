"""Fine-tune an encoder on labels of texts: one label each, or any number (Transformers' Trainer).

    bioft train text_classification                                  # MiniLM on a small sample, on a laptop's CPU
    bioft train text_classification stop_reasons --dataset_path data/stopped_predictions.tsv.gz
    bioft train text_classification gender --dataset_path data/trials --mlm_run runs/mlm/trials
    bioft train text_classification pubmedbert

Every key of recipes/configs/text_classification/*.yaml can be given on the command line; a killed run resumes by
itself. Texts that are the same but for case and punctuation are one, so none of them is trained on and tested.
"""

from pathlib import Path
from typing import Any

import bioft  # noqa: F401  # isort: skip  (keeps back what the libraries say while they are imported)
from datasets import DatasetDict
from peft import PeftModel, get_peft_model
from transformers import DataCollatorWithPadding, Trainer, set_seed

from bioft.datasets.load import load_labelled_texts
from bioft.datasets.texts.baselines import indicator_matrix
from bioft.datasets.texts.labelled import labels_of
from bioft.models import base as models, dry_run, lora, precision, progress
from bioft.models.arguments import EncoderModelArguments, EncoderTrainingArguments, RecipeArguments
from bioft.storage import runs
from bioft.tasks.text_labels import TASK, classifier, evaluate, models as text_models
from bioft.tasks.text_labels.arguments import ClassifierArguments, LabelledTextArguments
from bioft.tasks.text_labels.predict import predict, scores_of
from bioft.training import arguments, steps as training_run


def main(
    script_args: RecipeArguments,
    data_args: LabelledTextArguments,
    classifier_args: ClassifierArguments,
    model_args: EncoderModelArguments,
    training_args: EncoderTrainingArguments,
    preset: str,
) -> None:
    """Train, evaluate and record one run; `training_args.output_dir` becomes the run directory."""
    record, base = training_run.begin(
        script_args, model_args, training_args, recipe="text_classification", preset=preset, task=TASK.name
    )
    directory = Path(training_args.output_dir)

    progress.stage(1)  # data: texts with their labels, each text in one split
    dataset, manifest = load_labelled_texts(**vars(data_args))
    train, validation, test = dataset["train"], dataset["validation"], dataset["test"]
    multi_label = manifest["multi_label"]
    start = text_models.find_start(classifier_args, base, script_args.push_to_hub)
    described_start = runs.describe_start(classifier_args.start_from, start.earlier_run)
    trained_on = evaluate.checksums_of(train["text"]) | start.trained_on
    evaluate.check_not_trained_on([*validation["text"], *test["text"]], trained_on)

    # The model, and the tokens that it will read.
    set_seed(training_args.seed)
    model, tokenizer = text_models.load_start(start, manifest["labels"], multi_label, classifier_args.head)
    labels = [model.config.id2label[index] for index in range(model.config.num_labels)]
    (train_tokens, train_cut), (validation_tokens, _) = (
        classifier.token_dataset(tokenizer, rows, labels, classifier_args.max_length, multi_label)
        for rows in (train, validation)
    )
    if classifier_args.trained_layers is not None:
        lora.freeze_lower_layers(model, classifier_args.trained_layers)
    adapter = None
    if model_args.use_peft and not isinstance(model, PeftModel):
        adapter = lora.lora_config(model, model_args, "SEQ_CLS", classifier.modules_to_save(model))

    # What can go wrong before the first step has now been tried: only from here on is anything written.
    checkpoint, writes = training_run.prepare(script_args, data_args, classifier_args, model_args, training_args)

    record |= {"labels": labels, "classifier": vars(classifier_args) | {"multi_label": multi_label}}
    if (chosen_on := evaluate.chosen_on(dataset, labels)) is not None:
        record["classifier"]["thresholds_chosen_on"] = list(chosen_on.values())
        training_run.note_thresholds(record, chosen_on)
    if writes:
        progress.stage(2)  # baselines that need no model
        baselines = evaluate.baselines(dataset, record)
        progress.stage(3)  # the base model, before any training: a new head knows nothing yet
        untrained = precision.lowered(model.to(training_args.device), training_args.evaluated_in)
        before, _ = choose_and_predict((untrained, tokenizer), dataset, record)

    progress.stage(4)  # the whole model is trained, or an adapter and the head
    trainer = Trainer(
        model=model if adapter is None else get_peft_model(model, adapter),
        args=training_args,
        train_dataset=train_tokens,
        eval_dataset=validation_tokens,
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_loss_func=classifier.classification_loss(
            classifier_args.class_imbalance,
            indicator_matrix(labels_of(train), labels),
            multi_label=multi_label,
            focal_gamma=classifier_args.focal_gamma,
        ),
        compute_metrics=classifier.validation_f1(multi_label),
    )
    if script_args.dry_run:
        dry_run.report(trainer, show=classifier.shown_example)
        return

    progress.stage(5)  # train, from the last checkpoint if there is one
    training = training_run.train(trainer, checkpoint, best_thresholds=multi_label)
    if not writes:
        return

    progress.stage(6)  # thresholds (of several labels a text) from validation, figures from test
    asked = precision.lowered(trainer.model, training_args.evaluated_in)
    table, seconds = choose_and_predict((asked, tokenizer), dataset, record)
    record["classifier"]["training_texts_cut"] = train_cut

    progress.stage(7)  # record
    classifier.keep_thresholds(model, labels, record["classifier"]["thresholds"])
    models.save_encoder(trainer.model, tokenizer, start.base, directory)
    evaluate.write_trained_on(trained_on, directory)
    evaluate.write_predictions(table, baselines, record, directory)
    record |= {
        "base_model": text_models.describe(start, model_args, model),
        **training_run.results(evaluate, table, before, baselines, dataset, record, manifest),
        "training": training | described_start,
        "timings": {"predict_seconds": seconds, "examples_per_second": len(test) / seconds},
    }
    training_run.finish(trainer, record, evaluate.shown(record), script_args.push_to_hub)


def choose_and_predict(model: Any, dataset: DatasetDict, record: dict[str, Any]) -> tuple[Any, float]:
    """Choose thresholds on validation, into the record, then label the test texts; returns these and the seconds."""
    scores = scores_of(model, dataset["validation"]["text"][:], record, "validation")
    record["classifier"]["thresholds"] = evaluate.choose(dataset, record, scores)
    return training_run.timed(predict, model, dataset["test"], record, "test")


if __name__ == "__main__":
    arguments.run(main)
