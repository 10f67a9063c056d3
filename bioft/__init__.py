"""Task recipes for biomedical language models, honest by construction."""

__version__ = "0.1.0"
