"""The demo as a folder that can be pushed to the Hub as a Space: app, requirements, card, index, encoder and runs."""

import json
import re
import shlex
import shutil
from collections.abc import Sequence
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any

import bioft
from bioft.cards.words import render
from bioft.demo import page
from bioft.errors import BioftError
from bioft.hub import pull
from bioft.models import embedded
from bioft.search.encoder import SearchEncoder
from bioft.search.index import SearchIndex
from bioft.search.layout import MANIFEST
from bioft.storage import runs
from bioft.storage.files import new_folder, write_json

ENCODER = "encoder"
"""Folder of the encoder in a Space."""


def export(
    folder: Path, index: SearchIndex, encoder: SearchEncoder, directories: Sequence[Path] = (), about: str = ""
) -> None:
    """Write the demo to a new folder, whole or not at all; page and card say `about`.

    The package itself goes along, as do an encoder and runs that are folders here; base models are fetched from the
    Hub, or come with the requirements. BioftError: the folder is there already, or a base model that a Space has no
    way to get.
    """
    if folder.exists():
        raise BioftError(f"{folder} is there already. Name a new folder for the Space.")
    for run in (Path(encoder.name), *directories):
        _check_base(run)
    names = [f"runs/{number}-{directory.resolve().name}" for number, directory in enumerate(directories, 1)]
    local = Path(encoder.name).is_dir()
    with new_folder(folder) as made:
        ignored = shutil.ignore_patterns("__pycache__", "_recipes")
        shutil.copytree(Path(bioft.__file__).parent, made / "bioft", ignore=ignored)
        (made / "index").mkdir()
        for name in index.manifest["files"]:
            shutil.copy2(index.directory / name, made / "index" / name)
        manifest = index.manifest
        if local:
            shutil.copytree(encoder.name, made / ENCODER)
            manifest = {**manifest, "model": {**manifest["model"], "name": ENCODER}}
        write_json(made / "index" / MANIFEST, manifest)
        for directory, name in zip(directories, names, strict=True):
            shutil.copytree(directory, made / name)
        values = {"model": repr(ENCODER) if local else None, "runs": json.dumps(names), "about": repr(about)}
        (made / "app.py").write_text(render("space_app.py.j2", __package__, **values), encoding="utf-8")
        (made / "requirements.txt").write_text("".join(f"{each}\n" for each in requirements()), encoding="utf-8")
        (made / "README.md").write_text(
            _card(folder.name, index, encoder, about, _models(encoder, directories)), encoding="utf-8"
        )


def push_commands(folder: Path) -> list[str]:
    """Return the commands that make the Space and push the folder to it."""
    name = f"USER/{re.sub(r'[^A-Za-z0-9._-]+', '-', folder.name)}"
    return [
        f"hf repos create {name} --type space --sdk gradio",
        f"hf upload {name} {shlex.quote(str(folder))} . --type space",
    ]


def requirements() -> list[str]:
    """Return what bioft, its search and its models need, as pip takes it; Gradio comes with the Space."""
    wanted = re.compile(r"""; extra == ['"](search|llm)['"]$""")
    return [wanted.sub("", each) for each in requires("bioft") or () if "extra ==" not in each or wanted.search(each)]


def _check_base(run: Path) -> None:
    """Refuse a run whose base model, which its adapter needs, a Space has no way to get."""
    if not (run / "adapter_config.json").is_file():
        return
    base: dict[str, Any] = runs.read(run)["base_model"]
    known = str(base.get("name_or_path", base["id"]))
    if known.startswith(embedded.EMBEDDED_PREFIX):
        package = embedded.EMBEDDED[known.removeprefix(embedded.EMBEDDED_PREFIX)].package
        if not any(re.match(rf"{package}\b", each) for each in requirements()):
            raise BioftError(
                f"The base model of {run} comes with the package {package}, which a Space has no way to install. "
                "Train on the model's id on the Hub, or leave this run out of the Space."
            )
    elif Path(known).is_dir() or known.startswith((".", "/", "~")) or known.count("/") > 1:
        raise BioftError(
            f"The base model of {run} is the local folder {known}, which a Space does not have. Push it to the Hub "
            "and train on its id, or leave this run out of the Space."
        )


def _models(encoder: SearchEncoder, directories: Sequence[Path]) -> list[str]:
    """The models on the Hub that a Space uses: the bases of its runs, and runs that are from there."""
    found = set()
    for name in (encoder.name, *map(str, directories)):
        if name.startswith(embedded.EMBEDDED_PREFIX):
            found.add(embedded.EMBEDDED[name.removeprefix(embedded.EMBEDDED_PREFIX)].hub_id)
        elif not (Path(name) / runs.RECORD).is_file():
            found.add(name)
        else:
            found |= {str(runs.read(name)["base_model"]["id"]), (pull.origin(name) or {}).get("id", "")}
    return sorted(each for each in found if pull.is_repository_name(each) and not Path(each).exists())


def _card(name: str, index: SearchIndex, encoder: SearchEncoder, about: str, models: Sequence[str]) -> str:
    title = re.sub(r"[^\w.-]+", " ", name).strip() or "bioft"
    what = page.noun_of(index)
    return render(
        "space_card.md.j2",
        __package__,
        title=title,
        gradio=version("gradio"),
        articles=f"{len(index):,} {what}",
        models=models,
        bioft=bioft.__version__,
        encoder=f"the folder {ENCODER}" if Path(encoder.name).is_dir() else encoder.name,
        about=about,
    )
