"""Entity recognition: BIO tags on windows of documents."""
