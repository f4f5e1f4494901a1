"""A recorded run of system calls: asserts each one, byte for byte, and replays the answers."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from wgtun.platform.bsd.calls import Calls


class Step(NamedTuple):
    """One call and its answer; an `error` is an errno, or what is raised."""

    call: str
    arguments: tuple[Any, ...]
    answer: Any = None
    error: int | OSError = 0


def call(name: str, *arguments: Any, answer: Any = None, error: int | OSError = 0) -> Step:
    return Step(name, arguments, answer, error)


class Script:
    """Stands in for `bsd.calls.Calls`, and for anything else whose methods are calls."""

    def __init__(self, *steps: Step) -> None:
        self._steps = list(steps)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def perform(*arguments: Any) -> Any:
            assert self._steps, f"not in the script: {name}{arguments}"
            step = self._steps.pop(0)
            assert (name, arguments) == (step.call, step.arguments)
            if isinstance(step.error, OSError):
                raise step.error
            if step.error:
                raise OSError(step.error, os.strerror(step.error))
            return step.answer

        return perform

    def then(self, *steps: Step) -> None:
        """Go on with these."""
        self.finished()
        self._steps += steps

    def finished(self) -> None:
        assert not self._steps, f"did not happen: {self._steps[0]}"


@contextmanager
def script(*steps: Step) -> Iterator[tuple[Calls, Script]]:
    """The same object twice, for the code and for the test; all must have happened in the end."""
    made: Any = Script(*steps)
    yield made, made
    made.finished()


class ScriptedSocket(socket.socket):
    """A real UDP socket that notes which options are set, and takes those that this system does not know."""

    def __init__(self, family: socket.AddressFamily) -> None:
        super().__init__(family, socket.SOCK_DGRAM)
        self.setblocking(False)
        self.options: list[tuple[int, int, Any]] = []

    def setsockopt(self, level: int, option: int, value: Any, *rest: Any) -> None:
        self.options.append((level, option, value))
        if (level, option) == (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):  # or the other family can't have the port
            super().setsockopt(level, option, value)
