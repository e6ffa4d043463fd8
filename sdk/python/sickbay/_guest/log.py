"""The contract's `log`."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from wit_world.imports import log as wire

from .. import _bounds
from .types import labels


class Lent:
    """Takes lines."""

    def write(self, level: int, message: str, fields: Mapping[str, str]) -> None:
        wire.write(_level(level), _bounds.clean(message), labels(fields))


def _level(level: int) -> wire.Level:
    if level >= logging.ERROR:
        return wire.Level.ERROR
    if level >= logging.WARNING:
        return wire.Level.WARN
    if level >= logging.INFO:
        return wire.Level.INFO
    if level >= logging.DEBUG:
        return wire.Level.DEBUG
    return wire.Level.TRACE
