"""The ranges of numeric settings, checked before any work: trainers notice a wrong one late, or never."""

import math
import sys
from collections.abc import Mapping
from typing import Any

from bioft.errors import BioftError

FROM_ONE = (
    "per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps", "max_length",
    "lora_r", "lora_alpha", "max_train_pairs", "negatives_per_positive", "max_compounds",
)  # fmt: skip
FROM_ZERO = ("learning_rate", "weight_decay", "max_grad_norm", "warmup_steps")
SHARES = ("lora_dropout",)
SEEDS = ("seed", "data_seed", "split_seed")
RANGES: dict[str, tuple[float, float, str]] = {
    **dict.fromkeys(FROM_ONE, (1, math.inf, "1 or more")),
    **dict.fromkeys(FROM_ZERO, (0, sys.float_info.max, "0 or more")),
    **dict.fromkeys(SHARES, (0, math.nextafter(1, 0), "0 or more and below 1")),
    # What NumPy takes.
    **dict.fromkeys(SEEDS, (0, 2**32 - 1, "a whole number from 0 to 4294967295")),
}


def check(values: Mapping[str, Any]) -> None:
    """Check the numbers among a recipe's settings; None stands for a default everywhere.

    Raises:
        BioftError: names each that is out of its range, or says that there is nothing to train for.
    """
    wrong = [
        f"{name} is {values[name]}; it must be {words}."
        for name, (low, high, words) in RANGES.items()
        if isinstance(values.get(name), int | float) and not low <= values[name] <= high
    ]
    epochs, steps = values.get("num_train_epochs"), values.get("max_steps")
    # A number of steps overrules that of epochs.
    if epochs is not None and steps is not None and steps <= 0 and not 0 < epochs <= sys.float_info.max:
        wrong.append(f"num_train_epochs is {epochs}; it must be more than 0 where no max_steps is given.")
    if wrong:
        raise BioftError("\n".join(wrong))
