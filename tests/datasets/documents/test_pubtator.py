"""The PubTator reader and writer: lossless round trips, and a clear message for everything that can be wrong."""

import gzip
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from bioft.datasets.documents import pubtator
from bioft.datasets.documents.pubtator import Document, Mention, Relation
from bioft.errors import BioftError

# Made up for these tests. The offsets count `&gt;` as four characters, and the space between title and abstract.
GOOD = (
    "11|t|Zenozine and renal or hepatic failure.\n"
    "11|a|Doses &gt; 5 mg of zenozine caused asthma.\n"
    "11\t0\t8\tZenozine\tChemical\tD1\n"
    "11\t13\t37\trenal or hepatic failure\tDisease\tD2|D3\trenal failure|hepatic failure\n"
    "11\t58\t66\tzenozine\tChemical\tD1\n"
    "11\t74\t80\tasthma\tDisease\t-1\n"
    "11\tCID\tD1\tD3\n"
    "\n"
    "12|t|Nothing | found.\n"
    "12|a|An abstract with a\ttab and |t| in it.\n"
    "\n"
)


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def edited(old: str, new: str) -> str:
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


def test_what_is_read(tmp_path: Path) -> None:
    first, second = pubtator.read(write(tmp_path / "x.txt", GOOD))
    assert first.title == "Zenozine and renal or hepatic failure."
    assert first.text == first.title + " " + first.abstract
    assert first.mentions[1] == Mention(
        13, 37, "renal or hepatic failure", "Disease", "D2|D3", "renal failure|hepatic failure"
    )
    assert first.mentions[3] == Mention(74, 80, "asthma", "Disease", "-1", None)
    assert first.relations == [Relation("CID", "D1", "D3")]
    assert "&gt;" in first.text  # not unescaped
    assert second == Document("12", "Nothing | found.", "An abstract with a\ttab and |t| in it.")


def test_types_before_ids_in_relations_are_told_from_ids_with_a_bar(tmp_path: Path) -> None:
    document = "1|t|Aspirin, pain\n1|a|And.\n1\t0\t7\tAspirin\tChemical\tD1\n1\t9\t13\tpain\tDisease\tp|SUB|A\n"
    for head, tail in (("Chemical|D1", "Disease|p|SUB|A"), ("D1", "p|SUB|A")):
        (found,) = pubtator.read(write(tmp_path / "x.txt", f"{document}1\tAssociation\t{head}\t{tail}\n"))
        assert found.relations == [Relation("Association", "D1", "p|SUB|A")]
    with pytest.raises(BioftError, match=r"names the id Gene\|D1, which no mention bears"):
        list(pubtator.read(write(tmp_path / "x.txt", f"{document}1\tAssociation\tGene|D1\tp|SUB|A\n")))


def test_concepts() -> None:
    assert pubtator.concepts("D1") == ["D1"]
    assert pubtator.concepts("D1|D2") == pubtator.concepts("D1;D2") == ["D1", "D2"]
    assert pubtator.concepts("D1|-1") == ["D1"]
    assert pubtator.concepts("101,102") == ["101", "102"]
    assert pubtator.concepts("MESH:D1;OMIM:2") == ["MESH:D1", "OMIM:2"]
    assert pubtator.concepts("-1") == pubtator.concepts("-") == pubtator.concepts("") == []


@pytest.mark.parametrize(
    "identifier",
    [
        "p|SUB|A|10|G",
        "c|DEL|12_14|AG",
        "|Allele|C|34",
        "tmVar:p|SUB|V|600|E;HGVS:p.V600E;RS#:1",
        "2,4-D",
        "chr7|5|A|T",
    ],
)
def test_an_id_is_opaque_whatever_signs_are_in_it(tmp_path: Path, identifier: str) -> None:
    content = GOOD.replace("D1\n", f"{identifier}\n").replace("CID\tD1\t", f"CID\t{identifier}\t")
    first, _ = pubtator.read(write(tmp_path / "x.txt", content))
    assert pubtator.concepts(first.mentions[0].id) == [identifier]
    assert first.relations == [Relation("CID", identifier, "D3")]


