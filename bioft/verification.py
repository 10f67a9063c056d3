"""Whether a published run is what its card says: its evaluation is run again and compared, figure by figure.

Three things are compared. The card with the record (`run.json`): every figure that the card states. The record with
the stored predictions, which give its figures without any model. And the stored predictions with new ones: the
adapter on its base model, on the recorded data, and the baselines fitted again.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]
import yaml
from huggingface_hub import ModelCard
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bioft import cards, hub, runs
from bioft.errors import BioftError, ChangedFilesError, LeakageError

Status = Literal["verified", "not reproduced", "cannot be checked"]
EXIT_CODES: dict[Status, int] = {"verified": 0, "not reproduced": 1, "cannot be checked": 2}
PREDICTIONS = "predictions.parquet"
FINE_TUNED = "fine-tuned"
BASE = "base, zero-shot"
EQUAL = 1e-6
"""Figures that differ by less are the same figure."""
# The same scores computed again in float32 differed by 2e-6, those of bfloat16 and float32 by 0.053 (SmolLM2-135M in
# NF4, 96 pairs).
SCORE_TOLERANCE = {"float32": 0.001}
SCORE_TOLERANCE_16_BIT = 0.1
WITHOUT_THRESHOLD = ("auroc", "auprc", "ece")
SOURCES_HERE = ("ctd", "hpo")
"""Builders of gene–disease data, which is built again where the record names no dataset on the Hub."""
SHOWN_ROWS = 5


@dataclass(frozen=True)
class Figure:
    """A metric of the record (with its 95 % interval) and what it was measured to be now."""

    model: str
    metric: str
    recorded: float | None
    low: float | None
    high: float | None
    measured: float | None

    @property
    def equal(self) -> bool:
        """Whether it is the recorded value."""
        return _equal(self.recorded, self.measured)

    @property
    def holds(self) -> bool:
        """Whether it lies in the recorded interval."""
        if self.measured is None or self.low is None or self.high is None:
            return self.equal
        return self.low - EQUAL <= self.measured <= self.high + EQUAL


@dataclass(frozen=True)
class PredictionCheck:
    """Predictions made again beside the stored ones; an agreeing one has the same score but for `tolerance`."""

    compared: int
    total: int
    agreeing: int
    label_flips: int
    max_difference: float
    tolerance: float


@dataclass
class Verification:
    """The verdict on a run; `reasons` say why it is not "verified", `notes` what else there is to know."""

    name: str
    revision: str | None = None
    status: Status = "cannot be checked"
    reasons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    predictions: PredictionCheck | None = None

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON; each figure says whether it holds and whether it is equal."""
        figures = [asdict(figure) | {"holds": figure.holds, "equal": figure.equal} for figure in self.figures]
        return asdict(self) | {"figures": figures}


@dataclass(frozen=True)
class _Request:
    """What to check, and what the recipes' own checks need for it."""

    directory: Path
    record: dict[str, Any]
    found: Verification
    sample: int | None
    seed: int
    dataset_path: Path | None
    dataset_folder: Callable[[str, str], Path]
    progress: bool


