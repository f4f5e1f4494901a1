"""Code for systems that we may not run on, against recorded system calls."""
