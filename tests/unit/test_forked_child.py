"""What a forked child has of the native half: no secrets, no threads, and nothing that hangs or crashes it."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("wgtun_native", reason="the native half is not built")

if not sys.platform.startswith("linux"):
    pytest.skip("other systems have not all of it", allow_module_level=True)

PROGRAM = """
import os, signal, socket, sys
from wgtun.constants import DEFAULT_TIMING
from wgtun_native import Engine, Provider

provider = Provider()
key, private, state = provider.aead(bytes(32)), provider.generate_private(), provider.symmetric_state()
tunnel, program = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
outer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for end in (tunnel, outer):
    end.setblocking(False)
engine = Engine(DEFAULT_TIMING)
engine.attach_plain([tunnel.fileno()])
engine.attach_sockets([outer.fileno()], True)

def refused(use):
    try:
        use()
    except BaseException as error:
        return "stayed in the parent process" in str(error)
    return False

def use_all():
    return (
        lambda: key.encrypt(bytes(12), b"", None),
        lambda: key.decrypt(bytes(12), bytes(16), None),
        lambda: private.exchange(private.public),
        lambda: state.encrypt_and_hash(b""),
        lambda: state.split(),
    )

child = os.fork()
if not child:
    signal.alarm(10)
    good = all(refused(use) for use in use_all())
    good = good and Provider().aead(bytes(32)).encrypt(bytes(12), b"", None)  # its own
    engine.flush()
    engine.detach_tunnel()
    del engine, key, private, state
    os._exit(0 if good else 1)
_, status = os.waitpid(child, 0)
assert not any(refused(use) for use in use_all())
engine.detach_sockets()
sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_secrets_stay_behind_and_an_engine_goes_quietly() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
