"""What time it is, by the host's clock. Tests set it; Python's own `time` and `datetime.now()` tell the same, and tests do not."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from . import _bounds, _host


class Backend(Protocol):
    """Who tells the time."""

    def now_ms(self) -> int: ...
    def monotonic(self) -> float: ...


def now() -> datetime:
    """The time of day, in UTC."""
    return _bounds.moment(now_ms())


def now_ms() -> int:
    """Milliseconds since 1970-01-01T00:00:00Z."""
    return _host.current().clock.now_ms()


def monotonic() -> float:
    """Seconds since some moment: the difference of two is how long it took, whatever was done to the time of day meanwhile."""
    return _host.current().clock.monotonic()
