"""The result of a run as the Hub's leaderboards read it: `.eval_results/*.yaml` in the model's repository.

The format: https://huggingface.co/docs/hub/eval-results
"""

from typing import Any

import yaml
from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

from bioft.cards.words import is_number, metric_type_and_words
from bioft.task import Task


def eval_results(run: dict[str, Any], task: Task) -> str | None:
    """The file for a run record: the metric that the model is compared by, on the dataset's test split.

    The leaderboard of the dataset may list it under the task's name. None where the dataset is not on the Hub (an
    entry names one), or the record has no such figure.
    """
    on_hub, metric = run["dataset"].get("hub"), (run.get("comparison") or {}).get("metric") or task.main_metric
    figure = run["metrics"].get(metric, {})
    if not on_hub or not is_number(figure.get("value")):
        return None
    notes = metric_type_and_words(metric, task)[1]
    if is_number(figure.get("low")) and is_number(figure.get("high")):
        notes += f", 95 % interval {figure['low']:.3f} to {figure['high']:.3f}"
    entry = EvalResultEntry(
        dataset_id=on_hub["id"],
        task_id=task.name,
        value=figure["value"],
        dataset_revision=on_hub["revision"],
        date=run.get("created"),
        notes=f"{notes}, n = {figure['n']}" if is_number(figure.get("n")) else notes,
    )
    return yaml.safe_dump(eval_result_entries_to_yaml([entry]), sort_keys=False, allow_unicode=True)
