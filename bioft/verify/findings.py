"""What a verification finds: figures and predictions made again beside the recorded ones, and the verdict."""

import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

from rich import box
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from bioft.errors import BioftError
from bioft.hub import pull
from bioft.metrics import report
from bioft.storage import runs
from bioft.storage.files import file_sha256
from bioft.task import FINE_TUNED

Status = Literal[
    "verified", "not reproduced", "cannot be checked", "verified on the publisher's data", "verified in part"
]
EQUAL = 1e-6
"""Figures that differ by less are the same figure."""
AUDIT = 0.005
"""How far the figures of an audit that is made again, with other versions of packages, may be from the recorded."""
INTERVAL = {"low", "high", "flag"}
"""What of an audit's figure follows from its interval."""
SHOWN_ROWS = 5
_NOTHING = object()


@dataclass(frozen=True)
class Figure:
    """A metric of the record (with its 95 % interval), what follows from stored predictions, and what was measured."""

    model: str
    metric: str
    recorded: float | None
    low: float | None
    high: float | None
    measured: float | None
    """Now, if it was; else from stored predictions."""
    now: bool = True
    """Whether it was measured now."""
    stored: bool = False
    """Whether it follows from stored predictions."""

    @property
    def equal(self) -> bool:
        """Whether it is the recorded value."""
        return equal(self.recorded, self.measured)

    @property
    def holds(self) -> bool:
        """Whether it lies in the recorded interval."""
        if self.measured is None or self.low is None or self.high is None:
            return self.equal
        return self.low - EQUAL <= self.measured <= self.high + EQUAL


@dataclass(frozen=True)
class PredictionCheck:
    """Predictions made again beside the stored ones; an agreeing one has the same score but for `tolerance`."""

    compared: int
    total: int
    agreeing: int
    label_flips: int
    max_difference: float
    tolerance: float


@dataclass
class Verification:
    """The verdict on a run; `reasons` say why it is not "verified", `notes` what else there is to know."""

    name: str
    revision: str | None = None
    checksum: str | None = None
    """Of record and card, as they were verified: see `checksum_of`."""
    status: Status = "cannot be checked"
    best: Status = "verified"
    """What it is at most, if there are no reasons; a note says why."""
    reasons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)
    """What the run says that no evaluation shows: it is the publisher's word."""
    plots: list[str] = field(default_factory=list)
    """Those that were not drawn again, so far."""
    figures: list[Figure] = field(default_factory=list)
    predictions: PredictionCheck | None = None

    def take(self, figures: Sequence[Figure]) -> None:
        """Put figures in the place of those of the same model and metric."""
        known = {(figure.model, figure.metric): figure for figure in self.figures}
        for figure in figures:
            before = known.get((figure.model, figure.metric))
            stored = figure.stored or (before is not None and before.stored)
            known[figure.model, figure.metric] = replace(figure, stored=stored)
        self.figures = list(known.values())

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON; each figure says whether it holds and whether it is equal."""
        figures = [asdict(figure) | {"holds": figure.holds, "equal": figure.equal} for figure in self.figures]
        found = {key: its for key, its in asdict(self).items() if key not in ("best", "plots")} | {"figures": figures}
        return cast(dict[str, Any], _without_nan(found))  # which JSON does not have


def _without_nan(value: Any) -> Any:
    """A value with None for each number inside that is none, or not finite."""
    if isinstance(value, Mapping):
        return {key: _without_nan(its) for key, its in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(its) for its in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def checksum_of(directory: Path) -> str:
    """SHA-256 of a run's record, which has the checksums of its other files, and of its card, if it has one."""
    return file_sha256(*(path for name in (runs.RECORD, runs.CARD) if (path := directory / name).is_file()))


def check_base_model(directory: Path, record: Mapping[str, Any]) -> list[str]:
    """Compare the base model that the record names with the one that it would load; returns what differs.

    Raises:
        BioftError: it is missing, has other weights, or is a folder of this machine that a run from the Hub names.
    """
    from bioft.cards import words
    from bioft.models import base as models, embedded

    recorded = record["base_model"]
    name = recorded["name_or_path"]
    # What comes from the Hub may not choose a folder of this machine, also not by a name that is a Hub id as well.
    local = Path(name).is_dir() or not words.HUB_ID.fullmatch(name)
    if pull.origin(directory) and local and not name.startswith(embedded.EMBEDDED_PREFIX):
        raise BioftError(f"The base model of the run is a local folder here or on another machine ({name}).")
    if is_made_of_run(record):
        return []  # what loads the model makes it again, and compares it with the recorded
    base = models.resolve_recorded(recorded)
    if (base.id, base.revision) == (recorded["id"], recorded["revision"]):
        return []
    return [
        f"The record names the base model {recorded['id']} at revision {recorded['revision']}, but it loads {base.id} "
        f"at {base.revision}."
    ]


def is_made_of_run(record: Mapping[str, Any]) -> bool:
    """Whether the base model was adapted by a run of masked language modelling, by whose folder it is named."""
    run, base = (record.get("classifier") or {}).get("mlm_run"), record["base_model"]
    return bool(run) and base["id"] == base["name_or_path"] and (Path(base["id"]) / runs.RECORD).is_file()


def equal(first: Any, second: Any) -> bool:
    """Whether two values are the same, figures but for rounding."""
    return near(first, second, EQUAL)


