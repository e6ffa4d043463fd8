"""The contract's `state`."""

from __future__ import annotations

from componentize_py_types import Err
from wit_world.imports import state as wire

from ..errors import QuotaError


class Lent:
    """Keeps small values."""

    def get(self, key: str) -> bytes | None:
        kept: bytes | None = wire.get(key)
        return kept

    def put(self, key: str, value: bytes) -> None:
        try:
            wire.put(key, value)
        except Err as error:
            raise QuotaError(error.value) from None

    def remove(self, key: str) -> None:
        wire.remove(key)
