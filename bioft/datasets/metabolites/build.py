"""Metabolite names: pairs for contrastive training, and queries to be matched to a namespace.

Names come from a namespace (BiGG), from the synonyms of ModelSEED, and from the models that are held out for
validation and test: what belongs to a compound of theirs is in no training pair. The pairs are those that
MetaAlignGen makes of BiGG names (delimiters substituted; a functional group removed), real synonyms, and hard
negatives. The embedded default takes its names from a model in the cobra wheel.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]
from datasets import Dataset, DatasetDict

from bioft.datasets.documents.corpus import source as source_of
from bioft.datasets.metabolites import namespaces, queries as metabolite_queries
from bioft.datasets.metabolites.names import normalise, plain_text
from bioft.datasets.metabolites.pairs import KINDS, Pair, make_pairs
from bioft.datasets.metabolites.tables import group_compounds, one_to_one, resolve_ids
from bioft.datasets.options import Option, PathName, Seed, TestSize, ValidationSize
from bioft.datasets.origin import Origin
from bioft.datasets.pair_audit import pair_surface
from bioft.datasets.splits import SPLITS, check_columns, grouped_split
from bioft.errors import BioftError, suggestion

OF_PAIRS = ("kinds", "pairs_per_compound", "max_compounds")
"""Options of `build` that are not about compounds."""
HELD_OUT_VALIDATION = 1 / 3
"""Fraction of the compounds of held-out models that go to validation."""
PAIR_SCHEMA = pa.schema([(name, pa.int64() if name == "score" else pa.string()) for name in Pair._fields])


@dataclass(frozen=True)
class Compounds:
    """All names that are known, with the compound, the group and the split that each belongs to."""

    names: pd.DataFrame
    """Columns id, name, compound, group, split; one row for each name of each source."""
    namespace: pd.DataFrame
    held_out: pd.DataFrame
    """Metabolites of the held-out models, or of the namespace where there are none: the columns of a namespace, and
    group and split. The id is that in the namespace, "" for what is not there."""
    links: dict[str, list[str]]
    """ModelSEED id → ids of the namespace."""
    arguments: dict[str, Any]
    sources: list[dict[str, Any]]


def read_compounds(
    *,
    namespace: PathName = namespaces.EMBEDDED,
    modelseed: PathName | None = None,
    held_out_models: Sequence[PathName] = (),
    validation_size: float = 0.1,
    test_size: float = 0.2,
    seed: int = 0,
) -> Compounds:
    """Read names, and decide which split each compound is in.

    `namespace` is what `read_namespace` takes. `modelseed` is the folder with ModelSEED's names, for real synonyms,
    and its aliases, which link them to BiGG ids. Compounds of `held_out_models` are in validation (a third) and test,
    and in no training group; without any, compounds are split at random by the sizes, fractions of the names.

    BioftError: a file that is missing or wrong, or sizes that leave a split empty.
    """
    synonyms, aliases = namespaces.modelseed_files(modelseed) if modelseed else (None, None)
    table = namespaces.read_namespace(namespace)
    models = [namespaces.read_namespace(path) for path in held_out_models]
    sources = [part.attrs["source"] for part in (table, *models)]
    for number, model in enumerate(models):
        resolved = resolve_ids(model["id"], table)
        # What is not in the namespace needs an id to be grouped by.
        model["own_id"] = [found or f"{number}:{own}" for found, own in zip(resolved, model["id"], strict=True)]
        model["id"] = resolved
    parts = [table[["id", "name"]], *(model[["own_id", "name"]].set_axis(["id", "name"], axis=1) for model in models)]
    links: dict[str, list[str]] = {}
    if synonyms is not None and aliases is not None:
        found = namespaces.read_namespace(synonyms)
        sources += [found.attrs["source"], source_of(aliases, **namespaces.MODELSEED)]
        parts.append(found[["id", "name"]])
        links = namespaces.linked_ids(aliases, table)
    names = pd.concat(parts, ignore_index=True)
    names["group"] = group_compounds(names, links)
    unique = one_to_one(links)
    names["compound"] = [unique.get(identifier, identifier) for identifier in names["id"]]
    group_of = dict(zip(names["id"], names["group"], strict=True))
    held_out = pd.concat(models, ignore_index=True) if models else table.assign(own_id=table["id"])
    held_out["group"] = held_out.pop("own_id").map(group_of)

    groups = names["group"].to_numpy()
    rng = np.random.default_rng(seed)
    if models:
        apart = held_out["group"].unique()
        in_test = rng.random(len(apart)) >= HELD_OUT_VALIDATION
        split_of = {group: "test" if test else "validation" for group, test in zip(apart, in_test, strict=True)}
    else:
        codes = grouped_split(groups, validation_size, test_size, rng)
        split_of = {group: SPLITS[code] for group, code in zip(groups, codes, strict=True)}
    names["split"] = [split_of.get(group, "train") for group in groups]
    held_out["split"] = [split_of[group] for group in held_out["group"]]
    arguments = {
        "namespace": str(namespace),
        "synonyms": str(synonyms) if synonyms else None,
        "aliases": str(aliases) if aliases else None,
        "held_out_models": [str(path) for path in held_out_models],
        "validation_size": validation_size,
        "test_size": test_size,
        "seed": seed,
    }
    return Compounds(names, table, held_out[held_out["split"] != "train"], links, arguments, sources)


def build(
    *,
    namespace: Annotated[
        str, "cobra (comes with bioft), BiGG's table from `bioft download bigg`, or another file."
    ] = namespaces.EMBEDDED,
    modelseed: Annotated[PathName | None, "Folder of `bioft download modelseed`, for real synonyms."] = None,
    held_out_models: Annotated[
        Sequence[PathName], Option("Model to test on, none of whose compounds is trained on; repeat.", default="none")
    ] = (),
    kinds: Annotated[Sequence[str], Option("Kind of pairs; repeat for several.", default="all kinds")] = KINDS,
    pairs_per_compound: Annotated[int, Option("Pairs that are made of a compound, at most.", low=1)] = 4,
    max_compounds: Annotated[int, Option("Compounds of a split whose names are paired, at most.", low=1)] = 10_000,
    validation_size: ValidationSize = 0.1,
    test_size: TestSize = 0.2,
    seed: Seed = 0,
) -> tuple[DatasetDict, dict[str, Any]]:
    """Build contrastive pairs: `read_compounds` of the first arguments, then `build_pairs` with the others."""
    asked = dict(locals())
    own = {key: asked.pop(key) for key in OF_PAIRS}
    return build_pairs(read_compounds(**asked), **own, seed=seed)


def build_with_queries(
    *, seed: int = 0, **options: Any
) -> tuple[DatasetDict, dict[str, Any], tuple[DatasetDict, pd.DataFrame]]:
    """Build pairs to train on and queries to evaluate on; the options are those of `build`.

    Returns the pairs without mark-up in their names, as an encoder reads them, their manifest with what there is to
    know of the queries, and the queries with the namespace that they are matched to.
    """
    own = {key: options.pop(key) for key in OF_PAIRS if key in options}
    compounds = read_compounds(seed=seed, **options)
    queries, namespace, about = build_queries(compounds, seed=seed)
    splits, manifest = build_pairs(compounds, seed=seed, **own)
    manifest["queries"] = {key: about[key] for key in ("arguments", "rows", "namespace", "fingerprints")}
    splits = splits.map(
        lambda row: {column: plain_text(row[column]) for column in ("sentence1", "sentence2")}, desc="Names"
    )
    return splits, manifest, (queries, namespace)


def build_pairs(
    compounds: Compounds,
    kinds: Sequence[str] = KINDS,
    pairs_per_compound: int = 4,
    max_compounds: int = 10_000,
    seed: int = 0,
) -> tuple[DatasetDict, dict[str, Any]]:
    """Build contrastive pairs of metabolite names; returns the splits and the manifest, which counts the rows by kind.

    `kinds` are from `KINDS`; ("delimiter", "functional group") are MetaAlignGen's. `pairs_per_compound` positives are
    made of a compound at most, and as many negatives where there are. Of more compounds in a split than
    `max_compounds`, those of the namespace come first, then those with synonyms: the time to find neighbours grows
    with the square of their number. The columns are sentence1, sentence2, score (1: the same compound), group (of the
    first name; the groups of both are in the same split) and kind.

    BioftError: an unknown kind, or a split without pairs. LeakageError: a group or a name that straddles splits.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise BioftError(f"Unknown kind of pairs '{kind}'. {suggestion(kind, KINDS)}")
    names = compounds.names[compounds.names["name"].str.strip() != ""]
    known = set(names["name"].map(normalise))
    in_namespace = set(compounds.namespace["id"])
    rng = np.random.default_rng([seed, 2])
    found: dict[str, list[Pair]] = {}
    for split in reversed(SPLITS):
        chosen = _some_compounds(names[names["split"] == split], in_namespace, max_compounds, rng)
        found[split] = make_pairs(chosen, known, rng, kinds=kinds, pairs_per_compound=pairs_per_compound)
        if not found[split]:
            raise BioftError(f"No pairs for split '{split}'. Use a larger namespace, other sizes or more kinds.")
        # Two compounds less a functional group can be the same: what test has made, training must not make again.
        known.update(normalise(pair.sentence2) for pair in found[split])
    dataset = DatasetDict()
    for split in SPLITS:
        columns = dict(zip(Pair._fields, map(list, zip(*found[split], strict=True)), strict=True))
        dataset[split] = Dataset(pa.table(columns, PAIR_SCHEMA))
    own = {"kinds": list(kinds), "pairs_per_compound": pairs_per_compound, "max_compounds": max_compounds}
    return dataset, _manifest("metabolites", compounds, own, seed, dataset, audit=audit(dataset))


