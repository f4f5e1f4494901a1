"""A plan is carried out completely or not at all."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wgtun.errors import PlatformError
from wgtun.platform.network import perform
from wgtun.platform.network.steps import Call, Change, Command, Plan, command

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs sh")

FAIL = command("sh", "-c", "echo out; echo 'no such thing' >&2; exit 3")
EXISTS = command("sh", "-c", "echo 'RTNETLINK answers: File exists' >&2; exit 2")


def recorder() -> tuple[list[str], dict[str, Callable[[str], None]]]:
    done: list[str] = []
    return done, {"note": done.append}


def note(word: str) -> Call:
    return Call("note", (word,), f"note {word}")


def change(word: str) -> Change:
    return Change(note(word), note(f"un{word}"))


def test_up_and_down() -> None:
    done, calls = recorder()
    plan = Plan((change("a"), Change(note("b")), change("c")))
    perform.bring_up(plan, calls)
    assert perform.take_down(plan.down, calls) == []
    assert done == ["a", "b", "c", "unc", "una"]


@pytest.mark.parametrize("step", [FAIL, EXISTS])
def test_a_failure_undoes_what_was_done(step: Command) -> None:
    done, calls = recorder()
    with pytest.raises(PlatformError, match=r"^`sh -c .*`: (no such thing|RTNETLINK answers: File exists)$"):
        perform.bring_up(Plan((change("a"), change("b"), Change(step, note("never")), change("c"))), calls)
    assert done == ["a", "b", "unb", "una"]


def test_what_exists_already_is_not_undone() -> None:
    done, calls = recorder()
    with pytest.raises(PlatformError, match="no such thing"):
        perform.bring_up(Plan((change("a"), Change(EXISTS, note("never"), may_exist=True), Change(FAIL))), calls)
    assert done == ["a", "una"]


def test_an_interruption_undoes_too() -> None:
    done, calls = recorder()

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        perform.bring_up(Plan((change("a"), Change(Call("stop", (), "stop")))), {**calls, "stop": interrupt})
    assert done == ["a", "una"]


def test_down_goes_on_after_a_failure() -> None:
    done, calls = recorder()
    problems = perform.take_down((note("a"), FAIL, command("wgtun-no-such-program"), note("b")), calls)
    assert done == ["a", "b"]
    assert [str(problem) for problem in problems] == [
        "`sh -c 'echo out; echo '\"'\"'no such thing'\"'\"' >&2; exit 3'`: no such thing",
        "`wgtun-no-such-program`: there is no program `wgtun-no-such-program`",
    ]


def test_a_program_gets_its_input_and_no_shell(tmp_path: Path) -> None:
    target = tmp_path / "a b;c"
    perform.perform(command("tee", str(target), stdin="$(reboot)\n"), {})
    assert target.read_text() == "$(reboot)\n"


def test_a_program_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perform, "_TIMEOUT", 0.1)
    with pytest.raises(PlatformError, match="`sleep 60`: did not end"):
        perform.perform(command("sleep", "60"), {})


def test_a_failure_without_words() -> None:
    with pytest.raises(PlatformError, match="`false`: exit status 1"):
        perform.perform(command("false"), {})
