"""Classifiers of texts, loaded to be trained (from a base model, an adapted one or an earlier run) or to be asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from bioft.errors import BioftError
from bioft.hub import checks, pull
from bioft.models import base as models, embedded, precision
from bioft.models.own import bert
from bioft.storage import runs
from bioft.tasks.read_by_others import PROBLEM_TYPES
from bioft.tasks.text_labels import TASK
from bioft.tasks.text_labels.classifier import classifier_class

if TYPE_CHECKING:
    from trl import ModelConfig

    from bioft.tasks.text_labels.arguments import ClassifierArguments


@dataclass(frozen=True)
class Start:
    """What a training starts from: the base model, and the run of mlm or of text_classification, if any."""

    base: embedded.BaseModel
    mlm_run: str | None = None
    earlier_run: Path | None = None
    trained_on: frozenset[str] = frozenset()
    """Checksums of the texts that the earlier run was trained on."""


def find_start(options: "ClassifierArguments", base: embedded.BaseModel, push_to_hub: str | None = None) -> Start:
    """Find what a training starts from; nothing is loaded yet.

    `mlm_run` and `start_from` are each a run directory or `user/name` on the Hub; without them it is `base`. A run
    that is to be pushed needs a base model that others can load. BioftError: no such run, one of another recipe,
    another base model than `base`, or one that can't be published.
    """
    from bioft.tasks.masked_lm import models as masked_models
    from bioft.tasks.text_labels.evaluate import read_trained_on

    if options.mlm_run is not None:
        adapted = masked_models.load_adapted_encoder(pull.run_directory(options.mlm_run))
        if push_to_hub:
            checks.check_base_model({"base_model": vars(adapted)}, Path(options.mlm_run))
        return Start(adapted, mlm_run=options.mlm_run)
    if options.start_from is None:
        return Start(base)
    folder = pull.run_directory(options.start_from)
    record = runs.read_trained(folder, TASK.name, whole=True)
    models.check_goes_on_from(options.start_from, record["base_model"], base)
    return Start(base, earlier_run=folder, trained_on=frozenset(read_trained_on(folder)))


def load_start(start: Start, labels: Sequence[str], multi_label: bool, head: str) -> tuple[Any, Any]:
    """The model to be trained, and its tokenizer; with an earlier run its adapter, head and labels go on.

    BioftError: the model can't be loaded, or the earlier run has other labels or another head.
    """
    if start.earlier_run is None:
        return models.load_encoder(
            start.base,
            classifier_class(start.base, head),
            id2label=dict(enumerate(labels)),
            problem_type=PROBLEM_TYPES[multi_label],
        )
    record = runs.read_trained(start.earlier_run, TASK.name)
    kept = record["classifier"]
    if sorted(record["labels"]) != sorted(labels) or (kept["multi_label"], kept["head"]) != (multi_label, head):
        raise BioftError(
            f"{start.earlier_run} has the labels {', '.join(record['labels'])} (several a text: "
            f"{kept['multi_label']}, head: {kept['head']}); this data has {', '.join(labels)} (several a text: "
            f"{multi_label}, head: {head}). Only a classifier of the same labels can be trained further."
        )
    return _load(start.earlier_run, record, is_trainable=True)


def describe(start: Start, model_args: "ModelConfig", model: Any) -> dict[str, Any]:
    """The base model as `run.json` records it."""
    described = models.describe(start.base, model_args, model)
    return described if start.mlm_run is None else described | {"name_or_path": start.base.id}


def load_run(
    directory: str | Path, dtype: torch.dtype | None = None, *, whole: bool = False
) -> tuple[Any, Any, dict[str, Any]]:
    """As `entities.predict.load` of a finished run of text_classification."""
    record = runs.read_trained(Path(directory), TASK.name)
    found = None if whole else bert.load(directory, "ForSequenceClassification", record["labels"])
    model, tokenizer = found or _load(Path(directory), record)
    return model.to(models.local_device(), dtype or precision.of_run(record)).eval(), tokenizer, record


def _load(directory: Path, record: dict[str, Any], *, is_trainable: bool = False) -> tuple[Any, Any]:
    kept = record["classifier"]
    config = {"id2label": dict(enumerate(record["labels"])), "problem_type": PROBLEM_TYPES[kept["multi_label"]]}
    if not (directory / "adapter_config.json").is_file():
        whole = models.saved_by(directory)
        return models.load_encoder(whole, classifier_class(whole, kept["head"]), **config)
    base = base_of(record)
    model, _ = models.load_encoder(base, classifier_class(base, kept["head"]), **config)
    model = models.load_adapter(model, directory, is_trainable=is_trainable)
    return model, models.load_tokenizer(directory)


def base_of(record: dict[str, Any]) -> embedded.BaseModel:
    """The base model of a run, adapted by a run of mlm where it began from one; BioftError: it can't be had again."""
    from bioft.tasks.masked_lm import models as masked_models

    if (adapted_by := record["classifier"].get("mlm_run")) is None:
        return models.resolve_recorded(record["base_model"])
    base = masked_models.load_adapted_encoder(pull.run_directory(adapted_by))
    if base.sha256 != record["base_model"]["sha256"]:
        raise BioftError(f"The run of mlm at {adapted_by} is not the one that {record['name']} was trained on.")
    return base
