"""Files on disk: written whole or not at all, checksums, run directories, dataset folders."""
