"""Allowed IPs: the kernel's self-test (reference 11.8), a random comparison, and the rules of 4.7."""

from __future__ import annotations

import ipaddress
import random
import struct

import pytest

from wgtun.allowed_ip import AllowedIP
from wgtun.engine.python.allowed_ips import AllowedIPs


class Table:
    """`AllowedIPs` with text for addresses."""

    def __init__(self) -> None:
        self.table: AllowedIPs[str] = AllowedIPs()

    def insert(self, owner: str, text: str) -> None:
        self.table.insert(owner, AllowedIP.parse(text))

    def remove(self, owner: str, text: str) -> None:
        self.table.remove(owner, AllowedIP.parse(text))

    def lookup(self, text: str) -> str | None:
        address = ipaddress.ip_address(text).packed
        return self.table.lookup_ipv4(address) if len(address) == 4 else self.table.lookup_ipv6(address)

    def listing(self, owner: str) -> list[str]:
        return [str(prefix) for prefix in self.table.of(owner)]


def words(*values: int) -> str:
    return str(ipaddress.IPv6Address(struct.pack(">4I", *values)))


def test_kernel_self_test_ipv4() -> None:
    t = Table()
    for line in (
        "a 192.168.4.0/24", "b 192.168.4.4/32", "c 192.168.0.0/16", "d 192.95.5.64/27", "c 192.95.5.65/27",
        "e 0.0.0.0/0", "g 64.15.112.0/20", "h 64.15.123.211/25", "a 10.0.0.0/25", "b 10.0.0.128/25", "a 10.1.0.0/30",
        "b 10.1.0.4/30", "c 10.1.0.8/29", "d 10.1.0.16/29",
    ):  # fmt: skip
        t.insert(*line.split())
    for address, owner in {
        "192.168.4.20": "a", "192.168.4.0": "a", "192.168.4.4": "b", "192.168.200.182": "c", "192.95.5.68": "c",
        "192.95.5.96": "e", "64.15.116.26": "g", "64.15.127.3": "g",
    }.items():  # fmt: skip
        assert t.lookup(address) == owner, address
    singles = ("1.0.0.0", "64.0.0.0", "128.0.0.0", "192.0.0.0", "255.0.0.0")
    for address in singles:
        t.insert("a", f"{address}/32")
        assert t.lookup(address) == "a"
    t.table.clear("a")
    assert all(t.lookup(address) != "a" for address in singles)
    for owner in "abcdegh":
        t.table.clear(owner)
    assert t.lookup("192.168.4.4") is None
    assert t.lookup("8.8.8.8") is None

    t.insert("a", "192.168.0.0/16")
    t.insert("a", "192.168.0.0/24")
    t.table.clear("a")
    assert t.lookup("192.168.0.1") is None

    t.insert("a", "1.0.0.0/32")
    t.insert("a", "192.0.0.0/24")
    t.remove("a", "192.0.0.0/32")
    t.remove("b", "192.0.0.0/24")
    assert t.lookup("1.0.0.0") == t.lookup("192.0.0.1") == "a"
    t.remove("a", "192.0.0.0/24")
    t.remove("a", "1.0.0.0/32")
    assert t.lookup("1.0.0.0") is t.lookup("192.0.0.1") is None


