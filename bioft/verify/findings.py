"""What a verification finds: figures and predictions made again beside the recorded ones, and the verdict."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]

from bioft.errors import BioftError
from bioft.hub import pull
from bioft.storage.runs import PREDICTIONS

Status = Literal["verified", "not reproduced", "cannot be checked"]
EQUAL = 1e-6
"""Figures that differ by less are the same figure."""
# The same scores computed again in float32 differed by 2e-6, those of bfloat16 and float32 by 0.053 (SmolLM2-135M in
# NF4, 96 pairs).
SCORE_TOLERANCE = {"float32": 0.001}
SCORE_TOLERANCE_16_BIT = 0.1
SHOWN_ROWS = 5


@dataclass(frozen=True)
class Figure:
    """A metric of the record (with its 95 % interval) and what it was measured to be now."""

    model: str
    metric: str
    recorded: float | None
    low: float | None
    high: float | None
    measured: float | None

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
    status: Status = "cannot be checked"
    reasons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    predictions: PredictionCheck | None = None

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON; each figure says whether it holds and whether it is equal."""
        figures = [asdict(figure) | {"holds": figure.holds, "equal": figure.equal} for figure in self.figures]
        return asdict(self) | {"figures": figures}


@dataclass(frozen=True)
class Request:
    """What to check, and what the recipes' own checks need for it."""

    directory: Path
    record: dict[str, Any]
    found: Verification
    sample: int | None
    seed: int
    dataset_path: Path | None
    dataset_folder: Callable[[str, str], Path]
    progress: bool


def check_base_model(directory: Path, record: dict[str, Any], found: Verification) -> None:
    """Compare the base model that the record names with the one that it would load."""
    from bioft.cards import words
    from bioft.models import base as models, embedded

    recorded = record["base_model"]
    name = recorded["name_or_path"]
    # What comes from the Hub may not choose a folder of this machine, also not by a name that is a Hub id as well.
    local = Path(name).is_dir() or not words.HUB_ID.fullmatch(name)
    if pull.origin(directory) and local and not name.startswith(embedded.EMBEDDED_PREFIX):
        raise BioftError(f"The base model of the run is a local folder here or on another machine ({name}).")
    base = models.resolve_recorded(recorded)
    if (base.id, base.revision) != (recorded["id"], recorded["revision"]):
        found.reasons.append(
            f"The record names the base model {recorded['id']} at revision {recorded['revision']}, but it loads "
            f"{base.id} at {base.revision}."
        )


def read_predictions(directory: Path, columns: Sequence[str]) -> pd.DataFrame:
    """The stored predictions of a run; BioftError if they can't be read or lack one of the columns."""
    path = directory / PREDICTIONS
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise BioftError(f"{path} can't be read: {error}.") from error
    if missing := [column for column in columns if column not in table]:
        raise BioftError(f"{path} has no column {', '.join(missing)}.")
    return table


def recorded_dtype(record: dict[str, Any]) -> Any:
    """The floating-point type of the recorded evaluation; None, which means this machine's, without one on record."""
    import torch

    name = record["base_model"].get("dtype")
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}.get(name)


def score_tolerance(record: dict[str, Any]) -> float:
    """How far a score made again may be from the stored one, for the type that the model was evaluated in."""
    return SCORE_TOLERANCE.get(record["base_model"].get("dtype"), SCORE_TOLERANCE_16_BIT)


def equal(first: Any, second: Any) -> bool:
    """Whether two values are the same, figures but for rounding."""
    if isinstance(first, int | float) and isinstance(second, int | float):
        return abs(first - second) <= EQUAL
    return first == second


def figure_of(model: str, metric: str, recorded: Mapping[str, Any], measured: float | None) -> Figure:
    """A recorded figure beside the value measured now."""
    return Figure(model, metric, recorded["value"], recorded["low"], recorded["high"], measured)


def number_text(value: float | None) -> str:
    """`0.8125`, or a dash for a metric that is not defined."""
    return "–" if value is None else f"{value:.4f}"


def interval_text(figure: Mapping[str, Any] | None) -> str:
    """`0.8125 [0.7900, 0.8330] of 500`."""
    if figure is None:
        return "nothing"
    value, low, high = (number_text(figure[key]) for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}] of {figure['n']}"
