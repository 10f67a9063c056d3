"""What a run of entity recognition answered, from its stored predictions."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioft.errors import BioftError
from bioft.storage.runs import PREDICTIONS
from bioft.storage.text_lines import normalise
from bioft.task import FINE_TUNED
from bioft.tasks import answers as shared
from bioft.tasks.embedded import Embedded, Floats, Sampled, base_encoder, encoder_of, last_states
from bioft.tasks.entities import predictions
from bioft.tasks.entities.predictions import Record

COLUMNS = dict.fromkeys(("id", "label", "prediction", "baseline_"), shared.TEXTS)


def write(directory: Path, table: pd.DataFrame, baselines: Mapping[str, pd.DataFrame]) -> None:
    """Write `predictions.parquet`: the predictions table of the model, and what each baseline found."""
    others = {f"baseline_{name}": found["prediction"] for name, found in baselines.items()}
    table.assign(**others).to_parquet(directory / PREDICTIONS, index=False)


def read(directory: Path, record: Record) -> pd.DataFrame:
    """The predictions table that `write` wrote, a row for each test document; BioftError if it can't be read."""
    return shared.read_table(directory, COLUMNS)


def systems(table: pd.DataFrame, record: Record) -> dict[str, pd.DataFrame]:
    """By system its predictions table: the model, and each baseline."""
    return shared.systems_of(table, "prediction", ("id", "label"))


def differences(made: pd.DataFrame, stored: pd.DataFrame, record: Record) -> pd.DataFrame:
    """How far predictions made again are from the stored ones of the same documents: see `predictions.differences`."""
    return predictions.differences(made, stored, {"prediction": "entities"})


def outcomes_of_documents(table: pd.DataFrame, columns: dict[str, tuple[str, str]]) -> shared.Outcomes:
    """The same for predictions with a row for each document; `columns` has labels and predictions by metric."""
    metrics: dict[str, shared.Metric] = {
        name: shared.f1_of_sets(*(list(map(set, predictions.without_scores(table[column]))) for column in pair))
        for name, pair in columns.items()
        if pair[1] in table
    }
    stored = [table[label].astype(str) for label, _ in columns.values() if label in table]
    truth = list(map("\t".join, zip(*stored, strict=True))) if len(stored) == len(columns) else []
    return shared.Outcomes(list(table["id"].astype(str)), metrics, truth=truth)


def outcomes(table: pd.DataFrame) -> shared.Outcomes:
    """The ids of the test examples and the metrics of the run on them, the main one first."""
    return outcomes_of_documents(table, {"f1": ("label", "prediction")})


def answers(table: pd.DataFrame, record: Record) -> shared.Answers:
    """What all systems of the run answered."""
    if "label" not in table:
        raise BioftError("The run looks for relations only; mentions are what is analysed of a joint model.")
    columns = shared.columns_of(table, "prediction", "base")
    labels = predictions.items(table["label"])
    found = {
        system: [{item[:2]: item for item in its} for its in predictions.items(table[column])]
        for system, column in columns.items()
    }
    units = [(row, *mention) for row, mentions in enumerate(labels) for mention in mentions]
    spans = [{mention[:2] for mention in mentions} for mentions in labels]
    types = sorted({mention[3] for mention in units})
    given = {"truth": [mention[3] for mention in units]} | {
        system: [its[row].get((start, end), (0, 0, shared.NONE))[2] for row, start, end, _ in units]
        for system, its in found.items()
    }
    confusion, probabilities = {}, {}
    for system, its in found.items():
        spurious = [item[2] for row, items in enumerate(its) for span, item in items.items() if span not in spans[row]]
        truth, answered = [*given["truth"], *[shared.NONE] * len(spurious)], [*given[system], *spurious]
        confusion[system] = shared.crosstab(truth, answered, [*sorted({*types, *spurious}), shared.NONE])
        scored = [
            (tuple(item[:3]) in mentions, item[3], row)
            for row, (items, mentions) in enumerate(zip(its, map(set, labels), strict=True))
            for item in items.values()
            if len(item) > 3
        ]
        if scored:
            right, scores, rows = map(np.array, zip(*scored, strict=True))
            probabilities[system] = shared.Probabilities(right.astype(np.int64), scores.astype(float), (rows,))
    frame, ids = pd.DataFrame(given), table["id"].astype(str).to_list()
    lengths = [end - start for _, start, end, _ in units]
    missing = {} if shared.BASE in columns else {"base model": shared.NO_BASE if len(columns) > 1 else shared.ALONE}
    return shared.Answers(
        "mentions",
        "recall",
        [f"{ids[row]}:{start}-{end}" for row, start, end, _ in units],
        pd.DataFrame({system: (frame[system] == frame["truth"]).astype(float) for system in columns}),
        frame,
        np.ones(len(units)),
        (np.array([row for row, *_ in units]),),
        probabilities=probabilities,
        confusion=confusion,
        properties=pd.DataFrame({"type": frame["truth"], "characters of the mention": lengths}),
        missing=missing,
    )


