"""Every task keeps its contract: train → record and card → compare → push → pull → verify, on tiny models.

The settings are those of the golden runs, so that the same command must also give the same record as before the move.
What predicting, analysing and verifying say is tested on the golden runs themselves. A task of one's own, that of
docs/add_your_own_task.md, does as much, but that what comes from the Hub may not choose its code.
"""

import json
import shutil
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi
from typer.testing import CliRunner

from bioft import task as tasks
from bioft.cli.main import app
from bioft.compare import publish
from bioft.errors import BioftError
from bioft.hub import pull
from bioft.storage import runs
from bioft.storage.files import file_sha256
from bioft.tasks.joint.model import JointConfig
from bioft.verify import files
from tests import own_task, snippets
from tests.hub_server.server import HubServer
from tests.recipe import load_recipe, run_recipe

GOLDEN = Path("tests/golden")
NAMES = [module.rpartition(".")[2] for module in tasks.REGISTERED]
OF_THE_RUN = {"command", "created", "bioft", "packages", "python", "hardware", "timings", "files", "name"}
"""What of a record is of its time and machine."""
NEW = {"module", "precision", "schema_version"}
ADDED = {"near_duplicates", "surface", "likeness", "by_neighbour", "families", "prompt"}
ADDED |= {"hard_negatives", "hard_negatives_margin", "hard_negatives_max_score"}
"""What records have besides, at any depth: parts of the audit, a baseline of pairs, figures by neighbours, prompts."""
INTERVALS = {"low", "high", "p_value", "sentence"}
"""How sure figures are is computed in another way."""
THRESHOLD = {"threshold", "thresholds", "threshold_chosen_on", "thresholds_chosen_on", "notes"}
DECIDED = {"f1", "precision", "recall"}
CHANGED: dict[str, set[str]] = {
    # Blocks of tokens are packed by TRL, so the training sees other ones.
    "masked_lm": {"log_history", "metrics", "comparison", "adaptation", "packing", "training"},
    # Validation is too small to choose thresholds, which are .5 now: what is decided by them changes too.
    "gene_disease": THRESHOLD
    | DECIDED
    | {"base_model_threshold", "baseline_thresholds", "accuracy", "mcc", "baseline"},
    "relations": THRESHOLD | DECIDED | {"comparison", "error_analysis"},
    "joint": THRESHOLD | DECIDED | {"comparison", "relation_error_analysis"},
    "text_labels": THRESHOLD | DECIDED | {"comparison", "macro_comparison", "accuracy"},
}
"""What was changed on purpose, by task: keys of the record at any depth, or what they end in ("chemical_f1")."""
OF_THE_PROCESSOR = {"grad_norm", "error_analysis", "relation_error_analysis", "mentions"}
"""What follows from arithmetic that differs in its last digits from processor to processor, more with each step: what
is counted, gradients, and losses after the twentieth step."""
SHORTER = {"masked_lm": ("--max_steps", "4")}
"""What is trained for fewer steps, since what it learns is another thing anyway."""
SPEED = {"seconds", "examples_per_second", "train_runtime", "train_samples_per_second", "train_steps_per_second"}