def test_what_other_corpora_add_comes_back(tmp_path: Path) -> None:
    """BioRED's fifth column of relations, tmVar's columns, mentions without an id column, nested mentions."""
    content = GOOD.replace("CID\tD1\tD3\n", "CID\tD1\tD3\tNovel\n11\t58\t66\tzenozine\tGene\t5\trs5\tmore\n")
    content = content.replace("D1\n11\t74", "D1\n11\t60\t64\tnozi\tGene\n11\t74")
    first, second = pubtator.read(write(tmp_path / "x.txt", content))
    assert first.relations == [Relation("CID", "D1", "D3", "Novel")]
    assert first.mentions[-1] == Mention(58, 66, "zenozine", "Gene", "5", "rs5", ("more",))
    assert first.mentions[3] == Mention(60, 64, "nozi", "Gene", "")
    pubtator.write([first, second], tmp_path / "written")
    assert list(pubtator.read(tmp_path / "written")) == [first, second]


def test_the_longest_of_nested_mentions_stay_and_relations_to_them(tmp_path: Path) -> None:
    text = "JC virus infection and pain"
    names = [("JC virus infection", "D1"), ("JC virus", "7"), ("infection and", "D9"), ("pain", "D2")]
    mentions = [
        Mention(text.index(name), text.index(name) + len(name), name, "Disease", identifier)
        for name, identifier in names
    ]
    document = Document("1", text, "x", mentions, [Relation("a", "D1", "D2"), Relation("a", "7", "D2")])
    assert pubtator.find_problem(document) is None
    assert pubtator.first_overlap(mentions) == (mentions[1], mentions[0])
    settled = pubtator.without_overlaps(document)
    assert settled.mentions == [mentions[0], mentions[3]]
    assert settled.relations == [Relation("a", "D1", "D2")]
    assert pubtator.first_overlap(settled.mentions) is None
    assert pubtator.without_overlaps(settled) == settled


@pytest.mark.parametrize("name", ["Training", "Development", "Test"])
def test_real_files_come_back_byte_by_byte(shared_data: Path, tmp_path: Path, name: str) -> None:
    path = shared_data / "bc5cdr" / f"CDR_{name}Set.PubTator.txt.gz"
    pubtator.write(pubtator.read(path), tmp_path / "x.txt")
    assert (tmp_path / "x.txt").read_bytes() == gzip.decompress(path.read_bytes())


# Round trips

LINE = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1, max_size=30)
FIELD = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\t"), min_size=1, max_size=8)
CONCEPT = st.sampled_from(["D1", "D2", "7157", "OMIM:1"])


@st.composite
def documents(draw: st.DrawFn) -> Document:
    title = draw(LINE.filter(str.strip))
    abstract = draw(LINE.filter(str.strip))
    text = f"{title} {abstract}"
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    mentions = []
    for start, end in zip(cuts[::2], cuts[1::2], strict=False):
        if "\t" in text[start:end]:
            continue
        ids = draw(st.lists(CONCEPT, min_size=1, max_size=3, unique=True))
        individual = "|".join(ids).lower() if len(ids) > 1 and draw(st.booleans()) else None
        identifier = draw(st.sampled_from(["|".join(ids), "-1"])) if individual is None else "|".join(ids)
        mentions.append(Mention(start, end, text[start:end], draw(FIELD), identifier, individual))
    borne = [concept for mention in mentions for concept in pubtator.concepts(mention.id)]
    relations = [
        Relation(draw(FIELD), draw(st.sampled_from(borne)), draw(st.sampled_from(borne)))
        for _ in range(draw(st.integers(0, 3)) if borne else 0)
    ]
    order = draw(st.permutations(mentions))  # the file's order stays, whatever it is
    return Document(draw(st.from_regex(r"[A-Za-z0-9_.-]{1,8}", fullmatch=True)), title, abstract, order, relations)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80)
@given(
    st.lists(documents(), min_size=1, max_size=4, unique_by=lambda document: document.document_id),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 2),
)
def test_documents_come_back(
    tmp_path: Path, found: list[Document], line_break: str, mark: bool, packed: bool, blank_lines: int
) -> None:
    """Whatever the line breaks, with or without byte order mark, plain or gzip, with more blank lines or none last."""
    pubtator.write(found, tmp_path / "written", overwrite=True)
    text = (tmp_path / "written").read_bytes().decode().replace("\n\n", "\n" * (blank_lines + 2))
    text = (text if blank_lines else text.rstrip("\n")).replace("\n", line_break)
    content = text.encode("utf-8-sig" if mark else "utf-8")
    path = write(tmp_path / "x", gzip.compress(content) if packed else content)
    assert list(pubtator.read(path)) == found


