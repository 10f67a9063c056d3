"""Whether what a run states follows from its stored predictions, its data and its model, whatever its task.

What a task's predictions are, which figures follow from them and how they are made, its own modules say
(`bioft.task`). What is made again is compared in `bioft.verify.again`.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from datasets import Dataset

from bioft import task as tasks
from bioft.datasets.recorded import RecordedData
from bioft.errors import BioftError
from bioft.metrics.estimation import estimates
from bioft.storage.datasets import miscounted
from bioft.storage.runs import PREDICTIONS, RECORD
from bioft.task import BASE, FINE_TUNED, Task
from bioft.tasks.answers import Outcomes
from bioft.verify import audits, findings
from bioft.verify.findings import equal, figure_of
from bioft.verify.own_data import doubts

Tables = Mapping[str, pd.DataFrame]
PARTS = ("value", "low", "high", "n")
FULL = 3
"""The first schema of records whose intervals, comparisons and set of baselines can be verified."""
EARLIER = (
    "The record was written before intervals of schema 3: its intervals, comparisons and set of baselines cannot be "
    "verified fully."
)
AVERAGES = 4
"""The first schema of records whose intervals of macro averages can be made again, in the way of their time."""
RESULTS_SINCE = {"random_negatives": 5}
"""The schema of records from which on every run has a result, where its task says that its data give one."""
RESULTS = {
    *("comparison", "added", "by_neighbour", "pair_similarity", "memorisation", "adaptation", "macro_comparison"),
    *("random_negatives", "details", "error_analysis", "relation_error_analysis"),
}
"""What a record holds as a result beside figures, and some tasks do not have."""
OF_THE_RUN = {"hub", "max_train_pairs"}
"""What a record says of its dataset that no manifest does."""
OTHER_ROWS = f"The rows of {PREDICTIONS} are not those of the test split."
NEAR = 0.01
"""How far the figure of a baseline that was not stored may be from that of one fitted again, by other packages."""
SURE = 0.001
"""Below it p-values are not told apart."""
NUMBER, P_VALUE = re.compile(r"[+-]?\d*\.\d+"), re.compile(r"p [<=] \d*\.\d+")
VERDICT = re.compile(r"(?<=The fine-tuned model ).*?(?= the best baseline)|(?<=the model adds ).*?(?=: difference)")
"""Of the sentences of comparisons."""


@dataclass
class Run:
    """A run to be evaluated again, with what was found of it so far.

    At least `sample` rows of the test split are drawn by `seed`, or all are taken (None).
    """

    directory: Path
    record: dict[str, Any]
    task: Task
    found: findings.Verification
    sample: int | None = None
    seed: int = 0
    progress: bool = False
    in_float32: bool = False
    """Whether answers are made again in float32, as they were then: then rounding decides next to nothing."""
    computed: set[str] = field(default_factory=set)
    """The parts of the record that its predictions give."""

    @property
    def full(self) -> bool:
        """Whether the record is of a schema that can be verified fully."""
        return int(self.record["schema_version"]) >= FULL

    def of_task(self, module: str, name: str) -> Any:
        """A function of the run's task; BioftError names it if it is not there."""
        return tasks.function(self.task, module, name, "can be verified")

    def optional(self, module: str, name: str) -> Any:
        """A function that a task need not have; None without it."""
        return getattr(tasks.part(self.task, module), name, None)

    @cached_property
    def table(self) -> pd.DataFrame:
        """The stored predictions."""
        return self.of_task("answers", "read")(self.directory, self.record)

    @cached_property
    def systems(self) -> Tables:
        """What each system whose answers were stored answered, the fine-tuned model first."""
        return self.of_task("answers", "systems")(self.table, self.record)

    @property
    def recorded(self) -> dict[str, Mapping[str, Any]]:
        """The figures that the record states, by system."""
        base = {BASE: self.record["base_model_metrics"]} if self.record.get("base_model_metrics") else {}
        return {FINE_TUNED: self.record["metrics"], **base, **self.record["baselines"]}

    def outcomes(self, table: pd.DataFrame) -> Outcomes:
        """The metrics of answers by which a forger may gain; none for a task that does not name them."""
        if (measured := self.optional("answers", "measured")) is not None:
            return measured(table, self.record)
        outcomes = self.optional("answers", "outcomes")
        return Outcomes([], {}) if outcomes is None else outcomes(table)

    def words(self, name: str) -> str | None:
        """The words of a progress bar; None without bars."""
        return name if self.progress else None

    def in_part(self, note: str) -> None:
        """Say what of the run could not be verified: it is so in part at most."""
        self.found.best = "verified in part"
        self.found.notes.append(note)


