"""Namespaces of concepts: ids with their names, from ontologies, vocabularies, gene tables and files of one's own."""
