"""Windows services: installing, starting, stopping and removing one, and being one. Source: winsvc.h."""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from wgtun.errors import PlatformError
from wgtun.platform.windows import abi
from wgtun.platform.windows.library import check

_LIBRARY = "advapi32"
_PATIENCE = 30.0  # seconds for a service to stop
_STEP = 0.1
_WAIT_HINT = 5000  # milliseconds
_NO_ERROR = 0
_AFTER = "Nsi\0TcpIp\0"  # what there must be before: the services that interfaces and sockets come from
_ACCESS = abi.SERVICE_START | abi.SERVICE_STOP | abi.SERVICE_QUERY_STATUS | abi.DELETE
_EXPLANATIONS = {
    abi.ERROR_ACCESS_DENIED: "not permitted; run as administrator",
    abi.ERROR_SERVICE_DOES_NOT_EXIST: "there is no such service; install it first",
    abi.ERROR_SERVICE_EXISTS: "it is installed already",
    abi.ERROR_SERVICE_ALREADY_RUNNING: "it runs already",
    abi.ERROR_SERVICE_NOT_ACTIVE: "it does not run",
}

_HANDLER = ctypes.WINFUNCTYPE(ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_void_p)
_MAIN = ctypes.WINFUNCTYPE(None, ctypes.c_ulong, ctypes.c_void_p)


def install(name: str, title: str, command_line: str) -> None:
    """Have the system start it with each boot. Raises PlatformError."""
    with _explained("install", name), _manager(abi.SC_MANAGER_CONNECT | abi.SC_MANAGER_CREATE_SERVICE) as manager:
        created = check(
            _LIBRARY,
            "CreateServiceW",
            manager,
            ctypes.c_wchar_p(name),
            ctypes.c_wchar_p(title),
            _ACCESS,
            abi.SERVICE_WIN32_OWN_PROCESS,
            abi.SERVICE_AUTO_START,
            abi.SERVICE_ERROR_NORMAL,
            ctypes.c_wchar_p(command_line),
            *(None, None, ctypes.create_unicode_buffer(_AFTER), None, None),
            returns=ctypes.c_void_p,
        )
        check(_LIBRARY, "CloseServiceHandle", created)


def start(name: str) -> None:
    """Raises PlatformError."""
    with _explained("start", name), _service(name) as service:
        check(_LIBRARY, "StartServiceW", service, 0, None)


def stop(name: str) -> None:
    """Returns when it has stopped. Raises PlatformError."""
    with _explained("stop", name), _service(name) as service:
        status = ctypes.create_string_buffer(abi.SERVICE_STATUS.size)
        check(_LIBRARY, "ControlService", service, abi.SERVICE_CONTROL_STOP, status)
        give_up = time.monotonic() + _PATIENCE
        while abi.SERVICE_STATUS.read(status.raw, "dwCurrentState") != abi.SERVICE_STOPPED:
            if time.monotonic() > give_up:
                raise PlatformError(f"the service {name} does not stop")
            time.sleep(_STEP)
            check(_LIBRARY, "QueryServiceStatus", service, status)


def remove(name: str) -> None:
    """It disappears when it has stopped. Raises PlatformError."""
    with _explained("remove", name), _service(name) as service:
        check(_LIBRARY, "DeleteService", service)


@contextmanager
def _explained(what: str, name: str) -> Iterator[None]:
    try:
        yield
    except PlatformError:
        raise
    except OSError as error:
        reason = _EXPLANATIONS.get(error.winerror or 0, error.strerror)
        raise PlatformError(f"can't {what} the service {name}: {reason}") from error


@contextmanager
def _manager(access: int) -> Iterator[int]:
    manager = check(_LIBRARY, "OpenSCManagerW", None, None, access, returns=ctypes.c_void_p)
    try:
        yield manager
    finally:
        check(_LIBRARY, "CloseServiceHandle", manager)