def verify(
    name: str | Path,
    *,
    revision: str | None = None,
    sample: int | None = None,
    seed: int | None = None,
    dataset_path: Path | None = None,
    endpoint: str | None = None,
    token: str | None = None,
    progress: bool = True,
) -> Verification:
    """Run the recorded evaluation of a run again and compare it with the card, the record and the predictions.

    Args:
        name: `user/name` on the Hub, or a run directory.
        revision: branch, tag or commit on the Hub; by default main.
        sample: make only this many of the test predictions again, drawn at random, and leave the base model and the
            baselines out; None makes all of them.
        seed: of that draw; by default a fresh one, which nobody can have prepared for.
        dataset_path: the source file that the data were built from, or a folder written by `bioft build`, where the
            record names no dataset on the Hub.
        endpoint: another Hub than that of `HF_ENDPOINT`.
        token: by default the one of `hf auth login` or `HF_TOKEN`.
        progress: show progress bars.

    Returns:
        The verdict. "not reproduced": something that the run states is not so. "cannot be checked": the data, the base
        model or the run itself could not be had. What went wrong is in `reasons`, never raised.
    """
    found = Verification(str(name))
    try:
        directory = _run_directory(str(name), revision, endpoint, token)
        found.revision = (hub.origin(directory) or {}).get("revision")
        record = runs.read(directory)
        runs.check_files(directory, record)
        check = CHECKS.get(record.get("recipe", ""))
        if check is None:
            raise BioftError(
                f"This bioft can't evaluate a run of {record.get('recipe')!r} again. It can for: {', '.join(CHECKS)}."
            )
        _check_card(directory, record, found)
        if sample is not None and seed is None:
            seed = secrets.randbelow(2**32)
        check(
            _Request(
                directory=directory,
                record=record,
                found=found,
                sample=sample,
                seed=seed or 0,
                dataset_path=dataset_path,
                dataset_folder=lambda id, commit: hub.pull_dataset(
                    id, revision=commit, endpoint=endpoint, token=token
                ),
                progress=progress,
            )
        )
        found.status = "not reproduced" if found.reasons else "verified"
    except (ChangedFilesError, LeakageError) as error:
        found.reasons.append(str(error))
        found.status = "not reproduced"
    except (BioftError, OSError) as error:
        # What was found before stays true: a card that contradicts its own record needs no data to be refuted.
        found.status = "not reproduced" if found.reasons else "cannot be checked"
        found.reasons.append(str(error))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        # The record comes from someone else: any of its fields may be missing or of another kind.
        found.status = "cannot be checked"
        found.reasons.append(f"{runs.RECORD} is not as a finished run of this bioft writes it ({error!r}).")
    return found


def print_verification(found: Verification, console: Console | None = None) -> None:
    """Print the verdict, the figures of the fine-tuned model, how many of the others hold, and the reasons."""
    console = console or Console()
    if found.figures:
        table = Table(title="Test split", title_justify="left")
        for column in ("figure", "recorded [95 % interval]", "now", ""):
            table.add_column(column)
        for figure in found.figures:
            if figure.model == FINE_TUNED or not figure.holds:
                words = "equal" if figure.equal else "in the interval" if figure.holds else "outside the interval"
                label = figure.metric if figure.model == FINE_TUNED else f"{figure.model}: {figure.metric}"
                interval = f" [{_number(figure.low)}, {_number(figure.high)}]"
                style = None if figure.holds else "red"
                table.add_row(label, _number(figure.recorded) + interval, _number(figure.measured), words, style=style)
        console.print(table)
        others = [figure for figure in found.figures if figure.model != FINE_TUNED]
        if others:
            holding = sum(figure.holds for figure in others)
            console.print(f"Base model and baselines: {holding} of {len(others)} figures hold.")
    if (made := found.predictions) is not None:
        console.print(
            f"Predictions: {made.agreeing:,} of {made.compared:,} agree"
            + (f" (drawn from {made.total:,})" if made.compared < made.total else "")
            + f"; largest difference {made.max_difference:.2g}, allowed {made.tolerance:g}; "
            f"{made.label_flips:,} on the other side of the threshold.",
            highlight=False,
        )
    for note in found.notes:
        console.print(Text(f"Note: {note}"), soft_wrap=True)
    for reason in found.reasons:
        console.print(Text(f"- {reason}"), soft_wrap=True)
    where = f"{found.name}, commit {found.revision}" if found.revision else found.name
    style = "green" if found.status == "verified" else "red" if found.status == "not reproduced" else "yellow"
    console.print(Text(f"{where}: {found.status}", style=style), soft_wrap=True)


def _run_directory(name: str, revision: str | None, endpoint: str | None, token: str | None) -> Path:
    if Path(name).is_dir():
        return Path(name)
    if not hub.is_repository_name(name):
        raise BioftError(f"There is no folder {name}, and it is no user/name on the Hub.")
    return hub.pull_adapter(name, revision=revision, endpoint=endpoint, token=token)


# The card beside the record


