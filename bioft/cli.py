"""The `bioft` command. Each command calls one function of the package and prints what it returns.

Nothing heavy may be imported at the top of this module: `bioft --help` must answer at once.
"""

import csv
import errno
import json
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

    from bioft.hub import PushResult

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
Revision = Annotated[str | None, typer.Option(help="Branch, tag or commit on the Hub.", show_default="main")]


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


SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave out documents in which something is wrong, and count them.")
]


@build_app.command("bc5cdr")
def build_bc5cdr(
    path: Annotated[
        Path, typer.Argument(help="CDR_Data.zip, or the folder with its PubTator files.", show_default=False)
    ],
    out: Out,
    skip_bad: SkipBad = False,
    overwrite: Overwrite = False,
) -> None:
    """Build BC5CDR (chemicals, diseases, chemical-induced diseases) in its official splits."""
    _check_out(out, overwrite)
    from bioft.datasets import bc5cdr

    _save_dataset(*bc5cdr.build(path, skip_bad=skip_bad), out, overwrite)


@build_app.command("chemdisgene")
def build_chemdisgene(
    path: Annotated[Path, typer.Argument(help="The curated corpus: its folder, or a JSON file.", show_default=False)],
    out: Out,
    train_path: Annotated[
        Path | None,
        typer.Option(
            "--train-path",
            help="Folder of the training corpus. Without it the curated documents are split at random.",
            show_default=False,
        ),
    ] = None,
    relation_types: Annotated[
        Literal["benchmark", "all"], typer.Option(help="The 14 types of the benchmark, or all 18.")
    ] = "benchmark",
    validation_size: ValidationSize = 0.1,
    test_size: TestSize = 0.2,
    seed: Seed = 0,
    skip_bad: SkipBad = False,
    overwrite: Overwrite = False,
) -> None:
    """Build ChemDisGene (chemicals, diseases, genes and the relations between them)."""
    _check_out(out, overwrite)
    from bioft.datasets import chemdisgene

    dataset, manifest = chemdisgene.build(
        path,
        train_path=train_path,
        relation_types=relation_types,
        validation_size=validation_size,
        test_size=test_size,
        seed=seed,
        skip_bad=skip_bad,
    )
    _save_dataset(dataset, manifest, out, overwrite)


@build_app.command("trials")
def build_trials(
    out: Out,
    source: Annotated[
        Path,
        typer.Option("--input", help="File, zip file or folder of trials (JSON, XML, CSV, .gz).", show_default=False),
    ],
    exclude: Annotated[
        Path | None,
        typer.Option(help="File of NCT ids to leave out: trials that the base model has seen.", show_default=False),
    ] = None,
    strip_symbols: Annotated[
        bool,
        typer.Option(
            "--strip-symbols", help="Remove brackets, % and other symbols, as was done for a published model."
        ),
    ] = False,
    validation_size: ValidationSize = 0.05,
    test_size: TestSize = 0.1,
    seed: Seed = 0,
    skip_bad: SkipBad = False,
    overwrite: Overwrite = False,
) -> None:
    """Build a dataset of texts (title, summary, description, eligibility) from records of ClinicalTrials.gov."""
    _check_out(out, overwrite)
    from bioft.datasets import trial_texts

    dataset, manifest = trial_texts.build(
        source,
        exclude=exclude,
        strip_symbols=strip_symbols,
        skip_bad=skip_bad,
        validation_size=validation_size,
        test_size=test_size,
        seed=seed,
    )
    _save_dataset(dataset, manifest, out, overwrite)


@build_app.command("stop-reasons")
def build_stop_reasons(
    out: Out,
    path: Annotated[
        Path | None,
        typer.Argument(
            help="data.json of Open Targets, or with --weak the TSV file of predicted reasons.",
            show_default="fetched from the Hub",
        ),
    ] = None,
    weak: Annotated[
        bool, typer.Option("--weak", help="The labels were predicted by a classifier: one a text, and no gold labels.")
    ] = False,
    revision: Revision = None,
    validation_size: ValidationSize = 0.1,
    test_size: TestSize = 0.2,
    seed: Seed = 0,
    skip_bad: SkipBad = False,
    overwrite: Overwrite = False,
) -> None:
    """Build texts that say why a clinical trial stopped, with their labels."""
    _check_out(out, overwrite)
    if weak and (path is None or revision is not None):
        raise typer.BadParameter("--weak needs the path of the TSV file, and has no --revision.")
    from bioft.datasets import stop_reasons

    options: dict[str, Any] = {"validation_size": validation_size, "test_size": test_size, "seed": seed}
    options["skip_bad"] = skip_bad
    if weak:
        assert path is not None
        dataset, manifest = stop_reasons.build_weak(path, **options)
    else:
        dataset, manifest = stop_reasons.build_gold(path, revision=revision, **options)
    _save_dataset(dataset, manifest, out, overwrite)


