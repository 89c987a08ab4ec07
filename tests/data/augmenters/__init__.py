"""Tests of single augmenters."""
