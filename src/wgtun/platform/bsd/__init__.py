"""What macOS, FreeBSD and OpenBSD have in common. It is importable everywhere, so that every system's tests run it."""
