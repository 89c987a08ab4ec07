"""Tokens out: engines behind one protocol, with continuous batching. No HTTP; nothing heavy on import."""
