"""Which peer owns an address: longest-prefix match over the allowed IPs of all peers.

One table per family: for each prefix length in use a dictionary from the leading bits to the
owner, looked through from the longest length to the shortest. Inserting and removing are O(1),
looking up costs one dictionary probe per length in use, which in practice is one to three; in
Python that beats walking a trie bit by bit. Semantics: reference 4.7.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from wgtun.allowed_ip import AllowedIP

Owner = TypeVar("Owner")


class _Family(Generic[Owner]):
    """The prefixes of one address size."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        # Keyed by the count of host bits, so that iteration from few to many is longest first.
        self._by_host_bits: dict[int, dict[int, Owner]] = {}
        self._search: list[tuple[int, dict[int, Owner]]] = []

    def lookup(self, address: bytes | memoryview) -> Owner | None:
        value = int.from_bytes(address, "big")
        for host_bits, owners in self._search:
            owner = owners.get(value >> host_bits)
            if owner is not None:
                return owner
        return None

    def swap(self, prefix: AllowedIP, owner: Owner) -> Owner | None:
        """Give the prefix to `owner`; returns who had it."""
        host_bits = self._bits - prefix.length
        owners = self._by_host_bits.get(host_bits)
        if owners is None:
            owners = self._by_host_bits[host_bits] = {}
            self._search = sorted(self._by_host_bits.items())
        key = int.from_bytes(prefix.address, "big") >> host_bits
        before = owners.get(key)
        owners[key] = owner
        return before

    def remove(self, prefix: AllowedIP) -> None:
        host_bits = self._bits - prefix.length
        owners = self._by_host_bits[host_bits]
        del owners[int.from_bytes(prefix.address, "big") >> host_bits]
        if not owners:
            del self._by_host_bits[host_bits]
            self._search = sorted(self._by_host_bits.items())


class AllowedIPs(Generic[Owner]):
    """The allowed IPs of all peers, with each owner's list in the order of insertion."""

    def __init__(self) -> None:
        self._families: dict[int, _Family[Owner]] = {4: _Family(32), 16: _Family(128)}
        self._lists: dict[Owner, dict[AllowedIP, None]] = {}
        self.lookup_ipv4 = self._families[4].lookup
        self.lookup_ipv6 = self._families[16].lookup

    def insert(self, owner: Owner, prefix: AllowedIP) -> None:
        """Add the prefix at the end of the owner's list; it leaves whoever had it."""
        before = self._families[len(prefix.address)].swap(prefix, owner)
        if before is not None:
            self._unlist(before, prefix)
        self._lists.setdefault(owner, {})[prefix] = None

    def remove(self, owner: Owner, prefix: AllowedIP) -> None:
        """Remove exactly this prefix, and only if it belongs to this owner."""
        if prefix in self._lists.get(owner, ()):
            self._families[len(prefix.address)].remove(prefix)
            self._unlist(owner, prefix)

    def clear(self, owner: Owner) -> None:
        """Remove all prefixes of the owner."""
        for prefix in self._lists.pop(owner, {}):
            self._families[len(prefix.address)].remove(prefix)

    def of(self, owner: Owner) -> list[AllowedIP]:
        """The owner's prefixes in the order of insertion."""
        return list(self._lists.get(owner, ()))

    def _unlist(self, owner: Owner, prefix: AllowedIP) -> None:
        prefixes = self._lists[owner]
        del prefixes[prefix]
        if not prefixes:
            del self._lists[owner]
