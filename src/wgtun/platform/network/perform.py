"""Carry out a plan: all of it, or nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from wgtun.errors import PlatformError
from wgtun.platform.network.steps import Call, Change, Command, Plan, Step

Calls = Mapping[str, Callable[..., Any]]
"""What performs the calls of a system, by name. Each raises OSError; FileExistsError: that it is so already."""

_TIMEOUT = 60  # seconds for one program
_EXISTS = "File exists"  # what programs say for it


def bring_up(plan: Plan, calls: Calls) -> None:
    """Do all changes. When one fails, those before it are undone. Raises PlatformError, which names the step."""
    done: list[Change] = []
    try:
        for change in plan.changes:
            try:
                perform(change.do, calls)
            except FileExistsError:
                if not change.may_exist:
                    raise
            else:
                done.append(change)
    except BaseException:
        take_down(Plan(tuple(done)).down, calls)
        raise


def take_down(steps: Iterable[Step], calls: Calls) -> list[PlatformError]:
    """Do all of these, whatever fails: the interface may be gone already. Returns what failed."""
    problems = []
    for step in steps:
        try:
            perform(step, calls)
        except PlatformError as error:
            problems.append(error)
    return problems


def perform(step: Step, calls: Calls) -> None:
    """Raises PlatformError, which names the step; also a FileExistsError when it was done already."""
    try:
        if isinstance(step, Command):
            _run(step)
        else:
            _call(step, calls)
    except OSError as error:
        problem = error.strerror or str(error)
        kind = _Exists if isinstance(error, FileExistsError) else PlatformError
        raise kind(f"`{str(step).partition(chr(10))[0]}`: {problem}") from error


class _Exists(PlatformError, FileExistsError):
    """What the step asks for is there."""


def _call(step: Call, calls: Calls) -> None:
    if step.name not in calls:
        raise OSError(f"this system has no call {step.name}")
    calls[step.name](*step.arguments)


def _run(step: Command) -> None:
    import subprocess  # only what changes a system needs it

    try:
        done = subprocess.run(
            step.words,
            input=step.stdin,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=os.environ | {"LC_ALL": "C"},
            timeout=_TIMEOUT,
            check=False,
        )
    except FileNotFoundError:
        raise OSError(f"there is no program `{step.words[0]}`") from None
    except subprocess.TimeoutExpired:
        raise OSError(f"did not end within {_TIMEOUT} seconds") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip() or f"exit status {done.returncode}"
        raise FileExistsError(said) if _EXISTS in said else OSError(said)
