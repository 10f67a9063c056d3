"""Symbols of genes that a spreadsheet turned into dates: SEPTIN2 was SEPT2 and became "2-Sep" (Ziemann 2016)."""

import logging
import os
import re
from collections.abc import Iterable
from pathlib import Path

logger = logging.getLogger(__name__)

_MONTH = r"(?:jan|feb|mar|mär|mrz|apr|may|mai|jun|jul|aug|sep|sept|oct|okt|nov|dec|dez)[a-z]*"
_DATE = re.compile(
    rf"\d{{1,2}}[-./ ]{{1,2}}{_MONTH}(?:[-./ ]\d{{2,4}})?|{_MONTH}[-./ ]\d{{1,4}}|\d{{4}}-\d\d-\d\d(?:[ T][\d:]+)?|"
    r"\d{1,2}[/.]\d{1,2}[/.]\d{2,4}|\d{1,2}月\d{1,2}日",
    re.IGNORECASE,
)
_SHOWN = 10


def is_date(gene: str) -> bool:
    """Whether the name of a gene is a date, as in 2-Sep, Mar-01 and 2001-03-01."""
    # Most names have no such sign, and there are many rows.
    return any(sign in gene for sign in "-/. 月") and _DATE.fullmatch(gene.strip()) is not None


def warn_of_dates(path: str | os.PathLike[str], genes: Iterable[str]) -> None:
    """Name the genes of a file that are dates, in one warning; they are kept as they are."""
    if found := list(dict.fromkeys(filter(is_date, genes))):
        more = f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
        logger.warning(
            "%s: %d gene%s a date, as spreadsheets make of SEPT2, MARCH1 and DEC1 (now SEPTIN2, MARCHF1 and DELEC1): "
            "%s%s. Put the symbols back.",
            Path(path).name,
            len(found),
            " is" if len(found) == 1 else "s are",
            ", ".join(found[:_SHOWN]),
            more,
        )
