"""What a run names that others would fetch, load or read in the place of what was measured, and what a sample leaves.

A forger is as careful as in `test_attacks`: record, card and checksums agree with what was changed.
"""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
from datasets import DatasetDict
from safetensors.numpy import load_file

from bioft import task as tasks
from bioft.datasets import formats, recorded
from bioft.datasets.recorded import ON_HUB, recorded_data
from bioft.errors import ChangedFilesError
from bioft.hub import pull
from bioft.storage import datasets as storage, runs
from bioft.tasks.masked_lm import models as masked_models
from bioft.tasks.relations.answers import END_TO_END
from bioft.verify import checks, own_data, verify as verification, word
from bioft.verify.card import check_card, notes_of
from bioft.verify.files import check_files
from bioft.verify.findings import Verification
from tests.verify.conftest import Runs
from tests.verify.forging import TASKS, Forged, copied, with_rows

Change = Callable[[Forged], object]


def said(found: list[str], words: str) -> bool:
    return words in "\n".join(found)


# --- data on the Hub that a run names


def on_hub(forged: Forged, splits: DatasetDict, folder: Path, revision: str = "a" * 40) -> Callable[..., Path]:
    """What fetches a dataset of these splits, which the run then names as its own."""
    prints = {name: storage.fingerprint(rows) for name, rows in splits.items()}
    storage.save(splits, forged.data.manifest | {"fingerprints": prints}, folder)
    (folder / pull.ORIGIN).write_text(json.dumps({"id": "benchmarks/hard", "revision": "a" * 40}))
    forged.record["dataset"]["hub"] = {"id": "benchmarks/hard", "revision": revision}
    return lambda name, **options: folder


def test_a_dataset_on_the_hub_that_is_not_the_runs_is_found(of: Runs, tmp_path: Path) -> None:
    """Card, `.eval_results` and the leaderboard of that dataset name it; the data are built of a package."""
    forged = copied(of["text_labels"], tmp_path / "run")
    splits = forged.data.splits
    fetch = on_hub(forged, splits, tmp_path / "its own")
    honest = recorded_data(forged.directory, forged.record, fetch=fetch, rebuild=True)
    assert (honest.reasons, honest.not_rebuilt) == ([], "")
    others = DatasetDict({**splits, "test": splits["test"].select(range(9))})
    fetch = on_hub(forged, others, tmp_path / "another")
    found = recorded_data(forged.directory, forged.record, fetch=fetch, rebuild=True)
    assert said(
        found.reasons, f"names benchmarks/hard at {'a' * 40} on the Hub as its data: there are other rows in test"
    )
    fetch = on_hub(forged, splits, tmp_path / "moving", "main")
    found = recorded_data(forged.directory, forged.record, fetch=fetch, rebuild=True)
    assert said(found.reasons, "names main of benchmarks/hard, which is no commit, and may move")


