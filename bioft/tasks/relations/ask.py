"""What `bioft predict` asks such a run: the same as every run on documents, whose entities are given."""

from dataclasses import dataclass

from bioft.datasets.documents import pubtator
from bioft.tasks import asked as questions
from bioft.tasks.entities.ask import OPTIONS, answer, load
from bioft.tasks.entities.files import InputDocument

__all__ = ["OPTIONS", "Row", "answer", "load"]


@dataclass
class Mention(questions.Row):
    """An entity of a text: the offsets of its first character and of the one after its last, type and concept id."""

    start: int
    end: int
    type: str
    id: str


@dataclass
class Row(questions.Row):
    """A text with the entities in it, and an id to know it by."""

    text: str
    entities: list[Mention]
    document_id: str | None = None

    def __post_init__(self) -> None:
        """Refuse entities that are not in the text too: ValueError."""
        super().__post_init__()
        for number, each in enumerate(self.entities):
            if not 0 <= each.start < each.end <= len(self.text):
                raise ValueError(
                    f"entity {number} goes from {each.start} to {each.end} of {len(self.text)} characters"
                )

    def document(self) -> InputDocument:
        """The row as a document to be read."""
        mentions = [
            pubtator.Mention(each.start, each.end, self.text[each.start : each.end], each.type, each.id)
            for each in self.entities
        ]
        return InputDocument(self.document_id or "text", self.text, mentions=mentions)
