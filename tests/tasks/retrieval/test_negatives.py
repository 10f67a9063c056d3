"""Mined negatives: none is related to its anchor, none stands in a batch with those that it is related to."""

from pathlib import Path

import pytest
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer

from bioft.errors import BioftError
from bioft.models import base as models
from bioft.models.progress import Work
from bioft.storage.text_lines import normalise
from bioft.tasks.retrieval import encoder as contrastive, negatives
from bioft.tasks.retrieval.encoder import ContrastiveArguments
from tests.said import unknown_lines
from tests.tiny import write_encoder

BOTH = ("anchor", "positive")
ORGANS = ("heart", "kidney", "lung", "brain", "liver", "bone", "skin", "eye", "ear", "blood")
PROBLEMS = ("pain", "failure", "cancer", "infection", "toxicity")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SentenceTransformer:
    base = models.resolve_base_model(str(write_encoder(tmp_path_factory.mktemp("model"))))
    return contrastive.load_model(base, ContrastiveArguments(max_length=16))


def mined(rows: Dataset) -> list[tuple[str, str]]:
    """Anchors with each of their negatives."""
    columns = [name for name in rows.column_names if name.startswith(contrastive.MINED)]
    return [(row["anchor"], row[name]) for row in rows for name in columns]


def test_no_mined_negative_is_known_to_be_a_positive(
    model: SentenceTransformer, capfd: pytest.CaptureFixture[str]
) -> None:
    """On synonyms of which those of one term are like each other: a search would take them for negatives."""
    terms = [f"{problem} of the {organ}" for organ in ORGANS for problem in PROBLEMS]
    pairs = [("{}", "chronic {}"), ("severe {}", "acute {}")]
    synonyms = [(*(form.format(term) for form in pair), term) for term in terms for pair in pairs]
    rows = Dataset.from_list([dict(zip((*BOTH, "group"), each, strict=True)) for each in synonyms])
    args = ContrastiveArguments(hard_negatives=3, hard_negatives_margin=0.0)
    found, counts = negatives.with_negatives(rows, model, args, BOTH, 0)
    assert not unknown_lines("".join(capfd.readouterr())), "no bars where there is no terminal"
    assert found.select_columns(rows.column_names).to_dict() == rows.to_dict(), "no row is lost or moved"
    texts_of: dict[str, set[str]] = {}
    for row in rows:
        texts_of.setdefault(row["group"], set()).update(map(normalise, (row["anchor"], row["positive"])))
    same = {text: group for group in texts_of.values() for text in group}
    assert len(mined(found)) == 3 * len(rows)
    assert all(normalise(negative) not in same[normalise(anchor)] for anchor, negative in mined(found))
    assert counts["mined"] + counts["drawn"] == 3 * len(set(rows["anchor"])) and min(counts.values()) > 0
    # A mined negative is near: nearer than the positives of other rows are.
    anchors, near = (model.encode(texts) for texts in zip(*mined(found)[:60], strict=True))
    others = model.encode(rows["positive"][-60:])
    assert model.similarity_pairwise(anchors, near).mean() > model.similarity_pairwise(anchors, others).mean()
    assert negatives.with_negatives(rows, model, args, BOTH, 0)[0].to_dict() == found.to_dict(), "the seed decides"


RELATED = Dataset.from_dict(
    {
        "anchor": ["heart pain", "heart pain", "kidney", "fever", "fever"],
        "positive": ["chest pain", "angina", "Chest pain.", "hot", "warm"],
        "group": ["1", "2", "3", "4", "4"],
    }
)


def test_what_is_related_by_pairs_groups_or_spelling() -> None:
    relations = negatives.Relations(RELATED)
    assert relations.of("Heart pain") == {"heart pain", "chest pain", "angina", "kidney"}, "it shares a positive"
    assert relations.of("hot") == {"hot", "fever", "warm"} and relations.of("unknown") == {"unknown"}


def test_limits_are_kept_and_what_is_missing_is_drawn(
    model: SentenceTransformer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[Work] = []
    monkeypatch.setattr(
        negatives.progress, "Work", lambda name, total: counted.append(Work(name, total)) or counted[-1]
    )
    args = ContrastiveArguments(hard_negatives=1, hard_negatives_max_score=-1.0)
    found, counts = negatives.with_negatives(RELATED, model, args, ("positive",), 0)
    assert counted[-1].done == counted[-1].total == 8, "five texts and three anchors: how long it takes is told"
    assert counts == {"mined": 0, "drawn": 3, "related": 0}
    relations = negatives.Relations(RELATED)
    assert all(normalise(negative) not in relations.of(anchor) for anchor, negative in mined(found))
    assert {negative for _, negative in mined(found)} <= {*RELATED["positive"]}, "of the corpus alone"
    with pytest.raises(BioftError, match="no 3 texts in training that are not related to 'heart pain'"):
        negatives.with_negatives(RELATED, model, ContrastiveArguments(hard_negatives=3), ("positive",), 0)
    assert negatives.with_negatives(RELATED, model, ContrastiveArguments(), BOTH, 0) == (RELATED, {})
    with pytest.raises(ValueError, match="hard_negatives is a number of texts, not -1"):
        ContrastiveArguments(hard_negatives=-1)
    args = ContrastiveArguments(loss="ContrastiveLoss", hard_negatives=1)  # as with the default preset
    assert args.hard_negatives == 0 and "no negatives are mined" in caplog.text


def test_a_mined_negative_stands_in_no_batch_with_an_anchor_whose_positive_it_is(tmp_path: Path) -> None:
    """Row 0's negative is a synonym of row 1's anchor, row 2's a positive of row 3's in another row."""
    rows = Dataset.from_dict(
        {
            "anchor": ["a", "b", "c", "d", "d", "e"],
            "positive": ["A", "B", "C", "D", "x", "E"],
            "group": ["1", "2", "3", "4", "4", "2"],
            "negative_1": ["E", "q", "x", "r", "s", "t"],
        }
    )
    args = contrastive.ContrastiveTrainingArguments(output_dir=str(tmp_path), report_to="none")
    (split,) = contrastive.group_batches(args, "MultipleNegativesRankingLoss", rows)
    assert split.column_names == ["anchor", "positive", "negative_1"]
    for seed in range(20):
        sampler = args.batch_sampler(split, batch_size=6, drop_last=False, generator=torch.Generator(), seed=seed)
        batches = list(sampler)
        assert sorted(index for batch in batches for index in batch) == list(range(6))
        for wrong in ({0, 1}, {0, 5}, {2, 3}, {2, 4}):
            assert not any(wrong <= {*batch} for batch in batches), (wrong, batches)
