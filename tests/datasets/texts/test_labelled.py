"""Labelled texts: what is one text, how rare labels are split, and that nothing straddles the splits."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from typer.testing import CliRunner

from bioft.cli import main as cli
from bioft.datasets.origin import Origin
from bioft.datasets.splits import SPLITS
from bioft.datasets.texts import labelled as labelled_texts
from bioft.datasets.texts.labelled import LabelledText
from bioft.errors import BioftError, LeakageError
from bioft.storage import datasets as storage
from bioft.storage.text_lines import normalise

KNOWN = ["common", "rare", "usual"]


def build(found, *, multi_label=True, known=KNOWN, **options):
    return labelled_texts.build(
        found,
        Origin("stop_reasons_sample", {}, [], {"license": "mit"}),
        labels=known,
        multi_label=multi_label,
        label_source="sample",
        trial_field="why_stopped",
        **{"validation_size": 0.1, "test_size": 0.2, "seed": 0, **options},
    )


def texts(n: int) -> list[LabelledText]:
    """Every tenth text has the rare label beside its own."""
    return [
        LabelledText(f"id-{i}", f"Reason number {i}", ("usual", "rare") if i % 10 == 0 else (KNOWN[2 * (i % 2)],))
        for i in range(n)
    ]


def test_texts_that_differ_in_case_and_punctuation_are_one_row():
    """The labels of most of them win; the conflict is reported."""
    same = [
        LabelledText("a", "Low accrual", ("common",)),
        LabelledText("b", "low accrual.", ("usual",)),
        LabelledText("c", "LOW-ACCRUAL", ("usual",)),
        LabelledText("d", "Other", ("common",)),
    ]
    rows, merging = labelled_texts.merge(same)
    assert rows == [LabelledText("a", "Low accrual", ("usual",)), LabelledText("d", "Other", ("common",))]
    first = [{"id": "a", "labels": {"usual": 2, "common": 1}}]
    assert merging == {"merged": 2, "conflicting_labels": {"texts": 1, "first": first}}
    assert labelled_texts.merge(same[:2])[0][0].labels == ("common",), "in a tie the first"


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.text("aB .é", min_size=1), st.sets(st.sampled_from(KNOWN), min_size=1)), min_size=12),
    st.integers(0, 3),
)
def test_no_text_straddles_splits_and_no_label_is_lost(drawn, seed):
    found = [LabelledText(f"id-{i}", text, tuple(sorted(its))) for i, (text, its) in enumerate(drawn)]
    distinct = {normalise(each.text) for each in found}
    try:
        dataset, manifest = build(found, seed=seed)
    except BioftError as error:
        assert "too few" in str(error)
        return
    seen = [normalise(text) for split in SPLITS for text in dataset[split]["text"]]
    assert sorted(seen) == sorted(distinct), "each text once, in one split"
    support = Counter(label for split in SPLITS for its in dataset[split]["labels"] for label in its)
    assert support == Counter({k: sum(manifest["rows"][s][k] for s in SPLITS) for k in support})
    for split in SPLITS:
        assert manifest["labels_without"][split] == [k for k in KNOWN if not manifest["rows"][split][k]]


def test_a_rare_label_is_in_every_split_and_a_single_text_is_trained_on():
    found = [*texts(200), LabelledText("single", "The only one", ("only",))]
    found += [LabelledText(f"pair-{i}", f"One of two: {i}", ("pair",)) for i in range(2)]
    _, manifest = build(found, known=[*KNOWN, "only", "pair", "never"])
    assert {split: manifest["rows"][split]["rare"] for split in SPLITS} == {"train": 14, "validation": 2, "test": 4}
    assert [manifest["rows"][split]["only"] for split in SPLITS] == [1, 0, 0]
    assert [manifest["rows"][split]["pair"] for split in SPLITS] == [1, 0, 1]
    assert manifest["labels_without"]["test"] == ["only", "never"]
    assert manifest["labels"] == [*KNOWN, "only", "pair"], "a label that no text has can't be learnt"


def test_the_same_seed_gives_the_same_rows_and_they_can_be_saved(tmp_path):
    dataset, manifest = build(texts(100))
    assert build(texts(100))[1]["fingerprints"] == manifest["fingerprints"]
    assert build(texts(100), seed=1)[1]["fingerprints"] != manifest["fingerprints"]
    storage.save(dataset, manifest, tmp_path / "data")
    loaded, _ = storage.load(tmp_path / "data")
    assert loaded["test"]["labels"] == dataset["test"]["labels"]


def test_a_text_with_one_label_has_a_column_of_it():
    found = [each._replace(labels=each.labels[:1]) for each in texts(60)]
    dataset, manifest = build(found, multi_label=False)
    assert dataset["train"].column_names == ["id", "text", "label"] and manifest["multi_label"] is False
    assert set(dataset["train"]["label"]) == {"usual", "common"}


def test_an_id_with_several_texts_keeps_the_first():
    """Versions of one trial may not be in two splits."""
    found = texts(60)
    found += [each._replace(text=f"{each.text}, later version") for each in found[:5]]
    dataset, manifest = build(found)
    assert sum(map(len, dataset.values())) == 60
    assert (
        manifest["skipped"]["all"]["documents"] == 5 and "id-0 comes again" in manifest["skipped"]["all"]["first"][0]
    )


def test_the_audit_stops_at_a_leak():
    dataset, _ = build(texts(60))
    leaked = dict(dataset) | {"test": dataset["train"].select([0])}
    with pytest.raises(LeakageError, match="straddle splits"):
        labelled_texts.audit(leaked)
    other_id = leaked["test"].to_list()[0] | {"id": "other", "text": leaked["test"]["text"][0].upper() + "!"}
    leaked["test"] = dataset["test"].from_list([other_id], features=dataset["test"].features)
    with pytest.raises(LeakageError, match="normalised texts straddle"):
        labelled_texts.audit(leaked)


def test_what_cannot_be_split_is_refused():
    with pytest.raises(BioftError, match="no text has a label"):
        build([])
    with pytest.raises(BioftError, match="2 texts are too few"):
        build(texts(2))
    with pytest.raises(BioftError, match="leave nothing to train on"):
        build(texts(20), test_size=0.95)


def test_shares_of_the_splits_are_those_asked_for():
    codes = labelled_texts.stratified_split(texts(1000), 0.1, 0.2, np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(codes) / 1000, [0.7, 0.1, 0.2], atol=0.005)


def test_the_command_builds_shows_what_is_missing_and_writes_a_card(tmp_path):
    """Weak labels are called so; a label without test texts is named; `inspect` counts them."""
    rows = [f"Reason {i}\tNCT{i:08}\t{'Negative' if i % 2 else 'Covid19'}" for i in range(40)]
    rows += ["Only one\tNCT00000900\tSuccess", "reason 3!\tNCT00000901\tCovid19"]
    (tmp_path / "weak.tsv").write_text("\n".join(["stop_reason\tnct_id\tprediction", *rows, ""]))
    command = ["build", "stop-reasons-weak", str(tmp_path / "weak.tsv"), "--output", str(tmp_path / "data")]
    result = CliRunner().invoke(cli.app, command)
    assert result.exit_code == 0, result.output
    shown, card = " ".join(result.output.split()), (tmp_path / "data" / "README.md").read_text()
    for text in (shown, card):
        assert "the labels are weak" in text and "or Success" in text and "1 texts had other labels" in text
    assert "texts with labels" in card and "stop reasons of clinical trials with weak labels" in card
    result = CliRunner().invoke(cli.app, ["inspect", str(tmp_path / "data")])
    shown = " ".join(result.output.split())
    assert result.exit_code == 0 and "Negative" in shown and "weak" in shown, shown