@build_app.command("gender")
def build_gender(
    path: Annotated[Path, typer.Argument(help="File, zip file or folder of trial records.", show_default=False)],
    out: Out,
    validation_size: ValidationSize = 0.1,
    test_size: TestSize = 0.2,
    seed: Seed = 0,
    skip_bad: SkipBad = False,
    overwrite: Overwrite = False,
) -> None:
    """Build texts of clinical trials with who may take part: All, Male, Female, or None where it is not said."""
    _check_out(out, overwrite)
    from bioft.datasets import gender

    dataset, manifest = gender.build(
        path, validation_size=validation_size, test_size=test_size, seed=seed, skip_bad=skip_bad
    )
    _save_dataset(dataset, manifest, out, overwrite)


@build_app.command("pubtator")
def build_pubtator(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Three PubTator files (train, validation, test), or one to be split.", show_default=False),
    ],
    out: Out,
    validation_size: ValidationSize = 0.1,
    test_size: TestSize = 0.2,
    seed: Seed = 0,
    skip_bad: SkipBad = False,
    overwrite: Overwrite = False,
) -> None:
    """Build a dataset of entities and relations from PubTator files of your own."""
    _check_out(out, overwrite)
    from bioft.datasets import documents

    dataset, manifest = documents.build_from_pubtator(
        paths, validation_size=validation_size, test_size=test_size, seed=seed, skip_bad=skip_bad
    )
    _save_dataset(dataset, manifest, out, overwrite)


@build_app.command("metabolites")
def build_metabolites(
    out: Out,
    namespace: Annotated[
        str, typer.Option(help="cobra (comes with bioft), BiGG's table from `bioft download bigg`, or another file.")
    ] = "cobra",
    modelseed: Annotated[
        Path | None, typer.Option(help="Folder of `bioft download modelseed`, for real synonyms.", show_default=False)
    ] = None,
    held_out: Annotated[
        list[Path] | None,
        typer.Option(help="Model to test on, none of whose compounds is trained on; repeat.", show_default=False),
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="Kind of pairs; repeat for several.", show_default="all kinds")
    ] = None,
    validation_size: ValidationSize = 0.1,
    test_size: TestSize = 0.2,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Build pairs of metabolite names: of the same compound, and of others that look alike."""
    _check_out(out, overwrite)
    from bioft.datasets import metabolite_namespaces, metabolite_pairs, metabolites

    synonyms, aliases = metabolite_namespaces.modelseed_files(modelseed) if modelseed else (None, None)
    dataset, manifest = metabolites.build(
        namespace=namespace,
        synonyms=synonyms,
        aliases=aliases,
        held_out_models=held_out or (),
        kinds=kind or metabolite_pairs.KINDS,
        validation_size=validation_size,
        test_size=test_size,
        seed=seed,
    )
    _save_dataset(dataset, manifest, out, overwrite)


@build_app.command("hpo-synonyms")
def build_hpo_synonyms(
    out: Out,
    validation_size: ValidationSize = 0.1,
    test_size: TestSize = 0.2,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Build pairs of a name and a synonym from the Human Phenotype Ontology, which is installed with bioft."""
    _check_out(out, overwrite)
    from bioft.datasets import hpo_synonyms

    dataset, manifest = hpo_synonyms.build(validation_size=validation_size, test_size=test_size, seed=seed)
    _save_dataset(dataset, manifest, out, overwrite)


@build_app.command("pubmed")
def build_pubmed(
    out: Out,
    source: Annotated[
        list[Path],
        typer.Option("--input", help="PubMed XML (.xml, .xml.gz) or a folder of such; repeat.", show_default=False),
    ],
    articles_out: Annotated[
        Path | None,
        typer.Option(help="Folder for the articles of each split, with those to be found.", show_default=False),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(help="citation, co-citation, coupling or mesh; repeat for several.", show_default="all kinds"),
    ] = None,
    split: Annotated[
        Literal["component", "article"],
        typer.Option(help="Keep articles that citations connect in one split, or split them one by one."),
    ] = "component",
    pairs_per_article: Annotated[int, typer.Option(min=1, help="Pairs of an article in training, at most.")] = 4,
    hard_share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Fraction of the negatives that are alike in words.")
    ] = 0.5,
    least_similarity: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Cosine of the MeSH headings from which on two articles pair.")
    ] = 0.2,
    least_shared_references: Annotated[int, typer.Option(min=1, help="From which on two articles pair.")] = 2,
    max_heading_share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="More frequent MeSH headings relate no two articles.")
    ] = 0.05,
    validation_size: ValidationSize = 0.1,
    test_size: TestSize = 0.2,
    seed: Seed = 0,
    skip_bad: SkipBad = False,
    overwrite: Overwrite = False,
) -> None:
    """Build pairs of PubMed articles that citations or topics relate, each with one that nothing relates."""
    for folder in filter(None, (out, articles_out)):
        _check_out(folder, overwrite)
    from bioft.datasets import pubmed

    collection = pubmed.read_collection(
        source,
        split=split,
        validation_size=validation_size,
        test_size=test_size,
        max_heading_share=max_heading_share,
        skip_bad=skip_bad,
        seed=seed,
    )
    least: dict[str, Any] = {
        "least_similarity": least_similarity,
        "least_shared_references": least_shared_references,
    }
    dataset, manifest = pubmed.build_pairs(
        collection,
        kinds=kind or pubmed.KINDS,
        pairs_per_article=pairs_per_article,
        hard_share=hard_share,
        seed=seed,
        **least,
    )
    _save_dataset(dataset, manifest, out, overwrite)
    if articles_out is not None:
        _save_dataset(*pubmed.build_articles(collection, **least), articles_out, overwrite)


