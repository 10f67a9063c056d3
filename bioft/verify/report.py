"""Recorded figures beside those measured again, on a terminal."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bioft.task import FINE_TUNED
from bioft.verify.findings import Figure, number_text


def print_figures(figures: Sequence[Figure], console: Console) -> None:
    """Print the figures of the fine-tuned model and those of others that do not hold, and how many of these hold."""
    if not figures:
        return
    table = Table(title="Test split", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("figure", overflow="fold")
    for column in ("recorded [95 % interval]", "now", "difference", ""):
        table.add_column(column, no_wrap=True)
    for figure in figures:
        if figure.model == FINE_TUNED or not figure.holds:
            known = figure.recorded is not None and figure.measured is not None
            table.add_row(
                figure.metric if figure.model == FINE_TUNED else f"{figure.model}: {figure.metric}",
                f"{number_text(figure.recorded)} [{number_text(figure.low)}, {number_text(figure.high)}]",
                number_text(figure.measured),
                f"{figure.measured - figure.recorded:+.4f}" if known else "–",  # type: ignore[operator]
                "equal" if figure.equal else "inside" if figure.holds else "outside",
                style=None if figure.holds else "red",
            )
    console.print(table)
    if others := [figure for figure in figures if figure.model != FINE_TUNED]:
        holding = sum(figure.holds for figure in others)
        console.print(f"Base model and baselines: {holding} of {len(others)} figures hold.")


def print_verdict(notes: Sequence[str], reasons: Sequence[str], verdict: Text, console: Console) -> None:
    """Print what else there is to know, the reasons and, last, the verdict."""
    for note in notes:
        console.print(Text(f"Note: {note}", style="yellow"), soft_wrap=True)
    for reason in reasons:
        console.print(Text(f"- {reason}"), soft_wrap=True)
    console.print(verdict, soft_wrap=True)
