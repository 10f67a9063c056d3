"""`bioft serve`: finished runs behind JSON over HTTP, each asked as `bioft predict` asks it."""

import importlib.util

from bioft.errors import BioftError


def check_installed() -> None:
    """Raise BioftError where FastAPI or uvicorn, which are optional, are not installed."""
    if missing := [name for name in ("fastapi", "uvicorn") if importlib.util.find_spec(name) is None]:
        raise BioftError(f"`bioft serve` needs {' and '.join(missing)}. Install them with: pip install 'bioft[serve]'")
