"""Embeddings of a sample of test examples by the base model and by the fine-tuned one: map, probe, separation.

The probe is a logistic regression on frozen embeddings, cross-validated within the test split, so that nothing that it
is asked about was trained on, neither by the encoder nor by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioft.compare.answers import BASE, Answers
from bioft.compare.errors import RESAMPLES, area, share
from bioft.errors import BioftError
from bioft.metrics import intervals
from bioft.task import FINE_TUNED

FOLDS = 5
FEWEST = 20
"""Examples without which nothing is measured."""
BATCH_TOKENS = 2048
WITHOUT_CLASSES = {
    "masked-language-model": "The texts have no classes that a probe could tell apart.",
    "relation-extraction": "A candidate is a pair of places in a text, which has no embedding of its own.",
}

Floats = np.ndarray


@dataclass
class Embedded:
    """A sample of test examples: what they are, and by model the embeddings, shape (n, dimensions)."""

    what: str
    labels: np.ndarray
    groups: np.ndarray
    """Examples of the same group are kept in one fold, and drawn together."""
    vectors: dict[str, Floats]
    pairs: np.ndarray | None = None
    """For texts without classes: indices of two texts and whether they belong together (0 or 1), shape (pairs, 3)."""


def embed(
    directory: Path, record: dict[str, Any], answers: Answers, table: pd.DataFrame, splits: Any, sample: int, seed: int
) -> Embedded:
    """Embed a sample of the test examples of a run with its base model and with the fine-tuned one.

    Args:
        directory: the run.
        record: its record.
        answers: what it answered.
        table: its stored predictions.
        splits: those of `analysis_data.recorded_splits`, where the predictions don't hold the texts; else None.
        sample: pairs, texts, mentions or queries to be drawn, at most.
        seed: of the draw.

    Raises:
        BioftError: a task without classes, too few examples, a text that is missing, or a model that can't be loaded.
    """
    task = record["task"]
    if task in WITHOUT_CLASSES:
        raise BioftError(WITHOUT_CLASSES[task])
    rng = np.random.default_rng(seed)
    if task in ("text-retrieval", "name-alignment"):
        return _of_similar_texts(directory, record, answers, sample, rng)
    n = len(answers.ids)
    drawn = np.sort(rng.choice(n, min(sample, n), replace=False))
    if len(drawn) < FEWEST:
        raise BioftError(f"There are {len(drawn)} examples; at least {FEWEST} are needed.")
    if task == "gene-disease-association":
        return _of_pairs(directory, table.iloc[drawn])
    if splits is None:
        raise BioftError("The texts are not among the predictions, and the dataset could not be had.")
    if task == "text-classification":
        return _of_texts(directory, record, answers, splits["test"], drawn)
    return _of_mentions(directory, record, answers, splits["test"], drawn)


def _of_pairs(directory: Path, table: pd.DataFrame) -> Embedded:
    """The state of the last token of the question, from which the answer is read."""
    import torch

    from bioft.tasks.gene_disease import predict as prediction
    from bioft.tasks.gene_disease.scoring import backbone_of

    model, prompts, _ = prediction.load_run(directory)
    model.eval()
    ids = prompts.token_ids(table["gene"].tolist(), table["disease"].tolist())

    def last_states() -> Floats:
        with torch.inference_mode():
            states = _states(backbone_of(model), prompts.tokenizer, ids)
        return np.stack([each[-1] for each in states])

    vectors = {FINE_TUNED: last_states()}
    with model.disable_adapter():
        vectors = {BASE: last_states(), **vectors}
    labels = np.where(table["label"] == 1, "associated", "not associated")
    return Embedded("questions about pairs (state of the last token)", labels, table["gene_id"].to_numpy(str), vectors)


def _of_texts(directory: Path, record: dict[str, Any], answers: Answers, test: Any, drawn: np.ndarray) -> Embedded:
    """The mean of a text's tokens; of texts with several labels none is taken."""
    import torch

    from bioft.tasks.text_labels import classifier as text_classification
    from bioft.tasks.text_labels import models as text_models

    texts = dict(zip(test["id"][:], test["text"][:], strict=True))
    truth = answers.given["truth"].to_numpy(str)
    drawn = np.array([row for row in drawn if truth[row] in record["labels"]], dtype=int)
    model, tokenizer, _ = text_models.load_run(directory)
    base, base_tokenizer = _base_encoder(record, record["classifier"]["mlm_run"])

    def means(encoder: Any, its: Any) -> Floats:
        chosen = [texts[answers.ids[row]] for row in drawn]
        ids, _ = text_classification.encode(its, chosen, record["classifier"]["max_length"])
        with torch.inference_mode():
            return np.stack([each.mean(axis=0) for each in _states(encoder, its, ids)])

    vectors = {BASE: means(base, base_tokenizer), FINE_TUNED: means(_encoder_of(model), tokenizer)}
    return Embedded("texts with one label (mean of the tokens)", truth[drawn], drawn.astype(str), vectors)