def build_queries(
    compounds: Compounds, *, absent_fraction: float = 0.2, seed: int = 0
) -> tuple[DatasetDict, pd.DataFrame, dict[str, Any]]:
    """Build the names to be matched: of the compounds that were held out from training, none twice.

    `absent_fraction` of the held-out compounds are taken out of the namespace, with whatever might be the same: "no
    match" is right for their names. Returns the queries (splits validation, to choose thresholds on, and test; columns
    `metabolite_queries.COLUMNS`), the namespace to match them to, and the manifest, with rows by kind and how many
    have no match. BioftError: a fraction outside [0, 1), or a split without queries.
    """
    if not 0 <= absent_fraction < 1:
        raise BioftError(f"absent_fraction is {absent_fraction}; it is a fraction from 0 to below 1, such as 0.2.")
    # Not the stream that drew the splits: what is absent would depend on them.
    rng = np.random.default_rng([seed, 1])
    groups = compounds.held_out["group"].unique()
    absent = set(groups[rng.random(len(groups)) < absent_fraction])
    names = compounds.names
    group_of = dict(zip(names["id"], names["group"], strict=True))
    namespace = compounds.namespace[[group_of[identifier] not in absent for identifier in compounds.namespace["id"]]]
    namespace = namespace.reset_index(drop=True)
    names_of = names.groupby("id")["name"].agg(list).to_dict()
    synonyms = {other: names_of.get(identifier, []) for identifier, other in one_to_one(compounds.links).items()}
    own_names: Any = compounds.namespace.groupby("id")["name"].agg(list).to_dict()
    claimed = _claimed(compounds, set(namespace["id"]))
    dataset = DatasetDict()
    for split in SPLITS[1:]:
        metabolites = compounds.held_out[compounds.held_out["split"] == split]
        queries = metabolite_queries.make_queries(metabolites, namespace, own_names, synonyms, claimed, rng)
        if queries.empty:
            raise BioftError(f"No queries for split '{split}': its metabolites have no names. Hold out other models.")
        dataset[split] = Dataset.from_pandas(queries, preserve_index=False)
    counted = {"rows": len(namespace), "taken_out": len(compounds.namespace) - len(namespace)}
    chosen = {"absent_fraction": absent_fraction}
    manifest = _manifest("metabolite_queries", compounds, chosen, seed, dataset, namespace=counted)
    for split, rows in dataset.items():
        manifest["rows"][split]["no match"] = sum(gold == "" for gold in rows["gold"])
    return dataset, namespace, manifest


