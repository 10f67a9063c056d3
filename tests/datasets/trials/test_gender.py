"""Who may take part in a trial: labels from records, and the confound that the audit shows."""

import csv

import pytest

from bioft.datasets.load import load_labelled_texts
from bioft.datasets.trials import gender, sexes


def write_trials(path, rows):
    """A CSV export with titles as the only text."""
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["NCT Number", "Study Title", "Sex", "Last Update Posted"])
        writer.writerows(rows)


@pytest.fixture
def folder(tmp_path):
    """Urology trials for men, skin trials for all: the file gives the label away."""
    write_trials(
        tmp_path / "urology.csv",
        [(f"NCT{i:08}", f"Bladder outlet trial {i}", "MALE", "2020-01-01") for i in range(40)],
    )
    skin = [(f"NCT{i:08}", f"Skin rash in men, trial {i}", "ALL", "2020-01-01") for i in range(100, 160)]
    skin += [(f"NCT{i:08}", f"Skin rash in women, trial {i}", "FEMALE", "2020-01-01") for i in range(200, 203)]
    skin += [("NCT00000300", "Unknown to whom", "", "2020-01-01"), ("NCT00000301", "", "ALL", "2020-01-01")]
    write_trials(tmp_path / "skin.csv", skin)
    return tmp_path


def test_labels_come_from_the_records(folder):
    """A trial that does not say gets None; one without text is left out and counted."""
    dataset, manifest = load_labelled_texts("gender", dataset_path=str(folder))
    rows = {row["id"]: row["label"] for split in dataset.values() for row in split}
    assert (rows["NCT00000001"], rows["NCT00000100"], rows["NCT00000200"]) == ("Male", "All", "Female")
    assert rows["NCT00000300"] == "None" and "NCT00000301" not in rows
    assert manifest["skipped"]["all"] == {"documents": 1, "first": ["NCT00000301: no text."]}
    assert manifest["labels_without"]["test"] == ["None"], "a single trial is trained on"


def test_the_audit_shows_that_the_file_gives_the_label_away(folder):
    _, manifest = gender.build(folder)
    found = manifest["audit"]["confounding"]
    assert found["labels_by_source"] == {"skin.csv": {"All": 60, "Female": 3, "None": 1}, "urology.csv": {"Male": 40}}
    assert found["source_alone"]["accuracy"] > 0.9 > found["majority"]["accuracy"]
    assert found["topic_alone"]["accuracy"] > 0.9, "bladder or skin, without a word for a sex"
    assert found["names_sex"]["All"] == 1.0 and found["names_sex"]["Male"] == 0.0


def test_words_for_a_sex_are_taken_out_and_no_others():
    text = "Pregnant women and men: treatment, management, males"
    assert sexes.without_sex(text).split() == ["and", ":", "treatment,", "management,"]


def test_the_real_records_are_confounded(shared_data):
    """Nearly all trials for men are of the urology collection, as its source note says."""
    counts = {}
    for trial in gender.read_trials(shared_data / "clinical_trials" / "ctg_urology_records.json.zip"):
        counts[sexes.FROM_RECORD[trial.sex]] = counts.get(sexes.FROM_RECORD[trial.sex], 0) + 1
    assert counts == {"Male": 601, "All": 30, "Female": 4}
