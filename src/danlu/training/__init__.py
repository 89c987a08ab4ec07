"""Better: methods and objectives over one loop, with exact checkpoints."""
