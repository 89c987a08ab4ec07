"""Danlu's tests; the folders mirror src/danlu."""
