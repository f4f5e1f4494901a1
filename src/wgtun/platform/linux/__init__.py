"""Linux. Modules that only compute are importable everywhere; those that call the system are not."""
