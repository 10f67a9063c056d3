"""What libraries say at work and a user of bioft can do nothing about: it is not said, or in words of bioft's own."""

import codecs
import io
import logging
import os
import sys
import warnings

from huggingface_hub.utils import disable_progress_bars

WARNINGS = {
    # What the libraries plan to change in themselves.
    "": (FutureWarning, r"transformers|trl|peft|mteb"),
    ".*'pin_memory' argument is set as true but no accelerator": (Warning, ""),
    # PEFT looks on the Hub whether embeddings of a new size must be saved; the recipes name those that they save.
    "Could not find a config file in .* vocabulary was not modified": (Warning, ""),
}
"""Beginnings of warnings, with their category and the module that gives them."""
NO_NEWS = {
    # Said of every new head; `models.base` says itself what an encoder lacks.
    "transformers.modeling_utils": ("LOAD REPORT", "This checkpoint seem corrupted"),
    # `bioft merge` says so itself.
    "transformers.integrations.bitsandbytes": ("The modules are dequantized in",),
    # Checkpoints are then told apart by their numbers, which is as good.
    "transformers.trainer_utils": ("mtime may not be reliable",),
}
"""By logger what its messages hold that tell a user nothing."""

_asked = False


def quieten() -> None:
    """Switch off, in this process, what says nothing, and say the rest in any encoding. Can be called again."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and codecs.lookup(stream.encoding).name != "utf-8":
            stream.reconfigure(errors="replace")  # one that has no "–" gets a "?"
    global _asked
    _asked = True
    if "transformers" in sys.modules:  # which a short answer needs not
        quieten_transformers()
    if "datasets" in sys.modules:  # the same
        sys.modules["datasets"].disable_progress_bars()
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")  # read when it is imported
    if not sys.stderr.isatty():
        disable_progress_bars()  # of downloads, which are worth a bar where there is a terminal
    for message, (category, module) in WARNINGS.items():
        warnings.filterwarnings("ignore", message, category, module)
    for name in NO_NEWS:
        logging.getLogger(name).addFilter(_is_news)
    logging.getLogger("bm25s").addFilter(_is_warning)  # which lets itself say everything


def quieten_transformers() -> None:
    """Switch its progress bars off too, if this process is to be quiet; what loads a model with it calls this."""
    from transformers.utils import logging as transformers_logging

    if _asked:
        transformers_logging.disable_progress_bar()


def _is_news(record: logging.LogRecord) -> bool:
    return not any(words in record.getMessage() for words in NO_NEWS[record.name])


def _is_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING
