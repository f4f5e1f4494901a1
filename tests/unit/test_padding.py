"""Padding: the table of reference 11.7."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wgtun.engine.python.session import padding_size


@pytest.mark.parametrize(
    ("size", "mtu", "padding"),
    [
        (0, 1420, 0), (0, 0, 0), (1, 1420, 15), (16, 1420, 0), (17, 1420, 15), (28, 1420, 4), (1408, 1420, 0),
        (1409, 1420, 11), (1419, 1420, 1), (1420, 1420, 0), (1421, 1420, 15), (1500, 1420, 0), (2840, 1420, 0),
        (2841, 1420, 15), (100, 0, 12), (1279, 1280, 1), (65503, 65503, 0),
    ],
)  # fmt: skip
def test_table(size: int, mtu: int, padding: int) -> None:
    assert padding_size(size, mtu) == padding


@given(st.integers(0, 65535), st.integers(0, 65535))
def test_never_past_the_mtu_and_never_more_than_fifteen(size: int, mtu: int) -> None:
    padding = padding_size(size, mtu)
    assert 0 <= padding <= 15
    if mtu and size <= mtu:
        assert size + padding <= mtu
