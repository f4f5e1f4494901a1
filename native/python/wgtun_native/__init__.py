"""The native half of wgtun: a crypto provider and an engine in Rust."""

from wgtun_native._native import (
    Engine,
    InvalidTag,
    PrivateKey,
    Provider,
    SharedSecret,
    SymmetricState,
    TransportKey,
)

__all__ = ["Engine", "InvalidTag", "PrivateKey", "Provider", "SharedSecret", "SymmetricState", "TransportKey"]