@contextmanager
def _service(name: str) -> Iterator[int]:
    with _manager(abi.SC_MANAGER_CONNECT) as manager:
        service = check(_LIBRARY, "OpenServiceW", manager, ctypes.c_wchar_p(name), _ACCESS, returns=ctypes.c_void_p)
        try:
            yield service
        finally:
            check(_LIBRARY, "CloseServiceHandle", service)


# --- being one -----------------------------------------------------------------------------------


def be(name: str, serve: Callable[[Callable[[Callable[[], None]], None]], int]) -> int:
    """Run `serve` as the service that the system started us as; its exit status.

    `serve` gets a function to call when it runs, with what stops it. Raises PlatformError when the system did not
    start us as a service.
    """
    service = _Service(name, serve)
    title = ctypes.create_unicode_buffer(name)
    main = _MAIN(service.main)
    entry = {
        "lpServiceName": ctypes.addressof(title),
        "lpServiceProc": ctypes.cast(main, ctypes.c_void_p).value or 0,
    }
    table = abi.SERVICE_TABLE_ENTRYW.pack(entry) + bytes(abi.SERVICE_TABLE_ENTRYW.size)
    try:
        check(_LIBRARY, "StartServiceCtrlDispatcherW", ctypes.create_string_buffer(table, len(table)))
    except OSError as error:
        if error.winerror == abi.ERROR_FAILED_SERVICE_CONTROLLER_CONNECT:
            raise PlatformError("--service is for the system alone; use --start") from error
        raise PlatformError(f"can't be the service {name}: {error.strerror}") from error
    return service.status


class _Service:
    """What the system's service control manager calls, in threads of its own."""

    def __init__(self, name: str, serve: Callable[[Callable[[Callable[[], None]], None]], int]) -> None:
        self._name = name
        self._serve = serve
        self._handle = 0
        self._stop: Callable[[], None] | None = None
        self._state = abi.SERVICE_START_PENDING
        self._handler = _HANDLER(self._control)
        self.status = 1

    def main(self, _count: int, _words: int) -> None:
        """The service's main function."""
        self._handle = check(
            _LIBRARY,
            "RegisterServiceCtrlHandlerExW",
            ctypes.c_wchar_p(self._name),
            self._handler,
            None,
            returns=ctypes.c_void_p,
        )
        self._report(abi.SERVICE_START_PENDING)
        try:
            self.status = self._serve(self._running)
        finally:
            self._report(abi.SERVICE_STOPPED)

    def _running(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._report(abi.SERVICE_RUNNING)

    def _control(self, control: int, _event: int, _data: int, _context: int) -> int:
        if control in (abi.SERVICE_CONTROL_STOP, abi.SERVICE_CONTROL_SHUTDOWN) and self._stop is not None:
            self._report(abi.SERVICE_STOP_PENDING)
            self._stop()
        elif control == abi.SERVICE_CONTROL_INTERROGATE:
            self._report(self._state)
        return _NO_ERROR

    def _report(self, state: int) -> None:
        self._state = state
        running, stopped = state == abi.SERVICE_RUNNING, state == abi.SERVICE_STOPPED
        fields = {
            "dwServiceType": abi.SERVICE_WIN32_OWN_PROCESS,
            "dwCurrentState": state,
            "dwControlsAccepted": (abi.SERVICE_ACCEPT_STOP | abi.SERVICE_ACCEPT_SHUTDOWN) if running else 0,
            "dwWin32ExitCode": abi.ERROR_SERVICE_SPECIFIC_ERROR if stopped and self.status else _NO_ERROR,
            "dwServiceSpecificExitCode": self.status if stopped else 0,
            "dwWaitHint": 0 if running or stopped else _WAIT_HINT,
        }
        packed = abi.SERVICE_STATUS.pack(fields)
        check(_LIBRARY, "SetServiceStatus", self._handle, ctypes.create_string_buffer(packed, len(packed)))
