"""What the tab of such a run shows: the same as that of a run on entities."""

from bioft.tasks.entities.demo import EXAMPLES, show

TAB = "Entities and relations"
__all__ = ["EXAMPLES", "TAB", "show"]
