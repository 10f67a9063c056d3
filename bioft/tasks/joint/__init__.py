"""Entities and the relations between them on one encoder."""

from bioft.datasets import documents, formats
from bioft.storage.json_text import NUMBER
from bioft.task import NOT_ANNOTATED, NOT_FOR_PATIENTS, Task
from bioft.tasks import entities

TASK = Task(
    name="joint-entity-relation",
    module="bioft.tasks.joint",
    title="joint biomedical entity and relation extraction",
    pipeline_tag="token-classification",
    unit="documents",
    purpose="The model marks the names of biomedical entities in a text and says which of them the text relates. It "
    "is meant for research: to find candidates for a curator, and to compare ways of training on this task.",
    limits=(NOT_FOR_PATIENTS, documents.STATED, NOT_ANNOTATED, documents.ABSTRACTS_ONLY),
    main_metric="end_to_end_f1",
    recorded={
        **entities.TASK.recorded,
        "relations": {"arguments": {...: [[str]]}, "threshold": NUMBER},
    },
    new_head=True,
    data="documents",
    columns=documents.COLUMNS,
    sources=(*documents.SOURCES, formats.RELATIONS),
    tags=("biology", "medical", "named-entity-recognition", "relation-extraction"),
    usage='--text "Naloxone reverses the effect of clonidine."',
    allowed_differing=0.01,
    allowed_changed=0.01,
)
