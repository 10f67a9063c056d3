"""The stop reasons of Open Targets: both layouts, what is wrong in the real file, and bad input."""

import gzip
import json

import pytest

from bioft.datasets.load import load_labelled_texts
from bioft.datasets.splits import SPLITS
from bioft.datasets.texts import stop_reasons
from bioft.errors import BioftError

HEADER = "stop_reason\tphase\tnct_id\tstart_date\tstatus\tlast\tcompletion_date\tprediction\t\t\t"


def weak_row(text="Too few patients", nct="NCT00000001", label="Insufficient_Enrollment", rest="\t\t\t"):
    return f"{text}\tnan\t{nct}\t1.02.2019\tTerminated\tnan\tnan\t{label}{rest}"


def write_weak(path, *rows):
    path.write_bytes("\r\n".join([HEADER, *rows, ""]).encode())
    return path


def gold_row(text, *labels, **changes):
    return {
        "text": text,
        "label_descriptions": list(labels),
        **{k: k in labels for k in stop_reasons.LABELS},
        **changes,
    }


def write_gold(path, *rows):
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def read_weak(path, **options):
    left_out = []
    return list(stop_reasons.read_weak(path, left_out=left_out, **options)), left_out


# --- weak labels


def test_a_row_is_read_with_crlf_quotes_and_double_spaces(tmp_path):
    file = write_weak(
        tmp_path / "w.tsv", weak_row('"Stopped;   too ""slow"""'), weak_row("Zu wenige Patienten – naïv")
    )
    rows, left_out = read_weak(file)
    assert [row.text for row in rows] == ['Stopped; too "slow"', "Zu wenige Patienten – naïv"]
    assert rows[0].labels == ("Insufficient_Enrollment",) and rows[0].id == "NCT00000001" and not left_out


def test_rows_without_label_or_text_and_shifted_rows_are_left_out_and_named(tmp_path):
    shifted = (
        "One text\tnan\tNCT00000002\t1.1.2007\tAnother text\tPhase 4\tNCT00000003\t13.06.2002\tTerminated\tnan\tX"
    )
    file = write_weak(
        tmp_path / "w.tsv", weak_row(), weak_row(label=""), weak_row("nan"), shifted, weak_row(label="nan")
    )
    rows, left_out = read_weak(file)
    assert len(rows) == 1
    assert [message.split(", ")[1] for message in left_out] == [
        "line 3: no label.",
        "line 4: no text.",
        "line 5: two records run together.",
        "line 6: no label.",
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (weak_row(label="Insuficient_Enrollment"), "line 3: unknown label.*Did you mean 'Insufficient_Enrollment'"),
        (weak_row(nct="NCT123"), "line 3: 'NCT123' is no NCT id"),
        ("only one field", "line 3: 1 fields where the header has 11"),
    ],
)
def test_a_wrong_row_raises_with_its_line_or_is_skipped(row, message, tmp_path):
    file = write_weak(tmp_path / "w.tsv", weak_row(), row)
    with pytest.raises(BioftError, match=message):
        read_weak(file)
    rows, left_out = read_weak(file, skip_bad=True)
    assert len(rows) == len(left_out) == 1


def test_another_file_is_no_file_of_reasons(tmp_path):
    (tmp_path / "x.tsv").write_text("gene\tdisease\nA\tB\n")
    with pytest.raises(BioftError, match="no column stop_reason, nct_id, prediction; found gene, disease"):
        read_weak(tmp_path / "x.tsv")


def test_the_real_file_has_test_texts_of_every_label(shared_data):
    """Counts as its source note has them: 28,873 rows, 39 without a prediction, one shifted."""
    file = shared_data / "stop_reasons" / "stopped_predictions_27.11.tsv.gz"
    dataset, manifest = stop_reasons.build_weak(file)
    assert manifest["skipped"]["all"]["documents"] == 40
    assert sum(map(len, dataset.values())) + manifest["merged"] + 40 == 28_873
    assert manifest["builder"] == "stop_reasons_weak" and manifest["label_source"] == "weak"
    assert manifest["labels"] == list(stop_reasons.LABELS) and manifest["labels_without"]["test"] == []
    assert manifest["conflicting_labels"]["texts"] == 7


# --- expert labels


def test_gold_rows_may_have_several_labels_in_either_layout(tmp_path):
    flags = {
        "text": "No drug, no money",
        **{k: int(k in ("Logistics_Resources", "Negative")) for k in stop_reasons.LABELS},
    }
    both = gold_row("Slow and toxic", "Insufficient_Enrollment", "Safety_Sideeffects")
    plain = {"text": "Harm", "label_descriptions": "Safety_Sideeffects"}
    file = write_gold(tmp_path / "data.json", both, flags, plain, gold_row("Unlabelled"))
    left_out = []
    rows = list(stop_reasons.read_gold(file, left_out=left_out))
    assert [row.labels for row in rows] == [
        ("Insufficient_Enrollment", "Safety_Sideeffects"),
        ("Logistics_Resources", "Negative"),
        ("Safety_Sideeffects",),
    ]
    assert left_out == ["data.json, line 4: no label."]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1: not valid JSON"),
        ("[1]", "line 1: a list where a JSON object"),
        ('{"text": "x"}', "line 1: neither label_descriptions nor"),
        (json.dumps(gold_row("x", "Covid")), "unknown label 'Covid'. Did you mean 'Covid19'"),
        (json.dumps(gold_row("x", "Covid19", Negative=True)), "do not say the same"),
        ('{"text": "x", "Negative": "True", "Covid19": "False"}', r'line 1: \w+ is "\w+"\. Write true or false'),
    ],
)
def test_a_wrong_gold_row_raises(line, message, tmp_path):
    (tmp_path / "data.json").write_text(f"{line}\n")
    with pytest.raises(BioftError, match=message):
        list(stop_reasons.read_gold(tmp_path / "data.json"))
    assert list(stop_reasons.read_gold(tmp_path / "data.json", skip_bad=True)) == []


def test_the_gold_set_is_multi_label_and_loads_by_name(tmp_path):
    rows = [gold_row(f"Reason {i}", "Negative", *(["Covid19"] if i % 3 else [])) for i in range(40)]
    file = write_gold(tmp_path / "data.json", *rows)
    packed = tmp_path / "data.json.gz"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    dataset, manifest = load_labelled_texts("stop_reasons", dataset_path=str(packed))
    assert manifest["multi_label"] and manifest["label_source"] == "expert"
    assert manifest["labels"] == ["Covid19", "Negative"] and "Success" in manifest["labels_without"]["test"]
    assert ["Covid19", "Negative"] in dataset["train"]["labels"]


def test_offline_the_gold_set_says_how_else_to_get_it():
    with pytest.raises(BioftError, match=r"can't be had from the Hub.*--dataset_path"):
        load_labelled_texts("stop_reasons")


def test_the_weak_set_needs_its_file():
    with pytest.raises(BioftError, match=r"needs --dataset_path PATH\. The TSV file"):
        load_labelled_texts("stop_reasons_weak")


# --- the sample


def test_the_sample_has_every_label_in_every_split_and_texts_with_two():
    dataset, manifest = stop_reasons.build_sample()
    assert set(manifest["labels"]) <= set(stop_reasons.LABELS) and len(manifest["labels"]) == 8
    assert all(manifest["rows"][split][label] for split in SPLITS for label in manifest["labels"])
    assert sum(map(len, dataset.values())) > 200 and manifest["merged"] == 0
    assert any(len(labels) == 2 for labels in dataset["test"]["labels"])
