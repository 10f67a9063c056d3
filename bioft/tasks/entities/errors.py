"""Which errors a model makes: wrong boundaries or wrong types, in short or long mentions, in near or far relations.

An analysis is a dict that can be written as JSON into a run record, shown as tables and drawn as a figure.
"""

import os
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from rich import box
from rich.table import Table

from bioft.errors import BioftError
from bioft.metrics import plots, report
from bioft.metrics.entity_f1 import Span

COLOURS = {
    "correct": plots.GREEN,
    "boundary": plots.SKY,
    "type": plots.ORANGE,
    "boundary and type": plots.PURPLE,
    "missed": plots.VERMILION,
    "spurious": plots.GREY,
}
"""What may become of a mention, with its colour; of a relation only the first and the last two."""

LENGTHS = ("1", "2", "3", "4", "5+")
"""Groups of mentions by their number of words."""
CONTEXT, LONGEST_CONTEXT = 40, 400
"""Characters that an example shows on either side, and altogether."""

GROUP = ("references", "found", "recall", "predictions", "precision")
"""What is counted of a group."""

Aligned = tuple[int, Any, Any]
"""Document, reference and prediction; one of the two is None where it has no counterpart."""


def analyse(
    texts: Sequence[str],
    references: Sequence[Iterable[Span]],
    predictions: Sequence[Iterable[Span]],
    *,
    document_ids: Sequence[str] | None = None,
    n_examples: int = 5,
    seed: int = 0,
) -> dict[str, Any]:
    """Say what became of the mentions (start, end, type) of each document.

    Each prediction is set against one reference at most, and each reference against one prediction: first those
    whose spans agree best (characters in common by characters of either), of equally good ones those of one type.
    So a reference is ``correct``, has a ``boundary`` error (the type is right), a ``type`` error (the span is right)
    or both (``boundary and type``), or was ``missed``; a prediction that no reference is left for is ``spurious``.

    Returns:
        ``outcomes``: for each type the number of mentions with each outcome; spurious ones count for the predicted
        type, all others for that of the reference.
        ``confusion``: type of the reference → type of the prediction → number, ``"none"`` where one is missing.
        ``by_length``: for each number of words the number of ``references``, how many were ``found`` exactly and
        their fraction (``recall``), the number of ``predictions`` and the fraction of them that is right
        (``precision``); a fraction of nothing is None.
        ``examples``: for each kind of error up to ``n_examples`` drawn at random: ``document`` (its id, or its place
        in the list), ``reference`` and ``prediction`` as ``{"type", "start", "end", "text"}`` or None, and
        ``context``, where the reference (or the spurious prediction) is in square brackets.

    Raises BioftError: not one text, list of references and list of predictions for each document.
    """
    texts = list(texts)  # a column of a dataset is slow to index
    ids = list(map(str, range(len(texts)))) if document_ids is None else document_ids
    if len({len(texts), len(references), len(predictions), len(ids)}) > 1:
        raise BioftError(
            f"There are {len(texts):,} texts, {len(references):,} lists of references, {len(predictions):,} lists of "
            f"predictions and {len(ids):,} document ids: give one of each for every document."
        )

    def length(document: int, span: Span) -> str:
        words = len(texts[document][span[0] : span[1]].split())
        return LENGTHS[min(max(words, 1), len(LENGTHS)) - 1]

    def described(document: int, span: Span | None) -> dict[str, Any] | None:
        if span is None:
            return None
        start, end, type_ = span
        return {"type": type_, "start": int(start), "end": int(end), "text": texts[document][start:end]}

    def example(document: int, reference: Span | None, prediction: Span | None) -> dict[str, Any]:
        start, end, _ = reference or prediction  # type: ignore[misc]
        return {
            "document": ids[document],
            "reference": described(document, reference),
            "prediction": described(document, prediction),
            "context": context(texts[document], [(start, end)]),
        }

    aligned: list[Aligned] = [
        (document, *pair)
        for document, (expected, predicted) in enumerate(zip(references, predictions, strict=True))
        for pair in _align(set(expected), set(predicted))
    ]
    confusion: dict[str, Counter[str]] = defaultdict(Counter)
    for _, *pair in aligned:
        label, answer = (span[2] if span else "none" for span in pair)
        confusion[label][answer] += 1
    by = ("by_length", LENGTHS, length)
    found = summarise(aligned, tuple(COLOURS), by, 2, example, n_examples, seed)
    counted = {type_: dict(sorted(confusion[type_].items())) for type_ in sorted(confusion)}
    return {"outcomes": found.pop("outcomes"), "confusion": counted, **found}


def tables(analysis: Mapping[str, Any]) -> list[Table]:
    """Return the outcomes by type, and recall and precision by group, as tables for the terminal."""
    outcomes: Mapping[str, Mapping[str, int]] = analysis["outcomes"]
    names = list(next(iter(outcomes.values()), ()))
    title, groups = _groups(analysis)
    by_type = _table("Outcomes by type", ["type", *names], outcomes)
    if len(outcomes) > 1:
        by_type.add_section()
        by_type.add_row("all", *(f"{sum(count[name] for count in outcomes.values()):,}" for name in names))
    return [by_type, _table(f"By {title.lower()}", [title, *GROUP], groups)]


def _table(title: str, columns: Sequence[str], rows: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD)
    for number, name in enumerate(columns):
        table.add_column(name[0].upper() + name[1:], justify="right" if number else "left")
    for name, values in rows.items():
        table.add_row(name, *(_cell(values[column]) for column in columns[1:]))
    return table


def _cell(value: int | float | None) -> str:
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else report.decimals(value)


