"""The pages of documentation, and the commands that they show: in blocks of code and in running text."""

import re
from pathlib import Path
from typing import Any

import typer

from bioft.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", "docs/index.md"]
PAGES += sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/tasks/*.md"))
PAGES += sorted({str(path.relative_to(ROOT)) for path in ROOT.glob("docs/*.md")} - {*PAGES})
PAGES += ["CONTRIBUTING.md", "recipes/README.md"]
PROGRAMS = ("bioft", "python", "make", "accelerate", "pip")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)


def text(page: str) -> str:
    """The page."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """Its blocks of code in a language."""
    return [code for its, code in FENCED.findall(text(page)) if its == language]


def commands(page: str) -> list[str]:
    """What it shows to be run: the lines of its shell blocks, and commands in running text that say more than a name.

    `bioft compare` in a sentence names a command, as does `bioft train RECIPE`; `names` gives these.
    """
    lines = [line for block in blocks(page, "bash") for line in block.replace("\\\n", "").splitlines()]
    return list(dict.fromkeys([*lines, *(words for words in _in_text(page) if not _is_name(words))]))


def names(page: str) -> list[str]:
    """The commands that its sentences name, without `--help` and what stands for an argument."""
    return [" ".join(_named(words)) for words in _in_text(page) if _is_name(words)]


def command_of(words: list[str]) -> tuple[Any, typer.Context, list[str]]:
    """The command of `bioft` that these words call, the context in which, and the words that are left for it.

    Raises:
        LookupError: there is none of that name.
    """
    command: Any = typer.main.get_command(app)
    context = typer.Context(command, info_name="bioft")
    while hasattr(command, "list_commands") and words and not words[0].startswith("-"):
        if (found := command.get_command(context, words[0])) is None:
            raise LookupError(f"bioft has no command {words[0]}")
        context, command, words = typer.Context(found, info_name=words[0], parent=context), found, words[1:]
    return command, context, words


def _in_text(page: str) -> list[str]:
    spans = re.findall(r"(?<!`)`([^`]+)`(?!`)", FENCED.sub("", text(page)))
    return [words for words in (" ".join(span.split()) for span in spans) if words.split()[0] in PROGRAMS]


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
