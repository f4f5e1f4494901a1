"""FreeBSD. The modules are importable everywhere, so that every system's tests run them; `system.py` is not."""
