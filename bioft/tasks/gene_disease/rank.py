"""Scores of the baselines and the model together: of pairs, and of all genes of a disease or diseases of a gene.

In a ranking the baselines order all candidates together; the model reads the first of these, and what it adds
reorders them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from datasets import Dataset, DatasetDict
from rich import box, table as rich_table

from bioft.datasets.gene_disease import random_negatives
from bioft.datasets.gene_disease.baselines import GENE_DISEASE, SIDES
from bioft.datasets.recorded import recorded_splits
from bioft.errors import BioftError, nearest
from bioft.hub import pull
from bioft.metrics import combination, report
from bioft.metrics.estimation import estimates
from bioft.storage import runs
from bioft.storage.files import write_json
from bioft.storage.tables import Table
from bioft.storage.text_lines import normalise
from bioft.task import FINE_TUNED
from bioft.tasks.gene_disease import TASK, evaluate, predict as prediction

FIRST = (10, 100)
"""How many at the top a curator looks through."""
SHOWN = {"mrr": "MRR", "hits_at_10": "Hits@10", "hits_at_100": "Hits@100", "recall_at_100": "Recall@100"}
ROWS = 20
NOT_TRAINED = "not_in_training"
MODEL = "model"
COMBINED = (MODEL, *GENE_DISEASE, combination.TOGETHER, NOT_TRAINED)
"""What `combined` says of a pair beside its names and answer: the model, each baseline, what is unknown."""
AT_ONCE = 1000
"""Pairs that the model reads before their scores are kept."""
LISTED = 10
"""How many names notes list."""
RESTS_ON = {
    "gene": "the names, and what training knows of the disease",
    "disease": "the names, and what training knows of the gene",
    "gene and disease": "the names alone",
}
"""By what training never saw of a pair: what its score rests on."""


def rank(
    run: str | Path, side: str, name: str, candidates: Path | None, top: int, output: Path | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """Rank the candidates for one gene or disease by its `name` (or id), of which `side` of `SIDES` says what it is.

    `candidates` is a CSV or TSV file with a column of the other side, by default all that the data know; the model
    reads the `top` first, as the baselines rank them. Its scores are `kept_beside` the `output`, so that what is
    interrupted goes on from there, until the caller has written that. Returns a row for each candidate, the best
    first, with gene, gene_id, disease, disease_id, score (of model and baselines together) and model, both NaN where
    the model did not read the pair, the scores of the baselines, and known (the split that has the pair as a positive,
    else ""); and notes for the user. BioftError: a run that is not finished, data that cannot be had or are others, a
    name of several ids or nothing like it.
    """
    directory = pull.run_directory(str(run))
    record = runs.read_trained(directory, TASK.name)
    splits = recorded_splits(directory, record, whole=True)
    names = {each: _names(splits, each) for each in SIDES}
    other = SIDES[1 - SIDES.index(side)]
    notes: list[str] = []
    asked = _asked(side, name, names[side], notes)
    others = names[other] if candidates is None else _from_file(candidates, other, names[other], notes)
    rows = _pairs({side: pd.DataFrame([asked]), other: others})
    ranked = _ranked(directory, record, splits, rows, top, notes, kept_beside(output) if output else None)
    ranked.loc[ranked["model"].isna(), "score"] = np.nan
    ranked["known"] = _known(splits, ranked)
    return ranked, notes


def kept_beside(output: Path) -> Path:
    """Where the model's scores are while a ranking is made that is to be written to `output`."""
    return output.with_name(f"{output.name}.scores.json")


def test(run: str | Path, side: str, queries: int, top: int) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """How far up the test positives stand among all candidates, other known ones left out ("filtered").

    `side` is what is asked for: "disease" ranks genes, "gene" diseases; so many `queries` are drawn of those with a
    test positive (always the same ones), and `top` is as in `rank`. Returns by system (each baseline, all together,
    these with the model; without weights the model alone) the mean reciprocal rank (`mrr`), the share of positives
    among the first (`hits_at_10`, `hits_at_100`) and, by query, the share found among the first 100 (`recall_at_100`),
    each with value, low, high (by query) and n; and notes for the user.
    """
    directory = pull.run_directory(str(run))
    record = runs.read_trained(directory, TASK.name)
    splits = recorded_splits(directory, record, whole=True)
    names, other = {each: _names(splits, each) for each in SIDES}, SIDES[1 - SIDES.index(side)]
    positives = {split: _positives(rows) for split, rows in splits.items()}
    answers = positives["test"].groupby(f"{side}_id")[f"{other}_id"].agg(set)
    drawn = answers.sample(min(queries, len(answers)), random_state=0)
    asked = names[side][names[side]["id"].isin(drawn.index)]
    notes: list[str] = []
    rows = _pairs({side: asked, other: names[other]})
    ranked = _ranked(directory, record, splits, rows, top, notes)
    known = pd.concat(positives.values()).groupby(f"{side}_id")[f"{other}_id"].agg(set)
    systems = [str(column) for column in ranked if column == "score" or column in TASK.baselines]
    found: dict[str, list[pd.DataFrame]] = {system: [] for system in systems}
    for query, its in ranked.groupby(f"{side}_id"):
        for system in systems:
            found[system].append(_places(its[f"{other}_id"], its[system], answers[query], known[query]))
    ours = FINE_TUNED if record["scoring"].get("combination") is None else "with_model"
    return {
        ours if system == "score" else system: _figures(pd.concat(its, keys=range(len(its))))
        for system, its in found.items()
    }, notes


