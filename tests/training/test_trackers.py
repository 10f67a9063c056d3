"""What a recipe logs reaches TensorBoard, Trackio and Weights & Biases under the same names, without a network."""

import json
import struct
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from bioft.errors import BioftError
from bioft.storage import runs
from tests.labelled_texts import write_weak_labels
from tests.recipe import load_recipe, run_recipe
from tests.tiny import write_encoder

TINY = {"max_length": 32, "max_steps": 2, "save_strategy": "no", "load_best_model_at_end": False, "use_cpu": True}


def write_config(folder: Path, trackers: list[str]) -> Path:
    values = TINY | {"output_dir": str(folder / "run"), "report_to": trackers, "eval_strategy": "steps"}
    values |= {"model_name_or_path": str(write_encoder(folder / "model")), "logging_steps": 1, "eval_steps": 2}
    values["dataset"] = str(write_weak_labels(folder / "data"))
    (folder / "config.yaml").write_text(yaml.safe_dump(values))
    return folder / "config.yaml"


def test_all_figures_reach_every_tracker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WANDB_MODE": "offline", "WANDB_DIR": tmp_path, "WANDB_SILENT": "true"}.items():
        monkeypatch.setenv(name, str(value))
    import trackio.sqlite_storage

    for name, module in list(sys.modules.items()):  # each keeps what TRACKIO_DIR was when it was first imported
        if name.startswith("trackio") and hasattr(module, "TRACKIO_DIR"):
            monkeypatch.setattr(module, "TRACKIO_DIR", tmp_path / "trackio")
    readers = {"tensorboard": read_tensorboard, "trackio": read_trackio}
    if find_spec("wandb"):  # not among what the tests install: it makes every import of the trainers slower
        readers["wandb"] = read_wandb

    config = write_config(tmp_path, list(readers))
    run_recipe(load_recipe("text_classification"), "--config", str(config))
    trackio.finish()
    if "wandb" in readers:
        import wandb

        wandb.finish()

    record = runs.read(tmp_path / "run")
    figures = {"": record["metrics"], "base_model/": record["base_model_metrics"]}
    figures |= {f"baselines/{name}/": its for name, its in record["baselines"].items()}
    expected = {
        f"test/{group}{name}": figure["value"]
        for group, its in figures.items()
        for name, figure in its.items()
        if figure["value"] is not None
    }
    assert {"test/f1", "test/base_model/f1", "test/baselines/tfidf_svm/f1"} <= expected.keys()
    expected["train/loss"] = [entry["loss"] for entry in record["log_history"] if "loss" in entry][-1]
    expected["eval/f1"] = [entry["eval_f1"] for entry in record["log_history"] if "eval_f1" in entry][-1]
    for read in readers.values():
        found = read(tmp_path)
        assert {name: found.get(name) for name in expected} == pytest.approx(expected, rel=1e-6), read.__name__


def read_tensorboard(folder: Path) -> dict[str, float]:
    """The last value of each name."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    values = {}
    for path in sorted((folder / "run" / "runs").rglob("events.*"), key=lambda path: path.stat().st_mtime_ns):
        events = EventAccumulator(str(path)).Reload()
        values |= {name: events.Scalars(name)[-1].value for name in events.Tags()["scalars"]}
    return values


def read_trackio(folder: Path) -> dict[str, float]:
    from trackio.sqlite_storage import SQLiteStorage

    assert list((folder / "trackio").glob("*.db")), "in the folder of this test"
    (run,) = SQLiteStorage.get_runs("huggingface")
    assert run.startswith("run-"), "named after its folder"
    return {name: value for entry in SQLiteStorage.get_logs("huggingface", run) for name, value in entry.items()}


def read_wandb(folder: Path) -> dict[str, float]:
    """The last value of each name in the file of an offline run: a LevelDB log of protocol buffers."""
    from wandb.proto.wandb_internal_pb2 import Record

    (path,) = folder.rglob("*.wandb")
    data, place, message, values = path.read_bytes(), 7, b"", {}
    while place < len(data):
        left = 2**15 - place % 2**15
        if left < 7:  # the rest of a block that is too short for a header
            place += left
            continue
        length, kind = struct.unpack_from("<HB", data, place + 4)
        message = (b"" if kind in (1, 2) else message) + data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            history = Record.FromString(message).history
            values |= {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in history.item}
    return values


def test_a_tracker_that_is_not_installed_stops_the_run_before_it_begins(tmp_path: Path) -> None:
    config = write_config(tmp_path, ["swanlab"])
    with pytest.raises(BioftError, match=r"No tracker swanlab .*bioft\[trackers\]"):
        run_recipe(load_recipe("text_classification"), "--config", str(config))
    assert not (tmp_path / "run").exists()
