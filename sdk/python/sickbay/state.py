"""Small values kept between the runs of one check and target: rates, trends, cursors.

64 keys of 128 bytes, 16 KiB in all. They are read before the run and written with its result: a run that fails writes nothing.
"""

from __future__ import annotations

import json
from typing import Any, Protocol

from . import _host


class Backend(Protocol):
    """Who keeps them."""

    def get(self, key: str) -> bytes | None: ...
    def put(self, key: str, value: bytes) -> None: ...
    def remove(self, key: str) -> None: ...


def get(key: str) -> bytes | None:
    """What was put under that key, by an earlier run or by this one."""
    return _host.current().state.get(key)


def put(key: str, value: bytes) -> None:
    """Keeps a value; a `QuotaError` says which bound it passes."""
    _host.current().state.put(key, value)


def remove(key: str) -> None:
    """Forgets a key; no matter whether it was there."""
    _host.current().state.remove(key)


def get_json(key: str, default: Any = None) -> Any:
    """What was put with `put_json`. What cannot be read (another version of the plugin wrote it) counts as absent."""
    kept = get(key)
    if kept is None:
        return default
    try:
        return json.loads(kept)
    except ValueError:
        return default


def put_json(key: str, value: Any) -> None:
    """Keeps a value as JSON."""
    put(key, json.dumps(value, separators=(",", ":")).encode())