def _check_card(directory: Path, record: dict[str, Any], found: Verification) -> None:
    """Compare the figures on the card (metadata, tables, verdict) with those that its record gives."""
    try:
        text = (directory / runs.CARD).read_text(encoding="utf-8")
    except FileNotFoundError:
        found.notes.append(f"There is no card ({runs.CARD}).")
        return
    except UnicodeDecodeError as error:
        found.reasons.append(f"The card ({runs.CARD}) can't be read: {error}.")
        return
    origin = hub.origin(directory)
    expected = cards.model_card(record, repository=origin["id"] if origin else None)
    try:
        metadata = ModelCard(text, ignore_metadata_errors=False).data
    except (ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        found.reasons.append(f"The metadata of the card can't be read: {' '.join(str(error).split())}")
        return
    _check_metadata(metadata, ModelCard(expected).data, found)
    _check_text(_body(text), _body(expected), found)


def _check_metadata(stated: Any, recorded: Any, found: Verification) -> None:
    """Compare base model, data and figures in the metadata of two cards."""
    for key, findings in (("base_model", found.reasons), ("datasets", found.notes)):
        if stated.get(key) != recorded.get(key):
            findings.append(
                f"The card's metadata name {key} {stated.get(key)}; {runs.RECORD} gives {recorded.get(key)}."
            )
    figures, known = _indexed_figures(stated), _indexed_figures(recorded)
    for figure in figures:
        if figure not in known:
            found.reasons.append(
                f"The card's metadata state a figure that {runs.RECORD} does not give: {_words(figure)}. It gives: "
                f"{'; '.join(_words(other) for other in known if other[1] == figure[1]) or 'nothing of that name'}."
            )
    if len(figures) < len(known):
        found.notes.append(f"The card's metadata leave out {len(known) - len(figures)} figures of {runs.RECORD}.")


def _check_text(text: str, expected: str, found: Verification) -> None:
    """Compare the lines with results of two cards, and name other lines that are not bioft's."""
    written, known = _result_lines(text), _result_lines(expected)
    foreign = [line for line in written if line not in known]
    if foreign:
        found.reasons.append(f"The card's results are not those of {runs.RECORD}: {_quoted(foreign)}.")
    if any(line not in written for line in known):
        found.notes.append(f"Lines with results of {runs.RECORD} were taken out of the card.")
    ours = {" ".join(line.split()) for line in expected.splitlines()}
    added = [" ".join(line.split()) for line in text.splitlines()]
    if unchecked := [line for line in added if line not in ours and line not in foreign]:
        found.notes.append(
            f"The card's text is not the one that this bioft writes. Not checked: {_quoted(unchecked)}."
        )


def _indexed_figures(metadata: Any) -> list[tuple[Any, ...]]:
    """The figures of the model-index: metric's type and name, value, low, high, n, and the data they are about."""
    return [
        (
            result.metric_type,
            result.metric_name,
            result.metric_value,
            *((result.metric_args or {}).get(key) for key in ("low", "high", "n")),
            result.dataset_type,
            result.dataset_split,
            result.dataset_revision,
        )
        for result in metadata.get("eval_results") or []
    ]


def _words(figure: tuple[Any, ...]) -> str:
    _, name, value, low, high, n, dataset, split, _ = figure
    return f"{name} {value} [{low}, {high}] of {n} on {dataset}, {split}"


def _result_lines(body: str) -> list[str]:
    """The lines that state results: the verdict in bold at the head, and the section of results.

    Below a heading inside that section only tables and bold lines count: what stands there is about other things.
    """
    head, *sections = body.split("\n## ")
    lines = [line for line in head.splitlines() if line.startswith("**")]
    for section in sections:
        if section.startswith("Results"):
            first, _, rest = section.partition("\n### ")
            lines += [*first.splitlines(), *(line for line in rest.splitlines() if line.startswith(("|", "**")))]
    return [" ".join(line.split()) for line in lines if any(character.isdigit() for character in line)]


def _body(card: str) -> str:
    return ModelCard(card, ignore_metadata_errors=True).text.strip()


def _quoted(lines: Sequence[str]) -> str:
    return "; ".join(f"“{line[:200]}”" for line in lines[:SHOWN_ROWS])


def _check_base_model(directory: Path, record: dict[str, Any], found: Verification) -> None:
    """Compare the base model that the record names with the one that it would load."""
    from bioft import models

    recorded = record["base_model"]
    # What comes from the Hub may not choose a folder of this machine.
    on_hub = recorded["name_or_path"] == recorded["id"] or recorded["name_or_path"].startswith(models.EMBEDDED_PREFIX)
    if hub.origin(directory) and not on_hub:
        raise BioftError(
            f"The base model of the run is a local folder ({recorded['name_or_path']}) of another machine."
        )
    base = models.resolve_recorded(recorded)
    if (base.id, base.revision) != (recorded["id"], recorded["revision"]):
        found.reasons.append(
            f"The record names the base model {recorded['id']} at revision {recorded['revision']}, but it loads "
            f"{base.id} at {base.revision}."
        )


# Gene–disease association (recipe sft_gda)


def _check_gene_disease(request: _Request) -> None:
    """Compare the predictions of pairs, and the figures that follow from them."""
    record, found = request.record, request.found
    table = _read_predictions(request.directory, ["gene", "gene_id", "disease", "disease_id", "label", "score"])
    models = _scored_models(record)
    stored = _check_stored_pairs(table, models, record, found)
    _check_base_model(request.directory, record, found)

    from bioft import evaluation

    dataset = _gene_disease_dataset(request)
    evaluation.check_not_trained_on(dataset)
    test = dataset["test"].to_pandas()
    columns = ["gene", "gene_id", "disease", "disease_id", "label"]
    if len(test) != len(table) or not test[columns].equals(table[columns].astype(test[columns].dtypes)):
        found.reasons.append(f"The rows of {PREDICTIONS} are not those of the test split.")
        return

    from bioft import prediction

    dtype = _recorded_dtype(record)
    model, prompts, _ = prediction.load_run(request.directory, dtype)

    def score(split: str, rows: np.ndarray | None = None) -> np.ndarray:
        pairs = dataset[split] if rows is None else dataset[split].select(rows)
        return prediction.score_pairs(model, prompts, pairs, progress=split if request.progress else None)

    if request.sample is not None and request.sample < len(table):
        rows = np.sort(np.random.default_rng(request.seed).choice(len(table), request.sample, replace=False))
        _compare_scores(score("test", rows), table, rows, record, found)
        found.figures = stored
        # The rule of three: how many others could be false if none of the drawn ones is.
        found.notes.append(
            f"A sample: {len(rows):,} of {len(table):,} predictions were made again (seed {request.seed}); had "
            f"{min(1.0, 3 / len(rows)):.1%} of them been false, one would have been found with a probability of 95 %. "
            "The figures were computed from the stored predictions; base model and baselines were not evaluated again."
        )
        return
    scores = {FINE_TUNED: {split: score(split) for split in ("validation", "test")}}
    _compare_scores(scores[FINE_TUNED]["test"], table, np.arange(len(table)), record, found)
    with model.disable_adapter():
        scores[BASE] = {split: score(split) for split in ("validation", "test")}
    scores |= _baseline_scores(dataset, [name for name in models if name not in scores], found)
    for name, (_, figures, threshold) in models.items():
        if name in scores:
            _compare_figures(name, figures, threshold, dataset, scores[name], found, _tolerance(record))


def _scored_models(record: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any], float | None]]:
    """For the fine-tuned model, its base and each baseline: column of scores, recorded figures, threshold."""
    scoring = record["scoring"]
    thresholds = scoring.get("baseline_thresholds", {})
    return {
        FINE_TUNED: ("score", record["metrics"], scoring["threshold"]),
        BASE: ("base_score", record["base_model_metrics"], scoring.get("base_model_threshold")),
        **{name: (f"baseline_{name}", figures, thresholds.get(name)) for name, figures in record["baselines"].items()},
    }


