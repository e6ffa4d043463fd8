"""Redis by the name of a source, as far as `grants = { redis = [...] }` allows: commands and key patterns.

The host connects, authenticates and keeps the credentials.

    waiting = redis.source("cache").run("LLEN", "celery")

A reply comes as Python's own types.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from . import _host
from .errors import AuthenticationError, ConfigurationError, ContentError, ServiceError, SickbayError, TooManyConnectionsError

#: An argument of a command; a number is written as text.
Argument = str | bytes | int | float

# The server's state, by the first word of its refusal; any other is the command's fault.
_STATES = {
    "LOADING": "unavailable",
    "BUSY": "unavailable",
    "MASTERDOWN": "unavailable",
    "CLUSTERDOWN": "unavailable",
    "TRYAGAIN": "unavailable",
    "MISCONF": "unavailable",
    "OOM": "memory",
}


class ReplyStateError(ServiceError):
    """The server refused a command because of its own state: `LOADING`, `OOM`, ..."""


class ReplyError(ConfigurationError):
    """The server refused the command: `WRONGTYPE`, `NOPERM`, ..."""


def refusal(message: str) -> SickbayError:
    """What the server's refusal means."""
    word = message.split(" ", 1)[0]
    if word in ("NOAUTH", "WRONGPASS"):
        return AuthenticationError(message)
    if word in _STATES:
        return ReplyStateError(_STATES[word], message)
    if "max number of clients" in message:
        return TooManyConnectionsError(message)
    return ReplyError(message)


class Backend(Protocol):
    """Who asks the server. A reply is None, an int, a float, a bool, text, bytes, a list, a dict, or the refusal as an exception."""

    def run(self, source: str, command: list[bytes], timeout: float | None) -> Any: ...
    def run_many(self, source: str, commands: list[list[bytes]], timeout: float | None) -> list[Any]: ...


class Info(dict[str, str]):
    """What `INFO` says, by the name of the field."""

    def number(self, name: str) -> float:
        """A number that every server tells: without it the answer is not what `INFO` answers."""
        try:
            number = float(self[name])
        except (KeyError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise ContentError(f"INFO tells no number {name}")
        return number


@dataclass(frozen=True, slots=True)
class Source:
    """A source of the configuration."""

    name: str
    #: Strings of replies as text, with U+FFFD for what is not UTF-8; otherwise as bytes.
    text: bool = True
    #: Seconds for one call; the run's deadline bounds it too.
    timeout: float | None = None

    def run(self, *command: Argument) -> Any:
        """One command with its arguments. What the server refused is raised."""
        return self._read(accepted(_host.current().redis.run(self.name, _bytes(command), self.timeout)))

    def run_many(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """At most 256 commands in one round trip, replies in order. What the server refused stands in its place as an exception."""
        replies = _host.current().redis.run_many(self.name, [_bytes(command) for command in commands], self.timeout)
        return [self._read(reply) for reply in replies]

    def info(self, *sections: str) -> Info:
        """What `INFO` says in these sections, in one round trip."""
        info = Info()
        for reply in self.run_many([("INFO", section) for section in sections]):
            for line in str(accepted(reply)).splitlines():
                name, colon, value = line.partition(":")
                if colon and not line.startswith("#"):
                    info[name] = value
        return info

    def _read(self, reply: Any) -> Any:
        if isinstance(reply, bytes):
            return reply.decode(errors="replace") if self.text else reply
        if isinstance(reply, str):
            return reply if self.text else reply.encode()
        if isinstance(reply, list):
            return [self._read(item) for item in reply]
        if isinstance(reply, dict):
            return {self._read(key): self._read(value) for key, value in reply.items()}
        return reply


def source(name: str, *, text: bool = True, timeout: float | None = None) -> Source:
    """The source that the configuration calls so."""
    return Source(name, text, timeout)


def accepted(reply: Any) -> Any:
    """The reply, or what the server refused as an exception."""
    if isinstance(reply, SickbayError):
        raise reply
    return reply


def _bytes(command: Sequence[Argument]) -> list[bytes]:
    return [argument if isinstance(argument, bytes) else str(argument).encode() for argument in command]
