"""What was found, put in order anew by a cross-encoder: a model that reads query and article together."""

from collections.abc import Sequence
from typing import Any

import torch
from sentence_transformers import CrossEncoder
from transformers import AutoConfig

from bioft.errors import BioftError
from bioft.models import base as models, quiet
from bioft.search.searchable import Hit, Searchable
from bioft.tasks.entities import windows

FIRST = 50
"""Articles of each query that are put in order anew; the others stay behind them, as they were."""
_HEAD = "ForSequenceClassification"


def load_reranker(name: str) -> CrossEncoder:
    """Load a cross-encoder, which gives a query and a text one score: a Hub id, a folder, or `embedded:…`.

    BioftError: as `models.resolve_base_model`; it can't be loaded, or is no cross-encoder.
    """
    quiet.quieten()
    base = models.resolve_base_model(name)
    try:
        config = AutoConfig.from_pretrained(base.path, revision=base.hub_revision)
        heads = config.architectures or ["a model without an architecture"]
        if config.num_labels != 1 or not any(each.endswith(_HEAD) for each in heads):
            labels = f" with {config.num_labels} labels" if heads[0].endswith(_HEAD) else ""
            raise BioftError(
                f"{name} is no cross-encoder but {heads[0]}{labels}: give a model that scores a pair of texts with "
                "one number, such as cross-encoder/ms-marco-MiniLM-L6-v2."
            )
        model = CrossEncoder(base.path, revision=base.hub_revision, device=str(models.local_device()))
    except (OSError, ValueError) as error:
        raise BioftError(f"No cross-encoder could be loaded from {name}: {str(error).splitlines()[0]}") from error
    model.tokenizer.model_max_length = windows.longest_input(model.tokenizer, model.model)
    return model


def rerank(
    model: Any, index: Searchable, queries: Sequence[str], found: Sequence[Sequence[Hit]], first: int = FIRST
) -> list[list[Hit]]:
    """Return what was found for each query with the first of it in the order of the cross-encoder, best first.

    Each that was reranked has its score, which may be any number; of equal ones that which stood before leads.
    BioftError: `first` is below 1.
    """
    if first < 1:
        raise BioftError(f"{first} articles are to be reranked: give at least 1.")
    rows = list(dict.fromkeys(hit.row for hits in found for hit in hits[:first]))
    texts = dict(zip(rows, index.texts(rows), strict=True))
    pairs = [(query, texts[hit.row]) for query, hits in zip(queries, found, strict=True) for hit in hits[:first]]
    # Without the sigmoid, in which what is far above 0 is all the same.
    scores = model.predict(pairs, activation_fn=torch.nn.Identity(), show_progress_bar=False) if pairs else ()
    each = iter(float(score) for score in scores)
    reranked = []
    for hits in found:
        scored = [hit._replace(cross_encoder=next(each)) for hit in hits[:first]]
        order = [*sorted(scored, key=lambda hit: -(hit.cross_encoder or 0)), *hits[first:]]
        reranked.append([hit._replace(rank=rank) for rank, hit in enumerate(order, 1)])
    return reranked
