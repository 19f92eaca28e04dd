"""Executable specification: read in order, the docstrings of the tests say what the sidecar does."""
