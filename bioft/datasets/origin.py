"""What a dataset is made of, and the manifest that says so."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from datasets import DatasetDict

from bioft.cards.words import without_local_paths
from bioft.storage.datasets import SCHEMA_VERSION, fingerprint


class Origin(NamedTuple):
    """Which builder makes a dataset, of which sources; the licence is that of the sources, as for the Hub."""

    builder: str
    arguments: Mapping[str, Any]
    """Those of the builder that no other has."""
    sources: list[dict[str, Any]]
    license: Mapping[str, str]

    def manifest(self, dataset: DatasetDict, others: Mapping[str, Any], **about: Any) -> dict[str, Any]:
        """The manifest of a dataset with this origin, whose fingerprints are taken.

        `others` are further arguments of the builder; `about` is what else there is to say, in this order.
        """
        arguments = {**self.arguments, **others}
        return {
            "schema_version": SCHEMA_VERSION,
            "builder": self.builder,
            "arguments": arguments,
            "seed": arguments.get("seed"),
            "sources": self.sources,
            **self.license,
            **about,
            **{name: without_local_paths(about[name]) for name in ("skipped",) if name in about},
            "fingerprints": {name: fingerprint(rows) for name, rows in dataset.items()},
        }
