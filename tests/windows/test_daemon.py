"""`wireguard-py` on Windows: in a console, and as a service."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

if sys.platform != "win32":
    pytest.skip("Windows only", allow_module_level=True)
assert sys.platform == "win32"  # mypy goes by this

from wgtun.errors import PlatformError
from wgtun.keys import PrivateKey
from wgtun.platform.windows import abi, console, services
from wgtun.platform.windows.console import stopped_by_console
from wgtun.platform.windows.library import check
from wgtun.uapi.client import UapiClient
from wgtun.uapi.model import SetRequest

DAEMON = [sys.executable, "-m", "wgtun.cli.daemon"]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DAEMON, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def is_served(name: str) -> bool:
    """Wine can't list pipes."""
    try:
        UapiClient(name).close()
    except PlatformError:
        return False
    return True


def service_status(name: str, field: str) -> int:
    status = ctypes.create_string_buffer(abi.SERVICE_STATUS.size)
    with services._service(f"wireguard-py${name}") as service:
        check("advapi32", "QueryServiceStatus", service, status)
    return abi.SERVICE_STATUS.read(status.raw, field)


@contextmanager
def daemon(name: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*DAEMON, name],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "LOG_LEVEL": "info"},
        creationflags=subprocess.CREATE_NEW_PROCESS_GROUP,
    )
    try:
        wait_for(lambda: is_served(name) or process.poll() is not None)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


def test_it_is_configured_over_its_pipe() -> None:
    key = PrivateKey.generate()
    with daemon("wg0"):
        with UapiClient("wg0") as client:
            client.set(SetRequest(private_key=key))
            state, status = client.get(), client.status()
        assert state.private_key == key
        assert state.listen_port
        assert status["up"]
        assert status["mtu"] >= 1280
        shown = subprocess.run(
            [sys.executable, "-m", "wgtun.cli.main", "show", "wg0", "public-key"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert shown.stdout.split() == [key.public_key().base64()]
        second = run("wg0")
        assert second.returncode == 1
        assert "wg0" in second.stderr


def test_no_fwmark() -> None:
    with daemon("wg1"), UapiClient("wg1") as client:
        with pytest.raises(Exception, match="refused"):
            client.set(SetRequest(fwmark=1))
        assert client.get().fwmark == 0


def test_ctrl_break_ends_it_in_order() -> None:
    with daemon("wg2") as process:
        try:
            process.send_signal(signal.CTRL_BREAK_EVENT)
        except (OSError, SystemError):
            pytest.skip("there is no console here")
        output, _ = process.communicate(timeout=20)
        assert process.returncode == 0
        assert "Shutting down" in output
    assert not is_served("wg2")


def test_a_window_that_is_closed_waits_for_the_end() -> None:
    """The system ends a process as soon as its handler returns from any event but Ctrl-C and Ctrl-Break."""
    stopped = threading.Semaphore(0)
    stopped_by_console(stopped.release)
    handler: Any = console._handlers[-1]
    assert handler(signal.CTRL_C_EVENT) == handler(signal.CTRL_BREAK_EVENT) == 1
    for _ in range(2):
        assert stopped.acquire(timeout=0)
    closing = threading.Thread(target=handler, args=(2,), daemon=True)  # CTRL_CLOSE_EVENT
    closing.start()
    assert stopped.acquire(timeout=10)
    closing.join(0.2)
    assert closing.is_alive()


def test_words() -> None:
    version = run("--version")
    assert version.returncode == 0
    assert "win32-amd64" in version.stdout
    assert "--install NAME" in run("--help").stdout
    for words in ([], ["--nonsense"], ["a", "b"], ["--install"], ["--install", "-x"]):
        wrong = run(*words)
        assert (wrong.returncode, wrong.stdout) == (2, "")
        assert "usage" in wrong.stderr
    denied = run("deny me")
    assert denied.returncode == 1
    assert "run as administrator" in denied.stderr


def test_a_service_from_installation_to_removal() -> None:
    name = "wgservice"
    assert run("--start", name).returncode == 1
    installed = run("--install", name)
    assert (installed.returncode, installed.stderr) == (0, "")
    try:
        again = run("--install", name)
        assert "installed already" in again.stderr
        assert run("--start", name).returncode == 0
        wait_for(lambda: is_served(name))
        with UapiClient(name) as client:
            assert client.status()["up"]
        wait_for(lambda: service_status(name, "dwCurrentState") == 4)  # SERVICE_RUNNING
        assert service_status(name, "dwControlsAccepted") == 1 | 4  # SERVICE_ACCEPT_STOP, SERVICE_ACCEPT_SHUTDOWN
        stopped = run("--stop", name)
        assert (stopped.returncode, stopped.stderr) == (0, "")
        assert service_status(name, "dwCurrentState") == 1  # SERVICE_STOPPED
        assert service_status(name, "dwWin32ExitCode") == 0
        wait_for(lambda: not is_served(name))
        assert "it does not run" in run("--stop", name).stderr
    finally:
        assert run("--remove", name).returncode == 0
    assert "install it first" in run("--remove", name).stderr


def test_the_service_word_is_for_the_system_alone() -> None:
    by_hand = run("--service", "wg3")
    assert by_hand.returncode == 1


def test_what_the_system_would_start() -> None:
    with pytest.raises(PlatformError, match="can't start the service no-such"):
        services.start("no-such")
