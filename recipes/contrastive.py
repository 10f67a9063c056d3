"""Fine-tune a text encoder on pairs of texts that mean the same, with Sentence Transformers.

    bioft train contrastive                                          # MiniLM on HPO synonyms, on a laptop's CPU
    bioft train contrastive metabolites --namespace data/bigg_models_metabolites.txt \
        --modelseed data --held_out_models data/iYS854.json data/iSB619.xml.gz
    bioft train contrastive pubmedbert --dataset data/pubmed

Every key of recipes/configs/contrastive/*.yaml can be given on the command line; a killed run resumes by itself. What
is measured depends on the data: metabolite names are matched to a namespace, other texts are looked for among all
texts of the test split.
"""

from pathlib import Path
from typing import Any

import bioft  # noqa: F401  # isort: skip  (keeps back what the libraries say while they are imported)
from sentence_transformers import SentenceTransformerTrainer
from transformers import set_seed

from bioft.datasets.load import describe, load_pairs
from bioft.models import base as models, precision, progress
from bioft.models.arguments import EncoderModelArguments, RecipeArguments
from bioft.tasks import name_alignment, retrieval
from bioft.tasks.name_alignment import evaluate as name_evaluation, predict as name_prediction
from bioft.tasks.retrieval import (
    encoder as contrastive,
    evaluate as retrieval_evaluation,
    figures as contrastive_figures,
    negatives,
    predict as retrieval_prediction,
)
from bioft.tasks.retrieval.arguments import PairArguments
from bioft.tasks.retrieval.encoder import ContrastiveArguments, ContrastiveTrainingArguments
from bioft.training import arguments, steps as training_run


def main(
    script_args: RecipeArguments,
    data_args: PairArguments,
    contrastive_args: ContrastiveArguments,
    model_args: EncoderModelArguments,
    training_args: ContrastiveTrainingArguments,
    preset: str,
) -> None:
    """Train, evaluate and record one run; `training_args.output_dir` becomes the run directory."""
    record, base = training_run.begin(script_args, model_args, training_args, recipe="contrastive", preset=preset)
    directory = Path(training_args.output_dir)

    progress.stage(1)  # data: pairs whose groups are in one split each, and as the loss takes them
    dataset, manifest, names = load_pairs(**vars(data_args))
    task, evaluation, prediction, rows = (
        (name_alignment.TASK, name_evaluation, name_prediction, name_prediction.Names.of(*names))
        if names
        else (retrieval.TASK, retrieval_evaluation, retrieval_prediction, dataset["test"])
    )
    asked, about = {"test": rows}, {"dataset": describe(manifest)}
    train, validation = (
        contrastive.training_rows(dataset[split], contrastive_args.loss, data_args.split_seed)
        for split in ("train", "validation")
    )

    set_seed(training_args.seed)
    model = contrastive.load_model(base, contrastive_args)
    corpus = manifest.get("candidates", ("anchor", "positive"))
    train, mined = negatives.with_negatives(
        train, model.to(training_args.device), contrastive_args, corpus, data_args.split_seed
    )
    train, validation = contrastive.group_batches(training_args, contrastive_args.loss, train, validation)

    # What can go wrong before the first step has now been tried: only from here on is anything written.
    checkpoint, writes = training_run.prepare(script_args, data_args, contrastive_args, model_args, training_args)

    baselines: dict[str, Any] = {}
    base_found: Any = None
    if writes:
        progress.stage(2)  # baselines that need no model
        baselines = evaluation.baselines(asked, about)
        progress.stage(3)  # the base model, before any training
        base_found = prediction.answer_of_base(model.to(training_args.device), rows, about, "")

    progress.stage(4)  # the whole encoder is trained, or an adapter
    if model_args.use_peft:
        contrastive.add_adapter(model, model_args)
    trainer = SentenceTransformerTrainer(
        model=model,
        args=training_args,
        train_dataset=train,
        eval_dataset=validation,
        loss=contrastive.make_loss(model, contrastive_args),
    )
    if script_args.dry_run:
        contrastive.report(trainer)
        return

    progress.stage(5)  # train, from the last checkpoint if there is one
    training = training_run.train(trainer, checkpoint)
    if not writes:
        return

    progress.stage(6)  # evaluate on the test split
    tuned = precision.lowered(model, training_args.evaluated_in)
    found, seconds = training_run.timed(prediction.predict, tuned, rows, about, "")

    untrained = contrastive.load_model(base, contrastive_args).to(training_args.device)
    similarity = contrastive_figures.measure(rows, {"base": untrained, "fine-tuned": tuned})
    contrastive_figures.draw(dataset, {"base model": untrained, "fine-tuned": tuned}, directory)

    progress.stage(7)  # record
    contrastive.save(model, base, directory)
    prediction.write(directory, rows, found, base_found, baselines)
    record |= {
        "task": task.name,
        "base_model": models.describe(base, model_args, model[0].model),
        "contrastive": vars(contrastive_args) | {"training_rows": len(train), "hard_negatives_found": mined},
        **training_run.results(evaluation, found, base_found, baselines, asked, about, manifest),
        "pair_similarity": similarity,
        "training": training,
        "timings": {"evaluation_seconds": seconds},
    }
    training_run.finish(trainer, record, evaluation.SHOWN, script_args.push_to_hub)


if __name__ == "__main__":
    arguments.run(main)