def check_functions(run: Run) -> None:
    """Refuse a run that cannot be evaluated again: BioftError says why, before anything is loaded."""
    for module, names in {
        "answers": ("read", "systems", "differences"),
        "evaluate": ("figures", "baselines", "comparisons"),
        "predict": ("load", "predict"),
    }.items():
        for name in names:
            run.of_task(module, name)
    if run.sample is not None and not run.task.sampled:
        raise BioftError(
            f"The predictions of a run on {run.task.name} depend on one another: verify this run without --sample."
        )
    if not isinstance(run.record.get("recipe"), str):
        raise BioftError(f"{RECORD} names no recipe.")
    if not run.record["metrics"]:
        raise BioftError(f"{RECORD} states no figures.")


def check_systems(run: Run) -> None:
    """Whether the record has figures of the base model and of every baseline of its task, and of no others."""
    if run.optional("predict", "predict_base") is not None and not run.record.get("base_model_metrics"):
        run.found.reasons.append(f"{RECORD} leaves out the figures of the base model.")
    beside = [
        f"{name}: {metric}.{key}"
        for name, figures in run.recorded.items()
        for metric, figure in figures.items()
        for key in sorted(figure.keys() - set(PARTS))
    ]
    if beside:
        run.found.reasons.append(f"{RECORD} states what no figure has: {', '.join(beside)}.")
    if (names_of := run.optional("evaluate", "baseline_names")) is None:
        return
    names, stated = names_of(run.record), run.record["baselines"].keys()
    if missing := [name for name in names if name not in stated]:
        run.found.reasons.append(f"{RECORD} leaves out baselines: {', '.join(missing)}.")
    if others := sorted(stated - set(names)):
        run.found.reasons.append(f"{RECORD} states figures of what is no baseline of the task: {', '.join(others)}.")


def check_stored(run: Run, dataset: Any, fitted: Tables) -> None:
    """Compare the record's figures, intervals and comparisons with those that its stored predictions give.

    `dataset` is None where the splits could not be had and the figures need none; baselines fitted again stand in the
    place of those that were not stored.
    """
    found, recorded, figures = run.found, run.recorded, run.of_task("evaluate", "figures")
    again = run.of_task("answers", "differences")(run.systems[FINE_TUNED], run.table, run.record)
    if again["changed"].any():
        found.reasons.append(f"Answers in {PREDICTIONS} do not follow from its scores and the recorded thresholds.")
    wrong: list[str] = []
    stored = dict(run.systems)
    for name, table in (stored | {name: its for name, its in fitted.items() if name not in stored}).items():
        computed, stated = figures(table, dataset, run.record), recorded.get(name, {})
        if not stated:
            found.reasons.append(f"{RECORD} states no figures of {name}, whose answers are in {PREDICTIONS}.")
        elif left_out := [metric for metric in computed if metric not in stated]:
            words = f"{RECORD} leaves out figures of {name}: {', '.join(left_out)}."
            (found.reasons if run.full else found.notes).append(words)
        known = {metric: figure for metric, figure in stated.items() if metric in computed}
        wrong += [
            f"{name}: {metric} {findings.interval_text(figure)}, not {findings.interval_text(computed[metric])}"
            for metric, figure in known.items()
            if not _follows(run, metric, figure, computed[metric], exactly=name in stored)
        ]
        found.take(
            [figure_of(name, metric, figure, computed[metric]["value"], now=False) for metric, figure in known.items()]
        )
    averages = run.full and any("macro_" in figure.metric for figure in found.figures)
    if averages and (schema := int(run.record["schema_version"])) < AVERAGES:
        run.in_part(
            f"The record was written before schema {AVERAGES}: its intervals of macro averages were not verified."
        )
    elif averages and schema < estimates.LEFT_OUT:
        # Else a run made today could name an earlier schema, under which more differs significantly.
        run.in_part(
            f"The record was written before schema {estimates.LEFT_OUT}: its intervals and comparisons of macro "
            "averages are those of that time."
        )
    if wrong:
        found.reasons.append(f"{RECORD} states figures that do not follow from {PREDICTIONS}: {'; '.join(wrong)}.")
    baselines = dict(fitted) | {name: its for name, its in stored.items() if name not in (FINE_TUNED, BASE)}
    if run.full and dataset is not None:
        check_analyses(run, baselines | {name: its for name, its in stored.items() if name not in baselines}, dataset)
    if run.full:
        check_comparisons(run, run.table, baselines, dataset, PREDICTIONS, exactly=baselines.keys() <= stored.keys())


