"""Whether the figures of a run on documents hold: entities and relations are looked for again in the test documents.

For the recipes token_classification, sequence_classification and joint_ner_re.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bioft.datasets.recorded import recorded_dataset
from bioft.errors import BioftError
from bioft.storage import runs
from bioft.storage.runs import PREDICTIONS
from bioft.task import FINE_TUNED
from bioft.verify.findings import (
    EQUAL,
    SHOWN_ROWS,
    PredictionCheck,
    Request,
    check_base_model,
    equal,
    figure_of,
    interval_text,
    number_text,
    read_predictions,
    score_tolerance,
)

DOWNLOADS = {"sample": None, "bc5cdr": "CDR_Data.zip", "chemdisgene": "curated"}
"""What `bioft download` writes for each builder of documents; None for one that needs no file."""
END_TO_END_FILE = "predictions_end_to_end.parquet"
# Scores of two tags that all but agree may change places on another processor, which makes it another mention.
ALLOWED_DIFFERING = 0.01
THRESHOLD_TOLERANCE = 0.005
"""How much higher F1 on validation may be at another threshold than at the recorded one."""

Items = list[tuple[Any, ...]]


class Predictions(NamedTuple):
    """What was found in each test document, each item with its score; None where a run does not look for it.

    `entities`: start, end, type; `relations` (between annotated entities) and `end_to_end`: type, head, tail.
    """

    entities: list[Items] | None = None
    relations: list[Items] | None = None
    end_to_end: list[Items] | None = None

    def without_scores(self) -> "Predictions":
        """The items alone, as the metrics take them."""
        return Predictions(
            *(None if found is None else [[item[:3] for item in items] for items in found] for found in self)
        )


class _Model(NamedTuple):
    """A trained model: what it finds in rows, and its scores of the candidates of relations in them."""

    find: Callable[[Any], Predictions]
    relation_scores: Callable[[Any], Any] | None


def check_documents(request: Request) -> None:
    """Compare the predictions of documents, and the figures that follow from them."""
    from datasets import concatenate_datasets

    record, found = request.record, request.found
    if not record["metrics"]:
        raise BioftError(f"{runs.RECORD} states no figures.")
    dataset = _documents(request)
    test, train = dataset["test"], dataset["train"]
    if record["train_on"] == "train+validation":
        train = concatenate_datasets([train, dataset["validation"]])
    references = _references(test)
    labels, stored = _read(request.directory, record["recipe"], list(test["document_id"]))
    for kind, stated in labels.items():
        if [sorted(items) for items in stated] != [sorted(items) for items in references[kind]]:
            found.reasons.append(f"The {kind} that {PREDICTIONS} has as labels are not those of the test documents.")
            return
    _check_stored(stored, test, train, request)
    check_base_model(request.directory, record, found)

    model = _load(request)
    rows = np.arange(len(test))
    if sampled := request.sample is not None and request.sample < len(test):
        rows = np.sort(np.random.default_rng(request.seed).choice(len(test), request.sample, replace=False))
    made = model.find(test.select(rows))
    _compare_predictions(made, stored, rows, test, request)
    if sampled:
        found.notes.append(
            f"A sample: {len(rows):,} of {len(test):,} documents were read again (seed {request.seed}); had "
            f"{min(1.0, 3 / len(rows)):.1%} of them been false, one would have been found with a probability of 95 %. "
            "The figures were computed from the stored predictions."
        )
        return
    measured = figures(made, test, train, record["recipe"])
    found.figures = [
        figure_of(FINE_TUNED, name, stated, measured[name]["value"])
        for name, stated in record["metrics"].items()
        if name in measured
    ] + [figure for figure in found.figures if figure.model != FINE_TUNED]
    if outside := [figure for figure in found.figures if figure.model == FINE_TUNED and not figure.holds]:
        words = (f"{figure.metric} {number_text(figure.measured)}" for figure in outside)
        found.reasons.append(f"Outside the recorded intervals: {', '.join(words)}.")
    if unmeasured := [name for name in record["metrics"] if name not in measured]:
        found.notes.append(
            f"Not measured again, because the run that found the entities is not part of this one: "
            f"{', '.join(unmeasured)}."
        )
    found.notes.append("The base model's figures, of heads drawn at random, were not measured again.")
    if model.relation_scores is not None and record["relations"]["threshold_chosen_on"] == "validation":
        _check_threshold(model.relation_scores(dataset["validation"]), dataset["validation"], request)


def _documents(request: Request) -> Any:
    """The splits of the record; splits or an audit that are not the recorded ones are a reason."""
    from bioft.datasets.documents import corpus as documents
    from bioft.datasets.load import load_documents

    dataset, _ = recorded_dataset(request, load_documents, request.record["dataset"]["arguments"], DOWNLOADS)
    # Made anew of the rows: what a manifest on the Hub says of itself proves nothing.
    if documents.audit(dataset) != request.record["audit"]:
        request.found.reasons.append("The record states another audit than that of its dataset.")
    return dataset


def _references(test: Any) -> dict[str, list[Items]]:
    from bioft.metrics import entity_f1, relation_f1

    return {"entities": entity_f1.spans(test), "relations": relation_f1.relations(test)}


def _read(directory: Path, recipe: str, ids: Sequence[str]) -> tuple[dict[str, list[Items]], Predictions]:
    """The labels and the predictions that a run has stored, in the order of the test documents."""
    if recipe == "sequence_classification":
        table = read_predictions(directory, ["document_id", "type", "head", "tail", "label", "score", "prediction"])
        end_to_end = None
        if (directory / END_TO_END_FILE).is_file():
            end_to_end = _by_document(pd.read_parquet(directory / END_TO_END_FILE), ids)
        labels = [[item[:3] for item in items] for items in _by_document(table[table["label"] == 1], ids)]
        found = _by_document(table[table["prediction"] == 1], ids)
        return {"relations": labels}, Predictions(relations=found, end_to_end=end_to_end)
    table = read_predictions(directory, ["id"])
    if list(table["id"]) != list(ids):
        raise BioftError(f"The documents of {PREDICTIONS} are not those of the test split.")

    def column(name: str) -> list[Items] | None:
        return [[tuple(item) for item in json.loads(cell)] for cell in table[name]] if name in table else None

    stated = {"entities": column("label"), "relations": column("relation_label")}
    stored = Predictions(column("prediction"), column("relation_prediction"), column("end_to_end_prediction"))
    return {kind: items for kind, items in stated.items() if items is not None}, stored


def _by_document(table: pd.DataFrame, ids: Sequence[str]) -> list[Items]:
    found: dict[str, Items] = {identifier: [] for identifier in ids}
    for identifier, *item in table[["document_id", "type", "head", "tail", "score"]].itertuples(index=False):
        if identifier not in found:
            raise BioftError(f"{PREDICTIONS} has a document {identifier}, which is not in the test split.")
        found[identifier].append(tuple(item))
    return list(found.values())


def figures(predictions: Predictions, test: Any, train: Any, recipe: str) -> dict[str, Any]:
    """The metrics that follow from predictions, under the names that the recipe gives them."""
    from bioft.tasks.entities import evaluate as entity_evaluation
    from bioft.tasks.joint import evaluate as joint_evaluation
    from bioft.tasks.relations import evaluate as relation_evaluation

    entities, relations, end_to_end = predictions.without_scores()
    result: dict[str, Any] = {}
    if entities is not None:
        result |= entity_evaluation.evaluate(test, entities, train)
    if relations is not None:
        figures = relation_evaluation.evaluate(test, relations, end_to_end)
        result |= figures if recipe == "sequence_classification" else joint_evaluation.as_relations(figures)
    return result


def _check_stored(stored: Predictions, test: Any, train: Any, request: Request) -> None:
    """Compute the record's figures, those of the baselines fitted again, and the comparison; nothing needs a model."""
    from bioft.tasks.entities import evaluate as entity_evaluation
    from bioft.tasks.relations import evaluate as relation_evaluation

    record, found = request.record, request.found
    found.figures += (
        computed := _compare_figures(FINE_TUNED, figures(stored, test, train, record["recipe"]), request)
    )
    if len(computed) < len(record["metrics"]):
        missing = set(record["metrics"]) - {figure.metric for figure in computed}
        found.reasons.append(f"{runs.RECORD} states figures without predictions: {', '.join(sorted(missing))}.")
    spans = entity_evaluation.predict_baselines(train, test) if stored.entities is not None else {}
    baselines: dict[str, Any] = {
        name: figures(Predictions(entities=items), test, train, record["recipe"]) for name, items in spans.items()
    }
    related: dict[str, Any] = {}
    if stored.relations is not None:
        related, _ = relation_evaluation.evaluate_baselines(train, test)
        for name, items in related.items():
            baselines[name] = figures(Predictions(relations=_items(items)), test, train, record["recipe"])
    for name in record["baselines"]:
        if name in baselines:
            found.figures += _compare_figures(name, baselines[name], request)
        else:
            found.notes.append(f"This bioft knows no baseline {name!r}: its figures were not measured again.")
    plain = stored.without_scores()
    if plain.relations is not None:
        comparison = relation_evaluation.compare_with_best_baseline(test, plain.relations, related)
    else:
        comparison = entity_evaluation.compare_with_best_baseline(test, plain.entities or [], spans)
    if any(not equal(value, record["comparison"].get(key)) for key, value in comparison.items()):
        found.reasons.append(
            f"{runs.RECORD} compares with the best baseline in another way than {PREDICTIONS} gives: "
            f"“{comparison['sentence']}”"
        )


