"""Entities get the ids of a namespace: abbreviations first, then names, with a probability and a decision."""

from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pandas as pd
import pytest
from typer.testing import CliRunner

from bioft.cli import main as cli
from bioft.datasets.metabolites.tables import Row, to_table
from bioft.datasets.namespaces.read import read
from bioft.errors import BioftError
from bioft.tasks.name_alignment import concept_names
from bioft.tasks.name_alignment.abbreviations import abbreviations, expanded
from bioft.tasks.name_alignment.concept_names import aligner_of, fitted_aligner
from bioft.tasks.name_alignment.linking import Linker, open_linker, written_out

ORGANS = (
    "liver",
    "kidney",
    "heart",
    "lung",
    "brain",
    "skin",
    "bone",
    "eye",
    "stomach",
    "spleen",
    "bladder",
    "thyroid",
)
KINDS = (("failure", "insufficiency"), ("cancer", "carcinoma"), ("infarction", "ischaemia"), ("pain", "ache"))


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 diseases, three names each."""
    rows = [
        f"D{i}{j}\t{organ} {kind}\t{kind.capitalize()} of the {organ}|{organ} {other}s"
        for i, organ in enumerate(ORGANS)
        for j, (kind, other) in enumerate(KINDS)
    ]
    path = tmp_path_factory.mktemp("vocabulary") / "own.tsv"
    path.write_text(
        "id\tname\tsynonyms\n" + "\n".join([*rows, "D99\tliver failure, acute\tacute liver failure"]) + "\n"
    )
    return path


@pytest.fixture(scope="module")
def linker(vocabulary: Path) -> Linker:
    return Linker({"": fitted_aligner(read([vocabulary]))})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Acute renal failure (ARF) and (ARF).", {"ARF": "Acute renal failure"}),
        ("patients with gamma-aminobutyric acid (GABA, n = 3)", {"GABA": "gamma-aminobutyric acid"}),
        ("an ACE (angiotensin converting enzyme) inhibitor", {"ACE": "angiotensin converting enzyme"}),
        ("It was late. Failure (HX) of hope (see 3)", {}),
        ("5-fluorouracil (5-FU), in some (see below) (1999)", {"5-FU": "5-fluorouracil"}),
        ("()(()) ( ", {}),
    ],
)
def test_abbreviations_are_those_that_a_text_defines(text: str, found: dict[str, str]) -> None:
    assert abbreviations(text) == found


def test_a_word_of_a_mention_is_expanded_and_no_part_of_a_word() -> None:
    assert expanded("ARF patients", {"ARF": "acute renal failure"}) == "acute renal failure patients"
    assert expanded("ARFX", {"ARF": "acute renal failure"}) == "ARFX"


def test_entities_are_linked_whatever_their_form(linker: Linker) -> None:
    text = "Liver failures (LF) and ischemia of the heart; later LF. Blue cheese. Acute liver failure."
    names = ("Liver failures", "LF", "ischemia of the heart", "LF", "Blue cheese", "Acute liver failure")
    spans, place = [], 0
    for name in names:
        place = text.index(name, place)
        spans.append((place, place + len(name), "Disease"))
        place += len(name)
    assert written_out(text, spans)[1] == written_out(text, spans)[3] == "Liver failures"
    (links,) = linker.links([text], [spans])
    assert [link.id for link in links] == ["D00", "D00", "D22", "D00", "-1", "D99"]
    assert all(0 <= link.probability <= 1 for link in links) and links[4].name == ""
    rows = linker.link(text, spans, name_unlinked=True)
    assert [row["id"] for row in rows] == ["D00", "D00", "D22", "D00", "name:blue cheese", "D99"]


def test_documents_get_only_ids_that_are_probably_right(linker: Linker) -> None:
    """What is asked name by name shows each answer with its probability; relations between entities rest on ids."""
    text = "Acute liver failure and kidney cancer"
    spans = [(0, 19, "Disease"), (24, 37, "Disease")]
    first, second = linker.links([text], [spans])[0]
    doubtful = replace(linker, known={("", "kidney cancer"): second._replace(probability=0.49)})
    assert doubtful.links([text], [spans])[0][1].id == second.id != "-1"
    assert [row["id"] for row in doubtful.link(text, spans)] == [first.id, "-1"]
    assert [row["id"] for row in linker.link(text, spans)] == [first.id, second.id]


def test_each_type_may_have_a_namespace(vocabulary: Path) -> None:
    linker = open_linker([f"Disease={vocabulary}"])
    (links,) = linker.links(["liver cancer"], [[(0, 12, "Disease"), (0, 12, "Chemical")]])
    assert [link.id for link in links] == ["D01", "-1"]
    with pytest.raises(BioftError, match="two namespaces for all types"):
        open_linker([str(vocabulary), str(vocabulary)])


def test_a_namespace_is_built_and_names_are_matched_to_it(vocabulary: Path, tmp_path: Path) -> None:
    folder, names, output = tmp_path / "own", tmp_path / "names.txt", tmp_path / "out.tsv"
    built = CliRunner().invoke(cli.app, ["build", "namespace", str(vocabulary), "-o", str(folder)])
    assert built.exit_code == 0 and "49 concepts, 146 names" in built.output and "Terms: not stated" in built.output
    names.write_text("Carcinoma of the kidneys\nblue cheese\n")
    command = ["align", str(names), "--namespace", str(folder), "-o", str(output)]
    matched = CliRunner().invoke(cli.app, command)
    assert matched.exit_code == 0, matched.output
    rows = [line.split("\t") for line in output.read_text().splitlines()]
    assert [row[2] for row in rows[1:]] == ["D11", ""]
    asked = to_table([Row(name, name) for name in ("Carcinoma of the kidneys", "heart ache", "blue cheese")])
    pd.testing.assert_frame_equal(aligner_of(str(folder)).align(asked), aligner_of(str(vocabulary)).align(asked))
    refused = CliRunner().invoke(cli.app, [*command, "--overwrite", "--synonyms"])
    assert refused.exit_code == 1 and "namespaces of metabolites" in refused.output
    again = CliRunner().invoke(cli.app, ["build", "namespace", str(vocabulary), "-o", str(folder)])
    assert again.exit_code == 1 and "not empty" in again.output
    (tmp_path / "one.tsv").write_text("id\tname\na\tb\n")
    lone = CliRunner().invoke(cli.app, ["build", "namespace", str(tmp_path / "one.tsv"), "-o", str(tmp_path / "x")])
    assert lone.exit_code == 1 and "Hardly any concept has two names" in lone.output and not (tmp_path / "x").exists()


def test_what_comes_with_the_installation_is_made_once(
    vocabulary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kept in the cache it gives the same; where nothing can be kept it is made each time."""
    opened, names = concept_names.open_namespace, {"hpo": str(vocabulary)}
    monkeypatch.setattr(concept_names, "open_namespace", lambda name: opened(names.get(name, name)))
    asked = to_table([Row(name, name) for name in ("Carcinoma of the kidneys", "heart ache", "blue cheese")])
    (tmp_path / "file").touch()
    monkeypatch.setenv("BIOFT_CACHE", str(tmp_path / "file"))
    made = aligner_of("hpo").align(asked)
    monkeypatch.setenv("BIOFT_CACHE", str(tmp_path / "cache"))
    pd.testing.assert_frame_equal(aligner_of("hpo").align(asked), made)
    monkeypatch.setattr(concept_names, "fit_scorer", Mock(side_effect=AssertionError))
    pd.testing.assert_frame_equal(aligner_of("hpo").align(asked), made)
