"""Connections and names of the scripted host: one `Dialogue` for each connection and one answer for each lookup, in order."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime

from ..errors import ProtocolError, SickbayError, TlsError
from ..net import DnsAnswer, Opened, Target
from ..network import Certificate, Timings, TlsSession
from .rest import FakeClock
from .script import Script

#: What an answer takes unless the test says otherwise.
SECONDS = 0.001


def tls_until(not_after: datetime) -> TlsSession:
    """A session with one certificate, for `localhost`, that is good until then."""
    begin = datetime(2020, 1, 1, tzinfo=UTC)
    certificate = Certificate("CN=localhost", "CN=test", ["localhost"], begin, not_after, "00" * 32)
    return TlsSession("TLS 1.3", "TLS_AES_128_GCM_SHA256", None, [certificate])


class Dialogue:
    """What one connection says, and what it was told."""

    def __init__(self, answers: tuple[bytes | str, ...], tls: TlsSession | None, tls_after_start: TlsSession | None) -> None:
        self._answers = deque(answer.encode() if isinstance(answer, str) else answer for answer in answers)
        self._held = b""
        self._tls = tls
        self._tls_after_start = tls_after_start
        #: Everything that the plugin sent, in order.
        self.said: list[bytes] = []
        self.is_closed = False

    def opened(self) -> Opened:
        return Opened("127.0.0.1:1", Timings(SECONDS, connect=SECONDS), self._tls)

    def send(self, data: bytes) -> None:
        self.said.append(data)

    def receive(self, until: bytes, bytes_max: int, timeout: float | None) -> bytes:
        while self._answers and not (until and until in self._held) and len(self._held) < bytes_max:
            self._held += self._answers.popleft()
        size = min(bytes_max, len(self._held))
        if until:
            end = self._held.find(until, 0, bytes_max)
            if end < 0 and len(self._held) < bytes_max:
                raise ProtocolError("the peer closed the connection before the answer was whole")
            size = bytes_max if end < 0 else end + len(until)
        received, self._held = self._held[:size], self._held[size:]
        return received

    def start_tls(self) -> TlsSession:
        if self._tls_after_start is None:
            raise TlsError("the test scripted no TLS")
        return self._tls_after_start

    def close(self) -> None:
        self.is_closed = True


class FakeNet:
    """What peers and name servers answer, and what they were asked."""

    def __init__(self, clock: FakeClock) -> None:
        self._connections: Script[Dialogue] = Script(clock)
        self._names: Script[DnsAnswer] = Script(clock)
        #: Every connection that was asked for.
        self.targets: list[Target] = []
        #: Every lookup, as (name, kind).
        self.lookups: list[tuple[str, str]] = []

    def dialogue(
        self, *answers: bytes | str, tls: TlsSession | None = None, start_tls: TlsSession | None = None, after: float = SECONDS
    ) -> Dialogue:
        """The next connection comes about, says these things, and then closes."""
        dialogue = Dialogue(answers, tls, start_tls)
        self._connections.add(dialogue, after)
        return dialogue

    def fail(self, error: SickbayError, *, after: float = SECONDS) -> None:
        """The next connection does not come about: `RefusedError(..)`, `TlsError(..)`, ..."""
        self._connections.add(error, after)

    def records(self, *records: str, ttl: int | None = 60, after: float = SECONDS) -> None:
        """Answers the next lookup."""
        self._names.add(DnsAnswer(records, ttl, after), after)

    def fail_lookup(self, error: SickbayError, *, after: float = SECONDS) -> None:
        """The next lookup fails: `DnsError(..)`, ..."""
        self._names.add(error, after)

    def connect(self, target: Target) -> Dialogue:
        self.targets.append(target)
        return self._connections.next(f"a connection to {target.address}", target.timeout)

    def resolve(self, name: str, kind: str) -> DnsAnswer:
        self.lookups.append((name, kind))
        return self._names.next(f"{kind} {name}", None)
