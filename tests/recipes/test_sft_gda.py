"""The gene–disease recipe end to end on tiny models: what it trains, writes, resumes and refuses."""

import importlib.util
import json
import re
import shlex
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from huggingface_hub import HfApi
from peft import PeftModel
from safetensors.numpy import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTTrainer

from bioft.datasets.load import load_or_build
from bioft.errors import BioftError
from bioft.hub import push
from bioft.models import base as models, lora
from bioft.models.arguments import LanguageModelArguments, TrainingArguments
from bioft.storage import runs, yaml_config
from bioft.tasks.gene_disease import predict as prediction
from bioft.tasks.gene_disease.arguments import GeneDiseaseArguments, PromptArguments
from bioft.training import arguments, presets
from tests import said, warm_process
from tests.hub_server.server import HubServer
from tests.recipe import RECIPES, load_recipe, run_recipe
from tests.tiny import PRESETS, write_ctd, write_model

RECIPE = RECIPES / "sft_gda.py"
RECORDER = Path(__file__).with_name("record_examples.py")
GROUPS = (PromptArguments, GeneDiseaseArguments, LanguageModelArguments, TrainingArguments)


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    return load_recipe("sft_gda")


@pytest.fixture(scope="module")
def ctd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ctd(tmp_path_factory.mktemp("ctd") / "CTD_curated_genes_diseases.csv")


def options(preset: str, model: Path, ctd: Path, output: Path, **more: object) -> list[str]:
    values = {
        "config": preset,
        "model_name_or_path": model,
        "dataset": "ctd",
        "dataset_path": ctd,
        "output_dir": output,
        "per_device_train_batch_size": 8,
        "validation_size": 0.1,
        "test_size": 0.2,
        "use_cpu": True,
        "report_to": "none",
        "logging_steps": 1,
        "warmup_steps": 0,
        **({"negatives": "uniform", "context": "none"} if preset == "default" else {}),
        **more,
    }
    return [f"--{key}={value}" for key, value in values.items()]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_gpu_preset_trains_the_intended_modules(
    preset: str, recipe: ModuleType, ctd: Path, tmp_path: Path
) -> None:
    """One step of the preset as shipped (NF4, its LoRA targets, its prompt) on a tiny model of its architecture."""
    model = write_model(tmp_path / "model", PRESETS[preset])
    output = tmp_path / "run"
    run_recipe(recipe, *options(preset, model, ctd, output, max_steps=1))

    shipped = yaml_config.load_config(presets.resolve_config("sft_gda", preset))
    config = json.loads((output / "adapter_config.json").read_text())
    assert sorted(config["target_modules"]) == sorted(shipped["lora_target_modules"])
    assert (config["r"], config["lora_alpha"], config["lora_dropout"]) == (16, 32, 0.1)
    record = runs.read(output)
    assert record["base_model"]["quantization"] == "nf4"
    assert record["scoring"]["prompt_style"] == "chat"
    assert record["training"]["steps"] == 1
    # Reloaded, the adapter gives the scores that the run recorded.
    table = pd.read_parquet(output / "predictions.parquet")
    scores = [
        row["score"] for row in prediction.predict_pairs(output, list(zip(table.gene, table.disease, strict=True)))
    ]
    np.testing.assert_allclose(scores, table.score, atol=1e-5)
    assert_merge_agrees(model, output)
    # Each of two layers carries one pair of matrices for each target.
    loaded, _, _ = prediction.load_run(output)
    adapted = {name.rsplit(".lora_A", 1)[0] for name, _ in loaded.named_parameters() if ".lora_A." in name}
    assert {name.rsplit(".", 1)[-1] for name in adapted} == set(shipped["lora_target_modules"])
    assert len(adapted) == 2 * len(shipped["lora_target_modules"])