def _is_earlier_average(run: Run, metric: str) -> bool:
    """Whether it is an average with an interval that nothing makes again; those of schema 4 `of_schema` does."""
    return "macro_" in metric and int(run.record["schema_version"]) < AVERAGES


def check_analyses(run: Run, tables: Tables, dataset: Any) -> None:
    """Compare the analyses on record, such as those of errors, with those of the stored predictions of all systems."""
    if (analyses := run.optional("evaluate", "analyses")) is None:
        return
    for key, analysis in analyses(tables, dataset, run.record).items():
        run.computed.add(key)
        ours, stated = json.loads(json.dumps(analysis)), run.record.get(key)
        other = findings.differing(ours, stated, path=key)
        # Details are compared as far as the answers of each system are stored, and hold nothing but systems beside.
        if not other and key != "details":
            other = findings.differing(stated, ours, path=key) and "more than that"
        elif not other:
            systems = {"base", *run.recorded}
            more = [place for place in findings.added(ours, stated, key) if place.rpartition(".")[2] not in systems]
            other = f"{', '.join(more)} more than that" if more else ""
        if other:
            run.found.reasons.append(f"{RECORD} analyses its predictions in another way than they give: {other}.")


def _follows(run: Run, metric: str, stated: Mapping[str, Any], computed: Mapping[str, Any], *, exactly: bool) -> bool:
    """Whether a figure is the computed one; if that is of a baseline fitted again, nearly."""
    parts = PARTS if run.full and not _is_earlier_average(run, metric) else ("value", "n")
    if exactly:
        return all(equal(computed[part], stated[part]) for part in parts)
    return all(findings.near(computed[part], stated[part], NEAR) for part in parts)


def check_comparisons(
    run: Run, table: pd.DataFrame, baselines: Tables, dataset: Any, source: str, *, exactly: bool
) -> None:
    """Compare the comparisons on record, sentence and all, with those of predictions; or else their conclusions."""
    compare = run.of_task("evaluate", "comparisons")
    compared = compare(table, baselines, dataset, run.record)
    best, other = compared["comparison"].get("baseline"), (run.record.get("comparison") or {}).get("baseline", "")
    if not exactly and other != best and other in baselines:
        # Of two that are all but equal either may be the best one elsewhere.
        its = compare(table, {other: baselines[other]}, dataset, run.record)
        if its["comparison"]["difference"] <= compared["comparison"]["difference"] + NEAR:
            compared |= {key: its[key] for key in its if compared[key].get("baseline", best) == best}
    run.computed.update(compared)
    for key, ours in compared.items():
        stated = run.record.get(key) or {}
        if exactly:
            same = all(equal(value, stated.get(part)) for part, value in ours.items())
        elif "difference" not in ours:  # figures of parts of the test split
            figures = {part: its for part, its in ours.items() if part != "sentence"}
            same = not findings.differing(figures, stated, NEAR) and _said_alike(ours, stated)
        else:
            parts = [part for part in ("first", "second", "difference", "low", "high") if part in ours]
            same = all(findings.near(ours[part], stated.get(part), NEAR) for part in parts)
            same = same and all(ours.get(part) == stated.get(part) for part in ("metric", "baseline"))
            same = same and _said_alike(ours, stated)
            same = same and (source != PREDICTIONS or _is_as_sure(ours.get("p_value"), stated.get("p_value")))
        beside = findings.added(json.loads(json.dumps(ours)), stated, key) if source == PREDICTIONS else []
        if beside:
            run.found.reasons.append(f"{RECORD} states what no comparison has: {', '.join(beside)}.")
        if not same:
            run.found.reasons.append(
                f"{RECORD} compares with the best baseline in another way ({key}) than {source} gives: "
                f"“{ours['sentence']}”"
            )


