"""Atelier beside an MLflow tracking server, in one run on one machine. `make bench`, or `python -m benchmarks --help`.

Absolute figures move from day to day; only ratios from one run count. docs/performance.md keeps the last table.
"""
