"""Commands on what an encoder of texts or names is for: `align`, `index`, `search`, `topics`, `mteb`, `demo`."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bioft.cli.options import Dtype, Overwrite, SkipBad, argument, option, output_option, renamed
from bioft.demo import check_installed
from bioft.errors import BioftError
from bioft.metrics.report import show
from bioft.storage.files import check_new_file
from bioft.storage.json_text import without_halves
from bioft.storage.text_lines import TextLines

app = typer.Typer()


@app.command()
def align(
    model: Annotated[
        Path,
        argument("Model (SBML, JSON, MAT, YAML), table with the columns id and name, or list with one name a line."),
    ],
    namespace: Annotated[
        str,
        option(
            "Of metabolites: bigg or modelseed (from `bioft download`), cobra (comes with bioft), or a file of such a "
            "kind. Of others: hpo (comes with bioft), or a folder of `bioft build namespace`."
        ),
    ],
    output_file: Annotated[Path, output_option("Table of matches to write (.tsv).")],
    run: Annotated[
        Path | None, option("Run of contrastive on metabolites, for its encoder.", default="no encoder")
    ] = None,
    one_to_one: Annotated[bool, option("Give no id of the namespace twice.", "--one-to-one")] = False,
    target_precision: Annotated[float, option("How often what nobody checks is to be right, such as 0.95.")] = 0.95,
    synonyms: Annotated[
        bool, option("Match to BiGG also by ModelSEED's names of its compounds (from `bioft download`).", "--synonyms")
    ] = False,
    annotate: Annotated[Path | None, option("Model to write, with the matches as annotations.")] = None,
    directory: Annotated[Path, option("Folder with what `bioft download` fetched.")] = Path("data"),
    overwrite: Overwrite = False,
    dtype: Dtype = None,
) -> None:
    """Match names, such as of a model's metabolites, to a namespace: match, no match, or a list to check by hand."""
    if not model.is_file():
        raise BioftError(f"There is no model and no list of names at {model}.")
    for path in filter(None, (output_file, annotate)):
        check_new_file(path, model, overwrite)
    if output_file.suffix.lower() not in (".tsv", ".txt"):
        raise BioftError(f"{output_file} is no .tsv: matches are written as tab-separated text.")
    from bioft.datasets.metabolites.namespaces import read_namespace, with_synonyms
    from bioft.tasks.name_alignment import concept_names, files as alignment_files

    if annotate is not None:
        alignment_files.check_annotated(model, annotate)
    metabolites = read_namespace(model)
    notice = Console(stderr=True, markup=False, soft_wrap=True)
    if concept_names.holds_concepts(namespace):
        if run or annotate or synonyms:
            raise BioftError("--run, --annotate and --synonyms are for namespaces of metabolites.")
        aligner, name = concept_names.aligner_of(namespace), ""
    else:
        known = read_namespace(namespace, directory)
        name = alignment_files.annotation_name(known) if annotate is not None else ""
        known = with_synonyms(known, directory) if synonyms else known
        if run is None:
            notice.print(
                "No --run: names are compared by their letters and the chemistry in them, without an encoder."
            )
        aligner = alignment_files.load_aligner(known, run)
    found = aligner.align(metabolites, target_precision=target_precision, one_to_one=one_to_one)
    alignment_files.write_table(found, output_file)
    show(alignment_files.summary(found, target_precision))
    typer.echo(f"Written to {output_file}")
    if annotate is not None:
        counts = alignment_files.annotate(model, found, name, annotate)
        what = ", ".join(f"{n:,} {kind}" for kind, n in counts.items()) or "no match"
        typer.echo(f"Annotated model written to {annotate} (metabolites: {what})")
    notice.print(Text(f"Terms of the namespace: {aligner.namespace.attrs['source']['terms']}"))


