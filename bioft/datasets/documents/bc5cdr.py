"""BC5CDR, the corpus of the BioCreative V chemical–disease relation task, in its official splits.

1,500 PubMed abstracts with chemicals, diseases (MeSH ids) and the relation CID (chemical-induced disease) between
concepts of an abstract. Read from the PubTator files of `CDR_Data.zip`.
"""

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from datasets import DatasetDict

from bioft.datasets import corpus, data
from bioft.datasets.documents import corpus as documents, pubtator
from bioft.datasets.options import PathName, SkipBad
from bioft.datasets.origin import Origin
from bioft.errors import BioftError
from bioft.storage.files import ZIP_ERRORS

URL, TERMS, CITATION, LICENSE = corpus("bc5cdr")
VERSION, FILES, COUNTS = (data("corpora.toml")["bc5cdr"][part] for part in ("version", "files", "counts"))
"""Of the official files, and what they hold."""
HINT = "Get the corpus with `bioft download bc5cdr`."


def build(
    path: Annotated[PathName, "CDR_Data.zip, or the folder with its PubTator files."], *, skip_bad: SkipBad = False
) -> tuple[DatasetDict, dict[str, Any]]:
    """Build BC5CDR from `CDR_Data.zip`, or from its folder (files plain or gzip); returns splits and manifest.

    BioftError: a missing file, what `pubtator.read` finds wrong, or other numbers of documents, mentions and relations
    than those of the official files (`COUNTS`). With `skip_bad` wrong documents are left out and counted in the
    manifest, and numbers are compared only where nothing was left out.
    """
    path = Path(path)
    skipped: dict[str, list[str]] = {split: [] for split in FILES}
    found = {}
    sources = []
    with _folder(path) as folder:
        files = {split: _find(folder, name, path) for split, name in FILES.items()}
        for split, file in files.items():
            found[split] = list(pubtator.read(file, skipped=skipped[split] if skip_bad else None))
            sources.append(documents.source(file, version=VERSION, url=URL, terms=TERMS, citation=CITATION))
    dataset, manifest = documents.build(
        found,
        Origin("bc5cdr", {"skip_bad": skip_bad}, sources, LICENSE),
        split={"strategy": "official"},
        skipped=skipped,
    )
    hint = f"{HINT} Your own corpora are built with `bioft build pubtator`."
    for split, expected in COUNTS.items():
        if not skipped[split]:
            what = f"{files[split].name} is not the official file"
            documents.check_counts(manifest["rows"][split], expected, "official", what, hint)
    return dataset, manifest


@contextmanager
def _folder(path: Path) -> Iterator[Path]:
    """The folder with the corpus; a zip file is unpacked for as long as the context lasts."""
    if path.is_dir():
        yield path
        return
    if not path.exists():
        raise BioftError(f"{path} does not exist. {HINT}")
    with tempfile.TemporaryDirectory(prefix="bioft-") as temporary:
        try:
            with zipfile.ZipFile(path) as archive:
                for member in archive.infolist():
                    if Path(member.filename).name in FILES.values():
                        archive.extract(member, temporary)
        except ZIP_ERRORS as error:
            raise BioftError(
                f"{path} is no folder and no whole zip file ({error}): give CDR_Data.zip, or the folder with its "
                f"files. {HINT}"
            ) from None
        yield Path(temporary)


def _find(folder: Path, name: str, path: Path) -> Path:
    found = sorted(file for file in folder.rglob(f"{name}*") if file.name in (name, f"{name}.gz"))
    if not found:
        raise BioftError(f"{path} holds no {name} (or {name}.gz). {HINT}")
    if len(found) > 1:
        places = ", ".join(str(file.relative_to(folder)) for file in found)
        raise BioftError(f"{path} holds {name} more than once: {places}. Give the folder of one of them.")
    return found[0]
