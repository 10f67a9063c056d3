"""How many names of two S. aureus models get their id in BiGG, without an encoder, and with ModelSEED's synonyms.

    python tests/benchmarks/bench_aliases.py ../shared/data/metabolites

The names are those of the recipe `contrastive metabolites`. Synonyms that are asked for (but for case and delimiters)
are taken out: an alias is found by the other names of its compound, or not. The scorer is fitted on the validation
names, each time anew.
"""

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd

from bioft.datasets.metabolites import build
from bioft.datasets.metabolites.names import normalise
from bioft.datasets.metabolites.namespaces import read_namespace, with_synonyms
from bioft.datasets.metabolites.tables import Row, to_table
from bioft.metrics.estimation import estimates
from bioft.metrics.estimation.groups import Groups
from bioft.tasks.name_alignment.aligner import Aligner, candidate_pairs
from bioft.tasks.name_alignment.candidates import CandidateFinder
from bioft.tasks.name_alignment.features import NOTATION
from bioft.tasks.name_alignment.files import load_aligner
from bioft.tasks.name_alignment.scorer import Scorer, is_right
from tests.metabolite_samples import SHORT_FORMS


def measure(known: pd.DataFrame, validation: pd.DataFrame, test: pd.DataFrame) -> None:
    """Print the accuracy by kind of name."""
    finder = CandidateFinder(known, reading=NOTATION)
    pairs = candidate_pairs(finder, known, validation)
    golds = validation["gold"].tolist()
    scorer = Scorer.fit([each.features for each in pairs], [each.ids for each in pairs], golds, NOTATION)
    answers = Aligner(known, finder, scorer).answer(test)
    right: defaultdict[str, list[bool]] = defaultdict(list)
    for answer, gold, kind in zip(answers, test["gold"], test["kind"], strict=True):
        for each in ("all", kind):
            right[each].append(is_right(answer.id, gold))
    for kind, its in right.items():
        share = estimates.mean(its)
        low, high = share.interval(Groups(len(its), [np.arange(len(its))]))
        print(f"  {kind:16} n = {len(its)}: {share.value:.3f} [{low:.3f}–{high:.3f}]")


def main() -> None:
    """Measure with BiGG's names alone, and with ModelSEED's too."""
    folder = Path(sys.argv[1])
    compounds = build.read_compounds(
        namespace=folder / "bigg.metabolite.tsv.gz",
        modelseed=folder,
        held_out_models=[folder / "iYS854.json", folder / "iSB619.xml.gz"],
    )
    queries, known, _ = build.build_queries(compounds)
    validation, test = (queries[split].to_pandas() for split in ("validation", "test"))
    print("BiGG's names:")
    measure(known, validation, test)
    rich = with_synonyms(known, folder)
    asked = {normalise(name) for name in (*validation["name"], *test["name"])}
    kept = [row < len(known) or normalise(name) not in asked for row, name in enumerate(rich["name"])]
    print("and ModelSEED's, but for the names that are asked:")
    measure(rich[kept].reset_index(drop=True), validation, test)
    forms = to_table(Row(name, name) for name in SHORT_FORMS)
    for name in ("bigg.metabolite.tsv.gz", "Unique_ModelSEED_Compound_Names.txt.gz"):
        found = load_aligner(read_namespace(folder / name)).align(forms)
        print(f"{name}: {(found['decision'] == 'match').sum()} of {len(forms)} short and usual names are a match")


if __name__ == "__main__":
    main()
