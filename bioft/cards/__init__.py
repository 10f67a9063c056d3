"""What is said of a run or a dataset on its card (README.md for the Hub), from its record or manifest alone."""
