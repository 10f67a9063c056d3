"""Parquet files of somebody else's: how much they hold is read before they are."""

from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from bioft.errors import BioftError

FREE_CELLS = 10_000_000
CELLS_PER_BYTE = 4
"""A run of equal values takes next to nothing in a file: 14 MB can hold 400 million rows."""


def check_parquet(path: Path) -> None:
    """Refuse a Parquet file that holds far more cells than its size lets expect, before it is read: BioftError."""
    try:
        footer, size = pq.read_metadata(path), path.stat().st_size
        groups = [footer.row_group(index) for index in range(footer.num_row_groups)]
        cells = sum(group.column(index).num_values for group in groups for index in range(group.num_columns))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise BioftError(f"{path} can't be read: {error}.") from error
    cells = max(cells, footer.num_rows * footer.num_columns)
    if cells > max(FREE_CELLS, CELLS_PER_BYTE * size):
        raise BioftError(
            f"{path} has {footer.num_rows:,} rows in {size:,} bytes: it would take the whole memory, and is not read."
        )
