"""Genome-scale models, read by cobra, and the table of their metabolites."""

import logging
import math
import os
import pickle
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from bioft.datasets.metabolites.tables import Row, bare_names, ends_with_compartment, joined, to_table, universal_id
from bioft.errors import BioftError, extra
from bioft.storage import json_text
from bioft.storage.files import new_file
from bioft.storage.text_lines import TextLines

if TYPE_CHECKING:
    import cobra

MAT_SECONDS = 600
"""A genome-scale model as MAT takes less than one minute."""
SBML = (".xml", ".sbml")
FORMATS = dict.fromkeys(SBML, ("read_sbml_model", "write_sbml_model")) | {
    ".json": ("load_json_model", "save_json_model"),
    ".mat": ("load_matlab_model", "save_matlab_model"),
    ".yml": ("load_yaml_model", "save_yaml_model"),
    ".yaml": ("load_yaml_model", "save_yaml_model"),
}
"""By the end of a file's name the functions of `cobra.io` that read and write it."""


def read_model(path: str | os.PathLike[str]) -> "cobra.Model":
    """Read a genome-scale model with cobra: SBML (also packed by gzip or bzip2), JSON, MAT or YAML.

    BioftError: no such file, another format, or a file that cobra can't read, with the first errors that libSBML
    finds.
    """
    with extra("metabolites", "A metabolic model"):
        import cobra.io

    path = Path(path)
    suffix = format_suffix(path)
    is_sbml = suffix in SBML
    if not path.is_file():
        raise BioftError(f"There is no model at {path}.")
    if suffix not in FORMATS or (path.suffix.lower() != suffix and not is_sbml):
        raise BioftError(f"{path} is no model that can be read: give {', '.join(FORMATS)}; only SBML may be packed.")
    if path.stat().st_size == 0:
        raise BioftError(f"{path} is empty (0 bytes).")
    if suffix == ".mat":
        return _in_own_process(path)
    with _quiet_cobra():
        text = TextLines(path).read() if suffix == ".json" else ""
        try:
            if text:  # in any encoding, and without half characters
                return cobra.io.model_from_dict(json_text.parse(text, "its content"))
            return getattr(cobra.io, FORMATS[suffix][0])(str(path))
        except Exception as error:  # each format has its own
            reason = _sbml_errors(path) if is_sbml else " ".join(str(error).split())[:300].rstrip(".")
            raise BioftError(
                f"cobra can't read {path}: {reason or type(error).__name__}. Mend the model or export it again"
                f"{' (https://sbml.org/validator_servlet checks SBML)' if is_sbml else ''}."
            ) from error


_READ_MAT = """
import pickle, sys
from cobra.io import load_matlab_model
try:
    model = load_matlab_model(sys.argv[1])
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
with open(sys.argv[2], "wb") as file:
    pickle.dump(model, file)
"""


def _in_own_process(path: Path) -> "cobra.Model":
    """Read a MAT file where a crash, which damaged files cause in compiled code, ends another process than this."""
    with tempfile.TemporaryDirectory(prefix="bioft-") as folder:
        command = [sys.executable, "-c", _READ_MAT, str(path.absolute()), f"{folder}/model"]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=MAT_SECONDS)
        except subprocess.TimeoutExpired:
            problem = f"it took more than {MAT_SECONDS} seconds"
        else:
            if ended.returncode == 0:
                # Written by the lines above, in a folder that nobody else can write to.
                return pickle.loads(Path(folder, "model").read_bytes())
            lines = ended.stderr.strip().splitlines()
            problem = "the file is damaged: reading it crashes" if ended.returncode < 0 or not lines else lines[-1]
            problem = "it is of MATLAB 7.3, save it with -v7" if "v7.3" in problem else problem
    raise BioftError(f"cobra can't read {path}: {problem[:300].rstrip('.')}. Mend the model or export it again.")


