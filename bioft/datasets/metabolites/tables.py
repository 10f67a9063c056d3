"""Tables of metabolites: what every reader makes of a database or a model, and which ids and names belong together.

A table has the columns `COLUMNS`, one row for each name of a metabolite.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from bioft.datasets.metabolites.names import MAX_LENGTH, normalise
from bioft.datasets.splits import connected

COLUMNS = ("id", "name", "formula", "charge", "compartments", "cross_references")
"""The columns of a namespace. All are text ("" where missing) but charge, a float (NaN where missing); compartments
and cross references are joined by "|", cross references as "database:identifier"."""

_AS_A_RULE = 0.8
_PUNCTUATION = re.compile(r"_DASH_|_LPAREN_|_RPAREN_|[\W_]+")
_BRACKETS = (("[", "]"), ("(", ")"), ("__91__", "__93__"), ("_LPAREN_", "_RPAREN_"), ("_LSQBKT_", "_RSQBKT_"))
"""Around compartments, also as SBML spells them in ids."""
_COMPARTMENT_SUFFIX = re.compile(
    r"(?:_[a-z]{1,2}\d?|(?:\[|\(|__91__|_LPAREN_|_LSQBKT_)[a-z]{1,2}\d?(?:\]|\)|__93__|_RPAREN_|_RSQBKT_))$"
)


class Row(NamedTuple):
    """A row of a namespace: see `COLUMNS`."""

    id: str
    name: str
    formula: str = ""
    charge: float = math.nan
    compartments: str = ""
    cross_references: str = ""


def to_table(rows: Iterable[Row]) -> pd.DataFrame:
    """Return the rows as a table with the columns and types of `COLUMNS`."""
    table = pd.DataFrame(list(rows), columns=list(COLUMNS))
    text = [column for column in COLUMNS if column != "charge"]
    return table.astype({**dict.fromkeys(text, object), "charge": float})


def joined(values: Iterable[str]) -> str:
    """Return the distinct values that are not empty, joined by "|"."""
    return "|".join(dict.fromkeys(value for value in values if value))


def problems(table: pd.DataFrame) -> list[str]:
    """Say what is wrong with names in a table with columns id and name, each kind with its number and an example."""
    names, ids = table["name"].str.strip(), table["id"]
    spelling = {"": ""} | {text: _spelling(text) for text in {*names, *ids}}
    given = names != ""
    is_id = given & (names.map(spelling) == ids.map(spelling)) & names.str.contains(r"[\d_]|^\S{0,5}$")
    is_id &= not (names == ids.str.strip()).all()  # in a list of names each is its own id
    shared = given & names.duplicated(keep=False)
    shared &= table.groupby(names)["id"].transform("nunique") > 1
    long = names.str.len() > MAX_LENGTH
    found = []
    for rows, problem in (
        (~given, "have no name and can't be matched by it"),
        (is_id, "have their id for a name"),
        (shared, "share their name with another id, and can't be told apart by it"),
        (long, f"have a name of more than {MAX_LENGTH:,} characters, of which only those are looked at"),
    ):
        if rows.any():
            first = table[rows].iloc[0]
            shown = f" ({first['name'][:60]!r})" if first["name"] else ""
            found.append(
                f"{int(rows.sum()):,} of {len(table):,} rows {problem}, the first is {first['id'][:60]}{shown}."
            )
    return found


def universal_id(identifier: str, compartment: str | None) -> str:
    """Return the id of a metabolite without the compartment at its end: "atp_c", "atp[c]" and "atp(c)" are "atp".

    Only the compartment that the metabolite is in is taken off: "cs_e" in compartment c stays. See
    `ends_with_compartment` for ids of models that have no sign before it.
    """
    end = (compartment or "").rpartition("_")[2]
    signs = [f"{sign}{end}" for sign in "_-.:@"]
    brackets = [f"{left}{end}{right}" for left, right in _BRACKETS]
    for suffix in (f"_{compartment}", *signs, *brackets) if end else ():
        if len(identifier) > len(suffix) and identifier.endswith(suffix):
            return identifier.removesuffix(suffix)
    return identifier


def ends_with_compartment(texts: Iterable[tuple[str, str | None]], sign: str = "") -> bool:
    """Whether texts (with the compartment of each) end with it behind a sign as a rule, as MAM01371c and MAM01371m.

    Where most of a model do, it is no accident, as it is of "g6p" in compartment p.
    """
    found = [len(text) > len(sign + end) and text.endswith(sign + end) for text, end in texts if end]
    return bool(found) and sum(found) >= _AS_A_RULE * len(found)


def bare_names(named: Sequence[tuple[str, str | None]], in_words: Mapping[str, str]) -> list[str]:
    """Names (with the compartment of each) without it, which some put behind them: "H2O-c0", "ATP [Cytosol]"; and
    without "M_" in front, as in BiGG's older models.

    `in_words` are the names of compartments.
    """
    # A sign and one letter may belong to a name ("cytochrome-c"), unless most names end so.
    signs = [sign for sign in "-_ " if ends_with_compartment(named, sign)]
    after_comma = ends_with_compartment([(name, in_words.get(its or "", its)) for name, its in named], ", ")
    ends_of = []
    for _, compartment in named:
        ends = [end for end in (compartment, in_words.get(compartment or "")) if end]
        suffixes = [f"{left}{end}{right}" for end in ends for left, right in ("[]", "()")]
        suffixes += [f"{sign}{compartment}" for sign in signs] if compartment else []
        ends_of.append([*suffixes, *([f", {ends[-1]}"] if ends and after_comma else [])])
    # One "(Extracellular)" in compartment "extracellular" may be part of a name, too.
    folded = [
        (name.casefold(), [end.casefold() for end in its]) for (name, _), its in zip(named, ends_of, strict=True)
    ]
    lower = [name.endswith(tuple(its)) for name, its in folded if its]
    fold = str.casefold if sum(lower) >= _AS_A_RULE * len(lower) else str
    names = []
    for (name, _), its in zip(named, ends_of, strict=True):
        found = next((end for end in its if fold(name).endswith(fold(end)) and len(name) > len(end)), "")
        names.append(name[: len(name) - len(found)].rstrip().removeprefix("M_"))
    return names


def resolve_ids(identifiers: Iterable[str], namespace: pd.DataFrame) -> list[str]:
    """Return for each identifier the id of the namespace that it stands for, "" where there is none.

    An id is looked for as it is, then as an older one (a cross reference to the namespace's own ids), then without
    regard to how delimiters are spelt ("ala_DASH_L", "ala-L" and "ala__L"), then without "M_" in front and without a
    compartment at the end. What several ids could be spelt like stands for none of them.
    """
    known = set(namespace["id"])
    older: dict[str, str] = {}
    for identifier, references in zip(namespace["id"], namespace["cross_references"], strict=True):
        for reference in references.split("|"):
            if reference.startswith("bigg.metabolite:"):
                older.setdefault(reference.removeprefix("bigg.metabolite:"), identifier)
    spelt: dict[str, set[str]] = {}
    for identifier in known:
        spelt.setdefault(_spelling(identifier), set()).add(identifier)
    for old, identifier in older.items():
        spelt.setdefault(_spelling(old), {identifier})

    def resolve(identifier: str) -> str:
        bare = _COMPARTMENT_SUFFIX.sub("", identifier.removeprefix("M_"))
        for form in dict.fromkeys((identifier, identifier.removeprefix("M_"), bare)):
            if form in known:
                return form
            if form in older:
                return older[form]
            if len(same := spelt.get(_spelling(form), set())) == 1:
                return next(iter(same))
        return ""

    return [resolve(identifier) for identifier in identifiers]


def _spelling(identifier: str) -> str:
    return _PUNCTUATION.sub("_", identifier)


def group_compounds(names: pd.DataFrame, links: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a group for each row of a table with the columns id and name.

    Rows are in one group when they have the same id, when their ids are linked (`links`: id → other ids of the same
    compound), or when their names are the same after `normalise`; and so on along chains of these. A group is called
    by the first of its ids in the table. Two names of a group need not be of the same compound: databases err.
    """

    ids, first_rows = pd.factorize(names["id"])
    keys, _ = pd.factorize(names["name"].map(normalise).where(names["name"].str.strip() != "", "\n" + names["id"]))
    index = {identifier: code for code, identifier in enumerate(first_rows)}
    linked = [(index[a], index[b]) for a, others in links.items() if a in index for b in others if b in index]
    # A link is a key of both its ids.
    of_links = np.repeat(len(keys) + np.arange(len(linked)), 2)
    owners = np.concatenate([ids, np.asarray(linked, np.int64).ravel()])
    component = connected(owners, np.concatenate([keys, of_links]), len(first_rows))[ids]
    first = pd.Series(names["id"].to_numpy()).groupby(component).first()
    return [str(first[label]) for label in component]


def one_to_one(links: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The links between ids that have one partner only: of several, one is a salt, a stereoisomer or an error."""
    partners: dict[str, set[str]] = {}
    for identifier, others in links.items():
        for other in others:
            partners.setdefault(other, set()).add(identifier)
    return {
        identifier: unique[0]
        for identifier, others in links.items()
        if len(unique := list(dict.fromkeys(others))) == 1 and len(partners[unique[0]]) == 1
    }
