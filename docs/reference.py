"""Pages that the site makes of the code when it is built: every command with its options, and the API."""

import pkgutil
from typing import Any

import typer
from mkdocs.structure.files import File, Files
from typer.cli import get_docs_for_click

import bioft
from bioft.cli.main import app

COMMANDS = "commands.md"


def on_files(files: Files, config: Any) -> Files:
    """Add the command reference, and a page of the API for each package of bioft."""
    made = {COMMANDS: commands()}
    names = sorted(module.name for module in pkgutil.iter_modules(bioft.__path__) if not module.name.startswith("_"))
    made |= {f"api/{name}.md": f"::: bioft.{name}\n" for name in names if name != "cli"}
    for path, content in made.items():
        files.append(File.generated(config, path, content=content))
    config.nav.append({"API": [{f"bioft.{name}": f"api/{name}.md"} for name in names if name != "cli"]})
    return files


def commands() -> str:
    """Every command of `bioft` with its arguments and options, as its help says them."""
    command = typer.main.get_command(app)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command, info_name="bioft"), name="bioft")
    return text.replace("# `bioft`", "# Command reference", 1)
