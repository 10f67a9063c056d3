"""The `bioft` command. Each command calls one function of the package and prints what it returns.

Nothing heavy may be imported at the top of this module: `bioft --help` must answer at once.
"""

import csv
import errno
import os
import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from bioft import __version__
from bioft.errors import BioftError

if TYPE_CHECKING:
    from datasets import DatasetDict

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
NO_PERMISSION = (errno.EACCES, errno.EPERM, errno.EROFS)


class ErrorGroup(TyperGroup):
    """A group whose commands end with one clear message on stderr and exit code 1 for what users can mend."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except BioftError as error:
            message = str(error)
        except Exception as error:
            explained = _disk_error_message(error)
            if explained is None:
                raise
            message = explained
        Console(stderr=True, soft_wrap=True).print(Text(f"Error: {message}", style="red"))
        raise typer.Exit(1)


app = typer.Typer(
    cls=ErrorGroup,
    no_args_is_help=True,
    # The values of local variables may hold a token.
    pretty_exceptions_show_locals=False,
    help="Task recipes for biomedical language models, honest by construction.",
)
build_app = typer.Typer(no_args_is_help=True, help="Build a dataset: splits, negatives, audit, manifest.")
download_app = typer.Typer(no_args_is_help=True, help="Fetch a source from its own site.")
recipes_app = typer.Typer(
    invoke_without_command=True, help="List, show and copy the presets of the recipes (alone: list)."
)
app.add_typer(build_app, name="build")
app.add_typer(download_app, name="download")
app.add_typer(recipes_app, name="recipes")


def main() -> None:
    """Run the command line (the entry point `bioft`)."""
    # What the libraries plan to change in themselves is nothing that a user can mend.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers|trl|peft")
    app()


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"bioft {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


Out = Annotated[Path, typer.Option("--out", "-o", help="Folder to write the dataset to.", show_default=False)]
Split = Annotated[
    Literal["pair", "gene_held_out", "disease_held_out", "both_held_out"],
    typer.Option(help="What the test split must not share with training."),
]
Negatives = Annotated[
    Literal["degree_matched", "uniform"],
    typer.Option(help="How pairs that are not associated are drawn, inside each split."),
]
NegativesPerPositive = Annotated[int, typer.Option(min=1, help="How many negatives for each positive.")]
ValidationSize = Annotated[float, typer.Option(min=0.0, max=1.0, help="Fraction for validation.")]
TestSize = Annotated[float, typer.Option(min=0.0, max=1.0, help="Fraction for test.")]
Seed = Annotated[int, typer.Option(help="Same seed, same source: same dataset.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there already.")]


@build_app.command("ctd")
def build_ctd(
    path: Annotated[Path, typer.Argument(help="CTD's gene–disease file (.csv, .tsv, .gz).", show_default=False)],
    out: Out,
    split: Split = "pair",
    negatives: Negatives = "degree_matched",
    negatives_per_positive: NegativesPerPositive = 1,
    validation_size: ValidationSize = 0.1,
    test_size: TestSize = 0.2,
    seed: Seed = 0,
    evidence: Annotated[
        list[str] | None,
        typer.Option(help="marker/mechanism, therapeutic or inferred; repeat for several. Without it: the first two."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Build gene–disease pairs from a file of the Comparative Toxicogenomics Database."""
    _check_out(out, overwrite)
    from bioft.datasets import ctd

    dataset, manifest = ctd.build(
        path,
        evidence=evidence or None,
        split=split,
        negatives=negatives,
        negatives_per_positive=negatives_per_positive,
        validation_size=validation_size,
        test_size=test_size,
        seed=seed,
    )
    _save_dataset(dataset, manifest, out, overwrite)


