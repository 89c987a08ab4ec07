"""Tests of danlu.recipe."""
