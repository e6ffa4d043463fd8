"""The host as a component sees it: one object for each interface of its world."""

from __future__ import annotations

import importlib
import time
from typing import Any

from ..errors import ConfigurationError

CAPABILITIES = ("http", "postgres", "redis", "net", "secrets", "files", "system", "state", "log")


class GuestClock:
    """WASI's clocks, which are the host's."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


class Absent:
    """An interface that the component's world leaves out."""

    def __init__(self, capability: str) -> None:
        self._capability = capability

    def __getattr__(self, name: str) -> Any:
        raise ConfigurationError(
            f"this component was built for a world without `{self._capability}`; hint: import sickbay:plugin/{self._capability} in it"
        )


class GuestHost:
    """What the component's world lends."""

    http: Any
    postgres: Any
    redis: Any
    net: Any
    secrets: Any
    files: Any
    system: Any
    state: Any
    log: Any

    def __init__(self) -> None:
        self.clock = GuestClock()
        for capability in CAPABILITIES:
            setattr(self, capability, _lent(capability))


def _lent(capability: str) -> Any:
    try:
        importlib.import_module(f"wit_world.imports.{capability}")
    except ModuleNotFoundError:
        return Absent(capability)
    return importlib.import_module(f"{__package__}.{capability}").Lent()
