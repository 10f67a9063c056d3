"""Command-line arguments of recipes: a preset in YAML, any key overridden on the command line."""

import dataclasses
import inspect
import logging
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NoReturn, get_type_hints

import torch
import transformers
from accelerate import PartialState
from rich.console import Console
from rich.text import Text
from transformers.trainer_utils import IntervalStrategy
from trl import ModelConfig, SFTConfig, TrlParser

from bioft.datasets import load
from bioft.errors import BioftError
from bioft.storage import runs
from bioft.training import presets, setting_ranges
from bioft.training import seeds as seed_runs

# Of the options of data, those that are for a dataset that was built already too.
FOR_BUILT_DATA = {"dataset", "dataset_revision", "validation_only", "max_train_pairs", "train_on"}
# Those that are for a dataset which is made of files.
FOR_FILES = {"dataset_path", "skip_bad", "exclude", "strip_symbols", "modelseed", "held_out_models"}
TRAINER_PACKAGES = ("accelerate", "peft", "sentence_transformers", "torch", "transformers", "trl")


@dataclass
class DataArguments:
    """Which split to evaluate on, whatever the data."""

    built_here: ClassVar[tuple[str, ...]] = ()
    """Names of the datasets that a recipe builds itself; any other is a folder or on the Hub, and built already."""

    validation_only: bool = field(
        default=False,
        metadata={
            "help": "Evaluate on the validation split and use nothing of the test split, to choose between "
            "configurations; such a run can't be compared or published."
        },
    )


