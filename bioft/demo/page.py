"""What all tabs share: theme, styles, and small pieces of HTML."""

from collections.abc import Callable, Mapping
from functools import wraps
from html import escape
from typing import Any

import gradio as gr

from bioft.errors import BioftError

MODEL = {"concurrency_id": "model", "concurrency_limit": 1}
"""Options of every event that asks a model: one at a time, as a tokenizer must not be used by two threads at once."""
MAX_CHARACTERS = 20_000
"""Of a text that is typed in: some pages."""

# The fonts of the system: Gradio's own theme would fetch others.
THEME = gr.themes.Soft(
    primary_hue="teal",
    neutral_hue="slate",
    radius_size="md",
    font=["system-ui", "sans-serif"],
    font_mono=["ui-monospace", "monospace"],
).set(
    # Darker than the theme's own, which are hard to read on white.
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    block_label_text_color="*primary_800",
    block_title_text_color="*primary_800",
    color_accent="*primary_700",
    slider_color="*primary_700",
    input_border_width="1px",
    input_border_color="*neutral_400",
)
CSS = """
.gradio-container { width: 100% !important; max-width: 60rem !important; margin: 0 auto !important; }
.bioft h3 { margin: 0 0 .4rem; }
.bioft, .bioft * { overflow-wrap: anywhere; }
.bioft a { padding: 0 !important; color: inherit; text-decoration: underline; }
#map .role-axis { display: none; }
.bioft .message { border-left: 4px solid #d97706; padding: .6rem .9rem; margin: .2rem 0 .8rem;
  background: color-mix(in srgb, #d97706 12%, transparent); border-radius: .3rem; }
.bioft ol.results { list-style: none; margin: 0; padding: 0; }
.bioft ol.results > li { display: grid; grid-template-columns: 4.2rem 1fr; gap: .1rem .9rem; padding: .7rem 0;
  border-bottom: 1px solid var(--border-color-primary); }
.bioft .score { font-variant-numeric: tabular-nums; font-weight: 600; }
.bioft .bar { display: block; height: .4rem; margin-top: .3rem; border-radius: .2rem; position: relative;
  background: var(--border-color-primary); }
.bioft .bar > i { display: block; height: 100%; border-radius: .2rem; background: var(--color-accent); }
.bioft .bar > b { position: absolute; top: -.25rem; bottom: -.25rem; width: 2px; background: currentColor; }
.bioft .title { font-weight: 500; }
.bioft .about { font-size: .86rem; opacity: .75; margin-top: .15rem; }
.bioft .retracted { color: #b91c1c; font-weight: 600; }
.dark .bioft .retracted { color: #fca5a5; }
.bioft .term { display: inline-block; font-size: .78rem; padding: 0 .5rem; margin: .2rem .25rem 0 0;
  border-radius: 1rem; border: 1px solid var(--border-color-primary); }
.bioft .large { font-size: 1.7rem; font-weight: 650; font-variant-numeric: tabular-nums; }
.bioft svg { display: block; width: 100%; height: auto; max-width: 36rem; }
.bioft .swatch { display: inline-block; width: .8rem; height: .8rem; border-radius: .2rem; margin-right: .4rem; }
.bioft .entities { white-space: pre-wrap; line-height: 1.9; }
.bioft .entities mark { color: #111; padding: .15em .35em; border-radius: .35em; box-decoration-break: clone; }
.bioft .entities mark span { font-size: .7em; font-weight: 600; margin-left: .5em; }
.bioft table.heatmap { border: 0; border-collapse: separate; border-spacing: 2px; width: auto; margin: .4rem 0; }
.bioft table.heatmap th, .bioft table.heatmap td { width: 2.3rem; height: 2.3rem; padding: 0; text-align: center;
  font-size: .82rem; font-variant-numeric: tabular-nums; border: 0; border-radius: .2rem; }
.bioft ol.numbered, .bioft ul.topics { padding-left: 1.6rem; margin: .4rem 0; }
.bioft ol.numbered { list-style: decimal; }
.bioft ul.topics { list-style: none; padding-left: 0; }
.bioft ul.topics i { display: inline-block; width: .8rem; height: .8rem; border-radius: 50%; margin-right: .5rem; }
"""


def block(*parts: str) -> str:
    """Wrap pieces of HTML for a `gr.HTML`; screen readers read it out when it changes."""
    return f'<div class="bioft" role="status">{"".join(parts)}</div>'


def message(text: str) -> str:
    """Return a note to the reader as HTML."""
    return f'<div class="message">{escape(text)}</div>'


def bar(value: float, mark: float | None = None) -> str:
    """Return a bar for a value between 0 and 1, with a line at `mark`."""
    line = "" if mark is None else f'<b style="left:{100 * mark:.1f}%"></b>'
    return f'<span class="bar"><i style="width:{100 * min(max(value, 0), 1):.1f}%"></i>{line}</span>'


def explained(function: Callable[..., str]) -> Callable[..., Any]:
    """Make a function that returns HTML show the message of a BioftError in its place."""

    @wraps(function)
    def wrapped(*values: Any) -> str:
        try:
            return function(*values)
        except BioftError as error:
            return block(message(str(error)))

    return wrapped


def is_pmid(identifier: str) -> bool:
    """Whether an id is that of an article in PubMed: seven or eight digits; below, it may be a number of one's own."""
    return identifier.isascii() and identifier.isdigit() and 7 <= len(identifier) <= 8


def title_of(title: str, identifier: str) -> str:
    """Return an article's title, or its id where it has none, as HTML; a link for PMIDs and terms of HPO."""
    shown = escape(title or identifier)
    if is_pmid(identifier):
        address = f"https://pubmed.ncbi.nlm.nih.gov/{identifier}/"
    elif identifier.startswith("HP:"):
        address = f"https://hpo.jax.org/browse/term/{escape(identifier, quote=True)}"
    else:
        return shown
    return f'<a href="{address}" target="_blank" rel="noopener noreferrer">{shown}</a>'


def about_run(record: Mapping[str, Any]) -> str:
    """Return which run a tab asks, as HTML."""
    told = f"Run {record['name']} of {record['recipe']}, trained on {record['base_model']['id']}"
    return f'<div class="bioft about">{escape(told)}</div>'
