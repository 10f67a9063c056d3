"""Scores from a finished run: load its adapter on the recorded base model and ask it about new pairs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from datasets import Dataset, DatasetDict

from bioft.datasets.gene_disease import random_negatives
from bioft.datasets.hpo import context
from bioft.errors import BioftError
from bioft.hub import pull
from bioft.metrics.combination import FEW_SHOT
from bioft.models import base as models, embedded, precision, scoring
from bioft.storage import runs
from bioft.task import BASE, FINE_TUNED
from bioft.tasks.asked import tell
from bioft.tasks.gene_disease import TASK
from bioft.tasks.gene_disease.prompts import PairPrompts
from bioft.tasks.gene_disease.table import predictions, thresholds


def score_pairs(
    model: Any,
    prompts: PairPrompts,
    pairs: Dataset | dict[str, list[str]],
    *,
    batch_tokens: int | None = None,
    progress: str | None = None,
) -> np.ndarray:
    """Probability of the positive answer for each pair, shape `(n,)`.

    Under a distributed launch each process scores its share and all of them return the whole.
    """
    state = PartialState()
    token_ids = prompts.token_ids(list(pairs["gene"]), list(pairs["disease"]))
    with state.split_between_processes(token_ids) as share:
        scores = scoring.score(
            model,
            prompts.tokenizer,
            share,
            prompts.style.positive,
            prompts.style.negative,
            batch_tokens=batch_tokens,
            progress=progress if state.is_main_process else None,
        )
    return np.asarray(gather_object(scores.tolist()))


def score_splits(model: Any, prompts: PairPrompts, dataset: Mapping[str, Dataset]) -> dict[str, np.ndarray]:
    """The scores of validation (for the threshold) and test, by split."""
    return {split: score_pairs(model, prompts, dataset[split], progress=split) for split in ("validation", "test")}


def score_random_negatives(
    model: Any,
    prompts: PairPrompts,
    dataset: DatasetDict,
    about: Mapping[str, Any],
    scores: Mapping[str, np.ndarray] | None = None,
) -> tuple[DatasetDict, dict[str, np.ndarray]] | None:
    """The pairs of `random_negatives.draw`, if there are any, and the scores of validation and test, by split.

    `scores` are those of the dataset, by split: its positives are not asked about again.
    """
    if (drawn := random_negatives.draw(dataset, about)) is None:
        return None
    found = {}
    for split in ("validation", "test"):
        rows = np.asarray(drawn[split][random_negatives.ROW][:])
        known = rows >= 0 if scores is not None else np.zeros(len(rows), bool)
        found[split] = np.empty(len(rows))
        if scores is not None:
            found[split][known] = scores[split][rows[known]]
        asked = drawn[split].select(np.flatnonzero(~known))
        found[split][~known] = score_pairs(model, prompts, asked, progress=None if scores is None else "negatives")
    return drawn, found


def score_base(
    model: Any, prompts: PairPrompts, few_shot: PairPrompts | None, dataset: Mapping[str, Dataset]
) -> dict[str, np.ndarray]:
    """The base model's scores by split, and those after examples by "few_shot/" and split."""
    scores = score_splits(model, prompts, dataset)
    if few_shot is not None:
        scores |= {f"{FEW_SHOT}/{split}": its for split, its in score_splits(model, few_shot, dataset).items()}
    return scores


