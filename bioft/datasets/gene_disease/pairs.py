"""Gene–disease pair datasets from any list of known associations: entities, splits, negatives, audit.

Every source (CTD, HPO) gives rows of names and ids; what happens to them is here, once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]
from datasets import Dataset, DatasetDict
from datasets.fingerprint import generate_random_fingerprint

from bioft.datasets import splits as splitting
from bioft.datasets.gene_disease import audit as gene_disease_audit, negatives as sampling
from bioft.datasets.gene_disease.known import Pairs, collect
from bioft.datasets.gene_disease.numbered import Names
from bioft.datasets.gene_disease.on_disk import pieces, stored
from bioft.datasets.gene_disease.timeline import Timeline
from bioft.datasets.origin import Origin
from bioft.datasets.splits import SPLITS
from bioft.errors import BioftError, suggestion
from bioft.metrics.thresholds import LEAST_ROWS
from bioft.storage.text_lines import normalise

COLUMNS = ("gene", "gene_id", "disease", "disease_id", "label", "evidence", "pmids")
NEGATIVES = ("uniform", "degree_matched")
CHUNK = 1 << 20
"""Rows in one array of Arrow, as many as are written to Parquet at once."""


class Entities:
    """The distinct genes (or diseases) among rows of names and ids.

    Rows are the same entity when they share the normalised name or the id: names, because two ids with one
    name would put the same text on both sides of a split; ids, because two names of one id are one thing.
    """

    @classmethod
    def of(cls, entities: Sequence[tuple[str, str]]) -> Self:
        """Those among pairs of a name and an id."""
        names, ids = (pd.Series(its, dtype=object) for its in zip(*entities, strict=True))
        return cls(names, ids)

    def __init__(self, names: pd.Series, ids: pd.Series) -> None:
        name_codes, unique_names = pd.factorize(names)
        normalised, _ = pd.factorize(np.array([normalise(name) for name in unique_names], dtype=object))
        id_codes, _ = pd.factorize(ids)
        keys = np.concatenate([normalised[name_codes], len(unique_names) + id_codes])
        self.codes: npt.NDArray[np.int64] = splitting.connected(np.tile(np.arange(len(names)), 2), keys, len(names))
        """The entity of each row."""
        table = pd.DataFrame({"code": self.codes, "name": names.to_numpy(), "id": ids.to_numpy()})
        # The first name of the file stands for the entity; all its ids are kept.
        self.names = table.drop_duplicates("code").sort_values("code")["name"].to_numpy(dtype=object)
        distinct = table.drop_duplicates(["code", "id"]).sort_values(["code", "id"])
        joined: list[list[str]] = [[] for _ in self.names]
        for code, identifier in zip(distinct["code"], distinct["id"], strict=True):
            joined[code].append(identifier)
        self.ids = np.array(["|".join(ids) for ids in joined], dtype=object)
        self.n_merged = sum(len(ids) > 1 for ids in joined)
        """How many entities have more than one id."""


def build_pairs(
    rows: Iterable[Mapping[str, str]],
    origin: Origin,
    split: str = "pair",
    negatives: str = "degree_matched",
    negatives_per_positive: int = 1,
    validation_size: float = 0.1,
    test_size: float = 0.2,
    seed: int = 0,
    *,
    known_until: float | None = None,
    least_validation_rows: int = LEAST_ROWS,
    accept: Callable[[str], bool] | None = None,
) -> tuple[DatasetDict, dict[str, Any]]:
    """Make a labelled, split and audited dataset of gene–disease pairs from known associations.

    `rows` are dicts of strings with gene, gene_id, disease, disease_id, evidence and pmids; repeated pairs are united.
    Pairs whose evidence ("|"-joined) `accept` refuses are still known and never become negatives.

    `split`: "pair" (random pairs), "gene_held_out", "disease_held_out" (a gene or disease occurs in one split only),
    "both_held_out" (both; pairs between partitions are dropped, and validation is enlarged to `least_validation_rows`,
    if it is not larger than test then) or "time" (what became known later, between genes and diseases that training
    knows: see `Timeline`). Positives are split first, by fractions of the pairs, for "both_held_out" of each side.
    `negatives`: "degree_matched" or "uniform", drawn inside each split, `negatives_per_positive` for each positive; no
    pair of `rows` and no pair of another split is ever a negative, but that by time, training and validation do not
    know the future: a pair that they drew is then left out of the later splits.

    Returns the splits (columns `COLUMNS`; rows in random order) and the manifest, the same for the same rows,
    arguments and seed. BioftError: arguments or data from which no such dataset can be made. LeakageError: as the
    audit.
    """
    _check_arguments(split, negatives, negatives_per_positive, known_until)
    found = collect(rows)
    if not len(found.pairs):
        raise BioftError(f"The {origin.builder} source has no gene–disease pair with the evidence asked for.")
    genes, diseases = (Entities.of(its) for its in (found.genes, found.diseases))
    of_genes, of_diseases = found.numbers()
    # Pairs whose entities are the same are one.
    everything = found.pairs.by(genes.codes[of_genes] * len(diseases.names) + diseases.codes[of_diseases])
    n_united, n_repeated = len(found.pairs) - len(everything), found.n_repeated
    del found, of_genes, of_diseases  # of many pairs much memory
    positive = everything
    if accept is not None:
        positive = everything.select(_accepted(everything, accept))
        if not len(positive):
            asked = dict(origin.arguments)
            raise BioftError(f"No pair of the {origin.builder} source has the evidence asked for: {asked}.")
    split_rng, negative_rng, order_rng = (
        np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(3)
    )
    drawing = _Drawing(positive, genes, diseases, np.sort(everything.keys))
    sizes = {"validation_size": validation_size, "test_size": test_size}
    left_out: dict[str, int] = {}
    if split == "time":
        drawing.timeline = Timeline.of(everything, drawing.keys, known_until, **sizes)
        assignment, left_out = drawing.timeline.assign(drawing.keys, drawing.gene_codes, drawing.disease_codes)
    else:
        least = -(-least_validation_rows // (1 + negatives_per_positive))
        assignment = splitting.assign(
            split, drawing.gene_codes, drawing.disease_codes, **sizes, rng=split_rng, least_validation=least
        )
    dataset = DatasetDict()
    for index, name in enumerate(SPLITS):
        try:
            dataset[name] = drawing.rows(index, assignment, negatives, negatives_per_positive, negative_rng, order_rng)
        except BioftError as error:
            raise BioftError(f"Split '{name}' ({split}): {error}") from None

    chosen: dict[str, Any] = {"split": split, "negatives": negatives, "negatives_per_positive": negatives_per_positive}
    of_split: dict[str, Any] = {"least_validation_rows": least_validation_rows} if split == "both_held_out" else {}
    if split == "time":
        of_split = {} if known_until is None else {"known_until": known_until}
    return dataset, origin.manifest(
        dataset,
        {**chosen, **sizes, **of_split, "seed": seed},
        pairs={
            "known": len(everything),
            "positive": len(positive),
            "repeated_rows": n_repeated,
            "united_by_name_or_id": n_united,
            "genes": len(np.unique(drawing.gene_codes)),
            "diseases": len(np.unique(drawing.disease_codes)),
            "genes_with_several_ids": genes.n_merged,
            "diseases_with_several_ids": diseases.n_merged,
        },
        rows={name: count_labels(rows) for name, rows in dataset.items()},
        split={"strategy": split, **sizes, "dropped": int((assignment.rows < 0).sum()), **drawing.described()},
        negatives={
            "strategy": negatives,
            "per_positive": negatives_per_positive,
            "drawn": "inside each split, after splitting the positives",
            "never": "a pair of the source (whatever its evidence) or of another split"
            if drawing.timeline is None
            else "a pair that the source knows at the end of the split, or a pair of an earlier split",
            **({"became_positive": drawing.became_positive} if drawing.timeline is not None else {}),
        },
        **({"left_out": left_out | drawing.left_out} if split == "time" else {}),
        audit=gene_disease_audit.audit(dataset, split=split, known_positives=drawing.known_names(), seed=seed),
    )


class _Drawing:
    """The rows of one split after the other: its positives, and negatives that no earlier split has drawn."""

    def __init__(self, pairs: Pairs, genes: Entities, diseases: Entities, known: npt.NDArray[np.int64]) -> None:
        self.pairs, self.genes, self.diseases, self.known = pairs, genes, diseases, known
        self.n_diseases = len(diseases.names)
        self.keys = pairs.keys
        self.gene_codes, self.disease_codes = self.keys // self.n_diseases, self.keys % self.n_diseases
        self.drawn = np.empty(0, np.int64)
        self.timeline: Timeline | None = None
        self.became_positive: dict[str, dict[str, float]] = {}
        self.left_out: dict[str, int] = {}

    def known_by(self, name: str) -> npt.NDArray[np.int64]:
        """The keys of the pairs that must not be negatives of a split, sorted."""
        return self.known if self.timeline is None else self.timeline.known_by(SPLITS.index(name))

    def known_names(self) -> dict[str, Names]:
        """The names of these pairs, by split."""
        if self.timeline is None:
            return dict.fromkeys(SPLITS, self._names(self.known))
        return {name: self._names(self.known_by(name)) for name in SPLITS}

    def _names(self, keys: npt.NDArray[np.int64]) -> Names:
        return self.genes.names[keys // self.n_diseases], self.diseases.names[keys % self.n_diseases]

    def rows(
        self,
        index: int,
        assignment: splitting.Assignment,
        negatives: str,
        per_positive: int,
        rng: np.random.Generator,
        order_rng: np.random.Generator,
    ) -> Dataset:
        """The rows of split `index`, in random order."""
        inside = assignment.rows == index
        # Only by time: elsewhere no negative is a pair of the source.
        taken = inside & sampling.contains(self.drawn, self.keys)
        inside &= ~taken
        forbidden = sampling.distinct(self.known_by(SPLITS[index]), self.drawn)
        where: dict[str, Any] = {"n_diseases": self.n_diseases, "forbidden": forbidden, "rng": rng}
        of_split = self.gene_codes[inside], self.disease_codes[inside]
        if negatives == "uniform":
            among = (
                assignment.allowed(index, self.gene_codes, assignment.gene_rows),
                assignment.allowed(index, self.disease_codes, assignment.disease_rows),
            )
            drawn = sampling.uniform(int(inside.sum()) * per_positive, *among, **where)
        else:
            drawn = sampling.degree_matched(*of_split, per_positive=per_positive, describe=self._describe, **where)
        keys = drawn[0] * self.n_diseases + drawn[1]
        self.drawn = sampling.distinct(self.drawn, keys)
        if self.timeline is not None:
            self.became_positive[SPLITS[index]] = self.timeline.became_positive(keys)
            what = f"of {SPLITS[index]}, drawn as negatives before they were known"
            self.left_out |= {what: int(taken.sum())} if index else {}
        return _rows(self.pairs.select(inside), of_split, drawn, self.genes, self.diseases, order_rng)

    def _describe(self, side: str, code: int) -> str:
        names, codes = (
            (self.genes.names, self.gene_codes) if side == "gene" else (self.diseases.names, self.disease_codes)
        )
        degree = int((codes == code).sum())
        return f"{side} '{names[code]}' ({degree} known associations in all splits)"

    def described(self) -> dict[str, Any]:
        """What the manifest says of a split by time: its days, and in words how many negatives became positive."""
        if self.timeline is None:
            return {}
        known, validated = self.timeline.until
        of_training = self.became_positive["train"]
        return {
            "train_until_pmid": known,
            "validation_until_pmid": validated,
            "note": f"associations by their first article: training until PubMed id {known}, validation until "
            f"{validated}, test after it; of the negatives of training {of_training['became_positive']:,} of "
            f"{of_training['negatives']:,} ({of_training['share']:.2%}) became known as positives later",
        }


def count_labels(rows: Dataset) -> dict[str, int]:
    """How many rows of a split are positive (label 1) and negative (0)."""
    labels = np.asarray(rows.with_format("numpy")["label"][:])
    return {"positive": int((labels == 1).sum()), "negative": int((labels == 0).sum())}


def _check_arguments(split: str, negatives: str, negatives_per_positive: int, known_until: float | None) -> None:
    strategies = (*splitting.STRATEGIES, "time")
    if split not in strategies:
        raise BioftError(f"Unknown split '{split}'. {suggestion(split, strategies)}")
    if known_until is not None and split != "time":
        raise BioftError(f"known_until is for the split 'time', not for '{split}'. Leave it out.")
    if negatives not in NEGATIVES:
        raise BioftError(f"Unknown negatives '{negatives}'. {suggestion(negatives, NEGATIVES)}")
    if not isinstance(negatives_per_positive, int) or negatives_per_positive < 1:
        raise BioftError(f"negatives_per_positive is {negatives_per_positive!r}; give a whole number from 1.")


def _accepted(pairs: Pairs, accept: Callable[[str], bool]) -> npt.NDArray[np.bool_]:
    accepted = np.zeros(len(pairs), bool)
    for piece in pieces(len(pairs)):
        found = pairs.evidence.take(pairs.places[piece]).dictionary_encode()
        accepted[piece] = np.array([accept(each) for each in found.dictionary.to_pylist()])[found.indices.to_numpy()]
    return accepted


def _rows(
    positives: Pairs,
    positive_codes: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
    negative_codes: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
    genes: Entities,
    diseases: Entities,
    rng: np.random.Generator,
) -> Dataset:
    """The rows of one split, in random order."""
    gene, disease = np.concatenate([positive_codes, negative_codes], axis=1)
    order = rng.permutation(len(gene))
    sides = {"gene": (genes, gene), "disease": (diseases, disease)}
    names = {side: (pa.array(its.names, pa.string()), codes) for side, (its, codes) in sides.items()}
    names |= {f"{side}_id": (pa.array(its.ids, pa.string()), codes) for side, (its, codes) in sides.items()}

    def parts(name: str, rows: npt.NDArray[np.int64]) -> Iterator[pa.Array]:
        for piece in pieces(len(rows)):
            if name in names:
                texts, codes = names[name]
                yield texts.take(pa.array(codes[rows[piece]]))
            else:
                # Negatives have the last one, which is empty.
                positive = rows[piece] < len(positives)
                known = getattr(positives, name).take(positives.places[rows[piece][positive]])
                places = np.where(positive, np.cumsum(positive) - 1, len(known))
                yield pa.concat_arrays([known, pa.array([""])]).take(pa.array(places))

    chunks = []
    for start in range(0, len(order), CHUNK):
        rows = order[start : start + CHUNK]
        columns = stored({name: parts(name, rows) for name in COLUMNS if name != "label"})
        columns["label"] = pa.array((rows < len(positives)).astype(np.int64))
        chunks.append(pa.table({name: columns[name] for name in COLUMNS}))
    # Else the table is written into memory again, to be hashed.
    return Dataset(pa.concat_tables(chunks), fingerprint=generate_random_fingerprint())
