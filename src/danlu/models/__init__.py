"""Qwen3 and its kin: identity, loading, chat rendering, adapters, device and dtype. Nothing heavy on import."""