def near(first: Any, second: Any, tolerance: float) -> bool:
    """Whether two values are the same, numbers, also those inside, but for a tolerance."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return first.keys() == second.keys() and all(near(first[key], second[key], tolerance) for key in first)
    if isinstance(first, int | float) and isinstance(second, int | float):
        if math.isnan(first) and math.isnan(second):  # of one class only
            return True
        return math.isclose(first, second, rel_tol=EQUAL, abs_tol=tolerance)
    return first == second


def differing(ours: Any, theirs: Any, tolerance: float = EQUAL, path: str = "", *, earlier: bool = False) -> str:
    """In words the first values of ours that theirs lacks or has otherwise; "" if there are none.

    Numbers that are no integers may differ by `tolerance`, and files that data were built of by their folder. What of
    an audit a number decides that is at its edge may be either. What an `earlier` version wrote is compared as far as
    it goes: it may lack parts, and its intervals are made in another way.
    """
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        edge = any(isinstance(its, float) and abs(its - 0.5) <= tolerance for its in ours.values())
        left_out = INTERVAL if earlier else {"flag"} if edge else set()
        pairs = [(f"{path}.{key}".lstrip("."), ours[key], theirs.get(key)) for key in ours if key not in left_out]
        pairs = [pair for pair in pairs if not earlier or pair[2] is not None]
    elif isinstance(ours, list | tuple) and isinstance(theirs, list | tuple) and (earlier or len(ours) == len(theirs)):
        pairs = [(f"{path}[{i}]", one, other) for i, (one, other) in enumerate(zip(ours, theirs, strict=False))]
    elif (
        _same_file(ours, theirs, path) or (isinstance(ours, float) and near(ours, theirs, tolerance)) or ours == theirs
    ):
        return ""
    else:
        return f"{path} {report.cut(theirs, 60)}, not {report.cut(ours, 60)}"
    found = [differing(one, other, tolerance, place, earlier=earlier) for place, one, other in pairs]
    return "; ".join([words for words in found if words][:SHOWN_ROWS])


def _same_file(ours: Any, theirs: Any, path: str) -> bool:
    """Whether an argument of a builder is a file or folder of the same name; any other word must be the very same."""
    if not (isinstance(ours, str | Path) and isinstance(theirs, str) and "arguments." in path):
        return False
    return Path(ours).name == Path(theirs).name and ("/" in str(ours) or bool(Path(ours).suffix))


def added(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Where theirs has keys that ours lacks, at any depth."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        pairs = [(f"{path}.{key}".lstrip("."), ours.get(key, _NOTHING), its) for key, its in theirs.items()]
    elif isinstance(ours, list | tuple) and isinstance(theirs, list | tuple):
        pairs = [(f"{path}[{i}]", one, its) for i, (one, its) in enumerate(zip(ours, theirs, strict=False))]
    else:
        return []
    return [each for place, one, its in pairs for each in ([place] if one is _NOTHING else added(one, its, place))]


def figure_of(
    model: str, metric: str, recorded: Mapping[str, Any], measured: float | None, *, now: bool = True
) -> Figure:
    """A recorded figure beside the value measured now, or else the one that follows from stored predictions."""
    return Figure(model, metric, recorded["value"], recorded["low"], recorded["high"], measured, now, not now)


def number_text(value: float | None) -> str:
    """`0.8125`, or a dash for a metric that is not defined."""
    return "–" if value is None else f"{value:.4f}"


def interval_text(figure: Mapping[str, Any]) -> str:
    """`0.8125 [0.7900, 0.8330] of 500`."""
    value, low, high = (number_text(figure[key]) for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}] of {figure['n']}"


def print_figures(figures: Sequence[Figure], console: Console) -> None:
    """Print the figures of the fine-tuned model and those of others that do not hold, and how many of these hold.

    What was not measured stands under its own title: it follows from stored predictions, which may be false.
    """
    if not figures:
        return
    measured = all(figure.now for figure in figures if figure.model == FINE_TUNED)
    title = "Test split" if measured else "Test split: what follows from stored predictions, not measured"
    columns = (
        Column(each, no_wrap=True)
        for each in ("recorded [95 % interval]", "now" if measured else "computed", "difference", "")
    )
    figure_column = Column("figure")
    table = Table(figure_column, *columns, title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for figure in figures:
        if figure.model == FINE_TUNED or not figure.holds:
            known = figure.recorded is not None and figure.measured is not None
            holds = "equal" if figure.equal else "inside" if figure.holds else "outside"
            cells = (
                figure.metric if figure.model == FINE_TUNED else f"{figure.model}: {figure.metric}",
                f"{number_text(figure.recorded)} [{number_text(figure.low)}, {number_text(figure.high)}]",
                number_text(figure.measured),
                f"{figure.measured - figure.recorded:+.4f}" if known else "–",  # type: ignore[operator]
                holds if figure.now else "follows" if figure.equal else "does not follow",
            )
            table.add_row(*(Text(clean(cell)) for cell in cells), style=None if figure.holds else "red")
    report.show(table, console, ["difference"])
    if others := [figure for figure in figures if figure.model != FINE_TUNED]:
        holding, now = sum(figure.holds for figure in others), sum(figure.now for figure in others)
        console.print(
            f"Base model and baselines: {holding} of {len(others)} figures hold"
            + ("." if now == len(others) else f", {len(others) - now} of which were not measured again.")
        )


def clean(text: str) -> str:
    """A text of somebody else's without what a terminal takes for commands, or what turns the writing around."""
    return "".join(each if unicodedata.category(each) not in ("Cc", "Cf") or each in "\n\t" else "�" for each in text)


def print_verdict(notes: Sequence[str], reasons: Sequence[str], verdict: Text, console: Console) -> None:
    """Print what else there is to know, the reasons and, last, the verdict."""
    for note in notes:
        console.print(Text(clean(f"Note: {note}"), style="yellow"), soft_wrap=True)
    for reason in reasons:
        console.print(Text(clean(f"- {reason}")), soft_wrap=True)
    console.print(Text(clean(verdict.plain), style=verdict.style), soft_wrap=True)
