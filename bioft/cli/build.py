"""The commands of `bioft build`: each makes a dataset folder from one source."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.text import Text

from bioft.cli.options import Overwrite, Revision, SkipBad
from bioft.errors import BioftError

if TYPE_CHECKING:
    from datasets import DatasetDict

app = typer.Typer(no_args_is_help=True, help="Build a dataset: splits, negatives, audit, manifest.")

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
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Same seed, same source: same dataset.")]


@app.command("ctd")
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
    from bioft.datasets.gene_disease import ctd

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


@app.command("hpo")
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
    from bioft.datasets.hpo import gene_disease as hpo

    dataset, manifest = hpo.build(
        split=split,
        negatives=negatives,
        negatives_per_positive=negatives_per_positive,
        validation_size=validation_size,
        test_size=test_size,
        seed=seed,
    )
    _save_dataset(dataset, manifest, out, overwrite)


@app.command("bc5cdr")
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
    from bioft.datasets.documents import bc5cdr

    _save_dataset(*bc5cdr.build(path, skip_bad=skip_bad), out, overwrite)


@app.command("chemdisgene")
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
    from bioft.datasets.documents import chemdisgene

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


@app.command("trials")
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
    from bioft.datasets.trials import texts as trial_texts

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


@app.command("stop-reasons")
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
    from bioft.datasets.texts import stop_reasons

    options: dict[str, Any] = {"validation_size": validation_size, "test_size": test_size, "seed": seed}
    options["skip_bad"] = skip_bad
    if weak:
        assert path is not None
        dataset, manifest = stop_reasons.build_weak(path, **options)
    else:
        dataset, manifest = stop_reasons.build_gold(path, revision=revision, **options)
    _save_dataset(dataset, manifest, out, overwrite)


@app.command("gender")
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
    from bioft.datasets.trials import gender

    dataset, manifest = gender.build(
        path, validation_size=validation_size, test_size=test_size, seed=seed, skip_bad=skip_bad
    )
    _save_dataset(dataset, manifest, out, overwrite)


@app.command("pubtator")
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
    from bioft.datasets.documents import corpus as documents

    dataset, manifest = documents.build_from_pubtator(
        paths, validation_size=validation_size, test_size=test_size, seed=seed, skip_bad=skip_bad
    )
    _save_dataset(dataset, manifest, out, overwrite)


@app.command("metabolites")
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
    from bioft.datasets.metabolites import (
        build as metabolites,
        namespaces as metabolite_namespaces,
        pairs as metabolite_pairs,
    )

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


@app.command("hpo-synonyms")
def build_hpo_synonyms(
    out: Out,
    validation_size: ValidationSize = 0.1,
    test_size: TestSize = 0.2,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Build pairs of a name and a synonym from the Human Phenotype Ontology, which is installed with bioft."""
    _check_out(out, overwrite)
    from bioft.datasets.hpo import synonyms as hpo_synonyms

    dataset, manifest = hpo_synonyms.build(validation_size=validation_size, test_size=test_size, seed=seed)
    _save_dataset(dataset, manifest, out, overwrite)


@app.command("pubmed")
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
    from bioft.datasets.pubmed import collection as pubmed_collection, pairs as pubmed

    collection = pubmed_collection.read_collection(
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


@app.command("pubmed-headings")
def build_pubmed_headings(
    out: Out,
    source: Annotated[
        list[Path],
        typer.Option("--input", help="PubMed XML (.xml, .xml.gz) or a folder of such; repeat.", show_default=False),
    ],
    split: Annotated[
        Literal["component", "article"],
        typer.Option(help="Keep articles that citations connect in one split, or split them one by one."),
    ] = "component",
    max_heading_share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="More frequent MeSH headings make no pair.")
    ] = 0.05,
    validation_size: ValidationSize = 0.1,
    test_size: TestSize = 0.2,
    seed: Seed = 0,
    skip_bad: SkipBad = False,
    overwrite: Overwrite = False,
) -> None:
    """Build pairs of a MeSH heading and a PubMed article that has it, as in a search by topic."""
    _check_out(out, overwrite)
    from bioft.datasets.pubmed import headings as pubmed_headings

    dataset, manifest = pubmed_headings.build(
        source,
        split=split,
        max_heading_share=max_heading_share,
        validation_size=validation_size,
        test_size=test_size,
        seed=seed,
        skip_bad=skip_bad,
    )
    _save_dataset(dataset, manifest, out, overwrite)


@app.command("pubmed-pairs")
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
    from bioft.datasets.pubmed import published_pairs as pubmed_pairs

    dataset, manifest = pubmed_pairs.build(source, validation_size=validation_size, test_size=test_size, seed=seed)
    _save_dataset(dataset, manifest, out, overwrite)


def _check_out(out: Path, overwrite: bool) -> None:
    # Before the work of a build, not after it.
    if not overwrite and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BioftError(f"{out} exists and is not empty. Name another folder, or replace it with --overwrite.")


def _save_dataset(dataset: "DatasetDict", manifest: dict[str, Any], out: Path, overwrite: bool) -> None:
    """Save a dataset with its card and print what it holds."""
    from bioft.cards.dataset import dataset_card
    from bioft.inspect import inspect as inspection, tables
    from bioft.storage import datasets as storage

    storage.save(dataset, manifest, out, overwrite=overwrite, card=dataset_card(manifest, dataset))
    console = Console()
    console.print(tables.rows_table(manifest["rows"]))
    tables.print_audit(manifest["audit"], console)
    for note in inspection.notes(manifest):
        console.print(Text(note, style="yellow"))
    console.print(Text(f"Dataset written to {out}", style="green"), soft_wrap=True)
