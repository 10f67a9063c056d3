"""Names of diseases, chemicals, genes and the like compared by their words: what metabolites' names are not read for.

Spelling is folded before: case, punctuation, accents, British "ae", "oe" and "our", plurals, and words without
content; the order of words does not count ("Neoplasms, Breast").
"""

import html
import re
from functools import lru_cache

from bioft.datasets.metabolites.names import GREEK
from bioft.storage.text_lines import normalise
from bioft.tasks.name_alignment.features import STRINGS, Metabolite, Reading

WORD_FEATURES = (*STRINGS, "word_set_similarity", "words_missing", "words_added", "numbers_differ", "first_word_same")
"""The features of a pair, in order: similarities of the strings, of the sets of words, the fractions of the name's
words that the other lacks and the other way round, and whether they have other numbers, or letters that number."""
_EMPTY = frozenset(("a", "an", "and", "by", "in", "of", "on", "or", "the", "to", "with"))
_BRITISH = re.compile(r"ae|oe(?=[a-z]{2})|our(?=s?\b)")
_AMERICAN = {"ae": "e", "oe": "e", "our": "or"}
_NUMBER = re.compile(r"\d+|[ivx]+|[a-h]")
LONGEST = 500
"""Characters of a name that are looked at."""


_GREEK = str.maketrans(GREEK)


def written_out(name: str) -> str:
    """A name as `normalise` gives it, with HTML undone and Greek letters by their names: β-thalassemia."""
    return normalise(html.unescape(name).lower().translate(_GREEK))


@lru_cache(maxsize=1_000_000)
def folded(name: str) -> str:
    """The words of a name in their order, folded."""
    text = _BRITISH.sub(lambda match: _AMERICAN[match[0]], written_out(name[:LONGEST]))
    words = [_singular(word) for word in text.split()]
    return " ".join([word for word in words if word not in _EMPTY] or words)


@lru_cache(maxsize=1_000_000)
def sorted_words(name: str) -> str:
    """The key that is equal for names of the same words in any order."""
    return " ".join(sorted(folded(name).split()))


def _singular(word: str) -> str:
    if len(word) < 5 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    return word[:-3] + "y" if word.endswith("ies") else word[:-1]


def pair_features(query: Metabolite, candidate: Metabolite, n_grams: float) -> list[float]:
    """Return the values of `WORD_FEATURES` for a pair; `n_grams` is the similarity by TF-IDF of character n-grams."""
    from rapidfuzz import fuzz

    left, right = folded(query.name), folded(candidate.name)
    ours, theirs = set(left.split()), set(right.split())
    missing, added = ours - theirs, theirs - ours
    sorted_left, sorted_right = sorted_words(query.name), sorted_words(candidate.name)
    numbers = {word for word in missing | added if _NUMBER.fullmatch(word)}
    return [
        n_grams,
        fuzz.ratio(left, right) / 100,
        fuzz.token_sort_ratio(left, right) / 100,
        fuzz.ratio(sorted_left, sorted_right) / 100,
        float(written_out(query.name) == written_out(candidate.name)),
        float(sorted_left == sorted_right),
        fuzz.token_set_ratio(left, right) / 100,
        len(missing) / max(len(ours), 1),
        len(added) / max(len(theirs), 1),
        float(bool(numbers)),
        float(left.split()[:1] == right.split()[:1]),
    ]


def reasons(query: Metabolite, candidate: Metabolite, similarity: float | None = None) -> str:
    """Say in words what speaks for a pair."""
    from rapidfuzz import fuzz

    if written_out(query.name) == written_out(candidate.name):
        found = ["same name"]
    elif sorted_words(query.name) == sorted_words(candidate.name):
        found = ["same words in another form"]
    else:
        found = [f"names are {fuzz.token_sort_ratio(folded(query.name), folded(candidate.name)):.0f} % the same"]
        if similarity is not None:
            found.append(f"embeddings similar to {similarity:.2f}")
    return "; ".join(found)


WORDS = Reading(WORD_FEATURES, folded, written_out, pair_features, reasons, n_grams=(3, 3), same_name_first=True)
