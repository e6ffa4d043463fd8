"""The contract's `secrets`."""

from __future__ import annotations

from wit_world.imports import secrets as wire

from .. import _bounds
from ..secrets import SecretInfo
from .failures import call


class Lent:
    """Uses secrets."""

    def inspect(self, secret: str) -> SecretInfo:
        info = call(wire.inspect, secret)
        return SecretInfo(None if info.changed_at is None else _bounds.moment(info.changed_at), info.versions)

    def sign(self, secret: str, algorithm: str, prefix: str, data: bytes) -> list[bytes]:
        return call(wire.sign, secret, algorithm, prefix, data)

    def encode(self, text: str, encoding: str) -> str:
        placeholder: str = call(wire.encode, _bounds.clean(text), encoding)
        return placeholder
