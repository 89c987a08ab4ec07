"""Tests of the personal-data engine."""