@app.command()
def index(
    output: Annotated[Path, output_option("Folder of the index.")],
    model: Annotated[str, argument("Run of contrastive, or a base model such as embedded:all-minilm-l6-v2.")] = "",
    articles: Annotated[
        list[Path] | None,
        argument(
            "XML of PubMed or PubMed Central, folders of it, or .csv, .tsv, .jsonl with id, text, title, year, mesh."
        ),
    ] = None,
    add: Annotated[bool, option("Add what an index that is there does not hold yet.", "--add")] = False,
    remove: Annotated[
        Path | None, option("Instead of articles: take those out whose ids are in this file, one a line.")
    ] = None,
    backend: Annotated[
        Literal["pytorch", "onnx-int8"],
        option("What embeds the articles: onnx-int8 is faster on a CPU and a little less exact."),
    ] = "pytorch",
    dimensions: Annotated[
        int | None, option("First dimensions of an embedding to keep.", default="all; as the index that is added to")
    ] = None,
    vectors: Annotated[
        Literal["float32", "float16", "int8"] | None,
        option("Numbers that the vectors are kept in.", default="float16; as the index that is added to"),
    ] = None,
    shard: Annotated[
        str | None, option("Index each 8th file alone, from the 2nd on, for 2/8; into a folder in that of --output.")
    ] = None,
    skip_bad: SkipBad = False,
    overwrite: Overwrite = False,
    dtype: Dtype = None,
) -> None:
    """Embed articles and keep them on disk in an index for `bioft search`."""
    from bioft.search import (
        articles as search_articles,
        encoder as search_encoder,
        index as search_index,
        layout,
        shards,
    )

    if remove is not None:
        if model or add or overwrite or dimensions or vectors or shard:
            raise BioftError("--remove takes neither a model nor articles: only the folder of the index (--output).")
        ids = [line.strip() for line in TextLines(remove, "Give a file with one id a line.") if line.strip()]
        left = search_index.remove_articles(output, ids)
        typer.echo(f"Removed {len(set(ids)):,} articles; {output} now holds {len(left):,}.")
        return
    if not (model and articles):
        raise BioftError("Name a model and the articles, such as: bioft index embedded:all-minilm-l6-v2 data/pubmed")
    if shard is not None:
        articles, name = shards.part(articles, shard)
        output /= name
    layout.check_target(output, add, overwrite)  # before all is read
    read, counts = search_articles.read_articles(articles, skip_bad=skip_bad)
    encoder = search_encoder.load_encoder(model, backend, dimensions)
    made, new = search_index.index_articles(
        output, encoder, read, add=add, overwrite=overwrite, stored_as=vectors, progress="Articles"
    )
    console = Console(soft_wrap=True, markup=False)
    met = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counts.items() if count)
    console.print(Text(f"Read: {met}"))
    console.print(Text(f"Indexed {new:,} articles; {output} now holds {len(made):,}.", style="green"))


