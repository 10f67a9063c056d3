"""Command-line arguments of recipes: a preset in YAML, any key overridden on the command line."""

import dataclasses
import inspect
import logging
import math
import os
import re
import sys
import traceback
from argparse import ArgumentError, ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, get_type_hints

from accelerate import PartialState
from rich.console import Console
from rich.text import Text
from trl import TrlParser

from bioft.datasets import load
from bioft.datasets.arguments import DataArguments
from bioft.errors import BioftError, any_output
from bioft.models import progress, quiet
from bioft.storage import run_directory, yaml_config
from bioft.training import help_page, presets, recipe_help, recipe_process, seeds as seed_runs

TRAINER_PACKAGES = ("accelerate", "peft", "sentence_transformers", "torch", "transformers", "trl")
FROM_ONE = (
    "per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps", "max_length",
    "lora_r", "lora_alpha", "max_train_pairs", "negatives_per_positive", "max_compounds",
)  # fmt: skip
FROM_ZERO = ("learning_rate", "weight_decay", "max_grad_norm", "warmup_steps", "few_shot", "memorisation_probe")
SEEDS = ("seed", "data_seed", "split_seed")
SAME_WORK = (*SEEDS, "output_dir", "overwrite", "push_to_hub", "report_to", "run_name")
"""What does not change how long a run takes."""
RANGES: dict[str, tuple[float, float, str]] = {
    **dict.fromkeys(FROM_ONE, (1, math.inf, "1 or more")),
    **dict.fromkeys(FROM_ZERO, (0, sys.float_info.max, "0 or more")),
    "lora_dropout": (0, math.nextafter(1, 0), "0 or more and below 1"),
    # What NumPy takes.
    **dict.fromkeys(SEEDS, (0, 2**32 - 1, "a whole number from 0 to 4294967295")),
}


class Parser(TrlParser):
    """TRL's parser with one spelling of each option, errors of one message, and a help of two screens.

    `recipe` is what `bioft train` calls the recipe, and `known` the names of its presets; `in_full` shows all options.
    """

    def __init__(self, groups: Sequence[Any], recipe: str = "RECIPE", known: str = "", in_full: bool = False) -> None:
        super().__init__(groups, usage=help_page.usage_of(recipe))
        self.known, self.in_full = known, in_full
        for action in self._actions:
            action.option_strings = action.option_strings[:1]

    def format_help(self) -> str:
        """The help of the recipe."""
        if self.in_full:
            return super().format_help()
        return help_page.page(self.usage, self.known, recipe_help.sections(self.dataclass_types, self._actions))

    def error(self, message: str) -> NoReturn:
        """Raise a `BioftError` of a wrong command line."""
        raise BioftError(f"{message}. See --help.")


def run(main: Callable[..., None]) -> None:
    """Call the `main` of a recipe with what its command line says, in the dataclasses that its parameters name.

    What a user can mend ends in one red message, without a traceback.
    """
    logging.basicConfig(format="%(message)s", level=logging.WARNING, handlers=[progress.Lines()])
    logging.getLogger("bioft").setLevel(logging.INFO)
    with any_output(), user_errors():
        script, groups, words = Path(inspect.getfile(main)), groups_of(main), with_underscores(sys.argv[1:])
        given = {name: its for name in seed_runs.OPTIONS if (its := _take_option(f"--{name}", words)) is not None}
        if not given or "dry_run" in _option_names(words) or {"-h", "--help", "--help_all"} & set(words):
            parsed = parse(script.stem, groups, words, script=script)
            directory = next(Path(group.output_dir) for group in parsed if hasattr(group, "output_dir"))
            options = {key: its for key, its in recipe_process.options(words).items() if key not in SAME_WORK}
            progress.begin(" ".join([script.stem, *(f"{key}={its}" for key, its in sorted(options.items()))]))
            try:
                main(*parsed)
            except (BioftError, ValueError, ImportError):
                run_directory.remove_untrained(directory)
                raise
            except KeyboardInterrupt:
                place = progress.where()
                progress.end()
                left = run_directory.after_interrupt(
                    None if any(getattr(group, "dry_run", False) for group in parsed) else directory
                )
                raise KeyboardInterrupt(f"Stopped{place and f' in {place}'}. {left}") from None
            # Threads of gloo that are still there when the interpreter goes can abort it: a finished run would fail.
            PartialState().destroy_process_group()
        else:
            # Before the trainer's arguments exist: they would begin the process group that each seed needs.
            path, config = configuration(script.stem, groups, words, script)
            if "split_seeds" in given:
                _check_split_seeds(script.stem, groups, {**config, **recipe_process.options(words)})
            raise SystemExit(seed_runs.train_seeds(script, path, config, words, given))


