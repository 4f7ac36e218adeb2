"""v1 place of the scoring explainers."""
