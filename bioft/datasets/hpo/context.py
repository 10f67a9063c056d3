"""What a prompt says of a gene and a disease beside their names: what training knows of each, and definitions.

Only training positives are told, and never the pair that is asked about. A training positive is no test positive: its
gene knows its disease. So negatives of training lose a known disease and a known gene at random, as positives lose
each other; without that a model learns what was withheld.
"""

import logging
import random
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from accelerate import PartialState
from datasets import Dataset, DatasetDict

from bioft.datasets.hpo import gene_disease as hpo, terms
from bioft.errors import BioftError
from bioft.storage import json_text
from bioft.storage.files import write_json
from bioft.storage.runs import AS_IT_WAS
from bioft.storage.tables import Table
from bioft.storage.text_lines import normalise

FILE = "context.json"
"""In the run directory: what training knows (`known`) and definitions (`texts`), by side and name; `longest` is the
most tokens of a prompt, `most` how many known names it gets of each side."""
NONE, GRAPH, DEFINITION, BOTH = KINDS = ("none", "graph", "definition", "both")
MOST = 2
"""Known names of each side; four told boosted trees no more, and took twice as many tokens."""
SHOWN = 10
"""How many names messages list."""
_PARTS: dict[str, Any] = {
    "kind": str,
    "most": int,
    "longest": (int, type(None)),
    "known": {"gene": {...: [str]}, "disease": {...: [str]}},
    "texts": {"gene": {...: str}, "disease": {...: str}},
}
"""Of `FILE`, as `json_text.wrong_in` takes it."""
logger = logging.getLogger(__name__)


# These two are printed on the card too: it asks the model without bioft.
@cache
def grams(name: str) -> frozenset[str]:
    """The trigrams of a name in small letters, by which two are alike."""
    padded = f" {name.casefold()} "
    return frozenset(padded[place : place + 3] for place in range(len(padded) - 2))


def about(context: Any, gene: str, disease: str, most: int, withheld: Any = ()) -> str:
    """What comes before the question: of what training knows, the `most` names that are most like the other side's."""
    lines = []
    for side, name in (("disease", disease), ("gene", gene)):
        if name in context["texts"][side]:
            lines.append(f"{name}: {' '.join(context['texts'][side][name].split()[: 24 * most])}")
    for side, name, other in (("gene", gene, disease), ("disease", disease, gene)):
        hidden = {each.casefold() for each in (other, *withheld)}
        known = [each for each in context["known"][side].get(name, []) if each.casefold() not in hidden]
        shared = {each: len(grams(each) & grams(other)) / len(grams(each) | grams(other)) for each in known}
        if nearest := sorted(known, key=lambda each: (-shared[each], each))[:most]:
            lines.append(f"Known {'diseases' if side == 'gene' else 'genes'}: {'; '.join(nearest)}")
    return "".join(f"{line}\n" for line in lines if most)


def build(kind: str, dataset: DatasetDict, gene_file: str | None = None) -> dict[str, Any] | None:
    """The context of prompts of a kind (`KINDS`) as `FILE` holds it; None for "none".

    `gene_file` is a table with the columns gene (symbol or id) and text.

    BioftError: an unknown kind, a file that no kind reads or that has no gene of the data, or no definition at all.
    """
    if kind not in KINDS:
        raise BioftError(f"Unknown context {kind!r}. There are: {', '.join(KINDS)}.")
    if gene_file is not None and kind not in (DEFINITION, BOTH):
        raise BioftError(f"gene_context is read with --context {DEFINITION} or {BOTH}, not with {kind}.")
    if kind == NONE:
        return None
    context: dict[str, Any] = {"kind": kind, "most": MOST, "longest": None}
    context["known"] = known(dataset["train"] if kind in (GRAPH, BOTH) else None)
    context["texts"] = {"gene": {}, "disease": {}}
    if kind in (DEFINITION, BOTH):
        names = {side: _names(dataset, side) for side in ("gene", "disease")}
        texts = {"gene": _of_genes(gene_file, names["gene"]), "disease": definitions(names["disease"].values())}
        if not any(texts.values()):
            raise BioftError(
                f"None of the {len(set(names['disease'].values())):,} diseases is a term of HPO with a definition: "
                "there is nothing to tell. Give --context graph, or texts of genes with --gene_context FILE."
            )
        context["texts"] = texts
    return context


def known(train: Dataset | None) -> dict[str, dict[str, list[str]]]:
    """By side and name what the positives of training pair it with, sorted; nothing without training pairs."""
    found: dict[str, dict[str, list[str]]] = {"gene": {}, "disease": {}}
    columns = ([], [], []) if train is None else (train["gene"], train["disease"], train["label"])
    for gene, disease, label in zip(*columns, strict=True):
        if label:
            found["gene"].setdefault(gene, []).append(disease)
            found["disease"].setdefault(disease, []).append(gene)
    return {side: {name: sorted(set(each)) for name, each in sorted(its.items())} for side, its in found.items()}


def definitions(diseases: Iterable[str]) -> dict[str, str]:
    """The definitions of those diseases whose name is that, or an exact synonym, of a term of the installed HPO."""
    texts = dict(terms.read_definitions())
    by_name: dict[str, str] = {}
    for term, name, synonyms in terms.read_synonyms():
        for each in (name, *synonyms) if term in texts else ():
            by_name.setdefault(normalise(each), texts[term].removeprefix(f"{name}: "))
    return {each: by_name[normalise(each)] for each in sorted(set(diseases)) if normalise(each) in by_name}


