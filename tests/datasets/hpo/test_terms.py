"""Names and synonyms of HPO terms: what becomes a pair, and that no term is in two splits."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bioft.cli import main as cli
from bioft.datasets.hpo import gene_disease as hpo, terms as hpo_terms
from bioft.errors import BioftError
from bioft.storage import datasets as storage
from bioft.storage.text_lines import normalise
from tests.metabolite_samples import write_namespace

TERM = """[Term]
id: HP:{number}
name: {name}
{lines}
"""


def write(folder: Path, terms: list[str]) -> Path:
    (folder / hpo.ONTOLOGY).write_text("format-version: 1.2\n\n" + "\n".join(terms), encoding="utf-8")
    (folder / hpo.DISEASES).write_text("#version: 2025-01-16\n", encoding="utf-8")
    return folder


def made_up(number: int) -> str:
    lines = f'synonym: "Swollen organ {number}" EXACT []\nsynonym: "Big organ {number}" EXACT layperson []'
    return TERM.format(number=number, name=f"Organomegaly {number}", lines=lines)


def test_only_exact_synonyms_of_one_living_term_make_a_pair(tmp_path: Path) -> None:
    lines = (
        'synonym: "Kidney \\"stones\\"" EXACT []\nsynonym: "Stone" BROAD []\nsynonym: "nephro-lithiasis" EXACT []\n'
        'synonym: "Nephro lithiasis" EXACT []\nsynonym: "Organomegaly 1" EXACT []'
    )
    dead = TERM.format(number=99, name="Old name", lines='synonym: "Older" EXACT []\nis_obsolete: true')
    own = TERM.format(number=98, name="Nephro-lithiasis", lines=lines)
    dataset, manifest = hpo_terms.build_synonyms(directory=write(tmp_path, [*map(made_up, range(20)), own, dead]))
    rows = [tuple(row.values()) for split in dataset.values() for row in split]
    assert {row for row in rows if row[2] == "HP:98"} == {("Nephro-lithiasis", 'Kidney "stones"', "HP:98")}
    assert "Organomegaly 1" not in {row[0] for row in rows}, "a name that another term has for a synonym"
    assert not any("Old" in row[0] for row in rows)
    assert manifest["left_out"] == {"same but for case and punctuation": 2, "of several terms": 3}


def test_the_installed_ontology() -> None:
    dataset, manifest = hpo_terms.build_synonyms()
    assert manifest["rows"]["train"]["pairs"] == len(dataset["train"]) > 10_000
    groups = [set(split["group"]) for split in dataset.values()]
    assert not groups[0] & groups[1] and not groups[0] & groups[2] and not groups[1] & groups[2]
    train, test = ({normalise(t) for c in ("anchor", "positive") for t in dataset[s][c]} for s in ("train", "test"))
    assert not train & test
    assert hpo_terms.build_synonyms()[1]["fingerprints"] == manifest["fingerprints"]


def test_command_writes_pairs_with_a_card(tmp_path: Path) -> None:
    write_namespace(tmp_path / "names.tsv")
    for command, options in {"hpo-synonyms": (), "metabolites": ("--namespace", str(tmp_path / "names.tsv"))}.items():
        result = CliRunner().invoke(cli.app, ["build", command, "-o", str(tmp_path / command), *options])
        assert result.exit_code == 0, result.output
        dataset, _ = storage.load(tmp_path / command)
        assert set(dataset) == {"train", "validation", "test"}
        card = (tmp_path / command / "README.md").read_text()
        assert "pairs of texts" in card and "sentence-similarity" in card and "gene" not in card.split("## Audit")[0]


def test_nothing_to_train_on(tmp_path: Path) -> None:
    with pytest.raises(BioftError):
        hpo_terms.build_synonyms(directory=write(tmp_path, [made_up(1)]))
