"""Names of metabolites in one notation: what IUPAC's rules and its retained names let one write in several ways.

The rules are those of organic and biochemical nomenclature (https://iupac.qmul.ac.uk): acids and their anions, trivial
and systematic names of chains and of common acids, where locants stand, ortho, meta and para, ring forms of sugars,
short forms of phosphates, nucleotides and peptides. None was taken from a table of aliases.
"""

import re
from collections import Counter
from collections.abc import Callable
from functools import lru_cache

from bioft.datasets import data
from bioft.datasets.metabolites.names import agreement, read_chemistry

_TABLES = data("names.toml", __package__)
_ACID_CHAINS: dict[str, str] = _TABLES["acids"]
"""Trivial stems of acids, longer ones before those that they begin with, and the systematic ones."""
_ACYL_ENDS = {"ate": "oate", "oyl": "oyl", "yl": "oyl", "aldehyde": "al", "amide": "amide"}
_AMBIGUOUS = ("laur", "myrist", "palmit", "stear")
"""Stems whose "-yl" is as often the alcohol's: "lauryl sulfate" is of dodecanol, "stearyl-CoA" of the acid."""
_WHOLE = ("capr", "capryl", "ole", "acryl", "cerot")
"""Stems that begin a word, as other words end in them."""
_STEMS = (
    "meth|eth|prop|but|pent|hex|hept|oct|non|dec|undec|dodec|tridec|tetradec|pentadec|hexadec|heptadec|octadec|nonadec|"
    "icos|docos|tetracos|hexacos"
)
_SATURATED = {
    "4": "but", "5": "pent", "6": "hex", "7": "hept", "8": "oct", "9": "non", "10": "dec", "11": "undec",
    "12": "dodec", "13": "tridec", "14": "tetradec", "15": "pentadec", "16": "hexadec", "17": "heptadec",
    "18": "octadec", "19": "nonadec", "20": "icos",
}  # fmt: skip
_UNSATURATED = {("14", "1"): "tetradec-7-en", ("16", "1"): "hexadec-9-en", ("18", "1"): "octadec-11-en"}
"""Those of bacteria, as BiGG spells them out in other names."""
_CHAIN = re.compile(
    rf"(?:{_STEMS.removeprefix('meth|eth|prop|')})(?:an|-?[\d,-]*en|-?[\d,-]*cyclo|a-?[\d,-]*(?:di|tri|tetra)en)|icos",
    re.IGNORECASE,
)
_RETAINED: dict[str, str] = _TABLES["retained"]
"""Other names of common compounds, written as the rules before leave them, and the retained ones."""
_AMINO_ACIDS: dict[str, str] = _TABLES["amino_acids"]
_RESIDUE_OF = {_AMINO_ACIDS[code]: residue for code, residue in _TABLES["residues"].items()}
_NUCLEOTIDES = {
    "aden": "AMP", "guan": "GMP", "cytid": "CMP", "urid": "UMP", "thymid": "dTMP", "inosin": "IMP", "xanth": "XMP",
}  # fmt: skip
_GREEK_LOCANTS = {"alpha": "2", "beta": "3", "gamma": "4", "delta": "5", "epsilon": "6"}
_RING_LOCANTS = {"o": "2", "m": "3", "p": "4"}

Rule = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]


def _rule(pattern: str, replacement: str | Callable[[re.Match[str]], str], flags: int = re.IGNORECASE) -> Rule:
    return re.compile(pattern, flags), replacement


def _peptide(match: re.Match[str]) -> str:
    """Alanyl-glycine for Ala-Gly, L-Ala-L-Gly and alanine-glycine."""
    found = re.findall(r"(?:(DL|D|L)-)?(\w+)", match[0].casefold(), re.IGNORECASE)
    names = [_AMINO_ACIDS.get(each, each) for _, each in found]
    residues = [*(_RESIDUE_OF[name] for name in names[:-1]), names[-1]]
    return "-".join(
        f"{side.upper()}-{name}" if side else name for (side, _), name in zip(found, residues, strict=True)
    )


def _nucleotide(match: re.Match[str]) -> str:
    short = _NUCLEOTIDES[match[2].casefold()]
    return short if not match[1] or short.startswith("d") else f"d{short}"


def _acyl(match: re.Match[str]) -> str:
    stem, end = match[1].casefold(), match[2].casefold()
    before = match.string[match.start() - 1 : match.start()]
    if (stem in _WHOLE and before.isalpha()) or (stem in _AMBIGUOUS and end == "yl"):
        return match[0]
    return _ACID_CHAINS[stem] + _ACYL_ENDS[end]


