"""`bioft analyze`: why a run is better or worse than its base model and its baselines, on the same test examples.

Everything comes from the stored predictions and, for frequencies, evidence and lengths, from the recorded dataset.
Only the embeddings need the model.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioft.compare import errors, figures
from bioft.compare.outcomes import check_distinct, finished_run, read_answers
from bioft.compare.page import Chapter, Section, write_page
from bioft.errors import BioftError
from bioft.hub.pull import task_of
from bioft.metrics.estimation.calibration import calibration_error
from bioft.metrics.report import p_words
from bioft.storage import runs
from bioft.storage.files import check_new, new_folder
from bioft.storage.runs import PREDICTIONS
from bioft.task import FINE_TUNED, called, function, part
from bioft.tasks.answers import BASE, Answers
from bioft.tasks.embedded import Sampled

TOGETHER = "together"


@dataclass(frozen=True)
class Options:
    """How to analyse."""

    embeddings: bool = False
    sample: int = 500
    seed: int = 0
    dataset_path: Path | None = None


@dataclass
class _Run:
    name: str
    directory: Path
    record: dict[str, Any]
    answers: Answers


def analyse(names: Sequence[str], output: Path, options: Options | None = None) -> list[Chapter]:
    """Analyse finished runs and write `index.html` with its tables (CSV) and figures (PNG) into a new folder.

    `names` are run directories, or `user/name` or `user/name@revision` on the Hub. Returns a chapter for each run and,
    of several, one on all of them together; what could not be done for a run is in its sections as a reason.
    BioftError: a name given twice, no finished run, files changed since, a task that this bioft does not know, or a
    folder that holds anything already; nothing is left in it then.
    """
    options = options or Options()
    check_distinct(names)
    check_new(output)
    read = [_read(name) for name in names]
    with new_folder(output) as partial:
        chapters = []
        for number, run in enumerate(read, 1):
            with runs.reading([run.name]):
                chapters.append(_chapter(run, partial, f"run{number}", options))
        if len(read) > 1:
            chapters.append(_all_together(read, partial))
        write_page(chapters, partial)
    return chapters


def _read(name: str) -> _Run:
    directory, record = finished_run(name)
    with runs.reading([str(directory)]):
        return _Run(name, directory, record, read_answers(directory, record))


def _chapter(run: _Run, root: Path, folder: str, options: Options) -> Chapter:
    """Everything about one run; figures are drawn into its folder."""
    place = root / folder
    place.mkdir()
    answers, record = run.answers, run.record
    best = (record.get("comparison") or {}).get("baseline")
    splits, table, reasons = None, pd.read_parquet(run.directory / PREDICTIONS), []
    try:
        splits, answers = _with_dataset(run, table, options)
    except BioftError as error:
        reasons.append(f"What the dataset tells of the {answers.units} (frequencies, lengths): {error}")
    shown = errors.shown_systems(answers, best)
    sections = [
        _systems(answers),
        _changes(answers, shown, place),
        _confusion(answers, shown, place),
        _calibration(answers, shown, place),
        _correlation(answers, place),
        _groups(answers, shown, place, reasons),
        _embeddings(run, answers, table, splits, options, place),
    ]
    words = f"{record['recipe']}, {record['task']}, base model {record['base_model']['id']}"
    return Chapter(f"{run.name} ({words})", folder, sections)


def _with_dataset(run: _Run, table: pd.DataFrame, options: Options) -> tuple[Any, Answers]:
    from bioft.datasets.recorded import recorded_splits

    reader = part(task_of(run.directory, run.record), "answers")
    if reader is None or not hasattr(reader, "properties"):
        return None, run.answers
    splits = recorded_splits(run.directory, run.record, options.dataset_path)
    more = reader.properties(run.answers, table, splits)
    return splits, replace(run.answers, properties=pd.concat([more, run.answers.properties], axis=1))


def _systems(answers: Answers) -> Section:
    section = Section("How right each system is", tables={"systems.csv": errors.systems(answers)})
    section.sentences.append(
        f"{len(answers.ids):,} {answers.units} of the test split; {answers.measure}, with 95 % intervals."
    )
    section.reasons += [answers.missing["base model"]] if "base model" in answers.missing else []
    if answers.labels is not None and len(set(answers.labels.tolist())) < 2:
        section.reasons.append(f"AUROC is not defined: all {answers.units} of the test split are of one class.")
    return section


def _changes(answers: Answers, shown: Sequence[str], place: Path) -> Section:
    section = Section("Which predictions changed")
    if "changed predictions" in answers.missing:
        section.reasons.append(answers.missing["changed predictions"])
    table = errors.changes(answers)
    if table.empty:
        section.reasons.append("Nothing is stored that the fine-tuned model's answers could be compared with.")
        return section
    for row in table[table["system"].isin(shown)].to_dict("records"):
        section.sentences.append(
            f"Against {called(row['system'])}, by {answers.measure}: {row['gained']:,} gained, "
            f"{row['lost']:,} lost of {row['n']:,} ({p_words(row['p_value'])}, paired)."
        )
    section.tables["changes.csv"] = table
    figures.draw_changes(table, place / "changes.png")
    section.figures["changes.png"] = "Units that were gained and lost against each system"
    for system in shown[1:2] or table["system"][:1]:
        section.tables["changed.csv"] = errors.changed(answers, system)
    return section


def _confusion(answers: Answers, shown: Sequence[str], place: Path) -> Section:
    section = Section("Confusion")
    # The one that training started from first, as it was before.
    order = [system for system in (*shown[1:2], FINE_TUNED) if system in answers.confusion]
    if not order:
        section.reasons.append(answers.missing.get("confusion", "No answers are stored."))
        return section
    known = {system: answers.confusion[system] for system in order}
    figures.draw_confusion(known, place / "confusion.png")
    section.figures["confusion.png"] = "Confusion matrices of " + " and ".join(map(called, order))
    for system, table in known.items():
        name = system.replace(" ", "_").replace("-", "_")
        section.tables[f"confusion_{name}.csv"] = table.reset_index(names="truth")
    return section


def _calibration(answers: Answers, shown: Sequence[str], place: Path) -> Section:
    section = Section("Calibration")
    known = {system: answers.probabilities[system] for system in shown if system in answers.probabilities}
    if not known:
        section.reasons.append(answers.missing.get("calibration", "No probabilities are stored."))
        return section
    figures.draw_calibration(known, place / "calibration.png")
    section.figures["calibration.png"] = "Share that is so against the probability given"
    rows = [
        errors.row(
            "ECE", len(each.truth), errors.with_interval(calibration_error(*each[:2]), each.groups), system=name
        )
        for name, each in known.items()
    ]
    section.tables["calibration.csv"] = pd.DataFrame(rows)
    section.sentences.append(
        "ECE is the expected calibration error over 15 bins: 0 for a calibrated system, but of few answers higher; "
        "its interval takes that into account."
    )
    if missing := [system for system in shown if system not in known]:
        section.reasons.append(f"No probabilities of {', '.join(map(called, missing))} are stored.")
    return section


def _correlation(answers: Answers, place: Path) -> Section:
    section = Section("Correlation between the systems")
    scored = len(answers.scores.columns) > 1
    table = errors.correlation(answers.scores if scored else answers.values)
    if len(table) < 2:
        section.reasons.append("Fewer than two systems have stored answers that vary.")
        return section
    what = "their scores" if scored else "how right each answer is"
    section.sentences.append(f"Spearman's rank correlation of {what}, n = {len(answers.ids):,}.")
    figures.draw_correlation(table, f"Correlation of {what}", place / "correlation.png")
    section.figures["correlation.png"] = "Correlation between the systems"
    section.tables["correlation.csv"] = table.reset_index(names="system")
    return section


def _groups(answers: Answers, shown: Sequence[str], place: Path, reasons: list[str]) -> Section:
    section = Section("Errors by group", reasons=list(reasons))
    if "errors by frequency" in answers.missing:
        section.reasons.append(answers.missing["errors by frequency"])
    if answers.properties.empty and not section.reasons:
        section.reasons.append("The answers have no properties to group them by.")
    found = {}
    for name, values in answers.properties.items():
        group = errors.groups(str(name), values)
        if group is None:
            section.reasons.append(f"By {name}: fewer than two groups.")
            continue
        found[str(name)] = errors.by_group(answers, group, shown)
        if group.cat.ordered and (sentence := errors.trend(found[str(name)], str(name))):
            section.sentences.append(sentence)
    if found:
        figures.draw_groups(found, place / "groups.png")
        section.figures["groups.png"] = "How right the systems are in each group"
        section.tables["groups.csv"] = pd.concat(
            [table.assign(property=name) for name, table in found.items()], ignore_index=True
        )[["property", "group", "system", "measure", "n", "value", "low", "high"]]
    return section


def _embeddings(
    run: _Run, answers: Answers, table: pd.DataFrame, splits: Any, options: Options, place: Path
) -> Section:
    section = Section("Embeddings, base model against fine-tuned")
    if not options.embeddings:
        section.reasons.append("It needs the model: give --embeddings.")
        return section
    from bioft.compare import embeddings as analysis_embeddings

    try:
        embed = function(task_of(run.directory, run.record), "answers", "embed", "can be embedded")
        rng = np.random.default_rng(options.seed)
        embedded = embed(Sampled(run.directory, run.record, answers, table, splits, options.sample, rng))
        measured, sentences = analysis_embeddings.measure(embedded, options.seed)
    except BioftError as error:
        section.reasons.append(str(error))
        return section
    n = len(embedded.labels)
    section.sentences.append(f"A sample of {n:,} {embedded.what}, drawn with seed {options.seed} from the test split.")
    section.sentences += sentences
    maps = analysis_embeddings.maps(embedded, options.seed)
    figures.draw_maps(maps, embedded.labels.tolist(), place / "embeddings.png")
    section.figures["embeddings.png"] = "Map of the embeddings of the base model and of the fine-tuned one"
    section.tables["embeddings.csv"] = measured
    points = {f"{name}: {axis}": maps[name][:, i] for name in (BASE, FINE_TUNED) for i, axis in enumerate("xy")}
    pd.DataFrame({"label": embedded.labels, **points}).to_csv(place / "embedding_map.csv", index=False)
    return section


def _all_together(read: Sequence[_Run], root: Path) -> Chapter:
    place = root / TOGETHER
    names = [Path(run.name).name for run in read]
    if len(set(names)) < len(names):  # the last parts do not tell the runs apart
        names = [run.name for run in read]
    groups, apart = errors.together(
        {name: (run.record["task"], run.answers) for name, run in zip(names, read, strict=True)}
    )
    if groups:
        place.mkdir()
    sections = []
    for number, (task, answers) in enumerate(groups, 1):
        together, table = list(map(str, answers.values)), errors.pairs(answers)
        section = Section(f"{task}: {', '.join(together)}")
        section.sentences.append(
            f"{len(answers.ids):,} {answers.units}; p-values are of the paired test of how right runs are, and "
            "corrected for the number of pairs (Holm)."
        )
        section.tables[f"pairs{number}.csv"] = table
        section.tables[f"differing{number}.csv"] = errors.differing(answers)
        figures.draw_agreement(table, place / f"agreement{number}.png")
        section.figures[f"agreement{number}.png"] = "Units that only one of two runs is righter on"
        correlation = errors.correlation(answers.scores if len(answers.scores.columns) else answers.values)
        if len(together) > 2 and len(correlation) > 1:
            figures.draw_correlation(correlation, "Correlation between the runs", place / f"correlation{number}.png")
            section.figures[f"correlation{number}.png"] = "Correlation between the runs"
        by_property = {
            str(name): errors.by_group(answers, group_of, together)
            for name, values in answers.properties.items()
            if (group_of := errors.groups(str(name), values)) is not None
        }
        if by_property:
            figures.draw_groups(by_property, place / f"groups{number}.png")
            section.figures[f"groups{number}.png"] = "How right the runs are in each group"
        sections.append(section)
    if apart:
        reasons = [f"{name}: {reason}" for name, reason in apart.items()]
        sections.append(Section("Runs that can't be set beside another", reasons=reasons))
    return Chapter("The runs together", TOGETHER, sections)
