"""The command `bioft demo`: serves the page, or writes it as a Space."""

from pathlib import Path
from typing import Annotated

import typer

from bioft.demo import check_installed


def demo(
    index: Annotated[
        Path | None, typer.Argument(help="Folder of `bioft index`.", show_default="1,000 terms of HPO, built once")
    ] = None,
    run: Annotated[
        list[Path] | None,
        typer.Option(help="Finished run that gets a tab of its own; repeat for several.", show_default=False),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Where the run of the index is now.", show_default="as it was indexed")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to serve at; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(help="Port to serve at.", show_default="the first free from 7860")
    ] = None,
    share: Annotated[
        bool, typer.Option("--share", help="Give out a public address through Gradio's servers.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Instead of serving, write a folder that can be pushed as a Space.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show a page: search an index, compare texts, see a map of the articles, and try finished runs."""
    check_installed()
    if model is not None and index is None:
        raise typer.BadParameter("--model needs the folder of an index.")
    from bioft.demo import app, default_index, space
    from bioft.search import index as search_index

    directories, about = run or [], ""
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
