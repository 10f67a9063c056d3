"""A joint model that goes on from a run of `token_classification`: its encoder and its tags, with new relations."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from bioft.errors import BioftError
from bioft.models import base as models
from bioft.models.embedded import BaseModel
from bioft.storage import runs
from bioft.tasks.entities import predict as entity_prediction
from bioft.tasks.joint import model as joint


def load_entity_weights(
    run: str | None, model: joint.JointModel, base: BaseModel, manifest: Mapping[str, Any], chooses_threshold: bool
) -> dict[str, torch.Tensor]:
    """The weights of a joint model, its encoder and entity head as a finished run of `token_classification` has them.

    A whole `state_dict`; what the run does not have, without a run all of it, is the model's own. `chooses_threshold`:
    the validation documents will choose the threshold of relations. Raises BioftError: no such run, one of another
    recipe, on another base model, with other tags or another test split, one trained on the validation documents that
    choose the threshold, or of an architecture (ModernBERT) with more than an encoder and a linear layer for tags.
    """
    if run is None:
        return model.state_dict()
    entity_prediction.check_not_trained_on(run, manifest)
    record = runs.read(run)
    if chooses_threshold and record["train_on"] == "train+validation":
        raise BioftError(
            f"{run} was trained on the validation documents too. Of documents that its encoder knows the model is too "
            "sure, and a threshold chosen on them is too high for others. Give a run that was trained with --train_on "
            "train, or a --threshold."
        )
    models.check_goes_on_from(run, record["base_model"], base)
    tagger, _, record = entity_prediction.load(Path(run))
    if hasattr(tagger, "merge_and_unload"):
        tagger = tagger.merge_and_unload()
    tags, wanted = record["labels"], joint.labels_of(model.config)
    if sorted(tags) != sorted(wanted):
        raise BioftError(f"{run} has the tags {', '.join(tags)}; the training documents have {', '.join(wanted)}.")
    taken = f"{tagger.base_model_prefix}.", "classifier."
    if more := [name for name, _ in tagger.named_parameters() if not name.startswith(taken)]:
        raise BioftError(
            f"The model of {run} has layers between encoder and tags ({more[0]}); a joint model has no place for them."
        )
    order = [tags.index(tag) for tag in wanted]
    encoder = {name: weight for name, weight in tagger.base_model.state_dict().items() if "pooler" not in name}
    heads = {name: weight[order] for name, weight in tagger.classifier.state_dict().items()}
    return (
        model.state_dict()
        | {f"encoder.{name}": weight for name, weight in encoder.items()}
        | {f"entity_classifier.{name}": weight for name, weight in heads.items()}
    )
