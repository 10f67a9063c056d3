"""What of data that nobody built again from their source makes intervals narrower than they should be."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from bioft.storage.text_lines import normalise

SIDES = ("gene", "disease")


def doubts(splits: Mapping[str, Any]) -> list[str]:
    """Why test rows may be less independent than they are taken to be, each in a sentence.

    Texts that come again count as often as they are there, and a gene under several ids as several genes. Of data that
    are built by bioft the builder sees to it.
    """
    test = splits["test"]
    columns, found = getattr(test, "column_names", ()), []
    if "text" in columns:
        texts = Counter(map(normalise, test["text"][:]))
        if again := sum(texts.values()) - len(texts):
            found.append(
                f"{again:,} of the {sum(texts.values()):,} test texts are there more than once, but for case and "
                "punctuation: each counts as often, and intervals are too narrow."
            )
    for side in (side for side in SIDES if {side, f"{side}_id"} <= set(columns)):
        ids: defaultdict[str, set[str]] = defaultdict(set)
        for name, identifier in zip(test[side][:], test[f"{side}_id"][:], strict=True):
            ids[normalise(name)].add(str(identifier))
        if several := sorted(name for name, its in ids.items() if len(its) > 1):
            found.append(
                f"{len(several):,} of the {len(ids):,} names of {side}s in the test split have several ids, such as "
                f"{several[0][:60]!r}: each id counts as another {side}, and intervals may be too narrow."
            )
    return found
