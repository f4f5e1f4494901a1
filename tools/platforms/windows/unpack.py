"""Lay wheels out as a Python installation of Windows: of panda3d's only the CPython that it carries."""

from __future__ import annotations

import sys
from pathlib import Path
from zipfile import ZipFile

where, *wheels = map(Path, sys.argv[1:])
for wheel in wheels:
    with ZipFile(wheel) as archive:
        if wheel.name.startswith("panda3d-"):
            for member in archive.infolist():
                folder, _, member.filename = member.filename.rpartition("/")
                if folder == "deploy_libs":
                    archive.extract(member, where)
        else:
            archive.extractall(where / "Lib" / "site-packages")
