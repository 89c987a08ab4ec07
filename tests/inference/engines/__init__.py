"""Tests of danlu.inference.engines."""
