"""Measurements of our daemons beside others. `python -m benchmarks --help` says how."""
