"""One contract test kit per interface, run on every choice of its table."""
