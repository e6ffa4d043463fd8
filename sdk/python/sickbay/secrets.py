"""Uses of a secret that never show it, as far as `grants = { secrets = [...] }` allows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from . import _host


@dataclass(frozen=True, slots=True)
class SecretInfo:
    """What may be known of a secret."""

    #: Where the host can know it.
    changed_at: datetime | None = None
    #: 2 while one is being rotated.
    versions: int = 1


class Backend(Protocol):
    """Who has the secrets."""

    def inspect(self, secret: str) -> SecretInfo: ...
    def sign(self, secret: str, algorithm: str, prefix: str, data: bytes) -> list[bytes]: ...
    def encode(self, text: str, encoding: str) -> str: ...


def inspect(secret: str) -> SecretInfo:
    """Tells when a secret changed, never what it is."""
    return _host.current().secrets.inspect(secret)


def sign(
    secret: str, data: bytes | str, *, algorithm: Literal["hmac-sha256", "hmac-sha512", "hmac-sha1"] = "hmac-sha256", prefix: str = ""
) -> list[bytes]:
    """One signature per active version, newest first. The key is `prefix` and then the secret; at most 1 MiB of data."""
    return _host.current().secrets.sign(secret, algorithm, prefix, data.encode() if isinstance(data, str) else data)


def encode(text: str, encoding: Literal["base64", "percent"]) -> str:
    """A new placeholder for `text` in that encoding with the placeholders in it filled: HTTP Basic, SMTP AUTH."""
    return _host.current().secrets.encode(text, encoding)
