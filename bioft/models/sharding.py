"""Whether a launch splits the model between processes (FSDP, DeepSpeed), and how to load one whole meanwhile."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

SHARDING = ("FSDP", "DEEPSPEED")


def is_sharded() -> bool:
    """Whether each process of this launch holds only a part of the model (FSDP or DeepSpeed)."""
    return any(os.environ.get(f"ACCELERATE_USE_{name}", "").lower() == "true" for name in SHARDING)


@contextmanager
def unsharded() -> Iterator[None]:
    """Load whole models in each process, also under a sharded launch."""
    saved = {f"ACCELERATE_USE_{name}": os.environ.pop(f"ACCELERATE_USE_{name}", None) for name in SHARDING}
    try:
        yield
    finally:
        os.environ.update({key: value for key, value in saved.items() if value is not None})
