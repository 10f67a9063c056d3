"""Dataset builders: one module per source, each with a function build(...)."""
