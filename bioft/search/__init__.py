"""An index of articles: built from embeddings, searched, added to, cut into topics."""
