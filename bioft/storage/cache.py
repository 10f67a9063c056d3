"""Where bioft keeps what it can make or fetch again."""

import os
from pathlib import Path


def cache_directory() -> Path:
    """The folder for converted weights and what was pulled from the Hub: `$BIOFT_CACHE`, else `~/.cache/bioft`."""
    return Path(os.environ.get("BIOFT_CACHE", Path.home() / ".cache" / "bioft"))
