"""A heatmap of the similarities of a handful of articles, as an HTML table that reads without its colours too."""

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from bioft.demo import page
from bioft.errors import BioftError
from bioft.metrics.report import decimals
from bioft.search.index import SearchIndex
from bioft.storage.pages import html

MOST = 8
"""Articles side by side that a phone has room for."""


def to_html(index: SearchIndex, ids: list[str]) -> str:
    """Return the cosine of each two of these articles as a table, and the list of their titles.

    Raises:
        BioftError: fewer than two articles or more than `MOST`, or one that is not in the index.
    """
    if not 2 <= len(ids) <= MOST:
        raise BioftError(f"{len(ids)} articles are chosen: choose 2 to {MOST} to compare them.")
    rows = pc.index_in(pa.array(ids, pa.string()), value_set=index.articles["id"].combine_chunks())
    if rows.null_count:
        raise BioftError(f"No article of the index has the id {ids[rows.is_null().index(True).as_py()]!r}.")
    vectors = index.embeddings(rows.to_numpy().astype(np.int64))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = np.clip(vectors @ vectors.T, -1, 1)
    titles = index.articles["title"].take(rows).to_pylist()
    return html(
        __package__,
        "heatmap.html.j2",
        cells=[list(map(_cell, values)) for values in cosines],
        articles=list(zip(titles, ids, strict=True)),
        address_of=page.address_of,
    )


def _cell(cosine: float) -> dict[str, str]:
    """A cell whose colour goes from white at 0 (and below) to dark teal at 1, with letters that stand out."""
    share = max(float(cosine), 0.0)
    red, green, blue = (round(255 + share * (end - 255)) for end in (15, 118, 110))
    letters = "#fff" if share > 0.6 else "#111"
    shown = decimals(cosine, 2) if abs(cosine) < 0.995 else "1"
    return {"shown": shown, "colour": f"rgb({red},{green},{blue})", "letters": letters}