def _said_alike(ours: Mapping[str, Any], stated: Mapping[str, Any]) -> bool:
    """Whether a sentence has the words of ours, and numbers that are nearly its own; at the edge another verdict."""
    one, other = (str(each.get("sentence")) for each in (ours, stated))
    if _at_the_edge(ours):
        one, other = (VERDICT.sub("~", each) for each in (one, other))
    numbers = [[float(each) for each in NUMBER.findall(P_VALUE.sub("", text))] for text in (one, other)]
    words = [NUMBER.sub("#", P_VALUE.sub("p", text)) for text in (one, other)]
    return words[0] == words[1] and all(findings.near(a, b, NEAR + 0.001) for a, b in zip(*numbers, strict=True))


def _is_as_sure(ours: float | None, stated: Any) -> bool:
    """Whether a p-value is nearly that of ours, as that of an interval which is moved a little."""
    if ours is None or not isinstance(stated, float | int):
        return ours is stated
    if math.isnan(ours) or max(ours, stated) < SURE:
        return math.isnan(ours) == math.isnan(stated)
    return 0.1 <= (stated + SURE) / (ours + SURE) <= 10


def _at_the_edge(comparison: Mapping[str, Any]) -> bool:
    """Whether another conclusion would follow from an interval that is moved a little."""
    return any(abs(comparison[part]) <= NEAR for part in ("low", "high") if part in comparison)


def fit_baselines(run: Run, dataset: Any) -> Tables:
    """Fit the baselines again; in a sample only where the record has figures of one that was not stored."""
    if run.sample is not None and run.record["baselines"].keys() <= run.systems.keys():
        return {}
    fitted = run.of_task("evaluate", "baselines")(dataset, run.record, run.progress)
    if not run.full or run.optional("evaluate", "baseline_names") is None:
        for name in run.record["baselines"].keys() - fitted.keys():
            run.in_part(f"This bioft knows no baseline {name!r}: its figures were not measured again.")
    return {name: table for name, table in fitted.items() if name in run.record["baselines"]}


def check_data(run: Run, data: RecordedData) -> bool:
    """Whether the predictions are about the test split of the data; what is wrong with the data is a reason."""
    found = run.found
    found.reasons += data.reasons
    if data.not_rebuilt:
        found.notes += [data.not_rebuilt, *doubts(data.splits)]
        found.best = "verified on the publisher's data" if run.full else found.best
    if (own_data := run.optional("evaluate", "own_data")) and (own := own_data(run.directory, run.record)):
        found.notes.append(own)
        found.best = "verified on the publisher's data" if run.full else found.best
    audit = dict(data.manifest.get("audit") or {})
    if (audit_again := run.optional("evaluate", "audit")) is not None:
        audit |= audit_again(data.splits, run.record)
    check_audit(run, audit)
    described, stated = _described(data.manifest), _without_places(run.record["dataset"])
    _take_what_is_said_since(run, described, stated)
    other = findings.differing(described, stated, earlier=not run.full)
    if other := other or _more(run, described, stated):
        found.reasons.append(f"The record describes its data in another way than they are: {other}.")
    _check_sources(run, data.manifest)
    # Of metabolites names are asked for in the place of pairs.
    pairs = {split: rows for split, rows in data.splits.items() if isinstance(rows, Dataset)}
    found.reasons += miscounted(pairs, data.manifest)
    for name, arguments in {"check_files": (run.directory, data.splits), "check_data": (data.splits,)}.items():
        if (check := run.optional("evaluate", name)) is not None:
            found.reasons += check(*arguments, run.record)
    if (rows_of := run.optional("evaluate", "test_rows")) is None:
        return True
    for stored in filter(None, (rows_of, run.optional("evaluate", "earlier_test_rows"))):
        expected = stored(data.splits)
        # A joint model with one head has no labels for the other: its figures would be missing too.
        there = [column for column in expected if column in run.table]
        if plain(run.table[there]) == plain(expected[there]):
            if "group" in set(expected) - set(there):
                # Figures are those of the data's groups; what reads predictions alone knows none.
                found.notes.append(
                    f"{PREDICTIONS} holds no groups of its rows, as earlier versions wrote it: in comparisons of runs "
                    "they count as independent."
                )
            return True
    found.reasons.append(OTHER_ROWS)
    return False