def audit(dataset: DatasetDict) -> dict[str, Any]:
    """Check pairs for leaks; returns `checks` (what was counted, all 0), `repeated_pairs` per split and what the looks
    of two names tell (`name_surface`: see `bioft.datasets.pair_audit.pair_surface`).

    LeakageError: a group, or a name (but for mark-up, case and delimiters), is in two splits.
    """
    check_columns(dataset, "groups of compounds", "group")
    check_columns(dataset, "names", "sentence1", "sentence2", key=normalise)
    repeated = {
        split: len(rows) - len(set(zip(rows["sentence1"], rows["sentence2"], strict=True)))
        for split, rows in dataset.items()
    }
    checks = {"groups_across_splits": 0, "names_across_splits": 0}
    return {"checks": checks, "repeated_pairs": repeated, "name_surface": pair_surface(dataset)}


def _some_compounds(
    names: pd.DataFrame, in_namespace: set[str], max_compounds: int, rng: np.random.Generator
) -> pd.DataFrame:
    """The names of at most that many compounds: those of the namespace, then others with synonyms, then the rest."""
    n_names = names["compound"].value_counts().to_dict()
    compounds = names["compound"].unique()
    shuffled = compounds[rng.permutation(len(compounds))]
    ranked = sorted(shuffled, key=lambda compound: (compound not in in_namespace, n_names[compound] == 1))
    return names[names["compound"].isin(set(ranked[:max_compounds]))]


def _claimed(compounds: Compounds, in_namespace: set[str]) -> dict[str, set[str]]:
    """Normalised name → the ids of the namespace that it is a name of, in the namespace or in ModelSEED."""
    claimed: dict[str, set[str]] = {}
    for identifier, name in zip(compounds.names["id"], compounds.names["name"], strict=True):
        ids = {identifier, *compounds.links.get(identifier, ())} & in_namespace
        claimed.setdefault(normalise(name), set()).update(ids)
    return claimed


def _manifest(
    builder: str, compounds: Compounds, chosen: dict[str, Any], seed: int, dataset: DatasetDict, **about: Any
) -> dict[str, Any]:
    rows = {
        split: {"pairs" if "score" in its.features else "queries": len(its)}
        | dict(sorted(Counter(its["kind"]).items()))
        for split, its in dataset.items()
    }
    split = {"strategy": "held-out models" if compounds.arguments["held_out_models"] else "compound"}
    origin = Origin(builder, compounds.arguments, compounds.sources, namespaces.LICENSE)
    return origin.manifest(dataset, chosen, rows=rows, split=split, **about) | {"seed": seed}
