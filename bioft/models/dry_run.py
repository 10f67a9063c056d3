"""What a training would do, without doing it: examples as the model sees them, parameters, memory, steps."""

import math
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from bioft.models import lora, progress

OPEN, CLOSE, LEARNT = "⟦", "⟧", "green underline"
"""How what is to be learnt is shown: in brackets that no text has, and where there is colour in colour."""
BYTES_PER_TRAINED_PARAMETER = 16
"""Weight, gradient and the two moments of AdamW, in 32 bits each."""


def report(trainer: Any, console: Console | None = None, show: Callable[[Any, int], Text] | None = None) -> None:
    """Print two training examples with what is to be learnt in brackets, and the cost of the training.

    `show` makes the text of an example, by default `marked_example`.
    """
    progress.end()
    console = console or Console(markup=False)
    for index in range(min(2, len(trainer.train_dataset))):
        words = Text.assemble(f"Example {index + 1} (", (f"{OPEN}to be learnt{CLOSE}", LEARNT), "):")
        console.print(words)
        console.print((show or marked_example)(trainer, index), soft_wrap=not console.is_terminal)
    costs = estimate(trainer)
    console.print(
        f"Trainable parameters: {costs['trainable_parameters']:,} of {costs['total_parameters']:,} "
        f"({costs['trainable_parameters'] / costs['total_parameters']:.2%})\n"
        f"Steps: {costs['steps']:,} of {costs['examples_per_step']} examples\n"
        f"Memory: about {costs['memory_gb']:.1f} GB (weights, gradients, optimizer, activations)",
        highlight=False,
    )
    # The trainer made its output folder; a dry run leaves nothing behind.
    folder = Path(trainer.args.output_dir)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def marked_example(trainer: Any, index: int) -> Text:
    """One example as the collator gives it to the model; what carries loss is in brackets."""
    batch, tokenizer = trainer.data_collator([trainer.train_dataset[index]]), trainer.processing_class
    pairs = zip(batch["input_ids"][0].tolist(), batch["labels"][0].tolist(), strict=True)
    text = Text()
    # Several tokens in a row are decoded together, so that the spaces between words are there.
    for learnt, group in groupby(pairs, key=lambda pair: pair[1] != -100):
        tokens, labels = zip(*group, strict=True)
        shown = tokenizer.decode(tokens)
        if learnt and tokens != labels:
            shown += f" = {tokenizer.decode(labels)}"
        if text and not shown[:1].isspace() and not text.plain[-1:].isspace() and tokenizer.mask_token_id is not None:
            text.append(" ")
        text.append(f"{OPEN}{shown}{CLOSE}" if learnt else shown, style=LEARNT if learnt else "dim")
    return text


def tagged_example(trainer: Any, index: int) -> Text:
    """One window of a document as the collator gives it to the model; what carries loss is followed by its tag."""
    batch = trainer.data_collator([trainer.train_dataset[index]])
    tokens = trainer.processing_class.convert_ids_to_tokens(batch["input_ids"][0].tolist())
    text = Text()
    for token, label in zip(tokens, batch["labels"][0].tolist(), strict=True):
        tag = "" if label == -100 else trainer.model.config.id2label[label]
        style = "dim" if not tag else "" if tag == "O" else LEARNT
        tagged = f"{token}/{tag}" if tag else token
        text.append(f"{OPEN}{tagged}{CLOSE}" if style == LEARNT else tagged, style=style).append(" ")
    return text


def estimate(trainer: Any) -> dict[str, Any]:
    """Trainable and total parameters, optimizer steps, examples a step, and memory in GB (10^9 bytes).

    The activations are a rough estimate after Korthikanti et al. 2022 (34 bytes a token, layer and hidden unit
    in 16 bits, twice that in 32), or one hidden state a layer with checkpointing.
    """
    model, args, dataset = trainer.model, trainer.args, trainer.train_dataset
    trainable, total = lora.parameter_counts(model)
    examples_per_step = args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size
    # Each epoch ends with a step, of fewer examples where they do not divide.
    epochs_steps = math.ceil(math.ceil(len(dataset) / examples_per_step) * args.num_train_epochs)
    config = model.config.get_text_config()
    longest = max(dataset["length"] if "length" in dataset.column_names else map(len, dataset["input_ids"]))
    tokens = args.per_device_train_batch_size * longest
    width = next(p for p in model.parameters() if p.is_floating_point()).element_size() / 2
    per_unit = 2 if args.gradient_checkpointing else 34
    activations = tokens * config.hidden_size * config.num_hidden_layers * per_unit * width
    memory = model.get_memory_footprint() + trainable * BYTES_PER_TRAINED_PARAMETER + activations
    return {
        "trainable_parameters": trainable,
        "total_parameters": total,
        "steps": args.max_steps if args.max_steps > 0 else epochs_steps,
        "examples_per_step": examples_per_step,
        "memory_gb": memory / 1e9,
    }
