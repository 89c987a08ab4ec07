"""Tests of danlu.serving."""
