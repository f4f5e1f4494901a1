"""WireGuard keys: 32 bytes, as raw bytes, as base64 (what `wg` shows) and as hexadecimal (what the UAPI carries)."""

from __future__ import annotations

import hmac
import re
import secrets
from base64 import b64decode, b64encode
from typing import NoReturn, Self, final

from wgtun.constants import KEY_SIZE
from wgtun.errors import InvalidKey

# 43 digits and one "=": the last digit carries four bits, so its two low bits must be zero to be canonical.
_BASE64 = re.compile(r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=", re.ASCII)
_HEX = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)


class _Key:
    """What the three kinds share. Immutable; only keys of the same kind compare, in constant time."""

    __slots__ = ("_raw",)
    _raw: bytes

    def __init__(self, raw: bytes) -> None:
        if len(raw) != KEY_SIZE:
            raise InvalidKey(f"a key has {KEY_SIZE} bytes, not {len(raw)}")
        object.__setattr__(self, "_raw", self._normalised(bytes(raw)))

    @staticmethod
    def _normalised(raw: bytes) -> bytes:
        return raw

    @classmethod
    def from_base64(cls, text: str) -> Self:
        """Read 44 characters of canonical base64. Raises InvalidKey."""
        if _BASE64.fullmatch(text) is None:
            raise InvalidKey("a key is 44 characters of base64")
        return cls(b64decode(text))

    @classmethod
    def from_hex(cls, text: str) -> Self:
        """Read 64 hexadecimal digits of either case. Raises InvalidKey."""
        if _HEX.fullmatch(text) is None:
            raise InvalidKey("a key is 64 hexadecimal digits")
        return cls(bytes.fromhex(text))

    @property
    def raw(self) -> bytes:
        """The 32 bytes."""
        return self._raw

    def __bytes__(self) -> bytes:
        return self._raw

    def base64(self) -> str:
        return b64encode(self._raw).decode("ascii")

    def hex(self) -> str:
        return self._raw.hex()

    def is_zero(self) -> bool:
        """Whether this is the all-zero key, which stands for no key."""
        return hmac.compare_digest(self._raw, bytes(KEY_SIZE))

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return hmac.compare_digest(self._raw, other._raw)

    def __hash__(self) -> int:
        raise TypeError(f"a {type(self).__name__} can't be hashed")  # a hash would tell of the secret

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("keys are immutable")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("keys are immutable")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} can't be pickled")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(hidden)"


@final
class PrivateKey(_Key):
    """A device's secret: a Curve25519 scalar, clamped when made. The all-zero key stays zero: no key."""

    __slots__ = ()

    @staticmethod
    def _normalised(raw: bytes) -> bytes:
        if not any(raw):
            return raw
        return bytes((raw[0] & 248, *raw[1:31], raw[31] & 127 | 64))

    @classmethod
    def generate(cls) -> PrivateKey:
        return cls(secrets.token_bytes(KEY_SIZE))

    def public_key(self) -> PublicKey:
        # Imported here: whoever only parses keys needs no cryptography.
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

        return PublicKey(X25519PrivateKey.from_private_bytes(self._raw).public_key().public_bytes_raw())


@final
class PresharedKey(_Key):
    """A symmetric secret mixed into each handshake of one peer."""

    __slots__ = ()

    @classmethod
    def generate(cls) -> PresharedKey:
        return cls(secrets.token_bytes(KEY_SIZE))


@final
class PublicKey(_Key):
    """The name of a peer."""

    __slots__ = ()

    def __hash__(self) -> int:
        return hash(self._raw)

    def __reduce__(self) -> tuple[type[PublicKey], tuple[bytes]]:  # type: ignore[override]
        return PublicKey, (self._raw,)

    def __repr__(self) -> str:
        return f"PublicKey({self.base64()})"

    def __str__(self) -> str:
        return self.base64()

    def short(self) -> str:
        """The abbreviation of log lines: ``ABCD…WXYZ``."""
        text = self.base64()
        return f"{text[:4]}…{text[39:43]}"
