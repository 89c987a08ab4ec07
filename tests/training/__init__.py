"""Tests of the training room: loss, methods, checkpoints, exact resume."""