def with_underscores(words: Sequence[str]) -> list[str]:
    """The words of a command line with options as YAML spells them: `--max_steps` for `--max-steps`."""
    return [re.sub(r"^--[^=]+", lambda name: f"--{name[0][2:].replace('-', '_')}", word) for word in words]


def groups_of(main: Callable[..., None]) -> list[Any]:
    """The dataclasses that a recipe's `main` takes, in the order of its parameters."""
    return [kind for kind in get_type_hints(main).values() if dataclasses.is_dataclass(kind)]


def fields_of(groups: Sequence[Any]) -> set[str]:
    """The options that some dataclasses have."""
    return {item.name for kind in groups for item in dataclasses.fields(kind) if item.init}


def parse(
    recipe: str, dataclass_types: Sequence[Any], argv: Sequence[str] | None = None, *, script: Path | None = None
) -> tuple[Any, ...]:
    """Parse a recipe's command line; `--config` takes a preset's name or a YAML file, by default `default`.

    The presets of a script outside bioft are the YAML files beside it, by default the one with its own name. Returns
    one instance of each dataclass, then the preset's name. BioftError: an unknown preset, a key that no dataclass has
    (with the nearest name, file and line), a number out of its range, or an option that says how to build a dataset
    which is built already.
    """
    arguments = with_underscores(sys.argv[1:] if argv is None else argv)
    path, _ = configuration(recipe, dataclass_types, arguments, script)
    in_full = "--help_all" in arguments
    name = recipe if script is None or _is_ours(script) else os.path.relpath(script)
    parser = Parser(dataclass_types, name, help_page.presets_beside(path), in_full)
    try:
        parsed = parser.parse_args_and_config(["--config", str(path), *(["--help"] if in_full else arguments)])
    except (ValueError, TypeError) as error:
        raise BioftError(f"{error} ({path}, or the command line)") from error
    for group in parsed:
        if isinstance(group, DataArguments):
            _check_data_options(group, set(_option_names(arguments)))
    check_ranges({key: value for group in parsed for key, value in vars(group).items()})
    return *parsed, path.stem


def configuration(
    recipe: str, dataclass_types: Sequence[Any], words: list[str], script: Path | None = None
) -> tuple[Path, dict[str, Any]]:
    """The YAML file that `--config` names, which is removed from the words of a command line, and its content.

    BioftError: an unknown preset, or a key in the file or on the command line that no dataclass has.
    """
    path = _take_config(recipe, words, script)
    known = fields_of(dataclass_types)
    config = yaml_config.load_config(path)
    presets.check_keys(config, known - seed_runs.OPTIONS.keys(), path)
    presets.check_keys(dict.fromkeys(_option_names(words)), known, Path("command line"))
    return path, config


def resolved(*arguments: Any) -> dict[str, Any]:
    """The values that differ from their defaults, one dict for all dataclasses: what `config.yaml` keeps."""
    values: dict[str, Any] = {}
    for group in arguments:
        for item in dataclasses.fields(group):
            value = getattr(group, item.name)
            if "token" in item.name and isinstance(value, str):
                continue  # a secret stays out of every file
            written = isinstance(value, str | int | float | bool | list) or (isinstance(value, dict) and value)
            if item.init and value != item.default and written:
                values[item.name] = getattr(value, "value", value)
    return values


def check_ranges(values: Mapping[str, Any]) -> None:
    """Check the numbers among a recipe's settings before any work: trainers notice a wrong one late, or never.

    None stands for a default. BioftError names each that is out of range, or says that there is nothing to train for.
    """
    wrong = [
        f"{name} is {values[name]}; it must be {words}."
        for name, (low, high, words) in RANGES.items()
        if isinstance(values.get(name), int | float) and not low <= values[name] <= high
    ]
    epochs, steps = values.get("num_train_epochs"), values.get("max_steps")
    # A number of steps overrules that of epochs.
    if epochs is not None and steps is not None and steps <= 0 and not 0 < epochs <= sys.float_info.max:
        wrong.append(f"num_train_epochs is {epochs}; it must be more than 0 where no max_steps is given.")
    if wrong:
        raise BioftError("\n".join(wrong))


