"""Gene–disease association with a language model: prompts, scores, figures."""

from bioft.datasets import formats, gene_disease
from bioft.storage.json_text import NUMBER
from bioft.task import NOT_FOR_PATIENTS, Task

TASK = Task(
    name="gene-disease-association",
    module="bioft.tasks.gene_disease",
    title="gene–disease association",
    pipeline_tag="text-classification",
    unit="pairs",
    shared="genes and diseases",
    purpose="Given the name of a gene and the name of a disease, the model gives a score between 0 and 1 for "
    "“a curated association of the two is recorded”. It is meant for research: to rank candidate "
    "pairs for a curator, and to compare ways of training on this task.",
    limits=(
        NOT_FOR_PATIENTS,
        "It reads two names and no evidence: a high score is no finding, and names no article.",
        "A negative in the data is a pair that the source does not list, not one shown to be unrelated.",
        "Scores hold for pairs like those of the test split below; the share of true pairs among all "
        "possible ones is far smaller than in the data.",
    ),
    main_metric="auroc",
    recorded={
        "scoring": {"threshold": NUMBER, "base_model_threshold?": (*NUMBER, type(None))}
        | dict.fromkeys(("prompt_style", "positive", "negative"), str)
        | {"baseline_thresholds?": {...: NUMBER}, "combination?": (dict, type(None)), "context?": (dict, type(None))}
    },
    data="gene–disease pairs",
    columns=("gene", "gene_id", "disease", "disease_id", "label", "evidence", "pmids"),
    sources=(*gene_disease.SOURCES, formats.GENE_DISEASE),
    baselines={
        "majority": "majority class",
        "popularity_logistic": "popularity (degree), logistic regression",
        "popularity_boosted": "popularity (degree), gradient boosting",
        "surface": "surface of the names (length, case, digits), gradient boosting",
        "tfidf": "TF-IDF of the names",
        "graph": "training graph (SVD), reads no text",
        "likeness": "names and graph: likeness to what is known of the gene and of the disease, gradient boosting",
        "few_shot": "the base model with training pairs and their answers in its prompt (few-shot)",
        "all_together": "all baselines together, logistic regression on validation",
    },
    called={
        "popularity_logistic": "popularity, logistic",
        "popularity_boosted": "popularity, boosted",
        "surface": "names, surface",
        "tfidf": "TF-IDF",
        "graph": "graph, SVD",
        "likeness": "names and graph",
        "all_together": "all baselines together",
        "all with the model": "all baselines with the model",
    },
    tags=("biology", "medical", "gene-disease-association"),
    auto_class="AutoModelForCausalLM",
    usage='--gene BRCA1 --disease "Breast Neoplasms"',
    self_contained=True,
    # Those of bfloat16 and float32 differed by 0.053 (SmolLM2-135M in NF4, 96 pairs).
    score_tolerance={"float32": 0.001, "float16": 0.1, "bfloat16": 0.1},
    allowed_changed=None,
)
