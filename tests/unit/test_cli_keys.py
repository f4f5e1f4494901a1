"""`wgtun genkey`, `genpsk`, `pubkey`, and the command around them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from array import array
from pathlib import Path

import pytest

from wgtun import PresharedKey, PrivateKey, __version__
from wgtun.keys import PublicKey

WGTUN = [sys.executable, "-m", "wgtun.cli.main"]
IN_PROCESS = "import sys; from wgtun.cli.main import main; sys.exit(main())"


def wgtun(*words: str, text: str = "", **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [*WGTUN, *words], input=text, capture_output=True, text=True, **options
    )


def test_genkey_and_pubkey() -> None:
    private = wgtun("genkey")
    assert private.returncode == 0
    assert private.stderr == ""
    key = PrivateKey.from_base64(private.stdout.removesuffix("\n"))
    assert key.base64() + "\n" == private.stdout
    public = wgtun("pubkey", text=private.stdout)
    assert PublicKey.from_base64(public.stdout.strip()) == key.public_key()
    if shutil.which("wg"):
        theirs = subprocess.run(["wg", "pubkey"], input=private.stdout, capture_output=True, text=True, check=True)
        assert public.stdout == theirs.stdout


def test_genpsk() -> None:
    first, second = wgtun("genpsk").stdout, wgtun("genpsk").stdout
    assert first != second
    PresharedKey.from_base64(first.strip())


KEY = "AKeZaHwBxjiKLFnkY2unvEdOTtg4AL+M9dQXfopFVFk="


@pytest.mark.skipif(shutil.which("wg") is None, reason="needs wg(8) to compare with")
@pytest.mark.parametrize(
    "text",
    ["", "\n", KEY, f"{KEY}\n", f"{KEY}\r\n", f"{KEY} \t\v\f\n\n", f" {KEY}", f"{KEY}x", f"{KEY}\n{KEY}\n", f"{KEY}\nx",
     KEY[:-1], f"{KEY[:-1]}A", f"{KEY[:-2]}l=", f"{'A' * 43}=", f"{KEY}\0", f"{KEY}\u00a0", f"{KEY}\x1c",
     KEY[:20] + "\n" + KEY[20:], f"{KEY}\0 \0"],
)  # fmt: skip
def test_pubkey_takes_what_wg_takes(text: str) -> None:
    theirs = subprocess.run(["wg", "pubkey"], input=text, capture_output=True, text=True, check=False)
    ours = wgtun("pubkey", text=text)
    assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout)


@pytest.mark.parametrize("text", ["", "\n", "abc\n", "A" * 43 + "=x", " " + "A" * 43 + "=\n", "A" * 10000])
def test_pubkey_refuses_what_is_not_a_key_and_does_not_repeat_it(text: str) -> None:
    done = wgtun("pubkey", text=text)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "private key" in done.stderr
    assert len(done.stderr) < 200


def test_pubkey_takes_no_bytes_that_are_not_text() -> None:
    for data in (b"\xff\xfe\n", KEY.encode() + b" " * 5000 + b"x"):
        done = subprocess.run([*WGTUN, "pubkey"], input=data, capture_output=True)
        assert done.returncode == 1
        assert b"Traceback" not in done.stderr


def shell(script: str) -> subprocess.CompletedProcess[str]:
    """Runs a script in which `wgtun` is our command."""
    words = ["sh", "-c", f'wgtun() {{ "$PYTHON" -m wgtun.cli.main "$@"; }}; {script}']
    return subprocess.run(words, env=os.environ | {"PYTHON": sys.executable}, capture_output=True, text=True)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("wgtun genkey >/dev/full", "No space left"),
        ("wgtun genkey >&-", "closed"),
        ("wgtun pubkey <&-", "private key"),
    ],
)
def test_what_could_not_be_written_is_an_error_of_one_line(script: str, problem: str) -> None:
    done = shell(script)
    assert done.returncode == 1
    assert problem in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_reader_that_leaves_is_no_news() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run([*WGTUN, "genkey"], stdout=writer, stderr=subprocess.PIPE)
    finally:
        os.close(writer)
    assert done.returncode == 1
    assert done.stderr == b""


@pytest.mark.skipif(sys.platform == "win32", reason="an interrupt comes from a console there")
def test_an_interrupt_ends_quietly() -> None:
    import fcntl  # not there on Windows
    import termios

    script = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {IN_PROCESS}"
    with subprocess.Popen(
        [sys.executable, "-c", script, "pubkey"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        process.stdin.write(b"begin")
        process.stdin.flush()
        waiting = array("i", [1])
        while waiting[0]:  # until it reads
            time.sleep(0.01)
            fcntl.ioctl(process.stdin, termios.FIONREAD, waiting)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
    assert process.returncode == 130
    assert errors == b""


def test_only_the_verb_that_is_asked_for_is_loaded() -> None:
    script = f"import atexit; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); {IN_PROCESS}"
    done = subprocess.run([sys.executable, "-c", f"import sys; {script}", "genkey"], capture_output=True, text=True)
    loaded = done.stderr.split()
    assert "wgtun.cli.genkey" in loaded
    for module in ("wgtun.cli.pubkey", "wgtun.cli.show", "wgtun.cli.demo", "cryptography", "asyncio"):
        assert module not in loaded


@pytest.mark.skipif(sys.platform == "win32", reason="needs permission bits")
def test_genkey_warns_about_a_file_that_others_can_read(tmp_path: Path) -> None:
    for mode, warned in ((0o644, True), (0o600, False)):
        path = tmp_path / str(mode)
        path.touch()
        path.chmod(mode)
        with path.open("w") as out:
            done = subprocess.run([*WGTUN, "genkey"], stdout=out, stderr=subprocess.PIPE, text=True, check=True)
        assert ("world accessible" in done.stderr) is warned
        PrivateKey.from_base64(path.read_text(encoding="utf-8").strip())


def test_help_names_every_verb_and_wrong_usage_is_2() -> None:
    done = wgtun("--help")
    assert done.returncode == 0
    for verb in ("genkey", "genpsk", "pubkey", "show", "demo"):
        assert verb in done.stdout
        assert wgtun(verb, "--help").returncode == 0
    assert wgtun("--version").stdout == f"wgtun {__version__}\n"
    for words in ((), ("nonsense",), ("genkey", "extra")):
        done = wgtun(*words)
        assert done.returncode == 2
        assert "usage" in done.stderr