@pytest.fixture(autouse=True)
def repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The settings name their base models and data relatively to the checkout."""
    monkeypatch.chdir(Path(__file__).parents[1])
    monkeypatch.setenv("BIOFT_CACHE", str(tmp_path / "cache"))


def train(name: str, output: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], dict[str, Any]]:
    """Train as a golden run was; its record and that of the new run."""
    if name == "joint":  # as in golden/make.py: no option of the recipe
        complete = JointConfig.__init__
        monkeypatch.setattr(
            JointConfig,
            "__init__",
            lambda self, *values, **named: complete(self, *values, **{"relation_hidden_size": 16} | named),
        )
    golden = GOLDEN / "runs" / name
    record = runs.read(golden)
    config = output.with_name(f"{record['preset']}.yaml")
    shutil.copy(golden / runs.CONFIG, config)
    options = ["--config", str(config), "--output_dir", str(output), "--disable_tqdm", "True"]
    run_recipe(load_recipe(record["recipe"]), *options, *SHORTER.get(name, ()))
    return record, runs.read(output)


def comparable(record: Mapping[str, Any], without: Collection[str]) -> dict[str, Any]:
    """A record as flat numbers and words, without what differs from run to run."""
    flat: dict[str, Any] = {}

    def walk(path: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, its in value.items():
                if not {key, key.rpartition("_")[2]} & (SPEED | set(without)):
                    walk(f"{path}/{key}", its)
        elif isinstance(value, list):
            for number, its in enumerate(value):
                walk(f"{path}/{number}", its)
        else:
            flat[path] = value

    left_out = {*OF_THE_RUN, *NEW, *without}
    walk("", {key: value for key, value in record.items() if key not in left_out})
    del flat["/base_model/source"]  # names a folder of the machine
    return flat


@pytest.mark.slow
@pytest.mark.draws
@pytest.mark.parametrize("name", NAMES)
def test_a_run_is_recorded_as_before_and_goes_through_the_hub(
    name: str, tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    before, record = train(name, run, monkeypatch)
    assert (record["schema_version"], record["module"]) == (runs.SCHEMA_VERSION, f"bioft.tasks.{name}")
    compared = [before, record]
    left_out, tolerance = CHANGED.get(name, set()) | INTERVALS | ADDED, 1e-6
    if record["hardware"]["cpu"] != before["hardware"]["cpu"]:
        left_out, tolerance = left_out | OF_THE_PROCESSOR, 0.02
        compared = [its | {"log_history": its["log_history"][:20]} for its in compared]
    expected, found = (comparable(its, left_out) for its in compared)
    assert found.keys() == expected.keys()
    near = {key: pytest.approx(its, abs=tolerance) if isinstance(its, float) else its for key, its in expected.items()}
    assert {key: found[key] for key, its in near.items() if found[key] != its} == {}
    assert {file for file in record["files"] if not file.startswith("plots/")} == before["files"].keys()

    (tmp_path / "usual").write_text("")
    usual = (tmp_path / "usual").stat().st_mode
    assert {path.stat().st_mode for path in run.iterdir() if path.is_file()} == {usual}, "others may read it"
    if "by_neighbour" in record:
        assert record["by_neighbour"]["sentence"] in (run / runs.CARD).read_text()

    result = CliRunner().invoke(app, ["compare", str(run), str(GOLDEN / "runs" / name)])
    assert result.exit_code == 0 and "in no ranking" not in result.output, result.output

    # A base model that others can load, as the Hub wants it.
    access = {"endpoint": hub.endpoint, "token": hub.tokens["write"]}
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.endpoint)
    template = hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    api = HfApi(**access)
    base = api.create_repo("user/base", private=False).repo_id
    commit = api.upload_folder(repo_id=base, folder_path=record["base_model"]["name_or_path"]).oid
    name_base(run, record, base, commit)

    pushed = publish.push_adapter(run, "user/run", **access)
    pulled = pull.pull_adapter("user/run", tmp_path / "pulled", **access)
    assert pull.origin(pulled) == {"id": "user/run", "revision": pushed.commit}
    assert "user/base" in (pulled / runs.CARD).read_text()
    data = [] if (path := data_of(run)) is None else ["--dataset-path", str(path)]
    result = CliRunner().invoke(app, ["verify", str(pulled), *data, "--json"])
    # Pairs of a folder cannot be built again from their source.
    expected = "verified on the publisher's data" if name == "retrieval" else "verified"
    assert json.loads(result.stdout)["status"] == expected, result.output
    snippets.check(name, pulled, tmp_path, hub.environment())


@pytest.mark.slow
def test_a_task_of_ones_own_is_recorded_shown_and_published_but_never_chosen_by_a_pulled_run(
    tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_task.train(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    record = runs.read(own_task.RUN)
    runs.check_files(own_task.RUN, record)
    assert (record["schema_version"], record["task"], record["module"]) == (
        runs.SCHEMA_VERSION,
        "abstract-sections",
        "abstract_sections",
    )
    assert set(record["baselines"]) == {"majority", "label_priors", "tfidf_svm", "tfidf_logistic"}
    assert record["metrics"]["f1"]["n"] == record["dataset"]["rows"]["test"]["documents"] > 10
    assert record["audit"]["checks"] == {"ids_across_splits": 0, "normalised_texts_across_splits": 0}
    assert "difference in Micro F1" in record["comparison"]["sentence"]
    card = (own_task.RUN / runs.CARD).read_text()
    assert "which part of an abstract" in card and 'bioft predict model --text "We enrolled 120 patients."' in card
    for words, shown in {
        ("compare", "-o", "comparison"): "abstract-sections: f1",
        ("analyze", "-o", "analysis"): "Written to analysis",
    }.items():
        result = CliRunner().invoke(app, [words[0], str(own_task.RUN), *words[1:]])
        assert result.exit_code == 0 and shown in result.output, result.output

    access = {"endpoint": hub.endpoint, "token": hub.tokens["write"]}
    name_base(own_task.RUN, record, "user/base", "c" * 40)
    pushed = publish.push_adapter(own_task.RUN, "user/sections", **access)
    pulled = pull.pull_adapter("user/sections", tmp_path / "pulled", **access)
    assert pull.origin(pulled) == {"id": "user/sections", "revision": pushed.commit}
    # Its module is not even imported, by whatever command.
    sys.modules.pop("abstract_sections", None)
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (elsewhere / "abstract_sections.py").write_text("open('imported', 'w').close()\n")
    monkeypatch.chdir(elsewhere)
    for words in (
        ("verify",),
        ("predict", "--text", "a"),
        ("serve",),
        ("analyze", "-o", "o"),
        ("export", "-o", "x"),
        ("reproduce",),
    ):
        result = CliRunner().invoke(app, [words[0], str(pulled), *words[1:]])
        assert result.exit_code != 0, words
        assert "may not choose code of this machine" in " ".join(result.output.split()), (words, result.output)
    with pytest.raises(BioftError, match="is not part of bioft"):
        publish.push_adapter(pulled, "user/again", **access)
    assert not Path("imported").exists()


def name_base(run: Path, record: dict[str, Any], base: str, commit: str) -> None:
    """Let a run name its base model on the Hub, as if it had been trained on that one; card and plot are made anew."""
    source = {"source": f"Hub, commit {commit}", "sha256": None}
    record["base_model"] |= {"id": base, "name_or_path": base, "revision": commit} | source
    if (adapter := run / "adapter_config.json").is_file():
        config = json.loads(adapter.read_text()) | {"base_model_name_or_path": base, "revision": commit}
        adapter.write_text(json.dumps(config))
        record["files"][adapter.name] = file_sha256(adapter)
    # What a plot calls the base model depends on where it came from.
    files.draw(run, record, tasks.find(record, pulled=False))
    record["files"] |= {name: file_sha256(run / name) for name in record["files"] if name.startswith("plots/")}
    (run / runs.RECORD).write_text(json.dumps(record))
    (run / runs.CARD).unlink()


def data_of(run: Path) -> Path | None:
    """The data that a run's configuration names: a pulled run may not choose them itself."""
    import yaml

    config = yaml.safe_load((run / runs.CONFIG).read_text())
    if "namespace" in config:  # the folder with the files that names were read from
        return Path(config["namespace"]).parent
    named = (Path(config[key]) for key in ("dataset_path", "dataset") if key in config)
    return next((path for path in named if path.exists()), None)
