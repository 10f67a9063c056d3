"""Presets: the YAML files in `recipes/configs/<recipe>/<preset>.yaml`, found, listed, copied and checked."""

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bioft
from bioft.errors import BioftError, nearest, suggestion
from bioft.storage import files
from bioft.storage.yaml_config import key_lines

# `configs/accelerate` holds settings for `accelerate launch`: no recipe reads them with --config.
LAUNCH_CONFIGS = "accelerate"


@dataclass(frozen=True)
class Preset:
    """One YAML file: `recipe` and `name` identify it, `description` is its first comment line."""

    recipe: str
    name: str
    path: Path
    description: str


def recipes_directory() -> Path:
    """The folder with recipes and `configs/`, in a wheel or in the checkout; BioftError for a damaged installation."""
    package = Path(bioft.__file__).resolve().parent
    # The wheel's own folder first: a `recipes` folder beside an installed package belongs to someone else.
    for folder in (package / "_recipes", package.parent / "recipes"):
        if (folder / "configs").is_dir():
            return folder
    raise BioftError(f"No recipes found beside {package}. Reinstall bioft, or run it from a clone of its repository.")


def scripts() -> dict[str, Path]:
    """The scripts of bioft's recipes, by name."""
    return {path.stem: path for path in sorted(recipes_directory().glob("*.py"))}


def script(recipe: str) -> Path:
    """The script of a recipe, bioft's by its name or a file of one's own; BioftError names the nearest recipe."""
    known = scripts()
    if (name := recipe.replace("-", "_")) in known:
        return known[name]
    if recipe.endswith(".py"):
        if Path(recipe).is_file():
            return Path(recipe)
        raise BioftError(f"There is no script {recipe}. Recipes of bioft: {', '.join(known)}.")
    raise BioftError(f"There is no recipe {recipe!r}. {suggestion(recipe, known)}")


def is_path(preset: str) -> bool:
    """Whether a preset is given as a file instead of by its name."""
    return preset.endswith((".yaml", ".yml")) or "/" in preset


def about(recipe: Path) -> str:
    """What a recipe does: the first line of its script."""
    return _first_line(recipe).strip('"')


def list_presets() -> list[Preset]:
    """Return every preset, recipes in alphabetical order, `default` first, launch configs last."""
    configs = recipes_directory() / "configs"
    presets = []
    for path in configs.glob("*/*.yaml"):
        comment = _first_line(path)
        description = comment.lstrip("#").strip() if comment.startswith("#") else ""
        presets.append(Preset(path.parent.name, path.stem, path, description))
    return sorted(presets, key=lambda its: (its.recipe == LAUNCH_CONFIGS, its.recipe, its.name != "default", its.name))


def resolve_config(recipe: str, preset: str = "default") -> Path:
    """The path of a preset's YAML file; BioftError names the nearest where there is no such recipe or preset."""
    presets = list_presets()
    recipes = sorted({found.recipe for found in presets})
    if recipe not in recipes:
        raise BioftError(f"There is no recipe {recipe!r}. {nearest(recipe, recipes)} Recipes: {', '.join(recipes)}.")
    paths = {found.name: found.path for found in presets if found.recipe == recipe}
    if preset not in paths:
        others = [found.recipe for found in presets if found.name == preset]
        elsewhere = f" Recipe {' and '.join(others)} has it." if others else f" {nearest(preset, paths)}"
        raise BioftError(f"Recipe {recipe!r} has no preset {preset!r}.{elsewhere} Presets: {', '.join(paths)}.")
    return paths[preset]


def copy_preset(recipe: str, preset: str, destination: Path, *, overwrite: bool = False) -> Path:
    """Copy a preset's YAML to a file, or into a folder, and return it; BioftError: see `files.check_new_file`."""
    source = resolve_config(recipe, preset)
    target = destination / source.name if destination.is_dir() else destination
    files.check_new_file(target, None, overwrite)
    with files.new_file(target) as partial:
        shutil.copyfile(source, partial)
    return target


def check_keys(config: dict[str, Any], known: Collection[str], path: Path) -> None:
    """Check that the keys of a configuration are `known`; BioftError names others with file, line and the nearest."""
    unknown = [str(key) for key in config if key not in known]
    if not unknown:
        return
    lines = dict(key_lines(path.read_text(encoding="utf-8"))) if path.is_file() else {}
    where = {key: f"{path}, line {lines[key]}" if key in lines else str(path) for key in unknown}
    messages = (f"{where[key]}: unknown key {key!r}. {nearest(key, sorted(known))}".rstrip() for key in unknown)
    raise BioftError("\n".join(messages))


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return file.readline().strip()
