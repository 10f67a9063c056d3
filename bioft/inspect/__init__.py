"""What is in a dataset: counts, overlap of splits, lengths, frequent names, audit."""
