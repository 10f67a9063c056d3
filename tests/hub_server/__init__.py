"""A server that speaks the Hugging Face Hub's HTTP protocol on loopback and stores real files, for tests."""
