"""The tab of a finished run: it is asked one row, or all rows of a table, as `bioft serve` asks it."""

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import gradio as gr
from pydantic import TypeAdapter, ValidationError

from bioft.demo import page
from bioft.errors import BioftError
from bioft.storage.pages import html
from bioft.storage.tables import Table
from bioft.storage.text_lines import TextLines
from bioft.task import NOT_FOR_PATIENTS, Task, function
from bioft.tasks.asked import in_words

MOST_ROWS = 1000
"""Of a table: what a model on a processor answers in minutes."""


def add(run: Path, record: Mapping[str, Any], task: Task, label: str) -> None:
    """Load the run and add its tab to the page that is being built; BioftError as the task's `ask.load`."""
    row_of: Any
    row_of, load = (function(task, "ask", name, "can be shown in the demo") for name in ("Row", "load"))
    show, examples = (function(task, "demo", name, "can be shown in the demo") for name in ("show", "EXAMPLES"))
    answer = load(run)
    known = [each.name for each in fields(row_of)]
    needed = [each.name for each in fields(row_of) if each.default is MISSING]
    name = re.sub(r"\W+", "_", label).strip("_").lower()

    def one(*values: str) -> str:
        given = {column: (value or "").strip() for column, value in zip(needed, values, strict=True)}
        (found,) = answer_rows([given])
        return show(found, record)

    def answer_rows(rows: list[dict]) -> list[dict]:
        return answer(_checked(rows, row_of))

    def many(pasted: str) -> tuple[str, Any, Any]:
        rows = read_rows(pasted, needed)
        kept = [{column: row[column] for column in known if column in needed or row.get(column)} for row in rows]
        frame = page.table(answer_rows(kept))
        return (
            page.message(f"{len(rows):,} rows answered."),
            gr.update(value=frame, visible=True),
            page.csv_file(frame),
        )

    with gr.Tab(label):
        gr.HTML(html(__package__, "run.html.j2", record=record, note=NOT_FOR_PATIENTS))
        with gr.Row():
            asked = [
                gr.Textbox(
                    label=column.capitalize(), lines=5 if column == "text" else 1, max_length=page.MAX_CHARACTERS
                )
                for column in needed
            ]
        button = gr.Button("Ask", variant="primary")
        found = gr.HTML(label="Answer")
        gr.Examples(examples, asked)
        with gr.Accordion("Many at once", open=False):
            columns = " and ".join(needed)
            how = f"{'A text on each line, or ' if needed == ['text'] else ''}CSV with {columns} in its first line"
            pasted = gr.Textbox(label=how, lines=4, max_lines=12)
            with gr.Row():
                upload = gr.UploadButton("Upload .csv, .tsv or .txt", file_types=[".csv", ".tsv", ".txt"])
                answer_all = gr.Button("Ask all")
            told = gr.HTML(label="Answers")
            frame = gr.Dataframe(label="Answers", visible=False, interactive=False, wrap=True)
            download = gr.DownloadButton("Download as CSV", visible=False)
        page.add_endpoint(answer_rows, name, **page.MODEL)
    private: dict[str, Any] = {"api_visibility": "private", **page.MODEL}
    gr.on([button.click, *(each.submit for each in asked)], page.explained(one), asked, found, **private)
    nothing = (page.NO_FILE, page.NO_FILE)
    upload.upload(lambda path: "".join(TextLines(Path(path))), upload, pasted, api_visibility="private")
    answer_all.click(page.explained(many, *nothing), pasted, [told, frame, download], **private)


def _checked(rows: Sequence[Mapping[str, Any]], row_of: Any) -> list[Any]:
    """Rows as their task has them; BioftError for what is none, or for too many."""
    if not 0 < len(rows) <= MOST_ROWS:
        raise BioftError(f"There are {len(rows):,} rows: give 1 to {MOST_ROWS:,}.")
    try:
        return TypeAdapter(list[row_of]).validate_python(rows)
    except ValidationError as error:
        problem: Any = error.errors()[0]
        place = ("rows", *problem["loc"]) if len(rows) > 1 else problem["loc"][1:]
        raise BioftError(in_words(problem, place)) from None


def read_rows(text: str, needed: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a table with these columns; where a text is all that is needed, and no column is named so, lines."""
    first, _, _ = text.lstrip().partition("\n")
    if needed == ["text"] and "text" not in re.split(r"[,;\t|]", first.strip().replace('"', "")):
        return [{"text": line.strip()} for line in text.splitlines() if line.strip()]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pasted.csv"
        path.write_text(text, encoding="utf-8")
        try:
            return list(Table(path, needed, hint=f"The first line must name {' and '.join(needed)}."))
        except BioftError as error:
            raise BioftError(str(error).replace(str(path), "What was pasted")) from None
