"""Byte-exact test data: ``name = hexadecimal`` per line, ``#`` for comments."""

from __future__ import annotations

from pathlib import Path


def load(name: str) -> dict[str, bytes]:
    """The values of one file of this folder."""
    lines = (Path(__file__).parent / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split(" = ") for line in lines if line and not line.startswith("#"))
    return {key: bytes.fromhex(value) for key, value in pairs}
