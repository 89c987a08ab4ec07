"""Tests of drift, balance and matching."""
