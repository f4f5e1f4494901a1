"""Runs one of our `benchmarks.programs` inside a host and reads what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from benchmarks.measure import MeasureError
from tests.support.namespaces import Host, end


class Program:
    """A program that reports in lines of JSON."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self._name = name
        self._process = process

    def report(self) -> dict[str, Any]:
        """Wait for its next report. Raises MeasureError when it ended instead; its standard error says why."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise MeasureError(f"{self._name} ended with {self._process.wait()}")
        report: dict[str, Any] = json.loads(line)
        return report

    def stop(self) -> dict[str, Any]:
        """End a program that goes on until then; returns its last report."""
        self._process.terminate()
        return self.report()


@contextmanager
def running(host: Host, name: str, *arguments: object, under: Sequence[str] = ()) -> Iterator[Program]:
    """The program, after it said that it begins; ended at the end. `under` is a command to run it under."""
    words = [*under, sys.executable, "-m", f"benchmarks.programs.{name}", *map(str, arguments)]
    process = host.popen(*words, stdout=subprocess.PIPE)
    try:
        program = Program(name, process)
        program.report()
        yield program
    finally:
        end(process)
