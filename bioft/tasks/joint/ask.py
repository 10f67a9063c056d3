"""What `bioft predict` asks such a run: the same as every run on documents."""

from bioft.tasks.entities.ask import OPTIONS, Row, answer, load

__all__ = ["OPTIONS", "Row", "answer", "load"]
