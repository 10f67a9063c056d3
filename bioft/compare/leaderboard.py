"""A leaderboard of runs: a page that opens without a network, and the same rows as a table that can be pushed."""

import html
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import huggingface_hub
import pandas as pd

from bioft import task as tasks
from bioft.cards import words as cards_words
from bioft.compare import compare as run_comparison
from bioft.errors import BioftError
from bioft.hub import pull
from bioft.storage import runs
from bioft.storage.files import check_new, new_folder
from bioft.task import FINE_TUNED
from bioft.verify.findings import equal

PAGE = "index.html"
FILTERS = ("task", "split", "negatives")
CARD = """\
---
title: Leaderboard
sdk: static
app_file: index.html
configs:
- config_name: default
  data_files: leaderboard.parquet
---

# Leaderboard

{runs:,} runs on {tasks:,} tasks, each beside its best baseline, with 95 % intervals. `index.html` is the page, \
`leaderboard.parquet` (and `.csv`) its rows. Made by `bioft leaderboard`.
"""
"""The card of the folder as a Space, which shows the page, or as a dataset, which has the rows."""
NOT_KNOWN = "–"
"""What stands where a record says nothing, such as how negatives were drawn for a task that has none."""


@dataclass(frozen=True)
class Leaderboard:
    """`rows` has a row for each ranked run, the best of each task and test split first; `apart` says why others have
    none.
    """

    rows: pd.DataFrame
    apart: dict[str, str]


def build_leaderboard(
    names: Sequence[str],
    directory: Path,
    *,
    verifications: Path | None = None,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> Leaderboard:
    """Rank runs as `run_comparison.compare` does, and write `index.html`, `leaderboard.csv`, `.parquet` and a card.

    Args:
        names: run directories, or `user/name` or `user/name@revision` on the Hub.
        directory: a new folder.
        verifications: folder of JSON files that `bioft verify RUN --json` printed, one a run. A run counts as verified
            if one of them is about it and about the figures that its record states.
        n_resamples: bootstrap resamples.
        seed: of the resampling.

    Raises:
        BioftError: no run at all that can be ranked, a file of `verifications` that is none, or a folder that holds
            something. Nothing is left behind then.
    """
    check_new(directory)
    verified = _read_verifications(verifications) if verifications is not None else []
    found = run_comparison.compare(names, n_resamples=n_resamples, seed=seed)
    rows: list[dict[Any, Any]] = []
    for ranking in found.rankings:
        described = [_describe(str(name), directory, verified) for name in ranking.table["run"]]
        ranked = {"task": ranking.task, "metric": ranking.metric, "n": ranking.n, "test_split": ranking.fingerprint}
        figures = ranking.table.to_dict("records")
        rows += [ranked | about | row for about, row in zip(described, figures, strict=True)]
    board = Leaderboard(pd.DataFrame(rows), found.apart)
    with new_folder(directory) as partial:
        board.rows.to_csv(partial / "leaderboard.csv", index=False)
        board.rows.to_parquet(partial / "leaderboard.parquet", index=False)
        (partial / PAGE).write_text(to_html(board), encoding="utf-8")
        card = CARD.format(runs=len(board.rows), tasks=board.rows["task"].nunique())
        (partial / "README.md").write_text(card, encoding="utf-8")
    return board


def to_html(board: Leaderboard) -> str:
    """The leaderboard as one page, with its style and its script inside."""
    parts = [_menu(name, board.rows[name]) for name in FILTERS]
    for (task, _), rows in board.rows.groupby(["task", "test_split"], sort=False):
        first = rows.iloc[0]
        title = f"{_task_words(str(task))}: {_metric_words(first['metric'])}"
        about = f"test split {first['test_split'][:12]}, n = {first['n']:,}; with 95 % intervals"
        parts += [f"<section><h2>{html.escape(title)}</h2><p>{html.escape(about)}</p>", _table(rows), "</section>"]
    if board.apart:
        reasons = "".join(f"<li>{html.escape(name)}: {html.escape(why)}</li>" for name, why in board.apart.items())
        parts.append(f"<h2>Not ranked</h2><ul>{reasons}</ul>")
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>Leaderboard</title>\n'
        f"<style>{STYLE}</style>\n<h1>Leaderboard</h1>\n<p>Runs in one table were tested on the same examples; "
        "figures of different tables say nothing together.</p>\n"
        f"{chr(10).join(parts)}\n<script>{SCRIPT}</script>\n</html>\n"
    )


