"""Identifiers of concepts, and those that are several of them in one."""

import re

UNLINKED = ("-1", "-", "")
"""What corpora write for a mention that is linked to no concept."""
_JOINED = re.compile(r"[|;,] ?")
# What stands alone as an id of a database: D001943, MESH:D001943, 7157, rs113488022, CVCL_0030, NM_000546.5.
_ACCESSION = re.compile(r"(?:[A-Za-z][\w.-]*:)?[A-Za-z]*_?\d[\w.]*")


def parts(identifier: str) -> list[str]:
    """The ids that are joined in one by "|", ";" or ",", as in composite mentions; else the id alone.

    An id is opaque: it is several only where each part is an id of a database on its own (or stands for none), so
    that "D1|D2" is two and a variant such as "p|SUB|A|10|G" is one.
    """
    found = _JOINED.split(identifier)
    return found if all(each in UNLINKED or _ACCESSION.fullmatch(each) for each in found) else [identifier]
