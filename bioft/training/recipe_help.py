"""What the help of a recipe says: what it adds, and of the options of its trainer those that people change."""

import dataclasses
import re
from argparse import Action
from collections.abc import Sequence
from typing import Any

from transformers import TrainingArguments
from trl import ModelConfig

from bioft.datasets import load
from bioft.datasets.arguments import DataArguments
from bioft.models.arguments import RecipeArguments

COMMON = {
    "model_name_or_path": "embedded:NAME, a folder, or an id on the Hub.",
    "dtype": "Type of the weights.",
    "load_in_4bit": "Load the weights in 4 bits (QLoRA).",
    "use_peft": "Train a LoRA adapter instead of all weights.",
    "lora_r": "Rank of the adapter.",
    "output_dir": "Folder of the run.",
    "learning_rate": "Highest learning rate.",
    "num_train_epochs": "How often each example is seen.",
    "max_steps": "Above 0: so many steps instead.",
    "per_device_train_batch_size": "Examples on a device at a time.",
    "gradient_accumulation_steps": "Such batches in a step.",
    "max_length": "Tokens of an example, at most.",
    "warmup_steps": "Steps to the highest rate; below 1 a share.",
    "seed": "Of order, dropout and new weights.",
    "eval_strategy": "Evaluate on validation: no, steps, epoch.",
    "save_strategy": "Keep checkpoints: no, steps, epoch, best.",
    "bf16": "bfloat16 (else: if the GPU has it).",
    "report_to": "tensorboard, trackio, wandb or none.",
}
"""What people change of the options that libraries give to models and trainers, in words that fit into a line."""
TITLES = {
    RecipeArguments: "The run",
    DataArguments: "Data",
    ModelConfig: "Base model",
    TrainingArguments: "Training",
}


def sections(groups: Sequence[Any], actions: Sequence[Action]) -> list[tuple[str, list[tuple[str, str, Any]]]]:
    """What `help_page.page` shows of the options of a recipe.

    `groups` are the dataclasses of the recipe, `actions` those of their parser, with the defaults of a preset.
    """
    about = {action.dest: action for action in reversed(actions)}
    rare: list[str] = []
    found = {
        "": [("config", "Name of a preset, or a YAML file.", None), ("help_all", "Show every option, in full.", None)]
    }
    for kind in groups:
        names = [field.name for field in dataclasses.fields(kind) if field.init]
        library = issubclass(kind, ModelConfig | TrainingArguments)
        if library:
            names = [name for name in COMMON if name in names]
        if issubclass(kind, DataArguments):
            left_out = {field.name for field in dataclasses.fields(DataArguments)} | _only_of_own(kind)
            rare += [name for name in names if name in left_out]
            names = [name for name in names if name not in left_out]
        texts = [(name, *_text(about[name], COMMON.get(name, "") if library else "")) for name in names]
        titles = (title for base, title in TITLES.items() if issubclass(kind, base))
        found[next(titles, re.split("[,:.]", kind.__doc__ or "More")[0])] = texts
    if rare:
        found[f"Of data of your own or on the Hub, see --help_all: {', '.join(rare)}."] = []
    return list(found.items())


def _only_of_own(kind: type[DataArguments]) -> set[str]:
    """The options of datasets in files of one's own that no other dataset of a recipe takes."""
    own, others = ([source for source in kind.sources if source.own is whose] for whose in (True, False))
    return load.builder_options(own) - load.builder_options(others) - {"dataset_path"}


def _text(action: Action, words: str) -> tuple[str, Any]:
    """What an option is for, and its default."""
    first_sentence, *_ = re.split(r"(?<=\.)\s", (action.help or "").strip().replace("%%", "%"), maxsplit=1)
    return words or first_sentence, getattr(action.default, "value", action.default)
