"""C structs of the systems that wgtun runs on: their size, and where the fields are that we use.

Every system's `abi.py` holds its constants, under the names of its headers, and its structs as `Layout`s.
`tools/platforms` compiles all of them against the real headers.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct

Value = int | bytes


class Layout:
    """One struct: its C type, its size in bytes, and of each field the offset and the `struct` format.

    A field of a struct within is named with a dot, as in C.
    """

    def __init__(self, c_type: str, size: int, fields: Mapping[str, tuple[int, str]]) -> None:
        self.c_type = c_type
        self.size = size
        self.fields = {name: (offset, Struct(f"={code}")) for name, (offset, code) in fields.items()}

    def pack(self, values: Mapping[str, Value]) -> bytes:
        """The bytes of the struct; what is not given is zero."""
        return self.change(bytes(self.size), values)

    def change(self, data: bytes, values: Mapping[str, Value]) -> bytes:
        """A copy of a struct, with other values in some fields."""
        memory = bytearray(data)
        for name, value in values.items():
            offset, field = self.fields[name]
            field.pack_into(memory, offset, value)
        return bytes(memory)

    def read(self, data: bytes | bytearray | memoryview, name: str) -> int:
        """A number in the struct that starts `data`, which may be longer. Raises struct.error when it is too short."""
        offset, field = self.fields[name]
        value: int = field.unpack_from(data, offset)[0]
        return value

    def read_bytes(self, data: bytes | bytearray | memoryview, name: str) -> bytes:
        """The same for a field of bytes."""
        offset, field = self.fields[name]
        value: bytes = field.unpack_from(data, offset)[0]
        return value
