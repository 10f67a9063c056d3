"""Texts found by their embeddings: contrastive encoders, rankings, similarity."""

from bioft.datasets import formats, hpo, pubmed
from bioft.task import NOT_FOR_PATIENTS, Task

TASK = Task(
    name="text-retrieval",
    module="bioft.tasks.retrieval",
    title="finding texts that belong together",
    pipeline_tag="sentence-similarity",
    unit="queries",
    shared="groups of pairs",
    purpose=(
        "The model embeds texts so that those that belong together are near each other. It is meant for research: to "
        "search in texts like those that it was trained on, and to group them."
    ),
    limits=(
        NOT_FOR_PATIENTS,
        "Near texts are alike in words or topic; that says nothing about whether they are true or agree.",
        "Figures hold for texts like those of the test split below, looked for among all its texts.",
    ),
    settings=("contrastive",),
    main_metric="ndcg_at_10",
    recorded={"contrastive": {"max_length": int}},
    data="pairs of texts",
    columns=("anchor", "positive", "group"),
    other_columns=("sentence1", "sentence2", "score", "group"),
    sources=(hpo.SYNONYMS, *pubmed.SOURCES, formats.PAIRS),
    called={"bm25": "BM25", "tfidf": "TF-IDF"},
    tags=("biology", "medical", "sentence-transformers", "sentence-similarity"),
    library="sentence-transformers",
    sampled=False,
    not_asked="index articles with it (`bioft index`) and search them (`bioft search`)",
    not_in_demo="index articles with it (`bioft index`) and give the demo that index",
    score_tolerance={"float32": 0.0},
    allowed_changed=0.01,
)
TASKS = (TASK.name, "name-alignment")
"""Those whose runs are text encoders."""
