"""Tests of the room's comparisons."""