def combined(
    run: str | Path, pairs: Sequence[tuple[str, str]], batch_size: int | None = None
) -> tuple[list[dict[str, Any]], list[str]]:
    """Score (gene, disease) pairs, by name or id, by the combination on record; the baselines are fitted again.

    Returns for each pair a dict of gene, disease, score (0 to 1), threshold and prediction of the combination, the
    scores of the model and of each baseline, and which of the two training never saw (`NOT_TRAINED`, "" for none); and
    notes for the user.

    BioftError: a run without such weights, data that can't be had, or a name of several ids.
    """
    directory = pull.run_directory(str(run))
    record = runs.read_trained(directory, TASK.name)
    if (weights := record["scoring"].get("combination")) is None:
        raise BioftError(
            f"The record of {run} has no weights of model and baselines: validation was too small, or the run is of "
            "an earlier bioft. Leave out --combined."
        )
    splits = recorded_splits(directory, record)
    given = dict(zip(SIDES, zip(*pairs, strict=True), strict=True))
    rows: dict[str, list[str]] = {}
    for side, names in given.items():
        known = _identified(names, _names(splits, side), side)
        rows |= {f"{side}_id": [id_ for id_, _ in known], side: [name for _, name in known]}
    asked = Dataset.from_dict(rows | {"label": [0] * len(pairs)})
    dataset = DatasetDict({**{split: splits[split] for split in ("train", "validation")}, "test": asked})
    scores = {name: its["test"] for name, its in evaluate.fit_baselines(dataset, record)}
    read = prediction.predict_pairs(directory, list(zip(asked["gene"], asked["disease"], strict=True)), batch_size)
    table = pd.DataFrame({MODEL: [its["score"] for its in read], **scores})
    table.insert(0, "score", combination.score(weights, {FINE_TUNED: table[MODEL].to_numpy(), **scores}))
    table.insert(1, "threshold", weights["threshold"])
    table.insert(2, "prediction", (table["score"] >= weights["threshold"]).astype(int))
    trained = {side: set(splits["train"][f"{side}_id"]) for side in SIDES}
    table[NOT_TRAINED] = [
        " and ".join(side for side, id_ in zip(SIDES, ids, strict=True) if id_ not in trained[side])
        for ids in zip(asked["gene_id"], asked["disease_id"], strict=True)
    ]
    found = [
        {"gene": gene, "disease": disease, **{str(key): value for key, value in its.items()}}
        for (gene, disease), its in zip(pairs, table.to_dict("records"), strict=True)
    ]
    return found, list(_notes(found))


def _notes(found: Sequence[Mapping[str, Any]]) -> list[str]:
    notes = []
    for missing, what in RESTS_ON.items():
        its = [row for row in found if row[NOT_TRAINED] == missing]
        names = dict.fromkeys(" and ".join(row[side] for side in missing.split(" and ")) for row in its)
        if names:
            more = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
            notes.append(
                f"Training never saw the {missing} of {len(its):,} of {len(found):,} pairs ("
                f"{', '.join(list(names)[:LISTED])}{more}): these scores rest on {what}."
            )
    return notes


def first_rows(ranked: pd.DataFrame, side: str) -> rich_table.Table:
    """The first candidates of a ranking for one of `side` as a table for a terminal."""
    other = SIDES[1 - SIDES.index(side)]
    words = f"{other.capitalize()}s for the {side} “{ranked[side].iloc[0]}”, the first of {len(ranked):,}"
    place, score, model = (rich_table.Column(each, justify="right") for each in ("Place", "Score", "Model"))
    columns = (place, other.capitalize(), "Id", score, "Known in", model)
    shown = rich_table.Table(*columns, title=words, box=box.SIMPLE_HEAD)
    for number, row in enumerate(ranked.head(ROWS).to_dict("records"), 1):
        scores = ["–" if np.isnan(row[each]) else report.decimals(row[each]) for each in ("score", "model")]
        shown.add_row(str(number), row[other], row[f"{other}_id"], scores[0], row["known"], scores[1])
    return shown


