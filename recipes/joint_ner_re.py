"""Train one encoder on entities and on the relations between them, with a head for each (Transformers' Trainer).

    bioft train joint_ner_re                                         # MiniLM on a small sample, on a laptop's CPU
    bioft train joint_ner_re bc5cdr --dataset_path data/CDR_Data.zip \
        --compare_with runs/joint_ner_re/bc5cdr_entities runs/joint_ner_re/bc5cdr_relations
    bioft train joint_ner_re bc5cdr_from_entities --dataset_path data/CDR_Data.zip  # on an entity run
    bioft train joint_ner_re scibert --dataset_path data/CDR_Data.zip

Every key of recipes/configs/joint_ner_re/*.yaml can be given on the command line; a killed run resumes by itself.
With a loss weight of 0 only the other head is trained, which makes the single models to compare with.
"""

from functools import partial
from pathlib import Path

import bioft  # noqa: F401  # isort: skip  (keeps back what the libraries say while they are imported)
from transformers import AutoModel, set_seed

from bioft.datasets.documents.corpus import training_documents
from bioft.datasets.load import load
from bioft.errors import BioftError
from bioft.models import base as models, dry_run, precision, progress
from bioft.models.arguments import EncoderModelArguments, EncoderTrainingArguments, RecipeArguments
from bioft.storage import runs
from bioft.tasks.entities import tagging, windows as entities_windows
from bioft.tasks.entities.arguments import WindowArguments, keep_last_checkpoint
from bioft.tasks.entities.evaluate import check_supports
from bioft.tasks.joint import TASK, answers, evaluate, inputs, model as joint
from bioft.tasks.joint.arguments import JointArguments
from bioft.tasks.joint.predict import heads_of, predict_split, table_of
from bioft.tasks.relations import candidates as relations, evaluate as relation_evaluation
from bioft.tasks.relations.arguments import RelationDocumentArguments
from bioft.tasks.relations.linking import ConceptDictionary
from bioft.tasks.relations.predict import choose_threshold, threshold_chosen_on
from bioft.training import arguments, steps as training_run


def main(
    script_args: RecipeArguments,
    data_args: RelationDocumentArguments,
    window_args: WindowArguments,
    joint_args: JointArguments,
    model_args: EncoderModelArguments,
    training_args: EncoderTrainingArguments,
    preset: str,
) -> None:
    """Train, evaluate and record one run; `training_args.output_dir` becomes the run directory."""
    record, base = training_run.begin(
        script_args, model_args, training_args, recipe="joint_ner_re", preset=preset, task=TASK.name
    )
    directory = Path(training_args.output_dir)
    if model_args.use_peft:
        raise BioftError("joint_ner_re trains no adapter: leave out --use_peft.")

    progress.stage(1)  # data: whole documents in each split
    dataset, manifest = load(TASK, **vars(data_args))
    keep_last_checkpoint(training_args, data_args.train_on)
    train, validation, test = training_documents(dataset, data_args.train_on), dataset["validation"], dataset["test"]
    check_supports(test, manifest)
    relation_evaluation.check_supports(test, manifest)
    others = evaluate.read_others(joint_args.compare_with or [], manifest, test)
    types, dictionary = relations.argument_types(train), ConceptDictionary.fit(train)
    record["train_on"] = data_args.train_on
    record["joint"] = joint_args.model_options() | runs.describe_start(joint_args.start_from)
    heads = heads_of(record)
    chooses_threshold = data_args.train_on == "train" and joint_args.threshold is None
    if chooses_threshold and "relations" in heads:
        training_run.note_thresholds(record, {"relations": threshold_chosen_on(validation.to_list(), types)})

    # The model, and its examples.
    set_seed(training_args.seed)
    encoder, tokenizer = models.load_encoder(base, AutoModel)
    labels = tagging.bio_labels(entity["type"] for row in train for entity in row["entities"])
    model = joint.new_model(encoder, labels, types, joint_args.trained_layers, **joint_args.model_options())
    entities_windows.window_size(tokenizer, encoder, **vars(window_args))
    entity_weights = joint.load_entity_weights(joint_args.start_from, model, base, manifest, chooses_threshold)
    train_documents = inputs.training_dataset(tokenizer, train, model.config, **vars(window_args))

    # What can go wrong before the first step has now been tried: only from here on is anything written.
    options = (data_args, window_args, joint_args, model_args, training_args)
    checkpoint, writes = training_run.prepare(script_args, *options)

    record["windows"] = vars(window_args)
    lowered = partial(precision.lowered, dtype=training_args.evaluated_in)
    if writes:
        progress.stage(2)  # baselines that need no model
        baselines = evaluate.baselines(dataset, record)
        progress.stage(3)  # the base model, before any training: with new heads it knows nothing yet
        untrained = predict_split((lowered(model.to(training_args.device)), tokenizer, dictionary), test, record, "")
        base_table = table_of(test, untrained, 0.5, heads)

    progress.stage(4)  # the model is trained on whole documents
    model.load_state_dict(entity_weights)
    training_args.remove_unused_columns = False  # the column `length`, by which documents are sorted
    trainer = inputs.DocumentTrainer(
        model=model,
        args=training_args,
        train_dataset=train_documents,
        eval_dataset=validation,
        processing_class=tokenizer,
        data_collator=inputs.JointCollator(tokenizer.pad_token_id, len(types)),
        evaluate_documents=lambda model: evaluate.validation_metrics(
            validation, predict_split((lowered(model), tokenizer, dictionary), validation, record), heads
        ),
    )
    if script_args.dry_run:
        dry_run.report(trainer, show=dry_run.tagged_example)
        return

    progress.stage(5)  # train, from the last checkpoint if there is one
    training = training_run.train(trainer, checkpoint)
    if not writes:
        return

    progress.stage(6)  # threshold of relations from validation, figures from whole test documents
    predict = partial(predict_split, (lowered(trainer.model), tokenizer, dictionary), record=record)
    scores = predict(validation, progress="validation").annotated if chooses_threshold else None
    threshold, chosen_on = choose_threshold(scores, validation, joint_args.threshold)
    prediction, predict_seconds = training_run.timed(predict, test, progress="test")
    table = table_of(test, prediction, threshold, heads)

    progress.stage(7)  # record
    models.save_encoder(trainer.model, tokenizer, base, directory)
    dictionary.save(directory)
    answers.write(directory, table)
    record |= {
        "base_model": models.describe(base, model_args, model),
        "labels": labels,
        "relations": {"arguments": types, "threshold": threshold, "threshold_chosen_on": chosen_on}
        | evaluate.describe_links(prediction),
        **training_run.results(evaluate, table, base_table, baselines, dataset, record, manifest),
        "training": training,
        "timings": {"predict_seconds": predict_seconds, "examples_per_second": len(test) / predict_seconds},
    }
    record["comparisons"] = evaluate.compare_with_runs(record, table, test, others)
    training_run.finish(trainer, record, evaluate.shown(record), script_args.push_to_hub)


if __name__ == "__main__":
    arguments.run(main)