@build_app.command("pubmed-pairs")
def build_pubmed_pairs(
    out: Out,
    source: Annotated[
        list[Path],
        typer.Option("--input", help="CSV file with text1, text2 and label; repeat for several.", show_default=False),
    ],
    validation_size: ValidationSize = 0.1,
    test_size: TestSize = 0.2,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Build pairs of texts from published CSV files, split anew so that no text is in two splits."""
    _check_out(out, overwrite)
    from bioft.datasets import pubmed_pairs

    dataset, manifest = pubmed_pairs.build(source, validation_size=validation_size, test_size=test_size, seed=seed)
    _save_dataset(dataset, manifest, out, overwrite)


def _check_out(out: Path, overwrite: bool) -> None:
    # Before the work of a build, not after it.
    if not overwrite and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BioftError(f"{out} exists and is not empty. Name another folder, or replace it with --overwrite.")


def _save_dataset(dataset: "DatasetDict", manifest: dict[str, Any], out: Path, overwrite: bool) -> None:
    """Save a dataset with its card and print what it holds."""
    from bioft import inspection
    from bioft.cards import dataset_card
    from bioft.datasets import storage

    storage.save(dataset, manifest, out, overwrite=overwrite, card=dataset_card(manifest, dataset))
    console = Console()
    console.print(inspection.rows_table(manifest["rows"]))
    inspection.print_audit(manifest["audit"], console)
    for note in inspection.notes(manifest):
        console.print(Text(note, style="yellow"))
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


@download_app.command("bc5cdr")
def download_bc5cdr(
    directory: Annotated[Path, typer.Option(help="Folder to put the file in.")] = Path("data"),
) -> None:
    """Fetch the BC5CDR corpus from NCBI and show its terms."""
    from bioft.datasets import download

    path = download.download("bc5cdr", directory)
    Console().print(Text(f"BC5CDR: {path}", style="green"), soft_wrap=True)


@download_app.command("chemdisgene")
def download_chemdisgene(
    directory: Annotated[Path, typer.Option(help="Folder to put the files in.")] = Path("data/chemdisgene"),
    training: Annotated[
        bool, typer.Option("--training", help="The training corpus too (76,942 abstracts, 58 MB).")
    ] = False,
) -> None:
    """Fetch the ChemDisGene corpus from its authors' repository and show its terms."""
    from bioft.datasets import download

    path = download.chemdisgene(directory, training=training)
    Console().print(Text(f"ChemDisGene: {path}", style="green"), soft_wrap=True)


@download_app.command("bigg")
def download_bigg(
    directory: Annotated[Path, typer.Option(help="Folder to put the file in.")] = Path("data"),
) -> None:
    """Fetch the ids and names of metabolites from bigg.ucsd.edu and show BiGG's terms."""
    from bioft.datasets import download

    path = download.download("bigg", directory)
    Console().print(Text(f"BiGG metabolites: {path}", style="green"), soft_wrap=True)


@download_app.command("modelseed")
def download_modelseed(
    directory: Annotated[Path, typer.Option(help="Folder to put the files in.")] = Path("data"),
) -> None:
    """Fetch the names of compounds, and their ids in other databases, from ModelSEED and show its terms."""
    from bioft.datasets import download

    for source in ("modelseed", "modelseed-aliases"):
        path = download.download(source, directory)
        Console().print(Text(f"ModelSEED: {path}", style="green"), soft_wrap=True)


@download_app.command("trials")
def download_trials(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder to put the pages of trials in.", show_default=False)
    ],
    query: Annotated[str, typer.Option(help="Words as in the site's search; without them every trial is found.")] = "",
    status: Annotated[
        str | None, typer.Option(help='Such as TERMINATED, or "TERMINATED|WITHDRAWN".', show_default=False)
    ] = None,
    max_trials: Annotated[int | None, typer.Option(min=1, help="End after so many.", show_default=False)] = None,
) -> None:
    """Fetch trial records from the API of clinicaltrials.gov; the same command continues a download that broke off."""
    from bioft.datasets import trials_api

    path = trials_api.download_trials(out, query, overall_status=status, max_trials=max_trials)
    Console().print(Text(f"Trials: {path}", style="green"), soft_wrap=True)


