"""`bioft download`: a command for each source that can be fetched, made of the signature of the function that does."""

from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperCommand

from bioft.cli import signature

OLD_NAMES = {"--directory": "--output", "--out": "--output"}


class Fetched(NamedTuple):
    """What a command fetches, what it is called when it is there, and the function that fetches it."""

    purpose: str
    label: str
    function: str

    def fetch(self) -> Any:
        """The function, imported now; it returns the path or the paths that it wrote."""
        module, _, name = self.function.partition(":")
        return getattr(import_module(f"bioft.datasets.{module}"), name)


FETCHED = {
    "ctd": Fetched("Fetch CTD's gene–disease file from ctdbase.org and show CTD's terms.", "CTD file", "download:ctd"),
    "bc5cdr": Fetched("Fetch the BC5CDR corpus from NCBI and show its terms.", "BC5CDR", "download:bc5cdr"),
    "chemdisgene": Fetched(
        "Fetch the ChemDisGene corpus from its authors' repository and show its terms.",
        "ChemDisGene",
        "download:chemdisgene",
    ),
    "bigg": Fetched(
        "Fetch the ids and names of metabolites from bigg.ucsd.edu and show BiGG's terms.",
        "BiGG metabolites",
        "download:bigg",
    ),
    "modelseed": Fetched(
        "Fetch the names of compounds, and their ids in other databases, from ModelSEED and show its terms.",
        "ModelSEED",
        "download:modelseed",
    ),
    "trials": Fetched(
        "Fetch trial records from the API of clinicaltrials.gov; the same command continues a download that broke "
        "off.",
        "Trials",
        "trials.download:download_trials",
    ),
    "pubmed": Fetched(
        "Fetch articles from PubMed; the same command continues a download that broke off.",
        "PubMed articles",
        "pubmed.download:collect",
    ),
}


class DownloadGroup(signature.FunctionGroup):
    """What is in `FETCHED`."""

    def helps(self) -> dict[str, str]:
        """What each command fetches."""
        return {name: fetched.purpose for name, fetched in FETCHED.items()}

    def make(self, name: str) -> TyperCommand:
        """The command that fetches one source."""
        purpose, label, _ = FETCHED[name]
        function = FETCHED[name].fetch()

        def run(**values: Any) -> None:
            found = function(**values)
            for path in [found] if isinstance(found, Path) else found:
                Console().print(Text(f"{label}: {path}", style="green"), soft_wrap=True)

        return signature.command(name, purpose, run, signature.parameters_of(function), OLD_NAMES)


app = typer.Typer(cls=DownloadGroup, no_args_is_help=True, help="Fetch a source from its own site.")
