"""Which tab a finished run gets; a run that has none is refused with what it is good for."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from bioft.demo import entity_tab, gene_disease_tab, label_tab
from bioft.errors import BioftError
from bioft.storage import runs

TABS: dict[str, tuple[str, Callable[[Path, str], None]]] = {
    "sft_gda": ("Gene–disease", gene_disease_tab.add),
    "token_classification": ("Entities", entity_tab.add),
    "joint_ner_re": ("Entities and relations", entity_tab.add),
    "text_classification": ("Labels", label_tab.add),
}
REFUSED = {
    "contrastive": "index articles with it (`bioft index`) and give the demo that index",
    "sequence_classification": "it needs entities that are given; for a text take a run of joint_ner_re",
    "mlm": "start the training of another recipe from it, and give the demo that run",
}


def add_all(directories: Sequence[Path]) -> None:
    """Load the runs and add a tab for each to the page that is being built.

    Raises:
        BioftError: a folder without a finished run, or a run of a recipe that has no tab; as the loading of a run.
    """
    records = [runs.read(directory) for directory in directories]
    for directory, record in zip(directories, records, strict=True):
        if record["recipe"] not in TABS:
            mend = REFUSED.get(record["recipe"], "this bioft knows no such recipe")
            raise BioftError(f"The demo has no tab for {directory}, a run of {record['recipe']}: {mend}.")
    kinds = Counter(record["recipe"] for record in records)
    for directory, record in zip(directories, records, strict=True):
        kind, add = TABS[record["recipe"]]
        add(directory, kind if kinds[record["recipe"]] == 1 else f"{kind}: {record['name']}")
