"""Models that bioft computes itself, where Transformers takes much longer for the same numbers."""
