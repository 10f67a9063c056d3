"""Honest runs of every task, which all tests of forgeries copy."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.verify.forging import Forged, honest


@dataclass
class Runs:
    """Honest runs, made when they are first asked for."""

    folder: Path
    made: dict[str, Forged] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Forged:
        """The honest run of a task."""
        if name not in self.made:
            self.made[name] = honest(name, self.folder / name)
        return self.made[name]


@pytest.fixture(scope="session")
def of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """The honest runs, which name models and data relatively to the checkout."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(Path(__file__).parents[2])
        yield Runs(tmp_path_factory.mktemp("honest"))