def check_results(run: Run, dataset: Any) -> None:
    """Whether the record has the results that every run on these data has; an earlier one may lack what came later."""
    if (results := run.optional("evaluate", "results")) is None:
        return
    for key in (each for each in results(dataset, run.record) if not run.record.get(each)):
        since = RESULTS_SINCE[key]
        if int(run.record["schema_version"]) >= since:
            run.found.reasons.append(f"{RECORD} leaves out results that the data give: {key}.")
        else:
            run.in_part(f"The record was written before schema {since}: it lacks a result that the data give, {key}.")


def check_audit(run: Run, audit: Mapping[str, Any]) -> None:
    """Compare the audit on record with that of the data."""
    schema = int(run.record["schema_version"])
    reasons, earlier = audits.compared(audit, run.record.get("audit") or {}, schema, full=run.full)
    run.found.reasons += reasons
    for each in earlier:
        run.in_part(each)


def _take_what_is_said_since(run: Run, described: dict[str, Any], stated: Mapping[str, Any]) -> None:
    """Take notes out of what data are described by that builds of before schema 7 did not say of them."""
    known = stated.get("notes", [])
    since = [each for each in described.get("notes", []) if each not in known]
    if since and int(run.record["schema_version"]) < audits.FOUND_SINCE:
        described["notes"] = [each for each in described["notes"] if each in known]
        if "notes" not in stated:
            del described["notes"]
        words = f"a build says more of its data since: {'; '.join(since)}"
        run.in_part(f"The record was written before schema {audits.FOUND_SINCE}; {words}.")


def _described(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What a record must say of its dataset, but for the place on this machine where its files are."""
    from bioft.datasets.load import describe

    return _without_places(describe(dict(manifest)))


def _without_places(dataset: Mapping[str, Any]) -> dict[str, Any]:
    sources = [{key: its for key, its in one.items() if key not in ("name", "url")} for one in dataset["sources"]]
    return {key: its for key, its in dataset.items() if key not in OF_THE_RUN} | {"sources": sources}


def _check_sources(run: Run, manifest: Mapping[str, Any]) -> None:
    """Compare where the record says that its sources come from; a file may have another name here."""
    source = tasks.source(str(manifest.get("builder")))
    embedded = source is not None and not source.download and not source.own
    for stated, ours in zip(run.record["dataset"]["sources"], manifest["sources"], strict=False):
        url = stated.get("url")
        if url != ours.get("url") and (url or run.full):
            run.found.reasons.append(f"The record says that {stated['name']} comes from {url}, not {ours.get('url')}.")
        if (name := Path(stated["name"]).name) != (here := Path(ours["name"]).name):
            words = f"What the record calls {name} is {here} here: it is the same file."
            # What comes with a package has one name; files of one's own may be called otherwise.
            (run.found.reasons if embedded and run.full else run.found.notes).append(words)


def _more(run: Run, ours: Any, stated: Any) -> str:
    """What is stated beyond what is so; "" of an earlier record, which may have other parts."""
    more = findings.added(json.loads(json.dumps(ours)), stated) if run.full else []
    return f"{', '.join(more)} does not follow from them" if more else ""


def plain(table: pd.DataFrame) -> list[list[Any]]:
    """The columns as lists of plain values: a list of labels is an array in one file and a list in another."""
    return [[list(cell) if isinstance(cell, np.ndarray) else cell for cell in table[name]] for name in table]