def _of_mentions(directory: Path, record: dict[str, Any], answers: Answers, test: Any, drawn: np.ndarray) -> Embedded:
    """The mean of a mention's tokens in its document; of long documents the beginning is read."""
    import torch

    from bioft.tasks.entities import predict as entity_prediction
    from bioft.tasks.entities.windows import longest_input
    from bioft.tasks.joint import model as joint

    if record["recipe"] == "joint_ner_re":
        model, tokenizer, *_ = joint.load_run(directory)
        encoder = model.encoder
    else:
        model, tokenizer, _ = entity_prediction.load_run(directory)
        encoder = _encoder_of(model)
    base, base_tokenizer = _base_encoder(record, None)
    texts = dict(zip(test["document_id"][:], test["text"][:], strict=True))
    places = [(document, *map(int, span.split("-"))) for document, _, span in (i.rpartition(":") for i in answers.ids)]
    documents = list(dict.fromkeys(places[row][0] for row in drawn))

    def means(encoder: Any, its: Any) -> list[Floats | None]:
        encoded = its(
            [texts[document] for document in documents],
            truncation=True,
            max_length=min(longest_input(its, encoder), 512),
            return_offsets_mapping=True,
        )
        with torch.inference_mode():
            states = _states(encoder, its, encoded["input_ids"])
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
    vectors = {name: np.array([each[index] for index in kept]) for name, each in ((BASE, theirs), (FINE_TUNED, ours))}
    rows = drawn[kept]
    groups = np.array([places[row][0] for row in rows])
    return Embedded("mentions (mean of the tokens)", answers.given["truth"].to_numpy(str)[rows], groups, vectors)


def _of_similar_texts(
    directory: Path, record: dict[str, Any], answers: Answers, sample: int, rng: np.random.Generator
) -> Embedded:
    """Texts and which of them belong together: a query and its right text, or two names with the same id."""
    from bioft.models import base as models
    from bioft.models.embed import encode_texts
    from bioft.tasks.retrieval import encoder as contrastive

    together: list[tuple[str, str, str]] = []
    right = answers.given["truth"].tolist()
    if record["task"] == "text-retrieval":
        together = [
            (query, text, query) for query, its in zip(answers.ids, right, strict=True) for text in its.split(" | ")
        ]
    else:
        names = pd.DataFrame({"name": answers.ids, "id": right}).drop_duplicates()
        for identifier, its in names[names["id"] != "no match"].groupby("id")["name"]:
            together += [(its.iloc[0], other, str(identifier)) for other in its.iloc[1:]]
    if len(together) < FEWEST:
        raise BioftError(
            f"There are {len(together)} pairs of texts that belong together; at least {FEWEST} are needed."
        )
    together = [together[row] for row in np.sort(rng.choice(len(together), min(sample, len(together)), replace=False))]
    group_of = {text: group for first, second, group in together for text in (first, second)}
    texts, groups = list(group_of), np.array(list(group_of.values()))
    place = {text: index for index, text in enumerate(texts)}
    pairs = [(place[first], place[second], 1) for first, second, _ in together]
    for first, _, group in together:
        # As many texts that don't belong together: each first text with one of another group.
        others = np.flatnonzero(groups != group)
        pairs.append((place[first], int(rng.choice(others)), 0))
    tuned, _ = contrastive.load_run(directory)
    options = contrastive.ContrastiveArguments(max_length=record["contrastive"]["max_length"])
    base = contrastive.load_model(models.resolve_recorded(record["base_model"]), options).eval()
    vectors = {BASE: encode_texts(base, texts), FINE_TUNED: encode_texts(tuned, texts)}
    return Embedded("texts (mean of the tokens)", groups, groups, vectors, np.array(pairs))


def _base_encoder(record: Mapping[str, Any], mlm_run: str | None) -> tuple[Any, Any]:
    from transformers import AutoModel

    from bioft.models import base as models
    from bioft.tasks.masked_lm import models as masked_models

    base = (
        models.resolve_recorded(record["base_model"])
        if mlm_run is None
        else masked_models.load_adapted_encoder(mlm_run)
    )
    model, tokenizer = models.load_encoder(base, AutoModel)
    return model.to(models.local_device()).eval(), tokenizer


def _encoder_of(model: Any) -> Any:
    """The encoder below a head, adapters included."""
    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    return whole.base_model.eval()


def _states(encoder: Any, tokenizer: Any, inputs: Sequence[list[int]]) -> list[Floats]:
    """The last hidden states of each input, shape (tokens, dimensions), float32."""
    from bioft.models.batches import batches_by_length

    states: list[Floats] = [np.empty(0)] * len(inputs)
    for batch in batches_by_length(list(map(len, inputs)), BATCH_TOKENS):
        rows = {"input_ids": [inputs[index] for index in batch]}
        padded = tokenizer.pad(rows, padding_side="right", return_tensors="pt").to(encoder.device)
        found = encoder(**padded).last_hidden_state.float().cpu().numpy()
        for index, values in zip(batch, found, strict=True):
            states[index] = values[: len(inputs[index])]
    return states


