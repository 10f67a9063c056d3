"""Whether the figures of a text encoder hold: its texts are looked for, or its names matched, again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bioft.datasets.recorded import recorded_dataset
from bioft.errors import BioftError
from bioft.storage import runs
from bioft.storage.runs import PREDICTIONS
from bioft.task import BASE, FINE_TUNED
from bioft.verify.findings import (
    SHOWN_ROWS,
    PredictionCheck,
    Request,
    check_base_model,
    equal,
    figure_of,
    interval_text,
    number_text,
    read_predictions,
)

DOWNLOADS = {"hpo_synonyms": None}
"""Builders of pairs that need no file; metabolite names may, see `_metabolites`."""
# Two candidates of all but the same score may change places on another processor.
ALLOWED_DIFFERING = 0.01


def check_contrastive(request: Request) -> None:
    """Compare what is found for each query or name, and the figures that follow from it."""
    from bioft.tasks.retrieval import encoder as contrastive

    record, found = request.record, request.found
    if request.sample is not None:
        raise BioftError("Texts are looked for among all others, which is the work: verify this run without --sample.")
    task = _task(request)
    table = read_predictions(request.directory, ["id", "label", "prediction"])
    check_base_model(request.directory, record, found)

    encoder, _ = contrastive.load_run(request.directory)
    made = task.rank(encoder)
    baselines = task.rank_baselines()
    _compare_predictions(task, made, baselines, table, request)
    _compare_figures(FINE_TUNED, task.evaluate(made), record["metrics"], request)
    for name, figures in record["baselines"].items():
        if name in baselines:
            _compare_figures(name, task.evaluate(baselines[name]), figures, request)
        else:
            found.notes.append(f"This bioft knows no baseline {name!r}: its figures were not measured again.")
    comparison = task.compare(made, baselines)
    if comparison["baseline"] != record["comparison"]["baseline"]:
        found.reasons.append(f"The best baseline is {comparison['baseline']}, not {record['comparison']['baseline']}.")
    found.notes.append(f"The figures of {BASE} were not measured again.")


def _task(request: Request) -> Any:
    """What the run was evaluated on; other data than the recorded ones are a reason or an error."""
    from bioft.datasets.load import load_pairs
    from bioft.tasks.name_alignment.evaluate import NameAlignmentTask
    from bioft.tasks.retrieval.evaluate import RetrievalTask

    recorded = request.record["dataset"]
    if request.record["task"] == "name-alignment":
        names, manifest = _metabolites(request)
        if manifest["queries"]["fingerprints"] != recorded["queries"]["fingerprints"]:
            request.found.reasons.append("The record states other fingerprints of the names than its dataset has.")
        return NameAlignmentTask(*names)

    def load(name: str, *, dataset_path: str | None = None, **options: Any) -> Any:
        return load_pairs(name, **options)[:2]

    seed = {"split_seed": recorded["arguments"].get("seed", 0)} if recorded["builder"] in DOWNLOADS else {}
    dataset, manifest = recorded_dataset(request, load, seed, DOWNLOADS)
    return RetrievalTask.of(dataset["test"], manifest.get("candidates"))


def _metabolites(request: Request) -> tuple[Any, dict[str, Any]]:
    """The names and the manifest, built again from files of the recorded names in the folder of --dataset-path."""
    from bioft.datasets.load import load_pairs

    recorded = request.record["dataset"]["arguments"]

    def place(name: str) -> str:
        path = Path(name) if request.dataset_path is None else request.dataset_path / Path(name).name
        if not path.is_file():
            raise BioftError(
                f"The data are missing: there is no {path}. Put {Path(name).name} into a folder with the other files "
                "of the run, and name the folder with --dataset-path."
            )
        return str(path)

    options: dict[str, Any] = {"kinds": recorded["kinds"], "max_compounds": recorded["max_compounds"]}
    namespace = recorded["namespace"]
    pairs = load_pairs(
        "metabolites",
        namespace=namespace if namespace == "cobra" else place(namespace),
        modelseed=str(Path(place(recorded["synonyms"])).parent) if recorded["synonyms"] else None,
        held_out_models=[place(model) for model in recorded["held_out_models"]],
        split_seed=recorded["seed"],
        **options,
    )
    return pairs[2], pairs[1]


def _compare_predictions(task: Any, made: Any, baselines: Any, table: pd.DataFrame, request: Request) -> None:
    """Compare the stored answers with new ones, which are written as the recipe writes them."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        task.write_predictions(made, made, {}, Path(folder))
        new = pd.read_parquet(Path(folder) / PREDICTIONS)
    if not new[["id", "label"]].equals(table[["id", "label"]]):
        request.found.reasons.append(f"The rows of {PREDICTIONS} are not those of the test split.")
        return
    differing = (new["prediction"] != table["prediction"]).to_numpy()
    n = len(table)
    request.found.predictions = PredictionCheck(n, n, int(n - differing.sum()), int(differing.sum()), 0.0, 0.0)
    if differing.sum() > ALLOWED_DIFFERING * n:
        shown = "; ".join(str(each) for each in table["id"][differing][:SHOWN_ROWS])
        request.found.reasons.append(f"For {int(differing.sum()):,} of {n:,} rows the model finds another ({shown}).")


def _compare_figures(model: str, measured: Mapping[str, Any], recorded: Mapping[str, Any], request: Request) -> None:
    """Compare recorded figures with those measured again; of baselines, which are exact, also the intervals."""
    compared = [figure_of(model, name, stated, measured[name]["value"]) for name, stated in recorded.items()]
    request.found.figures += compared
    if outside := [figure for figure in compared if not figure.holds]:
        words = ", ".join(f"{figure.metric} {number_text(figure.measured)}" for figure in outside)
        request.found.reasons.append(f"{model}: outside the recorded intervals: {words}.")
    wrong = [
        f"{name} {interval_text(stated)}, not {interval_text(measured[name])}"
        for name, stated in recorded.items()
        if model != FINE_TUNED and any(not equal(measured[name][key], stated[key]) for key in ("value", "low", "high"))
    ]
    if wrong:
        request.found.reasons.append(f"{model}: {runs.RECORD} states figures that do not follow: {'; '.join(wrong)}.")
