"""Text datasets: like texts stay together, nothing leaks, the same input gives the same dataset, HPO definitions."""

import json
from collections import Counter
from pathlib import Path

import pytest
from datasets import Dataset

from bioft.cards import words
from bioft.datasets.hpo import gene_disease as hpo, terms as hpo_terms
from bioft.datasets.origin import Origin
from bioft.datasets.texts import corpus as texts
from bioft.datasets.trials import texts as trial_texts
from bioft.errors import BioftError, LeakageError
from bioft.inspect import inspect as inspection
from bioft.storage import datasets as storage

PARAGRAPH = "This paragraph is long enough to be shared by two trials of one sponsor and says nothing else. " * 3


def build(rows: list[tuple[str, str]], **options: float) -> tuple:
    calls: list[int] = []

    def stream(left_out: Counter[str]) -> list[tuple[str, str]]:
        calls.append(1)
        left_out["without text"] = 2
        return rows

    sources = [{"name": "made up", "sha256": str(hash(tuple(rows)))}]
    sizes = {"validation_size": 0.2, "test_size": 0.2, "seed": 0} | options
    dataset, manifest = texts.build(stream, Origin("made_up", {}, sources, {"license": "mit"}), **sizes)
    return dataset, manifest, len(calls)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIOFT_CACHE", str(tmp_path / "cache"))


def test_like_texts_are_one_group_also_over_others() -> None:
    groups = texts.group_like_texts(
        [
            ["Dose 5 mg of A.", "dose 10 MG of a", "Other\n" + PARAGRAPH],
            ["Third", PARAGRAPH + "\nDose of B", "dose of b", "Dose 3 of B", "Other"],
        ]
    )
    assert groups.tolist() == [0, 0, 1, 2, 1, 3, 3, 4]


def test_rows_are_split_by_group_and_described(tmp_path: Path) -> None:
    rows = [(f"T{number}", f"Text {'x' * (number // 2)} of drug {number}") for number in range(100)]
    dataset, manifest, calls = build(rows)
    assert calls == 1
    assert sum(map(len, dataset.values())) == 100
    split_of = {row: name for name, split in dataset.items() for row in split["id"]}
    assert all(split_of[f"T{number}"] == split_of[f"T{number + 1}"] for number in range(0, 100, 2))
    assert manifest["split"]["groups"] == 50
    assert manifest["split"]["largest_group"] == 2
    assert manifest["left_out"] == {"without text": 2}
    assert manifest["rows"]["train"]["texts"] == len(dataset["train"])
    storage.save(dataset, manifest, tmp_path / "saved")
    assert storage.load(tmp_path / "saved")[1] == manifest
    # Read from the cache, and split in another way: the same rows.
    again, other, calls = build(rows, seed=1)
    assert calls == 0
    assert other["fingerprints"] != manifest["fingerprints"]
    assert sorted(row for split in again.values() for row in split["id"]) == sorted(split_of)


def test_what_is_wrong_with_texts_is_said() -> None:
    with pytest.raises(BioftError, match="No text in made up"):
        build([])
    with pytest.raises(BioftError, match="'same' belongs to 20 texts"):
        build([("same", f"Text {chr(97 + number)}") for number in range(20)])
    leaking = {name: Dataset.from_dict({"id": [name], "text": ["The SAME text!"]}) for name in ("train", "test")}
    with pytest.raises(LeakageError, match="1 texts straddle splits"):
        texts.audit(leaking)


def test_texts_that_may_not_be_english_are_reported() -> None:
    english = (
        "The drug was given to all of the patients in the trial, and none of them was at risk for a relapse of it."
    )
    german = (
        "Das Medikament wurde allen Patienten der Studie gegeben, und keiner von ihnen erlitt danach einen Rückfall "
        * 2
    )
    rows = {"train": Dataset.from_dict({"id": ["en", "de", "short"], "text": [english, german, "Diabète"]})}
    audit = texts.audit(rows)
    assert audit["perhaps_not_english"]["train"] == {"texts": 1, "first": ["de"]}
    assert any("1 texts of train, first de" in sentence for sentence in words.audit_in_words(audit))


def test_definitions_of_hpo() -> None:
    rows = dict(hpo_terms.read_definitions())
    assert len(rows) > 16_000
    assert rows["HP:0000002"].startswith("Abnormality of body height: Deviation from the norm of height")
    dataset, manifest = hpo_terms.build_definitions()
    assert manifest["rows"]["test"]["texts"] == len(dataset["test"]) > 1000
    assert manifest["audit"]["checks"]["normalised_texts_across_splits"] == 0


def test_definitions_are_read_as_obo_writes_them(tmp_path: Path) -> None:
    file = tmp_path / hpo.ONTOLOGY
    file.write_text(
        'format-version: 1.2\n\n[Term]\nid: X:1\nname: One\ndef: "A \\"quoted\\" word\\, and more." [ref]\n\n'
        '[Term]\nid: X:2\nname: Old\ndef: "Gone." []\nis_obsolete: true\n\n[Term]\nid: X:3\nname: None\n\n'
        '[Term]\nid: X:4\nname: Last\ndef: "End." []\n'
    )
    assert dict(hpo_terms.read_definitions(tmp_path)) == {
        "X:1": 'One: A "quoted" word, and more.',
        "X:4": "Last: End.",
    }
    file.write_text("[Term]\nid: X:1\nname: One\ndef: bare\n\n[Term]\nid: X:2\n")
    with pytest.raises(BioftError, match="line 4: a definition without quotation marks"):
        list(hpo_terms.read_definitions(tmp_path))


def test_trials_without_text_and_excluded_ones_are_left_out(tmp_path: Path) -> None:
    studies = [
        {
            "protocolSection": {
                "identificationModule": {"nctId": f"NCT{number:08d}", "briefTitle": f"Drug {chr(97 + number)}"},
                "descriptionModule": {"briefSummary": f"Effect of <b>{chr(97 + number)}</b> (n=5)."},
            }
        }
        for number in range(24)
    ]
    studies.append({"protocolSection": {"identificationModule": {"nctId": "NCT00000099"}}})
    (tmp_path / "a.json").write_text(json.dumps(studies))
    seen = tmp_path / "seen.txt"
    seen.write_text("# seen in pretraining\nNCT00000001\n")
    dataset, manifest = trial_texts.build(tmp_path / "a.json", exclude=seen, validation_size=0.2, test_size=0.2)
    found = {row["id"]: row["text"] for split in dataset.values() for row in split}
    assert len(found) == 23
    assert found["NCT00000002"] == "Drug c\n\nEffect of c (n=5)."
    assert manifest["left_out"] == {"excluded": 1, "without text": 1}
    assert inspection.notes(manifest) == [
        "Note: left out, excluded: 1",
        "Note: left out, without text: 1",
    ]
    seen.write_text("# nothing\n")
    with pytest.raises(BioftError, match="holds no NCT id"):
        trial_texts.build(tmp_path / "a.json", exclude=seen)
