"""Checks of the code for systems that we may not run."""