def _check_stored_pairs(
    table: pd.DataFrame,
    models: Mapping[str, tuple[str, dict[str, Any], float | None]],
    record: dict[str, Any],
    found: Verification,
) -> list[Figure]:
    """Compute the record's figures, intervals and comparison from the stored predictions; returns the figures."""
    from bioft import evaluation, metrics
    from bioft.metrics import intervals

    if not record["metrics"]:
        raise BioftError(f"{runs.RECORD} states no figures.")
    wrong, stored = [], []
    for name, (column, figures, threshold) in models.items():
        if column not in table:
            raise BioftError(f"{PREDICTIONS} has no column {column!r}.")
        # Without its threshold on record, only what needs none can be computed.
        known = [metric for metric in figures if threshold is not None or metric in WITHOUT_THRESHOLD]
        flat = metrics.load("gda").compute(
            predictions=table[column], references=table["label"], threshold=0.5 if threshold is None else threshold
        )
        computed = intervals.nest(flat)
        for metric in known:
            ours, theirs = computed.get(metric), figures[metric]
            stored.append(_figure(name, metric, theirs, ours["value"] if ours else None))
            if ours is None or any(not _equal(ours[key], theirs[key]) for key in ("value", "low", "high", "n")):
                wrong.append(f"{name}: {metric} {_interval(theirs)}, not {_interval(ours)}")
    if wrong:
        found.reasons.append(f"{runs.RECORD} states figures that {PREDICTIONS} does not give: {'; '.join(wrong)}.")
    threshold = record["scoring"]["threshold"]
    labels = (table["score"] >= threshold).astype(int)
    if "prediction" not in table or (labels != table["prediction"]).any():
        found.reasons.append(f"The labels in {PREDICTIONS} do not follow from its scores and the threshold.")
    evaluations = {
        name: evaluation.Evaluation(table[column].to_numpy(), 0.5, figures)
        for name, (column, figures, _) in models.items()
    }
    baselines = {name: evaluations[name] for name in record["baselines"]}
    computed = evaluation.compare_with_best_baseline({"test": table}, evaluations[FINE_TUNED], baselines)
    stated = record["comparison"]
    if any(not _equal(value, stated.get(key)) for key, value in computed.items()):
        found.reasons.append(
            f"{runs.RECORD} compares with the best baseline in another way than {PREDICTIONS} gives: "
            f"“{computed['sentence']}”"
        )
    return stored