def maps(embedded: Embedded, seed: int = 0) -> dict[str, Floats]:
    """By model the places of the examples in a plane by t-SNE (van der Maaten and Hinton 2008), shape (n, 2)."""
    from sklearn.manifold import TSNE

    n = len(embedded.labels)
    return {
        name: TSNE(
            perplexity=min(30, (n - 1) / 3), metric="cosine", init="pca", learning_rate="auto", random_state=seed
        ).fit_transform(values)
        for name, values in embedded.vectors.items()
    }


def measure(embedded: Embedded, seed: int = 0) -> tuple[pd.DataFrame, list[str]]:
    """Probe and separation of each model's embeddings: model, measure, n, value, low, high; and sentences on both.

    "probe accuracy": of logistic regression, `FOLDS`-fold cross-validation; examples of a group are in one fold.
    "majority": what always giving the most frequent class reaches. "silhouette": the mean of Rousseeuw (1987), -1 to
    1, by cosine. Of texts without classes the probe tells from |u - v| whether two texts u and v belong together, and
    "AUROC of the cosine" says how well their similarity does.

    Raises:
        BioftError: fewer than two classes with enough examples.
    """
    rows, sentences, right = [], [], {}
    truth, groups = embedded.labels, embedded.groups
    if embedded.pairs is None:
        counts = pd.Series(truth).value_counts()
        kept = np.isin(truth, counts[counts >= FOLDS].index)
        truth, groups = truth[kept], groups[kept]
        if len(set(truth.tolist())) < 2:
            raise BioftError(f"Fewer than two classes have {FOLDS} examples.")
        if not kept.all():
            sentences.append(f"{(~kept).sum():,} examples of classes with fewer than {FOLDS} are left out.")
        vectors = {name: values[kept] for name, values in embedded.vectors.items()}
    else:
        first, second, truth = embedded.pairs.T
        groups = groups[first]
        vectors = {name: np.abs(values[first] - values[second]) for name, values in embedded.vectors.items()}
    names, most = np.unique(truth, return_counts=True)
    rows.append(
        _row("(no model)", "majority", len(truth), share((truth == names[most.argmax()]).astype(float), *_of(groups)))
    )
    for name, values in vectors.items():
        right[name] = (_cross_validated(values, truth, groups, seed) == truth).astype(float)
        rows.append(_row(name, "probe accuracy", len(truth), share(right[name], *_of(groups))))
    for name, values in embedded.vectors.items():
        if embedded.pairs is not None:
            first, second, together = embedded.pairs.T
            unit = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
            curve = area(together, (unit[first] * unit[second]).sum(axis=1), seed)
            assert curve is not None
            rows.append(_row(name, "AUROC of the cosine", len(together), curve))
        else:
            found = _silhouettes(vectors[name], truth)
            rows.append(_row(name, "silhouette", len(found), _mean(found, groups, seed)))
    gained = int((right[FINE_TUNED] > right[BASE]).sum())
    lost = int((right[FINE_TUNED] < right[BASE]).sum())
    p_value = intervals.mcnemar(
        np.ones(len(truth), int), right[FINE_TUNED].astype(int), right[BASE].astype(int)
    ).p_value
    sentences.append(
        f"The probe gets {gained:,} right on the fine-tuned embeddings only and {lost:,} on the base model's only "
        f"(McNemar's exact test: p {'< 0.001' if p_value < 0.001 else f'= {p_value:.3f}'})."
    )
    return pd.DataFrame(rows), sentences


def _of(groups: np.ndarray) -> tuple[Floats, np.ndarray]:
    return np.ones(len(groups)), groups


def _row(model: str, what: str, n: int, found: tuple[float, float, float]) -> dict[str, Any]:
    return {"model": model, "measure": what, "n": n, "value": found[0], "low": found[1], "high": found[2]}


def _cross_validated(values: Floats, truth: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    # Strong regularisation: there are about as many dimensions as examples.
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    return cross_val_predict(probe, values, truth, groups=groups, cv=folds)


def _silhouettes(values: Floats, truth: np.ndarray) -> Floats:
    from sklearn.metrics import silhouette_samples

    return silhouette_samples(values, truth, metric="cosine")


def _mean(values: Floats, groups: np.ndarray, seed: int) -> tuple[float, float, float]:
    """The mean of numbers with its bootstrap interval over groups."""
    _, place = np.unique(groups, return_inverse=True)
    n = int(place.max()) + 1
    sums, sizes = np.bincount(place, values, n), np.bincount(place, minlength=n)
    means = np.concatenate(
        [(drawn @ sums) / (drawn @ sizes) for drawn in intervals.resample_weights(n, RESAMPLES, seed)]
    )
    value = float(values.mean())
    return value, *intervals.percentiles(means, 0.95, value)
