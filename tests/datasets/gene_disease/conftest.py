"""Fixtures of the tests of gene–disease pairs."""

from collections.abc import Iterator

import pytest

from bioft.datasets.gene_disease import audit


@pytest.fixture(scope="module")
def leaks_alone() -> Iterator[None]:
    """Audits that look for leaks alone: what can be predicted, which `test_splits.py` tests, takes most of a build."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit, "surface", lambda *_: {})
        patch.setattr(audit, "_shortcuts", lambda *_: [])
        yield
