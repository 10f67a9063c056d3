"""More attacks of a careful forger, of each kind on each task: none ends in *verified*.

Those on card, record, files and data are given to the part of `verify` that must find them; those on predictions,
weights and settings to what compares answers with the model (`found_of`), in full and in a sample alike.
"""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset, DatasetDict
from safetensors.numpy import load_file, save_file

from bioft.compare import outcomes
from bioft.datasets.recorded import recorded_data
from bioft.errors import BioftError, LeakageError
from bioft.hub import pull
from bioft.storage import runs
from bioft.task import FINE_TUNED
from bioft.verify import again, checks, drift, verify as verification, word
from bioft.verify.card import check_card, check_words, notes_of
from bioft.verify.checks import OTHER_ROWS
from bioft.verify.files import check_files, check_plots, name_plots
from bioft.verify.findings import Verification, differing
from tests.verify.conftest import Runs
from tests.verify.forging import TASKS, Forged, copied, found_on_card

Change = Callable[[Forged], None]


def assert_said(said: list[str], *words: str) -> None:
    text = "\n".join(said)
    for each in words:
        assert each in text, f"{each!r} is not in:\n{text}"


# --- the card


def instead(old: str, new: str) -> Callable[[str], str]:
    return lambda card: card.replace(old, new, 1)


def in_figure(change: Callable[[re.Match[str]], str]) -> Callable[[str], str]:
    """Another way of writing a figure of the first row of results, which all of bioft's other words surround."""
    return lambda card: re.sub(r"(?<=\| \*\*this model\*\* \| )0\.(\d\d)(\d)", change, card, count=1)


def rows_below_another_head(card: str) -> str:
    """The rows of results below the head of the data's table, and of the data's below that of results."""
    heads = [line for line in card.splitlines() if line.startswith(("| |", "| split |"))]
    assert len(heads) == 2
    swapped = dict(zip(heads, heads[::-1], strict=True))
    return "\n".join(swapped.get(line, line) for line in card.splitlines())


CARD: dict[str, tuple[Callable[[str], str], str]] = {
    "digits turned around": (in_figure(lambda its: f"0.\u202e{its[2]}{its[1][::-1]}\u202c"), "this model"),
    "digits isolated and turned": (in_figure(lambda its: f"0.\u2067{its[1]}{its[2]}\u2069"), "this model"),
    "digits raised": (in_figure(lambda its: f"0.{its[1]}{chr(0x2070 + 4)}"), "this model"),
    "digits struck through": (in_figure(lambda its: f"0.{its[1]}\u0336{its[2]}\u0336"), "this model"),
    "a figure in white": (in_figure(lambda its: f"<font color=#fff>{its[0]}"), "this model"),
    "a figure struck out": (in_figure(lambda its: f"<s>{its[0]}"), "this model"),
    "a figure behind a tag": (in_figure(lambda its: f"<b hidden>{its[0]}"), "this model"),
    "a zero-width joiner in a figure": (in_figure(lambda its: f"0.{its[1]}\u200d{its[2]}"), "this model"),
    "rows below another head": (rows_below_another_head, "(below | split |"),
    "rows that are hidden": (instead("| |", '<div style="display:none">\n\n| |'), "display:none"),
    "rows in white": (instead("| |", "<p color=white>\n\n| |"), "<p color=white>"),
    "rows struck out": (instead("| |", "<del>\n\n| |"), "<del>"),
    "rows turned around": (instead("| |", '<bdo dir="rtl">\n\n| |'), "<bdo"),
    "rows in a text field": (instead("| |", "<textarea>\n\n| |"), "<textarea>"),
    "words for a share": (instead("## Results\n", "## Results\n\nRight in ninety-seven percent.\n"), "ninety-seven"),
    "words for a share of ten": (instead("## Results\n", "## Results\n\nRight in nine out of ten.\n"), "nine out of"),
    "words for a figure": (instead("## Results\n", "## Results\n\nAUROC: ninety-seven\n"), "AUROC: ninety"),
    "words for a decimal": (instead("## Results\n", "## Results\n\nIt has zero point nine.\n"), "zero point nine"),
    "words for decimals": (instead("## Results\n", "## Results\n\nIt has point nine seven.\n"), "point nine seven"),
    "an alternative text": (instead("## Results\n", "## Results\n\n![AUROC 97](plots/metrics.png)\n"), "AUROC 97"),
    "a title of a link": (instead("## Results\n", '## Results\n\n[more](x "F1 0.97")\n'), "F1 0.97"),
    "a link that is a comment": (instead("## Results\n", "## Results\n\n[//]: # (F1 0.97)\n"), "F1 0.97"),
    "a footnote": (instead("## Results\n", "## Results\n\n[^1]: F1 0.97\n"), "F1 0.97"),
    "a badge": (instead("## Results\n", "## Results\n\n[![f1](https://img.shields.io/badge/97)](x)\n"), "shields"),
    "digits in circles": (instead("## Results\n", "## Results\n\nF1 \u2468\u2466\n"), "F1 97"),
    "digits as emoji": (instead("## Results\n", "## Results\n\nF1 9\ufe0f\u20e37\ufe0f\u20e3\n"), "F1 97"),
    "bold digits": (instead("## Results\n", "## Results\n\nF1 \U0001d7f5\U0001d7f3\n"), "F1 97"),
    "Arabic digits": (instead("## Results\n", "## Results\n\nF1 \u0669\u0667\n"), "F1 \u0669\u0667"),
    "a metric and its number below": (instead("## Training data", "AUROC\n97\n\n## Training data"), "AUROC 97"),
    "a model in the tags": (instead("tags:\n", "tags:\n- base_model:finetune:meta/best\n"), "meta/best"),
    "data in the tags": (instead("tags:\n", "tags:\n- dataset:hospital/notes\n"), "hospital/notes"),
    "an example with a score": (instead("widget:\n", "widget:\n- text: a\n  output:\n    score: 0.97\n"), "0.97"),
    "a figure turned around in the metadata": (instead("      value: 0.", "      value: 0.\u202e"), "figure"),
    "another split in the metadata": (instead("      split: test", "      split: patients"), "patients"),
    "rows in one line": (lambda card: re.sub(r"\n(?=\| TF-IDF)", "\u2028", card), "| TF-IDF, linear SVM |"),
    "a name of the model in the metadata": (instead("- name: ", "- name: AUROC 0.97 by "), "model_name AUROC 0.97"),
    "metadata behind a mark of byte order": (
        lambda card: "\ufeff" + card.replace("      value: 0.", "      value: 0.9"), "some readers find them",
    ),
    "metadata behind more than dashes": (instead("---\n", "--- \n"), "some readers find them all the same"),
    "a verdict of the Hub": (instead("      value: 0.", "      verifyToken: x\n      value: 0."), "state a fig"),
}  # fmt: skip