STYLE = """
body { font: 16px sans-serif; margin: 2rem; }
th, td { padding: .3rem .8rem; text-align: right; white-space: nowrap; }
th:nth-child(2), td:nth-child(2) { text-align: left; }
tr { border-bottom: 1px solid #ddd; }
table { border-collapse: collapse; }
label { margin-right: 1.5rem; }
.verified { color: #060; } .refuted { color: #a00; }
"""
SCRIPT = """
const menus = [...document.querySelectorAll("select")];
function show() {
  for (const row of document.querySelectorAll("tbody tr"))
    row.hidden = menus.some(menu => menu.value && row.dataset[menu.name] !== menu.value);
  for (const section of document.querySelectorAll("section"))
    section.hidden = !section.querySelector("tbody tr:not([hidden])");
}
for (const menu of menus) menu.addEventListener("change", show);
show();
"""


def _describe(name: str, directory: Path, verified: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What a row says of a run beside its figures."""
    path, _, revision = name.partition("@")
    folder = Path(name) if Path(name).is_dir() else pull.run_directory(path, revision=revision or None)
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
        "verification": _verification(folder, record, origin, verified),
    }


def _strategy(described: Mapping[str, Any] | None) -> str:
    return str((described or {}).get("strategy", NOT_KNOWN))


def _verification(
    folder: Path, record: Mapping[str, Any], origin: Mapping[str, str] | None, verified: Sequence[Mapping[str, Any]]
) -> str:
    """What verifications of this very run say: one that refutes it counts more than one that confirms it.

    A local run is known by its folder, or by the folder's name and all its figures: the folder may have moved.
    """
    ours = {metric: figure["value"] for metric, figure in record["metrics"].items()}
    words = "not verified"
    for found in verified:
        stated = {figure["metric"]: figure["recorded"] for figure in found["figures"] if figure["model"] == FINE_TUNED}
        agreeing = all(metric in ours and equal(value, ours[metric]) for metric, value in stated.items())
        complete = agreeing and stated.keys() == ours.keys()
        if origin is not None:
            same = (found["name"], found["revision"]) == (origin["id"], origin["revision"])
        else:
            place = Path(found["name"]).resolve()
            same = place == folder.resolve() or (complete and place.name == folder.resolve().name)
        if same and agreeing and found["status"] == "not reproduced":
            return "not reproduced"
        if same and complete and found["status"] == "verified":
            made = found["predictions"]
            whole = made is None or made["compared"] == made["total"]
            words = "verified" if whole else f"verified ({made['compared']:,} of {made['total']:,} predictions)"
    return words


def _read_verifications(folder: Path) -> list[dict[str, Any]]:
    """The verifications in the JSON files of a folder."""
    if not folder.is_dir():
        raise BioftError(f"There is no folder {folder} with verifications.")
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            missing = {"name", "status", "revision", "figures", "predictions"} - content.keys()
            missing |= {
                key for figure in content["figures"] for key in {"model", "metric", "recorded"} - figure.keys()
            }
            if missing:
                raise KeyError(*sorted(missing))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BioftError(
                f"{path} is no verification: {error!r}. Write it with `bioft verify RUN --json > {path.name}`."
            ) from error
        found.append(content)
    return found


def _menu(name: str, values: pd.Series) -> str:
    options = "".join(f"<option>{html.escape(str(value))}</option>" for value in sorted(set(values)))
    return f'<label>{name} <select name="{name}"><option value="">all</option>{options}</select></label>'


def _table(rows: pd.DataFrame) -> str:
    heads = (
        "",
        "run",
        "base model",
        "value",
        "best baseline",
        "difference to it (corrected p)",
        "split",
        "negatives",
        "",
    )
    cells = "".join(f"<th>{head}</th>" for head in heads)
    body = "".join(_row(row) for row in rows.to_dict("records"))
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def _row(row: Mapping[Any, Any]) -> str:
    words = row["verification"]
    kind = "refuted" if words == "not reproduced" else "verified" if words.startswith("verified") else ""
    difference = NOT_KNOWN
    if pd.notna(row["above_baseline"]):
        p_value = f" ({row['p_baseline']:.3f})" if pd.notna(row["p_baseline"]) else ""
        difference = f"{row['above_baseline']:+.3f}{p_value}"
    texts = [
        _known(row["base_model"]),
        f"{row['value']:.3f} [{row['low']:.3f}–{row['high']:.3f}]",
        _known(row["best_baseline"]).replace("_", " "),
        difference,
        row["split"],
        row["negatives"],
    ]
    data = " ".join(f'data-{name}="{html.escape(str(row[name]))}"' for name in FILTERS)
    link = f'<a href="{html.escape(row["card"])}">{html.escape(row["run"])}</a>'
    cells = "".join(f"<td>{html.escape(str(text))}</td>" for text in texts)
    return f'<tr {data}><td>{row["rank"]}</td><td>{link}</td>{cells}<td class="{kind}">{html.escape(words)}</td></tr>'


def _known(value: Any) -> str:
    return NOT_KNOWN if pd.isna(value) else str(value)


def _task_words(task: str) -> str:
    return tasks.registered()[task].title if task in tasks.registered() else task


def _metric_words(metric: str) -> str:
    return cards_words.metric_type_and_words(metric)[1]
