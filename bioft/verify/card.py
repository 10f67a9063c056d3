"""Whether a card says what the record beside it (`run.json`) says: every figure that the card states."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import ModelCard

from bioft.cards import model as cards
from bioft.hub import pull
from bioft.storage import runs
from bioft.verify.findings import SHOWN_ROWS, Verification


def check_card(directory: Path, record: dict[str, Any], found: Verification) -> None:
    """Compare the figures on the card (metadata, tables, verdict) with those that its record gives."""
    try:
        text = (directory / runs.CARD).read_text(encoding="utf-8")
    except FileNotFoundError:
        found.notes.append(f"There is no card ({runs.CARD}).")
        return
    except UnicodeDecodeError as error:
        found.reasons.append(f"The card ({runs.CARD}) can't be read: {error}.")
        return
    origin = pull.origin(directory)
    expected = cards.model_card(record, repository=origin["id"] if origin else None)
    try:
        metadata = ModelCard(text, ignore_metadata_errors=False).data
    except (ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        found.reasons.append(f"The metadata of the card can't be read: {' '.join(str(error).split())}")
        return
    _check_metadata(metadata, ModelCard(expected).data, found)
    _check_text(_body(text), _body(expected), found)


def _check_metadata(stated: Any, recorded: Any, found: Verification) -> None:
    """Compare base model, data and figures in the metadata of two cards."""
    for key, findings in (("base_model", found.reasons), ("datasets", found.notes)):
        if stated.get(key) != recorded.get(key):
            findings.append(
                f"The card's metadata name {key} {stated.get(key)}; {runs.RECORD} gives {recorded.get(key)}."
            )
    figures, known = _indexed_figures(stated), _indexed_figures(recorded)
    for figure in figures:
        if figure not in known:
            found.reasons.append(
                f"The card's metadata state a figure that {runs.RECORD} does not give: {_words(figure)}. It gives: "
                f"{'; '.join(_words(other) for other in known if other[1] == figure[1]) or 'nothing of that name'}."
            )
    if len(figures) < len(known):
        found.notes.append(f"The card's metadata leave out {len(known) - len(figures)} figures of {runs.RECORD}.")


def _check_text(text: str, expected: str, found: Verification) -> None:
    """Compare the lines with results of two cards, and name other lines that are not bioft's."""
    written, known = _result_lines(text), _result_lines(expected)
    foreign = [line for line in written if line not in known]
    if foreign:
        found.reasons.append(f"The card's results are not those of {runs.RECORD}: {_quoted(foreign)}.")
    if any(line not in written for line in known):
        found.notes.append(f"Lines with results of {runs.RECORD} were taken out of the card.")
    ours = {" ".join(line.split()) for line in expected.splitlines()}
    added = [" ".join(line.split()) for line in text.splitlines()]
    if unchecked := [line for line in added if line not in ours and line not in foreign]:
        found.notes.append(
            f"The card's text is not the one that this bioft writes. Not checked: {_quoted(unchecked)}."
        )


def _indexed_figures(metadata: Any) -> list[tuple[Any, ...]]:
    """The figures of the model-index: metric's type and name, value, low, high, n, and the data they are about."""
    return [
        (
            *(each.metric_type, each.metric_name, each.metric_value),
            *((each.metric_args or {}).get(key) for key in ("low", "high", "n")),
            *(each.dataset_type, each.dataset_split, each.dataset_revision),
        )
        for each in metadata.get("eval_results") or []
    ]


def _words(figure: tuple[Any, ...]) -> str:
    _, name, value, low, high, n, dataset, split, _ = figure
    return f"{name} {value} [{low}, {high}] of {n} on {dataset}, {split}"


def _result_lines(body: str) -> list[str]:
    """The lines that state results: the verdict in bold at the head, and the section of results.

    Below a heading inside that section only tables and bold lines count: what stands there is about other things.
    """
    head, *sections = body.split("\n## ")
    lines = [line for line in head.splitlines() if line.startswith("**")]
    for section in sections:
        if section.startswith("Results"):
            first, _, rest = section.partition("\n### ")
            lines += [*first.splitlines(), *(line for line in rest.splitlines() if line.startswith(("|", "**")))]
    return [" ".join(line.split()) for line in lines if any(character.isdigit() for character in line)]


def _body(card: str) -> str:
    return ModelCard(card, ignore_metadata_errors=True).text.strip()


def _quoted(lines: Sequence[str]) -> str:
    return "; ".join(f"“{line[:200]}”" for line in lines[:SHOWN_ROWS])
