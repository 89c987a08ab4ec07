"""From a recipe to a plan, from a plan to artifacts, a report and a model version."""
