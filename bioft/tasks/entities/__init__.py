"""Entity recognition: BIO tags on windows of documents."""

from bioft.datasets import documents, formats
from bioft.task import NOT_ANNOTATED, NOT_FOR_PATIENTS, Task

TASK = Task(
    name="entity-recognition",
    module="bioft.tasks.entities",
    title="biomedical entity recognition",
    pipeline_tag="token-classification",
    unit="documents",
    purpose="The model marks the names of biomedical entities in a text. It is meant for research: to find "
    "candidates in abstracts for a curator or a later step, and to compare ways of training on this task.",
    limits=(
        NOT_FOR_PATIENTS,
        "It marks names and does not link them to identifiers.",
        NOT_ANNOTATED,
        documents.ABSTRACTS_ONLY,
    ),
    main_metric="f1",
    recorded={"labels": [str], "windows": {"window_length": int, "window_overlap": int}},
    new_head=True,
    data="documents",
    columns=documents.COLUMNS,
    sources=(*documents.SOURCES, formats.ENTITIES),
    tags=("biology", "medical", "named-entity-recognition"),
    auto_class="AutoModelForTokenClassification",
    usage='--text "Naloxone reverses the effect of clonidine."',
    allowed_differing=0.01,
    allowed_changed=0.01,
)
