"""The tab in which a run marks the entities of a text, and says its relations in words."""

from pathlib import Path

from bioft.tasks.entities.demo import add_finder
from bioft.tasks.joint import predict as prediction

TAB = "Entities and relations"


def add(run: Path, label: str) -> None:
    """Load the run and add its tab to the page that is being built; BioftError as `predict.load`."""
    add_finder(label, prediction.load(run), prediction.find)
