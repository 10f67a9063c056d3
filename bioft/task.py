"""What a task is, as data: everything that commands and cards need to know of it, declared once."""

FINE_TUNED = "fine-tuned"


BASE = "base, zero-shot"
