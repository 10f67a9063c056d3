"""Fine-tune an encoder on labels of texts: one label each, or any number (Transformers' Trainer).

    python recipes/text_classification.py                            # MiniLM on a small sample, on a laptop's CPU
    python recipes/text_classification.py --config stop_reasons --dataset_path data/stopped_predictions.tsv.gz
    python recipes/text_classification.py --config gender --dataset_path data/trials --mlm_run runs/mlm/trials
    accelerate launch recipes/text_classification.py --config pubmedbert

Every key of recipes/configs/text_classification/*.yaml can be given on the command line; a killed run resumes by
itself. Texts that are the same but for case and punctuation are one, so none of them is trained on and tested.
"""

import time
from functools import partial
from pathlib import Path

from peft import PeftModel, get_peft_model
from transformers import DataCollatorWithPadding, Trainer, set_seed

from bioft.datasets.load import describe, load_labelled_texts
from bioft.datasets.texts.baselines import indicator_matrix
from bioft.datasets.texts.labelled import labels_of
from bioft.models import base as models, dry_run, lora
from bioft.models.arguments import EncoderModelArguments, EncoderTrainingArguments, RecipeArguments
from bioft.storage import files, runs
from bioft.tasks.text_labels import (
    classifier as text_classification,
    evaluate as text_evaluation,
    models as text_models,
)
from bioft.tasks.text_labels.arguments import ClassifierArguments, LabelledTextArguments
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
    record, base = training_run.begin(script_args, model_args, training_args)
    directory = Path(training_args.output_dir)

    # 1. Data: texts with their labels, each text in one split.
    dataset, manifest = load_labelled_texts(**vars(data_args))
    train, validation, test = dataset["train"], dataset["validation"], dataset["test"]
    multi_label = manifest["multi_label"]
    start = text_models.find_start(classifier_args, base, script_args.push_to_hub)
    trained_on = text_evaluation.checksums_of(train["text"]) | start.trained_on
    text_evaluation.check_not_trained_on([*validation["text"], *test["text"]], trained_on)

    # The model, and the tokens that it will read.
    set_seed(training_args.seed)
    model, tokenizer = text_models.load_start(start, manifest["labels"], multi_label, classifier_args.head)
    labels = [model.config.id2label[index] for index in range(model.config.num_labels)]
    tokens = partial(
        text_classification.token_dataset,
        tokenizer,
        labels=labels,
        max_length=classifier_args.max_length,
        multi_label=multi_label,
    )
    (train_tokens, train_cut), (validation_tokens, _) = tokens(train), tokens(validation)
    if classifier_args.trained_layers is not None:
        lora.freeze_lower_layers(model, classifier_args.trained_layers)
    adapter = None
    if model_args.use_peft and not isinstance(model, PeftModel):
        adapter = lora.lora_config(model, model_args, "SEQ_CLS", text_classification.trained_whole(model))

    # What can go wrong before the first step has now been tried: only from here on is anything written.
    checkpoint, writes = training_run.prepare(script_args, data_args, classifier_args, model_args, training_args)

    # 2. Baselines that need no model. 3. The base model before any training: a new head knows nothing yet.
    score = partial(
        text_classification.score_texts,
        tokenizer=tokenizer,
        max_length=classifier_args.max_length,
        multi_label=multi_label,
    )
    predict = partial(text_evaluation.predicted, dataset, labels)
    if writes:
        baselines = text_evaluation.predict_baselines(dataset, labels)
        model.to(training_args.device)
        base_found = predict(*(score(model, texts=rows["text"][:]) for rows in (validation, test)))

    # 4. The whole model is trained, or an adapter and the head.
    trainer = Trainer(
        model=model if adapter is None else get_peft_model(model, adapter),
        args=training_args,
        train_dataset=train_tokens,
        eval_dataset=validation_tokens,
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_loss_func=text_classification.classification_loss(
            classifier_args.class_imbalance,
            indicator_matrix(labels_of(train), labels),
            multi_label=multi_label,
            focal_gamma=classifier_args.focal_gamma,
        ),
        compute_metrics=text_classification.validation_f1(multi_label),
    )
    if script_args.dry_run:
        dry_run.report(trainer, show=text_classification.shown_example)
        return

    # 5. Train, from the last checkpoint if there is one.
    with files.disk_errors(directory):
        training = trainer.train(resume_from_checkpoint=checkpoint).metrics
    if not writes:
        return

    # 6. Thresholds (of several labels a text) from validation, figures from test.
    validation_scores = score(trainer.model, texts=validation["text"][:], progress="Validation")
    started = time.perf_counter()
    test_scores = score(trainer.model, texts=test["text"][:], progress="Fine-tuned")
    seconds = time.perf_counter() - started
    found = predict(validation_scores, test_scores)
    evaluate = partial(text_evaluation.evaluate, test, labels=labels, trained_on=trained_on)
    result = evaluate(found)

    # 7. Record.
    models.save_encoder(trainer.model, tokenizer, start.base, directory)
    text_evaluation.write_trained_on(trained_on, directory)
    text_evaluation.write_predictions(test, found, baselines, labels, directory)
    text_evaluation.plot_labels(result, labels, manifest["rows"]["test"], directory)
    record |= {
        "recipe": "text_classification",
        "preset": preset,
        "task": "text-classification",
        "base_model": text_models.describe(start, model_args, model),
        "dataset": describe(manifest),
        "audit": manifest["audit"],
        "labels": labels,
        "classifier": vars(classifier_args)
        | {"multi_label": multi_label, "thresholds": found.thresholds, "training_texts_cut": train_cut},
        "metrics": result,
        "base_model_metrics": evaluate(base_found),
        "baselines": {name: evaluate(its) for name, its in baselines.items()},
        "comparison": text_evaluation.compare_with_best_baseline(test, found, baselines),
        "macro_comparison": text_evaluation.compare_with_best_baseline(test, found, baselines, "macro_f1"),
        "training": training_run.training_summary(trainer, training, checkpoint)
        | runs.describe_start(classifier_args.start_from, start.earlier_run),
        "timings": {"predict_seconds": seconds, "examples_per_second": len(test) / seconds},
    }
    training_run.finish(trainer, record, text_evaluation.SHOWN, script_args.push_to_hub)


if __name__ == "__main__":
    arguments.run(main)