def _gene_disease_dataset(request: _Request) -> Any:
    """The splits of the record: from the Hub at its commit, from a folder, or built again from their source.

    Splits that are not the recorded ones are a reason; a source that is missing or another one is an error.
    """
    from bioft.datasets.load import load_or_build

    recorded = request.record["dataset"]
    options = dict(recorded["arguments"])
    options |= {"split_seed": options.pop("seed"), "max_train_pairs": recorded.get("max_train_pairs")}
    path = request.dataset_path
    if path is not None and path.is_dir():
        dataset, manifest = load_or_build(str(path), **options)
    elif path is None and recorded.get("hub"):
        folder = request.dataset_folder(recorded["hub"]["id"], recorded["hub"]["revision"])
        dataset, manifest = load_or_build(str(folder), **options)
    elif recorded["builder"] not in SOURCES_HERE:
        raise BioftError(f"This bioft can't build the data of {recorded['builder']!r}. Give them with --dataset-path.")
    else:
        source = recorded["sources"][0]
        path = path or Path("data") / source["name"]
        if recorded["builder"] == "ctd" and not path.is_file():
            raise BioftError(
                f"The data are missing: there is no {path} (version {source['version']}, SHA-256 {source['sha256']}). "
                "Fetch CTD's file with `bioft download ctd`, or name it with --dataset-path."
            )
        dataset, manifest = load_or_build(recorded["builder"], dataset_path=str(path), **options)
        here = {one["sha256"] for one in manifest["sources"]}
        for source in recorded["sources"]:
            if source["sha256"] not in here:
                names = "; ".join(f"{one['name']}, version {one['version']}" for one in manifest["sources"])
                raise BioftError(
                    f"The data of the run were built from {source['name']}, version {source['version']}, SHA-256 "
                    f"{source['sha256']}. Here is another source: {names}. Give the recorded one with --dataset-path, "
                    "or a folder that `bioft build` wrote from it."
                )
    changed = [name for name, ours in manifest["fingerprints"].items() if ours != recorded["fingerprints"].get(name)]
    if changed:
        request.found.reasons.append(
            f"The record states other fingerprints for {', '.join(changed)} than its dataset has: the run was "
            "evaluated on other data."
        )
    elif any(
        manifest["audit"].get(part) != request.record["audit"].get(part) for part in ("checks", "entity_overlap")
    ):
        request.found.reasons.append("The record states another audit than that of its dataset.")
    return dataset


def _baseline_scores(dataset: Any, names: Sequence[str], found: Verification) -> dict[str, dict[str, np.ndarray]]:
    """Fit the baselines again."""
    from bioft.baselines import GENE_DISEASE

    scores = {}
    for name in names:
        if name not in GENE_DISEASE:
            found.notes.append(f"This bioft knows no baseline {name!r}: its figures were not measured again.")
            continue
        baseline = GENE_DISEASE[name]().fit(dataset["train"])
        scores[name] = {split: baseline.predict(dataset[split]) for split in ("validation", "test")}
    return scores


