"""The decoder over sequences laid end to end, without padding: Qwen3, Qwen2 and Llama, computed by danlu itself."""
