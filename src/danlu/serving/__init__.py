"""The door of a model: an OpenAI-compatible REST API over an engine. Needs no torch of its own."""