def _counted(match: re.Match[str]) -> str:
    """ "(n-C16:0)" as the acyl group, which says nothing new where it is spelt out."""
    rest = match.string[: match.start()]
    closing = ")" if rest.count("(") > rest.count(")") else ""
    if chain := _CHAIN.search(rest):
        return closing + match[3] if ("en" in chain[0]) == (match[2] != "0") else match[0]
    if match[2] == "0" and match[1] in _SATURATED:
        return f"{closing} {_SATURATED[match[1]]}anoyl{match[3]}"
    return (
        f"{closing} {_UNSATURATED[match[1], match[2]]}oyl{match[3]}"
        if (match[1], match[2]) in _UNSATURATED
        else match[0]
    )


def _cis_or_trans(match: re.Match[str]) -> str:
    """Locants of double bonds, which stand in the name itself where it says how many there are."""
    return f"{match[2]}{match[3] or ''}-{','.join(re.findall(r'[0-9]+', match[1]))}-{match[4]}"


_CODES = "|".join(_AMINO_ACIDS)
_FULL = "|".join(_AMINO_ACIDS.values())
_LOCANTS = r"\d{1,2}(?:,\d{1,2}){0,6}"
_BONDS = "(?:di|tri|tetra|penta|hexa)?en"
_RULES: tuple[Rule, ...] = (
    # "Benzoic acid, 4-hydroxy-", as indexes of Chemical Abstracts have it.
    _rule(r"^([^,]{4,80}), ([^ ]{2,80}-)$", r"\2\1"),
    _rule(r"^\(?(DL|D|L|R)[- ,()]+(?=[A-Za-z]{4})(?!group)", r"\1-", 0),
    # A formula or a place that stands behind a name.
    _rule(r"(?<=[a-z]{4}) (?:cytosol|extracellular|nucleus|mitochondri[a-z]{1,3})$", ""),
    _rule(r"(?<=[a-z]{4}) C\d*H\d*(?:(?:Br|Cl|[FINOPS])\d*)*$", "", 0),
    _rule(r"(?<=[a-z]{2})ic[- ]+acid\b", "ate"),
    _rule(r"(?<=[a-z]{3})ous[- ]+acid\b", "ite"),
    _rule("sulph", "sulf"),
    _rule(r"(?<![a-z])oestr", "estr"),
    _rule("glucosiduronate", "glucuronide"),
    _rule(r"\)x(?=\d)", ")"),
    _rule(r"(?<![A-Za-z])n C(\d\d?)(\d)(?![\d:])", r"(n-C\1:\2)", 0),
    _rule(r"^TDP(?=-)", "dTDP", 0),
    _rule("eicos", "icos"),
    _rule(r"keto(?!l|n)", "oxo"),
    _rule("sulfanyl", "mercapto"),
    _rule(r"methylmercapto", "methylthio"),
    _rule(r"carbamyl", "carbamoyl"),
    _rule(r"phosphoryl(?=-?[a-z])(?!at|ase)", "phospho"),
    _rule(r"(?:di|mono)?hydrogen[- ]?(?=(?:di|tri)?(?:phosph|sulf))", ""),
    _rule(r"(?:pyro|bis)[- ]?(?=phosph)", "di"),
    _rule(r"[- ](\d')?(\d)?-?P$", lambda m: f" {m[1] or m[2] or ''}{'-' if m[1] or m[2] else ''}phosphate", 0),
    _rule(r"[- ](\d),(\d)-?P2$", r" \1,\2-diphosphate", 0),
    _rule(r"(?<![A-Za-z\d])1(?=[DL][- ])", "", 0),
    _rule(
        r"(?<![A-Za-z\d])([abg])-(?=[DL]-|hydroxy|amino|oxo|glycero)",
        lambda m: {"a": "alpha-", "b": "beta-", "g": "gamma-"}[m[1]],
        0,
    ),
    _rule(r"(?<![A-Za-z\d'])n-(?=[A-Za-z]{4})", "", 0),
    _rule(r"(?<![A-Za-z\d'])([omp])-(?=[a-z])(?!benzoqu|phenylene)", lambda m: f"{_RING_LOCANTS[m[1]]}-", 0),
    _rule(r"^P[- ](?=[Cc]oumar|[Cc]resol|[Hh]ydroxy|[Aa]mino|[Nn]itro|[Mm]ethyl)", "4-", 0),
    _rule(
        r"(?<![\w,'])(alpha|beta|gamma|delta|epsilon)[- ](?=(?:amino|hydroxy|oxo|methyl)[a-z-]*(?:ate|yl|al|amide)\b)",
        lambda m: f"{_GREEK_LOCANTS[m[1].casefold()]}-",
    ),
    _rule(r"(?<![a-z])(deoxy)?(aden|guan|cytid|urid|thymid|inosin|xanth)(?:yl)?ate\b", _nucleotide),
    _rule(r"2'-?(?=deoxy)", ""),
    _rule(
        r"(adenosine|guanosine|cytidine|uridine|inosine)[- ]3',?5'-?(?:cyclic[- ](?:mono)?|cyclo)phosphate",
        lambda m: f"3',5'-cyclic {m[1][0].upper()}MP",
    ),
    _rule(r"^(?:[Cc]yclic[- ](?:3',5'-)?|3 ?'?,?5'? [Cc]yclic |c)([ACGIU]MP)$", r"3',5'-cyclic \1", 0),
    _rule(r"^(d?[ACGTU]DP|[ACGU]MP)(?=[a-z]{4})", r"\1-", 0),
    _rule(rf"^(?:(?:DL|D|L)-)?(?:{_CODES})(?:[- ,](?:(?:DL|D|L)-)?(?:{_CODES})){{1,5}}$", _peptide),
    _rule(rf"^(?:(?:DL|D|L)-)?(?:{_FULL})(?:-(?:(?:DL|D|L)-)?(?:{_FULL})){{1,5}}$", _peptide),
    _rule(r"(?<=[a-z0-9])-?(?:THF|H4folate)$", "tetrahydrofolate"),
    _rule(r"(?<=[a-z)])-(?:ThPP|TPP|ThDP)$", "-thiamine diphosphate"),
    _rule(r"(?<=[a-z]{2})o(?:pyran|furan)os(?=[eyi])", "os"),
    _rule(r"(\d)-oxo-?(?=(?:\d-(?:deoxy-|phospho-?))*(?:[DL]-|(?:gluc|galact|gul|mann)on))", r"\1-dehydro-"),
    _rule(r"(?<![a-z])isobutano", "2-methylpropano"),
    _rule(r"(?<=[a-z])-S-(?=CoA)", "-", 0),
    # Chains: trivial names, then where locants stand.
    _rule(rf"({'|'.join(_ACID_CHAINS)})(?:yl|oyl|ic) aldehyde", r"\1aldehyde"),
    _rule(rf"(?:{'|'.join(_AMBIGUOUS)})yl(?=[- ]?(?:CoA|ACP|\[|carnitine))", lambda m: f"{m[0][:-2]}oyl"),
    _rule(rf"({'|'.join(_ACID_CHAINS)})({'|'.join(_ACYL_ENDS)})", _acyl),
    _rule(rf"\(((?:\d{{1,2}}[EZ],?){{1,8}})\)-({_STEMS})(a)?({_BONDS})(?=o|yl|al\b)", _cis_or_trans),
    _rule(rf"(?<![\d,])({_LOCANTS})-({_STEMS})(a)?({_BONDS})(?=o|yl|al\b|e\b)", r"\2\3-\1-\4"),
    _rule(r"(?<![\d,])(\d{1,2})-(cholest|pregn|androst|ergost|lanost)(en)(?=-|e\b)", r"\2-\1-\3"),
    _rule(rf"(?<![\d,])(\d)-({_STEMS})an(ol|one|amine)\b", r"\2an-\1-\3"),
    _rule(rf"(?<![a-z])({_STEMS.removeprefix('meth|eth|')})anol\b", r"\1an-1-ol"),
    _rule(r"ene-(?=\d\d?(?:alpha|beta)?-(?:ol|one|al)\b)", "en-"),
    _rule(r"ane-1,\d{1,2}-dio(?=ate|yl)", "anedio"),
    _rule(rf"(?<![a-z])({_STEMS})ane-(\d)-(ol|one|amine)\b", r"\1an-\2-\3"),
    _rule(rf"(?<![\d,])({_LOCANTS})-({_STEMS})ane?(diol|triol|dione|diamine|dial)\b", r"\2ane-\1-\3"),
    _rule(r"(?<![a-z])(meth|eth)yl alcohol\b", r"\1anol"),
    _rule(rf"(?<![a-z-])({_STEMS})yl alcohol\b", r"\1an-1-ol"),
    _rule(r"[ ,]*\(?n-C(\d\d?):(\d)(?: cyclo)?(?:CoA|ACP)?\)(.{0,40})$", _counted),
)
_RETAINED_NAME = re.compile(
    rf"(?<![a-z\d,])(?:{'|'.join(map(re.escape, sorted(_RETAINED, key=len, reverse=True)))})(?![a-z\d])", re.IGNORECASE
)


