"""What libraries say at work and a user of bioft can do nothing about: it is not said, or in words of bioft's own."""

import logging
import sys
import warnings

import datasets
from huggingface_hub.utils import disable_progress_bars
from transformers.utils import logging as transformers_logging

WARNINGS = {
    # What the libraries plan to change in themselves.
    "": (FutureWarning, r"transformers|trl|peft|mteb"),
    ".*'pin_memory' argument is set as true but no accelerator": (Warning, ""),
    # PEFT looks on the Hub whether embeddings of a new size must be saved; the recipes name those that they save.
    "Could not find a config file in .* vocabulary was not modified": (Warning, ""),
}
"""Beginnings of warnings, with their category and the module that gives them."""
LOADING = "transformers.modeling_utils"
OF_LOADING = ("LOAD REPORT", "This checkpoint seem corrupted")
"""Said of every new head; `models.base` says itself what an encoder lacks."""


def quieten() -> None:
    """Switch off, in this process, what says nothing. Can be called again."""
    transformers_logging.disable_progress_bar()
    datasets.disable_progress_bars()
    if not sys.stderr.isatty():
        disable_progress_bars()  # of downloads, which are worth a bar where there is a terminal
    for message, (category, module) in WARNINGS.items():
        warnings.filterwarnings("ignore", message, category, module)
    logging.getLogger(LOADING).addFilter(_is_news)
    logging.getLogger("bm25s").addFilter(_is_warning)  # which lets itself say everything


def _is_news(record: logging.LogRecord) -> bool:
    return not any(words in record.getMessage() for words in OF_LOADING)


def _is_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING
