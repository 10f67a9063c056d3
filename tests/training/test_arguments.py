"""What a run writes to config.yaml gives the same arguments again, and an option that changes nothing is refused."""

import warnings
from pathlib import Path

import pytest
import yaml
from peft import LoraConfig

from bioft.datasets.load import load_or_build
from bioft.errors import BioftError
from bioft.models.arguments import EncoderTrainingArguments
from bioft.training import arguments
from tests.recipe import RECIPES, load_recipe

SCHEDULER = {"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr": 1e-05}}


def test_a_setting_that_is_a_mapping_survives_the_configuration_file(tmp_path: Path) -> None:
    first = EncoderTrainingArguments(output_dir=str(tmp_path / "run"), use_cpu=True, **SCHEDULER)
    written = arguments.resolved(first)
    assert SCHEDULER.items() <= written.items()
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(written))
    again, _ = arguments.parse("mlm", [EncoderTrainingArguments], ["--config", str(tmp_path / "config.yaml")])
    assert again.lr_scheduler_kwargs == first.lr_scheduler_kwargs and arguments.resolved(again) == written


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("per_device_train_batch_size=0", "per_device_train_batch_size is 0; it must be 1 or more"),
        ("gradient_accumulation_steps=0", "gradient_accumulation_steps is 0"),
        ("lora_r=0", "lora_r is 0"),
        ("lora_dropout=1", "lora_dropout is 1.0; it must be 0 or more and below 1"),
        ("learning_rate=nan", "learning_rate is nan; it must be 0 or more"),
        ("learning_rate=inf", "learning_rate is inf"),
        ("seed=-1", "seed is -1; it must be a whole number from 0 to 4294967295"),
        ("split_seed=4294967296", "split_seed is 4294967296"),
        ("max_train_pairs=-5", "max_train_pairs is -5"),
        ("learning_rate=fast", "argument --learning_rate.*: invalid float value: 'fast'. See --help"),
        ("lr_scheduler_type=step", "invalid choice: 'step'"),
        ("num_train_epochs=0", "num_train_epochs is 0.0; it must be more than 0 where no max_steps"),
    ],
)
def test_a_number_out_of_its_range_is_refused_before_any_work(option: str, message: str) -> None:
    groups = arguments.groups_of(load_recipe("sft_gda").main)
    with pytest.raises(BioftError, match=message):
        arguments.parse("sft_gda", groups, ["--config=smollm2_ctd", f"--{option}"])


def test_numbers_at_the_ends_of_their_ranges_are_taken() -> None:
    groups = arguments.groups_of(load_recipe("sft_gda").main)
    words = ["--learning_rate=0", "--seed=0", "--num_train_epochs=0", "--max_steps=1", "--lora_dropout=0"]
    *_, training_args, preset = arguments.parse("sft_gda", groups, ["--config=smollm2_ctd", *words])
    assert (training_args.learning_rate, training_args.max_steps, preset) == (0, 1, "smollm2_ctd")


def test_what_a_library_refuses_is_a_message_and_what_we_break_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left, arguments.user_errors():
        LoraConfig(layers_pattern="layers", target_modules=["q_proj"])
    assert left.value.code == 1
    with pytest.raises(ValueError, match="ours"), arguments.user_errors():
        raise ValueError("ours")
    with pytest.raises(ValueError, match="invalid literal"), arguments.user_errors():
        int("ours")
    shown = capsys.readouterr().err
    assert shown.startswith("Error: When `layers_pattern` is specified") and "(peft, config.py line " in shown


def test_what_peft_guesses_of_the_vocabulary_is_not_shown() -> None:
    guess = "Could not find a config file in user/base - will assume that the vocabulary was not modified."
    with warnings.catch_warnings(record=True) as shown, arguments.user_errors():
        warnings.warn(guess, stacklevel=1)
        warnings.warn("Something else", stacklevel=1)
    assert [str(each.message) for each in shown] == ["Something else"]


@pytest.mark.parametrize("name", sorted({path.stem for path in RECIPES.glob("*.py")} - {"sft_gda", "sft_relations"}))
@pytest.mark.parametrize("option", ["attn_implementation=sdpa", "load_in_4bit=1", "load_in_8bit=1"])
def test_a_recipe_of_an_encoder_refuses_what_it_would_not_read(name: str, option: str) -> None:
    groups = arguments.groups_of(load_recipe(name).main)
    with pytest.raises(BioftError, match=f"unknown key '{option.split('=')[0]}'"):
        arguments.parse(name, groups, [f"--{option}"])


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("sft_gda", "--dataset=FOLDER --split=both_held_out", "--split is for a dataset that is built here"),
        ("sft_gda", "--dataset=user/pairs --dataset_path=x.csv", "--dataset_path is for a dataset that is built here"),
        ("sft_gda", "--dataset_path=x.csv", "--dataset_path is for another --dataset: hpo comes with bioft"),
        ("token_classification", "--skip_bad", "--skip_bad is for another --dataset: sample comes with bioft"),
        ("contrastive", "--modelseed=folder", "--modelseed is for another --dataset: hpo_synonyms comes with bioft"),
        ("token_classification", "--dataset=FOLDER --skip_bad", "--skip_bad is for a dataset that is built here"),
        ("text_classification", "--dataset=FOLDER --split_seed=1", "--split_seed is for a dataset"),
        ("contrastive", "--dataset=FOLDER --namespace=cobra", "--namespace is for a dataset"),
        ("mlm", "--dataset=FOLDER --exclude=ids.txt", "--exclude is for a dataset"),
    ],
)
def test_an_option_that_can_not_change_the_data_is_refused(
    name: str, words: str, message: str, tmp_path: Path
) -> None:
    groups = arguments.groups_of(load_recipe(name).main)
    with pytest.raises(BioftError, match=message):
        arguments.parse(name, groups, words.replace("FOLDER", str(tmp_path)).split())


def test_a_preset_may_hold_the_options_of_its_own_dataset(tmp_path: Path) -> None:
    """`smollm2_ctd` names a file and a split; what was asked for is the folder."""
    groups = arguments.groups_of(load_recipe("sft_gda").main)
    words = [f"--dataset={tmp_path}", "--max_train_pairs=10", "--config=smollm2_ctd"]
    _, data_args, *_ = arguments.parse("sft_gda", groups, words)
    assert (data_args.dataset, data_args.max_train_pairs) == (str(tmp_path), 10)
    with pytest.raises(BioftError, match="No dataset 'hpoo'"):
        load_or_build(**vars(arguments.parse("sft_gda", groups, ["--dataset=hpoo", "--split=pair"])[1]))
