"""HTTP of the scripted host: one answer for each request, in order."""

from __future__ import annotations

import json as json_format
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..errors import SickbayError
from ..http import Headers, Options, Request, Response
from ..network import Timings, TlsSession
from .rest import FakeClock
from .script import Script

#: What an answer takes unless the test says otherwise.
SECONDS = 0.001


class FakeHttp:
    """What services answer, and what they were sent."""

    def __init__(self, clock: FakeClock) -> None:
        self._script: Script[Response] = Script(clock)
        #: Every request, in order.
        self.sent: list[Request] = []
        #: How each was to go.
        self.options: list[Options] = []

    def reply(
        self,
        status: int = 200,
        body: bytes | str = b"",
        *,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        tls: TlsSession | None = None,
        truncated: bool = False,
        after: float = SECONDS,
    ) -> None:
        """Answers the next request, `after` that many seconds; `json` is the body as JSON."""
        if json is not None:
            body = json_format.dumps(json)
        content = body.encode() if isinstance(body, str) else body
        told = Headers(list((headers or {}).items()))
        self._script.add(Response(status, told, content, Timings(after), truncated=truncated, tls=tls), after)

    def fail(self, error: SickbayError, *, after: float = SECONDS) -> None:
        """Fails the next request: `RefusedError("connection refused")`, `DeniedError(..)`, ..."""
        self._script.add(error, after)

    def send(self, request: Request, options: Options) -> Response:
        self.sent.append(request)
        self.options.append(options)
        answer = self._script.next(f"{request.method} {request.url}", options.timeout)
        return replace(answer, url=answer.url or request.url)

    def send_many(self, requests: Sequence[Request], options: Options) -> list[Response | SickbayError]:
        answers: list[Response | SickbayError] = []
        for request in requests:
            try:
                answers.append(self.send(request, options))
            except SickbayError as error:
                answers.append(error)
        return answers
