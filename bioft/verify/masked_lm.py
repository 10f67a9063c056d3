"""Whether the figures of a masked language model hold: the same hidden tokens are asked for again."""

from typing import Any

import numpy as np

from bioft.datasets.recorded import recorded_dataset
from bioft.errors import BioftError
from bioft.storage import runs
from bioft.storage.runs import PREDICTIONS
from bioft.task import FINE_TUNED
from bioft.verify.findings import (
    PredictionCheck,
    Request,
    check_base_model,
    equal,
    figure_of,
    interval_text,
    read_predictions,
)

DOWNLOADS = {"hpo_definitions": None, "trials": "trials"}
"""What `bioft download` writes for each builder of texts; None for one that needs no file."""
LOSS_TOLERANCE = 0.01
"""How far the mean loss of a text's hidden tokens may be from the stored one."""
# Two tokens of all but the same probability may change places on another processor.
ALLOWED_DIFFERING = 0.01


def check_masked_lm(request: Request) -> None:
    """Compare the figures with those that the stored predictions give, and these with predictions made again."""
    from transformers import AutoModelForMaskedLM

    from bioft.datasets.load import load_texts
    from bioft.models import base as models
    from bioft.tasks.masked_lm import evaluate as masked_evaluation
    from bioft.tasks.masked_lm.evaluate import MaskedPredictions
    from bioft.tasks.masked_lm.head import use_masked_head

    record, found = request.record, request.found
    if request.sample is not None:
        raise BioftError("Which tokens are hidden depends on all texts: verify this run without --sample.")
    options = {key: record["dataset"]["arguments"].get(key, False) for key in ("strip_symbols", "skip_bad")}
    if record["dataset"]["arguments"].get("exclude") and request.dataset_path is None:
        raise BioftError("The run left out trials that a file names. Give the dataset as built with --dataset-path.")

    def load(name: str, *, dataset_path: str | None = None, **options: Any) -> Any:
        # A dataset that was built already needs no options.
        return load_texts(name, dataset_path=dataset_path, **(options if name == "trials" else {}))

    dataset, _ = recorded_dataset(request, load, options, DOWNLOADS)
    test = dataset["test"]
    table = read_predictions(request.directory, ["id", "hidden", "correct", "loss", "base_correct", "base_loss"])
    if list(table["id"]) != list(test["id"]):
        raise BioftError(f"The texts of {PREDICTIONS} are not those of the test split.")
    hidden = table["hidden"].to_numpy(float)
    sides = {FINE_TUNED: ("", record["metrics"]), "base": ("base_", record["base_model_metrics"])}
    for model_name, (prefix, recorded) in sides.items():
        stored = MaskedPredictions(hidden, *(table[f"{prefix}{c}"].to_numpy(float) for c in ("correct", "loss")))
        for name, figure in masked_evaluation.evaluate(stored).items():
            if any(not equal(value, recorded[name][key]) for key, value in figure.items()):
                found.reasons.append(
                    f"{model_name}: {runs.RECORD} states {name} {interval_text(recorded[name])}; {PREDICTIONS} gives "
                    f"{interval_text(figure)}."
                )
    check_base_model(request.directory, record, found)

    model, tokenizer = models.load_trained_encoder(request.directory, record["base_model"], AutoModelForMaskedLM)
    questions = masked_evaluation.fixed_questions(test["text"], tokenizer, record["masking"]["block_length"])
    model = use_masked_head(model.to(models.local_device()))
    made = masked_evaluation.answer(model, tokenizer, questions, "Verify" if request.progress else None)
    if not np.array_equal(made.hidden, hidden):
        found.reasons.append(f"{PREDICTIONS} counts other hidden tokens than the evaluation hides.")
        return
    off = np.abs(made.loss - table["loss"].to_numpy()) / np.maximum(hidden, 1)
    flips = int(np.abs(made.correct - table["correct"].to_numpy()).sum())
    agreeing = int((off <= LOSS_TOLERANCE).sum())
    found.predictions = PredictionCheck(len(test), len(test), agreeing, flips, float(off.max()), LOSS_TOLERANCE)
    if agreeing < len(test) or flips > ALLOWED_DIFFERING * hidden.sum():
        found.reasons.append(
            f"{len(test) - agreeing:,} of {len(test):,} texts have another loss than {PREDICTIONS} states, and "
            f"{flips:,} hidden tokens another answer."
        )
    measured = masked_evaluation.evaluate(made)
    found.figures = [
        figure_of(FINE_TUNED, name, record["metrics"][name], measured[name]["value"]) for name in measured
    ]
    found.notes.append("The base model's figures were computed from the stored predictions.")
