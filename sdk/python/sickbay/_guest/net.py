"""The contract's `net`."""

from __future__ import annotations

from wit_world.imports import net as wire

from .. import _bounds
from ..net import DnsAnswer, Opened, Target
from ..network import TlsSession
from .failures import call
from .types import timings, tls_session


class Lent:
    """Connects and looks names up."""

    def connect(self, target: Target) -> OpenWire:
        told = wire.Target(
            target.address,
            target.tls,
            target.server_name,
            target.accept_untrusted,
            _bounds.milliseconds("timeout", target.timeout),
            [],
        )
        return OpenWire(call(wire.connect, told))

    def resolve(self, name: str, kind: str) -> DnsAnswer:
        answer = call(wire.dns_resolve, name, kind)
        return DnsAnswer(answer.records, answer.ttl_seconds, answer.elapsed_us / 1e6)


class OpenWire:
    """An open connection."""

    def __init__(self, connection: wire.Connection) -> None:
        self._connection = connection
        self._is_open = True

    def opened(self) -> Opened:
        told = self._connection.opened()
        return Opened(told.peer, timings(told.timings), None if told.tls is None else tls_session(told.tls))

    def send(self, data: bytes) -> None:
        call(self._connection.send, data)

    def receive(self, until: bytes, bytes_max: int, timeout: float | None) -> bytes:
        size = _bounds.unsigned("size", bytes_max)
        received: bytes = call(self._connection.receive, until, size, _bounds.milliseconds("timeout", timeout))
        return received

    def start_tls(self) -> TlsSession:
        return tls_session(call(self._connection.start_tls))

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._connection.__exit__(None, None, None)
