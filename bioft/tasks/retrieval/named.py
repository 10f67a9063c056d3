"""Text encoders by name, to be asked: one of a run, or a base model with mean pooling.

They are trained with Sentence Transformers, whose import takes longer than all else that one query needs.
"""

from pathlib import Path
from typing import Any

import torch

from bioft.errors import BioftError
from bioft.models import base as models, quiet
from bioft.models.embedded import BaseModel
from bioft.models.own import bert
from bioft.storage import runs
from bioft.tasks.entities import windows
from bioft.tasks.retrieval import TASKS

MAX_LENGTH = 256
"""Tokens of a text that a base model reads; a run reads as many as in its training."""
PLAIN = ("bert",)
"""Architectures of `MeanPooling`; of others Sentence Transformers knows what they need."""


class _Tokens(torch.nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return features | {"token_embeddings": self.model(**features).last_hidden_state}


class _Mean(torch.nn.Module):
    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        states = features["token_embeddings"]
        mask = features["attention_mask"].unsqueeze(-1).to(states.dtype)
        total, count = ((its.sum(dim=1, dtype=torch.float32)) for its in (states * mask, mask))
        return features | {"sentence_embedding": (total / count).to(states.dtype)}


class MeanPooling(torch.nn.Sequential):
    """An encoder with mean pooling: to the bit what a `SentenceTransformer` of such two modules gives."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        super().__init__(_Tokens(model), _Mean())
        self.config, self.tokenizer = model.config, tokenizer

    @property
    def device(self) -> torch.device:
        """Where the encoder is."""
        return next(self.parameters()).device

    @property
    def max_seq_length(self) -> int:
        """Tokens of a text that are read."""
        return self.tokenizer.model_max_length

    def get_embedding_dimension(self) -> int:
        """Numbers of an embedding."""
        return int(self.config.hidden_size)


def load(name: str, dtype: torch.dtype | None = None, *, whole: bool = True) -> tuple[Any, list[Any]]:
    """The encoder of a finished run (its folder), or a base model with mean pooling; and by what it is told apart.

    It is a `SentenceTransformer`, or where that need not be `whole` and gives the same a `MeanPooling`. Its weights
    are in `dtype`, by default in float32. BioftError: as `encoder.load_run`, `models.resolve_base_model` and
    `encoder.load_model`.
    """
    quiet.quieten()
    folder, dtype = Path(name), dtype or torch.float32
    if (folder / runs.RECORD).is_file() or (folder / runs.CONFIG).is_file():
        record = runs.read_trained(folder, *TASKS)
        weights = {file: digest for file, digest in record["files"].items() if file.endswith(".safetensors")}
        told_by = [weights, *(record["base_model"][key] for key in ("id", "revision", "sha256"))]
        adapted = (folder / "adapter_config.json").is_file()
        model: Any = None if whole or adapted else _plain(name, record["contrastive"]["max_length"])
        if model is None:
            from bioft.tasks.retrieval import encoder

            model, _ = encoder.load_run(folder, dtype)
    else:
        base = models.resolve_base_model(name)
        told_by = [base.sha256 or [base.id, base.revision]]
        model = None if whole else _plain(base.path, MAX_LENGTH, base.hub_revision)
        if model is None:
            from bioft.tasks.retrieval import encoder

            _check_whole(base)
            model = encoder.load_model(base, encoder.ContrastiveArguments(max_length=MAX_LENGTH))
    return model.to(models.local_device(), dtype).eval(), [*told_by, model.max_seq_length]


def _check_whole(base: BaseModel) -> None:
    """Refuse a base model that would be asked with weights that are not in its files, which are random: BioftError."""
    from transformers import AutoModel

    model, _, loaded = models.load_with_info(base, AutoModel)
    if lacking := models.missing_of_encoder(model, loaded["missing_keys"]):
        raise BioftError(
            f"{base.id} can't be asked: it holds no weights for {len(lacking):,} parts of its encoder, such as "
            f"{lacking[0]}. Fetch it again, or name another model."
        )


def _plain(path: str, max_length: int, revision: str | None = None) -> MeanPooling | None:
    """None where Sentence Transformers has to load it, or to say what is wrong."""
    if (found := bert.load(path, "Model")) is not None:
        model, tokenizer = found
        tokenizer.model_max_length = windows.input_length(tokenizer, model, max_length, path)
        return MeanPooling(model, tokenizer)
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    try:
        config = AutoConfig.from_pretrained(path, revision=revision)
        if config.model_type not in PLAIN:
            return None
        options = {"revision": revision, "dtype": torch.float32, "output_loading_info": True}
        model, loaded = AutoModel.from_pretrained(path, config=config, **options)
        tokenizer = AutoTokenizer.from_pretrained(path, revision=revision, model_max_length=max_length)
    except Exception:  # of a damaged file, each library has its own
        return None
    if loaded["missing_keys"]:
        return None
    tokenizer.model_max_length = windows.input_length(tokenizer, model, max_length, path)
    return MeanPooling(model, tokenizer)
