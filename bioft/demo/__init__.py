"""`bioft demo`: a page to search an index, compare texts, look at a map of articles, and try finished runs."""

import importlib.util

from bioft.errors import BioftError


def check_installed() -> None:
    """Raise BioftError where Gradio, an optional extra, is not installed."""
    if importlib.util.find_spec("gradio") is None:
        raise BioftError("The demo needs Gradio, which is not installed. Install it with: pip install 'bioft[demo]'")
