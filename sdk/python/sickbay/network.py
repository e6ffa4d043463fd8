"""What `http` and `net` both tell of a connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds; `None` where the phase did not happen."""

    #: From the start of the exchange to its last byte, redirects included.
    total: float
    #: Looking the name up.
    dns: float | None = None
    #: Opening the TCP or UNIX connection.
    connect: float | None = None
    #: The TLS handshake.
    tls: float | None = None
    #: From sending the request to the first byte of the answer.
    first_byte: float | None = None


@dataclass(frozen=True, slots=True)
class Certificate:
    """One X.509 certificate as the server sent it."""

    #: Distinguished name: `CN=example.com`.
    subject: str
    issuer: str
    #: DNS names and IP addresses that it is for.
    dns_names: Sequence[str]
    not_before: datetime
    not_after: datetime
    #: Fingerprint: 64 lower-case hex digits.
    sha256: str


@dataclass(frozen=True, slots=True)
class TlsSession:
    """What a TLS handshake agreed on."""

    version: str
    cipher: str
    #: Why the certificate would be refused (`expired`, `self-signed`, `wrong-name`, ...); `None` when it is trusted.
    untrusted: str | None
    #: Leaf first.
    chain: Sequence[Certificate]