def model_metabolites(model: "cobra.Model") -> pd.DataFrame:
    """Return the universal metabolites of a model as a namespace, each with its most frequent name."""
    universal, names = universal_ids(model), _names(model)
    united: dict[str, list[cobra.Metabolite]] = {}
    for metabolite in model.metabolites:
        united.setdefault(universal[metabolite.id], []).append(metabolite)
    return to_table(
        Row(
            identifier,
            Counter(names[m.id] for m in same).most_common(1)[0][0],
            next((str(m.formula) for m in same if m.formula), ""),
            next((float(m.charge) for m in same if _is_number(m.charge)), math.nan),
            joined(str(m.compartment or "") for m in same),
            joined(reference for m in same for reference in _references(m.annotation)),
        )
        for identifier, same in united.items()
    )


def universal_ids(model: "cobra.Model") -> dict[str, str]:
    """Return for the id of each metabolite of a model the one without its compartment."""
    known = {metabolite.compartment for metabolite in model.metabolites}
    bare = ends_with_compartment((m.id, m.compartment) for m in model.metabolites)
    marked = any(ends_with_compartment(((m.id, m.compartment) for m in model.metabolites), sign) for sign in "_-.:")
    universal = {}
    for metabolite in model.metabolites:
        identifier = universal_id(metabolite.id, metabolite.compartment)
        if bare and not marked and identifier == metabolite.id:
            identifier = identifier.removesuffix(metabolite.compartment or "") or identifier
        end = identifier.rpartition("_")[2]
        # Boundary metabolites of older models, and those whose compartment is not given beside the id.
        if end == "b" or (end in known and not metabolite.compartment):
            identifier = universal_id(identifier, end)
        universal[metabolite.id] = identifier
    return universal


def _names(model: "cobra.Model") -> dict[str, str]:
    """The name of each metabolite of a model without its compartment."""
    in_words = {key: name for key, name in (model.compartments or {}).items() if name}
    names = bare_names([(str(m.name or ""), m.compartment) for m in model.metabolites], in_words)
    return {metabolite.id: name for metabolite, name in zip(model.metabolites, names, strict=True)}


def write_model(model: "cobra.Model", path: str | os.PathLike[str]) -> None:
    """Write a model with cobra in the format that the name says (see `writable_suffix`), in one step."""
    import cobra.io

    path = Path(path)
    suffix = writable_suffix(path)
    with new_file(path) as partial, _quiet_cobra():
        getattr(cobra.io, FORMATS[suffix][1])(model, str(partial))


def writable_suffix(path: Path) -> str:
    """The end of the name of a model to be written; BioftError where it says no format."""
    suffix = format_suffix(path)
    if suffix not in FORMATS or (path.suffix.lower() != suffix and suffix not in SBML):
        raise BioftError(f"{path} can't be written as a model: its name must end in {', '.join(FORMATS)}.")
    return suffix


def format_suffix(path: Path) -> str:
    """Return the end of a file's name that says its format, without that of packing, in lower case."""
    return (path.with_suffix("") if path.suffix in (".gz", ".bz2") else path).suffix.lower()


def _is_number(charge: Any) -> bool:
    """Whether a charge is one; cobra has None or text where the file had no number."""
    return isinstance(charge, int | float) and not math.isnan(charge)


def _references(annotation: Any) -> Iterator[str]:
    """The cross references in an annotation of cobra: database → identifier or list of them."""
    for database, identifiers in annotation.items() if isinstance(annotation, dict) else ():
        for identifier in [identifiers] if isinstance(identifiers, str) else identifiers:
            if isinstance(identifier, str):
                yield f"{database}:{identifier}"


@contextmanager
def _quiet_cobra() -> Iterator[None]:
    """Silence cobra's log, which has two lines for each metabolite of an SBML model of level 2."""
    cobra_logger = logging.getLogger("cobra")
    level = cobra_logger.level
    cobra_logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        cobra_logger.setLevel(level)


def _sbml_errors(path: Path) -> str:
    """The first errors that validation finds in SBML."""
    import cobra.io

    try:
        _, errors = cobra.io.validate_sbml_model(str(path))
    except Exception as error:  # validation fails on what it can't take apart
        return " ".join(str(error).split())[:300]
    serious = [message for kind, messages in errors.items() if "WARNING" not in kind for message in messages]
    return "; ".join(" ".join(str(message).split())[:200] for message in serious[:3]).rstrip(".?")