def test_a_very_long_document(tmp_path: Path) -> None:
    sentence = "Zenozine relieved asthma in most people. "
    abstract = (sentence * 5_000).strip()
    mentions = [
        Mention(start, start + 8, "Zenozine", "Chemical", "D1")
        for start in range(len("Title. "), len(abstract), len(sentence))
    ]
    document = Document("1", "Title.", abstract, mentions)
    assert len(document.text) > 200_000
    pubtator.write([document], tmp_path / "x.txt")
    assert list(pubtator.read(tmp_path / "x.txt")) == [document]


# What other programs make of the format


@pytest.mark.parametrize(
    ("old", "new", "relation"),
    [
        ("CID\tD1\tD3", "CID\tD1\tD3\tNovel\tSubject:D1", Relation("CID", "D1", "D3", "Novel\tSubject:D1")),
        ("D2|D3\trenal failure|hepatic failure", "D2;D3\t", Relation("CID", "D1", "D3")),
        ("D2|D3\trenal failure|hepatic failure", "D2, D3", Relation("CID", "D1", "D3")),
        ("\n", "\r\r\n", Relation("CID", "D1", "D3")),
    ],
)
def test_further_columns_spaces_between_ids_and_doubled_returns(
    tmp_path: Path, old: str, new: str, relation: Relation
) -> None:
    (first, second) = pubtator.read(write(tmp_path / "x.txt", GOOD.replace(old, new)))
    assert first.relations == [relation]
    assert second.abstract == "An abstract with a\ttab and |t| in it."
    pubtator.write([first, second], tmp_path / "again.txt")
    assert list(pubtator.read(tmp_path / "again.txt")) == [first, second]


# Bad input

BAD = [
    # what is edited, how, the line to be named, the message
    ("11\t58\t66\tzenozine", "11\t59\t67\tzenozine", 5, r"59 to 67.*'enozine '\. It stands at 58 to 66"),
    ("11\t74\t80\tasthma", "11\t73\t79\tasthma", 6, r"It stands at 74 to 80"),
    ("11\t74\t80\tasthma", "11\t74\t79\tasthma", 6, r"'asthm'\. It stands at 74 to 80"),
    ("11\t74\t80\tasthma", "11\t74\t80\teczema", 6, r"has 'asthma'\. Offsets count characters of title"),
    ("11\t74\t80\tasthma", "11\t740\t746\tasthma", 6, r"of 81 characters.* has ''"),
    ("11\t74\t80\tasthma", "11\t74\t99\tasthma.", 6, r"74 to 99.*It stands at 74 to 81"),
    ("11\t74\t80", "11\t74.0\t80", 6, r"no whole numbers: '74\.0' and '80'"),
    ("11\t74\t80", "11\t-74\t80", 6, "no whole numbers"),
    ("11\t74\t80\tasthma", "11\t74\t74\t", 6, "goes from 74 to 74"),
    ("Disease\t-1", "\t-1", 6, "'asthma' has no type"),
    ("D2|D3\trenal failure", "D2\trenal failure", 4, "has 2 individual mentions and 1 concept ids"),
    ("renal failure|hepatic failure", "hepatic failure", 4, "has 1 individual mentions and 2 concept ids"),
    ("CID\tD1\tD3", "CID\tD1\tD9", 7, "the CID relation names the id D9, which no mention bears"),
    ("CID\tD1\tD3", "CID\t-1\tD3", 7, "names the id -1, which no mention bears"),
    ("CID\tD1\tD3", "CID\t\tD3", 7, "lacks its type, head or tail"),
    ("CID\tD1\tD3", "CID\tD1", 7, "3 tab-separated fields"),
    ("11\tCID", "99\tCID", 7, "belongs to no document above it"),
    ("11|t|Zenozine and renal or hepatic failure.", "11|t|", 1, "the title is empty"),
    ("12|a|An abstract with a\ttab and |t| in it.", "12|a|  ", 10, "the abstract is empty"),
    ("11|a|Doses", "11|b|Doses", 2, r"the abstract line \(ID\|a\|text\) should stand here"),
    ("12|a|An abstract with a\ttab and |t| in it.\n", "", 9, r"the abstract line .* should stand after it"),
    ("12|a|An", "13|a|An", 10, "the abstract is that of document 13"),
    ("11|t|Zenozine", "11 |t|Zenozine", 1, r"the title line \(ID\|t\|text\) should stand here"),
    ("D1\tD3\n\n12", "D1\tD3\n12", 8, "no blank line before this document"),
    ("caused asthma.\n11", "caused asthma.\n\n11", 4, "a blank line inside the document"),
    ("12|t|Nothing", "11|t|Nothing", 10, r"the abstract is that of document 12"),
]