@download_app.command("pubmed")
def download_pubmed(
    query: Annotated[str, typer.Option(help="As in PubMed's search field.", show_default=False)],
    out: Annotated[
        Path, typer.Option("--out", "--output", "-o", help="Folder to put the articles in.", show_default=False)
    ],
    start: Annotated[
        str | None, typer.Option("--from", help="First date of publication: YYYY[-MM[-DD]].", show_default=False)
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Last date of publication: YYYY[-MM[-DD]].", show_default=False)
    ] = None,
    max_articles: Annotated[int | None, typer.Option(min=1, help="End after so many.", show_default=False)] = None,
    api_key: Annotated[
        str | None,
        typer.Option(
            envvar="NCBI_API_KEY", help="Of an NCBI account: 10 requests a second, not 3.", show_default=False
        ),
    ] = None,
    email: Annotated[
        str | None, typer.Option(envvar="NCBI_EMAIL", help="For NCBI, to reach you.", show_default=False)
    ] = None,
) -> None:
    """Fetch articles from PubMed; the same command continues a download that broke off."""
    from bioft.datasets import pubmed_download

    path = pubmed_download.collect(
        query, out, start=start, end=end, max_articles=max_articles, api_key=api_key, email=email
    )
    Console().print(Text(f"PubMed articles: {path}", style="green"), soft_wrap=True)


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
    top: Annotated[int, typer.Option(min=1, help="How many frequent genes, diseases or concepts to list.")] = 10,
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
    run: Annotated[Path, typer.Argument(help="Run directory.", show_default=False)],
    text: Annotated[str | None, typer.Option(help="Text to find entities or labels in.", show_default=False)] = None,
    nct_id: Annotated[
        list[str] | None,
        typer.Option(
            "--nct-id",
            help="Trial to label; repeat for several. Looked up in the records of --input, or on ClinicalTrials.gov.",
            show_default=False,
        ),
    ] = None,
    gene: Annotated[str | None, typer.Option(help="Name of the gene, as in BRCA1.", show_default=False)] = None,
    disease: Annotated[
        str | None, typer.Option(help='Name of the disease, as in "Breast Neoplasms".', show_default=False)
    ] = None,
    input_file: Annotated[
        Path | None,
        typer.Option(
            "--input",
            "-i",
            help="Texts as .txt (one document; for labels a text a line), .jsonl or .csv (rows with text) or "
            ".pubtator; trial records; pairs as CSV with the columns gene and disease.",
            show_default=False,
        ),
    ] = None,
    output_file: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File to write: .jsonl or .pubtator with the entities; .jsonl or .csv with the labels; for pairs CSV "
            "with score and prediction.",
            show_default=False,
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Web page to write, with the entities highlighted.", show_default=False)
    ] = None,
    skip_bad: SkipBad = False,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Pairs scored at once.", show_default="as many as fit")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Ask a finished run: for entities and relations in texts, for labels of texts, or to score gene–disease pairs."""
    if nct_id or _recipe_of(run) == "text_classification":
        if gene or disease or html or (text is not None and (input_file is not None or nct_id)):
            raise typer.BadParameter("give --text, --input or --nct-id (this one also with --input).")
        _predict_labels(run, text, input_file, nct_id or [], output_file, skip_bad, overwrite)
        return
    if text is not None or html is not None or (input_file is not None and _holds_documents(input_file)):
        if (text is None) == (input_file is None) or gene is not None or disease is not None:
            raise typer.BadParameter("give either --text or --input with a file of texts.")
        _predict_in_documents(run, text, input_file, output_file, html, skip_bad, overwrite)
        return
    if input_file is not None and output_file is not None and gene is None and disease is None:
        rows = _read_pairs(input_file)
        _check_output(output_file, input_file, overwrite)
    elif gene is not None and disease is not None and input_file is None and output_file is None:
        rows = [{"gene": gene, "disease": disease}]
        if not gene.strip() or not disease.strip():
            raise typer.BadParameter("--gene and --disease must not be empty.")
    else:
        raise typer.BadParameter("give --text, or --gene and --disease, or --input (pairs need --output too).")

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


