"""The predictions table of documents: a row for each, what is annotated and what was found in it as JSON lists."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bioft.errors import BioftError
from bioft.storage.runs import PREDICTIONS

if TYPE_CHECKING:
    import pandas as pd  # half a second, which asking a model needs not

Record = Mapping[str, Any]
"""What `run.json` holds of a run."""
Items = list[tuple[Any, ...]]
"""Mentions (start, end, type) or relations (type, head, tail) of a document; a score may follow."""


def to_json(documents: Iterable[Sequence[Sequence[Any]]], digits: int | None = 4) -> list[str]:
    """The items of each document as a JSON list; scores have so many digits, or all."""

    def rounded(value: Any) -> Any:
        return round(value, digits) if isinstance(value, float) and digits is not None else value

    return [json.dumps([list(map(rounded, item)) for item in found], ensure_ascii=False) for found in documents]


def items(cells: Iterable[str]) -> list[Items]:
    """The items of each document, read again; ValueError for a score that is no number."""
    return [[tuple(item) for item in json.loads(cell, parse_constant=_refuse)] for cell in cells]


def _refuse(constant: str) -> float:
    raise ValueError(f"a score is {constant}")


def without_scores(cells: Iterable[str]) -> list[Items]:
    """The same as the metrics take them."""
    return [[item[:3] for item in its] for its in items(cells)]


def check_ids(table: "pd.DataFrame", rows: Any) -> None:
    """Refuse a table that is not about these documents, in their order: BioftError."""
    if list(table["id"]) != list(rows["document_id"]):
        raise BioftError(f"The documents of {PREDICTIONS} are not those of the test split.")


def of_rows(table: "pd.DataFrame", rows: Any) -> "pd.DataFrame":
    """A row for each of these documents, in order, with nothing where there was none; BioftError: another document."""
    ids = list(rows["document_id"])
    if unknown := sorted(set(table["id"]) - set(ids)):
        raise BioftError(f"{PREDICTIONS} has a document {unknown[0]}, which is not in the test split.")
    return table.set_index("id").reindex(ids, fill_value="[]").rename_axis("id").reset_index()


def differences(made: "pd.DataFrame", stored: "pd.DataFrame", kinds: Mapping[str, str]) -> "pd.DataFrame":
    """What was found in each document now beside what is stored, a row for each.

    Columns: `difference` (the largest of the scores of items that both have), `changed` (how many items one of them
    lacks), `answers` (how many there are) and `words`, which name the first difference. `kinds` are the columns that
    are compared, each with what is in it.
    """
    import pandas as pd

    rows: list[tuple[float, int, int, str]] = [(0.0, 0, 0, "")] * len(made)
    for column in (column for column in kinds if column in made and column in stored):
        for row, (new, old) in enumerate(zip(items(made[column]), items(stored[column]), strict=True)):
            now, then = ({item[:3]: item[3] if len(item) > 3 else 0.0 for item in its} for its in (new, old))
            changed = sorted(now.keys() ^ then.keys(), key=str)
            off = max((abs(now[item] - then[item]) for item in now.keys() & then.keys()), default=0.0)
            largest, before, answers, words = rows[row]
            if (changed and not before) or (off > max(largest, 0.0) and not words):
                said = f"{changed[0]} only {'now' if changed[0] in now else 'stored'}" if changed else "other scores"
                words = f"{made['id'].iloc[row]}: {kinds[column]}, {said}"
            rows[row] = max(largest, off), before + len(changed), answers + len(now.keys() | then.keys()), words
    return pd.DataFrame(rows, columns=["difference", "changed", "answers", "words"])