def _compare_scores(
    scores: np.ndarray, table: pd.DataFrame, rows: np.ndarray, record: dict[str, Any], found: Verification
) -> None:
    """Compare new scores with the stored ones of the same rows."""
    stored = table["score"].to_numpy()[rows]
    threshold, tolerance = record["scoring"]["threshold"], _tolerance(record)
    difference = np.abs(scores - stored)
    agrees = difference <= tolerance
    found.predictions = PredictionCheck(
        compared=len(rows),
        total=len(table),
        agreeing=int(agrees.sum()),
        label_flips=int(((scores >= threshold) != (stored >= threshold)).sum()),
        max_difference=float(difference.max()),
        tolerance=tolerance,
    )
    if not agrees.all():
        worst = np.argsort(-difference)[: min(SHOWN_ROWS, int((~agrees).sum()))]
        examples = "; ".join(
            f"{table['gene'].iloc[rows[index]]} – {table['disease'].iloc[rows[index]]}: stored {stored[index]:.4f}, "
            f"now {scores[index]:.4f}"
            for index in worst
        )
        found.reasons.append(
            f"{int((~agrees).sum()):,} of {len(rows):,} predictions are not what the model gives ({examples})."
        )


def _compare_figures(
    name: str,
    figures: Mapping[str, Any],
    threshold: float | None,
    dataset: Any,
    scores: Mapping[str, np.ndarray],
    found: Verification,
    tolerance: float,
) -> None:
    """Compare a model's recorded figures with those of new scores, and its threshold with validation's."""
    from bioft.evaluation import labels_of
    from bioft.metrics import intervals

    labels = labels_of(dataset["validation"])
    best = intervals.best_threshold(labels, scores["validation"])
    if threshold is None:
        threshold = best
    else:
        accuracy, highest = (
            intervals.metric_values(labels, scores["validation"], threshold=t)["accuracy"] for t in (threshold, best)
        )
        # Scores this near to a threshold may fall on its other side when they are computed again.
        near = sum(float(np.mean(np.abs(scores["validation"] - t) <= tolerance)) for t in (threshold, best))
        if highest - accuracy > near + EQUAL:
            found.reasons.append(
                f"{name}: validation does not give the recorded threshold {threshold:.4f} (accuracy {accuracy:.3f}) "
                f"but {best:.4f} (accuracy {highest:.3f})."
            )
    measured = intervals.metric_values(labels_of(dataset["test"]), scores["test"], threshold=threshold)
    compared = [
        _figure(name, metric, recorded, None if np.isnan(measured[metric]) else measured[metric])
        for metric, recorded in figures.items()
    ]
    found.figures += compared
    if outside := [figure for figure in compared if not figure.holds]:
        words = (f"{figure.metric} {_number(figure.measured)}" for figure in outside)
        found.reasons.append(f"{name}: outside the recorded intervals: {', '.join(words)}.")


CHECKS: dict[str, Callable[[_Request], None]] = {"sft_gda": _check_gene_disease}
"""How the runs of each recipe are evaluated again."""


# Shared by the recipes


def _read_predictions(directory: Path, columns: Sequence[str]) -> pd.DataFrame:
    path = directory / PREDICTIONS
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise BioftError(f"{path} can't be read: {error}.") from error
    if missing := [column for column in columns if column not in table]:
        raise BioftError(f"{path} has no column {', '.join(missing)}.")
    return table


def _recorded_dtype(record: dict[str, Any]) -> Any:
    """The floating-point type of the recorded evaluation; None, which means this machine's, without one on record."""
    import torch

    name = record["base_model"].get("dtype")
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}.get(name)


def _tolerance(record: dict[str, Any]) -> float:
    return SCORE_TOLERANCE.get(record["base_model"].get("dtype"), SCORE_TOLERANCE_16_BIT)


def _equal(first: Any, second: Any) -> bool:
    if isinstance(first, int | float) and isinstance(second, int | float):
        return abs(first - second) <= EQUAL
    return first == second


def _figure(model: str, metric: str, recorded: Mapping[str, Any], measured: float | None) -> Figure:
    return Figure(model, metric, recorded["value"], recorded["low"], recorded["high"], measured)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _interval(figure: Mapping[str, Any] | None) -> str:
    if figure is None:
        return "nothing"
    return f"{_number(figure['value'])} [{_number(figure['low'])}, {_number(figure['high'])}] of {figure['n']}"
