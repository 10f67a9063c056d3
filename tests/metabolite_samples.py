"""A made-up namespace of metabolites, and other names for some of them."""

from pathlib import Path

import numpy as np
import pandas as pd

from bioft.datasets.metabolites.tables import COLUMNS

ACIDS = ("butanoate", "pentanoate", "hexanoate", "octanoate", "decanoate", "dodecanoate", "benzoate", "malonate")
SUBSTITUENTS = ("2-hydroxy", "3-hydroxy", "3-oxo", "2-methyl", "4-methyl", "2-amino", "4-phospho", "(R)-3-methoxy")
PUBLISHED_CASES = (
    ("CDP-1_2-dianteisopentadecanoylglycerol", "CDP-1,2-dioctadecanoylglycerol"),
    ("Dianteisopentadecanoylphosphatidylethanolamine", "Dianteisoheptadecanoylphosphatidylethanolamine"),
)
"""Names that are not in BiGG, and what BioMegatron took them for before it was trained (README of MetaAlignGen)."""

SHORT_FORMS = {
    "ATP(4-)": "atp", "NADPH": "nadph", "NAD+": "nad", "NADH": "nadh", "NADP+": "nadp", "GSH": "gthrd",
    "L-Ala": "ala__L", "G6P": "g6p", "acetyl coenzyme A": "accoa", "GABA": "4abut", "Acetyl-CoA": "accoa",
    "alpha-ketoglutarate": "akg", "2-oxoglutarate(2-)": "akg", "PEP": "pep", "F6P": "f6p", "FADH2": "fadh2",
    "CO2": "co2", "H2O": "h2o", "H+": "h", "GTP(4-)": "gtp", "ADP(3-)": "adp", "D-glucose": "glc__D",
    "L-Glu": "glu__L", "pyruvate(1-)": "pyr", "UDP-Glc": "udpg", "AMP": "amp", "Pi": "pi", "PPi": "ppi",
    "GSSG": "gthox", "FAD": "fad", "CoA-SH": "coa", "dihydroxyacetone phosphate": "dhap", "DHAP": "dhap",
    "fructose 1,6-bisphosphate": "fdp", "SAM": "amet", "S-adenosylmethionine": "amet", "oxaloacetate(2-)": "oaa",
    "Mg2+": "mg2", "O2": "o2", "ammonium": "nh4",
}  # fmt: skip
"""Names of central metabolism as texts have them, with their ids in BiGG."""


def namespace(extra: tuple[tuple[str, str], ...] = ()) -> pd.DataFrame:
    """64 names, an id each, with formulas for none of them."""
    rows = [(f"m{i}{j}", f"{s}{acid}") for i, s in enumerate(SUBSTITUENTS) for j, acid in enumerate(ACIDS)]
    return table([*rows, *extra])


def table(rows: list[tuple[str, str]]) -> pd.DataFrame:
    frame = pd.DataFrame({"id": [row[0] for row in rows], "name": [row[1] for row in rows]})
    frame = frame.assign(formula="", charge=np.nan, compartments="", cross_references="")[list(COLUMNS)]
    frame.attrs["source"] = {"terms": "made up", "url": None}
    return frame


def write_namespace(path: Path) -> Path:
    """Write the namespace as a table that `read_namespace` reads."""
    namespace()[["id", "name"]].to_csv(path, sep="\t", index=False)
    return path


def queries() -> tuple[pd.DataFrame, list[str]]:
    """Other names for the compounds, and as many that are none of them; and the right ids."""
    known = namespace()
    given = [name.replace("ate", "ic acid").replace("-", " ") for name in known["name"]]
    absent = [f"{substituent}{n}-glucopyranosyl thiourea" for n, substituent in enumerate(SUBSTITUENTS)] * 4
    names = given + [f"{name} {index}" for index, name in enumerate(absent)]
    return table([(f"q{index}", name) for index, name in enumerate(names)]), [*known["id"], *[""] * len(absent)]
