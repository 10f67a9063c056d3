"""`bioft build`: a command for each source that a task declares, made of the signature of its builder."""

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperCommand

from bioft.cli import signature
from bioft.cli.options import Overwrite, output_option, say_new_name
from bioft.errors import BioftError, command_word
from bioft.task import Source, registered

if TYPE_CHECKING:
    from datasets import DatasetDict

Output = Annotated[Path, output_option("Folder to write the dataset to.")]
ArticlesOut = Annotated[Path | None, typer.Option("--articles-out", hidden=True)]
OLD_NAMES = {"--out": "--output", "--input": "FILE", "--kind": "--kinds", "--held-out": "--held-out-models"}
ARTICLES = "pubmed-articles"
NAMESPACE = "namespace"


class BuildGroup(signature.FunctionGroup):
    """The sources with a purpose, by their names."""

    def helps(self) -> dict[str, str]:
        """What each command builds."""
        return {name: source.purpose for name, source in _sources().items()} | {NAMESPACE: str(_namespace.__doc__)}

    def make(self, name: str) -> TyperCommand:
        """The command that builds a dataset of a source."""
        if name == NAMESPACE:
            parameters = inspect.signature(_namespace).parameters.values()
            return signature.command(name, str(_namespace.__doc__), _namespace, parameters, {})
        source = _sources()[name]
        options = signature.parameters_of(source.builder())
        own = inspect.signature(_build).parameters
        # What `pubmed` wrote beside the pairs is a dataset of its own now.
        options += [own["output"], own["overwrite"], *([own["articles_out"]] if name == "pubmed" else [])]
        names = {option.name for option in options}
        old = {word: new for word, new in OLD_NAMES.items() if new != "FILE" or names & set(signature.FILES)}
        return signature.command(name, source.purpose, lambda **values: _build(source, **values), options, old)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command of a command line; weak labels were an option once."""
        if args[:1] == ["stop-reasons"] and "--weak" in args:
            say_new_name("stop-reasons --weak", "stop-reasons-weak")
            args = ["stop-reasons-weak", *(word for word in args[1:] if word != "--weak")]
        if args[:1] and "." in args[0] and Path(args[0]).exists():
            raise BioftError(_nearest_command(args[0]))
        return super().resolve_command(ctx, args)


app = typer.Typer(cls=BuildGroup, no_args_is_help=True, help="Build a dataset: splits, negatives, audit, manifest.")


def _sources() -> dict[str, Source]:
    return {
        source.name.replace("_", "-"): source
        for task in registered().values()
        for source in task.sources
        if source.purpose
    }


def _nearest_command(file: str) -> str:
    """What to say where a file stands in the place of what is to be built."""
    from bioft.datasets.formats import inputs

    kind = inputs.tell(Path(file))
    what = "entities" if kind in inputs.DOCUMENTS else "labels"
    others = ", ".join(name for name, source in _sources().items() if source.own and name != what)
    example = f"bioft build {what} {command_word(file)} --output FOLDER"
    return f"What is to be built of {file}? For example: {example} (or {others})."


def _build(
    source: Source, *, output: Output, overwrite: Overwrite = False, articles_out: ArticlesOut = None, **options: Any
) -> None:
    for folder in filter(None, (output, articles_out)):
        _check_output(folder, overwrite)
    values = signature.given(options)
    _save_dataset(source.builder()(**values), output, overwrite)
    if articles_out is not None:
        say_new_name("--articles-out", f"bioft build {ARTICLES} … --output")
        build = _sources()[ARTICLES].builder()
        known = {key: value for key, value in values.items() if key in inspect.signature(build).parameters}
        _save_dataset(build(**known), articles_out, overwrite)


def _namespace(
    *,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="hpo (comes with bioft), OBO, OWL, MeSH's XML, tables of CTD, NCBI Gene, HGNC, SNOMED CT or of your "
            "own (id, name, synonyms), MRCONSO.RRF, or annotated documents as PubTator; several are united by ids.",
        ),
    ],
    output: Output,
    overwrite: Overwrite = False,
) -> None:
    """Build a namespace for `bioft align` and `bioft predict --link` of a vocabulary: ids, names, synonyms."""
    _check_output(output, overwrite)
    from bioft.datasets.namespaces import concepts, read
    from bioft.tasks.name_alignment import concept_names

    namespace = read.read(paths)
    n, right = concept_names.build(namespace, output, overwrite=overwrite)
    counted = namespace.manifest["counts"]
    typer.echo(", ".join(f"{n:,} {what}" for what, n in counted.items()))
    typer.echo(
        f"{right:.0%} of {n:,} of its names get the right answer: {concept_names.SEEN:.0%} of these stayed in the "
        f"namespace, of {concept_names.ABSENT:.0%} the concept was taken out of it, of the others the name alone."
    )
    typer.echo(f"Terms: {concepts.terms(namespace)}", err=True)
    typer.echo(f"Namespace written to {output}")


def _check_output(output: Path, overwrite: bool) -> None:
    # Before the work of a build, not after it.
    if output.exists() and not output.is_dir():
        raise BioftError(f"{output} is a file. Name a folder.")
    if not overwrite and output.is_dir() and any(output.iterdir()):
        raise BioftError(f"{output} exists and is not empty. Name another folder, or replace it with --overwrite.")


def _save_dataset(built: tuple["DatasetDict", dict[str, Any]], output: Path, overwrite: bool) -> None:
    """Save a dataset with its card and print what it holds."""
    from bioft.cards.dataset import dataset_card
    from bioft.datasets.load import notes
    from bioft.inspect import inspect as inspection, tables
    from bioft.storage import datasets as storage

    dataset, manifest = built
    storage.save(dataset, manifest, output, overwrite=overwrite, card=dataset_card(manifest, dataset))
    console = Console(markup=False)
    console.print(tables.rows_table(manifest["rows"]))
    tables.print_parts(tables.audit_parts(manifest["audit"]), console)
    for note in [*(f"Problem: {each}" for each in inspection.problems(dataset, manifest)), *notes(manifest)]:
        console.print(Text(note, style="yellow"))
    console.print(Text(f"Dataset written to {output}", style="green"), soft_wrap=True)
