"""Masking: what is hidden, that packed texts don't see each other, and that the sparse head changes no number."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

from bioft.tasks.masked_lm import packing
from bioft.tasks.masked_lm.masking import NOT_PREDICTED, MaskingCollator, collator_for
from bioft.tasks.masked_lm.models import use_masked_head
from tests.tiny import write_encoder

TEXTS = ["Naloxone reverses the effect of clonidine.", "Lithium was given to 12 patients.", "No toxicity."]


@pytest.fixture(scope="module", params=["bert", "roberta", "deberta"])
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple:
    folder = write_encoder(tmp_path_factory.mktemp(request.param), request.param)
    torch.manual_seed(0)
    model = AutoModelForMaskedLM.from_pretrained(folder, attention_probs_dropout_prob=0.0).eval()
    return model, AutoTokenizer.from_pretrained(folder)


def blocks(tokenizer: object, packed: bool) -> list[dict]:
    found = packing.pieces(TEXTS, tokenizer, 100)
    if not packed:
        return [{"input_ids": ids, "lengths": [len(ids)], "word_starts": starts} for _, ids, starts in found]
    ids = [token for _, piece, _ in found for token in piece]
    starts = [start for _, _, piece in found for start in piece]
    return [{"input_ids": ids, "lengths": [len(piece) for _, piece, _ in found], "word_starts": starts}]


def test_a_packed_text_gives_the_same_hidden_states_as_alone(loaded: tuple) -> None:
    model, tokenizer = loaded
    collator = collator_for(model, tokenizer)
    # DeBERTa computes attention in a way of its own: it can't keep texts apart, and is not told to.
    assert collator.separate_texts == (model.config.model_type != "deberta-v2")

    def states(packed: bool) -> torch.Tensor:
        rows = blocks(tokenizer, packed)
        batch = collator(rows)
        batch.pop("labels")
        batch["input_ids"] = torch.nn.utils.rnn.pad_sequence(
            [torch.tensor(row["input_ids"]) for row in rows], True, tokenizer.pad_token_id
        )
        with torch.no_grad():
            found = model.base_model(**batch).last_hidden_state
        return torch.cat([states[: len(row["input_ids"])] for states, row in zip(found, rows, strict=True)])

    same = torch.allclose(states(packed=True), states(packed=False), atol=1e-5)
    assert same == collator.separate_texts


def test_the_head_at_hidden_positions_gives_the_same_loss_and_gradients(loaded: tuple) -> None:
    model, tokenizer = loaded
    batch = collator_for(model, tokenizer, probability=0.3)(blocks(tokenizer, packed=False))
    full = model(**batch)
    full.loss.backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    use_masked_head(model)
    part = model(**batch)
    part.loss.backward()
    hidden = batch["labels"] != NOT_PREDICTED
    assert part.logits.shape == (int(hidden.sum()), len(tokenizer))
    torch.testing.assert_close(part.logits, full.logits[hidden])
    torch.testing.assert_close(part.loss, full.loss)
    for name, parameter in model.named_parameters():
        if name in gradients:
            torch.testing.assert_close(parameter.grad, gradients[name], atol=1e-6, rtol=1e-4)
    # Two halves of a batch, each divided by the number of all hidden tokens, sum to the whole.
    halves = [{name: tensor[rows] for name, tensor in batch.items()} for rows in (slice(0, 1), slice(1, None))]
    summed = sum(model(**half, num_items_in_batch=hidden.sum()).loss for half in halves)
    torch.testing.assert_close(summed, full.loss)
    without = {name: tensor for name, tensor in batch.items() if name != "labels"}
    assert model(**without).logits.shape == (*batch["input_ids"].shape, len(tokenizer))
    del model.forward
    model.zero_grad()


def test_special_tokens_stay_and_labels_are_the_hidden_tokens(loaded: tuple) -> None:
    _, tokenizer = loaded
    torch.manual_seed(0)
    rows = blocks(tokenizer, packed=True) * 200
    batch = MaskingCollator(tokenizer, probability=0.2)(rows)
    original = torch.tensor([row["input_ids"] for row in rows])
    chosen = batch["labels"] != NOT_PREDICTED
    special = torch.isin(original, torch.tensor(tokenizer.all_special_ids))
    assert not (chosen & special).any()
    assert (batch["input_ids"] == original)[~chosen].all()
    assert (batch["labels"] == original)[chosen].all()
    assert abs(chosen[~special].float().mean() - 0.2) < 0.02
    masked = (batch["input_ids"] == tokenizer.mask_token_id)[chosen].float().mean()
    kept = (batch["input_ids"] == original)[chosen].float().mean()
    assert abs(masked - 0.8) < 0.03
    assert 0.07 < kept < 0.15  # a random token is sometimes the same
    always = MaskingCollator(tokenizer, always_mask=True)(rows)
    assert (always["input_ids"][always["labels"] != NOT_PREDICTED] == tokenizer.mask_token_id).all()


def test_whole_words_are_hidden_whole(tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(write_encoder(tmp_path, "bert"))
    torch.manual_seed(0)
    (row,) = blocks(tokenizer, packed=True)
    pieces_of_words = 0
    for labels in MaskingCollator(tokenizer, probability=0.3, whole_words=True)([row] * 50)["labels"]:
        hidden = (labels != NOT_PREDICTED).tolist()
        for index in range(1, len(hidden)):
            if not row["word_starts"][index]:
                pieces_of_words += hidden[index]
                assert hidden[index] == hidden[index - 1]
    assert pieces_of_words > 0


def test_a_block_with_a_seed_always_has_the_same_mask(loaded: tuple) -> None:
    _, tokenizer = loaded
    rows = [row | {"mask_seed": number} for number, row in enumerate(blocks(tokenizer, packed=False))]
    collator = MaskingCollator(tokenizer, probability=0.3)
    first, second = collator(rows), collator(rows)
    assert (first["input_ids"] == second["input_ids"]).all()
    alone = collator(rows[1:2])
    length = len(rows[1]["input_ids"])
    assert (alone["labels"][0] == first["labels"][1][:length]).all()
    assert all((labels != NOT_PREDICTED).any() for labels in collator(rows * 20)["labels"])
