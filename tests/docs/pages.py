"""The pages of documentation, and the commands that they show: in blocks of code and in running text."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from bioft.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", "docs/index.md"]
PAGES += sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/tasks/*.md"))
PAGES += sorted({str(path.relative_to(ROOT)) for path in ROOT.glob("docs/*.md")} - {*PAGES})
PAGES += ["CONTRIBUTING.md", "recipes/README.md"]
PROGRAMS = ("bioft ", "python ", "make ", "accelerate ", "pip ")
SHOWN = re.compile(
    r"^```(?P<language>\w*)\n(?P<code>.*?)^```$|(?<!`)`(?P<span>[^`]+)`(?!`)", flags=re.DOTALL | re.MULTILINE
)
"""Blocks of code, and code in sentences."""
BIOFT: Any = typer.main.get_command(app)
"""The command line, made once: it takes longer to make than a page to read."""


def text(page: str) -> str:
    """The page."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """Its blocks of code in a language."""
    return [found["code"] for found in SHOWN.finditer(text(page)) if found["language"] == language]


def commands(page: str) -> list[str]:
    """What it shows to be run, in order: the lines of its shell blocks, and what sentences say more of than a name.

    `bioft compare` in a sentence names a command, as does `bioft train RECIPE`; `names` gives these.
    """
    return [words for words, named in _found(page) if not named]


def names(page: str) -> list[str]:
    """The commands that its sentences name, without `--help` and what stands for an argument."""
    return [" ".join(_named(words)) for words, named in _found(page) if named]


def command_of(words: list[str]) -> tuple[Any, typer.Context, list[str]]:
    """The command of `bioft` that these words call, the context in which, and the words that are left for it.

    Raises:
        LookupError: there is none of that name.
    """
    command, context = BIOFT, typer.Context(BIOFT, info_name="bioft")
    while hasattr(command, "list_commands") and words and not words[0].startswith("-"):
        if (found := command.get_command(context, words[0])) is None:
            raise LookupError(f"bioft has no command {words[0]}")
        context, command, words = typer.Context(found, info_name=words[0], parent=context), found, words[1:]
    return command, context, words


def _found(page: str) -> Iterator[tuple[str, bool]]:
    """Each command once, and whether it is only named."""
    seen = set()
    for found in SHOWN.finditer(text(page)):
        if found["language"] == "bash":
            lines = [(line, False) for line in found["code"].replace("\\\n", "").splitlines()]
        else:
            words = " ".join((found["span"] or "").split())
            lines = [(words, _is_name(words))] if words.startswith(PROGRAMS) else []
        yield from (line for line in lines if line not in seen)
        seen.update(lines)


def _named(words: str) -> list[str]:
    named = words.removesuffix(" --help").split()
    while named and re.fullmatch(r"[A-Z]+…?|…", named[-1]):
        named.pop()
    return named


def _is_name(words: str) -> bool:
    program, *named = _named(words)
    if program != "bioft":
        return named in ([], ["launch"])
    try:
        return not command_of(named)[2]
    except LookupError:
        return True  # said by the test of names