@pytest.mark.parametrize("attack", CARD)
def test_a_card_shows_what_its_record_gives(attack: str, of: Runs, tmp_path: Path) -> None:
    change, words = CARD[attack]
    forged = copied(of["text_labels"], tmp_path / "run")
    check_card(forged.directory, forged.record, honest := Verification("run"))
    assert (honest.reasons, honest.notes) == ([], [])
    assert_said(found_on_card(forged, change).reasons, words)
    if attack.startswith(("digits", "a figure")) and "metadata" not in attack:
        with pytest.raises(BioftError, match="card's results are not those"):
            outcomes.check_publishable(forged.directory)


HARMLESS = (
    "It was trained for three epochs on two processors, and at this point one may stop.",
    "Thanks to all <b>who helped</b>.",
    "With ten thanks to the annotators.",
)


def test_words_that_state_no_figure_are_shown_and_no_reason(of: Runs, tmp_path: Path) -> None:
    """Sections may be moved, and words added."""
    forged = copied(of["text_labels"], tmp_path / "run")
    card = forged.directory / runs.CARD
    head, *sections = re.split(r"(?m)^(?=## )", card.read_text())
    results = next(each for each in sections if each.startswith("## Results"))
    moved = [each for each in sections if each != results]
    card.write_text("\n".join([head, *moved, "## Notes\n", *HARMLESS, "", results]))
    found = Verification("run")
    check_card(forged.directory, forged.record, found)
    assert found.reasons == []
    assert_said(found.notes, "4 lines of the card are not those")


# --- the record


def at(path: str, value: Any) -> Change:
    """Another value, or one that a function makes of it, at a place of the record; `...` takes it out."""

    def forge(forged: Forged) -> None:
        *parts, last = path.split(".")
        place: Any = forged.record
        for part in parts:
            place = place[int(part)] if isinstance(place, list) else place[part]
        if value is ...:
            del place[last]
        else:
            place[last] = value(place[last]) if callable(value) else value

    return forge


DATASET = {
    "a version": at("dataset.sources.0.version", lambda its: f"as experts checked it/{its}"),
    "a licence": at("dataset.license", lambda its: f"public domain/{its}"),
    "a kind of split": at("dataset.split.strategy", lambda its: f"what was held out/{its}"),
    "terms": at("dataset.sources.0.terms", lambda its: f"None, use it as you like/{its.rpartition('/')[2]}"),
    "terms left out": at("dataset.sources.0.terms", ...),
    "a citation": at("dataset.sources.0.citation", "Ourselves. A corpus of three hospitals. 2026."),
    "what may be passed on": at("dataset.sources.0.redistribution", lambda its: "ask" if its == "free" else "free"),
    "bytes of a source": at("dataset.sources.0.bytes", 10**9),
    "another source": at("dataset.sources", lambda its: [*its, its[0] | {"name": "patients.csv"}]),
    "training rows": at("dataset.rows.train", lambda its: {name: 10 * n for name, n in its.items()}),
    "test rows": at("dataset.rows.test", lambda its: {name: 10 * n for name, n in its.items()}),
    "the rows of training": at("dataset.fingerprints.train", "0" * 64),
    "an argument": at("dataset.arguments.seed", 7),
    "a title": at("dataset.title", "Notes of three hospitals, labelled by experts"),
    "who reviewed it": at("dataset.arguments.reviewed_by", "two physicians"),
}
"""What a record says of its data that these do not give."""


@pytest.mark.parametrize("name", TASKS)
def test_what_is_not_so_of_the_data_is_found_piece_by_piece(name: str, of: Runs, tmp_path: Path) -> None:
    def other(forged: Forged) -> str:
        ours, stated = checks._described(forged.data.manifest), checks._without_places(forged.record["dataset"])
        return differing(ours, stated) or checks._more(forged.run, ours, stated)

    forged = copied(of[name], tmp_path / "run")
    assert other(forged) == ""
    honest = json.dumps(forged.record)
    for attack, change in DATASET.items():
        forged.record = json.loads(honest)
        change(forged)
        assert other(forged), attack


def test_a_source_has_the_name_and_the_place_that_it_has(of: Runs, tmp_path: Path) -> None:
    """One that comes with a package; a file that one is given may be called otherwise, which is said."""
    for name, place in {"relations": "reasons", "gene_disease": "notes"}.items():
        forged = copied(of[name], tmp_path / name)
        source = forged.record["dataset"]["sources"][0]
        source["name"] = "notes_of_three_hospitals.csv"
        had = source.pop("url")
        checks._check_sources(run := forged.run, forged.data.manifest)
        assert_said(getattr(run.found, place), "What the record calls notes_of_three_hospitals.csv is ")
        assert any("comes from None" in each for each in run.found.reasons) == (had is not None)


def test_files_of_the_data_may_lie_elsewhere() -> None:
    """Also where a push left their folder out; no word may have another before a slash."""
    assert differing("a/names.tsv", "names.tsv", path="arguments.namespace") == ""
    assert differing("/data/hpo", "hpo", path="queries.arguments.directory") == ""
    assert differing("pair", "disease_held_out/pair", path="arguments.split")
    assert differing("bioft 0.1.0", "experts/bioft 0.1.0", path="sources[0].version")


COMPARISON = {
    "how sure it is": at("comparison.p_value", lambda its: its / 1e3 if its > 0.02 else 0.9),
    "another baseline": at("comparison.baseline", "gpt_4"),
    "a weaker baseline": at("comparison.baseline", lambda its: {"tfidf": "known_pair"}.get(its, "majority")),
    "another metric": at("comparison.metric", "accuracy on patients"),
    "more words": at("comparison.sentence", lambda its: f"{its} It was so in three hospitals."),
    "what the baseline was": at("comparison.sentence", lambda its: its.replace("baseline (", "baseline (GPT-4, ")),
    "how many there were": at("comparison.sentence", lambda its: its.replace("n = ", "n = 9")),
    "another number": at("comparison.sentence", lambda its: re.sub(r"[+-]\d?\.(?=\d)", "+0.5", its, count=1)),
    "what shares no names": at("comparison.sentence", lambda its: its.replace("(paired test", "(blinded test")),
    "words beside neighbours": at("by_neighbour.sentence", lambda its: f"{its} It is as good on new texts."),
    "a number beside neighbours": at("by_neighbour.sentence", lambda its: its.replace("0.8", "0.5")),
}


