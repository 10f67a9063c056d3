"""Each error is named as what it is, every mention is counted once, and the result can be stored and shown."""

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image
from rich.console import Console

from bioft.errors import BioftError
from bioft.metrics import counts
from bioft.tasks.entities import errors as error_analysis
from bioft.tasks.relations import errors as relations_errors

TEXT = "Lithium carbonate caused severe renal failure and nausea in two patients with bipolar disorder."
LITHIUM, RENAL, NAUSEA = (0, 17, "Chemical"), (32, 45, "Disease"), (50, 56, "Disease")


def outcomes(references, predictions, text=TEXT):
    """The outcomes that occur, as {type: {outcome: number}}."""
    found = error_analysis.analyse([text], [references], [predictions])["outcomes"]
    return {type_: {name: n for name, n in count.items() if n} for type_, count in found.items()}


# --- mentions


@pytest.mark.parametrize(
    ("prediction", "outcome"),
    [
        (RENAL, "correct"),
        ((25, 45, "Disease"), "boundary"),
        ((32, 45, "Chemical"), "type"),
        ((25, 45, "Chemical"), "boundary and type"),
    ],
)
def test_one_mention_and_one_prediction(prediction, outcome):
    assert outcomes([RENAL], [prediction]) == {"Disease": {outcome: 1}}


def test_missed_and_spurious():
    assert outcomes([RENAL], [(50, 56, "Chemical")]) == {"Disease": {"missed": 1}, "Chemical": {"spurious": 1}}
    assert outcomes([(0, 4, "A")], [(4, 9, "A")]) == {"A": {"missed": 1, "spurious": 1}}  # they only touch


def test_a_mention_that_is_split_in_two_is_met_by_the_longer_part():
    pieces = [(0, 7, "Chemical"), (8, 17, "Chemical")]
    assert outcomes([LITHIUM], pieces) == {"Chemical": {"boundary": 1, "spurious": 1}}
    analysis = error_analysis.analyse([TEXT], [[LITHIUM]], [pieces])
    assert analysis["examples"]["boundary"][0]["prediction"]["text"] == "carbonate"


def test_mentions_that_are_merged_into_one_leave_one_missed():
    assert outcomes([RENAL, NAUSEA], [(32, 56, "Disease")]) == {"Disease": {"boundary": 1, "missed": 1}}


def test_an_exact_prediction_is_not_taken_by_a_neighbour():
    nested = [(25, 45, "Disease"), RENAL, (32, 45, "Chemical")]
    assert outcomes([RENAL], nested) == {
        "Disease": {"correct": 1, "spurious": 1},
        "Chemical": {"spurious": 1},
    }
    assert outcomes([RENAL], nested[::2])["Disease"] == {"type": 1, "spurious": 1}


def test_confusion_shows_what_was_taken_for_what():
    analysis = error_analysis.analyse(
        [TEXT, TEXT], [[LITHIUM, RENAL], [NAUSEA]], [[(0, 7, "Disease"), RENAL], [(78, 94, "Disease")]]
    )
    assert analysis["confusion"] == {
        "Chemical": {"Disease": 1},
        "Disease": {"Disease": 1, "none": 1},
        "none": {"Disease": 1},
    }


def test_recall_and_precision_by_length():
    words = "one two three four five six seven"
    spans = [(0, words.index(" " + last) if last else len(words), "A") for last in ("two", "three", "six", "")]
    analysis = error_analysis.analyse(
        [words] * 4, [[span] for span in spans], [[spans[0]], [spans[0]], [spans[2]], []]
    )
    assert analysis["by_length"] == {
        "1": {"references": 1, "found": 1, "recall": 1.0, "predictions": 2, "precision": 0.5},
        "2": {"references": 1, "found": 0, "recall": 0.0, "predictions": 0, "precision": None},
        "5+": {"references": 2, "found": 1, "recall": 0.5, "predictions": 1, "precision": 1.0},
    }


