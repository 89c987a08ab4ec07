"""Tests of the data room: every row from its file to its batch."""