def by_system(base_scores: Mapping[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """What `score_base` gives, by system."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, scores in base_scores.items():
        system, _, split = name.rpartition("/")
        found.setdefault(system or BASE, {})[split] = scores
    return found


def find_start(run: str | None, base: embedded.BaseModel, manifest: Mapping[str, Any]) -> Path | None:
    """The folder of the run of `sft_gda` that a training goes on from; nothing is loaded yet.

    `run` is its directory or `user/name` on the Hub; None if the training begins with a new adapter. BioftError: no
    such run, one of another recipe, on another base model or other weights of it, or with other validation or test
    pairs, of which it may have been trained on some.
    """
    if run is None:
        return None
    folder = pull.run_directory(run)
    record = runs.read_trained(folder, TASK.name, whole=True)
    recorded = record["base_model"]
    models.check_goes_on_from(run, recorded, base)
    # Weights from the Hub are told apart by their commit, others by their content.
    if (recorded["revision"], recorded["sha256"]) != (base.revision, base.sha256):
        revision = f" --model_revision {recorded['revision']}" if recorded["revision"] else ""
        raise BioftError(
            f"The weights of {base.id} from {base.source} are not those that {run} was trained on, from "
            f"{recorded.get('source')}: give --model_name_or_path {recorded['name_or_path']}{revision}."
        )
    earlier, now = record["dataset"]["fingerprints"], manifest["fingerprints"]
    if different := [split for split in ("validation", "test") if earlier.get(split) != now[split]]:
        raise BioftError(
            f"The run in {run} has another {different[0]} split: it may have been trained on these pairs. Give a run "
            "on the same dataset and split, with the same split_seed and sizes."
        )
    return folder


def load_run(directory: str | Path, dtype: torch.dtype | None = None) -> tuple[Any, PairPrompts, dict[str, Any]]:
    """The fine-tuned model of a finished run with its prompts and its record.

    The base is loaded as it was trained on, from where the record says, and computes in `dtype`: by default what is
    preferred (`precision.prefer`), float32 if the run was evaluated so, else what is fast here (a processor without
    bfloat16 is slow in it). BioftError: no finished run, files changed since, or another base model.
    """
    record = runs.read_trained(directory, TASK.name)
    if dtype is None:
        recorded = "float32" if record["base_model"].get("dtype") == "float32" else precision.AUTO
        dtype = models.compute_dtype(precision.preferred() or recorded)
    model, tokenizer = models.load_recorded_causal_lm(record["base_model"], dtype, "use")
    model = models.load_adapter(model, directory)
    return model, recorded_prompts(directory, record, tokenizer), record


def recorded_prompts(directory: str | Path, record: Mapping[str, Any], tokenizer: Any) -> PairPrompts:
    """The prompts of a run, with its context."""
    return PairPrompts(record["scoring"]["prompt_style"], tokenizer, context.read(directory, record))


def load(directory: str | Path) -> tuple[Any, PairPrompts, dict[str, Any]]:
    """As `load_run`; the model computes in the type in which the run was evaluated, if that is on record."""
    name = runs.read(directory)["base_model"].get("dtype")
    return load_run(directory, None if name is None else models.compute_dtype(name))


def predict(model: Any, rows: Dataset, record: Mapping[str, Any], progress: str | None = None) -> pd.DataFrame:
    """The predictions table of pairs, by the model that `load` gives."""
    scores = score_pairs(model[0], model[1], rows, progress=progress)
    return predictions(rows, scores, thresholds(record)[FINE_TUNED])


def predict_base(model: Any, dataset: Any, record: Mapping[str, Any], progress: str | None = None) -> pd.DataFrame:
    """The same of the test split by the base model, without the adapter."""
    rows = dataset["test"]
    with model[0].disable_adapter():
        scores = score_pairs(model[0], model[1], rows, progress=progress)
    return predictions(rows, scores, thresholds(record).get(BASE))


def predict_few_shot(model: Any, dataset: Any, record: Mapping[str, Any], progress: str | None = None) -> pd.DataFrame:
    """As `predict_base`, after the examples that the run's base model read."""
    prompts = model[1].with_shots(dataset["train"], record["scoring"]["few_shot"], model[0].config)
    with model[0].disable_adapter():
        scores = score_pairs(model[0], prompts, dataset["test"], progress=progress)
    return predictions(dataset["test"], scores, thresholds(record).get(FEW_SHOT))


def predict_pairs(
    run: str | Path, pairs: list[tuple[str, str]], batch_size: int | None = None
) -> list[dict[str, Any]]:
    """Ask a finished run about (gene, disease) pairs: `answer_pairs`. BioftError as `load_run`."""
    loaded = load_run(run)
    if (told := loaded[1].context) is not None and (unknown := context.unknown(told, pairs)):
        more = f" and {len(unknown) - context.SHOWN:,} more" if len(unknown) > context.SHOWN else ""
        tell(f"The run has no context for {', '.join(unknown[: context.SHOWN])}{more}: the name alone is read.")
    return answer_pairs(loaded, pairs, batch_size, "Scoring")


def answer_pairs(
    run: tuple[Any, PairPrompts, Mapping[str, Any]],
    pairs: Sequence[tuple[str, str]],
    batch_size: int | None = None,
    progress: str | None = None,
) -> list[dict[str, Any]]:
    """Ask what `load_run` gives about (gene, disease) pairs, `batch_size` at once or as many as suit the hardware.

    Returns for each pair a dict of gene, disease, score (0 to 1), threshold, which validation chose, and prediction (1
    at or above it, else 0). BioftError as `load_run`.
    """
    model, prompts, record = run
    columns = {"gene": [gene for gene, _ in pairs], "disease": [disease for _, disease in pairs]}
    batch_tokens = None
    if batch_size is not None:
        longest = max((len(ids) for ids in prompts.token_ids(columns["gene"], columns["disease"])), default=1)
        batch_tokens = batch_size * longest
    scores = score_pairs(model, prompts, columns, batch_tokens=batch_tokens, progress=progress)
    threshold = record["scoring"]["threshold"]
    return [
        {"gene": gene, "disease": disease, "score": float(score), "threshold": threshold}
        | {"prediction": int(score >= threshold)}
        for (gene, disease), score in zip(pairs, scores, strict=True)
    ]
