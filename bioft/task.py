"""What a task is, as data: everything that commands, cards and recipes need to know of it, declared once.

A task is one `Task` object (`TASK`) in a module, and beside it modules with fixed names, each of which may be absent:

- `evaluate`: `baselines(dataset, record)`, `figures(table, dataset, record)`, `comparisons(table, baselines, …)`; for
  `bioft verify` also, where there is something to say: `baseline_names(record)`; `test_rows(dataset)`, the columns
  that say what a predictions table is about (`earlier_test_rows`: as earlier versions stored them);
  `lacking(dataset, manifest)`, in words what data lack to be learnt from and measured on ("" if nothing);
  `audit(dataset, record)`, the audit made again; `results(dataset, record)`, the parts that every record of such data
  has beside figures; `check_data(dataset,
  record)`, `check_files(directory, dataset, record)` and `check_choices(model, dataset, record, noise)`, which return
  why data, files of the run and thresholds are not as recorded (of a record they measure `MEASURED` too), as does
  `check_fitted(directory, dataset, record)` of files that making predictions again has fitted; `own_data(directory,
  record)`, what is compared with nothing; `plot(directory, record)`, and `plot_data(directory, model, dataset,
  record)`, which draw; and `recorded(record, dataset_path)`, where data are built again in a way of their own;
- `predict`: `load(directory)`, `predict(model, rows, record)`, and `predict_base(model, dataset, record)`, what the
  base model answers; `base_of(record)`, that model, where another run may have adapted it;
- `answers`: the only reader of its `predictions.parquet`: `read(directory, record)`, `systems(table, record)`,
  `differences(made, stored, record)`, `outcomes(table)`, `answers(table, record)`, …; `measured(table, record)`, as
  `outcomes`, where a forger may gain by other metrics too;
- `ask`: what `bioft predict` asks a run, `OPTIONS` and `answer(run, asked)`, and what `bioft serve` does: `Row`, a
  dataclass, and `load(run)`, which returns a function from rows to answers;
- `usage`: `values(record)`, what `templates/usage.md.j2` of the task, which its cards show, needs beside a record;
- `inspect`, `export`, `demo`: what the commands of these names do with its data and its runs.

There is no class to inherit from and no decorator: a module that has these functions is a task. bioft's own are in
`REGISTERED`; the record of a run names the module of any other, which is looked up on this machine only.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from bioft.errors import BioftError, suggestion

FINE_TUNED = "fine-tuned"
BASE = "base, zero-shot"
NOT_FOR_PATIENTS = "Not for diagnosis, treatment or any decision about a person."
NOT_ANNOTATED = "An entity or relation of a kind that the corpus does not annotate is never found."
REGISTERED = (
    "bioft.tasks.gene_disease",
    "bioft.tasks.entities",
    "bioft.tasks.relations",
    "bioft.tasks.joint",
    "bioft.tasks.text_labels",
    "bioft.tasks.masked_lm",
    "bioft.tasks.retrieval",
    "bioft.tasks.name_alignment",
)
"""The modules of bioft's own tasks; importing one imports nothing heavy."""


@dataclass(frozen=True)
class Source:
    """Where data come from, and what builds a dataset of them.

    `bioft build NAME`, `bioft download NAME`, `--dataset NAME` of recipes, cards and `bioft verify` all read it here.
    """

    name: str
    """What a manifest calls its builder, and a recipe its dataset ("stop_reasons")."""
    title: str
    """For cards: "CTD curated gene–disease associations"."""
    build: str | Callable[..., Any]
    """The function that builds: "package.module:function", or itself. Its signature gives the options."""
    purpose: str = ""
    """One sentence for the help of `bioft build`; without it the source has no command."""
    download: str | None = None
    """What `bioft download` writes for it below `data/`; None where it needs no file."""
    folder: bool = False
    """The files that it reads may lie in a folder, which is named in their place."""
    dataset: str | Literal[False] = ""
    """The name by which recipes take it, where that is another ("sample"); False where no recipe trains on it."""
    columns: tuple[str, ...] = ()
    """Those of its datasets, where no task has them."""
    fetch: str = ""
    """What `bioft download` calls the files that it is built from, if it fetches them."""
    own: bool = False
    """It builds of files of one's own, or of any dataset on the Hub: recipes take these in the place of a name."""

    def dataset_name(self) -> str | None:
        """The name by which recipes take it; None where none does, and where they take the files themselves."""
        return None if self.dataset is False or self.own else self.dataset or self.name

    def builder(self) -> Callable[..., Any]:
        """The function that builds, imported now."""
        if callable(self.build):
            return self.build
        module, _, function = self.build.partition(":")
        return getattr(import_module(module), function)


