"""What the fuzzers start from and what they found, once more."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fuzz.targets import TARGETS

CORPUS = Path(__file__).parents[2] / "fuzz" / "corpus"


@pytest.mark.parametrize("target", TARGETS)
def test_corpus(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WGTUN_ENGINE", "python")
    inputs = sorted((CORPUS / target).iterdir())
    assert inputs
    for path in inputs:
        try:
            TARGETS[target](path.read_bytes())
        except Exception as error:
            raise AssertionError(f"python -m fuzz {target} --replay {path}") from error


def test_every_corpus_has_a_target() -> None:
    only_linux = set() if sys.platform == "linux" else {"netlink_messages"}
    assert {path.name for path in CORPUS.iterdir()} == TARGETS.keys() | only_linux
