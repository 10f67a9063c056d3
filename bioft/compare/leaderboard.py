"""A leaderboard of runs: a page that opens without a network, and the same rows as a table that can be pushed."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote

import huggingface_hub
import pandas as pd

from bioft import task as tasks
from bioft.cards import words as cards_words
from bioft.compare import compare as run_comparison
from bioft.compare.outcomes import run_of
from bioft.errors import BioftError, in_words
from bioft.hub import pull
from bioft.metrics.report import difference_text, interval_text
from bioft.storage import json_text, runs
from bioft.storage.files import check_new, new_folder
from bioft.storage.json_text import TEXT_OR_NONE
from bioft.storage.pages import html
from bioft.verify.findings import Status, checksum_of

PAGE = "index.html"
FILTERS = ("task", "split", "negatives")
NOT_KNOWN = "–"
"""What stands where a record says nothing, such as how negatives were drawn for a task that has none."""
_VERIFICATION: dict[str, Any] = {
    **dict.fromkeys(("name", "status"), str),
    **dict.fromkeys(("revision", "checksum"), TEXT_OR_NONE),
    "reasons": list,
    "predictions": ({"compared": int, "total": int}, type(None)),
}
"""What is read of a verification, as `json_text.wrong_in` takes it."""


@dataclass(frozen=True)
class Leaderboard:
    """`rows` has a row for each ranked run, base model and baseline (by `kind`), the best of each task and test split
    first; `apart` says why other runs have none.
    """

    rows: pd.DataFrame
    apart: dict[str, str]

    @property
    def runs(self) -> int:
        """How many runs are ranked."""
        return int((self.rows["kind"] == run_comparison.RUN).sum())


def build_leaderboard(names: Sequence[str], directory: Path, *, verifications: Path | None = None) -> Leaderboard:
    """Rank runs as `run_comparison.compare` does, and write `index.html`, `leaderboard.csv`, `.parquet` and a card.

    `directory` is a new folder, `verifications` one of JSON files that `bioft verify RUN --json` printed, one a run. A
    run counts as verified if one of them is about its record and card as they are now. BioftError: no run
    at all that can be ranked, a file of `verifications` that is none, or a folder that holds something; nothing is
    left behind then.
    """
    check_new(directory)
    verified = _read_verifications(verifications) if verifications is not None else []
    found = run_comparison.compare(names, once=True)
    rows: list[dict[Any, Any]] = []
    for ranking in found.rankings:
        with runs.reading(ranking.runs):
            described = {name: _describe(name, directory, verified) for name in ranking.runs}
        ranked = {"task": ranking.task, "metric": ranking.metric, "n": ranking.n, "test_split": ranking.fingerprint}
        # Base models and baselines are about the same split.
        first = described[ranking.runs[0]]
        other = first | {"card": None, "base_model": None, "verification": NOT_KNOWN}
        rows += [ranked | described.get(row["run"], other) | row for row in ranking.table.to_dict("records")]
    board = Leaderboard(pd.DataFrame(rows), found.apart)
    with runs.reading([name for ranking in found.rankings for name in ranking.runs]), new_folder(directory) as partial:
        board.rows.to_csv(partial / "leaderboard.csv", index=False)
        board.rows.to_parquet(partial / "leaderboard.parquet", index=False)
        (partial / PAGE).write_text(to_html(board), encoding="utf-8")
        # As a Space the folder shows the page, as a dataset it has the rows.
        counts = {"runs": board.runs, "tasks": board.rows["task"].nunique()}
        (partial / "README.md").write_text(html(__package__, "leaderboard_card.md.j2", **counts), encoding="utf-8")
    return board


def to_html(board: Leaderboard) -> str:
    """The leaderboard as one page, with its style and its script inside."""
    tables = [
        (_title(its.iloc[0]), run_comparison.plain_rows(its.assign(shown_rank=run_comparison.rank_words(its["rank"]))))
        for _, its in board.rows.groupby(["task", "test_split"], sort=False)
    ]
    menus = {name: sorted(set(map(str, board.rows[name]))) for name in FILTERS}
    texts = {"interval_text": interval_text, "difference_text": difference_text}
    values = {"title": "Leaderboard", "menus": menus, "tables": tables, "apart": board.apart, **texts}
    return html(
        __package__, "leaderboard.html.j2", **values, words_of=run_comparison.system_words, called=tasks.called
    )


def _describe(name: str, directory: Path, verified: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What a row says of a run beside its figures."""
    folder = run_of(name)
    record, origin = runs.read(folder), pull.origin(folder)
    if origin is not None:
        card = f"{huggingface_hub.constants.ENDPOINT}/{origin['id']}/blob/{origin['revision']}/{runs.CARD}"
    else:
        card = quote(Path(os.path.relpath(folder / runs.CARD, directory)).as_posix())
    dataset, base = record["dataset"], record.get("base_model") or {}
    return {
        "run": name,
        "card": card,
        "base_model": base.get("id"),
        "split": _strategy(dataset.get("split")),
        "negatives": _strategy(dataset.get("negatives")),
        "verification": _verification(folder, origin, verified),
    }


def _strategy(described: Mapping[str, Any] | None) -> str:
    return str((described or {}).get("strategy", NOT_KNOWN))


def _verification(folder: Path, origin: Mapping[str, str] | None, verified: Sequence[Mapping[str, Any]]) -> str:
    """What verifications of this very run say: one that refutes it counts more than one that confirms it.

    A run is known by its record, which has the checksums of its other files, and its card; one from the Hub also by
    its commit.
    """
    words, checksum = "not verified", checksum_of(folder)
    for found in verified:
        if found["checksum"] != checksum or (origin is not None and found["revision"] != origin["revision"]):
            continue
        if found["status"] == "not reproduced":
            return "not reproduced"
        if found["status"].startswith("verified"):
            made = found["predictions"]
            whole = made is None or made["compared"] == made["total"]
            words = found["status"] + ("" if whole else f" ({made['compared']:,} of {made['total']:,} predictions)")
    return words


def _read_verifications(folder: Path) -> list[dict[str, Any]]:
    """The verifications in the JSON files of a folder."""
    if not folder.is_dir():
        raise BioftError(f"There is no folder {folder} with verifications.")
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            content = json_text.parse(path.read_text(encoding="utf-8"), "its text")
            wrong = json_text.wrong_in(content, _VERIFICATION, whole=True)
            if not wrong and content["status"] not in get_args(Status):
                wrong = f"none ends in {content['status']!r}"
            elif not wrong and content["reasons"] and content["status"].startswith("verified"):
                wrong = f"it is {content['status']!r} and says why not"
        except (BioftError, OSError, ValueError) as error:
            wrong = in_words(error)
        if wrong:
            raise BioftError(
                f"{path} is no verification: {wrong}. Write it with `bioft verify RUN --json > {path.name}`."
            )
        found.append(content)
    return found


def _title(row: pd.Series) -> str:
    task = tasks.registered().get(row["task"])
    return f"{task.title if task else row['task']}: {cards_words.metric_type_and_words(row['metric'], task)[1]}"
