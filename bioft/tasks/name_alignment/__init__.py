"""Metabolite names matched to a namespace, with calibrated confidence."""

from bioft.datasets import metabolites
from bioft.task import Task

TASK = Task(
    name="name-alignment",
    module="bioft.tasks.name_alignment",
    title="matching metabolite names",
    pipeline_tag="sentence-similarity",
    unit="names",
    shared="compounds",
    purpose="The model embeds names of metabolites so that names of one compound are near each other. With the scorer "
    "that was fitted beside it, the names of a genome-scale metabolic model are matched to the ids of a "
    "namespace, each with a probability. It is meant for those who build and merge such models.",
    limits=(
        "It reads names (and formulas and charges where both sides have them), no structures: names that are wrong or "
        "mean several compounds are matched as they are written.",
        "Probabilities hold for names and namespaces like those of the test split below. Check what is for review.",
        "The figures are of the encoder together with the scorer; the row of the base model is of cosines alone.",
    ),
    settings=("contrastive",),
    main_metric="accuracy",
    recorded={"contrastive": {"max_length": int}},
    data="pairs of names",
    columns=("sentence1", "sentence2", "score"),
    sources=metabolites.SOURCES,
    baselines_need="the names that a run of contrastive matches to a namespace",
    baselines={
        "exact": "the same name",
        "normalised": "the same name but for case and delimiters",
        "standardised": "the same name in standard nomenclature",
        "tfidf": "TF-IDF of the names",
        "rapidfuzz": "edit similarity (rapidfuzz)",
        "aligner_without_encoder": "string and chemistry features, no encoder",
    },
    called={
        "standardised": "standardised nomenclature",
        "tfidf": "TF-IDF",
        "aligner_without_encoder": "aligner without an encoder",
    },
    tags=("biology", "chemistry", "genome-scale-models", "sentence-transformers", "sentence-similarity"),
    usage="-o matches.tsv",
    command="align draft.xml --namespace bigg --run model",
    library="sentence-transformers",
    sampled=False,
    not_asked="match the names of a model with it: `bioft align`",
    not_in_demo="match the names of a model with it: `bioft align`",
    score_tolerance={"float32": 0.02},
    allowed_changed=0.01,
)
