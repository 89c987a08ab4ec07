"""Danlu: from raw domain rows to a fine-tuned, measured, served model."""

__version__ = "0.1.0"
