"""Tests of danlu.runs."""
