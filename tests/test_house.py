"""The house of bioft: imports go down and in no circle, rooms are small, and no generic room lists tasks or recipes.

Nothing is imported here: the files are read.
"""

import ast
import warnings
from collections import defaultdict
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from bioft import task as tasks

ROOT = Path(__file__).resolve().parents[1]
FLOORS = (
    ("bioft.errors", "bioft.task", "bioft.threads", "bioft"),
    ("bioft.storage",),
    ("bioft.models", "bioft.metrics"),
    ("bioft.cards",),
    ("bioft.hub",),
    ("bioft.datasets",),
    ("bioft.tasks",),
    ("bioft.inspect",),
    ("bioft.search", "bioft.verify"),
    ("bioft.export", "bioft.compare"),
    ("bioft.demo", "bioft.serve", "bioft.training"),
    ("bioft.cli", "recipes", "bioft.__main__"),
)
"""Of DESIGN.md, from the lowest: a file imports from its own floor and those below."""
UPWARD: dict[tuple[str, str], str] = {}
"""Imports that go up all the same, by file and what it imports, and why."""
FAMILIES = "the files of the folder itself are what its rooms share, and the door to all of them"
CIRCLES = {
    ("bioft.datasets", "bioft.datasets.*"): FAMILIES,
    ("bioft.tasks", "bioft.tasks.*"): FAMILIES,
    ("bioft.datasets.texts", "bioft.datasets.trials"): "labelled texts are made of trial records too",
    ("bioft.tasks.entities", "bioft.tasks.relations"): "error analysis of documents covers both",
    ("bioft.tasks.relations", "bioft.tasks.joint"): "relations end to end",
}
"""Imports between packages that would close a circle, by who imports and what, and why."""
GENERIC = ("cards", "cli", "compare", "demo", "export", "hub", "inspect", "metrics", "models", "search", "serve",
           "storage", "training", "verify")  # fmt: skip
"""The rooms that are the same for all tasks."""
NAMED: dict[str, str] = {}
"""Generic files that name tasks or recipes all the same, and why."""
LARGE = {
    "bioft.datasets.gene_disease.pairs.build_pairs": "the steps of building pairs in order",
}
"""Files and functions that are larger all the same, and why."""
MOST_LINES, MOST_FILES, MOST_RECIPE_LINES, MOST_FUNCTION_LINES = 450, 14, 150, 80


@cache
def trees() -> dict[str, ast.Module]:
    """Every file of `bioft` and `recipes` by the name of its module."""
    found = {}
    for folder in ("bioft", "recipes"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


def imports(name: str) -> set[str]:
    """The modules of bioft that a module imports, also inside its functions."""
    found = set()
    for node in ast.walk(trees()[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            for alias in node.names:
                found.add(f"{base}.{alias.name}" if f"{base}.{alias.name}" in trees() else base)
    return {module for module in found if module in trees() and module not in (name, "bioft")}


def package(module: str) -> str:
    """The room of a module; each task, and each family of datasets, is a room of its own."""
    parts = module.split(".")
    deep = len(parts) > 2 and parts[1] in ("tasks", "datasets") and (ROOT / Path(*parts[:3])).is_dir()
    return ".".join(parts[: 3 if deep else 2]) if parts[0] == "bioft" else "recipes"


def room(module: str) -> str:
    return module.split(".")[1]


def floor(module: str) -> int:
    wanted = "recipes" if module.startswith("recipes") else ".".join(module.split(".")[:2])
    return next(number for number, names in enumerate(FLOORS) if wanted in names)


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """The groups of more than one node that reach each other (Tarjan's strongly connected components)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in sorted(edges.get(node, ())):
            if other not in order:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], order[other])
        if low[node] == order[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(edges):
        if node not in order:
            visit(node)
    return found


def excepted(importer: str, imported: str) -> bool:
    """Whether an import between packages is an exception."""
    return any(
        importer == one and (imported == other or (other.endswith("*") and imported.startswith(other[:-1])))
        for one, other in CIRCLES
    )


def without_known(found: set[Any], known: Collection[Any], what: str) -> list[Any]:
    """What is no exception; warns of exceptions that are needed no longer."""
    if stale := sorted(set(known) - found):
        warnings.warn(f"exceptions of {what} that can go: {stale}", stacklevel=2)
    return sorted(found - set(known))


def test_no_circle_between_files() -> None:
    assert circles({name: imports(name) for name in trees()}) == []


def test_no_circle_between_packages() -> None:
    edges: dict[str, set[str]] = defaultdict(set)
    for name in trees():
        edges[package(name)] |= {
            package(other)
            for other in imports(name)
            if package(other) != package(name)
            and (name, other) not in UPWARD
            and not excepted(package(name), package(other))
        }
    assert circles(edges) == []


def test_imports_go_down() -> None:
    upward = {(name, other) for name in trees() for other in imports(name) if floor(other) > floor(name)}
    assert without_known(upward, UPWARD, "the direction of imports") == []


def test_every_room_is_small() -> None:
    large = []
    for path in sorted((ROOT / "bioft").rglob("*.py")):
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES:
            large.append(f"{path.relative_to(ROOT)}: {lines} lines")
    for path in sorted((ROOT / "recipes").glob("*.py")):
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_RECIPE_LINES:
            large.append(f"{path.relative_to(ROOT)}: {lines} lines")
    for folder in sorted(path for path in (ROOT / "bioft").rglob("*") if path.is_dir()):
        if (files := len(list(folder.glob("*.py")))) > MOST_FILES:
            large.append(f"{folder.relative_to(ROOT)}: {files} files")
    for name, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and not name.startswith("recipes"):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > MOST_FUNCTION_LINES:
                    large.append(f"{name}.{node.name}: {lines} lines")
    assert without_known({place.partition(":")[0] for place in large}, LARGE, "size") == [], large


def strings(tree: ast.Module) -> Iterator[str]:
    """The strings of a module, but for docstrings and the parts of f-strings."""
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value


def test_no_generic_room_names_a_task_or_a_recipe() -> None:
    recipes = {path.stem for path in (ROOT / "recipes").glob("*.py")}
    names = recipes | set(tasks.registered())
    generic = {name: tree for name, tree in trees().items() if name.startswith("bioft.") and room(name) in GENERIC}
    found = {name for name, tree in generic.items() if names & set(strings(tree))}
    assert without_known(found, NAMED, "naming tasks") == []
