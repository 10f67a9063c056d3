"""The words of a pair of concepts: what stands where, and what is left out."""

from bioft.tasks.relations import candidates as relations
from bioft.tasks.relations.words import candidate_words

TEXT = "Lithium toxicity. Lithium carbonate may cause a severe tremor, unlike ketamine. No tremor was seen otherwise."
ROW = {
    "text": TEXT,
    "entities": [
        {"start": TEXT.index(name, start), "end": TEXT.index(name, start) + len(name), "type": kind, "id": concept}
        for name, start, kind, concept in (
            ("Lithium", 0, "Chemical", "D1"),
            ("toxicity", 0, "Disease", "D9"),
            ("Lithium carbonate", 0, "Chemical", "D1"),
            ("tremor", 0, "Disease", "D3"),
            ("ketamine", 0, "Chemical", "D2"),
            ("tremor", TEXT.index("No"), "Disease", "D3"),
        )
    ],
}
ARGUMENTS = {"CID": [("Chemical", "Disease")]}


def words_of(head: str, tail: str) -> list[str]:
    found = relations.candidates([ROW], ARGUMENTS)
    (words,) = (
        words
        for words, pair in zip(candidate_words([ROW], found), found, strict=True)
        if (pair.head.id, pair.tail.id) == (head, tail)
    )
    return words


def test_words_have_the_role_in_which_they_stand() -> None:
    assert words_of("D1", "D3") == [
        *("head=lithium", "head:lithium", "head=lithium carbonate", "head:lithium", "head:carbonate"),
        *("tail=tremor", "tail:tremor"),
        *("between:may", "between:cause", "between:a", "between:severe"),
        *("head-tail:may", "head-tail:cause", "head-tail:a", "head-tail:severe"),
        *("head-tail:< may", "head-tail:may cause", "head-tail:cause a", "head-tail:a severe", "head-tail:severe >"),
        *("head-tail before:<Chemical>", "head-tail before:<Disease>", "head-tail before:."),
        *("head-tail after:,", "head-tail after:unlike", "head-tail after:<Chemical>", "head-tail after:."),
    ]


def test_the_order_of_the_mentions_counts() -> None:
    words = words_of("D2", "D3")
    assert "tail-head:unlike" in words and not any(word.startswith("head-tail") for word in words)


def test_concepts_that_no_sentence_shares_have_their_names_alone() -> None:
    assert words_of("D2", "D9") == ["head=ketamine", "head:ketamine", "tail=toxicity", "tail:toxicity"]


def test_mentions_far_apart_have_no_words_between_them() -> None:
    text = "Lithium " + "and so on " * 10 + "tremor"
    row = {
        "text": text,
        "entities": [
            {"start": 0, "end": 7, "type": "Chemical", "id": "D1"},
            {"start": len(text) - 6, "end": len(text), "type": "Disease", "id": "D3"},
        ],
    }
    (words,) = candidate_words([row], relations.candidates([row], ARGUMENTS))
    assert words == ["head=lithium", "head:lithium", "tail=tremor", "tail:tremor", "head-tail:far"]
