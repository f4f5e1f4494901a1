"""What `make check-peers` prepares: other implementations of WireGuard."""
