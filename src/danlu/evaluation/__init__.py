"""How good a model is: answers, metrics, intervals, comparison. Nothing heavy on import."""