Repository = Annotated[str, typer.Argument(help="user/name on the Hub.", show_default=False)]
Public = Annotated[bool, typer.Option("--public", help="Visible to everyone; without it a new repository is private.")]
CreatePr = Annotated[bool, typer.Option("--create-pr", help="Open a pull request instead of committing to main.")]
Branch = Annotated[
    str | None, typer.Option("--revision", help="Branch to commit to, made if missing.", show_default="main")
]
Tag = Annotated[str | None, typer.Option(help="Tag for the commit, as in v1.0.", show_default=False)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check, and list what would be sent; send nothing.")]
PulledTo = Annotated[
    Path | None, typer.Argument(help="New folder for it.", show_default="in the cache of bioft, by commit")
]


@app.command("push-adapter")
def push_adapter(
    run: Annotated[Path, typer.Argument(help="Run directory.", show_default=False)],
    repository: Repository,
    public: Public = False,
    create_pr: CreatePr = False,
    revision: Branch = None,
    tag: Tag = None,
    dry_run: DryRun = False,
) -> None:
    """Push a finished run to the Hub, in one commit: adapter, record, predictions, card."""
    from bioft import hub

    result = hub.push_adapter(
        run, repository, private=not public, create_pr=create_pr, revision=revision, tag=tag, dry_run=dry_run
    )
    _print_push(result)


@app.command("push-dataset")
def push_dataset(
    dataset: Annotated[Path, typer.Argument(help="Folder that `bioft build` wrote.", show_default=False)],
    repository: Repository,
    accept_terms: Annotated[
        bool, typer.Option("--accept-terms", help="You meet the terms of the sources for passing their data on.")
    ] = False,
    public: Public = False,
    create_pr: CreatePr = False,
    revision: Branch = None,
    tag: Tag = None,
    dry_run: DryRun = False,
) -> None:
    """Push a dataset to the Hub, in one commit: Parquet, manifest, card."""
    from bioft import hub

    result = hub.push_dataset(
        dataset,
        repository,
        private=not public,
        accept_terms=accept_terms,
        create_pr=create_pr,
        revision=revision,
        tag=tag,
        dry_run=dry_run,
    )
    _print_push(result)


@app.command("pull-adapter")
def pull_adapter(repository: Repository, directory: PulledTo = None, revision: Revision = None) -> None:
    """Fetch a run from the Hub and check it: checksums, base model, no pickles and no code of its own."""
    from bioft import hub

    _print_pulled(hub.pull_adapter(repository, directory, revision=revision))


@app.command("pull-dataset")
def pull_dataset(repository: Repository, directory: PulledTo = None, revision: Revision = None) -> None:
    """Fetch a dataset from the Hub and check that its rows are those of its manifest."""
    from bioft import hub

    _print_pulled(hub.pull_dataset(repository, directory, revision=revision))


def _print_push(result: "PushResult") -> None:
    """Print what was sent or, after a dry run, the files and the card that would be."""
    from bioft import runs

    console = Console()
    if result.commit is None:
        typer.echo(f"Would be sent to {result.url}:")
        table = Table()
        table.add_column("file", overflow="fold")
        table.add_column("bytes", justify="right")
        for name, size in result.files:
            table.add_row(Text(name), f"{size:,}")
        table.add_row("together", f"{sum(size for _, size in result.files):,}")
        console.print(table)
        typer.echo(f"\n{runs.CARD}:\n\n{result.card}")
    elif result.changed:
        where = result.pull_request or result.url
        console.print(Text(f"Pushed {len(result.files)} files to {where}", style="green"), soft_wrap=True)
        console.print(f"Commit {result.commit}")
    else:
        where = f"Pull request {result.pull_request}" if result.pull_request else result.url
        console.print(
            Text(f"{where} has these files already, at commit {result.commit}", style="green"), soft_wrap=True
        )


def _print_pulled(folder: Path) -> None:
    from bioft import hub

    source = hub.origin(folder)
    assert source is not None
    console = Console()
    console.print(Text(f"{source['id']} at {source['revision']}, checked:", style="green"), soft_wrap=True)
    console.print(Text(str(folder)), soft_wrap=True)


@app.command()
def verify(
    name: Annotated[str, typer.Argument(help="user/name on the Hub, or a run directory.", show_default=False)],
    revision: Revision = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Make only so many predictions again.", show_default="all of them")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Which ones --sample draws.", show_default="fresh")] = None,
    dataset_path: Annotated[
        Path | None,
        typer.Option(
            exists=True, help="The data, if they are not on the Hub: their source file, or a folder of `bioft build`."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Evaluate a published run again: verified (exit code 0), not reproduced (1) or cannot be checked (2), and why."""
    import json

    from bioft import verification

    found = verification.verify(
        name, revision=revision, sample=sample, seed=seed, dataset_path=dataset_path, progress=not as_json
    )
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2))
    else:
        verification.print_verification(found)
    raise typer.Exit(verification.EXIT_CODES[found.status])


@app.command()
def compare(
    names: Annotated[
        list[str],
        typer.Argument(help="Run directories, or user/name (or user/name@revision) on the Hub.", show_default=False),
    ],
    metric: Annotated[
        str | None, typer.Option(help="What to rank by.", show_default="the main metric of the task")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Write Markdown, CSV, HTML and a plot into this new folder.", show_default=False
        ),
    ] = None,
    resamples: Annotated[int, typer.Option(min=100, help="Resamples of the paired bootstrap.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
) -> None:
    """Rank runs on the same test examples, with intervals and paired tests corrected for their number."""
    from bioft import run_comparison

    found = run_comparison.compare(names, metric=metric, n_resamples=resamples, seed=seed)
    run_comparison.print_comparison(found)
    if output is not None:
        run_comparison.write_comparison(found, output)
        print(f"Written to {output}")


@app.command()
def reproduce(
    name: Annotated[str, typer.Argument(help="Run directory, or user/name on the Hub.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the new run.", show_default="runs/<recipe>/<name>-reproduced"),
    ] = None,
    revision: Revision = None,
    dataset_path: Annotated[
        Path | None,
        typer.Option(help="The data, if elsewhere now: their source file, or a folder of `bioft build`."),
    ] = None,
) -> None:
    """Train a run again as its record says: reproduced (exit code 0), or how far off its figures are (1)."""
    from bioft import reproduction

    found = reproduction.reproduce(name, output, revision=revision, dataset_path=dataset_path)
    reproduction.print_reproduction(found)
    raise typer.Exit(0 if found.holds else 1)


@app.command()
def merge(
    run: Annotated[
        str, typer.Argument(help="Run directory with an adapter, or user/name on the Hub.", show_default=False)
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="New folder for the model.", show_default=False)],
    dtype: Annotated[
        Literal["float32", "bfloat16", "float16"] | None,
        typer.Option(help="Type of the weights.", show_default="what is fast here"),
    ] = None,
    dataset_path: Annotated[
        Path | None,
        typer.Option(help="The data, if elsewhere now: their source file, or a folder of `bioft build`."),
    ] = None,
) -> None:
    """Merge the adapter of a run into its base model; both must give the same outputs on test examples."""
    from bioft import merging

    found = merging.merge(run, output, dtype=dtype, dataset_path=dataset_path)
    base = "its base model, dequantised from 4 bits" if found.dequantized else "its base model"
    typer.echo(
        f"Merged into {base}, in {found.dtype}. On the worst of {found.examples} test examples the outputs differ by "
        f"{found.drift:.2g} of their standard deviation ({found.tolerance:g} is allowed)."
    )
    Console().print(Text(f"Written to {found.directory}", style="green"), soft_wrap=True)


@app.command()
def leaderboard(
    names: Annotated[
        list[str],
        typer.Argument(help="Run directories, or user/name (or user/name@revision) on the Hub.", show_default=False),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="New folder for the page.", show_default=False)],
    verifications: Annotated[
        Path | None,
        typer.Option(help="Folder of JSON files, one a run, from `bioft verify RUN --json`.", show_default=False),
    ] = None,
    resamples: Annotated[int, typer.Option(min=100, help="Resamples of the paired bootstrap.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
) -> None:
    """Write a web page of ranked runs that opens without a network, and its rows as CSV and Parquet."""
    from bioft import leaderboard as board

    found = board.build_leaderboard(names, output, verifications=verifications, n_resamples=resamples, seed=seed)
    for name, reason in found.apart.items():
        Console(stderr=True).print(Text(f"Not ranked: {name}. {reason}", style="yellow"), soft_wrap=True)
    typer.echo(f"{len(found.rows):,} runs, written to {output / board.PAGE}")


@app.command()
def align(
    model: Annotated[
        Path,
        typer.Argument(
            help="Model (SBML, JSON, MAT, YAML), table with the columns id and name, or list with one name a line.",
            show_default=False,
        ),
    ],
    namespace: Annotated[
        str,
        typer.Option(
            help="bigg or modelseed (from `bioft download`), cobra (comes with bioft), or a file of such a kind.",
            show_default=False,
        ),
    ],
    output_file: Annotated[
        Path, typer.Option("--output", "-o", help="Table of matches to write (.tsv).", show_default=False)
    ],
    run: Annotated[
        Path | None,
        typer.Option(help="Run of contrastive on metabolites, for its encoder.", show_default="no encoder"),
    ] = None,
    one_to_one: Annotated[bool, typer.Option("--one-to-one", help="Give no id of the namespace twice.")] = False,
    target_precision: Annotated[
        float, typer.Option(help="How often what nobody checks is to be right, such as 0.95.")
    ] = 0.95,
    annotate: Annotated[
        Path | None, typer.Option(help="Model to write, with the matches as annotations.", show_default=False)
    ] = None,
    directory: Annotated[Path, typer.Option(help="Folder with what `bioft download` fetched.")] = Path("data"),
    overwrite: Overwrite = False,
) -> None:
    """Match the metabolites of a model to a namespace: match, no match, or a short list to check by hand."""
    if not model.is_file():
        raise BioftError(f"There is no model and no list of names at {model}.")
    for path in filter(None, (output_file, annotate)):
        _check_output(path, model, overwrite)
    from bioft import alignment_files
    from bioft.datasets.metabolite_namespaces import read_namespace

    metabolites, known = read_namespace(model), read_namespace(namespace, directory)
    name = alignment_files.annotation_name(known) if annotate is not None else ""
    notice = Console(stderr=True, soft_wrap=True)
    if run is None:
        notice.print("No --run: names are compared by their letters and the chemistry in them, without an encoder.")
    found = alignment_files.load_aligner(known, run).align(
        metabolites, target_precision=target_precision, one_to_one=one_to_one
    )
    alignment_files.write_table(found, output_file)
    Console().print(alignment_files.summary(found, target_precision))
    typer.echo(f"Written to {output_file}")
    if annotate is not None:
        counts = alignment_files.annotate(model, found, name, annotate)
        what = ", ".join(f"{n:,} {kind}" for kind, n in counts.items()) or "no match"
        typer.echo(f"Annotated model written to {annotate} (metabolites: {what})")
    notice.print(Text(f"Terms of the namespace: {known.attrs['source']['terms']}"))


@app.command()
def index(
    model: Annotated[
        str,
        typer.Argument(
            help="Run of contrastive, or a base model such as embedded:all-minilm-l6-v2.", show_default=False
        ),
    ],
    articles: Annotated[
        list[Path],
        typer.Argument(
            help="PubMed XML, folders of it, or .csv or .jsonl files with id, text, title, year, mesh.",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the index.", show_default=False)],
    add: Annotated[bool, typer.Option("--add", help="Add what an index that is there does not hold yet.")] = False,
    skip_bad: SkipBad = False,
) -> None:
    """Embed articles and keep them on disk in an index for `bioft search`."""
    from bioft import search_articles, search_encoder, search_index

    read, counts = search_articles.read_articles(articles, skip_bad=skip_bad)
    encoder = search_encoder.load_encoder(model)
    made, new = search_index.index_articles(output, encoder, read, add=add, progress="Articles")
    console = Console(soft_wrap=True)
    met = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counts.items() if count)
    console.print(Text(f"Read: {met}"))
    console.print(Text(f"Indexed {new:,} articles; {output} now holds {len(made):,}.", style="green"))


@app.command()
def search(
    index: Annotated[Path, typer.Argument(help="Folder of `bioft index`.", show_default=False)],
    query: Annotated[str, typer.Argument(help="What to look for, in words.", show_default=False)] = "",
    k: Annotated[int, typer.Option("-k", min=1, help="Articles to show.")] = 10,
    from_year: Annotated[int | None, typer.Option(help="Published in this year or later.", show_default=False)] = None,
    to_year: Annotated[int | None, typer.Option(help="Published in this year or before.", show_default=False)] = None,
    mesh: Annotated[
        list[str] | None, typer.Option(help="MeSH term that an article must have; repeat.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
    near_duplicates: Annotated[
        bool, typer.Option("--near-duplicates", help="Without a query: list the articles that are almost the same.")
    ] = False,
    threshold: Annotated[float, typer.Option(help="Cosine from which on articles are near duplicates.")] = 0.95,
    model: Annotated[
        str | None, typer.Option(help="Where the run of the index is now.", show_default="as it was indexed")
    ] = None,
) -> None:
    """Find the articles of an index that are nearest in meaning to a query, or nearly the same as each other."""
    if near_duplicates == bool(query.strip()):
        problem = "--near-duplicates takes no query." if near_duplicates else "The query is empty."
        raise BioftError(f'{problem} Say what to look for, such as "lung cancer treatment options".')
    from bioft import search_index

    opened = search_index.open_index(index)
    found: list[Any]
    if near_duplicates:
        found = opened.near_duplicates(threshold)
    else:
        from bioft import search_encoder

        vector = search_encoder.load_encoder_of(opened, model).encode_query(query)
        found = opened.search(vector, k, from_year=from_year, to_year=to_year, mesh=mesh or ())
    _print_found([each._asdict() for each in found], as_json)


@app.command()
def topics(
    index: Annotated[Path, typer.Argument(help="Folder of `bioft index`.", show_default=False)],
    n: Annotated[int, typer.Option("-n", min=1, help="Topics to make.")] = 10,
    seed: Annotated[int, typer.Option(help="Seed of the clusters.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the topics as JSON.")] = False,
) -> None:
    """Group the articles of an index into topics, each with its MeSH terms and the article in its middle."""
    from bioft import search_index
    from bioft.topics import find_topics

    found = find_topics(search_index.open_index(index), n, seed)
    rows = [
        {"articles": t.size, "terms": list(t.terms) if as_json else ", ".join(t.terms), "title": t.title, "id": t.id}
        for t in found
    ]
    _print_found(rows, as_json)


def _print_found(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print rows as JSON or as a table; what a model found may be nothing."""
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    if not rows:
        typer.echo("Nothing found.")
        return
    table = Table(*(name.replace("_", " ") for name in rows[0]))
    for row in rows:
        cells = {name: f"{value:.3f}" if name == "score" else str(value) for name, value in row.items()}
        cells |= {name: "retracted" if row[name] else "" for name in {"retracted"} & row.keys()}
        cells |= {name: "" for name, value in row.items() if value is None}
        table.add_row(*(Text(cells[name]) for name in row))
    Console().print(table)


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


def _holds_documents(path: Path) -> bool:
    from bioft import document_files

    return document_files.format_of(path) is not None


def _recipe_of(run: Path) -> str | None:
    from bioft import runs

    return str(runs.read(run)["recipe"]) if (run / runs.RECORD).is_file() else None


def _predict_labels(
    run: Path,
    text: str | None,
    source: Path | None,
    nct_ids: list[str],
    output: Path | None,
    skip_bad: bool,
    overwrite: bool,
) -> None:
    """Label a text, a file of texts or trials; show the labels where no file is written."""
    from bioft import text_prediction

    left_out: list[str] = []
    if text is not None:
        if not text.strip():
            raise typer.BadParameter("--text must not be empty.")
        texts = [text_prediction.InputText("text", text)]
    elif source is None and not nct_ids:
        raise typer.BadParameter("give --text, --input or --nct-id.")
    else:
        texts = text_prediction.read_input(run, source, nct_ids, left_out, skip_bad=skip_bad)
    if output is not None:
        if output.suffix not in text_prediction.OUTPUTS:
            raise BioftError(f"{output} is neither .csv nor .jsonl: labels can be written as one of these.")
        _check_output(output, source, overwrite)
    progress = "Texts" if output is not None else None  # the answers alone are what goes to standard output
    answers = text_prediction.predict_with_run(run, [each.text for each in texts], progress=progress)
    if output is None:
        for each, answer in zip(texts, answers, strict=True):
            likely = sorted(answer.scores.items(), key=lambda item: -item[1])[:3]
            scores = ", ".join(f"{label} {score:.3f}" for label, score in likely)
            typer.echo(f"{each.id}: {', '.join(answer.labels) or 'no label'} ({scores})")
    else:
        text_prediction.write(output, texts, answers)
        typer.echo(f"{len(texts):,} texts labelled, written to {output}", err=True)
    for message in left_out:
        Console(stderr=True).print(Text(f"Left out: {message}", style="yellow"), soft_wrap=True)


def _predict_in_documents(
    run: Path,
    text: str | None,
    source: Path | None,
    output: Path | None,
    html: Path | None,
    skip_bad: bool,
    overwrite: bool,
) -> None:
    """Find entities and relations in a text or a file of texts; show them where no file is written."""
    from bioft import document_files

    skipped: list[str] = []
    if source is not None:
        documents = document_files.read(source, skipped if skip_bad else None)
    elif text is None or not text.strip():
        raise typer.BadParameter("--text must not be empty.")
    else:
        documents = [document_files.InputDocument("text", text)]
    for path in (output, html):
        if path is not None:
            _check_output(path, source, overwrite)
    if output is not None and document_files.format_of(output) not in ("jsonl", "pubtator"):
        raise BioftError(f"{output} is neither .jsonl nor .pubtator: what is found can be written as one of these.")

    from bioft import document_prediction, highlighting, runs

    found = document_prediction.predict_documents(run, documents)
    entities = [each.entities for each in found]
    types = document_prediction.entity_types(run, found)
    shown = [
        highlighting.Highlighted(
            document.document_id, document.text, each.entities, document_prediction.statements(document, each)
        )
        for document, each in zip(documents, found, strict=True)
    ]
    console = Console()
    if output is not None:
        ids, relations = [each.ids for each in found], [each.relations for each in found]
        document_files.write(output, documents, entities, ids=ids, relations=relations, overwrite=overwrite)
    if html is not None:
        title = f"Entities found by {runs.read(run)['name']}"
        document_files.write_whole(html, [highlighting.to_html(shown, types, title)])
    if output is None and html is None:
        for document in shown:
            if source is not None:
                console.print(Text(document.document_id, style="bold"))
            console.print(highlighting.to_terminal(document, types), soft_wrap=True)
    if source is not None:
        n = sum(map(len, entities))
        related = sum(len(each.relations or ()) for each in found)
        what = f"{n:,} entities and {related:,} relations" if related else f"{n:,} entities"
        typer.echo(f"{what} in {len(documents):,} documents", err=True)
    for path in (output, html):
        if path is not None:
            typer.echo(f"Written to {path}", err=True)
    for message in skipped:
        Console(stderr=True).print(Text(f"Left out: {message}", style="yellow"), soft_wrap=True)


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


def _check_output(output: Path, source: Path | None, overwrite: bool) -> None:
    if output.exists() and (not overwrite or not output.is_file()):
        raise BioftError(f"{output} exists already. Name another file, or replace it with --overwrite.")
    if output.exists() and source is not None and output.samefile(source):
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
