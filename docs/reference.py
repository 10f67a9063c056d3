"""Pages that the site makes of the code when it is built: every command and recipe with its options, and the API."""

import dataclasses
import pkgutil
import runpy
from collections.abc import Iterator
from typing import Any

import typer
from mkdocs.structure.files import File, Files
from transformers import TrainingArguments
from trl import ModelConfig
from typer.cli import get_docs_for_click

import bioft
from bioft.cli.main import app
from bioft.training import arguments, presets, recipe_help


def on_files(files: Files, config: Any) -> Files:
    """Add the references of commands and of recipes, and a page of the API for each package of bioft."""
    names = sorted({module.name for module in pkgutil.iter_modules(bioft.__path__)} - {"__main__", "cli"})
    made = {"commands.md": commands(), "recipes.md": "\n".join(recipes())}
    made |= {f"api/{name}.md": f"::: bioft.{name}\n" for name in names}
    for path, content in made.items():
        files.append(File.generated(config, path, content=content))
    config.nav.append({"API": [{f"bioft.{name}": f"api/{name}.md"} for name in names]})
    return files


def commands() -> str:
    """Every command of `bioft` with its arguments and options, as its help says them."""
    command = typer.main.get_command(app)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command, info_name="bioft"), name="bioft")
    return text.replace("# `bioft`", "# Command reference", 1)


def recipes() -> Iterator[str]:
    """The presets of every recipe, and its options but those of the trainer that few people change."""
    yield "# Recipes and their options\n\nEvery option is also a key of a preset. `--help_all` shows the rest."
    for name, script in presets.scripts().items():
        yield f"\n## `bioft train {name}`\n\n{presets.about(script)}\n\n| Preset | |\n|---|---|"
        yield from (
            f"| `{its.name}` | {_cell(its.description)} |" for its in presets.list_presets() if its.recipe == name
        )
        yield "\n| Option | |\n|---|---|"
        groups = arguments.groups_of(runpy.run_path(str(script))["main"])
        helps = {action.dest: action.help or "" for action in arguments.Parser(groups)._actions}
        for kind in groups:
            words = recipe_help.COMMON if issubclass(kind, ModelConfig | TrainingArguments) else helps
            options = (field.name for field in dataclasses.fields(kind) if field.init and field.name in words)
            yield from (f"| `--{option}` | {_cell(words[option])} |" for option in options)


def _cell(text: str) -> str:
    return " ".join(text.replace("%%", "%").replace("|", "\\|").split())