@dataclass
class GeneDiseaseArguments(DataArguments):
    """Which gene–disease pairs to train and test on."""

    built_here: ClassVar[tuple[str, ...]] = load.GENE_DISEASE

    dataset: str = field(
        default="hpo",
        metadata={"help": "hpo (ships with bioft), ctd, a folder written by `bioft build`, or user/name on the Hub."},
    )
    dataset_path: str | None = field(
        default=None, metadata={"help": "CTD file, for example from `bioft download ctd`."}
    )
    dataset_revision: str | None = field(
        default=None, metadata={"help": "Branch, tag or commit of a dataset on the Hub (by default main)."}
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
    push_to_hub: str | None = field(
        default=None, metadata={"help": "user/name of a model repository: push the run there at its end, as private."}
    )
    seeds: str | None = field(
        default=None,
        metadata={
            "help": "Train once for each of these seeds, such as 1,2,3, each into a folder of output_dir, and report "
            "mean and interval over them. On the command line only."
        },
    )


@dataclass
class PromptArguments(RecipeArguments):
    """The same for a recipe that prompts a language model."""

    prompt_style: str = field(default="auto", metadata={"help": "auto, chat, plain or alpaca."})
    start_from: str | None = field(
        default=None,
        metadata={
            "help": "Finished run of sft_gda on the same split, or user/name on the Hub: its adapter is trained "
            "further, whatever lora_* say."
        },
    )


@dataclass
class ModelArguments(ModelConfig):
    """TRL's arguments of the model, but for those that no recipe reads: an option that changes nothing is none."""

    lora_target_parameters: list[str] | None = field(default=None, init=False)
    lora_task_type: str = field(default="CAUSAL_LM", init=False)
    load_in_8bit: bool = field(default=False, init=False)
    bnb_4bit_quant_type: str = field(default="nf4", init=False)
    use_bnb_nested_quant: bool = field(default=True, init=False)
    bnb_4bit_quant_storage: str | None = field(default=None, init=False)


@dataclass
class EncoderModelArguments(ModelArguments):
    """The same for an encoder, whose weights are loaded in float32 whatever the trainer's precision."""

    dtype: str = field(default="float32", init=False)
    attn_implementation: str | None = field(default=None, init=False)
    load_in_4bit: bool = field(default=False, init=False)


@dataclass
class LanguageModelArguments(ModelArguments):
    """The same for a language model, which always gets an adapter; the type of its weights is chosen by hardware."""

    use_peft: bool = field(default=True, init=False)
    dtype: str = field(
        default="auto",
        metadata={
            "help": "Type of the weights that are not in 4 bits, and of products; auto is bfloat16 where the hardware "
            "multiplies it, else float32 (float16 on an older GPU).",
        },
    )

    def __post_init__(self) -> None:
        """Refuse a type that there is not."""
        if self.dtype not in ("auto", "bfloat16", "float16", "float32"):
            raise ValueError(f"dtype is auto, bfloat16, float16 or float32, not {self.dtype!r}")
        super().__post_init__()


@dataclass
class DocumentArguments(DataArguments):
    """Which documents with entities and relations to train and test on."""

    built_here: ClassVar[tuple[str, ...]] = load.DOCUMENTS

    dataset: str = field(
        default="sample",
        metadata={
            "help": "sample (ships with bioft), bc5cdr, chemdisgene, a folder written by `bioft build`, or user/name "
            "on the Hub."
        },
    )
    dataset_path: str | None = field(
        default=None, metadata={"help": "Folder of BC5CDR or file of ChemDisGene, from `bioft download`."}
    )
    dataset_revision: str | None = field(
        default=None, metadata={"help": "Branch, tag or commit of a dataset on the Hub (by default main)."}
    )
    skip_bad: bool = field(default=False, metadata={"help": "Leave out documents that are not valid, and count them."})
    train_on: str = field(
        default="train",
        metadata={
            "help": "train, or train+validation: then the last checkpoint is kept, as nothing is left to choose by."
        },
    )

    def __post_init__(self) -> None:
        """Refuse a value that names no splits."""
        if self.train_on not in ("train", "train+validation"):
            raise ValueError(f"train_on is train or train+validation, not {self.train_on!r}")


@dataclass
class PairArguments(DataArguments):
    """Which pairs of texts to train and test on."""

    built_here: ClassVar[tuple[str, ...]] = load.TEXT_PAIRS

    dataset: str = field(
        default="hpo_synonyms",
        metadata={
            "help": "hpo_synonyms (ships with bioft), metabolites, a folder written by `bioft build`, or user/name on "
            "the Hub."
        },
    )
    dataset_revision: str | None = field(
        default=None, metadata={"help": "Branch, tag or commit of a dataset on the Hub (by default main)."}
    )
    namespace: str = field(
        default="cobra",
        metadata={"help": "Metabolites: cobra (ships with it), or a file such as that of `bioft download bigg`."},
    )
    modelseed: str | None = field(
        default=None, metadata={"help": "Metabolites: folder of `bioft download modelseed`, for real synonyms."}
    )
    held_out_models: list[str] | None = field(
        default=None,
        metadata={"help": "Metabolites: models to test on; none of their compounds is trained on."},
    )
    kinds: list[str] | None = field(
        default=None, metadata={"help": "Metabolites: kinds of pairs (by default all; see metabolite_pairs.KINDS)."}
    )
    max_compounds: int = field(default=10_000, metadata={"help": "Metabolites: compounds of a split, at most."})
    split_seed: int = field(default=0, metadata={"help": "Seed of splits and pairs."})


@dataclass
class WindowArguments:
    """How documents are cut for the encoder: windows that overlap, so that nothing is lost."""

    window_length: int = field(
        default=192, metadata={"help": "Tokens of a window, with the special ones at its ends."}
    )
    window_overlap: int = field(
        default=48, metadata={"help": "Tokens that neighbouring windows share (`stride` in Hugging Face tokenizers)."}
    )


@dataclass
class RelationArguments:
    """How pairs of concepts become texts for a classifier, and relations of its scores."""

    marker_style: str = field(
        default="typed",
        metadata={
            "help": "typed (@ chemical: aspirin @), entity (@ aspirin @) or masked (@ chemical): how the mentions of "
            "the two concepts are marked."
        },
    )
    add_marker_tokens: bool = field(
        default=False, metadata={"help": "Add the markers to the vocabulary; they are saved with the model."}
    )
    summary: bool = field(
        default=True,
        metadata={"help": "Begin each text with a few words on how often and where the document names the concepts."},
    )
    max_length: int = field(
        default=128, metadata={"help": "Tokens of a text; sentences that do not fit are left out, and counted."}
    )
    positive_weight: float = field(
        default=1.0, metadata={"help": "How much a related pair counts in the loss; an unrelated one counts 1."}
    )
    trained_layers: int | None = field(
        default=None, metadata={"help": "Train the last N layers of the encoder and the head only, which saves time."}
    )
    threshold: float | None = field(
        default=None,
        metadata={"help": "Score from which on a relation is predicted; by default the best one on validation."},
    )
    entity_run: str | None = field(
        default=None,
        metadata={"help": "Finished run of token_classification: evaluate end to end too, on the entities it finds."},
    )


@dataclass
class JointArguments:
    """How much each head of a joint model is trained, and what the finished model is compared with."""

    entity_loss_weight: float = field(
        default=1.0, metadata={"help": "Weight of the entity head's loss; 0 trains the relation head only."}
    )
    relation_loss_weight: float = field(
        default=1.0, metadata={"help": "Weight of the relation head's loss; 0 trains the entity head only."}
    )
    positive_weight: float = field(
        default=1.0, metadata={"help": "How much a related pair counts in the loss; an unrelated one counts 1."}
    )
    start_from: str | None = field(
        default=None,
        metadata={"help": "Finished run of token_classification on these data: go on from its encoder and its tags."},
    )
    trained_layers: int | None = field(
        default=None,
        metadata={"help": "Train the last N layers of the encoder and the heads only; 0 trains the heads alone."},
    )
    relation_layer: int | None = field(
        default=None,
        metadata={"help": "Layer of the encoder that the relation head reads, from 1; by default the last one."},
    )
    relation_words: bool = field(
        default=False,
        metadata={"help": "Let the relation head also read the words at, around and between two mentions."},
    )
    relation_dropout: float = field(
        default=0.3,
        metadata={"help": "Share of what the relation head reads that is hidden in training."},
    )
    threshold: float | None = field(
        default=None,
        metadata={"help": "Score from which on a relation is predicted; by default the best one on validation."},
    )
    compare_with: list[str] | None = field(
        default=None,
        metadata={"help": "Finished runs on the same test documents, each compared by paired bootstrap."},
    )

    def __post_init__(self) -> None:
        """Refuse a model of which nothing is trained."""
        weights = (self.entity_loss_weight, self.relation_loss_weight)
        if min(weights) < 0 or not any(weights):
            raise ValueError("entity_loss_weight and relation_loss_weight must be 0 or more, and one of them more")

    def trained_heads(self) -> tuple[str, ...]:
        """Which of "entities" and "relations" are learnt, here (their loss has a weight) or in `start_from`."""
        weights = {"entities": self.entity_loss_weight, "relations": self.relation_loss_weight}
        return tuple(head for head, weight in weights.items() if weight or (self.start_from and head == "entities"))

    def model_options(self) -> dict[str, float | None]:
        """Those that are part of the model's configuration."""
        names = (
            "entity_loss_weight", "relation_loss_weight", "positive_weight", "relation_layer", "relation_words",
            "relation_dropout",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}


@dataclass
class TextArguments(DataArguments):
    """Which texts to adapt a model to."""

    built_here: ClassVar[tuple[str, ...]] = load.TEXTS

    dataset: str = field(
        default="hpo_definitions",
        metadata={
            "help": "hpo_definitions (ships with bioft), trials, a folder written by `bioft build trials`, or "
            "user/name on the Hub."
        },
    )
    dataset_path: str | None = field(
        default=None, metadata={"help": "Trials: file, zip file or folder, from `bioft download trials` or the site."}
    )
    dataset_revision: str | None = field(
        default=None, metadata={"help": "Branch, tag or commit of a dataset on the Hub (by default main)."}
    )
    exclude: str | None = field(
        default=None, metadata={"help": "File of NCT ids to leave out: trials that the base model has seen."}
    )
    strip_symbols: bool = field(
        default=False, metadata={"help": "Remove brackets, % and other symbols, as was done for a published model."}
    )
    skip_bad: bool = field(default=False, metadata={"help": "Leave out records that are not valid, and count them."})


@dataclass
class MaskingArguments:
    """How texts become blocks, and which of their tokens are to be predicted."""

    block_length: int = field(
        default=256, metadata={"help": "Tokens of a block, into which several texts are packed."}
    )
    mask_probability: float = field(default=0.15, metadata={"help": "Share of the tokens to be predicted."})
    whole_words: bool = field(default=False, metadata={"help": "Hide all tokens of a word, or none."})

    def __post_init__(self) -> None:
        """Refuse a share that leaves nothing to predict, or nothing to predict it from."""
        if not 0 < self.mask_probability < 1:
            raise ValueError(f"mask_probability is a share between 0 and 1, not {self.mask_probability}")


@dataclass
class LabelledTextArguments(DataArguments):
    """Which labelled texts to train and test on."""

    built_here: ClassVar[tuple[str, ...]] = load.LABELLED_TEXTS

    dataset: str = field(
        default="sample",
        metadata={
            "help": "sample (ships with bioft), stop_reasons (expert labels), stop_reasons_weak (predicted labels), "
            "gender, a folder written by `bioft build`, or user/name on the Hub."
        },
    )
    dataset_path: str | None = field(
        default=None,
        metadata={
            "help": "File of stop reasons (those with expert labels are fetched without it), or file or folder of "
            "trial records for gender."
        },
    )
    dataset_revision: str | None = field(
        default=None, metadata={"help": "Branch, tag or commit of a dataset on the Hub (by default main)."}
    )
    split_seed: int = field(default=0, metadata={"help": "Seed of the splits."})
    skip_bad: bool = field(default=False, metadata={"help": "Leave out rows that are not valid, and count them."})


@dataclass
class ClassifierArguments:
    """What a classifier of texts reads, how it is trained, and what it starts from."""

    max_length: int = field(default=128, metadata={"help": "Tokens of a text, with the special ones at its ends."})
    head: str = field(default="linear", metadata={"help": "linear, or two_layer: a hidden layer before it."})
    class_imbalance: str = field(
        default="none",
        metadata={"help": "none; pos_weight: rare labels count more in the loss; focal: hard texts count more."},
    )
    focal_gamma: float = field(default=2.0, metadata={"help": "How much less easy texts count with focal."})
    trained_layers: int | None = field(
        default=None, metadata={"help": "Train the last N layers of the encoder and the head only, which saves time."}
    )
    mlm_run: str | None = field(
        default=None,
        metadata={"help": "Finished run of mlm, or user/name on the Hub: its adapter is merged into the base model."},
    )
    start_from: str | None = field(
        default=None,
        metadata={"help": "Finished run of text_classification, or user/name on the Hub, to be trained further."},
    )

    def __post_init__(self) -> None:
        """Refuse values that there are not."""
        if self.head not in ("linear", "two_layer"):
            raise ValueError(f"head is linear or two_layer, not {self.head!r}")
        if self.class_imbalance not in ("none", "pos_weight", "focal"):
            raise ValueError(f"class_imbalance is none, pos_weight or focal, not {self.class_imbalance!r}")
        if self.mlm_run and self.start_from:
            raise ValueError("give mlm_run or start_from: a run that is trained further has its encoder already")


@dataclass
class MixedPrecision:
    """Mixed precision by hardware: bfloat16 on GPUs that have it, else float16 there, and none on a CPU."""

    bf16: bool | None = field(
        default=None, metadata={"help": "bfloat16 mixed precision; by default if the GPU has it."}
    )
    fp16: bool = field(default=False, metadata={"help": "float16 mixed precision, for GPUs without bfloat16."})

    def choose_precision(self, use_cpu: bool) -> None:
        """Choose where the user did not."""
        on_gpu = torch.cuda.is_available() and not use_cpu
        if self.bf16 is None and not self.fp16:
            self.bf16 = on_gpu and torch.cuda.is_bf16_supported()
            self.fp16 = on_gpu and not self.bf16


@dataclass
class TrainingArguments(MixedPrecision, SFTConfig):
    """TRL's arguments, with mixed precision by hardware.

    TRL asks for bfloat16 everywhere, which fails on processors without it. On a CPU the weights themselves are loaded
    in the type that is fast there (`LanguageModelArguments.dtype`).
    """

    # The trainer's own push would send its state and another card: `RecipeArguments.push_to_hub` pushes the run.
    push_to_hub: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Choose the precision where the user did not."""
        self.choose_precision(self.use_cpu)
        super().__post_init__()


@dataclass
class EncoderTrainingArguments(MixedPrecision, transformers.TrainingArguments):
    """The arguments of Transformers' trainer, with mixed precision by hardware; the weights are float32."""

    push_to_hub: bool = field(default=False, init=False)  # as in `TrainingArguments`

    def __post_init__(self) -> None:
        """Choose the precision where the user did not."""
        self.choose_precision(self.use_cpu)
        super().__post_init__()


class Parser(TrlParser):
    """TRL's parser, whose errors are one message instead of a page of usage."""

    def error(self, message: str) -> NoReturn:
        """Raise a `BioftError` of a wrong command line."""
        raise BioftError(f"{message}. See --help.")


def keep_last_checkpoint(training_args: transformers.TrainingArguments, train_on: str) -> None:
    """Turn off what needs validation data, for a training that uses them up."""
    if train_on == "train+validation":
        training_args.eval_strategy = IntervalStrategy.NO
        training_args.load_best_model_at_end = False


def run(main: Callable[..., None]) -> None:
    """Call the `main` of a recipe with what its command line says, in the dataclasses that its parameters name.

    What a user can mend ends in one red message, without a traceback.
    """
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("bioft").setLevel(logging.INFO)
    with user_errors():
        script, groups, words = Path(inspect.getfile(main)), groups_of(main), sys.argv[1:]
        seeds = _take_option("--seeds", words)
        if seeds is None or "dry_run" in _option_names(words):
            parsed = parse(script.stem, groups, words)
            directory = next(Path(group.output_dir) for group in parsed if hasattr(group, "output_dir"))
            try:
                main(*parsed)
            except (BioftError, ValueError, ImportError):
                runs.remove_untrained(directory)
                raise
            # Threads of gloo that are still there when the interpreter goes can abort it: a finished run would fail.
            PartialState().destroy_process_group()
        else:
            # Before the trainer's arguments exist: they would begin the process group that each seed needs.
            path, config = configuration(script.stem, groups, words)
            raise SystemExit(seed_runs.train_seeds(script, path, config, words, seeds))


def groups_of(main: Callable[..., None]) -> list[Any]:
    """The dataclasses that a recipe's `main` takes, in the order of its parameters."""
    return [kind for kind in get_type_hints(main).values() if dataclasses.is_dataclass(kind)]


def parse(recipe: str, dataclass_types: Sequence[Any], argv: Sequence[str] | None = None) -> tuple[Any, ...]:
    """Parse a recipe's command line; `--config` takes a preset's name or a YAML file, by default `default`.

    Returns:
        One instance of each dataclass, then the preset's name.

    Raises:
        BioftError: an unknown preset, a key that no dataclass has (with the nearest name, file and line), a number out
            of its range, or an option that says how to build a dataset which is built already.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    path, _ = configuration(recipe, dataclass_types, arguments)
    try:
        parsed = Parser(list(dataclass_types)).parse_args_and_config(["--config", str(path), *arguments])
    except (ValueError, TypeError) as error:
        raise BioftError(f"{error} ({path}, or the command line)") from error
    for group in parsed:
        if isinstance(group, DataArguments):
            _check_data_options(group, set(_option_names(arguments)))
    setting_ranges.check({key: value for group in parsed for key, value in vars(group).items()})
    return *parsed, path.stem


def configuration(recipe: str, dataclass_types: Sequence[Any], words: list[str]) -> tuple[Path, dict[str, Any]]:
    """The YAML file that `--config` names, which is removed from the words of a command line, and its content.

    Raises:
        BioftError: an unknown preset, or a key in the file or on the command line that no dataclass has.
    """
    path = _take_config(recipe, words)
    known = {item.name for kind in dataclass_types for item in dataclasses.fields(kind) if item.init}
    config = presets.load_config(path)
    presets.check_keys(config, known - {"seeds"}, path)
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


@contextmanager
def user_errors() -> Iterator[None]:
    """Print a `BioftError`, or a setting that a trainer refuses, as one red message and leave with exit code 1."""
    # What the libraries plan to change in themselves is nothing that a user can mend.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers|trl|peft")
    warnings.filterwarnings("ignore", message=".*'pin_memory' argument is set as true but no accelerator")
    # PEFT looks on the Hub whether embeddings of a new size must be saved; the recipes name those that they save.
    warnings.filterwarnings("ignore", message="Could not find a config file in .* vocabulary was not modified")
    try:
        yield
    except BioftError as error:
        Console(stderr=True, soft_wrap=True).print(Text(f"Error: {error}", style="red"))
        raise SystemExit(1) from None
    except (ValueError, ImportError) as error:
        if (place := _trainer_frame(error)) is None:
            raise
        Console(stderr=True, soft_wrap=True).print(Text(f"Error: {error} ({place})", style="red"))
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        Console(stderr=True).print("Interrupted. The same command continues from the last checkpoint.")
        raise SystemExit(130) from None


def _trainer_frame(error: Exception) -> str | None:
    """Where a trainer's library raised the error, which then says itself what was wrong; None if other code did."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    parts = Path(frame.filename).parts
    package = parts[parts.index("site-packages") + 1] if "site-packages" in parts else None
    return f"{package}, {parts[-1]} line {frame.lineno}" if package in TRAINER_PACKAGES else None


def _check_data_options(data_args: Any, given: set[str]) -> None:
    """Refuse options of a command line that would change nothing; a preset may hold those of its own dataset."""
    name, options = data_args.dataset, {item.name for item in dataclasses.fields(data_args)}
    elsewhere = name not in data_args.built_here and (Path(name).is_dir() or "/" in name)
    if elsewhere and (unused := sorted(given & options - FOR_BUILT_DATA)):
        raise BioftError(
            f"--{unused[0]} is for a dataset that is built here ({', '.join(data_args.built_here)}): {name} was built "
            "already. Build another with `bioft build`, or leave it out."
        )
    if name in load.EMBEDDED and (unused := sorted(given & options & FOR_FILES)):
        raise BioftError(f"--{unused[0]} is for another --dataset: {name} comes with bioft.")


def _take_config(recipe: str, arguments: list[str]) -> Path:
    """Remove `--config` from the arguments and return the file that it names."""
    value = _take_option("--config", arguments) or "default"
    if value.endswith((".yaml", ".yml")) or "/" in value:
        if not Path(value).is_file():
            raise BioftError(f"No configuration file at {value}.")
        return Path(value)
    return presets.resolve_config(recipe, value)


def _take_option(name: str, arguments: list[str]) -> str | None:
    """Remove an option and its value from the arguments; return the value, None if it is not there."""
    for index, argument in enumerate(arguments):
        if argument == name:
            if index + 1 == len(arguments):
                raise BioftError(f"{name} needs a value.")
            value = arguments[index + 1]
            del arguments[index : index + 2]
            return value
        if argument.startswith(f"{name}="):
            del arguments[index]
            return argument.removeprefix(f"{name}=")
    return None


def _option_names(arguments: Sequence[str]) -> list[str]:
    names = [argument[2:].split("=")[0] for argument in arguments if argument.startswith("--")]
    return [name.removeprefix("no_") for name in names if name not in {"help"}]
