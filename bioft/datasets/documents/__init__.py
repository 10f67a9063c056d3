"""Corpora of documents in which entities and relations are annotated."""

from bioft.task import Source

SAMPLE = Source(name="sample", title="the sample corpus of bioft", build="bioft.datasets.documents.sample:build")
BC5CDR = Source(
    name="bc5cdr",
    title="BC5CDR",
    build="bioft.datasets.documents.bc5cdr:build",
    purpose="Build BC5CDR (chemicals, diseases, chemical-induced diseases) in its official splits.",
    fetch="bc5cdr",
    download="CDR_Data.zip",
    folder=True,
)
CHEMDISGENE = Source(
    name="chemdisgene",
    title="ChemDisGene",
    build="bioft.datasets.documents.chemdisgene:build",
    purpose="Build ChemDisGene (chemicals, diseases, genes and the relations between them).",
    fetch="chemdisgene",
    download="curated",
)
PUBTATOR = Source(
    name="pubtator",
    title="PubTator files",
    build="bioft.datasets.documents.corpus:build_from_pubtator",
    purpose="Build a dataset of entities and relations from PubTator files of your own.",
)
SOURCES = (SAMPLE, BC5CDR, CHEMDISGENE, PUBTATOR)
COLUMNS = ("document_id", "text", "entities", "relations")
ABSTRACTS_ONLY = "Figures hold for abstracts like those of the test split; other kinds of text were not measured."
STATED = "It says what a text states, not whether that is true."
"""Limits of models that are trained on these."""