@app.command()
def search(
    index: Annotated[
        str,
        argument(
            "Folder of `bioft index`, or of several, such as its shards; or the address of one that `bioft serve` "
            "serves, or several joined by commas."
        ),
    ],
    query: Annotated[str, argument("What to look for, in words.")] = "",
    words: Annotated[bool, option("By words alone (BM25).", "--words")] = False,
    meaning: Annotated[bool, option("By meaning alone (the encoder).", "--meaning")] = False,
    k: Annotated[int | None, option("Articles to find.", "-k", min=1, default="10; of many queries 100")] = None,
    from_year: Annotated[int | None, option("Published in this year or later.")] = None,
    to_year: Annotated[int | None, option("Published in this year or before.")] = None,
    mesh: Annotated[list[str] | None, option("MeSH term that an article must have; repeat.")] = None,
    queries: Annotated[
        Path | None,
        option("Instead of a query, many: table with id and query, or JSONL with id and text.", "--input"),
    ] = None,
    trec: Annotated[Path | None, option("Of many queries: file for what is found, as TREC's tools read it.")] = None,
    qrels: Annotated[Path | None, option("Of many queries: what is relevant (TREC or BEIR), to measure by.")] = None,
    as_json: Annotated[bool, option("Print what was found as JSON.", "--json")] = False,
    near_duplicates: Annotated[
        bool, option("Without a query: list the articles that are almost the same.", "--near-duplicates")
    ] = False,
    threshold: Annotated[float, option("Cosine from which on articles are near duplicates.")] = 0.95,
    rerank: Annotated[
        str | None, option("Cross-encoder that puts the first in order anew: a Hub id, or a folder.")
    ] = None,
    rerank_first: Annotated[int, option("Articles that it puts in order.", min=1)] = 50,
    model: Annotated[str | None, option("Where the run of the index is now.", default="as it was indexed")] = None,
    overwrite: Overwrite = False,
    dtype: Dtype = None,
) -> None:
    """Find the articles of an index by words and meaning together, or those that are nearly the same as each other."""
    query = without_halves(query)  # which Python makes of bytes that are not UTF-8
    asked = [name for name, given in (("a query", query.strip()), ("--input", queries)) if given]
    if near_duplicates == bool(asked) or len(asked) > 1:
        problem = f"{' and '.join(asked)} are given." if len(asked) > 1 else "The query is empty."
        problem = "--near-duplicates takes no query." if near_duplicates else problem
        raise BioftError(f'{problem} Say what to look for, such as "lung cancer treatment options".')
    if words and meaning:
        raise BioftError("--words and --meaning are both given. Leave both out to search by both.")
    if queries is None and (trec or qrels):
        raise BioftError("--trec and --qrels are for many queries. Give them with --input.")
    if queries is not None and not (trec or qrels or as_json):
        raise BioftError("Say what to do with what many queries find: --trec, --qrels or --json.")
    from bioft.search import index as search_index, remote
    from bioft.search.near_duplicates import near_duplicates as find_near_duplicates

    if near_duplicates:
        if remote.is_address(index):
            raise BioftError("--near-duplicates is for the folder of an index, not for one that is served.")
        pairs = find_near_duplicates(search_index.open_index(index), threshold)
        _print_found([each._asdict() for each in pairs], as_json)
        return
    filters = {"from_year": from_year, "to_year": to_year, "mesh": mesh or ()}
    way = "words" if words else "meaning" if meaning else "hybrid"
    if queries is not None:
        if trec is not None:
            check_new_file(trec, queries, overwrite)
        reranking = None if rerank is None else (rerank, rerank_first)
        _search_many(index, model, way, queries, k, filters, trec, qrels, as_json, reranking)
        return
    opened, k = remote.open_named(index), k or 10
    in_new_order = None if rerank is None else _reranker(opened, rerank, rerank_first)
    vector = None if words else search_index.load_encoder_of(opened, model).encode_query(query)
    hits = opened.search(vector, max(k, rerank_first) if rerank else k, "" if meaning else query, **filters)
    if in_new_order is not None:
        (hits,) = in_new_order([query], [hits])
    _print_hits(_with_sentences(opened, query, hits[:k]), query, as_json)


def _reranker(opened: Any, name: str, first: int) -> Callable[[list[str], list[list[Any]]], list[list[Any]]]:
    """Load a cross-encoder; what it returns puts what queries found in its order."""
    from bioft.search import rerank

    return partial(rerank.rerank, rerank.load_reranker(name), opened, first=first)


def _search_many(
    index: str,
    model: str | None,
    way: str,
    queries: Path,
    k: int | None,
    filters: dict[str, Any],
    trec: Path | None,
    qrels: Path | None,
    as_json: bool,
    reranking: tuple[str, int] | None,
) -> None:
    """Search for the queries of a file; write, measure or print what is found; reranked by a model, so many."""
    from bioft.search import evaluate, index as search_index, remote

    many, judged = evaluate.read_queries(queries), None if qrels is None else evaluate.read_qrels(qrels)
    if trec is not None:
        evaluate.check_trec_ids(many)
    opened, texts, k = remote.open_named(index), list(many.values()), k or evaluate.FOUND
    in_new_order = None if reranking is None else _reranker(opened, *reranking)
    vectors = None if way == "words" else search_index.load_encoder_of(opened, model).encode_queries(texts)
    given = {"hybrid": (vectors, texts), "words": (None, texts), "meaning": (vectors, None)}

    def by_id(found: list[list[Any]]) -> dict[str, list[Any]]:
        return {identifier: hits[:k] for identifier, hits in zip(many, found, strict=True)}

    def find(way: str, depth: int = k) -> list[list[Any]]:
        return opened.search_all(*given[way], depth, **filters)

    first = find(way, k if reranking is None else max(k, reranking[1]))
    systems = {way: by_id(first)}
    if in_new_order is not None:
        systems = {"reranked": by_id(in_new_order(texts, first)), **systems}
    found = next(iter(systems.values()))
    if trec is not None:
        evaluate.write_trec(trec, found, f"bioft-{way}{'' if reranking is None else '-reranked'}")
        typer.echo(f"{sum(map(len, found.values())):,} results of {len(found):,} queries written to {trec}", err=True)
    if judged is not None:
        halves = ("words", "meaning") if way == "hybrid" else ()
        measures = evaluate.measure(judged, systems | {half: by_id(find(half)) for half in halves})
        if as_json:
            typer.echo(json.dumps(measures, indent=2, ensure_ascii=False))
        else:
            _print_measures(evaluate.in_words(measures), measures)
    elif as_json:
        for identifier, hits in found.items():
            told = {"id": identifier, "found": _with_sentences(opened, many[identifier], hits)}
            typer.echo(json.dumps(told, ensure_ascii=False))


