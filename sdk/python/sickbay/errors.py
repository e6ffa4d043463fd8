"""Whose mistake a failed call was.

"Unknown is not down": a service that refuses, hangs or answers wrongly is critical; a missing grant, a spent quota or a wrong
configuration says nothing about the service, and the host records `unknown`.

- `ServiceError`: what the *service* did. A check that lets it pass becomes a critical report with its failure kind.
- `PluginError`: what the *plugin or its configuration* did. The run becomes a failure, which the host records as `unknown`.
- Any other exception is a defect of the plugin: a failure `internal`, with its traceback in the log.
"""

from __future__ import annotations

from typing import ClassVar

from ._words import expect_word


class SickbayError(Exception):
    """Anything that a call to the host can fail with."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class ServiceError(SickbayError):
    """The service did it. `failure` is the word that recoveries are matched by."""

    def __init__(self, failure: str, message: str) -> None:
        super().__init__(message)
        self.failure = expect_word("failure kind", failure)


class _KnownServiceError(ServiceError):
    """One of the kinds that the host tells."""

    kind: ClassVar[str]

    def __init__(self, message: str) -> None:
        super().__init__(self.kind, message)


class DnsError(_KnownServiceError):
    """The name does not resolve."""

    kind = "dns"


class RefusedError(_KnownServiceError, ConnectionRefusedError):
    """The port is closed."""

    kind = "refused"


class UnreachableError(_KnownServiceError, ConnectionError):
    """No connection came about for another reason, or nobody knows why."""

    kind = "connection"


class TlsError(_KnownServiceError):
    """The handshake failed, or the certificate is not trusted."""

    kind = "tls"


class TimedOutError(_KnownServiceError, TimeoutError):
    """No answer in time; `timeout` and the run's own deadline bound each call."""

    kind = "timeout"


class ProtocolError(_KnownServiceError):
    """What came is not what the protocol says, or ended early."""

    kind = "protocol"


class AuthenticationError(_KnownServiceError):
    """The server refused the source's credentials."""

    kind = "authentication"


class TooManyConnectionsError(_KnownServiceError):
    """The server has no connection left."""

    kind = "too-many-connections"


class ContentError(_KnownServiceError):
    """The service answered, and not what it should."""

    kind = "content"


class StatusError(ContentError):
    """An HTTP status that is not 2xx, by `response.raise_for_status()`."""

    #: Statuses below 500 that ask to come again: with another credential, which can be mended, or later.
    PASSING: ClassVar[tuple[int, ...]] = (401, 403, 407, 408, 425, 429)

    def __init__(self, message: str, status: int, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        #: Seconds, where the service asked for them.
        self.retry_after = retry_after

    @property
    def is_for_good(self) -> bool:
        """Whether the same request would be refused again."""
        return 400 <= self.status < 500 and self.status not in self.PASSING


class MissingFileError(_KnownServiceError, FileNotFoundError):
    """Nothing has that name."""

    kind = "missing"


class FileSystemError(_KnownServiceError):
    """The operating system refused a file to the host."""

    kind = "file-system"


class PluginError(SickbayError):
    """The plugin, its configuration or its grants did it."""

    kind: ClassVar[str] = "internal"


class DeniedError(PluginError):
    """A grant is missing. `hint` is the line of configuration that would allow it, or empty where none would help."""

    kind = "denied"

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(f"{reason}; hint: {hint}" if hint else reason)
        self.reason = reason
        self.hint = hint


class QuotaError(PluginError):
    """A quota of the run is used up."""

    kind = "quota"


class ConfigurationError(PluginError):
    """The configuration cannot be worked with, or the request breaks a bound."""

    kind = "configuration"


class InternalError(PluginError):
    """A defect of the plugin, or an answer of the host that nothing can be judged by."""

    kind = "internal"
