"""A gene–disease run that goes on from an earlier one: its adapter is trained further."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from peft import PeftModel

from bioft.errors import BioftError
from bioft.hub import pull
from bioft.models import base as models
from bioft.models.embedded import BaseModel
from bioft.storage import runs
from bioft.tasks.gene_disease import TASK


def find_start(run: str | None, base: BaseModel, manifest: Mapping[str, Any]) -> Path | None:
    """The folder of the run of `sft_gda` that a training goes on from; nothing is loaded yet.

    Args:
        run: its directory or `user/name` on the Hub; None if the training begins with a new adapter.
        base: the base model.
        manifest: of the dataset.

    Raises:
        BioftError: no such run, one of another recipe, on another base model or other weights of it, or with other
            validation or test pairs, of which it may have been trained on some.
    """
    if run is None:
        return None
    folder = pull.run_directory(run)
    record = runs.read_trained(folder, TASK.name)
    recorded = record["base_model"]
    models.check_goes_on_from(run, recorded, base)
    # Weights from the Hub are told apart by their commit, others by their content.
    if (recorded["revision"], recorded["sha256"]) != (base.revision, base.sha256):
        revision = f" --model_revision {recorded['revision']}" if recorded["revision"] else ""
        raise BioftError(
            f"The weights of {base.id} from {base.source} are not those that {run} was trained on, from "
            f"{recorded['source']}: give --model_name_or_path {recorded['name_or_path']}{revision}."
        )
    earlier, now = record["dataset"]["fingerprints"], manifest["fingerprints"]
    if different := [split for split in ("validation", "test") if earlier.get(split) != now[split]]:
        raise BioftError(
            f"The run in {run} has another {different[0]} split: it may have been trained on these pairs. Give a run "
            "on the same dataset and split, with the same split_seed and sizes."
        )
    return folder


def with_adapter(model: Any, start: Path | None) -> Any:
    """The base model with the adapter of an earlier run, ready to be trained; without one the base model as it is."""
    return model if start is None else PeftModel.from_pretrained(model, str(start), is_trainable=True)