def test_kernel_self_test_ipv6() -> None:
    t = Table()
    for owner, address, length in (
        ("d", words(0x26075300, 0x60006B00, 0, 0xC05F0543), 128),
        ("c", words(0x26075300, 0x60006B00, 0, 0), 64),
        ("e", "::", 0),
        ("f", "::", 0),
        ("g", words(0x24046800, 0, 0, 0), 32),
        ("h", words(0x24046800, 0x40040800, 0xDEADBEEF, 0xDEADBEEF), 64),
        ("a", words(0x24046800, 0x40040800, 0xDEADBEEF, 0xDEADBEEF), 128),
        ("c", words(0x24446800, 0x40E40800, 0xDEAEBEEF, 0x0DEFBEEF), 128),
        ("b", words(0x24446800, 0xF0E40800, 0xEEAEBEEF, 0), 98),
    ):
        t.insert(owner, f"{address}/{length}")
    for values, owner in {
        (0x26075300, 0x60006B00, 0, 0xC05F0543): "d",
        (0x26075300, 0x60006B00, 0, 0xC02E01EE): "c",
        (0x26075300, 0x60006B01, 0, 0): "f",
        (0x24046800, 0x40040806, 0, 0x1006): "g",
        (0x24046800, 0x40040806, 0x1234, 0x5678): "g",
        (0x240467FF, 0x40040806, 0x1234, 0x5678): "f",
        (0x24046801, 0x40040806, 0x1234, 0x5678): "f",
        (0x24046800, 0x40040800, 0x1234, 0x5678): "h",
        (0x24046800, 0x40040800, 0, 0): "h",
        (0x24046800, 0x40040800, 0x10101010, 0x10101010): "h",
        (0x24046800, 0x40040800, 0xDEADBEEF, 0xDEADBEEF): "a",
    }.items():
        assert t.lookup(words(*values)) == owner, words(*values)
    single = words(0x24446801, 0x40E40800, 0xDEAEBEEF, 0x0DEFBEEF)
    wide = words(0x24446800, 0xF0E40800, 0xEEAEBEEF, 0)
    inside = words(0x24446800, 0xF0E40800, 0xEEAEBEEF, 0x10101010)
    t.insert("a", f"{single}/128")
    t.insert("a", f"{wide}/98")
    assert t.lookup(single) == t.lookup(inside) == "a"
    t.remove("a", f"{single}/96")
    t.remove("b", f"{single}/128")
    assert t.lookup(single) == "a"
    t.remove("a", f"{single}/128")
    assert t.lookup(single) == "f"
    t.remove("b", f"{wide}/98")
    assert t.lookup(inside) == "a"
    t.remove("a", f"{wide}/98")
    assert t.lookup(inside) == "f"


@pytest.mark.parametrize("seed", range(3))
def test_random_prefixes_agree_with_a_linear_search(seed: int) -> None:
    rng = random.Random(seed)
    table: AllowedIPs[int] = AllowedIPs()
    model: dict[AllowedIP, int] = {}

    def expected(address: bytes) -> int | None:
        best = [
            prefix
            for prefix in model
            if len(prefix.address) == len(address) and AllowedIP.masked(address, prefix.length) == prefix
        ]
        return model[max(best, key=lambda prefix: prefix.length)] if best else None

    for size in (4, 16):
        for _ in range(250):
            prefix = AllowedIP.masked(rng.randbytes(size), rng.randint(1, size * 8))
            owner = rng.randrange(100)
            table.insert(owner, prefix)
            model[prefix] = owner
    for removed in (None, *rng.sample(range(100), 4)):
        if removed is not None:
            table.clear(removed)
            model = {prefix: owner for prefix, owner in model.items() if owner != removed}
        for prefix in rng.sample(sorted(model), 100):
            noise = bytes(a | b for a, b in zip(prefix.address, rng.randbytes(len(prefix.address)), strict=True))
            for address in (prefix.address, noise, rng.randbytes(len(prefix.address))):
                lookup = table.lookup_ipv4 if len(address) == 4 else table.lookup_ipv6
                assert lookup(address) == expected(address), f"seed {seed}"


def test_a_prefix_moves_to_its_new_owner_and_to_the_end_of_the_list() -> None:
    t = Table()
    for text in ("10.0.0.0/8", "10.1.0.0/16", "fd00::/8"):
        t.insert("a", text)
    t.insert("b", "10.1.2.3/16")
    assert t.listing("a") == ["10.0.0.0/8", "fd00::/8"]
    assert t.listing("b") == ["10.1.0.0/16"]
    t.insert("a", "10.0.0.0/8")
    assert t.listing("a") == ["fd00::/8", "10.0.0.0/8"]


def test_mapped_prefixes_stay_ipv6() -> None:
    t = Table()
    t.insert("a", "::ffff:1.2.3.4/120")
    assert t.listing("a") == ["::ffff:1.2.3.0/120"]
    assert t.lookup("1.2.3.4") is None
    assert t.lookup("::ffff:1.2.3.9") == "a"
