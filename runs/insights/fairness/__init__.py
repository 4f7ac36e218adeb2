"""Fairness: measures by group, disparities between groups, intervals, and the dashboard dictionary."""
