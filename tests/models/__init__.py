"""Tests of danlu.models."""
