"""Short and charged forms of metabolites' names, written as databases of models do.

No similarity of letters leads from "GSH" to "Reduced glutathione". What is here is what biochemistry texts use without
explaining it: the recommendations of IUPAC–IUB (https://iupac.qmul.ac.uk/misc/biochem.html) for amino acids, sugars,
phosphates and coenzymes, and the usual abbreviations of central metabolism.
"""

import re
from functools import lru_cache

from bioft.datasets.metabolites.names import plain_text

_AMINO_ACIDS = {
    "ala": "alanine", "arg": "arginine", "asn": "asparagine", "asp": "aspartate", "cys": "cysteine",
    "gln": "glutamine", "glu": "glutamate", "his": "histidine", "ile": "isoleucine", "leu": "leucine",
    "lys": "lysine", "met": "methionine", "orn": "ornithine", "phe": "phenylalanine", "pro": "proline",
    "ser": "serine", "thr": "threonine", "trp": "tryptophan", "tyr": "tyrosine", "val": "valine",
}  # fmt: skip
_FORMS = {
    "Nicotinamide adenine dinucleotide": "NAD, NAD+, NAD(+), DPN",
    "Nicotinamide adenine dinucleotide - reduced": "NADH, NADH2, NADH+H+, DPNH",
    "Nicotinamide adenine dinucleotide phosphate": "NADP, NADP+, NADP(+), TPN",
    "Nicotinamide adenine dinucleotide phosphate - reduced": "NADPH, NADPH2, NADPH+H+, TPNH",
    "Flavin adenine dinucleotide oxidized": "FAD, flavin adenine dinucleotide",
    "Flavin adenine dinucleotide reduced": "FADH2",
    "Reduced FMN": "FMNH2",
    "Reduced glutathione": "GSH, glutathione (reduced)",
    "Oxidized glutathione": "GSSG, glutathione disulfide, glutathione (oxidized)",
    "Coenzyme A": "CoA, CoA-SH, CoASH, HSCoA, HS-CoA",
    "Acetyl-CoA": "AcCoA, Ac-CoA",
    "D-Glucose 6-phosphate": "G6P, Glc6P, Glc-6-P, G-6-P, glucose 6-phosphate, glucose-6-phosphate",
    "D-Glucose 1-phosphate": "G1P, Glc1P, Glc-1-P, glucose 1-phosphate, glucose-1-phosphate",
    "D-Fructose 6-phosphate": "F6P, Fru6P, Fru-6-P, fructose 6-phosphate, fructose-6-phosphate",
    "D-Fructose 1,6-bisphosphate": "F1,6BP, FBP, FDP, Fru-1,6-P2, fructose 1,6-bisphosphate, "
    "fructose-1,6-bisphosphate, fructose 1,6-diphosphate",
    "D-Ribulose 5-phosphate": "Ru5P, ribulose 5-phosphate",
    "D-Xylulose 5-phosphate": "Xu5P, xylulose 5-phosphate",
    "Sedoheptulose 7-phosphate": "S7P",
    "D-Erythrose 4-phosphate": "E4P, erythrose 4-phosphate",
    "Dihydroxyacetone phosphate": "DHAP, glycerone phosphate",
    "Glyceraldehyde 3-phosphate": "GAP, G3P, D-glyceraldehyde 3-phosphate",
    "3-Phospho-D-glycerate": "3PG, 3-PGA, 3-phosphoglycerate",
    "Phosphoenolpyruvate": "PEP",
    "5-Phospho-alpha-D-ribose 1-diphosphate": "PRPP",
    "2-Oxoglutarate": "AKG, alpha-KG, 2-OG, α-KG, alpha-ketoglutarate, alpha-oxoglutarate",
    "Oxaloacetate": "OAA",
    "4-Aminobutanoate": "GABA, gamma-aminobutyrate, gamma-aminobutyric acid, 4-aminobutyrate",
    "S-Adenosyl-L-methionine": "SAM, SAMe, AdoMet, S-adenosylmethionine",
    "S-Adenosyl-L-homocysteine": "SAH, AdoHcy, S-adenosylhomocysteine",
    "3'-Phosphoadenylyl sulfate": "PAPS",
    "Adenosine 5'-phosphosulfate": "APS",
    "UDP-glucose": "UDPG, UDP-Glc",
    "UDP-galactose": "UDP-Gal",
    "UDP-N-acetyl-D-glucosamine": "UDP-GlcNAc, UDP-N-acetylglucosamine",
    "Thiamine diphosphate": "TPP, ThDP, thiamine pyrophosphate",
    "Pyridoxal 5'-phosphate": "PLP",
    "5,6,7,8-Tetrahydrofolate": "THF, tetrahydrofolate",
    "Phosphate": "Pi, orthophosphate",
    "Diphosphate": "PPi, pyrophosphate",
    "Sodium": "Na+, Na(+)",
    "Potassium": "K+, K(+)",
    "Magnesium": "Mg2+, Mg(2+), Mg+2",
    "Calcium": "Ca2+, Ca(2+), Ca+2",
    "Zinc": "Zn2+, Zn(2+), Zn+2",
    "Manganese": "Mn2+, Mn(2+), Mn+2",
    "Cobalt ion": "Co2+, Co(2+), Co+2",
    "Iron (Fe3+)": "Fe3+, Fe(3+), Fe+3, ferric iron",
    "Chloride": "Cl-, Cl(-)",
}
_NOT_PHOSPHATE = "PI"
"""In capitals it is phosphatidylinositol."""


def _table() -> dict[str, str]:
    table = {form.casefold(): name for name, forms in _FORMS.items() for form in forms.split(", ")}
    for code, name in _AMINO_ACIDS.items():
        table |= {f"{side.casefold()}-{code}": f"{side}-{name.capitalize()}" for side in ("L", "D", "DL")}
    return table


_TABLE = _table()
# Anions only: the charge of a metal is its oxidation state, "(-)" an optical rotation.
_ANION = re.compile(r"\s*\((?:\d+-|-\d+)\)$")
_COENZYME = re.compile(r"(?<=\w)[\s-]*\bco-?enzyme[\s-]*A$", re.IGNORECASE)


@lru_cache(maxsize=200_000)
def spelt_out(name: str) -> str:
    """Return a name as `plain_text` gives it, without the charge of an anion and with usual short forms written out.

    "ATP(4-)" is "ATP", "GSH" "Reduced glutathione", "L-Ala" "L-Alanine", "acetyl coenzyme A" "acetyl-CoA".
    """
    text = plain_text(name)
    text = _COENZYME.sub("-CoA", _ANION.sub("", text) or text)
    return text if text == _NOT_PHOSPHATE else _TABLE.get(text.casefold(), text)
