"""What a run of retrieval answered, from its stored predictions."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioft.errors import BioftError
from bioft.task import FINE_TUNED
from bioft.tasks import answers as shared
from bioft.tasks.answers import BASE, Answers, Outcomes
from bioft.tasks.embedded import FEWEST, Embedded, Sampled

COLUMNS = dict.fromkeys(("id", "label", "prediction", "group?", "base?", "baseline_"), shared.TEXTS)


def read(directory: Path, record: Mapping[str, Any]) -> pd.DataFrame:
    """The stored predictions of a run."""
    return shared.read_table(directory, COLUMNS)


def systems(table: pd.DataFrame, record: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """The stored predictions of each system, as if it were the run."""
    return shared.systems_of(table, "prediction", ["id", "label"])


def queries_share(table: pd.DataFrame) -> tuple[np.ndarray, ...]:
    """The group of each query; runs of earlier versions have stored none."""
    return (table["group"].to_numpy(str),) if "group" in table else ()


def differences(made: pd.DataFrame, stored: pd.DataFrame, record: Mapping[str, Any]) -> pd.DataFrame:
    """Whether something else was found for each query than is stored; there are no scores to compare."""
    changed = (made["prediction"].to_numpy() != stored["prediction"].to_numpy()).astype(bool)
    words = [f"{query}: another ranking" for query in made["id"]]
    return pd.DataFrame({"difference": 0.0, "changed": changed, "words": words})


def outcomes(table: pd.DataFrame) -> Outcomes:
    """nDCG@10 of each query, as the metric has it."""
    from bioft.metrics.retrieval import METRICS, values_per_query  # which takes seconds

    right, found = ([json.loads(cell) for cell in table[column]] for column in ("label", "prediction"))
    gains = values_per_query(found, right)[:, METRICS.index("ndcg_at_10")]
    ids = shared.numbered(table["id"].to_list())
    return Outcomes(ids, {"ndcg_at_10": shared.mean_of(gains)}, queries_share(table), table["label"].to_list())


def answers(table: pd.DataFrame, record: Mapping[str, Any]) -> Answers:
    """What all systems of the run answered."""
    columns = shared.columns_of(table, "prediction", "base")
    right = [json.loads(cell) for cell in table["label"]]
    first = {
        system: [(json.loads(cell) or [shared.NONE])[0] for cell in table[column]]
        for system, column in columns.items()
    }
    alike = [
        max(len(its & other) / len(its | other) for other in map(_words, texts))
        for its, texts in zip(map(_words, table["id"]), right, strict=True)
    ]
    return Answers(
        "queries",
        "nDCG@10",
        table["id"].astype(str).to_list(),
        shared.correctness(table, outcomes, columns),
        pd.DataFrame({"truth": [" | ".join(texts) for texts in right], **first}),
        np.ones(len(table)),
        queries_share(table),
        properties=pd.DataFrame(
            {
                "share of words in common with a right text": _in_words(alike),
                "words of the query": [len(query.split()) for query in table["id"]],
                "right texts": [len(texts) for texts in right],
            }
        ),
        missing={
            "confusion": "A ranking has no classes that could be confused.",
            "calibration": "The similarities of what was found are not among the predictions. With --embeddings the "
            "separation of right and other texts is measured.",
        },
    )


def _words(text: str) -> frozenset[str]:
    return frozenset(text.lower().split()) or frozenset([""])


def _in_words(shares: Sequence[float]) -> pd.Categorical:
    """Shares as groups in their order: most queries have no word in common, which a quantile would hide."""
    return pd.cut(shares, [-1, 0, 0.25, 0.5, 1], labels=["none", "up to 1/4", "1/4 to 1/2", "more than 1/2"])


def properties(answers: Answers, table: pd.DataFrame, splits: Any) -> pd.DataFrame:
    """What the splits tell of each query: how rare its words are in training."""
    pairs = splits["train"].to_pandas()
    columns = [name for name in ("anchor", "positive", "sentence1", "sentence2") if name in pairs]
    words = Counter(word for column in columns for text in pairs[column] for word in text.lower().split())
    rarest = [min(words[word] for word in query.lower().split()) for query in answers.ids]
    return pd.DataFrame({"occurrences of the query's rarest word in training": rarest})


def embed(run: Sampled) -> Embedded:
    """Queries and their right texts."""
    right = zip(run.answers.ids, run.answers.given["truth"].tolist(), strict=True)
    return embed_together(run, [(query, text, query) for query, its in right for text in its.split(" | ")])


def embed_together(run: Sampled, together: list[tuple[str, str, str]]) -> Embedded:
    """Texts of which two each belong together, as a third text, their group, says; the encoder is that of a run."""
    from bioft.models.embed import encode_texts
    from bioft.tasks.retrieval import encoder as contrastive

    rng = run.rng
    if len(together) < FEWEST:
        raise BioftError(
            f"There are {len(together)} pairs of texts that belong together; at least {FEWEST} are needed."
        )
    together = [
        together[row] for row in np.sort(rng.choice(len(together), min(run.sample, len(together)), replace=False))
    ]
    group_of = {text: group for first, second, group in together for text in (first, second)}
    texts, groups = list(group_of), np.array(list(group_of.values()))
    place = {text: index for index, text in enumerate(texts)}
    pairs = [(place[first], place[second], 1) for first, second, _ in together]
    for first, _, group in together:
        # As many texts that don't belong together: each first text with one of another group.
        others = np.flatnonzero(groups != group)
        pairs.append((place[first], int(rng.choice(others)), 0))
    tuned, _ = contrastive.load_run(run.directory)
    vectors = {BASE: encode_texts(contrastive.load_base(run.record), texts), FINE_TUNED: encode_texts(tuned, texts)}
    return Embedded("texts (mean of the tokens)", groups, groups, vectors, np.array(pairs))