@dataclass(frozen=True)
class Task:
    """What a task is called, what its datasets and metrics are, and what cards say about it."""

    name: str
    """What run records and cards call it: "entity-recognition"."""
    module: str
    """Where it is: "bioft.tasks.entities", or a module of one's own."""
    title: str
    pipeline_tag: str
    unit: str
    """What the test split has n of."""
    purpose: str
    limits: tuple[str, ...]
    main_metric: str
    settings: tuple[str, ...] = ()
    """Parts of its records that say how a run was trained and is asked, beside those that other tasks have too."""
    recorded: Mapping[str, Any] = field(default_factory=dict)
    """What of its records a model is loaded and asked by, as `json_text.wrong_in` takes kinds."""
    new_head: bool = False
    """The base model gets a head that nothing has trained: before training it knows nothing of the task."""
    shared: str = ""
    """What test rows share, by which intervals and tests are cluster-robust: "genes and diseases"."""
    columns: tuple[str, ...] = ()
    """Those of its datasets."""
    other_columns: tuple[str, ...] = ()
    """Those of datasets of another form, where it takes these too."""
    data: str = ""
    """What a row of its datasets is, in the plural ("gene–disease pairs")."""
    sources: tuple[Source, ...] = ()
    """Datasets that it can build by name."""
    metrics: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """By name in the record the Hub's name of a metric and its words; those that all tasks share are in the cards."""
    baselines: Mapping[str, str] = field(default_factory=dict)
    """By name in the record what a baseline is, where cards say more than what it is `called`."""
    called: Mapping[str, str] = field(default_factory=dict)
    """By name in the record what tables and pages call a baseline, where that is not its name with spaces."""
    baselines_need: str = ""
    """What its baselines need besides a dataset, where that is not enough: "the tokenizer of a base model"."""
    tags: tuple[str, ...] = ()
    auto_class: str | None = None
    """The class of Transformers that loads a model for it; None if it needs a class of bioft."""
    usage: str | None = None
    """How `bioft predict` is asked, after the folder."""
    command: str = "predict model"
    """Of bioft, before the usage."""
    library: str | None = None
    """What loads the model, where it is neither Transformers nor PEFT alone."""
    self_contained: bool = False
    """Its figures follow from its stored predictions alone: `figures` and `comparisons` need no dataset."""
    score_tolerance: Mapping[str, float] = field(default_factory=lambda: {"float32": 0.001})
    """By the type that the model computes in, how far a score that is made again may be from the stored one.

    `bioft verify` measures that of other types, where the task's `load` takes a type. The same scores computed again
    in float32 differed by 2e-6.
    """
    allowed_differing: float = 0.0
    """The share of test rows whose scores may differ by more: on another processor two may change places."""
    allowed_changed: float | None = 0.0
    """The share of answers that may be others; None where answers follow from scores, which are compared."""
    sampled: bool = True
    """Whether `bioft verify --sample` can make some of the test predictions again without the others."""
    not_asked: str = ""
    """What can be done with a run instead, where `bioft predict` asks it nothing."""
    not_in_demo: str = ""
    """What can be done with a run instead, where the task has no tab in the demo: "index articles with it"."""

    def lacks(self, columns: Iterable[str]) -> str:
        """In words the columns that its datasets have, if these columns are not those of one; "" if they are."""
        forms = [form for form in (self.columns, self.other_columns) if form]
        if not forms or any(set(form) <= set(columns) for form in forms):
            return ""
        return ", or ".join(", ".join(form) for form in forms)