def _ranked(
    directory: Path,
    record: Mapping[str, Any],
    splits: Any,
    rows: pd.DataFrame,
    top: int,
    notes: list[str],
    kept: Path | None = None,
) -> pd.DataFrame:
    """Pairs in the order of their scores, with those of the baselines; the first of each query read by the model."""
    splits = DatasetDict({**splits, "train": evaluate.trained_on(splits, record)})
    weights = record["scoring"].get("combination")
    # Beside negatives that are matched by degree, what is rare or unknown to training was never among them.
    beside_random = record.get("random_negatives", {}).get("combination")
    if beside_random and (drawn := random_negatives.draw(splits, record["dataset"])) is not None:
        weights, splits = beside_random, drawn
        notes.append(
            "Baselines, and their weights beside the model, are those of random negatives, as candidates are."
        )
    asked = Dataset.from_pandas(rows.assign(label=0), preserve_index=False)
    dataset = DatasetDict({"train": splits["train"], "validation": splits["validation"], "test": asked})
    by_system = {name: its["test"] for name, its in evaluate.fit_baselines(dataset, {}, progress=True)}
    rows = rows.assign(**by_system)
    if weights is None:
        notes.append(
            "The record has no weights of model and baselines (validation was too small, or the run is of an earlier "
            "bioft): the model alone ranks all candidates."
        )
        read = np.ones(len(rows), bool)
    else:
        side = min(SIDES, key=lambda each: rows[f"{each}_id"].nunique())
        places = rows.groupby(f"{side}_id")[combination.TOGETHER].rank(ascending=False, method="first")
        read = (places <= top).to_numpy()
        if not read.all():
            notes.append(f"The model read the first {top:,} of each list, as the baselines rank it; the rest follows.")
    rows.loc[read, "model"] = _read(directory, record, rows.loc[read, list(SIDES)], notes, kept)
    rows["score"] = rows["model"]
    if weights is not None:
        scores = {name: rows.loc[read, name].to_numpy() for name in by_system}
        rows.loc[read, "score"] = combination.score(
            weights, {FINE_TUNED: rows.loc[read, "model"].to_numpy(), **scores}
        )
        # What the model did not read stays behind what it read, in the baselines' order.
        floor = rows.loc[read, "score"].min()
        rows.loc[~read, "score"] = rows.loc[~read, combination.TOGETHER] * floor
    return rows.sort_values("score", ascending=False, kind="stable").reset_index(drop=True)


def _read(
    directory: Path, record: Mapping[str, Any], rows: pd.DataFrame, notes: list[str], kept: Path | None
) -> list[float]:
    """The model's score of each pair, but for those that the file `kept` has of the same run in the same type."""
    model, prompts, _ = prediction.load_run(directory)
    state: dict[str, Any] = {"files": record["files"], "dtype": str(model.dtype), "scores": {}}
    with suppress(OSError, ValueError):
        found = json.loads(kept.read_text(encoding="utf-8")) if kept else {}
        if isinstance(found, dict) and {**found, "scores": {}} == state:
            state = found
            notes.append(f"{len(found['scores']):,} scores are those of a ranking that was interrupted.")
    pairs = [json.dumps(pair, ensure_ascii=False) for pair in rows.to_numpy().tolist()]
    asked = [pair for pair in dict.fromkeys(pairs) if pair not in state["scores"]]
    for first in range(0, len(asked), AT_ONCE):
        part = asked[first : first + AT_ONCE]
        columns = dict(zip(SIDES, map(list, zip(*map(json.loads, part), strict=True)), strict=True))
        words = "Model" if len(asked) <= AT_ONCE else f"Model, from {first + 1:,} of {len(asked):,}"
        scores = prediction.score_pairs(model, prompts, columns, progress=words)
        state["scores"].update(zip(part, scores.tolist(), strict=True))
        if kept is not None:
            write_json(kept, state)
    return [state["scores"][pair] for pair in pairs]


def _places(candidates: pd.Series, scores: pd.Series, answers: set[str], known: set[str]) -> pd.DataFrame:
    """The filtered place of each answer among the candidates of a query; of equal scores the mean place."""
    is_answer, is_known = candidates.isin(answers).to_numpy(), candidates.isin(known).to_numpy()
    unknown = np.sort(scores.to_numpy()[~is_known])
    its = scores.to_numpy()[is_answer]
    above = len(unknown) - np.searchsorted(unknown, its, side="right")
    equal = len(unknown) - np.searchsorted(unknown, its, side="left") - above
    return pd.DataFrame({"place": 1 + above + equal / 2})