@lru_cache(maxsize=200_000)
def systematic(name: str) -> str:
    """Return a name, as `plain_text` gives it, by the rules, but for the retained names: they hide locants."""
    for pattern, replacement in _RULES:
        name = pattern.sub(replacement, name)
    return name


@lru_cache(maxsize=200_000)
def one_notation(name: str) -> str:
    """Return a name, as `plain_text` gives it, with what can be written in several ways written in one."""
    name = systematic(name)
    return _RETAINED_NAME.sub(lambda match: _RETAINED[match[0].casefold()], name)


_LEFT_OUT = tuple(
    re.compile(pattern, flags)
    for pattern, flags in (
        # Stereo descriptors and anomers, indicated hydrogen, and the atom that an acyl group is on. The number of E
        # or Z is that of a double bond, and stays.
        (r"\((?:\d{0,2}'*[RS*]'*,? ?|[EZ],? ?){1,12}\)|\((?:\+|-|\+/-|±)\)", 0),
        (r"(?<![a-z])(?:alpha|beta)(?=[- ]?(?:[DL][- ]|gluc|galact|mann|fuc|xyl|rib))", re.IGNORECASE),
        (r"(?<![A-Za-z])(?:DL|D|L|[RSEZ])(?=[- ][\dA-Za-z(\[])|(?<=\d)'?[RSEZ]'?(?=[-,) ])", 0),
        (r"(?<![a-z])(?:sn|rac|myo|all)(?=[- ])|(?<![a-z])(?:di|tri)?(?:trans|cis)(?=[- ,])", re.IGNORECASE),
        (r"(?<![\w'])\d{1,2}'?H(?=-)|\(\dH\)", 0),
        (r"(?<![A-Za-z\d])[OS]-?\d?'?(?=-[A-Za-z(])", 0),
        (r" cytosol$", re.IGNORECASE),
    )
)
_PARTS = (
    "acetyl|amino|benzyl|bromo|carbamoyl|carboxy|chloro|cyclic|dehydro|deoxy|fluoro|formyl|hydroxy|iodo|mercapto|"
    "methoxy|methyl|oxo|phenyl|succinyl|thio|ureido"
)
WITHOUT_LOCANTS = 0.6
"""How much the same names are of which one leaves locants out: N,N-dimethylglycine and dimethylglycine."""
_SEVERAL = "di|tri|tetra|penta|hexa"
_PART = re.compile(rf"(?:{_SEVERAL})?-?(?:{_PARTS})|(?:{_SEVERAL})?phosph(?= )")
_PHOSPHATES = re.compile(rf"(?:({_SEVERAL})(?:ki)?s?)?phosph(?:o(?!lip)|ate)")
_TOKEN = re.compile(r"\d+(?:alpha|beta)?|[a-z]+")
_CHAIN_OF_LIPID = re.compile(r"(?<!\d)\d\d:\d")


