"""The `bioft` command. Each command calls one function of the package and prints what it returns.

Nothing heavy may be imported at the top of this module: `bioft --help` must answer at once.
"""

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from bioft import __version__
from bioft.cli import build as build_commands, download as download_commands
from bioft.cli.options import Overwrite, Revision, SkipBad, check_output, renamed
from bioft.cli.predict import predict
from bioft.demo.command import demo
from bioft.errors import BioftError
from bioft.storage.files import disk_error

if TYPE_CHECKING:
    from bioft.hub.push import PushResult


class ErrorGroup(TyperGroup):
    """A group whose commands end with one clear message on stderr and exit code 1 for what users can mend."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except BioftError as error:
            message = str(error)
        except Exception as error:
            if (explained := disk_error(error)) is None:
                raise
            message = str(explained)
        Console(stderr=True, soft_wrap=True).print(Text(f"Error: {message}", style="red"))
        raise typer.Exit(1)


app = typer.Typer(
    cls=ErrorGroup,
    no_args_is_help=True,
    # The values of local variables may hold a token.
    pretty_exceptions_show_locals=False,
    help="Task recipes for biomedical language models, honest by construction.",
)
recipes_app = typer.Typer(
    invoke_without_command=True, help="List, show and copy the presets of the recipes (alone: list)."
)
app.add_typer(build_commands.app, name="build")
app.add_typer(download_commands.app, name="download")
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


@recipes_app.callback()
def _recipes(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        recipes_list()


@recipes_app.command("list")
def recipes_list() -> None:
    """List the presets of every recipe."""
    from bioft.training import presets

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
    from bioft.training import presets

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
    from bioft.training import presets

    path = presets.copy_preset(recipe, preset, destination, overwrite=overwrite)
    typer.echo(f"Copied to {path}")


@app.command(cls=renamed({"--out": "--output"}))
def inspect(
    dataset: Annotated[Path, typer.Argument(help="Folder that `bioft build` wrote.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for `inspection/`.", show_default="the dataset's own folder"),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many frequent names, concepts or words to list.")] = 10,
    overwrite: Overwrite = False,
) -> None:
    """Show what is in a dataset: counts, overlap of splits, lengths, frequent names and words, labels, audit."""
    from bioft.inspect import inspect as inspection

    report, folder = inspection.inspect_dataset(dataset, output, top=top, overwrite=overwrite)
    console = Console()
    inspection.print_report(report, console)
    for note in report["notes"]:
        console.print(Text(note, style="yellow"), soft_wrap=True)
    console.print(Text(f"Plots and {inspection.REPORT} written to {folder}", style="green"), soft_wrap=True)


@app.command()
def baselines(
    dataset: Annotated[Path, typer.Argument(help="Folder that `bioft build` wrote.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Score what needs no language model (popularity, names, graph) on the test split of a dataset."""
    import json

    from bioft.metrics import report as metrics_report
    from bioft.storage import datasets as storage
    from bioft.tasks.gene_disease import evaluate as evaluation

    splits, _ = storage.load(dataset)
    tables = evaluation.baselines(splits, {}, progress=True)
    results = {name: evaluation.figures(table, splits, {}) for name, table in tables.items()}
    if as_json:
        typer.echo(json.dumps(results, indent=2))
    else:
        Console().print(metrics_report.results_table(results, Console().width, evaluation.SHOWN))


app.command()(predict)
app.command()(demo)
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
    from bioft.hub import push as hub

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
    from bioft.hub import push as hub

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
    from bioft.hub import pull as hub_pull

    _print_pulled(hub_pull.pull_adapter(repository, directory, revision=revision))


@app.command("pull-dataset")
def pull_dataset(repository: Repository, directory: PulledTo = None, revision: Revision = None) -> None:
    """Fetch a dataset from the Hub and check that its rows are those of its manifest."""
    from bioft.hub import pull as hub_pull

    _print_pulled(hub_pull.pull_dataset(repository, directory, revision=revision))


def _print_push(result: "PushResult") -> None:
    """Print what was sent or, after a dry run, the files and the card that would be."""
    from bioft.storage import runs

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
    from bioft.hub import pull as hub_pull

    source = hub_pull.origin(folder)
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
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**32 - 1, help="Which ones --sample draws.", show_default="fresh")
    ] = None,
    dataset_path: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            help="The data, if they are neither on the Hub nor where the run was trained on them: their source file, "
            "or a folder of `bioft build`.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Evaluate a published run again: verified (exit code 0), not reproduced (1) or cannot be checked (2), and why."""
    import json

    from bioft.verify import verify as verification

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
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the bootstrap.")] = 0,
) -> None:
    """Rank runs on the same test examples, with intervals and paired tests corrected for their number."""
    from bioft.compare import compare as run_comparison
    from bioft.training import seeds as seed_runs

    found = run_comparison.compare(seed_runs.expand(names), metric=metric, n_resamples=resamples, seed=seed)
    run_comparison.print_comparison(found)
    if output is not None:
        run_comparison.write_comparison(found, output)
        print(f"Written to {output}")


