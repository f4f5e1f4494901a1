"""Our daemons beside others, in one run: `python -m benchmarks --help`, and docs/performance.md."""
