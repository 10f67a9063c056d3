"""Batches of inputs of like lengths, so that little of a batch is padding."""

from collections.abc import Sequence

import numpy as np


def batches_by_length(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Indices in batches of like lengths, of at most `batch_tokens` padded tokens or of one input.

    The longest come first, so that memory runs out at once or never.
    """
    order = np.argsort([-length for length in lengths], kind="stable").tolist()
    batches: list[list[int]] = []
    for index in order:
        if not batches or (len(batches[-1]) + 1) * lengths[batches[-1][0]] > batch_tokens:
            batches.append([])
        batches[-1].append(index)
    return batches


CPU_BATCH_TOKENS, GPU_BATCH_TOKENS = 2048, 32768
"""Padded tokens in one forward pass. More fill a GPU; a processor is full already."""
