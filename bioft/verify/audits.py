"""Whether the audit that a record states is that of its data, by the rules of the time when it was written."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from bioft.storage.runs import RECORD
from bioft.verify import findings

AUDITED_SINCE = {"entity_surface": 4, "relation_surface": 4, "pair_surface": 4, "name_surface": 7}
"""The schema of records from which on a part of an audit is in them."""
FOUND_SINCE = 7
"""The schema of records from which on audits find texts that are near as they are read, and details that tell."""


def compared(
    audit: Mapping[str, Any], stated: Mapping[str, Any], schema: int, *, full: bool
) -> tuple[list[str], list[str]]:
    """What is wrong with the stated audit of a record of this schema, and what it has not by its age.

    It may lack what came with a later schema than its own; one that can't be verified in `full` may have other parts.
    """
    reasons, notes = [], []
    later = {key for key, since in AUDITED_SINCE.items() if since > schema}
    if claimed := sorted(later & stated.keys()):
        reasons.append(
            f"{RECORD} says that it is of schema {schema}, but its audit has what came later: {', '.join(claimed)}."
        )
    since = max((AUDITED_SINCE[key] for key in later & audit.keys()), default=FOUND_SINCE)
    if "pair_surface" in later & audit.keys():
        later.add("near_duplicates")  # not of all pairs before
    lacking = [key for key in audit if key in later and key not in stated]
    if lacking and full:
        notes.append(
            f"The record was written before schema {since}: of its data {', '.join(lacking)} were not audited then."
        )
    audit = {key: its for key, its in audit.items() if key not in lacking}
    if full and schema < FOUND_SINCE:
        audit, since_then = _as_then(audit, stated)
        if since_then:
            # Else a run made today could name an earlier schema, by which less is found.
            words = f"audits find more since: {', '.join(since_then)}"
            notes.append(
                f"The record was written before schema {FOUND_SINCE}; {words}. What it found of that is its own word."
            )
    other = findings.differing(audit, stated, findings.AUDIT, earlier=not full)
    if not other and full and (more := findings.added(json.loads(json.dumps(audit)), stated)):
        other = f"{', '.join(more)} does not follow from them"
    if other:
        reasons.append(f"The record states another audit than that of its dataset: {other}.")
    return reasons, notes


def _as_then(audit: Mapping[str, Any], stated: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """An audit without what is found since schema `FOUND_SINCE` and is not stated; and what that is."""
    then, since = dict(audit), []
    for part, its in audit.items():
        was = stated.get(part)
        if not (isinstance(its, Mapping) and isinstance(was, Mapping)):
            continue
        if part == "near_duplicates":
            fewer = dict(_found_fewer(its, was))
            since += [f"{part}.{split}.near {its[split]['near']:,}, not {fewer[split]['near']:,}" for split in fewer]
            then[part] = {**its, **fewer}
        elif "details" in its and "details" not in was:
            since.append(f"{part}.details")
            then[part] = {key: each for key, each in its.items() if key != "details"}
    return then, since


def _found_fewer(audit: Mapping[str, Any], stated: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The splits of which fewer near duplicates are stated among the same texts, in the form of an audit."""
    for split, its in audit.items():
        was = stated.get(split)
        if not (isinstance(was, Mapping) and was.keys() == its.keys() and type(was["near"]) is int):
            continue
        if (was["texts"], was["among"]) == (its["texts"], its["among"]) and 0 <= was["near"] < its["near"]:
            yield split, was
