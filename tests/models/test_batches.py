"""Batches of like lengths."""

from hypothesis import given, strategies as st

from bioft.models.batches import batches_by_length


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(1, 100))
def test_batches_hold_every_input_once_and_are_as_full_as_they_may_be(lengths: list[int], batch_tokens: int) -> None:
    batches = batches_by_length(lengths, batch_tokens)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    longest = [max(lengths[index] for index in batch) for batch in batches]
    assert longest == sorted(longest, reverse=True)
    for batch, length in zip(batches, longest, strict=True):
        assert len(batch) == 1 or len(batch) * length <= batch_tokens
    for batch, length in zip(batches[:-1], longest, strict=False):
        assert (len(batch) + 1) * length > batch_tokens
