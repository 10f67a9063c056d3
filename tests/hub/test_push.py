"""Pushing and pulling, against a Hub on loopback that also fails: one commit or none, whole and checked."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import numpy as np
import pandas as pd
import pytest
import yaml
from datasets import load_dataset
from huggingface_hub import HfApi, parse_eval_result_entries
from huggingface_hub.utils import are_progress_bars_disabled, enable_progress_bars
from hypothesis import given, strategies as st
from safetensors.numpy import save_file
from typer.testing import CliRunner

from bioft.cards import dataset as cards_dataset, model as cards
from bioft.cli.main import app
from bioft.compare import publish
from bioft.datasets import load
from bioft.datasets.gene_disease import ctd
from bioft.datasets.hpo import gene_disease as hpo
from bioft.errors import BioftError
from bioft.hub import checks, publication, pull as hub_pull, push as hub
from bioft.storage import datasets as storage, retries, runs
from bioft.storage.retries import RetryPolicy
from bioft.verify import verify as verification
from tests import warm_process
from tests.hub_server.server import HubServer
from tests.tiny import write_ctd

REPOSITORY = Path(__file__).resolve().parents[2]
FAST = RetryPolicy(attempts=3, wait_seconds=0.01, timeout_seconds=5)
BASE_REVISION = "c" * 40
ATTRIBUTES = ".gitattributes"


def figures(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.01, "high": value + 0.01, "n": 100}


def answered(auroc: float) -> pd.DataFrame:
    """Predictions of 50 associated pairs and 50 others, with this area under the curve; each 25 of 2500 are .01."""
    tied = round(100 * auroc) - 80
    scores = [0.5] * 50 + [0.4] * 40 + [0.5] * tied + [0.6] * (10 - tied)
    table = pd.DataFrame({"id": [f"test-{row}" for row in range(100)], "label": [1] * 50 + [0] * 50, "score": scores})
    names = {
        f"{side}{end}": [f"{side} {row}" for row in range(100)] for side in ("gene", "disease") for end in ("", "_id")
    }
    return table.assign(prediction=(table["score"] >= 0.5).astype(int), **names)


def write_run(folder: Path, *, seed: int = 0, values: int = 20_000, base: dict[str, Any] | None = None) -> Path:
    """A finished run as a recipe leaves it, but for the training: random weights of `values` numbers."""
    (folder / "plots").mkdir(parents=True)
    base_model: dict[str, Any] = {"id": "user/base", "revision": BASE_REVISION, "source": "Hub", "license": "mit"}
    base_model |= {"sha256": None, "quantization": None, "name_or_path": "user/base", **(base or {})}
    weights = np.random.default_rng(seed).normal(size=values).astype(np.float32)
    save_file({"lora_A": weights}, folder / "adapter_model.safetensors")
    config = {"base_model_name_or_path": base_model["id"], "revision": base_model["revision"], "peft_type": "LORA"}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    tokenizer = {"model": {"type": "BPE", "vocab": {"a": 0, "b": 1}}, "added_tokens": [{"id": 2, "content": "<s>"}]}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "config.yaml").write_text(f"seed: {seed}\n")
    (folder / "plots" / "loss.png").write_bytes(b"\x89PNG" + bytes([seed]) * 100)
    answered(0.8 + seed / 100).to_parquet(folder / "predictions.parquet")
    source = {"name": "made-up.csv", "sha256": "ab" * 32, "bytes": 1, "version": None, "url": "https://example.org"}
    record = {
        "schema_version": 1,
        "recipe": "sft_gda",
        "preset": "default",
        "name": folder.name,
        "task": "gene-disease-association",
        "bioft": {"version": "0.1.0", "git_commit": None, "git_dirty": None},
        "packages": {},
        "hardware": {"cpu": "one", "cores": 2, "memory_gb": 8.0, "gpus": [], "num_processes": 1},
        "command": ["recipes/sft_gda.py"],
        "seed": seed,
        "base_model": base_model,
        "dataset": {
            "builder": "hpo",
            "arguments": {"split": "pair", "negatives": "uniform"},
            "sources": [source | {"terms": "None.", "citation": "Nobody.", "redistribution": "free"}],
            "rows": {split: {"positive": 50, "negative": 50} for split in ("train", "validation", "test")},
            "fingerprints": dict.fromkeys(("train", "validation", "test"), "ab" * 32),
        },
        "audit": {},
        "scoring": {"prompt_style": "plain", "positive": " yes", "negative": " no", "threshold": 0.5}
        | {"threshold_chosen_on": "validation"},
        "metrics": {"auroc": figures(0.8 + seed / 100)},
        "base_model_metrics": {"auroc": figures(0.5)},
        "baselines": {"popularity_logistic": {"auroc": figures(0.6)}},
        "comparison": None,
        "training": {"trainable_parameters": values, "total_parameters": 10 * values, "pairs_seen": 8, "steps": 1}
        | {"seconds": 1.0, "examples_per_second": 8.0, "resumed_from": None},
        "timings": {},
        "log_history": [],
    }
    record["files"] = runs.checksums(folder)
    (folder / runs.CARD).write_text(cards.model_card(record), encoding="utf-8")
    (folder / runs.RECORD).write_text(json.dumps(record))
    return folder


def another_version(run: Path, folder: Path, seed: int) -> Path:
    """A copy of a run with other weights, and a word more in its card."""
    shutil.copytree(run, folder)
    weights = np.random.default_rng(seed).normal(size=100).astype(np.float32)
    save_file({"lora_A": weights}, folder / "adapter_model.safetensors")
    (folder / runs.CARD).write_text((run / runs.CARD).read_text() + f"\nVersion {seed}.\n")
    return edit_record(folder, files=runs.checksums(folder))


def edit_record(run: Path, **changes: Any) -> Path:
    record = json.loads((run / runs.RECORD).read_text())
    (run / runs.RECORD).write_text(json.dumps(record | changes))
    return run


def published(run: Path, repository: str = "user/adapter") -> dict[str, bytes]:
    """What the repository holds after a whole push of `run`: every recorded file, the record and the card."""
    record = json.loads((run / runs.RECORD).read_text())
    files = {name: (run / name).read_bytes() for name in (*record["files"], runs.RECORD)}
    return files | {runs.CARD: (run / runs.CARD).read_text().replace(publication.PLACEHOLDER, repository).encode()}


def stored(server: HubServer, repository: str = "user/adapter", revision: str = "main") -> dict[str, bytes]:
    files = server.repository("model", repository).files(revision)
    return {name: content for name, content in files.items() if name != ATTRIBUTES}


def titles(server: HubServer, repository: str = "user/adapter", revision: str = "main") -> list[str]:
    return [commit.title for commit in server.repository("model", repository).commits(revision)]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run")


@pytest.fixture
def access(hub_server: HubServer) -> dict[str, Any]:
    return {"endpoint": hub_server.endpoint, "token": hub_server.tokens["write"], "policy": FAST}


@pytest.fixture
def hub_server(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HubServer:
    """The Hub, reached over LFS; `hub` is the module under test here."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("BIOFT_CACHE", str(tmp_path / "cache"))
    return hub


@pytest.fixture
def api(hub_server: HubServer) -> HfApi:
    return HfApi(endpoint=hub_server.endpoint, token=hub_server.tokens["write"])


def sentence(error: BaseException, server: HubServer) -> str:
    """The message of an error, which must be fit to be shown: no traceback, no token, with an end."""
    message = str(error)
    assert "Traceback" not in message and "Error(" not in message, message
    assert not any(token in message for token in server.tokens.values()), message
    assert message[0].isupper() or message.startswith(("user/", "/")), message
    assert message.endswith((".", ")")) and len(message) < 600, message
    return message


# Pushing and pulling


