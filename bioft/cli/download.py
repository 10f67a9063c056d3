"""`bioft download`: a command for each source that can be fetched, made of the signature of the function that does."""

from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperCommand

from bioft.cli import signature

OLD_NAMES = {"--directory": "--output", "--out": "--output"}


# By command: what it fetches, what that is called when it is there, and the function in `bioft.datasets` that fetches
# it, which returns the path or the paths that it wrote.
FETCHED = {
    "ctd": ("Fetch CTD's gene–disease file from ctdbase.org and show CTD's terms.", "CTD file", "download:ctd"),
    "bc5cdr": ("Fetch the BC5CDR corpus from NCBI and show its terms.", "BC5CDR", "download:bc5cdr"),
    "chemdisgene": (
        "Fetch the ChemDisGene corpus from its authors' repository and show its terms.",
        "ChemDisGene",
        "download:chemdisgene",
    ),
    "bigg": (
        "Fetch the ids and names of metabolites from bigg.ucsd.edu and show BiGG's terms.",
        "BiGG metabolites",
        "download:bigg",
    ),
    "modelseed": (
        "Fetch the names of compounds, and their ids in other databases, from ModelSEED and show its terms.",
        "ModelSEED",
        "download:modelseed",
    ),
    "trials": (
        "Fetch trial records from the API of clinicaltrials.gov; the same command continues a download that broke "
        "off.",
        "Trials",
        "trials.download:download_trials",
    ),
    "pubmed": (
        "Fetch articles from PubMed; the same command continues a download that broke off.",
        "PubMed articles",
        "pubmed.download:collect",
    ),
}


class DownloadGroup(signature.FunctionGroup):
    """What is in `FETCHED`."""

    def helps(self) -> dict[str, str]:
        """What each command fetches."""
        return {name: purpose for name, (purpose, _, _) in FETCHED.items()}

    def make(self, name: str) -> TyperCommand:
        """The command that fetches one source."""
        purpose, label, place = FETCHED[name]
        module, _, attribute = place.partition(":")
        function = getattr(import_module(f"bioft.datasets.{module}"), attribute)

        def run(**values: Any) -> None:
            found = function(**values)
            for path in [found] if isinstance(found, Path) else found:
                Console(markup=False).print(Text(f"{label}: {path}", style="green"), soft_wrap=True)

        return signature.command(name, purpose, run, signature.parameters_of(function), OLD_NAMES)


app = typer.Typer(cls=DownloadGroup, no_args_is_help=True, help="Fetch a source from its own site.")
