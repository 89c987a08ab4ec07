"""Tests of where the passes over shards run."""
