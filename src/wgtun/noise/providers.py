"""Makes the crypto provider that `backend` chose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wgtun.backend import backend

if TYPE_CHECKING:
    from wgtun.noise.provider import CryptoProvider


def make_provider() -> CryptoProvider:
    if backend() == "native":
        import wgtun_native

        return wgtun_native.Provider()
    from wgtun.noise.pyca import PycaProvider

    return PycaProvider()
