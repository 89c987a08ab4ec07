"""Tests of the pages: they name what exists, and the tutorial runs."""
