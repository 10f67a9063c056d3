"""Fine-tune an encoder on relations between the concepts of a document: a classifier of marked texts.

    bioft train sequence_classification                              # MiniLM on a small sample, on a laptop's CPU
    bioft train sequence_classification bc5cdr --dataset_path data/CDR_Data.zip \
        --entity_run runs/token_classification/bc5cdr                # end to end too, on the entities of that run
    bioft train sequence_classification scibert --dataset_path data/CDR_Data.zip

Every key of recipes/configs/sequence_classification/*.yaml can be given on the command line; a killed run resumes by
itself. Each pair of concepts that may be related is a candidate, and all that the corpus does not relate are
negatives. With one relation type a candidate has one of two labels, with several it may have any number of them.
"""

from functools import partial
from pathlib import Path

import bioft  # noqa: F401  # isort: skip  (keeps back what the libraries say while they are imported)
from peft import get_peft_model
from transformers import AutoModelForSequenceClassification, DataCollatorWithPadding, Trainer, set_seed

from bioft.datasets.documents.corpus import training_documents
from bioft.datasets.load import load
from bioft.models import base as models, dry_run, lora, precision, progress
from bioft.models.arguments import EncoderModelArguments, EncoderTrainingArguments, RecipeArguments
from bioft.tasks.entities.arguments import keep_last_checkpoint
from bioft.tasks.relations import TASK, answers, candidates as relations, evaluate, predict as prediction
from bioft.tasks.relations.arguments import RelationArguments, RelationDocumentArguments
from bioft.tasks.relations.linking import ConceptDictionary
from bioft.tasks.text_labels import classifier
from bioft.training import arguments, steps as training_run


def main(
    script_args: RecipeArguments,
    data_args: RelationDocumentArguments,
    relation_args: RelationArguments,
    model_args: EncoderModelArguments,
    training_args: EncoderTrainingArguments,
    preset: str,
) -> None:
    """Train, evaluate and record one run; `training_args.output_dir` becomes the run directory."""
    record, base = training_run.begin(
        script_args, model_args, training_args, recipe="sequence_classification", preset=preset, task=TASK.name
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
    record["train_on"] = data_args.train_on
    chooses_threshold = data_args.train_on == "train" and relation_args.threshold is None
    if chooses_threshold:
        chosen_on = prediction.threshold_chosen_on(validation.to_list(), types)
        training_run.note_thresholds(record, {TASK.name: chosen_on})

    progress.stage(2)  # baselines that need no model
    baselines = evaluate.baselines(dataset, record, linked=linked)

    set_seed(training_args.seed)  # the model, and a text for each candidate pair
    names = relations.label_names(types)
    problem = "single_label_classification" if len(types) == 1 else "multi_label_classification"
    model, tokenizer = models.load_encoder(
        base, AutoModelForSequenceClassification, id2label=dict(enumerate(names)), problem_type=problem
    )
    labels, markers = prediction.labels_of(model), relation_args.markers()
    prediction.add_marker_tokens(model, tokenizer, markers, types)
    if relation_args.trained_layers is not None:
        lora.freeze_lower_layers(model, relation_args.trained_layers)
    train_pairs, train_counts = prediction.pair_dataset(tokenizer, train, types, labels, markers)
    validation_pairs, validation_counts = prediction.pair_dataset(tokenizer, validation, types, labels, markers)
    whole = [*classifier.modules_to_save(model), *(["word_embeddings"] if markers.added_tokens else [])]
    adapter = lora.lora_config(model, model_args, "SEQ_CLS", whole) if model_args.use_peft else None

    # What can go wrong before the first step has now been tried: only from here on is anything written.
    checkpoint, writes = training_run.prepare(script_args, data_args, relation_args, model_args, training_args)

    record["relations"] = {"arguments": types, "markers": vars(markers)}
    if writes:
        progress.stage(3)  # the base model, before any training: with a new head it knows nothing yet
        untrained = precision.lowered(model.to(training_args.device), training_args.evaluated_in)
        base_scores = prediction.score((untrained, tokenizer), test.to_list(), record, "")
        base_table = prediction.table_of(test, base_scores.found(len(test), threshold=0.5))

    progress.stage(4)  # the whole model is trained, or an adapter and the head
    trainer = Trainer(
        model=model if adapter is None else get_peft_model(model, adapter),
        args=training_args,
        train_dataset=train_pairs,
        eval_dataset=validation_pairs,
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_loss_func=prediction.weighted_loss(relation_args.positive_weight, labels),
        compute_metrics=evaluate.pair_f1(labels, validation_counts["missed"]),
    )
    if script_args.dry_run:
        dry_run.report(trainer, show=partial(classifier.shown_example, none=relations.NO_RELATION))
        return

    progress.stage(5)  # train, from the last checkpoint if there is one
    training = training_run.train(trainer, checkpoint, best_thresholds=True)
    if not writes:
        return

    progress.stage(6)  # threshold from validation, figures from whole test documents
    asked = precision.lowered(trainer.model, training_args.evaluated_in)
    score = partial(prediction.score, (asked, tokenizer), record=record)
    validation_scores = score(validation.to_list(), progress="validation") if chooses_threshold else None
    threshold, chosen_on = prediction.choose_threshold(validation_scores, validation, relation_args.threshold)
    scores, score_seconds = training_run.timed(score, test.to_list(), progress="test")
    end_to_end = score(linked.to_list()).found(len(test), threshold) if linked is not None else None
    table = prediction.table_of(test, scores.found(len(test), threshold), end_to_end)

    progress.stage(7)  # record
    models.save_encoder(trainer.model, tokenizer, base, directory)
    dictionary.save(directory)
    answers.write(directory, prediction.candidates_table(test.to_list(), scores, threshold), table)
    record |= {
        "base_model": models.describe(base, model_args, model),
        "labels": labels,
        "relations": record["relations"]
        | {"threshold": threshold, "threshold_chosen_on": chosen_on, "training_pairs": train_counts},
        "positive_weight": relation_args.positive_weight,
        "end_to_end": evaluate.describe_links(relation_args.entity_run, linked),
        **training_run.results(evaluate, table, base_table, baselines, dataset, record, manifest),
        "training": training,
        "timings": {"score_seconds": score_seconds, "examples_per_second": len(scores.candidates) / score_seconds},
    }
    training_run.finish(trainer, record, evaluate.SHOWN, script_args.push_to_hub)


if __name__ == "__main__":
    arguments.run(main)