def test_a_source_in_the_runs_folder_is_its_publishers_also_where_nobody_names_it(
    of: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`bioft verify .` in the folder of a run that has a `data/` of its own, as `bioft download` writes one."""
    forged, checkout = copied(of["gene_disease"], tmp_path / "run"), Path.cwd()
    source = tasks.source(forged.record["dataset"]["builder"])
    assert source is not None and source.download is not None
    (forged.directory / "data").mkdir()
    shutil.copy(checkout / "tests/golden/data/ctd.csv", forged.directory / "data" / source.download)
    monkeypatch.chdir(forged.directory)
    (forged.directory / runs.CONFIG).unlink()
    found = recorded_data(Path(), forged.record, rebuild=True)
    assert found.reasons == [] and "of a file in the run's own folder, as somebody wrote them" in found.not_rebuilt


def test_files_of_names_in_the_runs_folder_are_its_publishers(
    of: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of several files, and not the namespace alone."""
    forged = copied(of["name_alignment"], tmp_path / "run")
    built = forged.data.splits, forged.data.manifest
    monkeypatch.setattr("bioft.tasks.name_alignment.evaluate.recorded", lambda record, path: built)
    (forged.directory / "model.xml").write_text("")
    for part, value in {"held_out_models": ["/elsewhere.xml", "model.xml"], "synonyms": "model.xml"}.items():
        record = json.loads(json.dumps(forged.record))
        monkeypatch.chdir(forged.directory)
        assert recorded_data(forged.directory, record, rebuild=True).not_rebuilt == ""
        record["dataset"]["arguments"][part] = value
        assert "a file in the run's own folder" in recorded_data(forged.directory, record, rebuild=True).not_rebuilt


def test_what_is_read_of_a_dataset_on_the_hub_is_its_owners(
    of: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever publishes the run can have put it there."""
    forged = copied(of["text_labels"], tmp_path / "run")
    about = forged.record["dataset"]
    about |= {"builder": formats.LABELS.name, "arguments": {}}
    about["sources"][0] |= {"name": "user/texts", "url": f"{ON_HUB}user/texts", "version": "a" * 40}
    monkeypatch.setattr(recorded, "_built_again", lambda *asked: (forged.data.splits, forged.data.manifest))
    found = recorded_data(forged.directory, forged.record, rebuild=True)
    assert found.reasons == [] and "but are those of user/texts on the Hub as somebody wrote them" in found.not_rebuilt


def test_names_of_metabolites_are_on_no_hub(of: Runs, tmp_path: Path) -> None:
    forged = copied(of["name_alignment"], tmp_path / "run")
    forged.record["dataset"]["hub"] = {"id": "benchmarks/hard", "revision": "a" * 40}
    found = recorded_data(forged.directory, forged.record, rebuild=True)
    assert said(found.reasons, "says that its data are benchmarks/hard on the Hub")


# --- a base model and files that others would take


def test_a_folder_that_is_called_like_a_model_on_the_hub_is_said_to_be_one(
    of: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card links to the model on the Hub; the weights are whatever came with the run."""
    forged = copied(of["masked_lm"], tmp_path / "run")
    base = forged.record["base_model"]
    shutil.copytree(Path.cwd() / base["name_or_path"], tmp_path / "allenai" / "scibert")
    monkeypatch.chdir(tmp_path)
    base |= {"id": "allenai/scibert", "name_or_path": "allenai/scibert"}
    base |= {"source": f"local folder {tmp_path / 'allenai' / 'scibert'}", "license": None}
    run = forged.run
    word.check_base_model(run)
    assert (run.found.reasons, run.found.best) == ([], "verified in part")
    assert said(run.found.notes, "The base model allenai/scibert is a folder of this machine")


def test_what_is_said_of_an_adapted_base_model_is_what_the_run_that_adapted_it_gives(
    of: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of any run of masked language modelling, under a name of the Hub and other terms."""
    forged = copied(of["text_labels"], tmp_path / "run")
    adapted = Path(__file__).parents[1] / "golden" / "runs" / "masked_lm"
    shutil.copytree(adapted, tmp_path / "allenai" / "scibert")
    base = masked_models.load_adapted_encoder(adapted)
    forged.record["classifier"]["mlm_run"] = str(adapted)
    stated = forged.record["base_model"] | {"sha256": base.sha256, "source": base.source}
    named = {"id": str(adapted), "name_or_path": str(adapted)}

    def found(**changes: Any) -> Verification:
        forged.record["base_model"] = stated | changes
        run = forged.run
        word.check_base_model(run)
        return run.found

    assert (found(**named).reasons, found(**named).best) == ([], "verified")
    assert said(found(**named, license="mit").reasons, "that its license is mit; here it is None")
    assert said(found(**named, revision="a" * 40).reasons, f"that its revision is {'a' * 40}")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests").symlink_to(adapted.parents[2])
    it = found(id="allenai/scibert", name_or_path="allenai/scibert")
    assert said(it.notes, "The base model allenai/scibert is a folder of this machine") and it.best != "verified"


def test_the_run_that_training_went_on_from_is_the_one_that_is_measured_as_its_base(of: Runs, tmp_path: Path) -> None:
    """Else the answers of any worse run stand on the card as those of the base model."""
    forged, worse = (copied(of["text_labels"], tmp_path / name) for name in ("run", "worse"))
    record, predict_base = forged.record, forged.run.of_task("predict", "predict_base")
    record["classifier"]["start_from"] = str(worse.directory)
    honest = record["training"] | runs.describe_start(str(worse.directory))
    for training in (record["training"], honest | {"start_from_sha256": "0" * 64}):
        record["training"] = training
        with pytest.raises(ChangedFilesError, match="The training on record went on from"):
            predict_base(None, forged.data.splits, record)
    record["training"] = honest
    assert len(predict_base(None, forged.data.splits, record)) == len(forged.data.splits["test"])


def changed(name: str, **changes: Any) -> Change:
    def change(forged: Forged) -> None:
        path = forged.directory / name
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def written(name: str, content: str) -> Change:
    return lambda forged: (forged.directory / name).write_text(content)


def vocabulary(turned: bool) -> Change:
    """The file of a slow tokenizer: its words in their order, or in another one."""

    def change(forged: Forged) -> None:
        words = json.loads((forged.directory / "tokenizer.json").read_text())["model"]["vocab"]
        words = sorted(words, key=words.get, reverse=turned)
        (forged.directory / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")

    return change


def one_more_shard(forged: Forged) -> None:
    """Weights in parts, and another part that some libraries read as well."""
    whole = forged.directory / "model.safetensors"
    parts = [f"model-0000{part}-of-00002.safetensors" for part in (1, 2)]
    names = {name: parts[0] for name in load_file(whole)}
    shutil.copy(whole, forged.directory / parts[1])
    whole.rename(forged.directory / parts[0])
    written("model.safetensors.index.json", json.dumps({"weight_map": names}))(forged)


FILES: dict[str, tuple[str, Change, str]] = {
    "words of a slow tokenizer": ("text_labels", vocabulary(True), "vocab.txt is not the vocabulary in token"),
    "words as JSON": ("text_labels", written("vocab.json", '{"a": 1}'), "vocab.json is not the vocabulary"),
    "pairs of letters": ("text_labels", written("merges.txt", "a b\n"), "merges.txt is not the vocabulary"),
    "special tokens": (
        "text_labels", written("special_tokens_map.json", '{"unk_token": {"content": "the"}}'),
        "special_tokens_map.json is not the vocabulary",
    ),
    "more tokens": ("text_labels", written("added_tokens.json", '{"the": 5}'), "added_tokens.json is not the voc"),
    "parts of an adapter": (
        "gene_disease", written("adapter_model-00001-of-00001.safetensors", "x"), "No recipe writes adapter_model-",
    ),
    "weights beside those of the index": ("text_labels", one_more_shard, "does not name the weights that are there"),
    "capitals": ("text_labels", written("Config.json", "{}"), "Config.json: on some systems that is another file"),
    "a second card": ("text_labels", written("readme.md", "# F1 0.97"), "README.md: on some systems that is another"),
    "endless words": ("text_labels", written("vocab.json", "[" * 100_000), "vocab.json is not the vocabulary"),
    "lengths by another name": (
        "retrieval", written("sentence_roberta_config.json", '{"max_seq_length": 4}'),
        "No recipe writes sentence_roberta_config.json",
    ),
}  # fmt: skip


@pytest.mark.parametrize("attack", FILES)
def test_others_read_texts_as_the_run_did(attack: str, of: Runs, tmp_path: Path) -> None:
    name, change, words = FILES[attack]
    forged = copied(of[name], tmp_path / "run")
    change(forged)
    forged.write()
    check_files(forged.directory, forged.record, found := Verification("run"))
    assert said(found.reasons, words), found.reasons


def test_the_same_words_in_another_file_are_no_reason(of: Runs, tmp_path: Path) -> None:
    forged = copied(of["text_labels"], tmp_path / "run")
    vocabulary(False)(forged)
    (forged.directory / "spiece.model").write_bytes(b"\xff")
    forged.write()
    check_files(forged.directory, forged.record, found := Verification("run"))
    assert found.reasons == []
    assert said(found.notes, "hold the vocabulary in tokenizer.json was not checked: spiece.model")


def test_thresholds_in_a_models_configuration_are_those_of_the_run(of: Runs, tmp_path: Path) -> None:
    """By which those decide who have no bioft."""
    forged = copied(of["text_labels"], tmp_path / "run")
    check = forged.run.of_task("evaluate", "check_files")
    for threshold in (0.5, 0.1):
        changed("config.json", thresholds=dict.fromkeys(forged.record["labels"], threshold))(forged)
        reasons = check(forged.directory, forged.data.splits, forged.record)
        assert said(reasons, "config.json holds the thresholds") == (threshold != 0.5)


KINDS: dict[str, tuple[dict[str, Any], str]] = {
    "no kind of labels": ({"problem_type": None}, "config.json says None: this model is one of multi_label"),
    "numbers of labels": ({"label2id": {"Negative": 0}}, "other labels by their numbers than numbers by their labels"),
}


@pytest.mark.parametrize("attack", KINDS)
def test_others_take_the_scores_of_labels_for_what_they_are(attack: str, of: Runs, tmp_path: Path) -> None:
    """Without a kind they share out 1 among labels that do not exclude each other."""
    changes, words = KINDS[attack]
    forged = copied(of["text_labels"], tmp_path / "run")
    changed("config.json", **changes)(forged)
    assert said(verification.verify(forged.write(), progress=False, sample=20).reasons, words)


@pytest.mark.parametrize("sign", [":", "^"], ids=["of prompts", "of other texts"])
def test_a_tokenizer_that_reads_otherwise_is_found(sign: str, of: Runs, tmp_path: Path) -> None:
    """Of names it makes the same tokens; the card's lines load it with the adapter."""
    forged = copied(of["gene_disease"], tmp_path / "run")
    shutil.copytree(Path.cwd() / forged.record["base_model"]["name_or_path"], tmp_path / "base")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tmp_path / "base" / name, forged.directory)
    check = forged.run.of_task("evaluate", "check_files")
    assert check(forged.directory, forged.data.splits, forged.record) == []
    path = forged.directory / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    words = tokenizer["model"]["vocab"]
    words[sign], words["~"] = words["~"], words[sign]
    path.write_text(json.dumps(tokenizer))
    assert said(
        check(forged.directory, forged.data.splits, forged.record), "tokenizer of the run is not that of its base"
    )


# --- what a sample leaves


@pytest.mark.parametrize("name", [name for name in TASKS if name not in ("retrieval", "name_alignment", "masked_lm")])
def test_figures_that_nothing_gives_are_found_in_a_sample_too(name: str, of: Runs, tmp_path: Path) -> None:
    forged = copied(of[name], tmp_path / "run")
    figure = {"value": 0.99, "low": 0.98, "high": 1.0, "n": 500}
    baseline = next(iter(forged.record["baselines"]))
    for its in (forged.record["metrics"], forged.record["base_model_metrics"], forged.record["baselines"][baseline]):
        its["auroc_on_patients"] = figure
    found = verification.verify(forged.write(), progress=False, sample=20, seed=0)
    assert found.status == "not reproduced"
    for system in ("fine-tuned", "base, zero-shot", baseline):
        assert said(found.reasons, f"states figures of {system} without predictions: auroc_on_patients"), found.reasons


def test_relations_between_found_entities_are_not_verified_by_a_sample(of: Runs, tmp_path: Path) -> None:
    """All relations found, with figures that follow from them: nothing makes these answers again."""
    forged = copied(of["relations"], tmp_path / "run")
    its = forged.predictions
    right = its.loc[its["label"] == 1, ["document_id", "type", "head", "tail"]].assign(score=0.99)
    right.to_parquet(forged.directory / END_TO_END, index=False)
    forged.record["end_to_end"] = {"entity_run": "runs/entities", "mentions": 9, "linked": 9}
    forged.restate()
    assert forged.record["metrics"]["end_to_end_f1"]["value"] == 1
    for sample in (None, 20):
        found = verification.verify(forged.write(), progress=False, sample=sample)
        assert (found.status, found.reasons) == ("verified in part", [])
    assert said(found.notes, "but not made again: end_to_end_prediction")


@pytest.mark.parametrize("name", ["text_labels", "relations", "gene_disease"])
def test_notes_are_not_left_out_by_naming_an_earlier_schema(name: str, of: Runs, tmp_path: Path) -> None:
    forged = copied(of[name], tmp_path / "run")
    assert notes_of(forged.record)
    forged.record |= {"schema_version": 3, "notes": []}
    check_card(forged.write(), forged.record, found := Verification("run"))
    assert (found.reasons, found.best) == ([], "verified in part")
    assert said(found.notes, "before schema 4: it lacks notes that follow from it: “The threshold")


def test_a_module_that_is_not_biofts_is_named_as_the_judge(
    of: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what data, answers and figures are: whoever gives it with the run can have it say anything."""
    run = copied(of["masked_lm"], tmp_path / "run").run
    monkeypatch.setitem(sys.modules, "judges", ModuleType("judges"))
    run.task = replace(run.task, module="judges")
    run.record["module"] = "judges"
    word.name_what_is_not_checked(run)
    assert said(run.found.notes, "the module judges says, which is not bioft's: whoever wrote it judges here")


# --- a publisher's own data


def test_rows_that_are_less_independent_than_they_look_are_said_to_be(of: Runs, tmp_path: Path) -> None:
    """A gene under as many ids as it has rows, and texts that are there twice: intervals become narrow."""
    forged = copied(of["gene_disease"], tmp_path / "pairs")
    test = forged.data.splits["test"].to_pandas()
    splits = with_rows(forged, test=test.assign(gene_id=[str(row) for row in range(len(test))]))
    forged.use(splits, tmp_path / "pairs data", builder="my_pairs", restated=False)
    notes = own_data.doubts(forged.data.splits)
    assert said(notes, "names of genes in the test split have several ids") and not said(notes, "names of diseases")
    forged = copied(of["text_labels"], tmp_path / "texts")
    test = forged.data.splits["test"].to_pandas()
    more = test.head(5).assign(id=[f"again-{row}" for row in range(5)], text=test.head(5)["text"].str.upper() + "!")
    forged.use(with_rows(forged, test=pd.concat([test, more])), tmp_path / "data", builder="my", restated=False)
    run = forged.run
    checks.check_data(run, forged.data._replace(not_rebuilt="They are as somebody wrote them."))
    assert said(run.found.notes, f"5 of the {len(test) + 5} test texts are there more than once")
    checks.check_data(run := copied(of["text_labels"], tmp_path / "honest").run, of["text_labels"].data)
    assert run.found.notes == []