@lru_cache(maxsize=200_000)
def parts(name: str) -> tuple[tuple[str, str], ...]:
    """Return the parts of a name of `one_notation` in a fixed order, each with its locants, without what is often left
    out: stereo descriptors and anomers, indicated hydrogen, the atom that an acyl group is on.
    """
    for pattern in _LEFT_OUT:
        name = pattern.sub(" ", name)
    name = _PHOSPHATES.sub(r"\1phosph ", name.casefold().replace("'", ""))
    found: list[tuple[str, str]] = []
    locants: list[str] = []
    for token in _TOKEN.findall(_PART.sub(r" \g<0> ", name)):
        if len(token) > 1 and token[0].isalpha():
            found.append((token, " ".join(sorted(locants))))
            locants = []
            continue
        if token[-1].isdigit() and locants and not locants[-1][-1].isdigit():  # 5beta-24-oxo
            found += [("", each) for each in locants]
            locants = []
        locants.append(token)
    return tuple(sorted([*found, *(("", each) for each in locants)]))


def same_parts(left: str, right: str) -> float:
    """Return 1 if two names of `one_notation` have the same parts, `WITHOUT_LOCANTS` if one leaves locants out that
    the other has, else 0. What both say and say differently is no part left out: stereo descriptors, and the chains
    of a lipid, which count in their order.
    """
    ours, theirs = parts(left), parts(right)
    words = [sorted(word for word, _ in each if word) for each in (ours, theirs)]
    chains = {tuple(found) for found in map(_CHAIN_OF_LIPID.findall, (left, right)) if found}
    if words[0] != words[1] or len(chains) > 1 or agreement(*map(read_chemistry, (left, right)))["stereo"] < 0:
        return 0.0
    if ours == theirs:
        return 1.0
    own, other = (Counter(" ".join(locants for _, locants in each).split()) for each in (ours, theirs))
    return WITHOUT_LOCANTS if own < other or other < own else 0.0
