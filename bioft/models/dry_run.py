"""What a training would do, without doing it: examples as the model sees them, parameters, memory, steps."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from bioft.models import lora

BYTES_PER_TRAINED_PARAMETER = 16
"""Weight, gradient and the two moments of AdamW, in 32 bits each."""


def report(trainer: Any, console: Console | None = None, show: Callable[[Any, int], Text] | None = None) -> None:
    """Print two training examples with what is to be learnt marked, and the cost of the training.

    `show` makes the text of an example, by default `marked_example`.
    """
    console = console or Console(markup=False)
    for index in range(min(2, len(trainer.train_dataset))):
        words = f"Example {index + 1} ([green underline]to be learnt[/], [dim]no loss[/]):"
        console.print(Text.from_markup(words))
        console.print((show or marked_example)(trainer, index), soft_wrap=True)
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
    """One example as the collator gives it to the model; tokens that carry loss are underlined."""
    batch = trainer.data_collator([trainer.train_dataset[index]])
    text = Text()
    for token, label in zip(batch["input_ids"][0].tolist(), batch["labels"][0].tolist(), strict=True):
        shown = trainer.processing_class.decode([token])
        text.append(shown, style="green underline" if label != -100 else "dim")
    return text


def tagged_example(trainer: Any, index: int) -> Text:
    """One window of a document as the collator gives it to the model; tokens of entities are followed by their tag."""
    batch = trainer.data_collator([trainer.train_dataset[index]])
    tokens = trainer.processing_class.convert_ids_to_tokens(batch["input_ids"][0].tolist())
    text = Text()
    for token, label in zip(tokens, batch["labels"][0].tolist(), strict=True):
        tag = "" if label == -100 else trainer.model.config.id2label[label]
        style = "dim" if not tag else "" if tag == "O" else "green underline"
        text.append(f"{token}/{tag}" if style.startswith("green") else token, style=style).append(" ")
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
