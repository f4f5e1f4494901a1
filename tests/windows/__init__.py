"""What needs a Windows, be it wine's: `tools/platforms/wine python -m pytest tests/windows`."""