@pytest.fixture(scope="module")
def finished(recipe: ModuleType, ctd: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of one epoch on a tiny Llama in float32, shared by the tests below."""
    folder = tmp_path_factory.mktemp("finished")
    model = write_model(folder / "model")
    more = {"max_steps": 12, "save_steps": 4, "load_in_4bit": False, "max_train_pairs": 96}
    run_recipe(recipe, *options("default", model, ctd, folder / "run", **more))
    return folder / "run"


def test_it_says_nothing_that_bioft_did_not_choose_to_say(finished: Path) -> None:
    said.check(finished)


def test_the_run_directory_is_complete_and_safe(finished: Path) -> None:
    record = runs.read(finished)
    runs.check_files(finished, record)
    assert {"adapter_model.safetensors", "config.yaml", "predictions.parquet"} <= record["files"].keys()
    assert any(name.startswith("plots/") for name in record["files"])
    forbidden = {".bin", ".pt", ".pth", ".pkl", ".npz"}
    assert not [name for name in record["files"] if Path(name).suffix in forbidden or "checkpoint" in name]
    baselines = {"majority", "popularity_logistic", "popularity_boosted", "surface", "tfidf", "graph", "likeness"}
    assert set(record["baselines"]) == baselines
    for figures in (record["metrics"], record["base_model_metrics"], *record["baselines"].values()):
        for name, figure in figures.items():
            assert figure["value"] is None or figure["low"] <= figure["value"] <= figure["high"], name


def test_recorded_metrics_follow_from_the_predictions(finished: Path) -> None:
    record = runs.read(finished)
    table = pd.read_parquet(finished / "predictions.parquet")
    assert len(table) == sum(record["dataset"]["rows"]["test"].values())
    assert ((table.score >= record["scoring"]["threshold"]).astype(int) == table.prediction).all()
    assert record["metrics"]["accuracy"]["value"] == pytest.approx((table.prediction == table.label).mean())


def test_a_reloaded_adapter_gives_the_recorded_scores(finished: Path) -> None:
    table = pd.read_parquet(finished / "predictions.parquet")
    pairs = list(zip(table.gene, table.disease, strict=True))
    scores = [row["score"] for row in prediction.predict_pairs(finished, pairs)]
    np.testing.assert_allclose(scores, table.score, atol=1e-5)
    assert not np.allclose(table.score, table.base_score, atol=1e-3), "the adapter must do something"


def assert_merge_agrees(base: Path, adapter: Path) -> None:
    """PEFT loads the adapter, and merged into a 16-bit base it gives the logits that it gives beside a 32-bit one."""
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(adapter)).eval()
    ids = torch.tensor([AutoTokenizer.from_pretrained(adapter)("GEN1 and Syndrome B1, familial:")["input_ids"]])
    with torch.no_grad():
        expected = model(ids).logits
        actual = model.to(torch.bfloat16).merge_and_unload()(ids).logits.float()
    # bfloat16 has 8 bits of mantissa: a logit may be off by some 1 % of the largest.
    assert (actual - expected).abs().max() < 0.02 * expected.abs().max()


def test_peft_loads_the_adapter_and_a_16_bit_merge_agrees(finished: Path) -> None:
    assert_merge_agrees(finished.parent / "model", finished)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("load_in_4bit", [False, True])
def test_the_type_asked_for_is_the_one_computed_in_and_recorded(
    dtype: str, load_in_4bit: bool, recipe: ModuleType, ctd: Path, tmp_path: Path
) -> None:
    """Whatever is fast on this processor."""
    chosen = {"dtype": dtype, "load_in_4bit": load_in_4bit}
    model = write_model(tmp_path / "model")
    run_recipe(recipe, *options("default", model, ctd, tmp_path / "run", max_steps=1, **chosen))
    recorded = runs.read(tmp_path / "run")["base_model"]
    assert (recorded["dtype"], recorded["quantization"]) == (dtype, "nf4" if load_in_4bit else None)


@pytest.mark.parametrize("load_in_4bit", [False, True])
def test_dora_and_rslora_are_trained_where_asked_for(
    load_in_4bit: bool, recipe: ModuleType, ctd: Path, tmp_path: Path
) -> None:
    more = {"use_dora": True, "use_rslora": True, "load_in_4bit": load_in_4bit, "max_steps": 2, "learning_rate": 0.01}
    run_recipe(recipe, *options("default", write_model(tmp_path / "model"), ctd, tmp_path / "run", **more))
    config = json.loads((tmp_path / "run" / "adapter_config.json").read_text())
    assert (config["use_dora"], config["use_rslora"]) == (True, True)
    table = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    assert (table.score - table.base_score).abs().max() > 1e-3
    pairs = list(zip(table.gene, table.disease, strict=True))
    scores = [row["score"] for row in prediction.predict_pairs(tmp_path / "run", pairs)]
    np.testing.assert_allclose(scores, table.score, atol=1e-5)


@pytest.mark.skipif(importlib.util.find_spec("flash_attn") is not None, reason="FlashAttention is installed")
def test_the_attention_asked_for_is_the_one_loaded(recipe: ModuleType, ctd: Path, tmp_path: Path) -> None:
    """One that is not installed says so: were the option not used, the run would go on."""
    command = options("default", write_model(tmp_path / "model"), ctd, tmp_path / "run", dry_run=True)
    with pytest.raises(BioftError, match=r"FlashAttention2.*leave out an --attn_implementation"):
        run_recipe(recipe, *command, "--attn_implementation=flash_attention_2")


def test_loss_is_on_the_answer_only(recipe: ModuleType, ctd: Path, tmp_path: Path, monkeypatch) -> None:
    """The labels that the model is given: the answer and the end of turn, nothing of the prompt."""
    seen = []
    monkeypatch.setattr(recipe.dry_run, "report", seen.append)
    model = write_model(tmp_path / "model")
    for style, expected in (("plain", {" yes</s>", " no</s>"}), ("chat", {"yes</s>\n", "no</s>\n"})):
        run_recipe(recipe, *options("default", model, ctd, tmp_path / "run", dry_run=True, prompt_style=style))
        trainer = seen.pop()
        examples = [trainer.train_dataset[index] for index in range(20)]
        batch = trainer.data_collator(examples)
        answers = {
            trainer.processing_class.decode(ids[labels != -100])
            for ids, labels in zip(batch["input_ids"], batch["labels"], strict=True)
        }
        assert answers == expected


def test_dry_run_shows_examples_and_costs(recipe: ModuleType, ctd: Path, tmp_path: Path, capsys) -> None:
    model = write_model(tmp_path / "model")
    run_recipe(recipe, *options("default", model, ctd, tmp_path / "run", dry_run=True, max_steps=7))
    shown = capsys.readouterr().out
    assert "GEN" in shown and "Trainable parameters" in shown and "Steps: 7 of 8 examples" in shown
    assert set(re.findall("⟦ ?(.*?)⟧", shown)) - {"to be learnt"} in ({"yes</s>"}, {"no</s>"}, {"yes</s>", "no</s>"})
    assert not (tmp_path / "run").exists(), "a dry run writes nothing"
    epochs = {"max_steps": -1, "num_train_epochs": 3, "max_train_pairs": 20}
    run_recipe(recipe, *options("default", model, ctd, tmp_path / "run", dry_run=True, **epochs))
    assert "Steps: 9 of 8 examples" in capsys.readouterr().out  # as the trainer counts: 3 in each epoch


def test_an_adapter_is_trained_further(recipe: ModuleType, finished: Path, ctd: Path, tmp_path: Path) -> None:
    """It begins with the earlier run's scores (a learning rate of 0 keeps them), and learns on from there."""
    model, first = finished.parent / "model", pd.read_parquet(finished / "predictions.parquet")
    for name, learning_rate in {"same": 0.0, "further": 1e-2}.items():
        more = {"start_from": finished, "learning_rate": learning_rate, "max_steps": 2}
        run_recipe(recipe, *options("smollm2_ctd", model, ctd, tmp_path / name, **more))
    same, further = (pd.read_parquet(tmp_path / name / "predictions.parquet") for name in ("same", "further"))
    np.testing.assert_allclose(same.score, first.score, atol=1e-6)
    np.testing.assert_allclose(further.base_score, first.base_score, atol=1e-6)  # the base without any adapter
    assert abs(further.score - first.score).max() > 1e-3
    training, files = runs.read(tmp_path / "further")["training"], runs.read(finished)["files"]
    assert training["start_from"] == str(finished)
    assert training["start_from_sha256"] == files["adapter_model.safetensors"]
    assert training["start_from_sha256"] in (tmp_path / "further" / "README.md").read_text()
    # It stands alone: the folder has the whole adapter.
    pairs = list(zip(further.gene, further.disease, strict=True))
    scores = [row["score"] for row in prediction.predict_pairs(tmp_path / "further", pairs)]
    np.testing.assert_allclose(scores, further.score, atol=1e-5)


def test_a_damaged_adapter_is_refused_before_anything_is_computed(
    recipe: ModuleType, finished: Path, ctd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was said after the base model was scored, and of a record that lists no adapter after the training."""
    monkeypatch.setattr(prediction, "score_base", lambda *_: pytest.fail("scored"))
    earlier, more = shutil.copytree(finished, tmp_path / "earlier"), {"start_from": tmp_path / "earlier"}
    tensors = load_file(earlier / "adapter_model.safetensors")
    save_file(dict(sorted(tensors.items())[1:]), earlier / "adapter_model.safetensors", {"format": "pt"})
    sums = runs.checksums(earlier)
    for files, words in (
        (sums, "earlier holds no model that can be loaded"),
        ({runs.CONFIG: sums[runs.CONFIG]}, "lists no weights to go on from"),
    ):
        (earlier / runs.RECORD).write_text(json.dumps(runs.read(finished) | {"files": files}))
        with pytest.raises(BioftError, match=words):
            run_recipe(recipe, *options("smollm2_ctd", finished.parent / "model", ctd, tmp_path / "run", **more))
        assert not (tmp_path / "run").exists()


def test_an_adapter_that_may_know_the_test_pairs_is_not_trained_further(
    recipe: ModuleType, finished: Path, ctd: Path, tmp_path: Path
) -> None:
    more = {"start_from": finished, "split_seed": 1}
    with pytest.raises(BioftError, match="may have been trained on these pairs"):
        run_recipe(recipe, *options("smollm2_ctd", finished.parent / "model", ctd, tmp_path / "run", **more))
    assert not (tmp_path / "run").exists(), "a run that could not start leaves nothing"


def test_an_adapter_of_another_base_model_is_not_trained_further(
    recipe: ModuleType, finished: Path, ctd: Path, tmp_path: Path
) -> None:
    other = write_model(tmp_path / "other")
    with pytest.raises(BioftError, match=r"was trained on .*, not on .*other"):
        run_recipe(recipe, *options("smollm2_ctd", other, ctd, tmp_path / "run", start_from=finished))


def test_a_training_goes_on_with_the_same_weights_and_evaluation_splits_only(finished: Path) -> None:
    record = runs.read(finished)
    recorded, manifest = record["base_model"], {"fingerprints": record["dataset"]["fingerprints"]}
    base = models.resolve_recorded(recorded)
    assert prediction.find_start(str(finished), base, manifest) == finished
    assert prediction.find_start(None, base, manifest) is None
    with pytest.raises(BioftError, match=r"The weights of .* are not those that .* was trained on"):
        prediction.find_start(str(finished), replace(base, sha256="0" * 64), manifest)
    with pytest.raises(BioftError, match=r"The weights of .* are not those that .* was trained on"):
        prediction.find_start(str(finished), replace(base, revision="0" * 40), manifest)
    for split in ("validation", "test"):
        other = {"fingerprints": manifest["fingerprints"] | {split: "0" * 64}}
        with pytest.raises(BioftError, match=f"another {split} split"):
            prediction.find_start(str(finished), base, other)
    more_training = {"fingerprints": manifest["fingerprints"] | {"train": "0" * 64}}
    assert prediction.find_start(str(finished), base, more_training) == finished


def start(command: list[str]) -> warm_process.Started:
    """The recipe as a program of its own."""
    return warm_process.start(RECIPE.parents[1], [sys.executable, str(RECIPE), *command])


def test_a_killed_run_resumes_to_the_same_metrics(finished: Path, ctd: Path, tmp_path: Path) -> None:
    more = {"max_steps": 12, "save_steps": 4, "load_in_4bit": False, "disable_tqdm": True, "max_train_pairs": 96}
    command = options("default", finished.parent / "model", ctd, tmp_path / "run", **more)
    # At step 7, past the first checkpoint, before the second.
    words = [sys.executable, str(RECIPE.parents[1] / "tests/recipes/kill_at_step.py"), "7", str(RECIPE), *command]
    exit_code, shown = warm_process.run(RECIPE.parents[1], words)
    assert exit_code == -signal.SIGKILL, shown
    assert not (tmp_path / "run" / "run.json").exists()

    process = start(command)
    output = "".join(process.lines())
    assert process.wait() == 0, output
    resumed, whole = runs.read(tmp_path / "run"), runs.read(finished)
    assert resumed["training"]["resumed_from"] == 4
    for metric, figure in whole["metrics"].items():
        assert resumed["metrics"][metric]["value"] == pytest.approx(figure["value"], abs=1e-6), metric


def test_two_processes_see_every_example_once_and_agree_with_one(finished: Path, ctd: Path, tmp_path: Path) -> None:
    """Two processes with half the batch each take the same steps as one, over an epoch of 96 examples."""
    more = {"max_steps": 12, "save_steps": 4, "load_in_4bit": False, "max_train_pairs": 96}
    more |= {"per_device_train_batch_size": 4, "ddp_backend": "gloo"}
    command = options("default", finished.parent / "model", ctd, tmp_path / "run", **more)
    words = [sys.executable, str(RECORDER), str(tmp_path), str(RECIPE), *command]
    for exit_code, output in warm_process.run_in_parallel(RECIPE.parents[1], words, processes=2):
        assert exit_code == 0, output
    decode = AutoTokenizer.from_pretrained(finished).decode
    processes = [json.loads((tmp_path / f"process-{rank}.json").read_text()) for rank in range(2)]
    # One that is left when the interpreter goes aborts, now and then, a process that has finished.
    assert [process["gloo_threads"] for process in processes] == [[], []]
    shares = [process["examples"] for process in processes]
    assert [len(share) for share in shares] == [48, 48]
    dataset, _ = load_or_build("ctd", dataset_path=str(ctd), negatives="uniform", validation_size=0.1, test_size=0.2)
    expected = [
        f"{row['gene']} and {row['disease']}: {'yes' if row['label'] else 'no'}</s>"
        for row in dataset["train"].select(range(96))
    ]
    assert sorted(decode(ids) for share in shares for ids in share) == sorted(expected)

    two, one = runs.read(tmp_path / "run"), runs.read(finished)
    assert two["hardware"]["num_processes"] == 2
    assert two["training"]["examples_seen"] == one["training"]["examples_seen"] == 96
    first, second = (pd.read_parquet(folder / "predictions.parquet") for folder in (finished, tmp_path / "run"))
    assert (first.gene + first.disease == second.gene + second.disease).all()
    # The base model's scores prove that the shares of both processes came back in order and whole.
    np.testing.assert_allclose(first.base_score, second.base_score, atol=1e-6)
    assert two["metrics"]["auroc"]["value"] == pytest.approx(one["metrics"]["auroc"]["value"], abs=0.02)


def test_a_failed_push_loses_nothing_and_names_the_command_that_finishes_it(
    ctd: Path, tmp_path: Path, hub: HubServer
) -> None:
    """The commit is refused at the end of the training; the printed command, run as it stands, pushes the run."""
    api = HfApi(endpoint=hub.endpoint, token=hub.tokens["write"])
    api.create_repo("user/tiny-llama")
    api.upload_folder(repo_id="user/tiny-llama", folder_path=write_model(tmp_path / "model"))
    hub.fail("POST", "user/adapter/commit/", status=403)
    environment = hub.environment(BIOFT_CACHE=str(tmp_path / "cache"), OMP_NUM_THREADS="1")
    more = {"max_steps": 2, "load_in_4bit": False, "push_to_hub": "user/adapter", "disable_tqdm": True}
    command = [str(RECIPE), *options("default", Path("user/tiny-llama"), ctd, tmp_path / "run", **more)]
    exit_code, shown = warm_process.run(tmp_path, [sys.executable, *command], environment)
    assert exit_code == 1
    assert hub.faults_hit == 1
    assert "Traceback" not in shown
    assert "Error: This token may not write to the model user/adapter" in shown
    record = runs.read(tmp_path / "run")
    runs.check_files(tmp_path / "run", record)
    assert "adapter_model.safetensors" not in hub.repository("model", "user/adapter").commit().tree

    printed = shown.split("To push it: ")[1].splitlines()[0]
    assert printed == f"bioft push-adapter {tmp_path / 'run'} user/adapter"
    bioft = str(Path(sys.executable).with_name("bioft"))
    exit_code, shown = warm_process.run(tmp_path, [bioft, *shlex.split(printed)[1:]], environment)
    assert exit_code == 0, shown
    pushed = hub.repository("model", "user/adapter")
    assert pushed.private
    assert record["files"].keys() | {"run.json", "README.md"} <= pushed.commit().tree.keys()


def test_a_push_that_cannot_be_is_refused_before_the_training(
    recipe: ModuleType, ctd: Path, tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    base = {"id": "user/tiny-llama", "source": "Hub, commit abc"}
    for role, message in (("read", "can only read"), ("expired", "does not accept the token")):
        with pytest.raises(BioftError, match=message):
            push.check_before_training("user/adapter", base, tmp_path, endpoint=hub.endpoint, token=hub.tokens[role])
    push.check_before_training("user/adapter", base, tmp_path, endpoint=hub.endpoint, token=hub.tokens["write"])

    model = write_model(tmp_path / "model")
    command = options("default", model, ctd, tmp_path / "run", max_steps=2, push_to_hub="user/adapter")
    with pytest.raises(BioftError, match="local folder"):
        run_recipe(recipe, *command)
    with pytest.raises(BioftError, match="'adapter' is not the name of a repository"):
        run_recipe(recipe, *(word.replace("user/adapter", "adapter") for word in command))
    assert not (tmp_path / "run").exists()


def test_another_run_is_never_overwritten_by_accident(recipe: ModuleType, finished: Path, ctd: Path, tmp_path: Path):
    before = runs.checksums(finished)
    command = options("default", finished.parent / "model", ctd, finished, max_steps=12)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "load_causal_lm", None)  # of a large model it takes minutes: refused before
        with pytest.raises(BioftError, match=r"holds a finished run.*--overwrite"):
            run_recipe(recipe, *command)
    assert runs.checksums(finished) == before

    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(BioftError, match="not of a run"):
        run_recipe(recipe, *options("default", finished.parent / "model", ctd, other, overwrite=True))
    assert (other / "thesis.txt").read_text() == "mine"

    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    (unfinished / "config.yaml").write_text(yaml.safe_dump({"max_steps": 5}))
    with pytest.raises(BioftError, match="max_steps: 5, now 12"):
        run_recipe(recipe, *options("default", finished.parent / "model", ctd, unfinished, max_steps=12))


@pytest.mark.parametrize(
    ("arguments_", "message"),
    [
        (["--config", "defualt"], "default"),
        (["--config", "nowhere.yaml"], "No configuration file at nowhere.yaml"),
        (["--lerning_rate", "1"], "learning_rate"),
        (["--dtype", "fp8"], "float32, not 'fp8'"),
        (["--load_in_8bit", "true"], "unknown key 'load_in_8bit'. Did you mean 'load_in_4bit'"),
        (["--use_peft", "false"], "unknown key 'use_peft'"),
    ],
)
def test_wrong_arguments_get_the_nearest_right_one(arguments_: list[str], message: str) -> None:
    with pytest.raises(BioftError, match=message):
        arguments.parse("sft_gda", GROUPS, arguments_)


def test_a_misspelled_key_is_named_with_its_line(tmp_path: Path) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text("# mine\noutput_dir: runs/mine\nlora_rank: 8\n")
    with pytest.raises(BioftError, match=r"line 3: unknown key 'lora_rank'"):
        arguments.parse("sft_gda", GROUPS, ["--config", str(config)])


def test_a_lora_target_that_does_not_exist_is_refused(recipe: ModuleType, ctd: Path, tmp_path: Path) -> None:
    """Phi-3 has a fused qkv_proj: with Llama's names PEFT would train o_proj alone and say nothing."""
    model = write_model(tmp_path / "model", "phi3")
    command = options("llama3_8b", model, ctd, tmp_path / "run")
    with pytest.raises(BioftError, match=r"q_proj, k_proj, v_proj not in Phi3ForCausalLM.*qkv_proj"):
        run_recipe(recipe, *command)
    assert not (tmp_path / "run").exists()


def test_what_the_trainer_itself_refuses_leaves_nothing_new_behind(ctd: Path, tmp_path: Path) -> None:
    """In the directory of an unfinished run it leaves everything as it was."""
    command = options("default", write_model(tmp_path / "model"), ctd, tmp_path / "run", load_in_4bit=False)
    process = start([*command, "--padding_free=true"])
    output = "".join(process.lines())
    assert process.wait() == 1
    assert "Error: When `padding_free=True` without packing" in output and "Traceback" not in output
    assert not (tmp_path / "run").exists()

    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text("mine: 1\n")
    process = start([*command, "--padding_free=true"])
    output = "".join(process.lines())
    assert process.wait() == 1 and "unfinished run with other settings" in output
    assert (tmp_path / "run" / "config.yaml").read_text() == "mine: 1\n"


@pytest.mark.parametrize("prompt_style", ["plain", "chat"])
def test_a_prompt_that_would_lose_its_answer_is_refused(
    prompt_style: str, recipe: ModuleType, ctd: Path, tmp_path: Path
) -> None:
    """TRL would leave it out of the training without a word; with the tokens that the message names it is whole."""
    model = write_model(tmp_path / "model")
    more = {"prompt_style": prompt_style, "max_steps": 1, "load_in_4bit": False}
    with pytest.raises(BioftError, match=r"takes \d+ tokens with the answer") as refused:
        run_recipe(recipe, *options("default", model, ctd, tmp_path / "run", max_length=12, **more))
    assert not (tmp_path / "run").exists()
    needed = int(re.findall(r"--max_length (\d+) or more", str(refused.value))[0])
    with pytest.raises(BioftError, match=f"takes {needed} tokens"):
        run_recipe(recipe, *options("default", model, ctd, tmp_path / "run", max_length=needed - 1, **more))

    longest = []

    class LongestExample(SFTTrainer):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            longest.append(max(map(len, self.train_dataset["input_ids"])))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "SFTTrainer", LongestExample)
        run_recipe(recipe, *options("default", model, ctd, tmp_path / "run", max_length=needed, **more))
    assert longest == [needed]


def test_the_loss_on_validation_is_logged_where_asked_for(recipe: ModuleType, ctd: Path, tmp_path: Path) -> None:
    more = {"eval_strategy": "steps", "eval_steps": 2, "save_steps": 2, "max_steps": 4, "load_in_4bit": False}
    more |= {"load_best_model_at_end": True}
    run_recipe(recipe, *options("default", write_model(tmp_path / "model"), ctd, tmp_path / "run", **more))
    logged = [entry["step"] for entry in runs.read(tmp_path / "run")["log_history"] if "eval_loss" in entry]
    assert logged == [2, 4]


def test_a_missing_base_model_says_what_needs_no_hub(recipe: ModuleType, ctd: Path, tmp_path: Path) -> None:
    command = options("default", Path("nobody/nothing"), ctd, tmp_path / "run")
    with pytest.raises(BioftError, match="Python package, needs no access"):
        run_recipe(recipe, *command)
    command = options("default", write_model(tmp_path / "model"), tmp_path / "nowhere.csv", tmp_path / "run")
    with pytest.raises(BioftError, match=r"nowhere\.csv"):
        run_recipe(recipe, *command)
    assert not (tmp_path / "run").exists(), "a run that could not start leaves nothing"


def test_every_shipped_preset_parses() -> None:
    names = [preset.name for preset in presets.list_presets() if preset.recipe == "sft_gda"]
    assert {"default", "smollm2_ctd", *PRESETS} <= set(names)
    for name in names:
        *_, preset = arguments.parse("sft_gda", GROUPS, ["--config", name, "--use_cpu", "--bf16=False"])
        assert preset == name


def test_adapters_are_trained_in_float32(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 2).to(torch.bfloat16)
    lora.keep_adapter_in_float32(model)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