def withheld(context: Mapping[str, Any], row: Mapping[str, Any]) -> tuple[str, ...]:
    """What a training row loses beside its own pair: of a negative a known disease and a known gene at random."""
    if row["label"]:
        return ()
    draw = random.Random(f"{row['gene']}\t{row['disease']}")
    each = [context["known"][side].get(row[side], []) for side in ("gene", "disease")]
    return tuple(draw.choice(names) for names in each if names)


def described(context: Mapping[str, Any], dataset: DatasetDict, cut: int) -> dict[str, Any]:
    """What the record says of a context: how many have a text, and how many prompts were `cut` to fit the window."""
    words = {"kind": context["kind"], "most": context["most"], "longest": context["longest"], "cut": cut}
    for side, texts in context["texts"].items():
        if texts or (side == "disease" and context["kind"] in (DEFINITION, BOTH)):
            words[f"{side}s_with_text"] = {"n": len(texts), "of": len(set(_names(dataset, side).values()))}
    sources = [hpo.source(hpo.ONTOLOGY, hpo.data_directory())] if context["texts"]["disease"] else []
    return words | ({"sources": sources} if sources else {})


def note(described: Mapping[str, Any], record: dict[str, Any]) -> None:
    """Say what context prompts give: on stderr, and in the record's `notes`, which its card shows."""
    record.setdefault("notes", []).append(sentence := in_words(described))
    if PartialState().is_main_process:
        logger.warning(sentence)


def in_words(described: Mapping[str, Any]) -> str:
    """A context on record, in one or two sentences."""
    parts = []
    if described["kind"] in (GRAPH, BOTH):
        parts.append(
            f"what training knows of the gene and of the disease (of each the {described['most']} names most like the "
            "other's, never the pair itself)"
        )
    for side, what in (("disease", "a definition in HPO"), ("gene", "a text in the user's file")):
        if (its := described.get(f"{side}s_with_text")) is not None:
            parts.append(f"{what} of {its['n']:,} of {its['of']:,} {side}s")
    cut = f" {described['cut']:,} prompts were cut to fit {described['longest']} tokens." if described["cut"] else ""
    return f"Prompts give context ({FILE}): {'; '.join(parts)}.{cut}"


def read(directory: str | Path, record: Mapping[str, Any]) -> dict[str, Any] | None:
    """The context that a run was trained with; None without one, as all runs of earlier versions.

    BioftError: the run's file is not as it should be.
    """
    if "context" not in record["scoring"]:
        return None
    path = Path(directory) / FILE
    try:
        context = json_text.parse(path.read_text(encoding="utf-8"), "its text")
        wrong = json_text.wrong_in(context, _PARTS, whole=True)
    except (BioftError, OSError, ValueError) as error:
        wrong = str(error)
    if wrong:
        raise BioftError(f"{path} can't be read as the context of prompts: {wrong.rstrip('.')}. {AS_IT_WAS}")
    return context


def write(directory: Path, context: Mapping[str, Any] | None) -> None:
    """Write the context of a run, if it has one, into its directory."""
    if context is not None:
        write_json(directory / FILE, context)


def differing(context: Mapping[str, Any], dataset: DatasetDict) -> list[str]:
    """Why a run's context is not what its training pairs and the installed HPO give; texts of genes may be any."""
    reasons = []
    if context["known"] != known(dataset["train"] if context["kind"] in (GRAPH, BOTH) else None):
        reasons.append(f"{FILE} does not tell what the training pairs say.")
    texts = context["texts"]["disease"]
    if texts and texts != definitions(_names(dataset, "disease").values()):
        reasons.append(f"{FILE} has other definitions of diseases than the installed HPO ({hpo.release()}).")
    return reasons


def unknown(context: Mapping[str, Any], pairs: Iterable[tuple[str, str]]) -> list[str]:
    """The genes and diseases of pairs of which a context says nothing, each once, as "gene X"."""
    sides = (("gene", "disease"), *pairs)
    return [
        f"{side} {name}"
        for side, names in zip(sides[0], zip(*sides[1:], strict=True), strict=True)
        for name in dict.fromkeys(names)
        if name not in context["known"][side] and name not in context["texts"][side]
    ]


def _names(dataset: DatasetDict, side: str) -> dict[str, str]:
    """By id and by name the names of one side in all splits."""
    found: dict[str, str] = {}
    for rows in dataset.values():
        found |= dict(zip(rows[f"{side}_id"], rows[side], strict=True)) | {name: name for name in rows[side]}
    return found


def _of_genes(path: str | None, names: Mapping[str, str]) -> dict[str, str]:
    """The texts of a user's table by the symbols of the data; what is not used is said."""
    if path is None:
        return {}
    texts, others, empty = dict[str, str](), list[str](), 0
    table = Table(Path(path), ("gene", "text"), hint="The first line must name gene and text.")
    for row in table:
        gene, text = names.get(row["gene"].strip()), " ".join(row["text"].split())
        if gene is None:
            others.append(row["gene"])
        elif not text:
            empty += 1
        elif texts.setdefault(gene, text) != text:
            raise BioftError(f"{path}, line {table.line}: another text for {row['gene']}. Give one for each gene.")
    listed = ", ".join(others[:SHOWN]) + (f" and {len(others) - SHOWN:,} more" if len(others) > SHOWN else "")
    if not texts:
        raise BioftError(
            f"{path} has no text for a gene of the data ({listed or 'no rows'}). The column gene must have symbols or "
            f"ids as the data have them, such as {', '.join(list(names)[:3])}."
        )
    if others or empty:
        logger.warning(
            "%s: %s of other genes than those of the data (%s), %s without a text, left out.",
            path, f"{len(others):,}", listed, f"{empty:,}",
        )  # fmt: skip
    return texts
