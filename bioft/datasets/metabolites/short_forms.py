"""Short and charged forms of metabolites' names, written as databases of models do.

No similarity of letters leads from "GSH" to "Reduced glutathione". What is here is what biochemistry texts use without
explaining it: the recommendations of IUPAC–IUB (https://iupac.qmul.ac.uk/misc/biochem.html) for amino acids, sugars,
phosphates and coenzymes, and the usual abbreviations of central metabolism.
"""

import re
from functools import lru_cache

from bioft.datasets import data
from bioft.datasets.metabolites.names import plain_text

_TABLES = data("names.toml", __package__)
_AMINO_ACIDS = {code: name for code, name in _TABLES["amino_acids"].items() if code != "gly"} | {"orn": "ornithine"}
"""Those of two hands."""
_NOT_PHOSPHATE = "PI"
"""In capitals it is phosphatidylinositol."""


_TABLE = {form.casefold(): name for name, forms in _TABLES["short_forms"].items() for form in forms.split(", ")} | {
    f"{side.casefold()}-{code}": f"{side}-{name.capitalize()}"
    for code, name in _AMINO_ACIDS.items()
    for side in ("L", "D", "DL")
}
# Anions only: the charge of a metal is its oxidation state, "(-)" an optical rotation.
_ANION = re.compile(r"\s*\((?:\d+-|-\d+)\)$")
_RAISED = re.compile(r"<sup>(\d)[-−–]</sup>$|([²³⁴⁵⁶⁷⁸⁹])⁻$")
_COENZYME = re.compile(r"(?<=[^\W_])[\W_]*\bco-?enzyme[\W_]*A$", re.IGNORECASE)


@lru_cache(maxsize=200_000)
def spelt_out(name: str) -> str:
    """Return a name as `plain_text` gives it, without the charge of an anion and with usual short forms written out.

    "ATP(4-)" and "ATP⁴⁻" are "ATP", "GSH" is "Reduced glutathione", "L-Ala" "L-Alanine", "acetyl coenzyme A"
    "acetyl-CoA".
    """
    text = plain_text(_RAISED.sub(r"(\1\2-)", name))
    text = _COENZYME.sub("-CoA", _ANION.sub("", text) or text)
    return text if text == _NOT_PHOSPHATE else _TABLE.get(text.casefold(), text)
