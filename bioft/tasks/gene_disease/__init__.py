"""Gene–disease association with a language model: prompts, scores, figures."""