@app.command()
def seeds(
    names: Annotated[
        list[str],
        typer.Argument(
            help="Runs that differ in their seed only, or the folder that a recipe made with --seeds.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write seeds.json and seeds.md into this folder.", show_default=False),
    ] = None,
) -> None:
    """Summarise runs that differ in their seed only: mean, standard deviation and interval over the seeds."""
    from bioft.training import seeds as seed_runs

    summary = seed_runs.summarise(seed_runs.expand(names))
    seed_runs.print_summary(summary)
    if output is not None:
        seed_runs.write_summary(summary, output)
        print(f"Written to {output}")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def sweep(
    context: typer.Context,
    recipe: Annotated[
        str, typer.Argument(help="Name of the recipe, such as text_classification.", show_default=False)
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the sweep.", show_default=False)],
    grid: Annotated[
        list[str] | None, typer.Option(help="key=value,value: values of one key of the recipe; repeat for others.")
    ] = None,
    ranges: Annotated[
        list[str] | None, typer.Option("--range", help="key=low,high or key=low,high,log; with --trials.")
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(min=1, help="Configurations that Optuna's TPE sampler draws.", show_default="all of the grid"),
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="What to choose by.", show_default="the main metric of the task")
    ] = None,
    minimize: Annotated[bool, typer.Option("--minimize", help="Choose the lowest value.")] = False,
    skip_failed: Annotated[
        bool, typer.Option("--skip-failed", help="Choose among the others where a configuration failed.")
    ] = False,
) -> None:
    """Train a recipe with many configurations, choose one on the validation split, and test only that one.

    All other options are those of the recipe, such as --config and --dataset_path. An interrupted sweep continues with
    the same command.
    """
    from bioft.training import sweep as sweeping

    found = sweeping.sweep(
        recipe,
        context.args,
        output,
        grid=sweeping.parse_values(grid or []),
        ranges=sweeping.parse_values(ranges or []),
        trials=trials,
        metric=metric,
        minimize=minimize,
        skip_failed=skip_failed,
    )
    sweeping.print_sweep(found)
    print(f"Written to {output}")
    raise typer.Exit(0 if found.test is not None and not found.failed else 1)


@app.command()
def analyze(
    names: Annotated[
        list[str],
        typer.Argument(help="Run directories, or user/name (or user/name@revision) on the Hub.", show_default=False),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="New folder for the page and its files.", show_default=False)
    ],
    embeddings: Annotated[
        bool, typer.Option("--embeddings", help="Also embed test examples with the base model and the fine-tuned one.")
    ] = False,
    sample: Annotated[int, typer.Option(min=20, help="Test examples to embed, at most.")] = 500,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the sample, the map and the probe.")] = 0,
    dataset_path: Annotated[
        Path | None,
        typer.Option(help="The data, if elsewhere now: their source file, or a folder of `bioft build`."),
    ] = None,
) -> None:
    """Show why a run is better or worse than its base model: what changed, and which examples are hard."""
    from bioft.compare import analyze as analysis, page as analysis_page

    options = analysis.Options(embeddings=embeddings, sample=sample, seed=seed, dataset_path=dataset_path)
    analysis_page.print_chapters(analysis.analyse(names, output, options))
    print(f"Written to {output / analysis_page.PAGE}")


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
    from bioft.training import reproduce as reproduction

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
        typer.Option(help="Type of the weights.", show_default="that of the base model"),
    ] = None,
    dataset_path: Annotated[
        Path | None,
        typer.Option(help="The data, if elsewhere now: their source file, or a folder of `bioft build`."),
    ] = None,
) -> None:
    """Merge the adapter of a run into its base model; both must give the same outputs on test examples."""
    from bioft.export import merge as merging

    found = merging.merge(run, output, dtype=dtype, dataset_path=dataset_path)
    base = "its base model, dequantised from 4 bits" if found.dequantized else "its base model"
    typer.echo(
        f"Merged into {base}, in {found.dtype}. On the worst of {found.examples} test examples the outputs differ by "
        f"{found.drift:.2g} of their standard deviation ({found.tolerance:g} is allowed)."
    )
    Console().print(Text(f"Written to {found.directory}", style="green"), soft_wrap=True)


