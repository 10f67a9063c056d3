"""Options of every dataset that a recipe trains on."""

from dataclasses import dataclass, field
from typing import ClassVar

from bioft.task import Source


@dataclass
class DataArguments:
    """Which version of the data, and which split to evaluate on, whatever they are."""

    sources: ClassVar[tuple[Source, ...]] = ()
    """The datasets that a recipe builds itself, by their names; any other is a folder or on the Hub."""

    dataset_revision: str | None = field(
        default=None, metadata={"help": "Branch, tag or commit of a dataset on the Hub (by default main)."}
    )
    validation_only: bool = field(
        default=False,
        metadata={
            "help": "Evaluate on the validation split and use nothing of the test split, to choose between "
            "configurations; such a run can't be compared or published."
        },
    )
