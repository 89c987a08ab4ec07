"""Runs with real weights from package registries; `make test-real`."""
