"""What all tabs share: theme, styles, and the address of an article."""

from pathlib import Path

import gradio as gr

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
CSS = (Path(__file__).parent / "templates" / "demo.css").read_text(encoding="utf-8")


def is_pmid(identifier: str) -> bool:
    """Whether an id is that of an article in PubMed: seven or eight digits; below, it may be a number of one's own."""
    return identifier.isascii() and identifier.isdigit() and 7 <= len(identifier) <= 8


def address_of(identifier: str) -> str | None:
    """Where an article is shown, for PMIDs and terms of HPO."""
    if is_pmid(identifier):
        return f"https://pubmed.ncbi.nlm.nih.gov/{identifier}/"
    return f"https://hpo.jax.org/browse/term/{identifier}" if identifier.startswith("HP:") else None
