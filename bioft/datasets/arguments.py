"""Options of every dataset that a recipe trains on."""

from dataclasses import dataclass, field
from typing import ClassVar

# Of the options of data, those that are for a dataset that was built already too.
FOR_BUILT_DATA = {"dataset", "dataset_revision", "validation_only", "max_train_pairs", "train_on"}
# Those that are for a dataset which is made of files.
FOR_FILES = {"dataset_path", "skip_bad", "exclude", "strip_symbols", "modelseed", "held_out_models"}


@dataclass
class DataArguments:
    """Which split to evaluate on, whatever the data."""

    built_here: ClassVar[tuple[str, ...]] = ()
    """Names of the datasets that a recipe builds itself; any other is a folder or on the Hub, and built already."""

    validation_only: bool = field(
        default=False,
        metadata={
            "help": "Evaluate on the validation split and use nothing of the test split, to choose between "
            "configurations; such a run can't be compared or published."
        },
    )
