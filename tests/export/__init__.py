"""Tests of the export room: what leaves is what was trained."""
