"""What `bioft align` reads and writes: models and lists of names, the table of matches, the annotated model."""

import csv
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Column, Table

from bioft.datasets.metabolites import models
from bioft.datasets.metabolites.namespaces import BIGG_URL, MODELSEED_URL
from bioft.errors import BioftError
from bioft.metrics.report import decimals
from bioft.storage.files import new_file
from bioft.tasks.name_alignment import scorer as alignment_scorer
from bioft.tasks.name_alignment.aligner import MATCH, NO_MATCH, REVIEW, Aligner
from bioft.tasks.name_alignment.candidates import CandidateFinder

ANNOTATIONS = {BIGG_URL: "bigg.metabolite", MODELSEED_URL: "seed.compound"}
"""Where a namespace comes from, and its name at identifiers.org, under which models keep its ids."""


def load_aligner(namespace: pd.DataFrame, run: Path | None = None) -> Aligner:
    """Return an aligner: with the encoder and the scorer of a finished run, else with the scorer that needs none.

    The embeddings of the namespace are kept in the cache of bioft. BioftError: no finished run of `contrastive` on
    metabolite names there, or a namespace without names.
    """
    if run is None:
        scorer = alignment_scorer.load(alignment_scorer.EMBEDDED)
        return Aligner(namespace, CandidateFinder(namespace, reading=scorer.reading), scorer)
    from bioft.tasks.retrieval import encoder as contrastive

    encoder, record = contrastive.load_run(run)
    if alignment_scorer.FILE not in record["files"]:
        raise BioftError(
            f"{run} was trained on {record['dataset']['builder']}; names need one trained on metabolites."
        )
    scorer = alignment_scorer.load(run / alignment_scorer.FILE)
    weights = next(digest for name, digest in sorted(record["files"].items()) if name.endswith("model.safetensors"))
    return Aligner(namespace, CandidateFinder(namespace, encoder, cache=weights, reading=scorer.reading), scorer)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write an alignment as tab-separated text, in one step; white space in names becomes single spaces."""
    with new_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
        writer.writerow(table.columns)
        writer.writerows([_cell(value) for value in row] for row in table.itertuples(index=False))


def check_annotated(model: Path, target: Path) -> None:
    """Raise BioftError, before anything is matched, for a list that has nothing to annotate and a name of no model."""
    models.writable_suffix(target)
    if models.format_suffix(model) not in models.FORMATS:
        raise BioftError(f"{model} is no model ({', '.join(models.FORMATS)}): nothing in it can be annotated.")


def annotation_name(namespace: pd.DataFrame) -> str:
    """The name under which models keep the ids of a namespace; BioftError where identifiers.org has none."""
    url = namespace.attrs["source"].get("url")
    if url not in ANNOTATIONS:
        raise BioftError("Only ids of BiGG and ModelSEED can be written into a model; leave --annotate out.")
    return ANNOTATIONS[url]


def annotate(source: Path, table: pd.DataFrame, name: str, target: Path) -> Counter[str]:
    """Write the model in `source` to `target` with the ids of all matches as annotations of its metabolites.

    Nothing else in the model is changed, and an id that a metabolite has already stays. Returns how many metabolites
    were "annotated", had the id ("already there"), or have another one that was "kept". BioftError: `source` is no
    model, or the name of `target` says no format.
    """
    model = models.read_model(source)
    matches = table[table["decision"] == MATCH]
    matched = dict(zip(matches["id"], matches["match_id"], strict=True))
    universal = models.universal_ids(model)
    counts: Counter[str] = Counter()
    for metabolite in model.metabolites:
        identifier = matched.get(universal[metabolite.id])
        if identifier is None:
            continue
        present = metabolite.annotation.get(name, [])
        if not present:
            metabolite.annotation[name] = identifier
            counts["annotated"] += 1
        else:
            same = identifier in ([present] if isinstance(present, str) else present)
            counts["already there" if same else "kept"] += 1
    models.write_model(model, target)
    return counts


def summary(table: pd.DataFrame, target_precision: float) -> Table:
    """A table of how many names got which decision, and what each means."""
    least = table.loc[table["decision"] == MATCH, "probability"].min()
    alone = "" if pd.isna(least) else f"; the least certain alone has a probability of {decimals(least, 2)}"
    expected = f"of such answers together {target_precision:.0%} or more are expected to be right"
    meanings: Mapping[str, str] = {
        MATCH: f"an id; {expected}{alone}",
        REVIEW: "to be checked by hand: the best answer is not certain enough",
        NO_MATCH: f"not in the namespace; {expected}",
    }
    n = Column("n", justify="right")
    shown = Table("decision", n, "meaning", title=f"{len(table):,} names", title_justify="left")
    for decision, meaning in meanings.items():
        shown.add_row(decision, f"{int((table['decision'] == decision).sum()):,}", meaning)
    return shown


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.4f}"
    return " ".join(str(value).split())
