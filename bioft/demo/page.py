"""What all tabs share: theme, styles, how a message or a file is shown, and where an article is from."""

import json
import tempfile
from collections.abc import Callable, Collection, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]
from markupsafe import Markup, escape

from bioft.errors import BioftError
from bioft.search import words as searched
from bioft.search.index import SearchIndex

# The fonts of the system: Gradio's own theme would fetch others.
THEME = gr.themes.Soft(
    primary_hue="teal",
    neutral_hue="slate",
    radius_size="md",
    font=["system-ui", "sans-serif"],
    font_mono=["ui-monospace", "monospace"],
).set(
    # Those of the theme are hard to read.
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_dark="*primary_700",
    button_primary_background_fill_hover_dark="*primary_800",
    button_secondary_background_fill_hover_dark="*primary_800",
    block_label_text_color="*primary_800",
    block_title_text_color="*primary_800",
    block_label_background_fill_dark="*primary_800",
    block_title_background_fill_dark="*primary_800",
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_300",
    link_text_color_dark="*primary_300",
    color_accent="*primary_700",
    slider_color="*primary_700",
    input_border_width="1px",
    input_border_color="*neutral_400",
)
CSS = (Path(__file__).parent / "templates" / "demo.css").read_text(encoding="utf-8")
MODEL: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1}
"""Options of every event that asks a model: one at a time, as a tokenizer must not be used by two threads at once."""
MAX_CHARACTERS = 20_000
"""Of a text that is typed in: some pages."""
NO_FILE: dict[str, Any] = gr.update(visible=False)
"""For the button that downloads, where there is nothing to be downloaded."""


def message(text: str) -> str:
    """A note to the reader as HTML."""
    return Markup('<div class="bioft" role="status"><div class="message">{}</div></div>').format(text)


def explained(function: Callable[..., Any], *others: Any) -> Callable[..., Any]:
    """The function, but for a BioftError it returns its message as HTML, and `others` for the outputs after that."""

    @wraps(function)
    def wrapped(*values: Any, **named: Any) -> Any:
        try:
            return function(*values, **named)
        except BioftError as error:
            return (message(str(error)), *others) if others else message(str(error))

    return wrapped


def add_endpoint(function: Callable[..., Any], name: str, **options: Any) -> None:
    """Let programs call a function that has type hints; a BioftError is what they are told."""

    @wraps(function)
    def told(*values: Any, **named: Any) -> Any:
        try:
            return function(*values, **named)
        except BioftError as error:
            raise gr.Error(str(error)) from None

    gr.api(told, api_name=name, **options)


def table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Answers as a table: a row for each entity of a text, a column for each value of a dict, words joined by "|"."""
    found = next((key for row in rows for key, value in row.items() if _is_table(value)), None)
    if found is not None:
        rows = [{**row, found: each} for row in rows for each in row[found] or [{}]]
    return pd.json_normalize(list(rows), sep="_").dropna(axis="columns", how="all").map(_cell)


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 0 and isinstance(value[0], dict)


def _cell(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return json.dumps(value, ensure_ascii=False) if _is_table(value) else "|".join(value)


def csv_file(frame: pd.DataFrame) -> dict[str, Any]:
    """What lets the button download a table."""
    path = Path(tempfile.mkdtemp()) / "results.csv"
    frame.to_csv(path, index=False)
    return gr.update(value=str(path), visible=True)


def noun_of(index: SearchIndex) -> str:
    """What an index holds: "terms" of HPO, "articles" of PubMed, else "texts"."""
    ids = index.articles["id"].to_pylist()
    return "terms" if all(map(is_term, ids)) else "articles" if any(map(is_pmid, ids)) else "texts"


def is_pmid(identifier: str) -> bool:
    """Whether an id is that of an article in PubMed: seven or eight digits; below, it may be a number of one's own."""
    return identifier.isascii() and identifier.isdigit() and 7 <= len(identifier) <= 8


def is_term(identifier: str) -> bool:
    """Whether an id is that of a term of HPO."""
    return identifier.startswith("HP:")


def address_of(identifier: str) -> str | None:
    """Where an article is shown, for PMIDs and terms of HPO."""
    if is_pmid(identifier):
        return f"https://pubmed.ncbi.nlm.nih.gov/{identifier}/"
    return f"https://hpo.jax.org/browse/term/{identifier}" if is_term(identifier) else None


def shown(index: SearchIndex, rows: Sequence[int]) -> list[dict[str, Any]]:
    """Articles of an index as they are shown and told to programs: the text without the title that it begins with."""
    taken = index.articles.take(pa.array(rows, pa.int64())).to_pylist()
    for article, row, text in zip(taken, rows, index.texts(rows), strict=True):
        article["mesh"] = index.mesh[row].as_py()
        article["text"] = text.removeprefix(article["title"] or "\0").lstrip(": ")
        article["address"] = address_of(article["id"])
    return taken


def marked(text: str, words: Collection[str]) -> Markup:
    """A text as HTML, in which these words stand out."""
    return Markup("").join(
        Markup("<mark>{}</mark>").format(piece) if found else escape(piece)
        for piece, found in searched.pieces(text, words)
    )
