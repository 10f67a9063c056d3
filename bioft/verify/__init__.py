"""Whether a published run is what its card says."""