@app.command()
def export(
    run: Annotated[str, typer.Argument(help="Run directory, or user/name on the Hub.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="New folder.", show_default=False)],
    to: Annotated[str, typer.Option("--to", help="The format: onnx.")] = "onnx",
    quantize: Annotated[
        Literal["int8"] | None, typer.Option(help="Round the weights to 8 bits.", show_default="float32")
    ] = None,
    dataset_path: Annotated[
        Path | None,
        typer.Option(help="The data, if elsewhere now: their source file, or a folder of `bioft build`."),
    ] = None,
) -> None:
    """Export the encoder of a run for other software; both must give the same predictions on test examples."""
    if to != "onnx":
        raise typer.BadParameter(
            f"bioft writes no {to}. For GGUF merge the run (bioft merge), and convert that with llama.cpp: see "
            "docs/export.md."
        )
    from bioft.export import onnx as export_onnx

    found = export_onnx.export(run, output, quantize=quantize, dataset_path=dataset_path)
    typer.echo(f"Exported to {found.format}. {found.parity.sentence()}")
    Console().print(Text(f"Written to {found.path}", style="green"), soft_wrap=True)


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
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the bootstrap.")] = 0,
) -> None:
    """Write a web page of ranked runs that opens without a network, and its rows as CSV and Parquet."""
    from bioft.compare import leaderboard as board
    from bioft.training import seeds as seed_runs

    found = board.build_leaderboard(
        seed_runs.expand(names), output, verifications=verifications, n_resamples=resamples, seed=seed
    )
    for name, reason in found.apart.items():
        Console(stderr=True).print(Text(f"Not ranked: {name}. {reason}", style="yellow"), soft_wrap=True)
    typer.echo(f"{len(found.rows):,} runs, written to {output / board.PAGE}")
    typer.echo("To publish it: hf repos create USER/leaderboard --type space --sdk static")
    typer.echo(
        f"               hf upload USER/leaderboard {output} . --type space (or --type dataset: the rows alone)"
    )


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
        check_output(path, model, overwrite)
    from bioft.datasets.metabolites.namespaces import read_namespace
    from bioft.tasks.name_alignment import files as alignment_files

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
    backend: Annotated[
        Literal["pytorch", "onnx-int8"],
        typer.Option(help="What embeds the articles: onnx-int8 is faster on a CPU and a little less exact."),
    ] = "pytorch",
    skip_bad: SkipBad = False,
) -> None:
    """Embed articles and keep them on disk in an index for `bioft search`."""
    from bioft.search import articles as search_articles, encoder as search_encoder, index as search_index

    read, counts = search_articles.read_articles(articles, skip_bad=skip_bad)
    encoder = search_encoder.load_encoder(model, backend)
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
    from bioft.search import index as search_index

    opened = search_index.open_index(index)
    found: list[Any]
    if near_duplicates:
        found = opened.near_duplicates(threshold)
    else:
        vector = search_index.load_encoder_of(opened, model).encode_query(query)
        found = opened.search(vector, k, from_year=from_year, to_year=to_year, mesh=mesh or ())
    _print_found([each._asdict() for each in found], as_json)


@app.command()
def topics(
    index: Annotated[Path, typer.Argument(help="Folder of `bioft index`.", show_default=False)],
    n: Annotated[int, typer.Option("-n", min=1, help="Topics to make.")] = 10,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the clusters.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the topics as JSON.")] = False,
) -> None:
    """Group the articles of an index into topics, each with its MeSH terms and the article in its middle."""
    from bioft.search import index as search_index
    from bioft.search.topics import find_topics

    found = find_topics(search_index.open_index(index), n, seed)
    rows = [
        {"articles": t.size, "terms": list(t.terms) if as_json else ", ".join(t.terms), "title": t.title, "id": t.id}
        for t in found
    ]
    _print_found(rows, as_json)


@app.command(cls=renamed({"--out": "--output"}))
def mteb(
    run: Annotated[Path, typer.Argument(help="Finished run of contrastive.", show_default=False)],
    task: Annotated[list[str], typer.Argument(help="Its tasks, such as NFCorpus and BIOSSES.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results, as JSON.")] = Path(
        "mteb_results"
    ),
    batch_size: Annotated[int, typer.Option(min=1, help="Texts that are encoded at a time.")] = 32,
) -> None:
    """Evaluate the encoder of a run, and its base model, on tasks of MTEB; data come from the Hub."""
    from bioft.tasks.retrieval import mteb as mteb_evaluation

    rows = mteb_evaluation.evaluate(run, mteb_evaluation.find_tasks(task), output, batch_size=batch_size)
    Console().print(mteb_evaluation.table(rows))
    typer.echo(f"Results written to {output / mteb_evaluation.SUMMARY}")


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
    from bioft.cli import doctor as checks

    found = checks.check_all()
    if as_json:
        typer.echo(checks.to_json(found))
    else:
        checks.print_report(found, Console())
    if any(check.status == "missing" for check in found):
        raise typer.Exit(1)
