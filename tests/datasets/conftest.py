"""Fixtures of the tests of datasets."""

from collections.abc import Iterator

import pytest

from bioft.datasets.gene_disease import audit


@pytest.fixture(scope="module")
def leaks_alone() -> Iterator[None]:
    """Audits of gene–disease pairs that look for leaks alone: what can be predicted takes most of a build.

    That is tested in `gene_disease/test_splits.py`.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit, "surface", lambda *_: {})
        patch.setattr(audit, "_shortcuts", lambda *_: [])
        yield
