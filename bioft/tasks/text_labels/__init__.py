"""Texts with one label or several."""

from bioft.datasets import formats, texts, trials
from bioft.storage.json_text import TEXT_OR_NONE
from bioft.task import NOT_FOR_PATIENTS, Task

TASK = Task(
    name="text-classification",
    module="bioft.tasks.text_labels",
    title="classification of biomedical texts",
    pipeline_tag="text-classification",
    unit="texts",
    purpose="The model gives a text one or more of the labels that it was trained on. It is meant for research: to "
    "sort texts for a later reading, and to compare ways of training.",
    limits=(
        NOT_FOR_PATIENTS,
        "It says what a text states, not whether that is why.",
        "A label that has few texts in the test split has a figure that says little: look at its interval.",
        "Figures hold for texts like those of the test split; other kinds of text were not measured.",
    ),
    main_metric="f1",
    recorded={
        "labels": [str],
        "classifier": {"max_length": int, "head": str, "multi_label": bool, "mlm_run?": TEXT_OR_NONE}
        | {"thresholds": (list, type(None)), "start_from?": TEXT_OR_NONE},
    },
    new_head=True,
    data="labelled texts",
    columns=("id", "text", "label"),
    other_columns=("id", "text", "labels"),
    sources=(*texts.LABELLED, trials.GENDER, formats.LABELS),
    baselines={"majority": "majority class"},
    called={"tfidf_svm": "TF-IDF, linear SVM", "tfidf_logistic": "TF-IDF, logistic"},
    tags=("biology", "medical"),
    auto_class="AutoModelForSequenceClassification",
    usage='--text "Terminated because too few patients could be enrolled."',
    self_contained=True,
    allowed_changed=None,
)
