"""Masked-language-model batches: which tokens are masked, and which tokens each one may attend to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

SEPARATE_ATTENTION = ("bert", "electra", "roberta", "xlm-roberta")
"""Types of models that take a mask per pair of tokens."""
OFFSET_POSITIONS = ("roberta", "xlm-roberta")
"""Those of them whose first position has the number after that of the padding token."""
NOT_PREDICTED = -100


@dataclass
class MaskingCollator:
    """Makes batches of packed blocks (see `packing`): tokens are masked at random, anew each time.

    A batch has `input_ids` (padded to its longest block), `labels` (the masked tokens, else -100), `attention_mask`
    and, where texts are kept apart, `position_ids`. Of the tokens that are to be predicted 80 % become the mask token,
    10 % a random one and 10 % stay, as in BERT (Devlin et al. 2019); special tokens are never chosen. A block with a
    `mask_seed` always gets the same mask.
    """

    tokenizer: Any
    probability: float = 0.15
    """The share of tokens, or of words, to be predicted."""
    whole_words: bool = False
    """Mask all tokens of a word or none: a part of a rare word is easily guessed from its other parts."""
    separate_texts: bool = True
    """No token attends to one of another text in its block, and each text begins at the first position."""
    first_position: int = 0
    always_mask: bool = False
    """Replace every chosen token by the mask token: for evaluation, where a token that stays would be given away."""

    def __call__(self, blocks: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Make a batch; tensors of shape (blocks, tokens), the attention mask (blocks, 1, tokens, tokens)."""
        size = (len(blocks), max(len(block["input_ids"]) for block in blocks))
        input_ids = torch.full(size, self.tokenizer.pad_token_id)
        labels = torch.full(size, NOT_PREDICTED)
        texts = torch.zeros(size, dtype=torch.long)  # 0: padding
        positions = torch.zeros(size, dtype=torch.long)
        for row, block in enumerate(blocks):
            ids = torch.tensor(block["input_ids"])
            lengths = torch.tensor(block["lengths"])
            used = slice(0, len(ids))
            input_ids[row, used], labels[row, used] = self._mask(ids, block)
            texts[row, used] = torch.repeat_interleave(torch.arange(1, len(lengths) + 1), lengths)
            starts = torch.repeat_interleave(lengths.cumsum(0) - lengths, lengths)
            positions[row, used] = torch.arange(len(ids)) - starts + self.first_position
        batch = {"input_ids": input_ids, "labels": labels}
        if not self.separate_texts:
            return batch | {"attention_mask": (texts > 0).long()}
        return batch | {
            "attention_mask": (texts[:, None, :, None] == texts[:, None, None, :]),
            "position_ids": positions,
        }

    def _mask(self, ids: torch.Tensor, block: Mapping[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
        seed = block.get("mask_seed")
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        special = torch.isin(ids, torch.tensor(self.tokenizer.all_special_ids))
        if self.whole_words:
            words = torch.tensor(block["word_starts"]).cumsum(0) - 1
            chosen = (torch.rand(int(words[-1]) + 1, generator=generator) < self.probability)[words]
        else:
            chosen = torch.rand(len(ids), generator=generator) < self.probability
        chosen &= ~special
        if not chosen.any() and not special.all():
            # A short text would have nothing to predict: its first free token is.
            chosen[int((~special).nonzero()[0])] = True
        labels = torch.where(chosen, ids, NOT_PREDICTED)
        fate = torch.rand(len(ids), generator=generator)
        masked = chosen & ((fate < 0.8) | self.always_mask)
        replaced = chosen & (fate >= 0.9) & ~masked
        random = torch.randint(len(self.tokenizer), ids.shape, generator=generator)
        return torch.where(masked, self.tokenizer.mask_token_id, torch.where(replaced, random, ids)), labels


def collator_for(model: Any, tokenizer: Any, **options: Any) -> MaskingCollator:
    """The collator for a model: texts are kept apart where its architecture can, and it computes attention by SDPA."""
    config = model.config
    separate = config.model_type in SEPARATE_ATTENTION and config._attn_implementation == "sdpa"
    first = config.pad_token_id + 1 if config.model_type in OFFSET_POSITIONS else 0
    return MaskingCollator(tokenizer, separate_texts=separate, first_position=first, **options)
