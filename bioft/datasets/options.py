"""Options of the functions that build and fetch datasets, as their signatures say them.

`bioft build` and `bioft download` make their commands of these signatures: a parameter that is annotated with a help
text, alone or in an `Option`, is an option of that name, and `path` or `paths` are the files to read.
"""

import functools
import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

from bioft.models import argument as argument

PathName = str | os.PathLike[str]
Options = TypeVar("Options")
Built = TypeVar("Built")


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


def takes(options: type[Options]) -> Callable[[Callable[[Options], Built]], Callable[..., Built]]:
    """Give a function of options, a dataclass with `paths`, their fields as its parameters: `paths` may be positional.

    What a class adds to those that it inherits from comes before them, as help texts show options.
    """
    hints, kinds = get_type_hints(options, include_extras=True), inspect.Parameter
    classes = reversed([*enumerate(options.__mro__)])
    order = {name: place for place, each in classes for name in inspect.get_annotations(each)} | {"paths": -1}
    parameters = [
        kinds(
            its.name,
            kinds.POSITIONAL_OR_KEYWORD if its.name == "paths" else kinds.KEYWORD_ONLY,
            default=its.default,
            annotation=hints[its.name],
        )
        for its in sorted(fields(options), key=lambda its: order[its.name])  # type: ignore[arg-type]
    ]

    def decorated(function: Callable[[Options], Built]) -> Callable[..., Built]:
        @functools.wraps(function)
        def build(paths: Sequence[PathName] = (), **values: Any) -> Built:
            return function(options(paths=paths, **values))  # type: ignore[call-arg]

        build.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        build.__annotations__ = {each.name: each.annotation for each in parameters}
        return build

    return decorated


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
IdColumn = Annotated[str | None, Option("Column of the ids.", default="id, else rows are numbered")]
GroupColumn = Annotated[str | None, "Column of what must not be in two splits: patients, documents."]


@dataclass(frozen=True, kw_only=True)
class OwnData:
    """Options of everything that builds a dataset of one's own data; other ones are added where they are used."""

    paths: Annotated[
        Sequence[PathName], "Your files or a folder; for data on the Hub its name, such as user/name."
    ] = ()
    train: Annotated[Sequence[PathName] | None, "File of the training split, where the splits are given."] = None
    validation: Annotated[
        Sequence[PathName] | None, "File of the validation split; where it is missing, part of training is taken."
    ] = None
    test: Annotated[Sequence[PathName] | None, "File of the test split: it is kept row by row."] = None
    revision: Annotated[str | None, "Branch, tag or commit of data on the Hub."] = None
    subset: Annotated[str | None, "Configuration of data on the Hub, where it has several."] = None
    max_rows: Annotated[
        int | None, Option("Of data on the Hub, read only the first rows of each split, as they come.", low=1)
    ] = None
    validation_size: ValidationSize = 0.1
    test_size: TestSize = 0.2
    seed: Seed = 0
    skip_bad: SkipBad = False
    title: Annotated[str | None, "What cards call the data."] = None
    license: Annotated[str | None, "Licence of the data, as the Hub writes it, such as cc-by-4.0."] = None
    terms: Annotated[str | None, "What users of the data must know or keep to."] = None
    citation: Annotated[str | None, "How the data are to be cited."] = None

    def sizes(self) -> dict[str, Any]:
        """The fractions of validation and test."""
        return {"validation_size": self.validation_size, "test_size": self.test_size}

    def columns(self) -> list[str | None]:
        """The names of columns that were given, as the fields that end so say them."""
        named = [getattr(self, its.name) for its in fields(self) if its.name.endswith("_column")]
        return [each for name in named for each in ([name] if isinstance(name, str) else name or ())]

    def arguments(self, *without: str) -> dict[str, Any]:
        """The options that a manifest keeps: what was given of those that say how files are read."""
        apart = {its.name for its in fields(OwnData)} - {"revision", "subset", "max_rows", "skip_bad"} | {*without}
        found = {its.name: getattr(self, its.name) for its in fields(self) if its.name not in apart}
        return {name: value for name, value in found.items() if value not in (None, (), [], False)}


@dataclass(frozen=True, kw_only=True)
class OwnTable(OwnData):
    """Options of everything that builds of rows, of which a column may say the split."""

    split_column: Annotated[str | None, "Column that says the split of each row: train, validation (dev) or test."] = (
        None
    )
