"""Options of every dataset that a recipe trains on."""

from dataclasses import dataclass, field
from typing import ClassVar

from bioft.task import Source


@dataclass
class DataArguments:
    """Which split to evaluate on, whatever the data."""

    sources: ClassVar[tuple[Source, ...]] = ()
    """The datasets that a recipe builds itself, by their names; any other is a folder or on the Hub."""

    validation_only: bool = field(
        default=False,
        metadata={
            "help": "Evaluate on the validation split and use nothing of the test split, to choose between "
            "configurations; such a run can't be compared or published."
        },
    )
