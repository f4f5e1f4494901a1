"""The .def file of a python3.dll, which modules of the stable ABI link with: it forwards to the library given."""

from __future__ import annotations

import sys
from pathlib import Path
from struct import unpack_from


def exports(image: bytes) -> list[str]:
    """The names that a PE32+ library exports."""
    (header,) = unpack_from("<I", image, 0x3C)
    section_count, optional_size = unpack_from("<6xH12xH", image, header)
    sections = [
        unpack_from("<8x4I", image, header + 24 + optional_size + 40 * number) for number in range(section_count)
    ]

    def offset(address: int) -> int:
        for _, start, size, where in sections:
            if start <= address < start + size:
                return int(address - start + where)
        raise ValueError(f"no section has {address:#x}")

    (directory,) = unpack_from("<I", image, header + 24 + 112)
    count, names = unpack_from("<24xI4xI", image, offset(directory))
    found = []
    for number in range(count):
        (name,) = unpack_from("<I", image, offset(names) + 4 * number)
        start = offset(name)
        found.append(image[start : image.index(0, start)].decode("ascii"))
    return found


library = Path(sys.argv[1])
print("LIBRARY python3.dll\nEXPORTS")
for name in exports(library.read_bytes()):
    print(f"    {name} = {library.stem}.{name}")
