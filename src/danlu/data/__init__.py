"""Rows: read, checked, cleaned, split, counted, tokenised; every row's fate on the books."""