@pytest.mark.parametrize("storage_kind", ["lfs", "xet"])
def test_what_is_pushed_comes_back_byte_for_byte_and_a_repeat_makes_no_commit(
    storage_kind: str, hub_server: HubServer, access: dict[str, Any], run: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    if storage_kind == "xet":
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", False)
        monkeypatch.setattr("huggingface_hub.constants.HF_XET_CACHE", str(tmp_path / "xet"))
    first = hub.send_run(run, "user/adapter", **access)
    again = hub.send_run(run, "user/adapter", **access)
    assert (first.changed, again.changed) == (True, False)
    assert first.commit == again.commit == hub_server.repository("model", "user/adapter").commit().oid
    assert titles(hub_server) == ["Push run run with bioft", "initial commit"]
    assert stored(hub_server) == published(run)
    record = runs.read(run)
    assert stored(hub_server)["README.md"].decode() == cards.model_card(record, repository="user/adapter")
    assert hub_server.repository("model", "user/adapter").private
    uses_xet = any("xet-write-token" in request.path for request in hub_server.requests)
    assert uses_xet == (storage_kind == "xet")

    pulled = hub_pull.pull_adapter("user/adapter", tmp_path / "pulled", **access)
    assert hub_pull.origin(pulled) == {"id": "user/adapter", "revision": first.commit}
    names = {path.relative_to(pulled).as_posix() for path in pulled.rglob("*") if path.is_file()}
    assert names == {*published(run), hub_pull.ORIGIN}
    assert {name: (pulled / name).read_bytes() for name in names - {hub_pull.ORIGIN}} == published(run)
    # What was pulled is a run like any other: it can be checked and pushed itself.
    runs.check_files(pulled, runs.read(pulled))
    assert hub.send_run(pulled, "user/adapter", **access).changed is False


def test_a_run_on_data_of_the_hub_has_its_result_for_the_leaderboard(
    hub_server: HubServer, access: dict[str, Any], run: Path, tmp_path: Path
) -> None:
    """Written at the push from the record, fetched by a pull for `bioft verify`, and gone with the data's name."""
    dataset = runs.read(run)["dataset"]
    edit_record(run, dataset=dataset | {"hub": {"id": "user/pairs", "revision": "d" * 40}}, created="2026-01-02")
    hub.send_run(run, "user/adapter", **access)
    content = stored(hub_server)[runs.EVAL_RESULTS]
    (entry,) = parse_eval_result_entries(yaml.safe_load(content))
    assert (entry.dataset_id, entry.dataset_revision) == ("user/pairs", "d" * 40)
    assert (entry.task_id, entry.value, entry.date) == ("gene-disease-association", 0.8, "2026-01-02")
    assert entry.notes == "AUROC, 95 % interval 0.790 to 0.810, n = 100"
    pulled = hub_pull.pull_adapter("user/adapter", tmp_path / "pulled", **access)
    assert (pulled / runs.EVAL_RESULTS).read_bytes() == content
    assert hub.send_run(pulled, "user/adapter", **access).changed is False
    edit_record(run, dataset=dataset)
    hub.send_run(run, "user/adapter", **access)
    assert stored(hub_server) == published(run)


def test_results_that_the_predictions_do_not_give_are_not_pushed(run: Path, hub_server: HubServer) -> None:
    """Nor those that the record does not give; more words on the card are its owner's."""
    said = "\nOn patients of ours it is right in 91 of 100 cases.\n"
    (run / runs.CARD).write_text((run / runs.CARD).read_text() + said)
    push = ["push-adapter", str(run), "user/adapter", "--dry-run"]
    assert CliRunner().invoke(app, push).exit_code == 0
    card, record = (run / runs.CARD).read_text(), runs.read(run)
    (run / runs.CARD).write_text(card.replace("value: 0.8", "value: 0.9"))
    result = CliRunner().invoke(app, push[:-1])
    assert result.exit_code == 1 and "state a figure that run.json does not give" in " ".join(result.output.split())
    edit_record(run, metrics={"auroc": figures(0.9)})
    (run / runs.CARD).write_text(cards.model_card(record | {"metrics": {"auroc": figures(0.9)}}))
    result = CliRunner().invoke(app, push[:-1])
    assert result.exit_code == 1 and "fine-tuned: auroc 0.9000" in " ".join(result.output.split()), result.output
    # Nor from Python, nor at the end of a training: all go through one function.
    for push_it in (publish.push_adapter, publish.push_finished_run):
        with pytest.raises(BioftError, match=r"fine-tuned: auroc 0\.9000"):
            push_it(run, "user/adapter")
    assert hub_server.requests == []


def test_a_pulled_copy_that_was_changed_is_no_pulled_one(
    hub_server: HubServer, access: dict[str, Any], run: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    """By a record that agrees with other files: it is not given out for what is on the Hub, also without a network."""
    commit = hub.send_run(run, "user/adapter", **access).commit
    words = rf"run\.json is not what was pulled from user/adapter at {commit}"
    for place in (tmp_path / "pulled", None):
        pulled = hub_pull.pull_adapter("user/adapter", place, **access)
        save_file({"lora_A": np.ones(20_000, np.float32)}, pulled / "adapter_model.safetensors")
        edit_record(pulled, files=runs.checksums(pulled))
        for revision in (None, commit):
            with pytest.raises(BioftError, match=words):
                hub_pull.pull_adapter("user/adapter", place, revision=revision, **access)
        with pytest.raises(BioftError, match=words):
            hub.send_run(pulled, "user/other", **access)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(BioftError, match=words):
        hub_pull.pull_adapter("user/adapter", revision=commit, **access)
    found = verification.verify("user/adapter", revision=commit, progress=False)
    assert found.status == "not reproduced" and found.revision is None, found


def test_what_is_pushed_under_another_name_says_how_to_verify_itself(
    hub_server: HubServer, access: dict[str, Any], run: Path, pairs: Path, tmp_path: Path
) -> None:
    """And not the run or the data that it is a copy of; another repository that is named stays."""
    thanks = '\nThanks to "user/adapter-2" and user/adapter.\n'
    (run / runs.CARD).write_text((run / runs.CARD).read_text() + thanks)
    hub.send_run(run, "user/adapter", **access)
    pulled = hub_pull.pull_adapter("user/adapter", tmp_path / "pulled", **access)
    hub.send_run(pulled, "lab/copy", **access)
    text = stored(hub_server, "lab/copy")["README.md"].decode()
    assert text == cards.model_card(runs.read(run), repository="lab/copy") + thanks
    hub.push_dataset(pairs, "user/pairs", accept_terms=True, **access)
    again = hub_pull.pull_dataset("user/pairs", tmp_path / "pairs", **access)
    hub.push_dataset(again, "lab/pairs", accept_terms=True, **access)
    card = hub_server.repository("dataset", "lab/pairs").files("main")["README.md"].decode()
    assert 'load_dataset("lab/pairs")' in card and "user/pairs" not in card


def test_a_pull_is_kept_by_commit_and_a_pinned_one_needs_no_network(
    hub_server: HubServer, access: dict[str, Any], run: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    old = hub.send_run(run, "user/adapter", **access).commit
    first = hub_pull.pull_adapter("user/adapter", **access)
    new = hub.send_run(write_run(tmp_path / "other" / "run", seed=1), "user/adapter", **access).commit
    second = hub_pull.pull_adapter("user/adapter", **access)
    assert [path.name for path in (first, second)] == [old, new]
    seen = len(hub_server.requests)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert hub_pull.pull_adapter("user/adapter", revision=old, **access) == first
    assert len(hub_server.requests) == seen
    with pytest.raises(BioftError, match="HF_HUB_OFFLINE"):
        hub_pull.pull_adapter("user/adapter", **access)


def test_files_of_an_earlier_run_go_and_those_of_others_stay(
    hub_server: HubServer, access: dict[str, Any], run: Path, tmp_path: Path, api: HfApi
) -> None:
    hub.send_run(run, "user/adapter", **access)
    api.upload_file(path_or_fileobj=b"mine", path_in_repo="notes.txt", repo_id="user/adapter")
    other = write_run(tmp_path / "other" / "run", seed=1)
    (other / "plots" / "loss.png").rename(other / "plots" / "curve.png")
    record = json.loads((other / runs.RECORD).read_text())
    edit_record(other, files=runs.checksums(other))
    assert "plots/loss.png" in record["files"]
    hub.send_run(other, "user/adapter", **access)
    assert stored(hub_server).keys() == published(other).keys() | {"notes.txt"}


def test_what_was_edited_on_the_hub_is_not_overwritten(
    hub_server: HubServer, access: dict[str, Any], run: Path, tmp_path: Path, api: HfApi
) -> None:
    hub.send_run(run, "user/adapter", **access)
    api.upload_file(
        path_or_fileobj=b"---\nlicense: mit\n---\nmy words\n", path_in_repo="README.md", repo_id="user/adapter"
    )
    edited = stored(hub_server)
    new = write_run(tmp_path / "new" / "run", seed=1)
    for changed in (run, new):
        with pytest.raises(BioftError, match=r"README.md in the model user/adapter.*--create-pr.*--revision"):
            hub.send_run(changed, "user/adapter", **access)
    assert stored(hub_server) == edited

    proposed = hub.send_run(new, "user/adapter", create_pr=True, **access)
    assert proposed.changed and proposed.pull_request == f"{hub_server.endpoint}/user/adapter/discussions/1"
    assert stored(hub_server) == edited
    assert stored(hub_server, revision="refs/pr/1") == published(new)
    again = hub.send_run(new, "user/adapter", create_pr=True, **access)
    assert (again.changed, again.pull_request, again.commit) == (False, proposed.pull_request, proposed.commit)

    branched = hub.send_run(new, "user/adapter", revision="second", **access)
    assert branched.changed and stored(hub_server) == edited
    assert stored(hub_server, revision="second") == published(new)
    assert hub.send_run(new, "user/adapter", revision="second", **access).changed is False

    # Once the proposal is merged, its files are those of the last push.
    api.merge_pull_request("user/adapter", 1)
    assert hub.send_run(run, "user/adapter", **access).changed
    assert stored(hub_server) == published(run)


def test_files_that_somebody_else_put_there_before_the_first_push_stay(
    hub_server: HubServer, access: dict[str, Any], run: Path, api: HfApi
) -> None:
    api.create_repo("user/adapter", private=True)
    api.upload_file(path_or_fileobj=b"# mine\n", path_in_repo="README.md", repo_id="user/adapter")
    with pytest.raises(BioftError, match="was written or edited on the Hub"):
        hub.send_run(run, "user/adapter", **access)
    assert stored(hub_server) == {"README.md": b"# mine\n"}


def test_a_change_during_the_push_is_a_conflict(
    hub_server: HubServer, access: dict[str, Any], run: Path, api: HfApi
) -> None:
    """Somebody commits between the moment when the head was read and the commit."""
    hub.send_run(run, "user/adapter", **access)
    shutil.rmtree(run)
    repository = hub_server.repository("model", "user/adapter")
    new = write_run(run, seed=1)

    def interfere(request: Any) -> None:
        if "/preupload/" in request.path:
            tree = dict(repository.commit().tree)
            tree["note.txt"] = repository.store.add_regular(b"note")
            repository.add_commit("refs/heads/main", tree, "A note", parent=repository.commit())
            hub_server.on_request(None)

    hub_server.on_request(interfere)
    with pytest.raises(BioftError, match="was changed on the Hub while this was sent: nothing was written"):
        hub.send_run(new, "user/adapter", **access)
    assert titles(hub_server) == ["A note", "Push run run with bioft", "initial commit"]
    assert hub.send_run(new, "user/adapter", **access).changed
    assert stored(hub_server) == published(new) | {"note.txt": b"note"}


def test_a_tag_marks_the_commit_and_is_never_moved(
    hub_server: HubServer, access: dict[str, Any], run: Path, tmp_path: Path
) -> None:
    commit = hub.send_run(run, "user/adapter", tag="v1", **access).commit
    assert hub_server.repository("model", "user/adapter").commit("v1").oid == commit
    assert hub.send_run(run, "user/adapter", tag="v1", **access).changed is False
    with pytest.raises(BioftError, match="has a tag v1 already, for other files"):
        hub.send_run(write_run(tmp_path / "other" / "run", seed=1), "user/adapter", tag="v1", **access)
    with pytest.raises(BioftError, match="has a tag v1: --revision must name a branch"):
        hub.send_run(run, "user/adapter", revision="v1", **access)
    assert stored(hub_server) == published(run)
    pulled = hub_pull.pull_adapter("user/adapter", revision="v1", **access)
    assert pulled.name == commit


def test_a_branch_that_is_called_like_a_commit_is_not_taken_for_it(
    hub_server: HubServer, access: dict[str, Any], run: Path, api: HfApi, tmp_path: Path
) -> None:
    """Who names the commit that was verified would be given another."""
    commit = str(hub.send_run(run, "user/adapter", **access).commit)
    other = hub.send_run(write_run(tmp_path / "other" / "run", seed=1), "user/adapter", **access).commit
    api.create_branch("user/adapter", branch=commit, revision=other)
    with pytest.raises(BioftError, match=f"is called like a commit, {commit}, and stands for {other}"):
        hub_pull.pull_adapter("user/adapter", revision=commit, **access)


def test_visibility_is_as_asked_and_never_changed(hub_server: HubServer, access: dict[str, Any], run: Path) -> None:
    hub.send_run(run, "lab/public", private=False, **access)
    hub.send_run(run, "user/private", **access)
    assert not hub_server.repository("model", "lab/public").private
    with pytest.raises(BioftError, match=r"is public.*--public"):
        hub.send_run(run, "lab/public", **access)
    with pytest.raises(BioftError, match=r"is private.*Leave --public out"):
        hub.send_run(run, "user/private", private=False, **access)


def test_the_words_that_a_user_added_to_the_card_are_published(
    hub_server: HubServer, access: dict[str, Any], run: Path
) -> None:
    card = (run / runs.CARD).read_text() + "\nThanks to everyone.\n"
    (run / runs.CARD).write_text(card)
    hub.send_run(run, "user/adapter", **access)
    text = stored(hub_server)["README.md"].decode()
    assert text.endswith("Thanks to everyone.\n") and '"user/adapter"' in text
    assert publication.PLACEHOLDER not in text


def test_a_dry_run_lists_the_files_and_the_card_and_sends_nothing(hub_server: HubServer, run: Path) -> None:
    result = CliRunner().invoke(app, ["push-adapter", str(run), "user/adapter", "--dry-run"], env={"COLUMNS": "100"})
    assert result.exit_code == 0, result.output
    for name, content in published(run).items():
        assert re.search(rf"{re.escape(name)}\s+{len(content):,}\s", result.output), name
    assert published(run)[runs.CARD].decode() in result.output
    assert hub_server.requests == []


# Datasets


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    dataset, manifest = ctd.build(write_ctd(folder / "CTD_curated_genes_diseases.csv"))
    return storage.save(dataset, manifest, folder / "pairs", card=cards_dataset.dataset_card(manifest, dataset))


def test_a_dataset_goes_up_with_its_terms_accepted_and_comes_back(
    hub_server: HubServer, access: dict[str, Any], pairs: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        BioftError, match=r"(?s)CTD_curated_genes_diseases.csv: Use is subject.*notify.*--accept-terms"
    ):
        hub.push_dataset(pairs, "user/pairs", **access)
    assert hub_server.requests == []
    first = hub.push_dataset(pairs, "user/pairs", accept_terms=True, **access)
    again = hub.push_dataset(pairs, "user/pairs", accept_terms=True, **access)
    assert (first.changed, again.changed, first.commit) == (True, False, again.commit)
    files = hub_server.repository("dataset", "user/pairs").files()
    assert files.keys() == {
        ATTRIBUTES,
        "README.md",
        "manifest.json",
        "train.parquet",
        "validation.parquet",
        "test.parquet",
    }
    card = files["README.md"].decode()
    assert ctd.TERMS in card and 'load_dataset("user/pairs")' in card
    pulled = hub_pull.pull_dataset("user/pairs", tmp_path / "pulled", **access)
    assert all((pulled / name).read_bytes() == content for name, content in files.items() if name != ATTRIBUTES)
    splits, _ = storage.load(pulled)
    assert splits["test"].to_list() == storage.load(pairs)[0]["test"].to_list()
    # The Hub's own layout: Parquet files by split, as the card's `configs` say.
    found = load_dataset(str(pulled), cache_dir=str(tmp_path / "datasets"))
    assert {split: len(rows) for split, rows in found.items()} == {split: len(rows) for split, rows in splits.items()}


def test_a_dataset_without_a_card_gets_one(
    hub_server: HubServer, access: dict[str, Any], pairs: Path, tmp_path: Path
) -> None:
    bare = shutil.copytree(pairs, tmp_path / "bare")
    (bare / "README.md").unlink()
    first = hub.push_dataset(bare, "user/pairs", accept_terms=True, **access)
    assert 'load_dataset("user/pairs")' in first.card and ctd.TERMS in first.card
    assert hub_server.repository("dataset", "user/pairs").read("README.md").decode() == first.card
    assert hub.push_dataset(bare, "user/pairs", accept_terms=True, **access).changed is False


@pytest.mark.usefixtures("part_of_hpo")
def test_only_sources_that_say_so_are_free_to_pass_on(pairs: Path) -> None:
    manifest = storage.load_manifest(pairs)
    assert [source["redistribution"] for source in manifest["sources"]] == ["ask"]
    with pytest.raises(BioftError, match="Nothing was sent") as refused:
        publication.check_terms(manifest, "This holds data")
    assert f"\n\nCTD_curated_genes_diseases.csv: {ctd.TERMS}\n\n" in str(refused.value)
    _, free = hpo.build()
    publication.check_terms(free, "This holds data")
    for source in free["sources"]:
        del source["redistribution"]
    with pytest.raises(BioftError, match="--accept-terms"):
        publication.check_terms(free, "This holds data")


@pytest.mark.parametrize(
    ("license", "told"), [("unknown", "neither licence nor terms are stated"), ("cc0-1.0", "the licence is cc0-1.0")]
)
def test_terms_that_nobody_stated_are_not_asked_to_be_met(license: str, told: str) -> None:
    manifest = {"license": license, "sources": [{"name": "own.csv", "terms": "not stated", "redistribution": "ask"}]}
    with pytest.raises(BioftError, match=f"own.csv: {told}.*by --.*terms"):
        publication.check_terms(manifest, "This holds data")


def test_a_public_run_needs_the_terms_of_its_data_accepted(
    hub_server: HubServer, access: dict[str, Any], run: Path, pairs: Path
) -> None:
    """Its predictions show their rows; a private one is nobody else's."""
    dataset = runs.read(run)["dataset"] | {"sources": storage.load_manifest(pairs)["sources"]}
    edit_record(run, dataset=dataset)
    hub.send_run(run, "user/private", **access)
    asked = ["push-adapter", str(run), "user/adapter", "--public", "--dry-run"]
    enable_progress_bars()
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 1 and ctd.TERMS in " ".join(result.output.split()), result.output
    assert are_progress_bars_disabled()  # which are for terminals
    assert CliRunner().invoke(app, [*asked, "--accept-terms"]).exit_code == 0
    hub.send_run(run, "user/adapter", private=False, accept_terms=True, **access)
    assert stored(hub_server).keys() == published(run).keys()


def test_no_home_folder_is_published(hub_server: HubServer, access: dict[str, Any], run: Path, tmp_path: Path) -> None:
    config = {"dataset": "hpo", "dataset_path": "/home/jane/my data/x.csv", "output_dir": str(run), "seed": 0}
    (run / runs.CONFIG).write_text(yaml.safe_dump(config))
    command = ["recipes/sft_gda.py", "--dataset_path", "/home/jane/my data/x.csv", "--output_dir=/home/jane/run"]
    edit_record(run, command=command, files=runs.checksums(run))
    hub.send_run(run, "user/adapter", **access)
    assert not [name for name, content in stored(hub_server).items() if b"jane" in content or b"/tmp" in content]
    pulled = hub_pull.pull_adapter("user/adapter", tmp_path / "pulled", **access)
    shown = config | {"dataset_path": "x.csv", "output_dir": "run"}
    assert yaml.safe_load((pulled / runs.CONFIG).read_text()) == shown
    assert runs.read(pulled)["command"] == [*command[:2], "x.csv", "--output_dir=run"]
    assert hub.send_run(run, "user/adapter", **access).changed is False
    assert hub.send_run(pulled, "user/adapter", **access).changed is False
    assert yaml.safe_load((run / runs.CONFIG).read_text()) == config, "the run itself is as it was"


def test_recipes_take_a_dataset_from_the_hub_and_pin_it(
    hub_server: HubServer, access: dict[str, Any], pairs: Path, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    commit = hub.push_dataset(pairs, "user/pairs", accept_terms=True, **access).commit
    # What HF_ENDPOINT sets, which is read when the library is imported.
    template = f"{hub_server.endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub_server.endpoint)
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setenv("HF_TOKEN", hub_server.tokens["read"])
    with pytest.raises(BioftError, match=r"no folder user/pears, and from the Hub.*does not exist"):
        load.load_or_build("user/pears")
    with pytest.raises(BioftError, match="--dataset_revision is for datasets on the Hub; hpo is none"):
        load.load_or_build("hpo", dataset_revision=commit)
    for revision in (None, "main", commit):
        splits, manifest = load.load_or_build("user/pairs", dataset_revision=revision)
        assert manifest["hub"] == {"id": "user/pairs", "revision": commit}
        assert load.describe(manifest)["hub"] == manifest["hub"]
        assert splits["train"].to_list() == storage.load(pairs)[0]["train"].to_list()
    folder = hub_pull.pull_dataset("user/pairs", revision=commit)
    assert load.load_or_build(str(folder))[1]["hub"] == manifest["hub"]
    with caplog.at_level("INFO", logger="bioft"):
        assert "hub" not in load.load_or_build(str(pairs))[1]
    assert f"Dataset {pairs}, built by ctd with " in caplog.text
    assert "split pair, negatives degree_matched, negatives_per_positive 1" in caplog.text


# The Hub fails


TRANSIENT: dict[str, dict[str, Any]] = {
    "429": {"status": 429, "headers": {"Retry-After": "0"}},
    "500": {"status": 500},
    "502": {"status": 502},
    "503": {"status": 503, "headers": {"Retry-After": "0"}},
    "504": {"status": 504},
    "cut request": {"cut": "request"},
    "cut answer": {"cut": "response"},
    "stalled request": {"stall": "request"},
    "stalled answer": {"stall": "response"},
}
REFUSALS = {str(status): {"status": status} for status in (401, 403, 404, 409, 412)}
LASTING = {f"lasting {name}": fault | {"times": 99} for name, fault in TRANSIENT.items() if "stalled" not in name}
PUSH_REQUESTS = {
    "the repository": ("GET", "/api/models/user/adapter$"),
    "the head": ("GET", "/revision/main$"),
    "the files": ("GET", "/tree/"),
    "the history": ("GET", "/commits/main"),
    "the card's check": ("POST", "/validate-yaml"),
    "the plan": ("POST", "/preupload/"),
    "the LFS batch": ("POST", "/objects/batch"),
    "an upload": ("PUT", "/storage/"),
    "an upload's check": ("POST", "/lfs/verify"),
    "the commit": ("POST", "/commit/main"),
}
PATIENCE = RetryPolicy(attempts=3, wait_seconds=0.001, timeout_seconds=1)


@pytest.mark.parametrize("request_name", PUSH_REQUESTS)
def test_a_push_under_a_fault_ends_whole_or_in_one_sentence(
    request_name: str, hub_server: HubServer, access: dict[str, Any], run: Path, tmp_path: Path
) -> None:
    """Every kind of fault at this request, each to the push of a new version: 21 faults, with all requests 210."""
    access["policy"] = PATIENCE
    hub.send_run(run, "user/adapter", **access)
    before = published(run)
    for number, (name, fault) in enumerate({**TRANSIENT, **REFUSALS, **LASTING}.items(), start=1):
        version = another_version(run, tmp_path / str(number) / "run", number)
        after = published(version)
        hits, commits = hub_server.faults_hit, len(titles(hub_server))
        hub_server.fail(*PUSH_REQUESTS[request_name], **fault)
        error = None
        try:
            assert hub.send_run(version, "user/adapter", **access).changed
        except BioftError as problem:
            error = sentence(problem, hub_server)
        hub_server.clear_faults()
        assert hub_server.faults_hit > hits, name
        made = len(titles(hub_server)) - commits
        assert stored(hub_server) == (after if made else before), name
        assert (error is None) <= bool(made), name
        if name in TRANSIENT:
            assert error is None, (name, error)
        # Nothing has to be put in order before the repeat.
        hub.send_run(version, "user/adapter", **access)
        assert stored(hub_server) == after
        assert len(titles(hub_server)) == commits + 1
        before = after


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("POST", "/repos/create", {}),
        ("POST", "/branch/", {"revision": "second"}),
        ("POST", "/tag/", {"tag": "v1"}),
        ("GET", "/refs", {"tag": "v1"}),
        ("GET", "/discussions", {"create_pr": True}),
        ("POST", r"/commit/main\?create_pr", {"create_pr": True}),
    ],
)
def test_what_else_a_push_may_do_survives_a_fault_too(
    method: str, path: str, options: dict[str, Any], hub_server: HubServer, access: dict[str, Any], run: Path
) -> None:
    access["policy"] = PATIENCE
    for number, fault in enumerate([*TRANSIENT.values(), *REFUSALS.values()]):
        if "/repos/create" in path and fault.get("status") == 409:
            fault = fault | {"body": b'{"url": ""}'}  # as the Hub answers
        repository = f"user/adapter-{number}"
        hub_server.fail(method, path, **fault)
        try:
            result = hub.send_run(run, repository, **options, **access)
        except BioftError as problem:
            sentence(problem, hub_server)
            assert "status" in fault and fault["status"] in map(int, REFUSALS)
            result = hub.send_run(run, repository, **options, **access)
        assert hub_server.faults_hit == number + 1
        stands = hub_server.repository("model", repository)
        assert result.commit is not None and stored(hub_server, repository, result.commit) == published(
            run, repository
        )
        assert len(stands.discussions) == ("create_pr" in options)
        assert len(stands.all_commits) == 2
        if "tag" in options:
            assert stands.commit("v1").oid == result.commit


@pytest.mark.parametrize(
    "request_name", ["GET /api/models/user/adapter", "GET /tree/", "HEAD /resolve/", "GET /resolve/"]
)
def test_a_pull_under_a_fault_is_whole_or_nothing(
    request_name: str, hub_server: HubServer, access: dict[str, Any], run: Path, tmp_path: Path
) -> None:
    hub.send_run(run, "user/adapter", **access)
    access["policy"] = PATIENCE
    # The client waits a second before it goes on with a download that was cut, so there are few of those.
    kinds = {**TRANSIENT, **REFUSALS} if request_name != "GET /resolve/" else {**REFUSALS, "503": TRANSIENT["503"]}
    target = tmp_path / "pulled"
    for name, fault in kinds.items():
        hits = hub_server.faults_hit
        hub_server.fail(*request_name.split(), **fault)
        error = None
        try:
            hub_pull.pull_adapter("user/adapter", target, **access)
        except BioftError as problem:
            error = sentence(problem, hub_server)
        assert hub_server.faults_hit == hits + 1
        assert (error is None) or name in REFUSALS, (name, error)
        left = sorted(path.name for path in tmp_path.iterdir() if "pulled" in path.name)
        assert left == (["pulled"] if error is None else [])
        if error is None:
            runs.check_files(target, runs.read(target))
            shutil.rmtree(target)


def test_a_download_that_is_cut_is_taken_up_again(
    hub_server: HubServer, access: dict[str, Any], run: Path, tmp_path: Path
) -> None:
    hub.send_run(run, "user/adapter", **access)
    hub_server.fail("GET", "/storage/", cut="response")
    pulled = hub_pull.pull_adapter("user/adapter", tmp_path / "pulled", **access)
    assert hub_server.faults_hit == 1
    runs.check_files(pulled, runs.read(pulled))


def test_a_hub_that_asks_for_too_long_a_wait_is_not_waited_for(
    hub_server: HubServer, access: dict[str, Any], run: Path
) -> None:
    hub_server.fail("GET", "/api/models/", status=429, headers={"Retry-After": "3600"})
    with pytest.raises(BioftError, match="HTTP status 429 and asks to wait 3,600 seconds"):
        hub.send_run(run, "user/adapter", **access)
    hub_server.fail("GET", "/api/models/", status=429, headers={"RateLimit": '"api";r=0;t=301'})
    with pytest.raises(BioftError, match="asks to wait 301 seconds"):
        hub.send_run(run, "user/adapter", **access)


def test_what_is_waited_for_is_said(
    hub_server: HubServer,
    access: dict[str, Any],
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    hub.send_run(run, "user/adapter", **access)
    waits: list[float] = []
    monkeypatch.setattr(retries, "time", SimpleNamespace(sleep=waits.append))
    hub_server.fail("GET", "/api/models/", status=429, headers={"Retry-After": "55"})
    hub_pull.pull_adapter("user/adapter", tmp_path / "pulled", **access)
    assert waits == [55]
    assert "The Hub: it answers with HTTP status 429. Waiting 55 seconds before try 2 of 3." in caplog.text


def test_a_download_that_the_hub_refuses_is_waited_for_once_and_aloud(
    hub_server: HubServer,
    access: dict[str, Any],
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The Hub's own client would wait in silence between the tries that are told."""
    hub.send_run(run, "user/adapter", **access)
    told: list[float] = []
    silent: list[float] = []
    monkeypatch.setattr(retries, "time", SimpleNamespace(sleep=told.append))
    monkeypatch.setattr(huggingface_hub.utils._http, "time", SimpleNamespace(sleep=silent.append, time=lambda: 0.0))
    hub_server.fail("GET", "/resolve/", status=429, times=99)
    policy = RetryPolicy(attempts=3, wait_seconds=4)
    with pytest.raises(BioftError, match="can't be reached after 3 tries: it answers with HTTP status 429"):
        hub_pull.pull_adapter("user/adapter", tmp_path / "pulled", **access | {"policy": policy})
    assert (told, silent) == ([4, 8], [])
    assert "The Hub, asked for run.json: it answers with HTTP status 429. Waiting 4 seconds" in caplog.text


def test_a_full_disk_is_told_of_the_folder_that_is_pulled_to(
    hub_server: HubServer, access: dict[str, Any], run: Path, tmp_path: Path
) -> None:
    """A limit on the size of files makes the operating system refuse to write, as a full disk does."""
    resource = pytest.importorskip("resource")
    hub.send_run(run, "user/adapter", **access)
    _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))
    try:
        with pytest.raises(BioftError, match=rf"Can't write to {tmp_path}/pulled: .*MB free there"):
            hub_pull.pull_adapter("user/adapter", tmp_path / "pulled", **access)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not [path for path in tmp_path.iterdir() if "pulled" in path.name]


def test_a_hub_that_is_not_there_is_one_sentence(run: Path, hub_server: HubServer) -> None:
    with pytest.raises(BioftError, match="can't be reached after 3 tries: no connection"):
        hub.send_run(run, "user/adapter", endpoint="http://127.0.0.1:9", token="hf_x", policy=PATIENCE)


def test_where_xet_storage_does_not_answer_the_files_go_over_lfs(
    hub_server: HubServer, access: dict[str, Any], run: Path, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", False)
    hub_server.fail("GET", "/xet-write-token/", status=404)
    assert hub.send_run(run, "user/adapter", **access).changed
    assert hub_server.faults_hit == 1
    assert titles(hub_server) == ["Push run run with bioft", "initial commit"]
    assert stored(hub_server) == published(run)
    assert "trying over LFS" in caplog.text


def test_after_every_kill_the_repository_is_as_before_or_whole_and_a_repeat_succeeds(
    hub_server: HubServer, access: dict[str, Any], tmp_path: Path
) -> None:
    """30 kills: every other one when the Hub has got a random request, the others after a random time."""
    versions = [write_run(tmp_path / str(seed) / "run", seed=seed, values=500_000) for seed in range(2)]
    random_source = random.Random(0)
    environment = hub_server.environment(HF_HUB_DISABLE_PROGRESS_BARS="1")
    pusher = subprocess.Popen(
        [sys.executable, "-m", "tests.push_on_command", hub_server.endpoint],
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert pusher.stdin is not None and pusher.stdout is not None
    seconds, killed, kept, made_whole = 1.0, 0, 0, 0
    expected: dict[str, bytes] = {}
    repository = ""
    # The first push is not killed: it tells how long one takes.
    for number in range(120):
        if killed == 30:
            break
        if number % 10 == 0:
            repository, expected = f"user/adapter-{number}", {}
        target = versions[number % 2]
        pusher.stdin.write(f"{target} {repository}\n")
        pusher.stdin.flush()
        child = int(pusher.stdout.readline())
        timer = None
        if number % 2:
            last = len(hub_server.requests) + random_source.randint(1, 16)

            def kill(request: Any, child: int = child, last: int = last) -> None:
                if len(hub_server.requests) == last:
                    os.kill(child, signal.SIGKILL)

            hub_server.on_request(kill)
        elif number:
            timer = threading.Timer(random_source.uniform(0, seconds), os.kill, (child, signal.SIGKILL))
        started = time.perf_counter()
        pusher.stdin.write("\n")
        pusher.stdin.flush()
        if timer is not None:
            timer.start()
        code = int(pusher.stdout.readline())
        seconds = time.perf_counter() - started if number == 0 else seconds
        if timer is not None:
            timer.cancel()
        hub_server.on_request(None)
        killed += code == -signal.SIGKILL
        assert code in (0, -signal.SIGKILL)

        # A commit that the Hub has got already may still be made: the repeat comes after it, or meets its conflict.
        whole = published(target, repository)
        before = stored(hub_server, repository) if exists(hub_server, repository) else {}
        assert before in (expected, whole)
        kept += before == expected
        made_whole += before == whole
        commits = len(titles(hub_server, repository)) if exists(hub_server, repository) else 1
        hub.send_run(target, repository, **access)
        assert stored(hub_server, repository) == whole
        assert len(titles(hub_server, repository)) <= commits + 1
        expected = whole
    pusher.stdin.close()
    assert pusher.wait() == 0
    assert killed == 30 and kept > 6 and made_whole > 1


def exists(server: HubServer, repository: str) -> bool:
    return ("model", repository) in server.store.repositories


# What must not be published, or not be pulled


def add_file(run: Path, name: str, content: bytes = b"{}") -> None:
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    (run / name).write_bytes(content)
    edit_record(run, files=runs.checksums(run))


def list_file(run: Path, name: str) -> None:
    record = json.loads((run / runs.RECORD).read_text())
    edit_record(run, files=record["files"] | {name: "ab" * 32})


def without(*path: str) -> Any:
    """What takes a part of a record away."""

    def change(run: Path) -> None:
        record = part = json.loads((run / runs.RECORD).read_text())
        for key in path[:-1]:
            part = part[key]
        del part[path[-1]]
        (run / runs.RECORD).write_text(json.dumps(record))

    return change


def local_base(run: Path, source: str = "local folder /home/jane/models/tiny", name: str = "models/tiny") -> None:
    record = json.loads((run / runs.RECORD).read_text())
    base = {"id": name, "revision": None, "source": source}
    edit_record(run, base_model=record["base_model"] | base)


def other_base_in_adapter(run: Path) -> None:
    config = {"base_model_name_or_path": "/home/jane/models/tiny", "revision": None}
    add_file(run, "adapter_config.json", json.dumps(config).encode())


def link_out(run: Path) -> None:
    secret = run.parent / "secret.txt"
    secret.write_text("mine")
    (run / "notes.txt").symlink_to(secret)
    edit_record(run, files=runs.checksums(run))


def link_to_nothing(run: Path) -> None:
    (run / runs.CARD).unlink()
    (run / runs.CARD).symlink_to(run.parent / "nothing.md")


def broken_card(run: Path) -> None:
    card = (run / runs.CARD).read_text()
    (run / runs.CARD).write_text(card.replace("license: mit", "license: [mit", 1))


TOKEN = "hf_" + "aB3" * 12
BAD_RUNS: dict[str, tuple[Any, str]] = {
    "no record": (lambda run: (run / runs.RECORD).unlink(), "is not finished|there is no run.json"),
    "a changed adapter": (
        lambda run: (run / "adapter_model.safetensors").write_bytes(b"x"),
        "adapter_model.safetensors was",
    ),
    "a missing file": (lambda run: (run / "predictions.parquet").unlink(), "predictions.parquet is missing"),
    "no weights": (lambda run: edit_record(run, files={}), r"lists no weights \(model.safetensors\)"),
    "no files": (lambda run: edit_record(run, files=None), "its files is null"),
    "a local base": (local_base, r"\(models/tiny\), which nobody else can load.*--model_name_or_path user/base-model"),
    "a base by its path": (lambda run: local_base(run, "Hub", "../tiny"), r"in a local folder \(\.\./tiny\)"),
    "no base": (without("base_model"), "names no base model"),
    "a base without a name": (without("base_model", "id"), "names no base model"),
    "nothing listed": (without("files"), "does not list the files of the run with their checksums"),
    "a local path in the adapter": (other_base_in_adapter, "names the base model /home/jane/models/tiny"),
    "a pickle": (lambda run: (run / "model.bin").write_bytes(b"\x80"), "holds model.bin: pickles"),
    "a pickle in the record": (lambda run: list_file(run, "weights/model.pt"), "lists weights/model.pt, a pickle"),
    "a checkpoint": (lambda run: list_file(run, "checkpoint-10/state.json"), "the state of a training"),
    "an optimizer": (lambda run: add_file(run, "optimizer.safetensors"), "the state of a training"),
    "code": (lambda run: add_file(run, "modeling.py"), "lists modeling.py, a kind of file"),
    "a hidden file": (lambda run: add_file(run, ".netrc.txt"), "lists a hidden file"),
    "a path above": (lambda run: list_file(run, "../secret.json"), "a file outside its folder"),
    "an absolute path": (lambda run: list_file(run, "/etc/passwd.txt"), "a file outside its folder"),
    "a Windows path": (lambda run: list_file(run, "..\\secret.json"), "a file outside its folder"),
    "a link": (link_out, "notes.txt is a link"),
    "code by reference": (
        lambda run: add_file(run, "tokenizer_config.json", b'{"auto_map": {"AutoTokenizer": "x.Y"}}'),
        "tokenizer_config.json asks its loader to run other code",
    ),
    "code of another library": (
        lambda run: add_file(run, "adapter_config.json", b'{"auto_mapping": {"parent_library": "evil.code"}}'),
        "adapter_config.json asks its loader to run other code .*auto_mapping to evil.code",
    ),
    "code of a list": (
        lambda run: add_file(run, "adapter_config.json", b'{"auto_mapping": ["evil.code"]}'),
        r"auto_mapping to \['evil.code'\]",
    ),
    "a configuration that is none": (
        lambda run: add_file(run, "config.json", b"[]"),
        "config.json holds no JSON object",
    ),
    "endless lists": (
        lambda run: add_file(run, "tokenizer_config.json", b"[" * 100_000),
        "tokenizer_config.json can't be read as JSON",
    ),
    "a token": (lambda run: add_file(run, "notes.txt", f"token: {TOKEN}".encode()), "notes.txt holds an access token"),
    "a token in the card": (
        lambda run: (run / runs.CARD).write_text(f"---\na: 1\n---\n{TOKEN}"),
        "README.md holds an access token",
    ),
    "a broken card": (broken_card, r"README.md, line \d+: the card's YAML is broken"),
    "a card that is no text": (
        lambda run: (run / runs.CARD).write_text("---\na: \a\n---\n"),
        r"README.md: the card's YAML is broken \(not valid\)",
    ),
    "a card that is elsewhere": (link_to_nothing, "README.md is a link"),
    "a card of no keys": (lambda run: (run / runs.CARD).write_text("---\n- a\n---\n"), "no list of keys"),
    "a card without metadata": (lambda run: (run / runs.CARD).write_text("# Mine\n"), "does not begin with metadata"),
}


@pytest.mark.parametrize("problem", BAD_RUNS)
def test_a_run_that_must_not_be_published_is_not(
    problem: str, run: Path, hub_server: HubServer, access: dict[str, Any]
) -> None:
    change, message = BAD_RUNS[problem]
    change(run)
    with pytest.raises(BioftError, match=message) as caught:
        hub.send_run(run, "user/adapter", **access)
    assert TOKEN not in str(caught.value)
    assert hub_server.requests == []


def test_the_token_in_use_is_looked_for_whatever_it_looks_like(run: Path, hub_server: HubServer) -> None:
    add_file(run, "notes.txt", b"my password is correct-horse-battery")
    with pytest.raises(BioftError, match=r"notes.txt holds an access token") as caught:
        hub.send_run(run, "user/adapter", endpoint=hub_server.endpoint, token="correct-horse-battery")
    assert "correct-horse" not in str(caught.value)


@given(
    st.text(alphabet=st.sampled_from("ab./\\:~ \0\n") | st.characters(), max_size=20),
    st.sampled_from([".json", ".txt", ""]),
)
def test_a_name_that_passes_stays_in_its_folder_on_every_system(stem: str, suffix: str) -> None:
    name = stem + suffix
    try:
        checks.recorded_names({"files": {name: "its checksum"}}, "run.json")
    except BioftError:
        return
    for path in (PurePosixPath(name), PureWindowsPath(name)):
        assert not path.is_absolute() and not path.drive and ".." not in path.parts
        assert path.suffix.lower() in checks.SAFE_SUFFIXES
    assert os.path.normpath(name) == name


def test_weights_in_several_files_are_weights() -> None:
    checks.check_weights(["model.safetensors.index.json", "model-00001-of-00002.safetensors"], "run.json")


def test_a_card_that_a_record_lists_and_an_empty_file_are_sent_once(run: Path) -> None:
    """The first versions recorded cards."""
    add_file(run, "notes.txt", b"")
    list_file(run, runs.CARD)
    names = [name for name, _ in hub.send_run(run, "user/adapter", dry_run=True).files]
    assert names.count(runs.CARD) == names.count("notes.txt") == 1


@pytest.mark.parametrize(
    "name", ["adapter", "user/na/me", "user/", "/name", "user/na me", "user/name.git", "https://hf.co/user/name", ""]
)
def test_a_name_that_is_not_user_and_name_is_refused(
    name: str, run: Path, access: dict[str, Any], hub_server: HubServer
) -> None:
    for call in (lambda: hub.send_run(run, name, **access), lambda: hub_pull.pull_adapter(name, **access)):
        with pytest.raises(BioftError, match=r"is not the name of a repository. Give user/name"):
            call()
    assert hub_server.requests == []


@pytest.mark.parametrize(
    ("role", "repository", "message"),
    [
        (None, "user/adapter", "No token for the Hub. Log in with `hf auth login`"),
        ("read", "user/adapter", "This token may not write to the model user/adapter"),
        ("expired", "user/adapter", "does not accept the token: it is missing, wrong or expired"),
        ("foreign", "user/adapter", "This token may not write to the model user/adapter"),
        ("write", "lab/other", None),
        ("write", "nobody/adapter", "This token may not write to the model nobody/adapter"),
    ],
)
def test_who_may_push_where(
    role: str | None, repository: str, message: str | None, run: Path, hub_server: HubServer
) -> None:
    access: dict[str, Any] = {
        "endpoint": hub_server.endpoint,
        "token": role and hub_server.tokens[role],
        "policy": FAST,
    }
    if message is None:
        assert hub.send_run(run, repository, **access).changed
        return
    with pytest.raises(BioftError, match=message) as caught:
        hub.send_run(run, repository, **access)
    sentence(caught.value, hub_server)
    assert hub_server.store.repositories == {}


def test_a_read_only_token_cannot_write_to_a_repository_that_is_there(
    run: Path, hub_server: HubServer, access: dict[str, Any], tmp_path: Path
) -> None:
    hub.send_run(run, "user/adapter", **access)
    before = stored(hub_server)
    new = another_version(run, tmp_path / "new" / "run", 1)
    for role in ("read", "expired", "foreign"):
        with pytest.raises(BioftError, match="token"):
            hub.send_run(new, "user/adapter", **access | {"token": hub_server.tokens[role]})
    assert stored(hub_server) == before
    assert hub_pull.pull_adapter("user/adapter", tmp_path / "pulled", **access | {"token": hub_server.tokens["read"]})
    with pytest.raises(BioftError, match="does not exist on the Hub, or this token may not see it"):
        hub_pull.pull_adapter("user/adapter", **access | {"token": hub_server.tokens["foreign"]})


def test_a_repository_of_the_other_type_is_told(
    run: Path, pairs: Path, hub_server: HubServer, access: dict[str, Any]
) -> None:
    hub.push_dataset(pairs, "user/pairs", accept_terms=True, **access)
    hub.send_run(run, "user/adapter", **access)
    for call in (
        lambda: hub.send_run(run, "user/pairs", **access),
        lambda: hub_pull.pull_adapter("user/pairs", **access),
    ):
        with pytest.raises(BioftError, match="user/pairs is a dataset repository, not a model repository"):
            call()
    with pytest.raises(BioftError, match="user/adapter is a model repository, not a dataset repository"):
        hub_pull.pull_dataset("user/adapter", **access)
    assert ("model", "user/pairs") not in hub_server.store.repositories


def test_options_that_exclude_each_other_are_refused(run: Path, access: dict[str, Any]) -> None:
    for options in ({"tag": "v1"}, {"revision": "second"}):
        with pytest.raises(BioftError, match="--create-pr proposes a change of main"):
            hub.send_run(run, "user/adapter", create_pr=True, **options, **access)
    with pytest.raises(BioftError, match="--revision names the branch to write to"):
        hub.send_run(run, "user/adapter", revision="a" * 40, **access)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("adapter_model.safetensors", b"other weights", "adapter_model.safetensors was changed"),
        ("run.json", b"{", "is not a run record"),
        ("run.json", b'{"schema_version": 99}', "Update bioft"),
        ("run.json", b'{"schema_version": "x"}', "is not a run record"),
        ("run.json", b'{"schema_version": 1, "files": {"../../up.json": "aa"}}', "a file outside its folder"),
        ("run.json", b'{"schema_version": 1, "files": {"model.bin": "aa"}}', "model.bin, a pickle"),
        ("run.json", b'{"schema_version": 1, "files": {"code.py": "aa"}}', "a kind of file that a run does not have"),
        ("run.json", b'{"schema_version": 1, "files": {"model.safetensors": "aa"}}', "lacks model.safetensors"),
    ],
)
def test_what_was_tampered_with_on_the_hub_is_not_pulled(
    name: str,
    content: bytes,
    message: str,
    run: Path,
    hub_server: HubServer,
    access: dict[str, Any],
    api: HfApi,
    tmp_path: Path,
) -> None:
    hub.send_run(run, "user/adapter", **access)
    api.upload_file(path_or_fileobj=content, path_in_repo=name, repo_id="user/adapter")
    with pytest.raises(BioftError, match=message) as caught:
        hub_pull.pull_adapter("user/adapter", tmp_path / "inside" / "pulled", **access)
    assert "user/adapter" in str(caught.value) and ".partial" not in str(caught.value)
    assert list((tmp_path / "inside").iterdir()) == []
    assert not (tmp_path / "up.json").exists()


def test_a_pull_takes_nothing_but_the_run_and_overwrites_nothing(
    run: Path, hub_server: HubServer, access: dict[str, Any], api: HfApi, tmp_path: Path
) -> None:
    first = hub.send_run(run, "user/adapter", **access).commit
    api.upload_file(path_or_fileobj=b"\x80", path_in_repo="pytorch_model.bin", repo_id="user/adapter")
    pulled = hub_pull.pull_adapter("user/adapter", tmp_path / "pulled", **access)
    assert not (pulled / "pytorch_model.bin").exists()
    assert hub_pull.pull_adapter("user/adapter", pulled, **access) == pulled
    with pytest.raises(BioftError, match=r"pulled holds user/adapter at .*Choose another folder"):
        hub_pull.pull_adapter("user/adapter", pulled, revision=first, **access)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(BioftError, match="mine exists and holds something else"):
        hub_pull.pull_adapter("user/adapter", tmp_path / "mine", **access)
    (pulled / "config.yaml").write_text("edited")
    with pytest.raises(BioftError, match=r"config.yaml was changed"):
        hub_pull.pull_adapter("user/adapter", pulled, **access)


def test_a_gated_run_says_where_to_ask(run: Path, hub_server: HubServer, access: dict[str, Any], api: HfApi) -> None:
    hub.send_run(run, "user/adapter", private=False, **access)
    api.update_repo_settings("user/adapter", gated="manual")
    with pytest.raises(BioftError, match="The model user/adapter is gated: ask for access on its page"):
        hub_pull.pull_adapter("user/adapter", **access | {"token": hub_server.tokens["foreign"]})


def test_repositories_that_bioft_did_not_write_are_not_pulled(
    hub_server: HubServer, access: dict[str, Any], api: HfApi
) -> None:
    api.create_repo("user/other")
    with pytest.raises(BioftError, match=r"The model user/other was not pushed by bioft: it has no run.json"):
        hub_pull.pull_adapter("user/other", **access)
    with pytest.raises(BioftError, match="has no such branch, tag or commit"):
        hub_pull.pull_adapter("user/other", revision="v9", **access)


def test_a_dataset_whose_rows_were_replaced_is_not_pulled(
    pairs: Path, hub_server: HubServer, access: dict[str, Any], api: HfApi
) -> None:
    hub.push_dataset(pairs, "user/pairs", accept_terms=True, **access)
    api.upload_file(
        path_or_fileobj=pairs / "train.parquet", path_in_repo="test.parquet", repo_id="user/pairs", repo_type="dataset"
    )
    with pytest.raises(BioftError, match=r"is not the split that manifest.json describes"):
        hub_pull.pull_dataset("user/pairs", **access)


@pytest.fixture
def base(api: HfApi) -> str:
    """A base model on the Hub, as far as it is looked at; returns its commit."""
    api.create_repo("user/base")
    config = json.dumps({"model_type": "llama", "vocab_size": 3}).encode()
    return api.upload_file(path_or_fileobj=config, path_in_repo="config.json", repo_id="user/base").oid


@pytest.mark.parametrize(
    ("recorded", "message"),
    [
        ({}, None),
        ({"model_type": "llama", "vocab_size": 3}, None),
        ({"model_type": "mistral"}, "its model_type is llama, recorded mistral"),
        ({"vocab_size": 32_000}, "its vocab_size is 3, recorded 32000"),
        ({"revision": "d" * 40}, "The base model user/base has no commit dddd"),
    ],
)
def test_a_base_model_that_does_not_fit_is_found_before_anything_is_loaded(
    recorded: dict[str, Any],
    message: str | None,
    base: str,
    hub_server: HubServer,
    access: dict[str, Any],
    tmp_path: Path,
) -> None:
    run = write_run(tmp_path / "run", base={"revision": base, **recorded})
    hub.send_run(run, "user/adapter", **access)
    if message is None:
        hub_pull.pull_adapter("user/adapter", **access)
        return
    with pytest.raises(BioftError, match=message):
        hub_pull.pull_adapter("user/adapter", **access)
    assert not list((tmp_path / "cache").rglob("adapter_model.safetensors"))


def test_a_tokenizer_larger_than_the_base_model_does_not_fit(
    base: str, hub_server: HubServer, access: dict[str, Any], tmp_path: Path
) -> None:
    run = write_run(tmp_path / "run", base={"revision": base})
    add_file(run, "tokenizer.json", b'{"model": {"vocab": {"a": 0, "b": 3}}}')
    hub.send_run(run, "user/adapter", **access)
    with pytest.raises(BioftError, match="it has token ids up to 3, the model 3 tokens"):
        hub_pull.pull_adapter("user/adapter", **access)


TOKENIZERS = {
    "numbered": ('{"model": {"vocab": {"a": 0, "b": 3}}}', 4),
    "listed": ('{"model": {"vocab": [["a", -1.0], ["b", -2.0]]}, "added_tokens": [{"id": 7}]}', 8),
    "empty": ('{"model": {"vocab": {}}}', None),
    "a text": ('{"model": {"vocab": "ab"}}', None),
    "other tokens": ('{"model": {"vocab": {}}, "added_tokens": 7}', None),
    "no model": ("{}", None),
    "endless lists": ("[" * 100_000, None),
}


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_how_many_tokens_a_tokenizer_has(kind: str, tmp_path: Path) -> None:
    content, size = TOKENIZERS[kind]
    (tmp_path / "tokenizer.json").write_text(content)
    assert hub_pull._vocabulary_size(tmp_path / "tokenizer.json") == size


def test_a_base_model_that_cannot_be_looked_at_is_told(
    run: Path, hub_server: HubServer, access: dict[str, Any], api: HfApi, caplog: pytest.LogCaptureFixture
) -> None:
    hub.send_run(run, "user/adapter", **access)
    hub_pull.pull_adapter("user/adapter", **access)
    assert "could not be checked. The model user/base does not exist on the Hub" in caplog.text
    api.create_repo("user/base")
    config = b'{"text_config": [], "vocab_size": "many"}'
    commit = api.upload_file(path_or_fileobj=config, path_in_repo="config.json", repo_id="user/base").oid
    hub.send_run(write_run(run.parent / "other", base={"revision": commit}), "user/other", **access)
    hub_pull.pull_adapter("user/other", **access)


@pytest.mark.parametrize("content", ["[" * 100_000, "[]", '{"id": "user/adapter"}'], ids=["endless", "list", "half"])
def test_a_folder_with_a_damaged_note_of_its_origin_was_pulled_from_nowhere(content: str, tmp_path: Path) -> None:
    (tmp_path / hub_pull.ORIGIN).write_text(content)
    assert hub_pull.origin(tmp_path) is None and hub_pull.unlisted(tmp_path) == []


# The command line


def bioft_command(server: HubServer, role: str, folder: Path, *arguments: object) -> tuple[int, str]:
    """Its exit code, and what it and the Hub's client, which tells each request, said."""
    environment = server.environment(role, BIOFT_CACHE=str(folder / "cache"), COLUMNS="200")
    program = "from huggingface_hub.utils import logging\nlogging.set_verbosity_debug()\n"
    program += "from bioft.cli.main import main\nmain()"
    return warm_process.run(REPOSITORY, [sys.executable, "-c", program, *map(str, arguments)], environment)


def test_no_token_is_ever_written(run: Path, pairs: Path, hub: HubServer, tmp_path: Path) -> None:
    """Everything that the commands print, keep and send, in success and failure, is searched."""
    done = {
        ("write", "push-adapter", run, "user/adapter", "--tag", "v1"): f"files to {hub.endpoint}/user/adapter",
        ("read", "pull-adapter", "user/adapter", "--revision", "v1"): "",
        ("write", "push-dataset", pairs, "user/pairs", "--accept-terms", "--create-pr"): "",
    }
    output = ""
    for (role, *words), shown in done.items():
        code, said = bioft_command(hub, role, tmp_path, *words)
        assert code == 0 and shown in said, said
        output += said
    hub.fail("POST", "/commit/", status=400, body=json.dumps({"error": f"bad token {hub.tokens['write']}"}).encode())
    failures = [
        bioft_command(hub, "write", tmp_path, "push-adapter", run, "user/second"),
        bioft_command(hub, "read", tmp_path, "push-adapter", run, "user/third"),
        bioft_command(hub, "expired", tmp_path, "pull-adapter", "user/adapter"),
        bioft_command(hub, "foreign", tmp_path, "pull-dataset", "user/pairs"),
    ]
    for code, said in failures:
        assert code == 1
        assert said.splitlines()[-1].startswith("Error: ") and "Traceback" not in said
        output += said
    assert "bad token ***" in failures[0][1]
    bodies = b"".join(bytes(request.body) + request.path.encode() for request in hub.requests)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == runs.RECORD and "cache" in path.parts for path in files)
    for token in hub.tokens.values():
        assert token not in output
        assert token.encode() not in bodies
        assert not [path for path in files if token.encode() in path.read_bytes()]
