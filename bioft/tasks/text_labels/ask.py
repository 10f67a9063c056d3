"""What `bioft predict` asks a run on labelled texts: the labels of a text, of a file of texts, or of trials."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bioft.storage import runs
from bioft.tasks import asked as questions
from bioft.tasks.asked import Asked, QuestionError, tell, tell_left_out
from bioft.tasks.text_labels import predict as text_prediction

OPTIONS = ("--text", "--input", "--nct-id", "--output", "--skip-bad", "--batch-size", "--processes", "--overwrite")
SHOWN = 3
"""Labels of a text whose scores are shown."""


@dataclass
class Row(questions.Row):
    """A text, and an id to know it by."""

    text: str
    id: str | None = None


def load(run: Path) -> Callable[[Sequence[Row]], list[dict[str, Any]]]:
    """What answers rows: for each id, text, labels (those that reach their threshold) and the scores of all."""
    model = text_prediction.load(run)

    def answer_rows(rows: Sequence[Row]) -> list[dict[str, Any]]:
        answers = text_prediction.answer_texts(model, [row.text for row in rows])
        return [asdict(row) | asdict(answer) for row, answer in zip(rows, answers, strict=True)]

    return answer_rows


def answer(run: Path, asked: Asked) -> None:
    """Label what is asked about; show the labels where no file is written."""
    if asked.text is not None and (asked.input is not None or asked.nct_id):
        raise QuestionError("give --text, --input or --nct-id (this one also with --input).")
    left_out: list[str] = []
    if asked.text is not None:
        if not asked.text.strip():
            raise QuestionError("--text must not be empty.")
        texts = [text_prediction.InputDocument("text", asked.text)]
    elif asked.input is None and not asked.nct_id:
        raise QuestionError("give --text, --input or --nct-id.")
    else:
        texts = text_prediction.read_input(run, asked.input, asked.nct_id, left_out, skip_bad=asked.skip_bad)
    output = asked.output
    if output is not None:
        text_prediction.check_columns(output, texts, runs.read(run)["labels"])
        asked.check_output(output)
    progress = "Texts" if output is not None else None  # the answers alone are what goes to standard output
    answers = text_prediction.predict_with_run(run, [each.text for each in texts], progress=progress)
    if output is None:
        record = runs.read(run)
        thresholds = record["classifier"]["thresholds"] or ()
        needed = dict(zip(record["labels"], thresholds, strict=False))
        for each, found in zip(texts, answers, strict=True):
            likely = sorted(found.scores.items(), key=lambda item: -item[1])[:SHOWN]
            scores = ", ".join(f"{label} {_beside(score, needed.get(label))}" for label, score in likely)
            print(f"{each.document_id}: {', '.join(found.labels) or 'no label'} ({scores})")
    else:
        text_prediction.write(output, texts, answers)
        tell(f"{len(texts):,} texts labelled, written to {output}")
    tell_left_out(left_out)


def _beside(score: float, threshold: float | None) -> str:
    """A score, and whether it reaches the threshold of its label, where there is one."""
    if threshold is None:
        return f"{score:.3f}"
    places = questions.places_apart(score, threshold, 3)
    return f"{score:.{places}f} {'≥' if score >= threshold else '<'} {threshold:.{places}f}"
