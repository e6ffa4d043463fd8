"""Connections and names below HTTP, as far as `grants = { net = [...] }` allows: `tcp://host:port`, `tls://host:port`, `unix:///path`,
`dns://name`.

    with net.connect("mail.internal:25") as connection:
        banner = connection.receive_line()

What came too late, or not at all, is raised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from . import _host
from .network import Timings, TlsSession

#: The longest line that `receive_line` reads.
LINE_BYTES_MAX = 8 << 10


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect and how."""

    #: `host:port` or `unix:/path`
    address: str
    #: From the first byte.
    tls: bool = False
    #: For SNI and the certificate, where it is not the host of the address; also for `start_tls`.
    server_name: str | None = None
    #: Go on with a certificate that is not trusted; `untrusted` of the session says why it is not.
    accept_untrusted: bool = False
    #: Seconds for connecting, with TLS; the run's deadline bounds it too.
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection as it was when it was opened."""

    #: Address and port that answered, or the path of the UNIX socket.
    peer: str
    timings: Timings
    tls: TlsSession | None = None


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """What a lookup found."""

    #: As text, in the order they came: `10 mail.example.com`.
    records: Sequence[str]
    #: The lowest time to live among them, in seconds, where it is known.
    ttl: int | None = None
    #: Seconds that the lookup took.
    elapsed: float = 0.0


class Wire(Protocol):
    """An open connection of a backend."""

    def opened(self) -> Opened: ...
    def send(self, data: bytes) -> None: ...
    def receive(self, until: bytes, bytes_max: int, timeout: float | None) -> bytes: ...
    def start_tls(self) -> TlsSession: ...
    def close(self) -> None: ...


class Backend(Protocol):
    """Who connects and looks names up."""

    def connect(self, target: Target) -> Wire: ...
    def resolve(self, name: str, kind: str) -> DnsAnswer: ...


class Connection:
    """A connection that stands. Use it in a `with`: an instance that ends its run with one open is not kept for the next."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        opened = wire.opened()
        self.peer = opened.peer
        self.timings = opened.timings
        self.tls = opened.tls

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes it; again does nothing."""
        self._wire.close()

    def send(self, data: bytes | str) -> None:
        """At most 1 MiB. Placeholders of secrets are filled in by the host."""
        self._wire.send(data.encode() if isinstance(data, str) else data)

    def receive(self, size: int, *, timeout: float | None = None) -> bytes:
        """Exactly that many bytes; fewer when the peer closes. At most 1 MiB."""
        return self._wire.receive(b"", size, timeout)

    def receive_until(self, until: bytes, size_max: int, *, timeout: float | None = None) -> bytes:
        """Up to and with `until`, at most `size_max` bytes."""
        return self._wire.receive(until, size_max, timeout)

    def receive_line(self, *, timeout: float | None = None) -> str:
        """One line without its end, with U+FFFD for what is not UTF-8."""
        return self.receive_until(b"\n", LINE_BYTES_MAX, timeout=timeout).decode(errors="replace").rstrip("\r\n")

    def start_tls(self) -> TlsSession:
        """STARTTLS: from here on it is encrypted. Refused while unread bytes are held."""
        self.tls = self._wire.start_tls()
        return self.tls


def connect(
    address: str,
    *,
    tls: bool = False,
    server_name: str | None = None,
    accept_untrusted: bool = False,
    timeout: float | None = None,
) -> Connection:
    """Connects; `Target` says what the arguments mean. At most 8 connections are open at once."""
    return Connection(_host.current().net.connect(Target(address, tls, server_name, accept_untrusted, timeout)))


def resolve(name: str, kind: str = "A") -> DnsAnswer:
    """Records of a name; the kind is `A`, `AAAA`, `CNAME`, `MX`, `TXT`, `SRV`, `NS`, ..."""
    return _host.current().net.resolve(name, kind)