def test_examples_have_their_context():
    analysis = error_analysis.analyse(
        ["It was safe.", TEXT],
        [[], [RENAL, NAUSEA]],
        [[(7, 11, "Disease")], [(32, 45, "Chemical")]],
        document_ids=["7", "8"],
    )
    assert analysis["examples"] == {
        "type": [
            {
                "document": "8",
                "reference": {"type": "Disease", "start": 32, "end": 45, "text": "renal failure"},
                "prediction": {"type": "Chemical", "start": 32, "end": 45, "text": "renal failure"},
                "context": "Lithium carbonate caused severe [renal failure] and nausea in two patients with bipolar…",
            }
        ],
        "missed": [
            {
                "document": "8",
                "reference": {"type": "Disease", "start": 50, "end": 56, "text": "nausea"},
                "prediction": None,
                "context": "…rbonate caused severe renal failure and [nausea] in two patients with bipolar disorder.",
            }
        ],
        "spurious": [
            {
                "document": "7",
                "reference": None,
                "prediction": {"type": "Disease", "start": 7, "end": 11, "text": "safe"},
                "context": "It was [safe].",
            }
        ],
    }


def test_examples_are_drawn_from_all_documents_and_the_same_each_time():
    references = [[RENAL]] * 50
    first, again, other = (
        error_analysis.analyse([TEXT] * 50, references, [[]] * 50, n_examples=4, seed=seed)["examples"]["missed"]
        for seed in (0, 0, 1)
    )
    assert first == again != other
    assert len({each["document"] for each in first}) == 4
    assert max(int(each["document"]) for each in first) > 10
    assert error_analysis.analyse([TEXT], [[RENAL]], [[]], n_examples=0)["examples"] == {"missed": []}


spans = st.lists(
    st.tuples(st.integers(0, 15), st.integers(1, 5), st.sampled_from("AB")).map(lambda s: (s[0], s[0] + s[1], s[2])),
    max_size=6,
)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(spans, spans), min_size=1, max_size=4))
def test_everything_is_counted_once_and_agrees_with_the_metric(documents):
    """Also where mentions are nested, overlap or come twice."""
    references, predictions = ([document[i] for document in documents] for i in (0, 1))
    analysis = error_analysis.analyse(["one two three four five"] * len(documents), references, predictions)
    total = {name: sum(count[name] for count in analysis["outcomes"].values()) for name in error_analysis.COLOURS}
    n_references, n_predictions = (sum(len(set(each)) for each in side) for side in (references, predictions))
    assert sum(total.values()) - total["spurious"] == n_references
    assert sum(total.values()) - total["missed"] == n_predictions
    assert sum(sum(count.values()) for count in analysis["confusion"].values()) == sum(total.values())
    assert sum(group["references"] for group in analysis["by_length"].values()) == n_references
    assert sum(group["predictions"] for group in analysis["by_length"].values()) == n_predictions
    metric = counts.count(predictions, references, type_index=2)
    assert total["correct"] == metric.true_positives.sum()


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(BioftError, match="2 texts, 1 lists of references, 1 lists of predictions and 2 document ids"):
        error_analysis.analyse([TEXT, TEXT], [[]], [[]])
    with pytest.raises(BioftError, match="1 documents and predictions for 0"):
        relations_errors.analyse_relations([row()], [])


# --- relations


def row(*relations, text="Lithium caused nausea. Later renal failure was seen, and lithium stopped."):
    places = {"C1": ("Chemical", [(0, 7), (57, 64)]), "D1": ("Disease", [(15, 21)]), "D2|D3": ("Disease", [(29, 42)])}
    return {
        "document_id": "77",
        "text": text,
        "entities": [
            {"id": id_, "type": type_, "start": start, "end": end, "text": text[start:end]}
            for id_, (type_, found) in places.items()
            for start, end in found
        ],
        "relations": [{"type": "CID", "head": head, "tail": tail} for head, tail in relations],
    }


def test_relations_by_outcome_and_distance():
    rows = [row(("C1", "D1"), ("C1", "D2")), row(("D1", "D3"))]
    predictions = [[("CID", "C1", "D1"), ("CID", "C1", "D9"), ("CID", "C1", "D3")], [("T", "C1", "D1")] * 2]
    analysis = relations_errors.analyse_relations(rows, predictions)
    assert analysis["outcomes"] == {
        "CID": {"correct": 1, "missed": 2, "spurious": 2},
        "T": {"correct": 0, "missed": 0, "spurious": 1},
    }
    assert analysis["by_distance"] == {
        # C1 is in both sentences; D1 only in the first, D2 and D3 (one mention) only in the second.
        "same sentence": {"references": 2, "found": 1, "recall": 0.5, "predictions": 3, "precision": 1 / 3},
        "different sentences": {"references": 1, "found": 0, "recall": 0.0, "predictions": 0, "precision": None},
        "not mentioned": {"references": 0, "found": 0, "recall": None, "predictions": 1, "precision": 0.0},
    }