@contextmanager
def user_errors() -> Iterator[None]:
    """Print a `BioftError`, or a setting that a trainer refuses, as one red message and leave with exit code 1."""
    quiet.quieten()
    try:
        yield
    except (BioftError, ValueError, ImportError) as error:
        place = "" if isinstance(error, BioftError) else _trainer_frame(error)
        if place is None:
            raise
        Console(stderr=True, markup=False, soft_wrap=True).print(Text(f"Error: {error}{place}", style="red"))
        raise SystemExit(1) from None
    except KeyboardInterrupt as interrupt:
        if os.environ.get("RANK", "0") == "0":
            progress.say(str(interrupt) or "Interrupted. The same command continues from the last checkpoint.")
        raise SystemExit(130) from None


def _trainer_frame(error: Exception) -> str | None:
    """Where a trainer's library raised the error, which then says itself what was wrong; None if other code did."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    parts = Path(frame.filename).parts
    package = parts[parts.index("site-packages") + 1] if "site-packages" in parts else None
    return f" ({package}, {parts[-1]} line {frame.lineno})" if package in TRAINER_PACKAGES else None


def _check_data_options(data_args: Any, given: set[str]) -> None:
    """Refuse options of a command line that would change nothing; a preset may hold those of its own dataset."""
    name, options = data_args.dataset, {item.name for item in dataclasses.fields(data_args)}
    source = load.named(data_args.sources, name) or load.own(data_args.sources, name)
    building = given & options & load.builder_options(data_args.sources)
    if source is not None and source.own:
        building -= load.builder_options([source]) - {"dataset_path"}
    if source is not None and not source.own:
        taken = load.builder_options([source])
        if unused := sorted(building - taken):
            why = f"not for {name}" if "dataset_path" in taken else f"{name} comes with bioft"
            raise BioftError(f"--{unused[0]} is for another --dataset: {why}.")
    elif building and (source is not None or Path(name).is_dir() or "/" in name):
        known = ", ".join(each for source in data_args.sources if (each := source.dataset_name()) is not None)
        raise BioftError(
            f"--{min(building)} is for a dataset that is built here ({known}), and not for {name}. Leave it "
            "out, or build another with `bioft build`."
        )


def _check_split_seeds(recipe: str, groups: Sequence[Any], values: Mapping[str, Any]) -> None:
    """Refuse seeds of splits, before the first is trained, of data that come with theirs; `values` are the options."""
    if "split_seed" not in fields_of(groups):
        raise BioftError(f"{recipe} reads data that come with their splits: there is no split_seed.")
    for kind in groups:
        if issubclass(kind, DataArguments):
            name = values.get("dataset")
            _check_data_options(kind() if name is None else kind(dataset=name), {"split_seed"})


def _is_ours(script: Path) -> bool:
    return script.resolve().parent == presets.recipes_directory().resolve()


def _take_config(recipe: str, arguments: list[str], script: Path | None) -> Path:
    """Remove `--config` from the arguments and return the file that it names."""
    value = _take_option("--config", arguments)
    if value is None or not presets.is_path(value):
        if script is None or _is_ours(script):
            return presets.resolve_config(recipe, value or "default")
        value = str(script.with_name(f"{value or script.stem}.yaml"))
    if not Path(value).is_file():
        raise BioftError(f"No configuration file at {value}.")
    return Path(value)


def _take_option(name: str, arguments: list[str]) -> str | None:
    """Remove an option and its value from the arguments; return the value, None if it is not there."""
    parser = ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument(name, dest="value")
    try:
        found, arguments[:] = parser.parse_known_args(arguments)
    except ArgumentError:
        raise BioftError(f"{name} needs a value.") from None
    return found.value


def _option_names(arguments: Sequence[str]) -> list[str]:
    names = [argument[2:].split("=")[0] for argument in arguments if argument.startswith("--")]
    return [name.removeprefix("no_") for name in names if name not in {"help", "help_all"}]
