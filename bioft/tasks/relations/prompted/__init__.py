"""Relations asked of a language model: a text, and a question for each pair of concepts."""
