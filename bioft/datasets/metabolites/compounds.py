"""Which names belong to the same compound: the groups that may not straddle splits."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from bioft.datasets.metabolites.names import normalise


def group_compounds(names: pd.DataFrame, links: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a group for each row of a table with the columns id and name.

    Rows are in one group when they have the same id, when their ids are linked (`links`: id → other ids of the same
    compound), or when their names are the same after `normalise`; and so on along chains of these. A group is called
    by the first of its ids in the table. Groups are there to keep names apart that could give each other away:
    databases err, and two names of a group need not be of the same compound.
    """
    ids, first_rows = pd.factorize(names["id"])
    keys, _ = pd.factorize(names["name"].map(normalise).where(names["name"].str.strip() != "", "\n" + names["id"]))
    index = {identifier: code for code, identifier in enumerate(first_rows)}
    linked = [(index[a], index[b]) for a, others in links.items() if a in index for b in others if b in index]
    edges = np.concatenate(
        [np.stack([ids, len(first_rows) + keys], axis=1), np.asarray(linked, np.int64).reshape(-1, 2)]
    )
    n_nodes = len(first_rows) + int(keys.max(initial=-1)) + 1
    graph = coo_array((np.ones(len(edges), bool), (edges[:, 0], edges[:, 1])), shape=(n_nodes, n_nodes))
    component = connected_components(graph, directed=False)[1][ids]
    first = pd.Series(names["id"].to_numpy()).groupby(component).first()
    return [str(first[label]) for label in component]


def one_to_one(links: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the links between ids that each have one partner only.

    Where an id of one database has several in the other, one of them is a salt, a stereoisomer or an error.
    """
    partners: dict[str, set[str]] = {}
    for identifier, others in links.items():
        for other in others:
            partners.setdefault(other, set()).add(identifier)
    return {
        identifier: unique[0]
        for identifier, others in links.items()
        if len(unique := list(dict.fromkeys(others))) == 1 and len(partners[unique[0]]) == 1
    }
