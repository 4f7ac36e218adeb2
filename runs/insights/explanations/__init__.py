"""Explanations: reading what was uploaded, importance over rows and cohorts, comparison of two."""