def _compare_figures(model: str, computed: Mapping[str, Any], request: Request) -> list[Any]:
    """Compare recorded figures and intervals with those that follow from the same predictions."""
    record = request.record
    recorded = record["metrics"] if model == FINE_TUNED else record["baselines"][model]
    wrong = [
        f"{name} {interval_text(stated)}, not {interval_text(computed[name])}"
        for name, stated in recorded.items()
        if name in computed
        and any(not equal(computed[name][key], stated[key]) for key in ("value", "low", "high", "n"))
    ]
    if wrong:
        request.found.reasons.append(f"{model}: the record states figures that do not follow: {'; '.join(wrong)}.")
    return [
        figure_of(model, name, stated, computed[name]["value"])
        for name, stated in recorded.items()
        if name in computed
    ]


def _load(request: Request) -> _Model:
    """The model of the run, as a function from rows of documents to what it finds in them."""
    directory, recipe = request.directory, request.record["recipe"]
    progress = "Test documents" if request.progress else None
    if recipe == "token_classification":
        from bioft.tasks.entities import predict as entity_prediction

        run = entity_prediction.load_run(directory)
        return _Model(
            lambda rows: Predictions(
                entities=[
                    [(*entity.span, entity.score) for entity in entities]
                    for entities in entity_prediction.find_as_recorded(*run, list(rows["text"]), progress)
                ]
            ),
            None,
        )
    threshold = request.record["relations"]["threshold"]
    if recipe == "sequence_classification":
        from bioft.tasks.relations import predict as relation_prediction

        loaded = relation_prediction.load_run(directory)

        def score(rows: Any) -> Any:
            return relation_prediction.score_as_recorded(*loaded, rows.to_list(), progress)

        return _Model(lambda rows: Predictions(relations=_items(score(rows).found(len(rows), threshold))), score)
    from bioft.tasks.joint import evaluate as joint_evaluation, model as joint

    model, tokenizer, dictionary, record = joint.load_run(directory)
    weights = record["joint"]

    def read(rows: Any) -> Any:
        return joint_evaluation.predict_split(model, rows, tokenizer, dictionary, record["windows"], progress)

    def find(rows: Any) -> Predictions:
        prediction = read(rows)
        entities_learnt = bool(weights["entity_loss_weight"] or weights.get("start_from"))
        learnt = entities_learnt, bool(weights["relation_loss_weight"])
        entities = [[(*each.span, each.score) for each in items] for items in prediction.entities]
        return Predictions(
            entities if learnt[0] else None,
            _items(prediction.annotated.found(len(rows), threshold)) if learnt[1] else None,
            _items(prediction.end_to_end.found(len(rows), threshold)) if all(learnt) else None,
        )

    return _Model(find, (lambda rows: read(rows).annotated) if weights["relation_loss_weight"] else None)


