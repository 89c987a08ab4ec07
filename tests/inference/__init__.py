"""Tests of danlu.inference."""