def _figures(places: pd.DataFrame) -> dict[str, Any]:
    place, query = places["place"].to_numpy(), places.index.get_level_values(0).to_numpy()
    each = {"mrr": 1 / place} | {f"hits_at_{n}": (place <= n).astype(float) for n in FIRST}
    by_positive = estimates.Measured({name: estimates.mean(its) for name, its in each.items()}, len(place), (query,))
    recall = pd.Series(each[f"hits_at_{FIRST[-1]}"]).groupby(query).mean().to_numpy()
    by_query = estimates.Measured({f"recall_at_{FIRST[-1]}": estimates.mean(recall)}, len(recall))
    return by_positive.nested() | by_query.nested()


def _asked(side: str, name: str, known: pd.DataFrame, notes: list[str]) -> dict[str, str]:
    """The id and name of what was asked for; what the data do not know has its name for an id."""
    same = known[(known["id"] == name) | (known["name"].map(normalise) == normalise(name))]
    if len(same) > 1:
        several = ", ".join(f"{its.id} ({its.name})" for its in same.itertuples(index=False))
        raise BioftError(f"{name!r} is the name of several: {several}. Give the id of one.")
    if len(same):
        return {str(key): str(value) for key, value in same.iloc[0].items()}
    if not name.strip():
        raise BioftError(f"--{side} must not be empty.")
    meant = nearest(name, known["name"])
    notes.append(
        f"The data know no {side} {name!r}{f' ({meant.strip()})' if meant else ''}: its scores rest on the name alone."
    )
    return {"id": name, "name": name}


def _from_file(path: Path, side: str, known: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """The candidates of a table, with the ids of those that the data know by name or id."""
    rows = Table(path, (side,), hint=f"The first line must name the column {side}.")
    names = [row[side].strip() for row in rows]
    given = list(dict.fromkeys(filter(None, names)))
    if not given:
        raise BioftError(f"{path} has no {side} in it.")
    found = _identified(given, known, path)
    if again := len(names) - len({id_ for id_, _ in found}):
        blank = names.count("")
        notes.append(f"Of {len(names):,} rows of {path.name} {again - blank:,} name a {side} again, {blank:,} none.")
    ids = set(known["id"])
    unknown = [each for each, (id_, _) in zip(given, found, strict=True) if id_ not in ids]
    if unknown:
        more = f" and {len(unknown) - 10:,} more" if len(unknown) > 10 else ""
        notes.append(
            f"{len(unknown):,} of {len(given):,} candidates are not in the data, and are scored by their names: "
            f"{', '.join(unknown[:10])}{more}."
        )
    return pd.DataFrame(found, columns=["id", "name"]).drop_duplicates("id")


def _names(splits: Mapping[str, Any], side: str) -> pd.DataFrame:
    """The genes or the diseases of all splits, each once: id and name."""
    rows = pd.concat([rows.select_columns([f"{side}_id", side]).to_pandas() for rows in splits.values()])
    return rows.set_axis(["id", "name"], axis=1).drop_duplicates("id").sort_values("id", ignore_index=True)


def _identified(given: Sequence[str], known: pd.DataFrame, source: Any) -> list[tuple[str, str]]:
    """The id and name of each of some names or ids; of what is not known twice what was given.

    BioftError: a name of several; `source` says where it stands.
    """
    by_name = {normalise(name): (id_, name) for id_, name in zip(known["id"], known["name"], strict=True)}
    by_id = {id_: (id_, name) for id_, name in zip(known["id"], known["name"], strict=True)}
    folded = known["name"].map(normalise)
    several = set(folded[folded.duplicated()]) & {normalise(each) for each in given if each not in by_id}
    if several:
        raise BioftError(f"{source}: names of several in the data: {', '.join(sorted(several)[:10])}. Give their ids.")
    return [by_id.get(each) or by_name.get(normalise(each)) or (each, each) for each in given]


def _pairs(sides: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Each gene with each disease."""
    renamed = (its.rename(columns={"id": f"{side}_id", "name": side}) for side, its in sides.items())
    first, second = renamed
    return first.merge(second, how="cross")[["gene", "gene_id", "disease", "disease_id"]]


def _positives(rows: Any) -> pd.DataFrame:
    table = rows.select_columns(["gene_id", "disease_id", "label"]).to_pandas()
    return table[table["label"] == 1]


def _known(splits: Mapping[str, Any], rows: pd.DataFrame) -> list[str]:
    """For each row the split that has it as a positive, or ""."""
    where = {pair: split for split, its in splits.items() for pair in _ids(_positives(its))}
    return [where.get(pair, "") for pair in _ids(rows)]


def _ids(rows: pd.DataFrame) -> Iterator[tuple[str, str]]:
    columns: Sequence[Any] = (rows["gene_id"], rows["disease_id"])
    return zip(*columns, strict=True)
