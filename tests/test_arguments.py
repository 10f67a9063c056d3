"""What a run writes to config.yaml gives the same arguments again."""

from pathlib import Path

import yaml

from bioft import arguments
from bioft.arguments import EncoderTrainingArguments

SCHEDULER = {"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr": 1e-05}}


def test_a_setting_that_is_a_mapping_survives_the_configuration_file(tmp_path: Path) -> None:
    first = EncoderTrainingArguments(output_dir=str(tmp_path / "run"), use_cpu=True, **SCHEDULER)
    written = arguments.resolved(first)
    assert SCHEDULER.items() <= written.items()
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(written))
    again, _ = arguments.parse("mlm", [EncoderTrainingArguments], ["--config", str(tmp_path / "config.yaml")])
    assert again.lr_scheduler_kwargs == first.lr_scheduler_kwargs and arguments.resolved(again) == written
