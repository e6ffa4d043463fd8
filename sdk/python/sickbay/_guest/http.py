"""The contract's `http`."""

from __future__ import annotations

from collections.abc import Sequence

from componentize_py_types import Ok
from wit_world.imports import http as wire

from .. import _bounds
from ..errors import SickbayError
from ..http import Headers, Options, Redirect, Request, Response
from .failures import call, meaning
from .types import labels_here, timings, tls_session

U8_MAX = 255


class Lent:
    """Sends requests."""

    def send(self, request: Request, options: Options) -> Response:
        return _response(call(wire.send, _request(request), _options(options)))

    def send_many(self, requests: Sequence[Request], options: Options) -> list[Response | SickbayError]:
        answers = wire.send_many([_request(request) for request in requests], _options(options))
        return [_response(answer.value) if isinstance(answer, Ok) else meaning(answer.value) for answer in answers]


def _request(request: Request) -> wire.Request:
    headers = [wire.Header(name, value) for name, value in _bounds.texts(request.headers).items()]
    return wire.Request(request.method, _bounds.clean(request.url), headers, request.body)


def _options(options: Options) -> wire.Options:
    body_bytes_max = options.body_bytes_max
    return wire.Options(
        _bounds.milliseconds("timeout", options.timeout),
        _bounds.unsigned("redirects_max", options.redirects_max, U8_MAX),
        None if body_bytes_max is None else _bounds.unsigned("body_bytes_max", body_bytes_max),
        options.reuse,
        options.accept_untrusted,
        options.connect_to,
        [],
    )


def _response(answer: wire.Response) -> Response:
    return Response(
        answer.status,
        _headers(answer.headers),
        answer.body,
        timings(answer.timings),
        url=answer.url,
        version=answer.version,
        truncated=answer.truncated,
        redirects=[Redirect(redirect.status, redirect.url, _headers(redirect.headers)) for redirect in answer.redirects],
        peer=answer.peer,
        tls=None if answer.tls is None else tls_session(answer.tls),
        extras=labels_here(answer.extras),
    )


def _headers(headers: list[wire.Header]) -> Headers:
    return Headers([(header.name, header.value) for header in headers])