def plot(analysis: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Draw outcomes by type, recall and precision by group; BioftError: nothing to draw, or it can't be written."""
    outcomes = analysis["outcomes"]
    if not outcomes:
        raise BioftError("There are no errors to plot: neither the references nor the predictions hold anything.")
    figure, (left, right) = plots.new_figure(columns=2, height=3.2 + 0.25 * len(outcomes))
    types, start = list(outcomes), np.zeros(len(outcomes))
    for name in next(iter(outcomes.values())):
        widths = [outcomes[type_][name] for type_ in types]
        look = {"color": COLOURS[name], "hatch": "///" if name == "spurious" else None, "edgecolor": "white"}
        left.barh(types, widths, left=start, label=name, linewidth=0.5, **look)
        start += widths
    left.invert_yaxis()
    left.tick_params(axis="y", labelsize=8)
    left.xaxis.set_major_formatter("{x:,.0f}")
    left.set(xlabel="References, then spurious predictions", title="Outcomes by type")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower left", ncols=3, fontsize=8)

    title, groups = _groups(analysis)
    for shift, name, count, colour, hatch in (
        (-0.2, "recall", "references", plots.BLUE, None),
        (0.2, "precision", "predictions", plots.ORANGE, "//"),
    ):
        for i, values in enumerate(groups.values()):
            label = name if i == 0 else None
            right.bar(i + shift, values[name] or 0, 0.38, color=colour, hatch=hatch, edgecolor="white", label=label)
            right.text(i + shift, (values[name] or 0) + 0.01, f"{values[count]:,}", ha="center", fontsize=8)
    right.set_xticks(range(len(groups)), [group.replace(" ", "\n") for group in groups])
    right.set(xlabel=f"{title} (bars: n)", ylim=(0, 1.08), title="Recall and precision")
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower right", ncols=2, fontsize=8)
    plots.save_figure(figure, path)


def _groups(analysis: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    if "by_length" in analysis:
        return "Words in the mention", analysis["by_length"]
    return "Distance of the concepts", analysis["by_distance"]


def _align(references: set[Span], predictions: set[Span]) -> Iterator[tuple[Span | None, Span | None]]:
    """Yield reference and prediction that belong together, then those that are left over."""
    # By the characters in common by the characters of either, in (0, 1] for spans that overlap.
    overlapping = [
        (-(min(a[1], b[1]) - max(a[0], b[0])) / (max(a[1], b[1]) - min(a[0], b[0])), a[2] != b[2], a, b)
        for a, b in product(references, predictions)
        if a[0] < b[1] and b[0] < a[1]
    ]
    for _, _, reference, prediction in sorted(overlapping):
        if reference in references and prediction in predictions:
            references.remove(reference)
            predictions.remove(prediction)
            yield reference, prediction
    yield from ((reference, None) for reference in sorted(references))
    yield from ((None, prediction) for prediction in sorted(predictions))


def _outcome(reference: Sequence[Any] | None, prediction: Sequence[Any] | None) -> str:
    if reference is None or prediction is None:
        return "missed" if prediction is None else "spurious"
    wrong = ["boundary"] if reference[:2] != prediction[:2] else []
    wrong += ["type"] if reference[2] != prediction[2] else []
    return " and ".join(wrong) or "correct"


def summarise(
    aligned: Sequence[Aligned],
    names: Sequence[str],
    by: tuple[str, Sequence[str], Callable[[int, Any], str]],
    type_index: int,
    example: Callable[[int, Any, Any], dict[str, Any]],
    n_examples: int,
    seed: int,
) -> dict[str, Any]:
    """What an analysis says: `outcomes` (of `names`) by type, counts by group (see `analyse`), and `examples`.

    `by` is the key of the counts, the groups, and what tells the group of an item in a document; `example` tells of a
    document, a reference and a prediction what is shown.
    """
    key, groups, group_of = by
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    grouped: dict[str, Counter[str]] = defaultdict(Counter)
    ends: dict[str, list[Aligned]] = defaultdict(list)
    for document, reference, prediction in aligned:
        outcome = _outcome(reference, prediction)
        counted[(reference or prediction)[type_index]][outcome] += 1
        ends[outcome].append((document, reference, prediction))
        if reference:
            grouped[group_of(document, reference)].update(references=1, found=int(reference == prediction))
        if prediction:
            grouped[group_of(document, prediction)]["predictions"] += 1

    def counts(group: str) -> dict[str, int | float | None]:
        references, found, predictions = (grouped[group][name] for name in ("references", "found", "predictions"))
        recall, precision = (found / n if n else None for n in (references, predictions))
        return dict(zip(GROUP, (references, found, recall, predictions, precision), strict=True))

    rng = random.Random(seed)
    drawn = {
        name: sorted(rng.sample(range(len(its)), min(n_examples, len(its)))) for name, its in sorted(ends.items())
    }
    wrong = [name for name in COLOURS if name in drawn and name != "correct"]
    return {
        "outcomes": {type_: {name: counted[type_][name] for name in names} for type_ in sorted(counted)},
        key: {group: counts(group) for group in groups if group in grouped},
        "examples": {name: [example(*ends[name][index]) for index in drawn[name]] for name in wrong},
    }


def context(text: str, places: Sequence[tuple[int, int]]) -> str:
    """Return the text around some places, which it has in square brackets; what is too long is left out."""
    places = sorted(places)
    start, end = max(0, places[0][0] - CONTEXT), min(len(text), max(end for _, end in places) + CONTEXT)
    pieces, position = ["…" if start else ""], start
    for first, last in places:
        if first >= position:
            pieces += [text[position:first], "[", text[first:last], "]"]
            position = last
    pieces += [text[position:end], "…" if end < len(text) else ""]
    context, half = "".join(pieces), LONGEST_CONTEXT // 2
    return context if len(context) <= LONGEST_CONTEXT else f"{context[:half]} […] {context[-half:]}"
