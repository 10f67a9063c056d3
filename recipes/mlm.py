"""Adapt an encoder to a kind of text by masked-language-model training, LoRA or whole (Transformers' Trainer).

    bioft train mlm                                                  # MiniLM on HPO definitions, on a laptop's CPU
    bioft train mlm trials --dataset_path data/trials
    bioft train mlm clinicaltrialbiobert --dataset_path data/trials --exclude seen.txt

Every key of recipes/configs/mlm/*.yaml can be given on the command line; a killed run resumes by itself. Texts are
packed into blocks without losing a token, and no token attends to another text (BERT, RoBERTa, ELECTRA). The adapted
encoder is the start of a classifier: `bioft.tasks.masked_lm.models.load_adapted_encoder`.
"""

from pathlib import Path

import bioft  # noqa: F401  # isort: skip  (keeps back what the libraries say while they are imported)
from peft import get_peft_model
from transformers import Trainer, set_seed

from bioft.datasets.load import load_texts
from bioft.models import base as models, dry_run, lora, precision, progress
from bioft.models.arguments import EncoderModelArguments, EncoderTrainingArguments, RecipeArguments
from bioft.storage import runs
from bioft.tasks.masked_lm import TASK, evaluate, models as masked_models, packing
from bioft.tasks.masked_lm.arguments import MaskingArguments, TextArguments
from bioft.tasks.masked_lm.masking import collator_for
from bioft.tasks.masked_lm.predict import predict
from bioft.training import arguments, steps as training_run


def main(
    script_args: RecipeArguments,
    data_args: TextArguments,
    masking_args: MaskingArguments,
    model_args: EncoderModelArguments,
    training_args: EncoderTrainingArguments,
    preset: str,
) -> None:
    """Train, evaluate and record one run; `training_args.output_dir` becomes the run directory."""
    record, base = training_run.begin(
        script_args, model_args, training_args, recipe="mlm", preset=preset, task=TASK.name
    )
    directory = Path(training_args.output_dir)

    progress.stage(1)  # data: texts, split so that like ones stay together, then packed into blocks of tokens
    dataset, manifest = load_texts(**vars(data_args))
    set_seed(training_args.seed)
    length = masking_args.block_length
    model, tokenizer, new_head = masked_models.load_masked_lm(base, length)
    train = packing.pack_texts(dataset["train"], tokenizer, length)
    validation = packing.pack_texts(dataset["validation"], tokenizer, length)
    # Each block of the validation split always has the same mask, so that losses compare.
    validation = validation.add_column("mask_seed", list(range(len(validation))))
    adapter = lora.lora_config(model, model_args, None, heads=new_head) if model_args.use_peft else None

    # What can go wrong before the first step has now been tried: only from here on is anything written.
    checkpoint, writes = training_run.prepare(script_args, data_args, masking_args, model_args, training_args)

    record |= {
        "base_model": models.describe(base, model_args, model),
        "masking": vars(masking_args) | {"evaluated_share": evaluate.PROBABILITY},
    }
    masked_models.use_masked_head(model.to(training_args.device))
    if writes:
        progress.stage(2)  # baselines that need no model
        baselines = evaluate.baselines(dataset, record)
        progress.stage(3)  # the base model, before any training: a new head knows nothing yet
        untrained = precision.lowered(model, training_args.evaluated_in)
        before = predict((untrained, tokenizer), dataset["test"], record, "")

    progress.stage(4)  # the whole model is trained, or an adapter, and the head where it is new
    training_args.remove_unused_columns = False  # the collator reads how long each text of a block is
    collator = collator_for(
        model, tokenizer, probability=masking_args.mask_probability, whole_words=masking_args.whole_words
    )
    trainer = Trainer(
        model=model if adapter is None else get_peft_model(model, adapter),
        args=training_args,
        train_dataset=train,
        eval_dataset=validation,
        processing_class=tokenizer,
        data_collator=collator,
    )
    if script_args.dry_run:
        dry_run.report(trainer)
        return

    progress.stage(5)  # train, from the last checkpoint if there is one
    training = training_run.train(trainer, checkpoint)
    if not writes:
        return

    progress.stage(6)  # evaluate on the same masked tokens of the test texts as before
    asked = precision.lowered(trainer.model, training_args.evaluated_in)
    after, seconds = training_run.timed(predict, (asked, tokenizer), dataset["test"], record, "")
    table = evaluate.stored(after, before, baselines)

    progress.stage(7)  # record
    models.save_encoder(trainer.model, tokenizer, base, directory)
    table.to_parquet(directory / runs.PREDICTIONS, index=False)
    tokens = sum(train["length"])
    record |= {
        "new_head": new_head,
        "packing": {
            "blocks": len(train),
            "tokens": tokens,
            "padding_share": packing.padding_share(train, length),
            "texts_kept_apart": collator.separate_texts,
        },
        **training_run.results(evaluate, table, before, baselines, dataset, record, manifest),
        "training": training,
        "timings": {"predict_seconds": seconds, "texts_per_second": len(after) / seconds},
    }
    training_run.finish(trainer, record, evaluate.SHOWN, script_args.push_to_hub)


if __name__ == "__main__":
    arguments.run(main)
