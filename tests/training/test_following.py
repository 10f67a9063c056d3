"""A training that is followed in words, and one that is stopped."""

import shlex
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bioft.errors import BioftError
from bioft.models import progress
from bioft.storage import run_directory
from bioft.training import arguments, following, steps


@pytest.mark.parametrize("saved", [True, False])
def test_ctrl_c_says_where_it_stopped_and_what_is_left(
    saved: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    asked = SimpleNamespace(output_dir=str(run), dry_run=False)

    def main(*_: Any) -> None:
        run_directory.prepare(run, {"seed": 0})
        if saved:
            (run / "checkpoint-30").mkdir()
            (run / "checkpoint-30" / "trainer_state.json").write_text("{}")
        progress.stage(5)
        progress.Work("120 steps", 120, unit="step ").advance(40)
        raise KeyboardInterrupt

    monkeypatch.setattr(arguments, "parse", lambda *_, **__: (asked, "default"))
    monkeypatch.setattr(sys, "argv", ["recipe.py"])
    with pytest.raises(SystemExit) as exit_:
        arguments.run(main)
    left = f"The same command continues from checkpoint-30 in {run}." if saved else "Nothing was written."
    assert capsys.readouterr().err.endswith(f"Stopped in 5/7 training, step 40 of 120. {left}\n")
    assert exit_.value.code == 130 and run.exists() is saved


class InterruptedWriter:
    """Writes like PyTorch's, which fails at its end where it was left early."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        raise RuntimeError("unexpected pos 64 vs 0")


def test_ctrl_c_while_a_checkpoint_is_written_is_an_interrupt(tmp_path: Path) -> None:
    trainer = SimpleNamespace(args=SimpleNamespace(output_dir=str(tmp_path), bf16=False), training_step=None)
    trainer.remove_callback = trainer.add_callback = lambda _: None
    with pytest.raises(KeyboardInterrupt), following.followed(trainer), InterruptedWriter():
        raise KeyboardInterrupt
    with pytest.raises(RuntimeError, match="unexpected pos"), following.followed(trainer), InterruptedWriter():
        pass


@pytest.mark.parametrize(("bf16", "mend"), [(True, "Give --dtype float32, which"), (False, "Give a lower --learning")])
def test_a_loss_that_is_no_number_ends_the_training_at_its_step(bf16: bool, mend: str, tmp_path: Path) -> None:
    """The trainer of Transformers goes on, and logs the losses of before."""
    args = SimpleNamespace(output_dir=str(tmp_path), bf16=bf16, fp16=False, device=torch.device("cpu"))
    losses = [torch.tensor(0.5), torch.tensor(float("nan"))]
    trainer = SimpleNamespace(args=args, model=torch.nn.Linear(1, 1), state=SimpleNamespace(global_step=6))
    trainer.remove_callback = trainer.add_callback = lambda _: None
    trainer.training_step = lambda: losses.pop(0)
    message = rf"The loss of step 7 is no number \(NaN\)\. {mend}"
    with pytest.raises(BioftError, match=message), following.followed(trainer):
        assert trainer.training_step() == 0.5
        trainer.training_step()


@pytest.mark.parametrize(
    ("best", "words"), [(True, "validation F1 at its best thresholds 0.790"), (False, "validation F1 0.790")]
)
def test_a_validation_figure_that_chooses_its_thresholds_is_said_to(best: bool, words: str) -> None:
    """Figures of the record are of other thresholds, and may be far lower."""
    told = following._Following(best)
    args = SimpleNamespace(metric_for_best_model="f1")
    told.on_evaluate(args, SimpleNamespace(), SimpleNamespace(), metrics={"eval_f1": 0.79})
    assert list(told.found.values()) == [words]


def test_a_folder_that_tensorboard_can_not_name_is_refused_before_training() -> None:
    """As Python reads a name with an accent from a command line under plain ASCII."""
    folder = Path("runs/\udcc3\udca9")
    steps.check_trackers([], folder)
    with pytest.raises(BioftError, match="PYTHONUTF8=1"):
        steps.check_trackers(["tensorboard"], folder)


@pytest.mark.parametrize(("folder", "name"), [("Läufe/rün é 1", "r-n-1"), ("runs/mlm_2.b", "mlm_2.b"), ("é", "model")])
def test_the_next_commands_can_be_given_as_they_are(folder: str, name: str) -> None:
    commands = steps.next_commands(Path(folder), {"task": "entity-recognition"})
    assert [shlex.split(command)[2] for command in commands] == [folder] * 3
    assert shlex.split(commands[-1])[3:] == [f"USER/{name}"]
