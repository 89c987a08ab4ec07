"""Tests of the packed decoder."""
