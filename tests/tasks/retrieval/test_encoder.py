"""What each contrastive loss is fed with, batches without false negatives, pooling, and the losses themselves."""

from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset
from hypothesis import given, settings, strategies as st
from trl import ModelConfig

from bioft.errors import BioftError
from bioft.models import base as models, embedded
from bioft.tasks.retrieval import encoder as contrastive
from bioft.tasks.retrieval.encoder import (
    RANKING_LOSSES,
    SCORED_LOSSES,
    ContrastiveArguments,
    GroupBatches,
    training_rows,
)
from tests.tiny import write_encoder

PAIRS = Dataset.from_dict(
    {"anchor": ["a", "b", "c"], "positive": ["A", "B", "C"], "group": ["1", "2", "3"]},
)
SCORED = Dataset.from_dict(
    {
        "sentence1": ["a", "a", "a", "b"],
        "sentence2": ["A", "x", "y", "B"],
        "score": [1, 0, 0, 1],
        "group": ["1", "1", "1", "2"],
    }
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> embedded.BaseModel:
    return models.resolve_base_model(str(write_encoder(tmp_path_factory.mktemp("model"))))


def test_ranking_losses_get_anchors_and_positives() -> None:
    assert training_rows(PAIRS, "MultipleNegativesRankingLoss", 0).to_list() == PAIRS.to_list()
    rows = training_rows(SCORED, "MultipleNegativesRankingLoss", 0).to_list()
    assert rows == [{"anchor": "a", "positive": "A", "negative": "x", "group": "1"}]
    positives = training_rows(SCORED.filter(lambda row: row["score"] == 1), "MultipleNegativesRankingLoss", 0)
    assert positives.to_list() == [
        {"anchor": "a", "positive": "A", "group": "1"},
        {"anchor": "b", "positive": "B", "group": "2"},
    ]


def test_other_losses_get_scores() -> None:
    assert training_rows(SCORED, "ContrastiveLoss", 0)["score"][:] == [1.0, 0.0, 0.0, 1.0]
    rows = training_rows(PAIRS, "CosineSimilarityLoss", 0).to_list()
    assert [row["score"] for row in rows] == [1.0] * 3 + [0.0] * 3
    for row in rows[3:]:
        assert row["sentence2"] in "ABC" and row["sentence2"] != row["sentence1"].upper(), "of another group"
    given_negatives = PAIRS.add_column("negative", ["x", "y", "z"])
    assert training_rows(given_negatives, "CosineSimilarityLoss", 0)["sentence2"][3:] == ["x", "y", "z"]
    with pytest.raises(BioftError, match="one group"):
        training_rows(PAIRS.select([0]), "CosineSimilarityLoss", 0)
    with pytest.raises(ValueError, match="loss is one of"):
        ContrastiveArguments(loss="Other")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=60), st.integers(1, 8))
def test_no_group_and_no_text_is_twice_in_a_batch(rows: list[tuple[int, int]], size: int) -> None:
    dataset = Dataset.from_dict(
        {"anchor": [f"t{first}" for first, _ in rows], "positive": [f"t{first + second}p" for first, second in rows]}
    )
    groups = {f"t{first}": f"g{first // 2}" for first in range(10)}
    options = {"batch_size": size, "drop_last": False, "generator": torch.Generator(), "seed": 1}
    batches = list(GroupBatches(dataset, groups, **options))
    assert sorted(index for batch in batches for index in batch) == list(range(len(rows)))
    for batch in batches:
        assert len(batch) <= size
        drawn = dataset.select(batch)
        assert len({groups[anchor] for anchor in drawn["anchor"]}) == len(batch)
        assert len({*drawn["anchor"], *drawn["positive"]}) == 2 * len(batch)
    assert list(GroupBatches(dataset, groups, **options)) == batches, "the seed decides"


@pytest.mark.parametrize("loss", [*SCORED_LOSSES, *RANKING_LOSSES])
@pytest.mark.parametrize("dimensions", [None, [8, 32]])
def test_every_loss_falls_for_better_embeddings(
    loss: str, dimensions: list[int] | None, base: embedded.BaseModel
) -> None:
    """One step down its gradient makes it smaller."""
    args = ContrastiveArguments(loss=loss, matryoshka_dimensions=dimensions, mini_batch_size=2)
    torch.manual_seed(0)
    model = contrastive.load_model(base, args).eval()
    criterion = contrastive.make_loss(model, args)
    texts = [["heart pain", "renal failure"], ["chest pain", "kidney failure"]]
    features = [model.preprocess(each) for each in texts]
    labels = torch.tensor([1.0, 0.0])
    first = criterion([dict(each) for each in features], labels)
    first.backward()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter -= 1e-3 * parameter.grad
    assert criterion([dict(each) for each in features], labels) < first


def test_embeddings_are_means_over_tokens(base: embedded.BaseModel) -> None:
    model = contrastive.load_model(base, ContrastiveArguments(max_length=16))
    tokens = model.tokenizer(["heart pain"], return_tensors="pt")
    with torch.no_grad():
        expected = model[0].model(**tokens).last_hidden_state[0].mean(dim=0)
    np.testing.assert_allclose(model.encode("heart pain"), expected, atol=1e-5)
    assert model.max_seq_length == 16


def test_what_cannot_be_trained_is_refused(base: embedded.BaseModel, tmp_path: Path) -> None:
    with pytest.raises(BioftError, match="has 32 dimensions"):
        contrastive.load_model(base, ContrastiveArguments(matryoshka_dimensions=[64]))
    with pytest.raises(BioftError, match="has 2 layers"):
        contrastive.load_model(base, ContrastiveArguments(trained_layers=3))
    with pytest.raises(BioftError, match="trained_layers is 0"):  # below no head, nothing would be trained
        contrastive.load_model(base, ContrastiveArguments(trained_layers=0))
    model = contrastive.load_model(base, ContrastiveArguments())
    with pytest.raises(BioftError, match="q_proj"):
        contrastive.add_adapter(model, ModelConfig(use_peft=True, lora_target_modules=["q_proj"]))
    broken = embedded.BaseModel("broken", str(tmp_path), None, "", None, None)
    with pytest.raises(BioftError, match="holds no model that can be loaded"):
        contrastive.load_model(broken, ContrastiveArguments())
