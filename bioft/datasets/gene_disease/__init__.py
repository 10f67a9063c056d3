"""Gene–disease pairs: sources, negatives, splits, audit and what needs no model."""
