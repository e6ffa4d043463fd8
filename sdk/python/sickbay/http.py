"""HTTP requests, as far as `grants = { http = [...] }` allows.

The host sends them: it authorises the URL and every address that it resolves to, measures the phases, reports the certificate, and ends the
call before the run's own deadline, so that a hung service is seen as a timeout of the service.

    queue = http.get("https://api.internal/queue", headers={"accept": "application/json"}).json(list[Job])

Any status is an answer; only `raise_for_status()` makes an error of one.
"""

from __future__ import annotations

import json as json_format
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, TypedDict, TypeVar, Unpack, overload

from . import _annotations, _host
from .errors import ContentError, SickbayError, StatusError
from .network import Timings, TlsSession

T = TypeVar("T")

#: The redirects that a call follows unless told otherwise.
REDIRECTS_MAX_DEFAULT = 5


class Headers(Mapping[str, str]):
    """Headers by name, whatever its case. A name that came more than once has its first value here; `get_all` has all of them."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: Sequence[tuple[str, str]] = ()) -> None:
        self.pairs = tuple(pairs)

    def __getitem__(self, name: str) -> str:
        values = self.get_all(name)
        if not values:
            raise KeyError(name)
        return values[0]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name.lower() for name, _ in self.pairs))

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self.pairs})

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.get_all(name))

    def __repr__(self) -> str:
        return f"Headers({list(self.pairs)!r})"

    def get_all(self, name: str) -> list[str]:
        """Every value of that name, in order."""
        wanted = name.lower()
        return [value for other, value in self.pairs if other.lower() == wanted]


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Placeholders of secrets in the URL, a header or the body are filled in by the host."""

    method: str
    url: str
    #: At most 64, 32 KiB in all.
    headers: Mapping[str, str] = field(default_factory=dict)
    #: At most 1 MiB.
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """How an exchange goes."""

    #: Seconds for the whole exchange; the run's deadline bounds it too.
    timeout: float | None = None
    #: 0 answers the redirect itself; at most 10.
    redirects_max: int = REDIRECTS_MAX_DEFAULT
    #: How much of the body is read: at most 1 MiB, 64 KiB unless told otherwise.
    body_bytes_max: int | None = None
    #: Use a kept connection when there is one. Checks want `False`: they test the connection too.
    reuse: bool = False
    #: Go on with a certificate that is not trusted; `tls.untrusted` says why it is not.
    accept_untrusted: bool = False
    #: Dial this instead of the URL's host: `10.0.0.7:443`, `unix:/run/docker.sock`. Needs its own `net` grant.
    connect_to: str | None = None


class Told(TypedDict, total=False):
    """What a call may be told beside its URL, headers and body; `Options` says what each means."""

    timeout: float | None
    redirects_max: int
    body_bytes_max: int | None
    reuse: bool
    accept_untrusted: bool
    connect_to: str | None


@dataclass(frozen=True, slots=True)
class Redirect:
    """One redirect that was followed."""

    status: int
    #: The URL that answered with this redirect.
    url: str
    headers: Headers


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer. Any status is an answer, also 500."""

    status: int
    headers: Headers
    body: bytes
    timings: Timings
    #: The URL that gave this answer: after redirects the last one.
    url: str = ""
    version: str = "HTTP/1.1"
    #: The body went on after `body_bytes_max`.
    truncated: bool = False
    redirects: Sequence[Redirect] = ()
    #: Address and port that answered.
    peer: str | None = None
    #: Absent without TLS.
    tls: TlsSession | None = None
    extras: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The body as text, with U+FFFD for what is not UTF-8."""
        return self.body.decode(errors="replace")

    @property
    def latency_seconds(self) -> float:
        """From the first name lookup to the last byte of the body."""
        return self.timings.total

    @overload
    def json(self) -> Any: ...
    @overload
    def json(self, kind: type[T]) -> T: ...
    def json(self, kind: Any = Any) -> Any:
        """The body as JSON, or as the annotated type that it should be: `json(float)`, `json(list[Job])` with a dataclass `Job`.

        Anything else is the service's fault: `ContentError`. Keys that the type does not have are passed over.
        """
        try:
            value = json_format.loads(self.body)
            return _annotations.of(kind).read(value, "body", strict=False)
        except (ValueError, RecursionError) as error:
            hint = " (only the first part of the body was read)" if self.truncated else ""
            raise ContentError(f"the body is not the JSON that was expected: {error}{hint}") from error

    def raise_for_status(self) -> Self:
        """The response itself where its status is 2xx; otherwise `StatusError`, which is the service's fault."""
        if 200 <= self.status < 300:
            return self
        after = self.headers.get("retry-after", "")
        raise StatusError(f"HTTP {self.status}", self.status, float(after) if after.isdecimal() else None)


class Backend(Protocol):
    """Who sends requests."""

    def send(self, request: Request, options: Options) -> Response: ...
    def send_many(self, requests: Sequence[Request], options: Options) -> list[Response | SickbayError]: ...


def get(url: str, *, headers: Mapping[str, str] | None = None, **told: Unpack[Told]) -> Response:
    """A GET. `Options` says what else it may be told."""
    return request("GET", url, headers=headers, **told)


def head(url: str, *, headers: Mapping[str, str] | None = None, **told: Unpack[Told]) -> Response:
    """A HEAD. `Options` says what else it may be told."""
    return request("HEAD", url, headers=headers, **told)


def post(
    url: str, *, headers: Mapping[str, str] | None = None, body: bytes | str | None = None, json: object = None, **told: Unpack[Told]
) -> Response:
    """A POST of `body`, or of `json` as JSON. `Options` says what else it may be told."""
    return request("POST", url, headers=headers, body=body, json=json, **told)


def request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | str | None = None,
    json: object = None,
    **told: Unpack[Told],
) -> Response:
    """Sends a request and waits for the whole answer; `Options` says what else it may be told. What went wrong is raised."""
    return _host.current().http.send(build(method, url, headers=headers, body=body, json=json), Options(**told))


def send_many(requests: Sequence[Request], options: Options = Options()) -> list[Response | SickbayError]:
    """At most 16 requests, all at once, answers in order. What went wrong stands in its place."""
    return _host.current().http.send_many(requests, options)


def build(
    method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | str | None = None, json: object = None
) -> Request:
    """A request for `send_many`."""
    names = dict(headers or {})
    if json is not None:
        if body is not None:
            raise ValueError("a request has `body` or `json`, not both")
        body = json_format.dumps(json, separators=(",", ":"))
        if not any(name.lower() == "content-type" for name in names):
            names["content-type"] = "application/json"
    return Request(method, url, names, body.encode() if isinstance(body, str) else body)