def properties(answers: shared.Answers, table: pd.DataFrame, splits: Any) -> pd.DataFrame:
    """What the splits tell of each mention: how often its name is in training, lengths."""
    train, test = splits["train"].to_list(), splits["test"].to_list()
    names = Counter(normalise(entity["text"]) for row in train for entity in row["entities"])
    texts = {row["document_id"]: row["text"] for row in test}
    places = [_place(identifier) for identifier in answers.ids]
    shared.check_same(all(document in texts for document, *_ in places))
    found = [texts[document][start:end] for document, start, end in places]
    return pd.DataFrame(
        {
            "mentions of the same name in training": [names[normalise(name)] for name in found],
            "words of the mention": [len(name.split()) for name in found],
            "words of the document": [len(texts[document].split()) for document, *_ in places],
        }
    )


def _place(identifier: str) -> tuple[str, int, int]:
    """Document, start and end of a mention, from its id in `answers`."""
    document, _, span = identifier.rpartition(":")
    start, end = map(int, span.split("-"))
    return document, start, end


def embed(run: Sampled) -> Embedded:
    """The mean of a mention's tokens in its document."""
    from bioft.tasks.entities import predict as entity_prediction

    model, tokenizer, _ = entity_prediction.load(run.directory, whole=True)
    return embed_mentions(run, encoder_of(model), tokenizer)


def embed_mentions(run: Sampled, encoder: Any, tokenizer: Any) -> Embedded:
    """The mean of a mention's tokens in its document; of long documents the beginning is read."""
    import torch

    from bioft.tasks.entities.windows import longest_input

    record, answers, test, drawn = run.record, run.answers, run.test(), run.drawn()
    base, base_tokenizer = base_encoder(record, None)
    texts = dict(zip(test["document_id"][:], test["text"][:], strict=True))
    places = [_place(identifier) for identifier in answers.ids]
    documents = list(dict.fromkeys(places[row][0] for row in drawn))

    def means(encoder: Any, its: Any) -> list[Floats | None]:
        length = min(longest_input(its, encoder), 512)
        read = [texts[document] for document in documents]
        encoded = its(read, truncation=True, max_length=length, return_offsets_mapping=True)
        with torch.inference_mode():
            states = last_states(encoder, its, encoded["input_ids"])
        found: list[Floats | None] = []
        for row in drawn:
            document, start, end = places[row]
            at = documents.index(document)
            offsets = np.asarray(encoded["offset_mapping"][at])
            inside = (offsets[:, 0] < end) & (offsets[:, 1] > start)
            found.append(states[at][inside].mean(axis=0) if inside.any() else None)
        return found

    ours, theirs = means(encoder, tokenizer), means(base, base_tokenizer)
    kept = [index for index in range(len(drawn)) if ours[index] is not None and theirs[index] is not None]
    vectors = {
        name: np.array([each[index] for index in kept]) for name, each in ((shared.BASE, theirs), (FINE_TUNED, ours))
    }
    rows = drawn[kept]
    groups = np.array([places[row][0] for row in rows])
    return Embedded("mentions (mean of the tokens)", answers.given["truth"].to_numpy(str)[rows], groups, vectors)