@build_app.command("hpo")
def build_hpo(
    out: Out,
    split: Split = "pair",
    negatives: Negatives = "degree_matched",
    negatives_per_positive: NegativesPerPositive = 1,
    validation_size: ValidationSize = 0.1,
    test_size: TestSize = 0.2,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Build gene–disease pairs from the Human Phenotype Ontology, which is installed with bioft."""
    _check_out(out, overwrite)
    from bioft.datasets import hpo

    dataset, manifest = hpo.build(
        split=split,
        negatives=negatives,
        negatives_per_positive=negatives_per_positive,
        validation_size=validation_size,
        test_size=test_size,
        seed=seed,
    )
    _save_dataset(dataset, manifest, out, overwrite)


def _check_out(out: Path, overwrite: bool) -> None:
    # Before the work of a build, not after it.
    if not overwrite and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BioftError(f"{out} exists and is not empty. Name another folder, or replace it with --overwrite.")


def _save_dataset(dataset: "DatasetDict", manifest: dict[str, Any], out: Path, overwrite: bool) -> None:
    """Save a dataset with its card and print what it holds."""
    from bioft import inspection
    from bioft.cards import PREVIEW_ROWS, dataset_card
    from bioft.datasets import storage

    card = dataset_card(manifest, list(dataset["train"].take(PREVIEW_ROWS)))
    storage.save(dataset, manifest, out, overwrite=overwrite, card=card)
    console = Console()
    console.print(inspection.rows_table(manifest["rows"]))
    inspection.print_audit(manifest["audit"], console)
    console.print(Text(f"Dataset written to {out}", style="green"), soft_wrap=True)


@download_app.command("ctd")
def download_ctd(
    directory: Annotated[Path, typer.Option(help="Folder to put the file in.")] = Path("data"),
    inferred: Annotated[
        bool, typer.Option("--inferred", help="The file with the inferred associations too (several GB).")
    ] = False,
) -> None:
    """Fetch CTD's gene–disease file from ctdbase.org and show CTD's terms."""
    from bioft.datasets import download

    path = download.download("ctd-inferred" if inferred else "ctd", directory)
    Console().print(Text(f"CTD file: {path}", style="green"), soft_wrap=True)


@recipes_app.callback()
def _recipes(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        recipes_list()


@recipes_app.command("list")
def recipes_list() -> None:
    """List the presets of every recipe."""
    from bioft import presets

    table = Table(title=f"Presets in {presets.recipes_directory() / 'configs'}", title_justify="left")
    for column in ("recipe", "preset", "what it is"):
        table.add_column(column, overflow="fold")
    recipe = ""
    for preset in presets.list_presets():
        if recipe and preset.recipe != recipe:
            table.add_section()
        table.add_row(preset.recipe if preset.recipe != recipe else "", preset.name, Text(preset.description))
        recipe = preset.recipe
    Console().print(table)


Recipe = Annotated[str, typer.Argument(help="For example sft_gda.", show_default=False)]
Preset = Annotated[str, typer.Argument(help="For example llama3_8b.")]


@recipes_app.command("show")
def recipes_show(recipe: Recipe, preset: Preset = "default") -> None:
    """Print a preset's YAML."""
    from bioft import presets

    typer.echo(presets.resolve_config(recipe, preset).read_text(encoding="utf-8"), nl=False)


@recipes_app.command("copy")
def recipes_copy(
    recipe: Recipe,
    preset: Preset = "default",
    destination: Annotated[
        Path, typer.Argument(help="File, or existing folder, to copy to.", show_default="this folder")
    ] = Path(),
    overwrite: Overwrite = False,
) -> None:
    """Copy a preset's YAML, to change it."""
    from bioft import presets

    path = presets.copy_preset(recipe, preset, destination, overwrite=overwrite)
    typer.echo(f"Copied to {path}")


@app.command()
def inspect(
    dataset: Annotated[Path, typer.Argument(help="Folder that `bioft build` wrote.", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for `inspection/`.", show_default="the dataset's own folder"),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many frequent genes and diseases to list.")] = 10,
    overwrite: Overwrite = False,
) -> None:
    """Show what is in a dataset: counts, overlap of splits, degrees, frequent names, evidence, audit."""
    from bioft import inspection

    report, folder = inspection.inspect_dataset(dataset, out, top=top, overwrite=overwrite)
    console = Console()
    inspection.print_report(report, console)
    console.print(Text(f"Plots and {inspection.REPORT} written to {folder}", style="green"), soft_wrap=True)


@app.command()
def baselines(
    dataset: Annotated[Path, typer.Argument(help="Folder that `bioft build` wrote.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Score what needs no language model (popularity, names, graph) on the test split of a dataset."""
    import json

    from bioft import evaluation
    from bioft.datasets import storage

    splits, _ = storage.load(dataset)
    results = {name: found.metrics for name, found in evaluation.evaluate_baselines(splits).items()}
    if as_json:
        typer.echo(json.dumps(results, indent=2))
    else:
        Console().print(evaluation.results_table(results))


@app.command()
def predict(
    run: Annotated[Path, typer.Argument(help="Run directory with the adapter.", show_default=False)],
    gene: Annotated[str | None, typer.Option(help="Name of the gene, as in BRCA1.")] = None,
    disease: Annotated[str | None, typer.Option(help='Name of the disease, as in "Breast Neoplasms".')] = None,
    input_file: Annotated[
        Path | None, typer.Option("--input", "-i", help="CSV with the columns gene and disease.")
    ] = None,
    output_file: Annotated[
        Path | None, typer.Option("--output", "-o", help="CSV to write: the input, score and prediction.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Pairs scored at once.", show_default="as many as fit")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Score one gene–disease pair, or the pairs of a CSV file, with a finished run."""
    if input_file is not None and output_file is not None and gene is None and disease is None:
        rows = _read_pairs(input_file)
        _check_output(output_file, input_file, overwrite)
    elif gene is not None and disease is not None and input_file is None and output_file is None:
        rows = [{"gene": gene, "disease": disease}]
        if not gene.strip() or not disease.strip():
            raise typer.BadParameter("--gene and --disease must not be empty.")
    else:
        raise typer.BadParameter("give either --gene and --disease, or --input and --output.")

    from bioft.prediction import predict_pairs

    predictions = predict_pairs(run, [(row["gene"], row["disease"]) for row in rows], batch_size)
    if output_file is None:
        found = predictions[0]
        answer = "associated" if found["prediction"] else "not associated"
        typer.echo(f"{found['gene']} – {found['disease']}: score {found['score']:.4f}, {answer}")
        return
    for row, found in zip(rows, predictions, strict=True):
        row.update(score=found["score"], prediction=found["prediction"])
    _write_csv(rows, output_file)
    typer.echo(f"{len(rows):,} pairs scored, written to {output_file}")


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Check hardware, packages, the Hub, and which weights are here; says how to mend what is missing."""
    from bioft import doctor as checks

    found = checks.check_all()
    if as_json:
        typer.echo(checks.to_json(found))
    else:
        checks.print_report(found, Console())
    if any(check.status == "missing" for check in found):
        raise typer.Exit(1)


def _read_pairs(path: Path) -> list[dict[str, Any]]:
    """Read the rows of a CSV file that has the columns gene and disease, all filled."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            columns = list(reader.fieldnames or ())
            _check_columns(path, columns)
            rows = []
            for row in reader:
                if None in row or None in row.values():
                    raise BioftError(
                        f"{path}, line {reader.line_num}: not {len(columns)} fields as in the header. Names "
                        "with a comma need quotes around them."
                    )
                rows.append((reader.line_num, row))
    except FileNotFoundError:
        raise BioftError(f"{path} does not exist.") from None
    except IsADirectoryError:
        raise BioftError(f"{path} is a folder, not a CSV file.") from None
    except UnicodeDecodeError as error:
        raise BioftError(f"{path} is not UTF-8 ({error.reason}). Save it as UTF-8.") from None
    except csv.Error as error:
        raise BioftError(f"{path}, line {reader.line_num}: not valid CSV ({error}).") from None
    if not rows:
        raise BioftError(f"{path} has a header and no rows.")
    for column in ("gene", "disease"):
        empty = [str(line) for line, row in rows if not row[column].strip()]
        if empty:
            more = f" and {len(empty) - 10} more" if len(empty) > 10 else ""
            raise BioftError(
                f"{path}: column {column} is empty in line {', '.join(empty[:10])}{more}. Fill the cells, or "
                "remove the rows."
            )
    return [row for _, row in rows]


def _check_columns(path: Path, columns: list[str]) -> None:
    missing = [column for column in ("gene", "disease") if column not in columns]
    if missing:
        raise BioftError(
            f"{path} has no column {' and no column '.join(missing)}. Columns found: "
            f"{', '.join(columns) or 'none (the file is empty)'}. The first line must name gene and disease, "
            "separated by commas."
        )
    taken = [column for column in ("score", "prediction") if column in columns]
    if taken or len(set(columns)) < len(columns):
        problem = f"has a column {taken[0]} already" if taken else "has two columns of one name"
        raise BioftError(f"{path} {problem}. Rename it: nothing of the input may get lost.")


def _check_output(output: Path, source: Path, overwrite: bool) -> None:
    if output.exists() and (not overwrite or not output.is_file()):
        raise BioftError(f"{output} exists already. Name another file, or replace it with --overwrite.")
    if output.exists() and output.samefile(source):
        raise BioftError(f"{output} is the input itself. Name another file.")
    if not output.parent.is_dir():
        raise BioftError(f"The folder {output.parent} does not exist. Create it first.")


def _write_csv(rows: list[dict[str, Any]], path: Path) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _disk_error_message(error: Exception) -> str | None:
    """Return what to tell of a full disk or a missing permission; None for any other error."""
    if isinstance(error, OSError) and error.errno in NO_PERMISSION:
        return f"no permission for {_place(error).absolute()}: {error.strerror}."
    # Libraries wrap the error of a full disk in their own, so its causes are looked through.
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in NO_SPACE:
            path = _place(cause).absolute()
            place = next(folder for folder in (path, *path.parents) if folder.exists())
            free_mb = shutil.disk_usage(place).free / 1e6
            return f"no space left on the disk of {path} ({free_mb:,.0f} MB free). Free some and run again."
        cause = cause.__cause__ or cause.__context__
    return None


def _place(error: OSError) -> Path:
    return Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else Path()