@cache
def registered() -> dict[str, Task]:
    """bioft's own tasks by name; BioftError where two of them, or two sources, have one name."""
    found: dict[str, Task] = {}
    builders: dict[str, Source] = {}
    for module in REGISTERED:
        task: Task = import_module(module).TASK
        if task.name in found:
            raise BioftError(f"Two tasks are called {task.name!r}: {found[task.name].module} and {module}.")
        found[task.name] = task
        for source in task.sources:
            if builders.setdefault(source.name, source) != source:
                raise BioftError(f"Two sources are called {source.name!r}; one of them is in {module}.")
    return found


def called(baseline: str) -> str:
    """What tables and pages call a baseline, by its name in the record; of a task that is not bioft's: that name."""
    words = {name: its for task in registered().values() for name, its in task.called.items()}
    return words.get(baseline, baseline.replace("_", " "))


def find(record: Mapping[str, Any], *, pulled: bool) -> Task:
    """The task of a run by its record; of one `pulled` from the Hub no modules but bioft's own are imported.

    BioftError: an unknown task, a module outside bioft in a pulled record, or one that is not here.
    """
    if record.get("task") is None:
        raise BioftError("The record names no task: it was not written by a finished run.")
    name, module = str(record["task"]), record.get("module")
    if module is None or module in REGISTERED:
        if name not in registered():
            raise BioftError(f"There is no task {name!r} in this bioft. {suggestion(name, registered())}")
        return registered()[name]
    if pulled:
        raise BioftError(
            f"The record names the module {module!r}, which is not part of bioft: what comes from the Hub may not "
            "choose code of this machine. Ask whoever published the run for the module, and for the run's folder."
        )
    task = getattr(import_own(str(module)), "TASK", None)
    if not isinstance(task, Task):
        raise BioftError(f"The module {module} has no TASK: it must be a `bioft.task.Task`.")
    if task.name != name:
        raise BioftError(f"The module {module} is of the task {task.name!r}; the record names {name!r}.")
    return task


def import_own(module: str) -> ModuleType:
    """A module outside bioft, from the current folder or where Python finds it; BioftError if it is not there."""
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        raise BioftError(
            f"The task of this run is in the module {module!r}, which is not here. Run the command in the folder that "
            f"holds {module.partition('.')[0]}.py, or add that folder to PYTHONPATH."
        ) from None


def named(name: str) -> Task | None:
    """The task of a name, or that of a module of one's own by the name of the module; None if there is neither."""
    if name in registered():
        return registered()[name]
    try:
        return getattr(import_own(name), "TASK", None)
    except BioftError:
        return None


def part(task: Task, name: str) -> ModuleType | None:
    """One of the modules of a task, such as `answers`; None if it has none of that name.

    In a task of one file it is what that file calls so, such as `from bioft.tasks.text_labels import answers`.
    """
    whole = import_own(task.module) if task.module not in REGISTERED else import_module(task.module)
    if isinstance(found := getattr(whole, name, None), ModuleType):
        return found
    if not hasattr(whole, "__path__"):
        return None
    try:
        return import_module(f"{task.module}.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"{task.module}.{name}":
            raise
        return None


def function(task: Task, place: str, name: str, what: str) -> Callable[..., Any]:
    """A function of a task's module for what "can be compared"; BioftError says which of both the task lacks."""
    module = part(task, place)
    if task.module in REGISTERED and not hasattr(module, name):  # which nobody is to mend
        raise BioftError(f"No run on {task.name} {what}.")
    if module is None:
        raise BioftError(f"Runs on {task.name} {what.replace('can ', 'can not ', 1)}: {task.module} has no `{place}`.")
    if not hasattr(module, name):
        raise BioftError(f"The module {module.__name__} lacks the function `{name}`: no run on {task.name} {what}.")
    return getattr(module, name)


def source(name: str, tasks: Mapping[str, Task] | None = None) -> Source | None:
    """The source whose datasets a manifest calls `name`; None if no task has it."""
    every = (tasks or registered()).values()
    return next((its for task in every for its in task.sources if its.name == name), None)
