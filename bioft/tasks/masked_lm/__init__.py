"""Masked-language-model adaptation of an encoder to a kind of text."""

from bioft.datasets import formats, hpo, trials
from bioft.task import NOT_FOR_PATIENTS, Task

TASK = Task(
    name="masked-language-model",
    module="bioft.tasks.masked_lm",
    title="masked language modelling of biomedical text",
    pipeline_tag="fill-mask",
    unit="texts",
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
    main_metric="masked_accuracy",
    settings=("new_head",),
    recorded={"masking": {"block_length": int}},
    data="texts with ids",
    columns=("id", "text"),
    sources=(hpo.DEFINITIONS, trials.TEXTS, formats.TEXTS),
    baselines_need="the tokenizer of a base model",
    baselines={"frequency": "most frequent token"},
    called={"frequency": "the most frequent token"},
    tags=("biology", "medical", "fill-mask", "domain-adaptation"),
    auto_class="AutoModelForMaskedLM",
    not_asked="start the training of another recipe from it, such as text_classification with --mlm_run",
    not_in_demo="start the training of another recipe from it, and give the demo that run",
    self_contained=True,
    sampled=False,
    score_tolerance={"float32": 0.01},
    allowed_changed=0.01,
)