def _items(documents: Sequence[Sequence[tuple[Any, ...]]]) -> list[Items]:
    return [[tuple(item) for item in items] for items in documents]


def _compare_predictions(
    made: Predictions, stored: Predictions, rows: np.ndarray, test: Any, request: Request
) -> None:
    """Compare what was found again with what is stored, document by document."""
    tolerance = score_tolerance(request.record)
    differing: dict[int, str] = {}
    flips, largest = 0, 0.0
    for kind, new, old in zip(made._fields, made, stored, strict=True):
        if new is None or old is None:
            continue
        for index, row in enumerate(rows.tolist()):
            now, then = ({item[:3]: item[3] for item in items} for items in (new[index], old[row]))
            changed = sorted(now.keys() ^ then.keys(), key=str)
            difference = max((abs(now[item] - then[item]) for item in now.keys() & then.keys()), default=0.0)
            largest, flips = max(largest, difference), flips + len(changed)
            if changed or difference > tolerance + 5e-5:  # stored scores may be rounded to four digits
                words = f"{changed[0]} only {'now' if changed[0] in now else 'stored'}" if changed else "other scores"
                differing.setdefault(row, f"{test[row]['document_id']}: {kind}, {words}")
    found = request.found
    found.predictions = PredictionCheck(len(rows), len(test), len(rows) - len(differing), flips, largest, tolerance)
    if len(differing) > ALLOWED_DIFFERING * len(rows):
        shown = "; ".join(list(differing.values())[:SHOWN_ROWS])
        found.reasons.append(
            f"In {len(differing):,} of {len(rows):,} documents the model finds something else ({shown})."
        )


def _check_threshold(scores: Any, validation: Any, request: Request) -> None:
    """Whether validation gives the threshold of relations that is recorded."""
    from bioft.metrics import counts, relation_f1
    from bioft.tasks.relations.predict import choose_threshold, without_scores

    recorded, references = request.record["relations"]["threshold"], relation_f1.relations(validation)
    best, _ = choose_threshold(scores, validation)

    def f1(threshold: float) -> float:
        predicted = without_scores(scores.found(len(validation), threshold))
        return counts.metrics(counts.count(predicted, references, type_index=0), n_resamples=0)["f1"]

    if f1(best) - f1(recorded) > THRESHOLD_TOLERANCE + EQUAL:
        request.found.reasons.append(
            f"Validation does not give the recorded threshold {recorded:.4f} (F1 {f1(recorded):.3f}) but {best:.4f} "
            f"(F1 {f1(best):.3f})."
        )
