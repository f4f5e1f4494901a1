"""A plan: what to do on the way up, and what undoes it."""

from __future__ import annotations

import shlex
from typing import NamedTuple


class Command(NamedTuple):
    """A program to run, without a shell."""

    words: tuple[str, ...]
    stdin: str = ""

    def __str__(self) -> str:
        """As one would type it."""
        line = shlex.join(self.words)
        return f"{line} <<END\n{self.stdin}END" if self.stdin else line


class Call(NamedTuple):
    """A call of the system, by its name in the table of calls that performs it."""

    name: str
    arguments: tuple[int | str | bytes, ...]
    text: str  # the same for people

    def __str__(self) -> str:
        return self.text


Step = Command | Call


class Change(NamedTuple):
    """One step up. Without an `undo` it goes with the interface, or with another change."""

    do: Step
    undo: Step | None = None
    may_exist: bool = False  # the system may have done it already, by an earlier change


class Plan(NamedTuple):
    """All changes in order; `notes` say what this system can't do."""

    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()

    @property
    def up(self) -> tuple[Step, ...]:
        return tuple(change.do for change in self.changes)

    @property
    def down(self) -> tuple[Step, ...]:
        return tuple(change.undo for change in reversed(self.changes) if change.undo is not None)


def command(*words: str, stdin: str = "") -> Command:
    return Command(words, stdin)
