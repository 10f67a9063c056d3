"""Names to be matched to a namespace whose right ids are known, and names that have none there."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from bioft.datasets.metabolites.names import normalise, plain_text
from bioft.datasets.metabolites.perturbations import rewrite_notation, substitute_delimiters
from bioft.storage.text_lines import normalise as normalise_text

COLUMNS = ("name", "gold", "kind", "group", "formula", "charge")
"""The columns of queries. `gold`: the ids of the namespace that are right, joined by "|" where several have the same
name; "" where there is none. `group`: of `metabolite_compounds.group_compounds`."""
KINDS = ("modelseed alias", "as in model", "delimiter", "notation")
"""Where a query comes from: a ModelSEED synonym that differs in more than case and delimiters; the name that a model
has where it is not that of the namespace; the model's name with other delimiters, or in another notation."""
MINIMUM_ALIAS_LENGTH = 4
"""Shorter aliases in ModelSEED are abbreviations, of several compounds often."""


def right_ids(namespace: pd.DataFrame) -> dict[str, str]:
    """Return for each id of the namespace what is right for its names: all ids with the same normalised name."""
    keys = namespace["name"].map(normalise).where(namespace["name"].str.strip() != "", namespace["id"])
    same = namespace.groupby(keys)["id"].transform(lambda ids: "|".join(dict.fromkeys(ids)))
    return dict(zip(namespace["id"], same, strict=True))


def make_queries(
    metabolites: pd.DataFrame,
    namespace: pd.DataFrame,
    own_names: Mapping[str, Sequence[str]],
    aliases: Mapping[str, Sequence[str]],
    claimed: Mapping[str, set[str]],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Make one query for each metabolite that a query can be made of: a table with the columns `COLUMNS`.

    `metabolites` are of models, columns id (in the namespace, or "" where it is not there), name, group, formula,
    charge; one with several names has several rows. `own_names` are names by id in the namespace, before anything was
    taken out of it, `aliases` synonyms from elsewhere. `claimed` are by normalised name the ids of the namespace that
    it is a name of, in the namespace or elsewhere: a query that is a name of another compound too has no right answer
    and is not made. Half of the metabolites that have an alias are queried by one; else the kind is any of those
    possible.
    """
    right = right_ids(namespace)
    rows = []
    # The id in the namespace, or the name of what is not there.
    keys = metabolites["id"].where(metabolites["id"] != "", "\n" + metabolites["name"])
    for identifier, same in metabolites.groupby(keys, sort=False):
        metabolite = same.iloc[0]
        gold = right.get(metabolite["id"], "")
        names = [name for name in dict.fromkeys(same["name"]) if name.strip() and name != identifier]
        if not names:
            continue
        model_name = str(rng.choice(names))
        own = own_names.get(identifier, ())
        texts = {
            "modelseed alias": _alias(aliases.get(metabolite["id"], ()), [*names, *own], rng),
            "as in model": model_name if model_name not in own else "",
            "delimiter": substitute_delimiters(plain_text(model_name), rng),
            "notation": rewrite_notation(plain_text(model_name), rng),
        }
        golds = set(gold.split("|"))
        possible = [kind for kind, text in texts.items() if text and claimed.get(normalise(text), set()) <= golds]
        if not possible:
            continue
        kind = str(rng.choice(possible))
        if possible[0] == KINDS[0]:
            kind = KINDS[0] if rng.random() < 0.5 or len(possible) == 1 else str(rng.choice(possible[1:]))
        rows.append((texts[kind], gold, kind, metabolite["group"], metabolite["formula"], metabolite["charge"]))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _alias(aliases: Iterable[str], names: Sequence[str], rng: np.random.Generator) -> str:
    """Draw an alias that differs from the names in more than case and delimiters; "" if there is none."""
    known = {normalise_text(name).replace(" ", "") for name in names}
    long = [alias for alias in aliases if len(alias) >= MINIMUM_ALIAS_LENGTH]
    other = [alias for alias in long if normalise_text(alias).replace(" ", "") not in known]
    return str(rng.choice(other)) if other else ""