def test_examples_of_relations_show_the_nearest_mentions():
    analysis = relations_errors.analyse_relations([row(("C1", "D2"))], [[("CID", "C1", "D9")]])
    (missed,), (spurious,) = analysis["examples"]["missed"], analysis["examples"]["spurious"]
    assert missed == {
        "document": "77",
        "type": "CID",
        "head": {"id": "C1", "text": "Lithium"},
        "tail": {"id": "D2", "text": "renal failure"},
        "context": "Lithium caused nausea. Later [renal failure] was seen, and [lithium] stopped.",
    }
    assert spurious["tail"] == {"id": "D9", "text": None} and spurious["context"] is None


def test_long_contexts_are_shortened():
    far = row(("C1", "D1"))
    far["text"] = f"Lithium {'and so on ' * 200}nausea."
    far["entities"] = [
        {"id": "C1", "type": "Chemical", "start": 0, "end": 7, "text": "Lithium"},
        {"id": "D1", "type": "Disease", "start": 2008, "end": 2014, "text": "nausea"},
    ]
    (example,) = relations_errors.analyse_relations([far], [[]])["examples"]["missed"]
    assert len(example["context"]) < error_analysis.LONGEST_CONTEXT + 10
    assert example["context"].startswith("[Lithium] and") and example["context"].endswith("[nausea].")


# --- stored, shown, drawn


def analyses():
    mentions = error_analysis.analyse(
        [TEXT], [[LITHIUM, RENAL, NAUSEA]], [[LITHIUM, (25, 45, "Disease"), (60, 63, "Gene")]]
    )
    relations = relations_errors.analyse_relations([row(("C1", "D1"), ("C1", "D2"))], [[("CID", "C1", "D1")]])
    return mentions, relations


def test_analyses_are_json():
    for analysis in analyses():
        assert json.loads(json.dumps(analysis)) == analysis
    # Columns of a dataset give Python's own numbers, predictions of a model may be numpy's.
    found = error_analysis.analyse([TEXT], [[LITHIUM]], [[(np.int64(0), np.int64(7), "Chemical")]])
    assert json.loads(json.dumps(found))["examples"]["boundary"][0]["prediction"]["end"] == 7


def test_tables():
    console = Console(width=100, record=True, file=io.StringIO())
    for analysis in analyses():
        for table in error_analysis.tables(analysis):
            console.print(table)
    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]
    assert "Type Correct Boundary Type Boundary and type Missed Spurious" in lines
    assert "Disease 0 1 0 0 1 0" in lines and "all 1 1 0 0 1 1" in lines
    assert "2 2 1 .500 1 1.000" in lines  # two words: two references, one found, one prediction
    assert "CID 1 1 0" in lines
    assert "same sentence 2 1 .500 1 1.000" in lines


@pytest.mark.draws
def test_plots(tmp_path):
    for i, analysis in enumerate(analyses()):
        path = tmp_path / f"errors{i}.png"
        error_analysis.plot(analysis, path)
        with Image.open(path) as image:
            assert image.width > 800 and len(image.convert("RGB").getcolors(1_000_000)) > 4
    with pytest.raises(BioftError, match="no errors to plot"):
        error_analysis.plot(error_analysis.analyse([TEXT], [[]], [[]]), tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def test_bc5cdr(shared_data):
    """Counts of the test set, and the lengths of its mentions."""
    from bioft.datasets.documents import bc5cdr
    from bioft.metrics import entity_f1

    test = bc5cdr.build(shared_data / "bc5cdr")[0]["test"]
    references = entity_f1.spans(test)
    predictions = [[(start, end + (start % 10 == 0), type_) for start, end, type_ in spans] for spans in references]
    analysis = error_analysis.analyse(test["text"], references, predictions, document_ids=test["document_id"])
    assert analysis["confusion"] == {"Chemical": {"Chemical": 5385}, "Disease": {"Disease": 4424}}
    changed = sum(start % 10 == 0 for spans in references for start, _, _ in spans)
    assert sum(count["boundary"] for count in analysis["outcomes"].values()) == changed
    assert analysis["by_length"]["1"]["references"] == 7718
    assert len(json.dumps(analysis)) < 10_000
