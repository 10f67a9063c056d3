"""What `bioft predict` asks a run on documents: the entities and relations in a text or a file of texts."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from bioft.hub.pull import task_of
from bioft.storage import runs
from bioft.task import function, part
from bioft.tasks import asked as questions
from bioft.tasks.asked import Asked, QuestionError, tell, tell_left_out
from bioft.tasks.entities import files as document_files

OPTIONS = (
    *("--text", "--input", "--output", "--html", "--link", "--skip-bad", "--batch-size", "--processes"),
    "--overwrite",
)


@dataclass
class Row(questions.Row):
    """A text, and an id to know it by."""

    text: str
    document_id: str | None = None

    def document(self) -> document_files.InputDocument:
        """The row as a document to be read."""
        return document_files.InputDocument(self.document_id or "text", self.text)


def load(run: Path) -> Callable[[Sequence[Row]], list[dict[str, Any]]]:
    """What answers rows: for each a dict as `files.to_row` gives, of a run whose task has `predict.find`."""
    load_model, find = _functions(run, runs.read(run), "load", "find")
    *_, record = model = load_model(run)

    def answer_rows(rows: Sequence[Row]) -> list[dict[str, Any]]:
        documents = [row.document() for row in rows]
        found = find(model, documents, record)
        answers = map(document_files.to_row, documents, found)
        return [answer | {"document_id": row.document_id} for row, answer in zip(rows, answers, strict=True)]

    return answer_rows


def answer(run: Path, asked: Asked) -> None:
    """Find entities and relations in what is asked about; show them where no file is written."""
    skipped: list[str] = []
    documents = _documents(asked, skipped)
    output, html = asked.output, asked.html
    for path in (output, html):
        if path is not None:
            asked.check_output(path)
    if output is not None:
        document_files.check_writable(output, documents)

    record = runs.read(run)
    load, find, entity_types = _functions(run, record, "load", "find", "entity_types")
    linker = asked.link
    model = load(run)
    if linker is not None and (with_linker := getattr(part(task_of(run, record), "predict"), "with_linker", None)):
        model = with_linker(model, linker)
    found = find(model, documents, record)
    if linker is not None:
        spans = [[entity.span for entity in each.entities] for each in found]
        links = linker.links([each.text for each in documents], spans)
        found = [
            each._replace(links=its, ids=each.ids or [link.id for link in its])
            for each, its in zip(found, links, strict=True)
        ]
    types = entity_types(record, found)
    if output is not None:
        document_files.write(output, documents, found, overwrite=asked.overwrite)
    if html is not None:
        title = f"Entities found by {record['name']}"
        document_files.write_whole(html, [document_files.to_html(documents, found, types, title)])
    if output is None and html is None:
        console = Console(markup=False)
        for document, its in zip(documents, found, strict=True):
            if asked.input is not None:
                console.print(Text(document.document_id, style="bold"))
            console.print(document_files.to_terminal(document, its, types), soft_wrap=True)
        if (threshold := record.get("relations", {}).get("threshold")) is not None:
            tell(f"Relations are shown with a score of {threshold:.2f} or more.")
    if asked.input is not None:
        n, of = sum(len(each.entities) for each in found), len(documents)
        related = sum(len(each.relations or ()) for each in found)
        what = f"{n:,} {'entity' if n == 1 else 'entities'}"
        what += f" and {related:,} relation{'s' * (related != 1)}" if related else ""
        tell(f"{what} in {of:,} document{'s' * (of != 1)}")
    if linker is not None:
        decisions = Counter(link.decision for each in found for link in each.links or ())
        tell("Links: " + ", ".join(f"{n:,} {decision}" for decision, n in decisions.most_common()) + ".")
        tell(f"Terms of the namespace: {linker.terms}")
    for path in (output, html):
        if path is not None:
            tell(f"Written to {path}")
    tell_left_out(skipped)


def _functions(run: Path, record: dict[str, Any], *names: str) -> list[Callable[..., Any]]:
    """Functions of the `predict` of the run's task: others on documents have the same."""
    return [function(task_of(run, record), "predict", name, "can be asked") for name in names]


def _documents(asked: Asked, skipped: list[str]) -> list[document_files.InputDocument]:
    if (asked.text is None) == (asked.input is None):
        raise QuestionError("give either --text or --input with a file of texts.")
    if asked.input is not None:
        return document_files.read(asked.input, skipped if asked.skip_bad else None)
    if asked.text is None or not asked.text.strip():
        raise QuestionError("--text must not be empty.")
    return [document_files.InputDocument("text", asked.text)]