@app.command()
def topics(
    index: Annotated[Path, argument("Folder of `bioft index`.")],
    n: Annotated[int, option("Topics to make.", "-n", min=1)] = 10,
    seed: Annotated[int, option("Seed of the clusters.", min=0, max=2**32 - 1)] = 0,
    as_json: Annotated[bool, option("Print the topics as JSON.", "--json")] = False,
) -> None:
    """Group the articles of an index into topics, each with a name, its MeSH terms, years and middle."""
    from bioft.search import index as search_index
    from bioft.search.topics import find_topics

    found = find_topics(search_index.open_index(index), n, seed)
    if as_json:
        shown = ("name", "terms", "title", "id", "years")
        _print_found([{"articles": t.size} | {key: getattr(t, key) for key in shown} for t in found], True)
        return
    table = Table.grid(padding=(0, 1))
    for number, t in enumerate(found, 1):
        table.add_row(f"{number:>3}.", Text(f"{t.name or 'without a name'}, articles: {t.size:,}", "bold"))
        for what, told in (("MeSH", "; ".join(t.terms)), ("years", _over(t.years)), ("middle", t.title)):
            table.add_row("", Text(f"{what}: {told}")) if told else None
    Console(markup=False, highlight=False).print(table)


def _over(years: dict[int, int]) -> str:
    """Counts over years, in at most six spans: "1990–99: 3, 2000–09: 14"."""
    if not years:
        return ""
    span = next(each for each in (1, 2, 5, 10, 20, 50, 100, 10_000) if max(years) // each - min(years) // each < 6)
    counts: dict[int, int] = {}
    for year, count in years.items():
        counts[year // span * span] = counts.get(year // span * span, 0) + count
    return ", ".join(
        f"{first}{f'–{(first + span - 1) % 100:02}' if span > 1 else ''}: {n}" for first, n in counts.items()
    )


@app.command(cls=renamed({"--out": "--output"}))
def mteb(
    run: Annotated[Path, argument("Finished run of contrastive.")],
    task: Annotated[list[str], argument("Its tasks, such as NFCorpus and BIOSSES.")],
    output: Annotated[Path, output_option("Folder for the results, as JSON.")] = Path("mteb_results"),
    batch_size: Annotated[int, option("Texts that are encoded at a time.", min=1)] = 32,
) -> None:
    """Evaluate the encoder of a run, and its base model, on tasks of MTEB; data come from the Hub."""
    from bioft.tasks.retrieval import mteb as mteb_evaluation

    rows = mteb_evaluation.evaluate(run, mteb_evaluation.find_tasks(task), output, batch_size=batch_size)
    show(mteb_evaluation.table(rows))
    typer.echo(f"Results written to {output / mteb_evaluation.SUMMARY}")


def demo(
    index: Annotated[
        Path | None, argument("Folder of `bioft index`.", default="1,000 terms of HPO, built once")
    ] = None,
    run: Annotated[list[Path] | None, option("Finished run that gets a tab of its own; repeat for several.")] = None,
    model: Annotated[str | None, option("Where the run of the index is now.", default="as it was indexed")] = None,
    host: Annotated[str, option("Address to serve at; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int | None, option("Port to serve at.", default="the first free from 7860")] = None,
    share: Annotated[bool, option("Give out a public address through Gradio's servers.", "--share")] = False,
    output: Annotated[
        Path | None, output_option("Instead of serving, write a folder that can be pushed as a Space.")
    ] = None,
) -> None:
    """Show a page: search an index, compare texts, see a map of the articles, and try finished runs."""
    check_installed()
    if model is not None and index is None:
        raise typer.BadParameter("--model needs the folder of an index.")
    from bioft.demo import app, default_index, space
    from bioft.search import index as search_index

    directories, about = run or [], ""
    app.tasks_of(directories)  # before an index is made, which takes minutes
    if index is None:
        (opened, encoder), about = default_index.open_or_build(), default_index.about()
        typer.echo(
            f"No index was given: {len(opened):,} terms of the Human Phenotype Ontology, encoded by {encoder.name}"
        )
    else:
        opened = search_index.open_index(index)
        encoder = search_index.load_encoder_of(opened, model)
    built = app.build(opened, encoder, directories, about)
    if output is None:
        app.launch(built, host, port, share=share)
        return
    space.export(output, opened, encoder, directories, about)
    typer.echo(f"Written to {output}. To push it:")
    for command in space.push_commands(output):
        typer.echo(f"  {command}")


def _with_sentences(opened: Any, query: str, hits: list[Any]) -> list[dict[str, Any]]:
    """What was found as dicts, with the sentence that has most words of the query and where these stand in it."""
    from bioft.search import words

    asked, texts = words.words_of(query), opened.texts([hit.row for hit in hits])
    rows = []
    for hit, text in zip(hits, texts, strict=True):
        sentence, marks, place = words.snippet(hit.title, text, asked), [], 0
        for piece, marked in words.pieces(sentence, asked):
            marks += [[place, place + len(piece)]] if marked else []
            place += len(piece)
        told = {name: value for name, value in hit._asdict().items() if name != "row"}
        rows.append({**told, "sentence": sentence, "marked": marks})
    return rows


def _print_plainly(rows: list[dict[str, Any]], as_json: bool) -> bool:
    """Print rows as JSON, or that there are none; whether that was all."""
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    elif not rows:
        typer.echo("Nothing found.")
    return as_json or not rows


def _print_hits(rows: list[dict[str, Any]], query: str, as_json: bool) -> None:
    """Print what a query found as JSON, or as paragraphs in which its words stand out."""
    from bioft.search import words

    if _print_plainly(rows, as_json):
        return
    table, asked = Table.grid(padding=(0, 1)), words.words_of(query)
    for row in rows:
        about = [row["id"], row["year"], "retracted" if row["retracted"] else None]
        about += [None if row["score"] is None else f"cosine {row['score']:.3f}"]
        about += [None if row["cross_encoder"] is None else f"cross-encoder {row['cross_encoder']:.3f}"]
        about += [f"{way} {row[key]}" for way, key in (("words", "by_words"), ("meaning", "by_meaning")) if row[key]]
        told = " · ".join(str(each) for each in about if each is not None)
        table.add_row(f"{row['rank']:>3}.", _marked(row["title"], asked, "bold"))
        table.add_row("", _marked(row["sentence"], asked, "")) if row["sentence"] else None
        table.add_row("", Text(told, "dim"))
    Console(markup=False, highlight=False).print(table)


def _marked(text: str, asked: set[str], style: str) -> Text:
    from bioft.search import words

    return Text.assemble(*((p, f"{style} underline yellow" if m else style) for p, m in words.pieces(text, asked)))


def _print_measures(rows: list[list[str]], counts: dict[str, Any]) -> None:
    table = Table(*rows[0])
    for row in rows[1:]:
        table.add_row(*map(Text, row))
    show(table)
    if counts["not_asked"]:
        typer.echo(f"{counts['not_asked']:,} queries that were judged are not among those asked.")
    if not counts["relevant_found"]:
        hint = "compare their ids with those of the index"
        typer.echo(f"None of the {counts['relevant']:,} articles judged relevant was found: {hint}.")


def _print_found(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print rows as JSON or as a table; what a model found may be nothing."""
    if _print_plainly(rows, as_json):
        return
    table = Table(*(name.replace("_", " ") for name in rows[0]))
    for row in rows:
        cells = {name: f"{value:.3f}" if name == "score" else str(value) for name, value in row.items()}
        cells |= {name: "retracted" if row[name] else "" for name in {"retracted"} & row.keys()}
        cells |= {name: "" for name, value in row.items() if value is None}
        table.add_row(*(Text(cells[name]) for name in row))
    show(table)
