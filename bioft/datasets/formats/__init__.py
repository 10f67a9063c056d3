"""One's own data in the formats of the field, each made into a dataset of one of the four shapes that bioft has."""

from bioft.task import Source

ENTITIES = Source(
    name="entities",
    title="documents with entities",
    build="bioft.datasets.formats.documents:build_entities",
    purpose="Build entities of your own: PubTator, BioC, CoNLL/IOB, brat, JSON, or tokens and tags on the Hub.",
    own=True,
)
RELATIONS = Source(
    name="relations",
    title="documents with relations",
    build="bioft.datasets.formats.documents:build_relations",
    purpose="Build entities and relations of your own: PubTator, BioC, brat, DDI, ChemProt or JSON.",
    own=True,
)
LABELS = Source(
    name="labels",
    title="labelled texts",
    build="bioft.datasets.formats.labels:build_labels",
    purpose="Build labelled texts of your own: CSV, TSV, JSONL, Parquet, or a dataset on the Hub.",
    own=True,
)
PAIRS = Source(
    name="pairs",
    title="pairs of texts",
    build="bioft.datasets.formats.pairs:build_pairs",
    purpose="Build pairs of texts of your own: CSV, TSV, JSONL, Parquet, or a dataset on the Hub.",
    own=True,
)
GENE_DISEASE = Source(
    name="gene_disease",
    title="gene–disease pairs",
    build="bioft.datasets.formats.gene_disease:build_gene_disease",
    purpose="Build gene–disease pairs of your own: CSV, TSV, JSONL, Parquet, or a dataset on the Hub.",
    own=True,
)
TEXTS = Source(
    name="texts",
    title="texts",
    build="bioft.datasets.formats.labels:build_texts",
    purpose="Build texts of your own: a text on each line, CSV, TSV, JSONL, Parquet, or a dataset on the Hub.",
    own=True,
)