@pytest.mark.parametrize(("old", "new", "line", "problem"), BAD)
@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_what_is_wrong_is_told_with_its_place(
    tmp_path: Path, old: str, new: str, line: int, problem: str, line_break: str
) -> None:
    path = write(tmp_path / "x.txt", edited(old, new).replace("\n", line_break))
    with pytest.raises(BioftError, match=rf"x\.txt, document \S+, line {line}: .*({problem})"):
        list(pubtator.read(path))


@pytest.mark.parametrize(("old", "new"), [(old, new) for old, new, *_ in BAD])
def test_skipping_leaves_out_the_wrong_document_only(tmp_path: Path, old: str, new: str) -> None:
    other = "13|t|A third one.\n13|a|It stays.\n"
    path = write(tmp_path / "x.txt", edited(old, new) + other)
    skipped: list[str] = []
    found = list(pubtator.read(path, skipped=skipped))
    assert found[-1].document_id == "13"
    assert len(found) == 2
    assert len(skipped) == 1
    with pytest.raises(BioftError) as caught:
        list(pubtator.read(path))
    assert skipped[0] == str(caught.value)


def test_a_document_id_that_comes_twice(tmp_path: Path) -> None:
    path = write(tmp_path / "x.txt", GOOD + GOOD)
    with pytest.raises(BioftError, match="document 11, line 12: the document id comes twice; first in line 1"):
        list(pubtator.read(path))
    skipped: list[str] = []
    assert [document.document_id for document in pubtator.read(path, skipped=skipped)] == ["11", "12"]
    assert len(skipped) == 2


def test_titles_without_abstract_on_request(tmp_path: Path) -> None:
    path = write(tmp_path / "x.txt", "1|t|Only a title.\n1|a|\n")
    (document,) = pubtator.read(path, allow_empty_abstract=True)
    assert document.text == "Only a title. "


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "does not exist"),
        (b"", "is empty"),
        (b"\n \n\n", "holds no document"),
        (b"1|t|caf\xe9\n", "line 1: byte 0xe9"),
        (gzip.compress(b"1|t|A title.\n1|a|An abstract.\n" * 50, mtime=0)[:-20], "truncated gzip"),
    ],
)
@pytest.mark.parametrize("skip", [True, False])
def test_files_that_can_not_be_read_are_never_skipped(
    tmp_path: Path, content: bytes | None, problem: str, skip: bool
) -> None:
    path = tmp_path / "x.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BioftError, match=problem):
        list(pubtator.read(path, skipped=[] if skip else None))


# Writing


def document(title: str = "A title.", abstract: str = "An abstract.", **fields: str) -> Document:
    values = {"text": "title", "type": "Disease", "id": "D1", **fields}
    return Document("1", title, abstract, [Mention(2, 7, values["text"], values["type"], values["id"])])


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (document(abstract="two\nlines"), "line break"),
        (document(title="A title\r"), "line break"),
        (document(type="Dis\tease"), "individual mentions|tab"),
        (document(id="D1\tD2"), "tab"),
        (document(text="titel"), "is said to stand at 2 to 7"),
        (Document("", "A title.", "x"), "its id must not be empty"),
        (Document("a b", "A title.", "x"), "nor hold spaces"),
        (Document("a|b", "A title.", "x"), "nor hold spaces or '|'"),
        (Document("1", " ", "x"), "the title is empty"),
    ],
)
def test_what_would_not_read_back_is_not_written(tmp_path: Path, wrong: Document, problem: str) -> None:
    with pytest.raises(BioftError, match=problem):
        pubtator.write([Document("0", "Good.", "Good."), wrong], tmp_path / "x.txt")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_never_overwritten_unless_asked(tmp_path: Path) -> None:
    path = write(tmp_path / "x.txt", "mine")
    with pytest.raises(BioftError, match="exists already"):
        pubtator.write([document()], path)
    with pytest.raises(BioftError, match="does not exist"):
        pubtator.write([document()], tmp_path / "no" / "x.txt")
    assert path.read_text() == "mine"
    pubtator.write([document()], path, overwrite=True)
    assert list(pubtator.read(path)) == [document()]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [file.name for file in tmp_path.iterdir()] == ["x.txt"]


def test_two_documents_of_one_id_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(BioftError, match="used before"):
        pubtator.write([document(), document()], tmp_path / "x.txt")
