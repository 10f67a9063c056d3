"""A trainer's progress in words: one line of loss, validation and time left, instead of its bars and dictionaries."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import PrinterCallback, ProgressCallback, TrainerCallback

from bioft.errors import BioftError, causes
from bioft.metrics import WORDS
from bioft.models import precision
from bioft.models.progress import Work
from bioft.storage.files import disk_errors


@contextmanager
def followed(trainer: Any, best_thresholds: bool = False) -> Iterator[None]:
    """Say how far a training is, while it goes on in a `with` statement.

    `best_thresholds`: its validation figure is that of the thresholds that suit validation best, and is said to be so.
    BioftError: the disk is full, or the loss of a step is no number (NaN), which no later step would mend.
    KeyboardInterrupt also where Ctrl-C met a checkpoint that was being written, which PyTorch tells as an error.
    """
    following = _Following(best_thresholds)
    for theirs in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(theirs)
    trainer.add_callback(following)
    try:
        with disk_errors(Path(trainer.args.output_dir)), _checked(trainer), precision.trained(trainer):
            try:
                yield
            except Exception as error:
                if any(isinstance(each, KeyboardInterrupt) for each in causes(error)):
                    raise KeyboardInterrupt from None
                raise
    finally:
        following.stop()
        trainer.remove_callback(following)


@contextmanager
def _checked(trainer: Any) -> Iterator[None]:
    """Stop a training whose loss is no longer a number: the trainer itself would go on, and log the loss of before."""
    usual_step, is_own = trainer.training_step, "training_step" in vars(trainer)

    def training_step(*args: Any, **options: Any) -> Any:
        loss = usual_step(*args, **options)
        if loss.isnan().any():
            mends = "a lower --learning_rate"
            if precision.is_lower(trainer):
                mends = f"--dtype float32, which is slower and more exact, or {mends}"
            raise BioftError(f"The loss of step {trainer.state.global_step + 1} is no number (NaN). Give {mends}.")
        return loss

    trainer.training_step = training_step
    try:
        yield
    finally:
        del trainer.training_step  # a method of itself would keep it, and the threads of its process group, alive
        if is_own:
            trainer.training_step = usual_step


class _Following(TrainerCallback):
    def __init__(self, best_thresholds: bool) -> None:
        self.of_thresholds = " at its best thresholds" if best_thresholds else ""
        self.work: Work | None = None
        self.validation: Work | None = None
        self.found: dict[str, str] = {}

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        first, last = state.global_step, state.max_steps
        name = f"steps {first + 1:,} to {last:,}" if first else f"{last:,} steps"
        self.work = Work(name, last, first, unit="step ", bar=not args.disable_tqdm)

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if self.work is not None:
            self.work.advance(state.global_step - self.work.done)

    def on_prediction_step(
        self, args: Any, state: Any, control: Any, eval_dataloader: Any = None, **more: Any
    ) -> None:
        if self.validation is None:
            if self.work is not None:
                self.work.estimate()  # before anything else of this stage is said
            total = len(eval_dataloader) if hasattr(eval_dataloader, "__len__") else 0
            self.validation = Work("validation", total, bar=not args.disable_tqdm)
        self.validation.advance()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **more: Any) -> None:
        if logs and "loss" in logs:
            self._know("loss", logs["loss"])

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: dict[str, Any] | None = None, **more: Any
    ) -> None:
        if self.validation is not None:
            self.validation.close()
            if self.work is not None:
                self.work.aside += self.validation.seconds()
            self.validation = None
        best = (args.metric_for_best_model or "loss").removeprefix("eval_")
        if metrics and f"eval_{best}" in metrics:
            words = WORDS[best][1] if best in WORDS else best
            self._know(f"validation {words}{self.of_thresholds}", metrics[f"eval_{best}"])

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if self.work is not None:
            self.work.finish()
        self.stop()

    def stop(self) -> None:
        """Take the bars away."""
        for work in (self.validation, self.work):
            if work is not None:
                work.close()
        self.work = self.validation = None

    def _know(self, name: str, value: float) -> None:
        self.found[name] = f"{name} {value:.3f}"
        if self.work is not None:
            self.work.found = ", ".join(self.found.values())
