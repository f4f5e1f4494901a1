"""`wgtun genkey`, `genpsk`, `pubkey`, and the command around them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wgtun import PresharedKey, PrivateKey
from wgtun.keys import PublicKey


def wgtun(*words: str, text: str = "", **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-m", "wgtun.cli.main", *words], input=text, capture_output=True, text=True, **options
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


@pytest.mark.parametrize("text", ["", "\n", "abc\n", "A" * 43 + "=x", " " + "A" * 43 + "=\n", "A" * 10000])
def test_pubkey_refuses_what_is_not_a_key_and_does_not_repeat_it(text: str) -> None:
    done = wgtun("pubkey", text=text)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "private key" in done.stderr
    assert len(done.stderr) < 200


def test_genkey_warns_about_a_file_that_others_can_read(tmp_path: Path) -> None:
    for mode, warned in ((0o644, True), (0o600, False)):
        path = tmp_path / str(mode)
        path.touch()
        path.chmod(mode)
        with path.open("w") as out:
            done = subprocess.run(
                [sys.executable, "-m", "wgtun.cli.main", "genkey"], stdout=out, stderr=subprocess.PIPE, text=True,
                check=True,
            )  # fmt: skip
        assert ("world accessible" in done.stderr) is warned
        PrivateKey.from_base64(path.read_text().strip())


def test_help_names_every_verb_and_wrong_usage_is_2() -> None:
    done = wgtun("--help")
    assert done.returncode == 0
    for verb in ("genkey", "genpsk", "pubkey", "show", "demo"):
        assert verb in done.stdout
        assert wgtun(verb, "--help").returncode == 0
    assert wgtun("--version").stdout.startswith("wgtun ")
    for words in ((), ("nonsense",), ("genkey", "extra")):
        done = wgtun(*words)
        assert done.returncode == 2
        assert "usage" in done.stderr