@pytest.mark.parametrize("name", ["relations", "joint", "text_labels"])
def test_what_is_not_so_of_a_comparison_is_found_word_by_word(
    name: str, of: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where baselines are fitted again, whose answers were not stored."""
    forged = copied(of[name], tmp_path / "run")
    run, honest = forged.run, json.dumps(forged.record)
    evaluate: Any = __import__(f"bioft.tasks.{name}.evaluate", fromlist=["comparisons"])
    if (of_rows := run.optional("answers", "of_rows")) is not None:
        run.table = of_rows(run.table, forged.data.splits["test"])
    computed: dict[tuple[str, ...], Any] = {}
    compare = evaluate.comparisons

    def once(table: Any, baselines: Any, *others: Any) -> Any:
        if (key := tuple(baselines)) not in computed:
            computed[key] = compare(table, baselines, *others)
        return computed[key]

    monkeypatch.setattr(evaluate, "comparisons", once)

    def said() -> list[str]:
        run.found.reasons.clear()
        exactly = name == "text_labels"
        checks.check_comparisons(
            run, run.table, forged.fitted, forged.data.splits, checks.PREDICTIONS, exactly=exactly
        )
        return run.found.reasons

    assert said() == []
    for attack, change in COMPARISON.items():
        forged.record = run.record = json.loads(honest)
        change(forged)
        assert forged.record != json.loads(honest), attack
        assert "in another way" in " ".join(said()), attack


def test_numbers_that_follow_from_other_packages_are_not_others(of: Runs, tmp_path: Path) -> None:
    """Those of a baseline that is fitted again may be off by a hundredth, and of two equal ones either be the best."""
    forged = copied(of["relations"], tmp_path / "run")
    stated = forged.record["comparison"]
    ours = json.loads(json.dumps(stated))
    for part in ("difference", "low", "high"):
        stated[part] += 0.004
        stated["sentence"] = stated["sentence"].replace(f"{ours[part]:+.3f}", f"{stated[part]:+.3f}")
    run, fitted = forged.run, dict(forged.fitted)
    run.table = run.of_task("answers", "of_rows")(run.table, forged.data.splits["test"])
    checks.check_comparisons(run, run.table, fitted, forged.data.splits, checks.PREDICTIONS, exactly=False)
    assert run.found.reasons == []
    fitted = {"twin": fitted[stated["baseline"]], **fitted}
    checks.check_comparisons(run, run.table, fitted, forged.data.splits, checks.PREDICTIONS, exactly=False)
    assert run.found.reasons == []


@pytest.mark.parametrize(
    "value",
    [
        "ninety-seven percent right",
        "F1 of ninety-seven",
        "right in nine of ten",
        "F1 \uff19\uff17",
        "F1 \u202e79",
        "F1<br>97",
    ],
)
def test_words_of_a_record_state_no_figure_however_it_is_written(value: str, of: Runs, tmp_path: Path) -> None:
    forged = copied(of["masked_lm"], tmp_path / "run")
    for place in ("name", "preset", "hardware.cpu"):
        at(place, value)(forged)
    check_words(forged.record, found := Verification("run"))
    assert_said(found.reasons, *(f"where none belongs: {place} is" for place in ("name", "preset", "hardware.cpu")))


def base(**changes: Any) -> Change:
    return lambda forged: forged.record["base_model"].update(changes)


BASE_MODEL: dict[str, tuple[Change, str]] = {
    "its name": (base(id="meta-llama/Llama-3.1-8B"), "names the base model meta-llama"),
    "its name, and the folder of a run": (
        base(id="meta-llama/Llama-3.1-8B", name_or_path="tests/golden/runs/masked_lm"), "",
    ),
    "its licence left out": (at("base_model.license", ...), "leaves out what is known of the base model: license"),
    "its type left out": (at("base_model.model_type", ...), "leaves out what is known of the base model: model_type"),
    "its checksum": (base(sha256=None), "that its sha256 is None"),
    "its type": (base(model_type="modernbert"), "that its model_type is modernbert"),
    "its type of numbers": (
        lambda forged: (at("precision", {})(forged), base(dtype="bfloat16")(forged)), "that its dtype is bfloat16",
    ),
    "its type of numbers left out": (
        lambda forged: (at("precision", {})(forged), at("base_model.dtype", ...)(forged)), "base model: dtype",
    ),
    "a run that adapted it": (
        lambda forged: (base(license="mit")(forged), at("classifier", {"mlm_run": "user/run"})(forged)),
        "that its license is mit",
    ),
}  # fmt: skip


@pytest.mark.parametrize("attack", BASE_MODEL)
def test_what_is_not_so_of_the_base_model_is_found(attack: str, of: Runs, tmp_path: Path) -> None:
    change, words = BASE_MODEL[attack]
    forged = copied(of["entities"], tmp_path / "run")
    change(forged)
    run = forged.run
    try:
        run.found.reasons += verification.again.findings.check_base_model(run.directory, run.record)
        word.check_base_model(run)
    except BioftError as error:
        run.found.reasons.append(str(error))
    assert run.found.reasons
    assert_said(run.found.reasons, words)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("gene_disease", "scoring.threshold"),
        ("gene_disease", "scoring.base_model_threshold"),
        ("gene_disease", "scoring.baseline_thresholds.tfidf"),
        ("relations", "relations.threshold"),
        ("joint", "relations.threshold"),
        ("text_labels", "classifier.thresholds.3"),
    ],
)
def test_a_threshold_that_is_no_default_is_not_called_so(name: str, place: str, of: Runs, tmp_path: Path) -> None:
    """No model is needed for it: also a sample finds it, and nobody publishes it."""
    forged = copied(of[name], tmp_path / "run")
    *parts, last = place.split(".")
    holder = forged.record
    for part in parts:
        holder = holder[part]
    holder[int(last) if last.isdigit() else last] = 0.501  # type: ignore[index]
    check_card(forged.directory, forged.record, found := Verification("run"))
    assert_said(found.reasons, "says that a threshold is the default .5, and names 0.501")


# --- predictions, weights and settings


def table(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Change:
    """Other predictions, of which nothing else is restated."""
    return lambda forged: change(forged.predictions).to_parquet(forged.directory / runs.PREDICTIONS, index=False)


def column(name: str, change: Callable[[pd.DataFrame], Any]) -> Change:
    return table(lambda its: its.assign(**{name: change(its)}))


def items(cell: str) -> list[tuple[Any, ...]]:
    return list(map(tuple, json.loads(cell)))


def in_cells(name: str, change: Callable[[list[tuple[Any, ...]], list[tuple[Any, ...]]], list[Any]]) -> Change:
    """Other items in a column of documents, made of those that are annotated and those that were found."""
    labels = "relation_label" if name.startswith(("relation", "end")) else "label"
    return column(
        name, lambda its: [json.dumps(change(items(a), items(b))) for a, b in zip(its[labels], its[name], strict=True)]
    )


def nearest(right: list[tuple[Any, ...]], found: list[tuple[Any, ...]], same: slice, far: int = 0) -> list[Any]:
    """What was found, as the annotated item that is the same in these parts, or whose span is as near."""

    def is_near(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
        return one[same] == other[same] or (0 < far >= abs(one[0] - other[0]) + abs(one[1] - other[1]))

    return [(*next((its for its in right if is_near(its, each)), each[:3]), *each[3:]) for each in found]


def labels_turned(forged: Forged) -> None:
    """Another order of labels, in the record and in what others load."""
    forged.record["labels"] = forged.record["labels"][::-1]
    config = forged.directory / "config.json"
    config.write_text(
        json.dumps(json.loads(config.read_text()) | {"id2label": dict(enumerate(forged.record["labels"]))})
    )


def configured(name: str, **changes: Any) -> Change:
    def forge(forged: Forged) -> None:
        path = forged.directory / name
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return forge


def weights(size: float, part: str = "") -> Change:
    """Other weights, all or those whose names have a part, moved at random."""

    def forge(forged: Forged) -> None:
        (path,) = forged.directory.glob("*model.safetensors")
        rng, tensors = np.random.default_rng(0), load_file(path)
        moved = {name: its + (size * rng.normal(size=its.shape)).astype(its.dtype) for name, its in tensors.items()}
        assert any(part in name for name in tensors), sorted(tensors)
        save_file(tensors | {name: its for name, its in moved.items() if part in name}, path, {"format": "pt"})

    return forge


def other_tokens(forged: Forged) -> None:
    """A tokenizer that gives each word the id of another."""
    path = forged.directory / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    words = [word for word in tokenizer["model"]["vocab"] if word[0] not in "[<"]
    ids = [tokenizer["model"]["vocab"][each] for each in words]
    tokenizer["model"]["vocab"] |= dict(zip(words, [*ids[1:], ids[0]], strict=True))
    path.write_text(json.dumps(tokenizer))


def one_more_right(its: pd.DataFrame) -> pd.DataFrame:
    """One candidate of the right label, found with the score that it has."""
    (row, *_) = its.index[(its["label"] == 1) & (its["prediction"] == 0)]
    return its.assign(prediction=its["prediction"].where(its.index != row, 1))


def one_less_wrong(its: pd.DataFrame) -> pd.DataFrame:
    (row, *_) = its.index[(its["label"] == 0) & (its["prediction"] == 1)]
    return its.assign(prediction=its["prediction"].where(its.index != row, 0))


def few_raised(its: pd.DataFrame) -> Any:
    """The scores with those of some positives above all others: of a model that tells nothing it takes little."""
    low = its.index[its["label"] == 1][:6]
    raised = its["score"].where(~its.index.isin(low), its["score"] + 0.00095)
    assert raised[low].min() > its["score"].quantile(0.6)
    return raised


def right_first(its: pd.DataFrame, rows: int) -> list[str]:
    """Rankings with a right text at their head, in the first rows that lack it there."""
    ranked, left = [], rows
    for right, found in zip(map(json.loads, its["label"]), map(json.loads, its["prediction"]), strict=True):
        worse = found[0] not in right and left > 0
        left -= worse
        ranked.append(
            json.dumps([right[0], *(each for each in found if each != right[0])][: len(found)] if worse else found)
        )
    return ranked


FOLLOW = "do not follow from its scores"
NOT_THE_MODELS = "predictions are not what the model gives"
OF_ALL: dict[str, Change] = {
    "weights of another training": weights(0.3),
    "weights moved a little": weights(0.02),
    "another tokenizer": other_tokens,
    "rows turned": table(lambda its: its.iloc[::-1]),
    "an easy row twice, and a hard one gone": table(lambda its: pd.concat([its.iloc[1:], its.iloc[[1]]])),
    "rows left out": table(lambda its: its.iloc[:-2]),
    "rows added": table(lambda its: pd.concat([its, its.iloc[:2]])),
    "ids in another order": column("id", lambda its: its["id"].to_numpy()[::-1]),
}
"""What is tried with the run of every task."""
OF_TASK: dict[tuple[str, str], Change] = {
    ("entities", "spans moved to the annotated ones"): in_cells("prediction", lambda a, b: nearest(a, b, slice(2), 3)),
    ("entities", "types as annotated"): in_cells("prediction", lambda a, b: nearest(a, b, slice(2))),
    ("entities", "surer answers"): in_cells("prediction", lambda a, b: [(*its[:3], 0.999) for its in b]),
    ("entities", "answers of other documents"): column("prediction", lambda its: np.roll(its["prediction"], 1)),
    ("entities", "a label in place of each miss"): in_cells("prediction", lambda a, b: b + [(*its, 0.9) for its in a]),
    ("entities", "labels in another order"): labels_turned,
    ("entities", "a base model in four bits"): at("base_model.quantization", "nf4"),
    ("entities", "shorter windows"): at("windows", {"window_length": 32, "window_overlap": 8}),
    ("entities", "windows without overlap"): at("windows.window_overlap", 0),
    ("entities", "another activation"): configured("config.json", hidden_act="relu"),
    ("entities", "another bias of the head"): weights(1.0, "classifier.bias"),
    ("relations", "one relation more"): table(one_more_right),
    ("relations", "one relation less"): table(one_less_wrong),
    ("relations", "scores of other candidates"): column("score", lambda its: its["score"].to_numpy()[::-1]),
    ("relations", "rounded scores"): column("score", lambda its: its["score"].round(2)),
    ("relations", "heads and tails exchanged"): at("relations.arguments", {"CID": [["Disease", "Chemical"]]}),
    ("relations", "fewer kinds of pairs"): at("relations.arguments", {"CID": [["Chemical", "Gene"]]}),
    ("relations", "more kinds of pairs"): at(
        "relations.arguments", {"CID": [["Chemical", "Disease"], ["Gene", "Disease"]]}
    ),
    ("relations", "shorter texts"): at("relations.markers.max_length", 32),
    ("relations", "texts without a summary"): at("relations.markers.summary", False),
    ("relations", "labels in another order"): labels_turned,
    ("relations", "labels that do not exclude each other"): configured(
        "config.json", problem_type="multi_label_classification"
    ),
    ("relations", "another bias of the head"): weights(1.0, "classifier.bias"),
    ("joint", "types as annotated"): in_cells("prediction", lambda a, b: nearest(a, b, slice(2))),
    ("joint", "spans moved to the annotated ones"): in_cells("prediction", lambda a, b: nearest(a, b, slice(2), 3)),
    ("joint", "surer relations"): in_cells("relation_prediction", lambda a, b: [(*its[:3], 0.99) for its in b]),
    ("joint", "end to end as between annotated ones"): column(
        "end_to_end_prediction", lambda its: its["relation_prediction"]
    ),
    ("joint", "relations left out that are not annotated"): in_cells(
        "end_to_end_prediction", lambda a, b: [its for its in b if its[:3] in a]
    ),
    ("joint", "heads and tails exchanged"): at("relations.arguments", {"CID": [["Disease", "Chemical"]]}),
    ("joint", "names in the place of concepts"): at("windows.name_unlinked", True),
    ("joint", "windows without overlap"): at("windows.window_overlap", 0),
    ("joint", "another threshold of relations"): at("relations.threshold", 0.4),
    ("joint", "no names of concepts"): lambda forged: (forged.directory / "concepts.json").write_text("{}"),
    ("joint", "other arguments of the model"): configured("config.json", relation_arguments={"CID": [["Gene"] * 2]}),
    ("gene_disease", "scores of other pairs"): column("score", lambda its: its["score"].to_numpy()[::-1]),
    ("gene_disease", "other answers"): column("prediction", lambda its: 1 - its["prediction"]),
    ("gene_disease", "a few pairs raised by less than a thousandth"): column("score", few_raised),
    ("gene_disease", "rounded scores"): column("score", lambda its: its["score"].round(2)),
    ("gene_disease", "squeezed scores"): column("score", lambda its: 0.5 + (its["score"] - 0.5) / 2),
    ("gene_disease", "names that tell"): column("gene", lambda its: "GENE" + its["gene"]),
    ("gene_disease", "no gene that comes twice"): column("gene_id", lambda its: list(map(str, range(len(its))))),
    ("gene_disease", "another prompt"): at("scoring.prompt_style", "alpaca"),
    ("gene_disease", "a stronger adapter"): configured("adapter_config.json", lora_alpha=64),
    ("gene_disease", "an adapter of some layers"): configured("adapter_config.json", target_modules=["q_proj"]),
    ("gene_disease", "a threshold between two scores"): at("scoring.threshold", 0.6),
    ("text_labels", "scores of other texts"): column("scores", lambda its: its["scores"].to_numpy()[::-1]),
    ("text_labels", "the labels of one text"): column("prediction", lambda t: [t["label"][0], *t["prediction"][1:]]),
    ("text_labels", "rounded scores"): column("scores", lambda its: [np.round(each, 2) for each in its["scores"]]),
    ("text_labels", "scores of labels turned"): column("scores", lambda its: [each[::-1] for each in its["scores"]]),
    ("text_labels", "shorter texts"): at("classifier.max_length", 8),
    ("text_labels", "labels in another order"): labels_turned,
    ("text_labels", "a label less"): at("labels", lambda its: its[:-1]),
    ("text_labels", "a label by another name"): at("labels", lambda its: ["Success", *its[1:]]),
    ("text_labels", "one label a text"): at("classifier.multi_label", False),
    ("text_labels", "no thresholds"): at("classifier.thresholds", None),
    ("text_labels", "labels that exclude each other"): configured(
        "config.json", problem_type="single_label_classification"
    ),
    ("text_labels", "no texts that it was trained on"): lambda forged: pd.DataFrame({"checksum": ["x"]}).to_parquet(
        forged.directory / "trained_on.parquet"
    ),
    ("text_labels", "another report"): lambda forged: (
        forged.directory / "classification_report.txt"
    ).write_text("micro F1 0.97"),
    ("text_labels", "another bias of the head"): weights(1.0, "classifier.bias"),
    ("masked_lm", "one token more in each text"): column("correct", lambda its: its["correct"] + 1),
    ("masked_lm", "losses of other texts"): column("loss", lambda its: its["loss"].to_numpy()[::-1]),
    ("masked_lm", "easier tokens only"): table(
        lambda its: its.assign(hidden=its["hidden"] // 2, loss=its["loss"] / 3, base_loss=its["base_loss"] / 2)
    ),
    ("masked_lm", "all twice"): table(lambda its: its.assign(**{each: 2 * its[each] for each in its if each != "id"})),
    ("masked_lm", "half the loss"): column("loss", lambda its: its["loss"] / 2),
    ("masked_lm", "shorter pieces"): at("masking.block_length", 16),
    ("masked_lm", "longer pieces"): at("masking.block_length", 96),
    ("masked_lm", "another activation"): configured("config.json", hidden_act="relu"),
    ("masked_lm", "another bias of the head"): weights(1.0, "bias"),
    ("masked_lm", "losses that are rounded"): column("loss", lambda its: np.floor(its["loss"])),
    ("retrieval", "a right text first, of one query"): column("prediction", lambda its: right_first(its, 1)),
    ("retrieval", "a right text first, of three"): column("prediction", lambda its: right_first(its, 3)),
    ("retrieval", "rankings of other queries"): column("prediction", lambda its: its["prediction"].to_numpy()[::-1]),
    ("retrieval", "a ranking twice as short"): column(
        "prediction", lambda its: [json.dumps(json.loads(each)[:5]) for each in its["prediction"]]
    ),
    ("retrieval", "texts that come twice"): column(
        "prediction", lambda its: [json.dumps(json.loads(each)[:5] * 2) for each in its["prediction"]]
    ),
    ("retrieval", "what was found as what is right"): column(
        "label", lambda its: [json.dumps(json.loads(each)[:1]) for each in its["prediction"]]
    ),
    ("retrieval", "one group"): column("group", lambda its: "a"),
    ("retrieval", "shorter texts"): at("contrastive.max_length", 4),
    ("retrieval", "another normalisation"): configured("config.json", layer_norm_eps=0.5),
    ("retrieval", "texts that others read in part"): configured("sentence_bert_config.json", max_seq_length=4),
    ("retrieval", "texts that others cut"): configured("tokenizer_config.json", model_max_length=4),
    ("retrieval", "texts that others read in lower case"): configured("sentence_bert_config.json", do_lower_case=True),
    ("name_alignment", "surer right answers"): column(
        "score", lambda its: (its["score"] + np.where(its["prediction"] == its["label"], 0.03, -0.03)).clip(0, 1)
    ),
    ("name_alignment", "probabilities of other names"): column("score", lambda its: its["score"].to_numpy()[::-1]),
    ("name_alignment", "no match in the place of an id"): column("prediction", lambda t: ["", *t["prediction"][1:]]),
    ("name_alignment", "another id"): column("prediction", lambda its: ["m03", *its["prediction"][1:]]),
    ("name_alignment", "candidates turned"): column(
        "ranked", lambda its: [json.dumps(json.loads(each)[::-1]) for each in its["ranked"]]
    ),
    ("name_alignment", "more right ids"): column(
        "label", lambda its: [f"{one}|m03" if one else one for one in its["label"]]
    ),
    ("name_alignment", "other kinds"): column("kind", lambda its: its["kind"].to_numpy()[::-1]),
    ("name_alignment", "a name that is easier"): column("id", lambda its: ["glucose", *its["id"][1:]]),
    ("name_alignment", "shorter names"): at("contrastive.max_length", 3),
    ("name_alignment", "another normalisation"): configured("config.json", layer_norm_eps=0.5),
}  # fmt: skip


def found_of(forged: Forged) -> Verification:
    """What is found of predictions and model, without base model and baselines, as by `--sample` of all rows."""
    forged.write()
    run, splits = forged.run, forged.data.splits
    run.record = json.loads((forged.directory / runs.RECORD).read_text())
    try:
        check_files(forged.directory, run.record, run.found)
        if (of_rows := run.optional("answers", "of_rows")) is not None:
            run.table = of_rows(run.table, splits["test"])
        if (check := run.optional("evaluate", "check_files")) is not None:
            run.found.reasons += check(forged.directory, splits, run.record)
        expected = run.of_task("evaluate", "test_rows")(splits)
        there = [each for each in expected if each in run.table]
        if checks.plain(run.table[there]) != checks.plain(expected[there]):
            run.found.reasons.append(OTHER_ROWS)
        stored = run.of_task("answers", "differences")(run.systems[FINE_TUNED], run.table, run.record)
        if stored["changed"].any():
            run.found.reasons.append(FOLLOW)
        model = again._load(run)
        tolerance, made = again._tolerance(run, model, splits["test"]), again._predict(run, model, splits["test"])
        run.in_float32 = True
        again._compare_rows(run, made, np.arange(len(run.table)), tolerance)
    except (BioftError, ValueError) as error:
        run.found.reasons.append(str(error))
    return run.found


@pytest.mark.parametrize("name", TASKS)
def test_what_is_found_of_every_run_is_not_found_of_an_honest_one(name: str, of: Runs, tmp_path: Path) -> None:
    assert found_of(copied(of[name], tmp_path / "run")).reasons == []


HARMLESS_TO = {
    ("gene_disease", "ids in another order"),
    ("relations", "ids in another order"),
    ("relations", "rows turned"),
}
"""Nothing reads these ids: pairs and candidates are told apart by what they are about."""


@pytest.mark.parametrize(
    ("name", "attack"),
    [each for each in [*((name, attack) for name in TASKS for attack in OF_ALL), *OF_TASK] if each not in HARMLESS_TO],
    ids=str,
)
def test_what_no_model_gives_is_found(name: str, attack: str, of: Runs, tmp_path: Path) -> None:
    forged = copied(of[name], tmp_path / "run")
    (OF_TASK.get((name, attack)) or OF_ALL[attack])(forged)
    found = found_of(forged)
    assert found.reasons


def test_relations_follow_from_their_scores(of: Runs, tmp_path: Path) -> None:
    """However few of many are others: no share of answers may be."""
    for change in (one_more_right, one_less_wrong):
        forged = copied(of["relations"], tmp_path / change.__name__)
        table(change)(forged)
        run = forged.run
        assert (
            run.of_task("answers", "differences")(run.systems[FINE_TUNED], run.table, run.record)["changed"].sum() == 1
        )


@pytest.mark.parametrize("name", ["gene_disease", "name_alignment"])
def test_probabilities_may_not_be_made_better_within_rounding(name: str, of: Runs) -> None:
    """Neither all by a little, though no answer and no rank of a pair is another."""
    rng, run = np.random.default_rng(0), of[name].run
    made = pd.concat([run.table] * 12, ignore_index=True)
    if name == "gene_disease":
        made["score"] = rng.uniform(0.6, 1, len(made))  # too sure of all: half of them are associated
        stored = made.assign(score=made["score"] - 0.09)
    else:
        made["prediction"] = made["label"].where(rng.random(len(made)) < 0.5, "m03")
        made["score"] = rng.uniform(0.4, 0.6, len(made))
        stored = made.assign(score=made["score"] + np.where(made["prediction"] == made["label"], 0.019, -0.019))
    its, ours = run.outcomes(stored), run.outcomes(made)
    assert any(each.found for each in drift.drifts(drift.gains(ours, its, its)))


def test_a_figure_further_down_a_ranking_is_what_is_measured(of: Runs, tmp_path: Path) -> None:
    forged = copied(of["retrieval"], tmp_path / "run")
    forged.record["metrics"]["map"]["value"] += 0.005
    assert_said(verification.verify(forged.write(), progress=False).reasons, "fine-tuned: not what is measured: map ")


def test_correlations_with_scores_are_not_left_out(of: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forged = copied(of["retrieval"], tmp_path / "run")
    check = forged.run.of_task("evaluate", "check_files")
    assert check(forged.directory, forged.data.splits, forged.record) == []
    (forged.directory / "modules.json").write_text("[" * 100_000)
    forged.write()
    assert_said(check(forged.directory, forged.data.splits, forged.record), "modules.json is not that of this encoder")
    monkeypatch.setattr("bioft.tasks.retrieval.figures.has_both", lambda rows: True)
    assert_said(check(forged.directory, forged.data.splits, forged.record), "leaves out how cosines correlate")


# --- files, data and what is made of a run

OTHERS = {
    "weights for another library": "model.gguf",
    "weights of another name": "consolidated.safetensors",
    "weights for another runtime": "onnx/model.onnx",
    "weights for another framework": "tf_model.h5",
    "a second adapter": "default/adapter_model.safetensors",
}


@pytest.mark.parametrize("attack", OTHERS)
def test_weights_that_no_recipe_writes_are_found_though_they_are_on_record(
    attack: str, of: Runs, tmp_path: Path
) -> None:
    forged = copied(of["text_labels"], tmp_path / "run")
    path = forged.directory / OTHERS[attack]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    forged.record["files"] = runs.checksums(forged.directory)
    check_files(forged.directory, forged.record, found := Verification("run"))
    assert_said(found.reasons, f"No recipe writes {OTHERS[attack]}: other libraries may load another model")


def test_weights_behind_a_link_are_found(of: Runs, tmp_path: Path) -> None:
    """A folder of others, which no search for files goes into, and loaders do."""
    forged = copied(of["text_labels"], tmp_path / "run")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "model.onnx").write_bytes(b"x")
    (forged.directory / "onnx").symlink_to(tmp_path / "weights")
    check_files(forged.directory, forged.record, found := Verification("run"))
    assert_said(found.reasons, "run.json does not list onnx: a loader may read them")


def test_a_plot_that_no_recipe_draws_is_not_checked(of: Runs, tmp_path: Path) -> None:
    """A picture that has a figure in it as text, in whatever format."""
    forged = copied(of["text_labels"], tmp_path / "run")
    (forged.directory / "plots").mkdir()
    (forged.directory / "plots" / "roc.svg").write_text("<svg><text>AUROC 0.97</text></svg>")
    forged.record["files"] = runs.checksums(forged.directory)
    check_plots(forged.directory, forged.record, forged.run.task, found := Verification("run"))
    name_plots(found)
    assert found.best == "verified in part"
    assert_said(found.notes, "plots/roc.svg")


def rows(forged: Forged, **changed: pd.DataFrame) -> DatasetDict:
    """The splits with other rows in some of them."""
    splits = forged.data.splits
    return DatasetDict(
        {name: its for name, its in splits.items() if name not in changed}
        | {
            name: Dataset.from_pandas(its.reset_index(drop=True), features=splits[name].features, preserve_index=False)
            for name, its in changed.items()
        }
    )


def spelled(text: str) -> str:
    """The same to a reader: with a space of no width in it and a Cyrillic letter."""
    return text.replace("e", "\u0435", 1).replace(" ", "\u200b ", 1)


LEAKS: dict[str, tuple[str, Callable[[pd.DataFrame], pd.DataFrame]]] = {
    "texts with hidden characters": ("text_labels", lambda its: its.assign(text=its["text"].map(spelled))),
    "texts in capitals": ("text_labels", lambda its: its.assign(text=its["text"].str.upper())),
    "texts for masked tokens": (
        "masked_lm", lambda its: its.assign(id="x-" + its["id"], text=its["text"].map(spelled))
    ),
    "documents under other names": (
        "relations", lambda its: its.assign(document_id="x-" + its["document_id"])
    ),
    "documents of a joint model": ("joint", lambda its: its.assign(document_id="x-" + its["document_id"])),
    "pairs with hidden characters": (
        "gene_disease", lambda its: its.assign(gene=its["gene"].str.lower(), disease=its["disease"].map(spelled))
    ),
    "pairs of texts": ("retrieval", lambda its: its.assign(group="x-" + its["group"])),
}  # fmt: skip


@pytest.mark.parametrize("attack", LEAKS)
def test_test_rows_that_were_trained_on_are_seen_in_a_folder(attack: str, of: Runs, tmp_path: Path) -> None:
    """Its manifest says that the audit found none, and there is no source."""
    name, change = LEAKS[attack]
    forged = copied(of[name], tmp_path / "run")
    train, test = (forged.data.splits[split].to_pandas() for split in ("train", "test"))
    splits = rows(forged, train=pd.concat([train, change(test.head(8))]))
    forged.use(splits, tmp_path / "data", builder="my_corpus", restated=False)
    run = forged.run
    try:
        checks.check_data(run, forged.data)
    except LeakageError as error:
        run.found.reasons.append(str(error))
    assert run.found.reasons, attack


def test_a_source_in_the_runs_own_folder_is_its_publishers(of: Runs, tmp_path: Path) -> None:
    """It has the recorded checksum: whoever wrote one wrote the other."""
    forged = copied(of["gene_disease"], tmp_path / "run")
    shutil.copy("tests/golden/data/ctd.csv", forged.directory / "ctd.csv")
    for path, own in {forged.directory / "ctd.csv": True, Path("tests/golden/data/ctd.csv"): False}.items():
        found = recorded_data(forged.directory, forged.record, path, rebuild=True)
        assert found.reasons == [] and bool(found.not_rebuilt) == own
    names = copied(of["name_alignment"], tmp_path / "names")
    shutil.copytree("tests/golden/data", names.directory / "data")
    found = recorded_data(names.directory, names.record, names.directory / "data", rebuild=True)
    assert "a file in the run's own folder" in found.not_rebuilt


def test_an_id_that_tells_the_label_is_seen(of: Runs, tmp_path: Path) -> None:
    """Ids of positives and of negatives that differ: the audit of the rows says so, whatever the manifest does."""
    forged = copied(of["gene_disease"], tmp_path / "run")

    def telling(its: pd.DataFrame) -> pd.DataFrame:
        return its.assign(gene_id=np.where(its["label"] == 1, "1", "9") + its["gene_id"].astype(str))

    splits = rows(forged, **{name: telling(its.to_pandas()) for name, its in forged.data.splits.items()})
    forged.use(splits, tmp_path / "data", builder="my_pairs", restated=False)
    run = forged.run
    checks.check_data(run, forged.data)
    assert_said(run.found.reasons, "another audit than that of its dataset")


def test_a_folder_says_itself_where_it_was_pulled_from(of: Runs, tmp_path: Path) -> None:
    """Whoever gives it to somebody can write that file."""
    forged = copied(of["text_labels"], tmp_path / "run")
    (forged.directory / pull.ORIGIN).write_text(json.dumps({"id": "google/best", "revision": "a" * 40}))
    found = verification.verify(forged.directory, progress=False)
    assert found.status != "verified"
    assert_said(found.notes, f"That this folder is google/best at commit {'a' * 40}, it says itself")


def test_a_merged_model_is_what_its_list_says(of: Runs, tmp_path: Path) -> None:
    """The list comes with it, so this is no verdict."""
    forged = copied(of["text_labels"], tmp_path / "run")
    (forged.directory / runs.RECORD).unlink()
    (forged.directory / runs.CONFIG).unlink()
    files = runs.checksums(forged.directory)
    about = {"files": files, "run": "the best", "format": "merged, float32"}
    (forged.directory / runs.EXPORT).write_text(json.dumps({"bioft": about}))
    found = verification.verify(forged.directory, progress=False)
    assert found.status == "cannot be checked"
    assert_said(found.reasons, "by its export.json it is the model of the run the best")
    (forged.directory / "config.json").write_text("{}")
    assert verification.verify(forged.directory, progress=False).status == "not reproduced"


def test_a_candidate_that_is_there_twice_counts_for_no_command(of: Runs, tmp_path: Path) -> None:
    """Neither in what `bioft compare` and leaderboards read, nor in what is verified."""
    forged = copied(of["relations"], tmp_path / "run")
    its = forged.predictions
    right = its[(its["label"] == 1) & (its["prediction"] == 1)]
    pd.concat([its, right]).to_parquet(forged.directory / runs.PREDICTIONS, index=False)
    forged.write()
    with pytest.raises(BioftError, match="has a candidate twice"):
        outcomes.outcomes(forged.directory, forged.record)
    assert verification.verify(forged.directory, progress=False, sample=20).status == "cannot be checked"


# --- one label a text


@pytest.fixture(scope="module")
def one_label(of: Runs, tmp_path_factory: pytest.TempPathFactory) -> tuple[Forged, Path]:
    """A run on texts that have one of several labels each, with the golden run's model; and the folder of them."""
    folder = tmp_path_factory.mktemp("one-label")
    forged = copied(of["text_labels"], folder / "run")
    record, splits = forged.record, {}
    for name, its in forged.data.splits.items():
        of_one = [each for each in its.to_list() if len(each["labels"]) == 1]
        texts = pd.DataFrame(of_one).assign(label=[each["labels"][0] for each in of_one]).drop(columns="labels")
        splits[name] = Dataset.from_pandas(texts, preserve_index=False)
    dataset = DatasetDict(splits)
    record["classifier"] |= {"multi_label": False, "thresholds": None}
    del record["classifier"]["thresholds_chosen_on"]
    configured("config.json", problem_type="single_label_classification")(forged)
    run = forged.run
    audit = run.of_task("evaluate", "audit")(dataset, record)
    counts = {
        name: {"documents": len(its), **{label: its["label"][:].count(label) for label in record["labels"]}}
        for name, its in splits.items()
    }
    changes = {"builder": "my_texts", "multi_label": False, "rows": counts, "audit": audit}
    where = forged.use(dataset, folder / "data", restated=False, **changes)
    record |= {"audit": json.loads(json.dumps(audit)), "notes": notes_of(record), "metrics": {}, "baselines": {}}
    forged.write()
    forged.fitted = run.of_task("evaluate", "baselines")(dataset, record)
    model = run.of_task("predict", "load")(forged.directory)
    figures = run.of_task("evaluate", "figures")
    base = run.of_task("predict", "predict_base")(model, dataset, record)
    record["base_model_metrics"] = figures(base, dataset, record)
    record["baselines"] = {name: figures(its, dataset, record) for name, its in forged.fitted.items()}
    answers = {f"baseline_{name}": its["prediction"].to_numpy() for name, its in forged.fitted.items()}
    forged.store(run.of_task("predict", "predict")(model, dataset["test"], record).assign(**answers))
    forged.write()
    return forged, where


ONE_LABEL: dict[str, Change] = {
    **OF_ALL,
    "scores of other texts": OF_TASK["text_labels", "scores of other texts"],
    "scores of labels turned": OF_TASK["text_labels", "scores of labels turned"],
    "scores rounded to ties": column("scores", lambda its: [np.round(each, 1) for each in its["scores"]]),
    "another answer than the highest score": column("prediction", lambda its: its["label"]),
    "answers that no score has": column("prediction", lambda its: [[] for _ in its["prediction"]]),
    "two labels of a text": column("prediction", lambda its: [[*each, "Negative"] for each in its["prediction"]]),
    "several labels a text": at("classifier.multi_label", True),
    "thresholds": at("classifier.thresholds", [0.5] * 8),
    "labels that do not exclude each other": configured("config.json", problem_type="multi_label_classification"),
    "labels in another order": labels_turned,
    "a label less": at("labels", lambda its: its[:-1]),
    "shorter texts": at("classifier.max_length", 8),
    "another report": OF_TASK["text_labels", "another report"],
    "another bias of the head": weights(1.0, "classifier.bias"),
}


def test_a_run_on_texts_of_one_label_is_verified(one_label: tuple[Forged, Path]) -> None:
    forged, where = one_label
    for sample in (None, 20):
        found = verification.verify(forged.directory, dataset_path=where, progress=False, sample=sample)
        assert found.reasons == [] and found.status == "verified on the publisher's data", found.reasons


@pytest.mark.parametrize("attack", ONE_LABEL)
def test_what_no_model_gives_of_one_label_is_found(
    attack: str, one_label: tuple[Forged, Path], tmp_path: Path
) -> None:
    forged = copied(one_label[0], tmp_path / "run")
    ONE_LABEL[attack](forged)
    assert found_of(forged).reasons
