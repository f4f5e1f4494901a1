"""System calls that no tunnel needs, denied: new programs and processes, other processes, modules, mounts, ...

A list of what is denied, not of what is allowed. Which calls are needed is up to the C library, the
interpreter and the kernel, and changes with each of them: a list of those would one day stop a tunnel
that an update of something else has touched. What a packet daemon never does, does not change. The list is
short of nothing that leads out of a process, and capabilities and Landlock bound what is left.

Calls fail with EPERM; of another architecture than ours, they end the process. Source: seccomp(2).
"""

from __future__ import annotations

import sys

assert sys.platform == "linux"

import errno
import os
import socket
from struct import Struct
from typing import NamedTuple

from wgtun.platform.linux.libc import address, buffer, call

_SET_MODE_FILTER = 1
_SPEC_ALLOW = 4  # without it old kernels slow down every branch, against foreign code, of which we have none
_KILL, _ERRNO, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000

_INSTRUCTION = Struct("=HBBI")  # code, how many to skip if true, if false, value
_PROGRAM = Struct("=H6xQ")
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_OFFSET, _MACHINE_OFFSET, _ARGUMENTS_OFFSET = 0, 4, 16  # struct seccomp_data
_X32 = 0x40000000  # x86_64's second set of numbers; nobody else's go so far

_CLONE_THREAD = 0x10000
_TIOCSTI = 0x5412  # types into the terminal
_FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)

_Instruction = tuple[int, int, int, int]


class _Machine(NamedTuple):
    audit: int  # AUDIT_ARCH_*
    column: int  # in the tables below


_MACHINES = {
    "x86_64": _Machine(0xC000003E, 0),
    "aarch64": _Machine(0xC00000B7, 1),
    "riscv64": _Machine(0xC00000F3, 1),
}
# The numbers on x86_64, and those of asm-generic; None where there is no such call.
_DENIED: dict[str, tuple[int | None, int | None]] = {
    # programs and processes
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281),
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440), "migrate_pages": (256, 238), "move_pages": (279, 239),
    # the kernel: other code in it, parts of it with a history
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "syslog": (103, 116),
    "modify_ldt": (154, None), "iopl": (172, None), "ioperm": (173, None), "personality": (135, 92),
    # files: another view of them, ways around Landlock, other rights
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "unshare": (272, 97), "setns": (308, 268),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "fanotify_init": (300, 262),
    "mknod": (133, None), "mknodat": (259, 33), "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53),
    "fchmodat2": (452, 452), "chown": (92, None), "lchown": (94, None), "fchown": (93, 55), "fchownat": (260, 54),
    # the machine
    "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "quotactl": (179, 60),
    "quotactl_fd": (443, 443), "vhangup": (153, 58), "sethostname": (170, 161), "setdomainname": (171, 162),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171), "clock_adjtime": (305, 266),
}  # fmt: skip
# Allowed for some purposes.
_SECCOMP = (317, 277)
_IOCTL = (16, 29)
_SOCKET = (41, 198)
_SOCKETPAIR = (53, 199)
_CLONE = (56, 220)
_CLONE3 = (435, 435)


def restrict() -> str:
    """Deny them to this thread and those that it starts; returns what is on. Raises OSError."""
    machine = _MACHINES.get(os.uname().machine)
    if machine is None or sys.maxsize < 2**32:  # or a 32-bit Python on such a machine
        raise OSError(errno.ENOSYS, "no list of system calls for this machine")
    instructions = buffer(b"".join(_INSTRUCTION.pack(*each) for each in _program(machine)))
    program = buffer(_PROGRAM.pack(len(instructions) // _INSTRUCTION.size, address(instructions)))
    call("syscall", _SECCOMP[machine.column], _SET_MODE_FILTER, _SPEC_ALLOW, program)
    return "seccomp"


def _program(machine: _Machine) -> list[_Instruction]:
    column = machine.column
    allow, deny = _give(_ALLOW), _give(_ERRNO | errno.EPERM)
    program = [_load(_MACHINE_OFFSET), (_IF_EQUAL, 1, 0, machine.audit), _give(_KILL)]
    program += [_load(_NUMBER_OFFSET), (_IF_AT_LEAST, 0, 1, _X32), deny]
    for numbers in _DENIED.values():
        number = numbers[column]
        if number is not None:
            program += _when(number, deny)
    # Threads may be started, processes not. What clone3 is asked for can't be seen here; C libraries do without.
    program += _when(_CLONE3[column], _give(_ERRNO | errno.ENOSYS))
    program += _when(_CLONE[column], _load_argument(0), (_IF_ANY_BIT, 0, 1, _CLONE_THREAD), allow, deny)
    program += _when(_IOCTL[column], _load_argument(1), *_when(_TIOCSTI, deny), allow)
    families = [each for family in _FAMILIES for each in _when(family, allow)]
    for number in (_SOCKET[column], _SOCKETPAIR[column]):
        program += _when(number, _load_argument(0), *families, _give(_ERRNO | errno.EAFNOSUPPORT))
    return [*program, allow]


def _load(offset: int) -> _Instruction:
    return _LOAD, 0, 0, offset


def _load_argument(number: int) -> _Instruction:
    """The lower half, on these little-endian machines; the kernel looks at no more of ours either."""
    return _load(_ARGUMENTS_OFFSET + 8 * number)


def _give(answer: int) -> _Instruction:
    return _RETURN, 0, 0, answer


def _when(value: int, *then: _Instruction) -> list[_Instruction]:
    """These, if this is what was loaded; they end the program."""
    return [(_IF_EQUAL, 0, len(then), value), *then]
