"""Options of the functions that build and fetch datasets, as their signatures say them.

`bioft build` and `bioft download` make their commands of these signatures: a parameter that is annotated with a help
text, alone or in an `Option`, is an option of that name, and `path` or `paths` are the files to read.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_type_hints

PathName = str | os.PathLike[str]


@dataclass(frozen=True)
class Option:
    """What a command line must know of a parameter, where its help text alone is not enough."""

    help: str
    low: float | None = None
    high: float | None = None
    default: str = ""
    """What the help shows in the place of a default that says nothing, such as None."""
    name: str = ""
    """Its name on the command line, where that is another: "--from"."""
    variable: str = ""
    """Environment variable that gives it too."""
    before: Any = None
    """What it was before it was an option, of which datasets and runs of then say nothing."""


def described(function: Callable[..., Any]) -> dict[str, Option]:
    """The parameters of a function that have a help text, with what it says."""
    hints = get_type_hints(function, include_extras=True)
    about = {name: hint.__metadata__[0] for name, hint in hints.items() if hasattr(hint, "__metadata__")}
    return {name: Option(each) if isinstance(each, str) else each for name, each in about.items()}


def argument(default: Any, help: str) -> Any:
    """A field of a recipe's options, with its default and its help text."""
    return field(default=default, metadata={"help": help})


Seed = Annotated[int, Option("Same seed, same source: same dataset.", low=0, high=2**32 - 1)]
ValidationSize = Annotated[float, Option("Fraction for validation.", low=0.0, high=1.0)]
TestSize = Annotated[float, Option("Fraction for test.", low=0.0, high=1.0)]
SkipBad = Annotated[bool, "Leave out documents in which something is wrong, and count them."]
Split = Annotated[
    Literal["pair", "gene_held_out", "disease_held_out", "both_held_out", "time"],
    "What the test split must not share with training; time: it became known later.",
]
KnownUntil = Annotated[
    float | None,
    Option(
        "Of --split time: last PubMed id of training, or the share of the pairs that were known by then.",
        low=0,
        default="what the sizes leave",
    ),
]
LeastValidationRows = Annotated[
    int, Option("Of --split both_held_out: hold out more genes and diseases until validation has them.", 0, before=0)
]
Negatives = Annotated[
    Literal["degree_matched", "uniform"], "How pairs that are not associated are drawn, inside each split."
]
NegativesPerPositive = Annotated[int, Option("How many negatives for each positive.", low=1)]
TrialRecords = Annotated[PathName, "File, zip file or folder of trial records (JSON, XML, CSV, .gz)."]
Articles = Annotated[Sequence[PathName], "PubMed XML (.xml, .xml.gz) or folders of such."]
ArticleSplit = Annotated[
    Literal["component", "article", "time"],
    "Keep articles that citations connect in one split, split them one by one, or by when they came.",
]
MaxHeadingShare = Annotated[float, Option("More frequent MeSH headings relate no two articles.", low=0.0, high=1.0)]
LeastSimilarity = Annotated[
    float, Option("Cosine of the MeSH headings from which on two articles pair.", low=0.0, high=1.0)
]
LeastSharedReferences = Annotated[int, Option("From which on two articles pair.", low=1)]
Inputs = Annotated[Sequence[PathName], "Your files or a folder; for data on the Hub its name, such as user/name."]
Train = Annotated[Sequence[PathName] | None, "File of the training split, where the splits are given."]
Validation = Annotated[
    Sequence[PathName] | None, "File of the validation split; where it is missing, part of training is taken."
]
Test = Annotated[Sequence[PathName] | None, "File of the test split: it is kept row by row."]
SplitColumn = Annotated[str | None, "Column that says the split of each row: train, validation (dev) or test."]
IdColumn = Annotated[str | None, Option("Column of the ids.", default="id, else rows are numbered")]
GroupColumn = Annotated[str | None, "Column of what must not be in two splits: patients, documents."]
DataRevision = Annotated[str | None, "Branch, tag or commit of data on the Hub."]
Subset = Annotated[str | None, "Configuration of data on the Hub, where it has several."]
Title = Annotated[str | None, "What cards call the data."]
License = Annotated[str | None, "Licence of the data, as the Hub writes it, such as cc-by-4.0."]
Terms = Annotated[str | None, "What users of the data must know or keep to."]
Citation = Annotated[str | None, "How the data are to be cited."]
