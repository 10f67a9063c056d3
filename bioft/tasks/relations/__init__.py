"""Relation extraction: candidate pairs of concepts, marked in their text."""

from bioft.datasets import documents, formats
from bioft.storage.json_text import NUMBER
from bioft.task import NOT_ANNOTATED, NOT_FOR_PATIENTS, Task

MARKERS = {"style": str, "added_tokens": bool, "summary": bool, "max_length": int}
CLASSIFIER = {"labels": [str], "relations": {"markers": MARKERS}}
"""What a record has of a classifier, and not of a language model that is asked."""
TASK = Task(
    name="relation-extraction",
    module="bioft.tasks.relations",
    title="biomedical relation extraction",
    pipeline_tag="text-classification",
    unit="documents",
    purpose="Given a text in which entities are marked, the model says which of them the text relates. It is meant "
    "for research: to find candidates for a curator, and to compare ways of training on this task.",
    limits=(NOT_FOR_PATIENTS, documents.STATED, NOT_ANNOTATED, documents.ABSTRACTS_ONLY),
    main_metric="f1",
    settings=("new_head",),
    recorded={
        "relations": {"arguments": {...: [[str]]}, "threshold": NUMBER} | {"markers?": MARKERS, "prompt?": dict},
    },
    new_head=True,
    data="documents",
    columns=documents.COLUMNS,
    sources=(*documents.SOURCES, formats.RELATIONS),
    called={
        "co_occurrence": "all pairs of concepts",
        "sentence_co_occurrence": "pairs that share a sentence",
        "known_pair": "pairs known from training",
        "tfidf": "TF-IDF",
    },
    tags=("biology", "medical", "relation-extraction"),
    auto_class="AutoModelForSequenceClassification",
    usage="--input documents.pubtator",
    not_in_demo="it needs entities that are given; for a text take a run of joint_ner_re",
    allowed_differing=0.01,
    allowed_changed=0.01,
)
