"""Which files may be opened: those of Python, to be read; and what a socket's directory holds may be removed.

Everything else that Landlock knows, as far as this kernel does, is denied: TCP, and signals and abstract
Unix sockets of other processes. Descriptors that are open stay as they are, stat(2) works everywhere, and
so does connecting to the system log. Source: landlock(7), Linux 5.13.
"""

from __future__ import annotations

import sys

assert sys.platform == "linux"

import os
from collections.abc import Mapping
from struct import Struct

from wgtun.platform.linux.libc import buffer, call

READ = 1 << 2 | 1 << 3  # files and directories
REMOVE = 1 << 5

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # on every machine
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1
_RULESET = Struct("=QQQ")  # what is governed: of files, of the network, of other processes
_PATH_BENEATH = Struct("=Qi")  # allowed there, where
# Which rights came with which version of Landlock; a kernel refuses those that it does not know.
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
_NETWORK_RIGHTS = {4: 0b11}
_SCOPES = {6: 0b11}


def restrict(allowed: Mapping[str, int]) -> str:
    """Deny all but these rights beneath these directories; returns what is on. Raises OSError."""
    version = call("syscall", _CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    governed = buffer(_RULESET.pack(*(_known(rights, version) for rights in (_FILE_RIGHTS, _NETWORK_RIGHTS, _SCOPES))))
    ruleset = call("syscall", _CREATE_RULESET, governed, len(governed), 0)
    try:
        for directory, rights in allowed.items():
            _allow(ruleset, directory, rights)
        call("syscall", _RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return f"landlock {version}"


def _known(rights: dict[int, int], version: int) -> int:
    return sum(bits for since, bits in rights.items() if since <= version)


def _allow(ruleset: int, directory: str, rights: int) -> None:
    where = os.open(directory, os.O_PATH | os.O_CLOEXEC)
    try:
        call("syscall", _ADD_RULE, ruleset, _RULE_PATH_BENEATH, buffer(_PATH_BENEATH.pack(rights, where)), 0)
    finally:
        os.close(where)
