"""The kinds `http`, `net` and `dns`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from told import Lines, digest, optional, session, string, text, timings, truth

from sickbay import Key, Report, Request, SickbayError, check, gauge, http, net
from sickbay.network import Timings

#: A longer body is told by its length and a digest.
BODY_BYTES_TOLD_MAX = 256
LINE_BYTES_MAX = 1024
BEHIND_TLS_BYTES = 4

PHASES = [
    gauge("dns_seconds", "looking the name up", "seconds"),
    gauge("connect_seconds", "opening the connection", "seconds"),
    gauge("tls_seconds", "the TLS handshake", "seconds"),
    gauge("first_byte_seconds", "from the request to the first byte of the answer", "seconds"),
    gauge("total_seconds", "the whole exchange", "seconds"),
]


@dataclass
class HttpConfig:
    urls: Annotated[list[str], "Where to"]
    method: str = "GET"
    body: Annotated[str, "What is sent, as `text/plain`; nothing where it is empty"] = ""
    redirects_max: Annotated[int, Key(minimum=0, maximum=10)] = http.REDIRECTS_MAX_DEFAULT
    body_bytes_max: Annotated[int, Key("0: as many as there are unless told otherwise", minimum=0)] = 0
    accept_untrusted: bool = False
    together: Annotated[bool, "In one call"] = False
    tell_errors: Annotated[bool, "Whether an error is a line"] = False


@check(
    "http",
    summary="Tells what a web server answered",
    example={"urls": ["http://127.0.0.1:9470/livez"]},
    metrics=PHASES,
)
def ask_http(request: Request[HttpConfig]) -> Report:
    config = request.config
    lines = Lines()
    last: Timings | None = None
    for answer in sent(config):
        if isinstance(answer, SickbayError):
            lines.failed(answer, config.tell_errors)
            continue
        tell_response(lines, answer)
        last = answer.timings
    return timings(lines.report(), last)


def sent(config: HttpConfig) -> list[http.Response | SickbayError]:
    options = http.Options(
        redirects_max=config.redirects_max,
        body_bytes_max=config.body_bytes_max or None,
        accept_untrusted=config.accept_untrusted,
    )
    headers = {"content-type": "text/plain"} if config.body else {}
    requests = [http.build(config.method, url, headers=headers, body=config.body or None) for url in config.urls]
    if config.together:
        return http.send_many(requests, options)
    answers: list[http.Response | SickbayError] = []
    for one in requests:
        try:
            answers.append(
                http.request(
                    one.method,
                    one.url,
                    headers=one.headers,
                    body=one.body,
                    redirects_max=options.redirects_max,
                    body_bytes_max=options.body_bytes_max,
                    accept_untrusted=options.accept_untrusted,
                )
            )
        except SickbayError as error:
            answers.append(error)
            if not config.tell_errors:
                break
    return answers


def tell_response(lines: Lines, answer: http.Response) -> None:
    lines.append(f"status {answer.status}")
    lines.append(f"version {text(answer.version)}")
    lines.append(f"url {text(answer.url)}")
    tell_headers(lines, "header", answer.headers)
    lines.append(body(answer.body))
    lines.append(f"truncated {truth(answer.truncated)}")
    for redirect in answer.redirects:
        lines.append(f"redirect {redirect.status} {text(redirect.url)}")
        tell_headers(lines, "redirect-header", redirect.headers)
    lines.append(f"peer {optional(answer.peer)}")
    session(lines, answer.tls)


def tell_headers(lines: Lines, word: str, headers: http.Headers) -> None:
    """By name; those of one name in their order."""
    for name, value in sorted(headers.pairs, key=lambda pair: pair[0].encode()):
        lines.append(f"{word} {text(name)} {text(value)}")


def body(told: bytes) -> str:
    return f"body {string(told)}" if len(told) <= BODY_BYTES_TOLD_MAX else f"body {len(told)} {digest([told])}"


@dataclass
class NetConfig:
    addresses: Annotated[list[str], "Where to connect"]
    tls: Annotated[bool, "From the first byte"] = False
    server_name: str = ""
    accept_untrusted: bool = False
    say: Annotated[str, "What is sent, before a line is received; nothing where it is empty"] = ""
    start_tls: Annotated[bool, "TLS after that, and four bytes"] = False
    tell_errors: Annotated[bool, "Whether an error is a line"] = False


@check("net", summary="Tells of connections", example={"addresses": ["127.0.0.1:9470"]}, metrics=PHASES)
def connect(request: Request[NetConfig]) -> Report:
    config = request.config
    lines = Lines()
    last: Timings | None = None
    for address in config.addresses:
        try:
            last = talk(config, address, lines)
        except SickbayError as error:
            lines.failed(error, config.tell_errors)
    return timings(lines.report(), last)


def talk(config: NetConfig, address: str, lines: Lines) -> Timings:
    server_name = config.server_name or None
    with net.connect(
        address, tls=config.tls, server_name=server_name, accept_untrusted=config.accept_untrusted
    ) as connection:
        lines.append(f"peer {text(connection.peer)}")
        session(lines, connection.tls)
        if config.say:
            connection.send(config.say)
            line = connection.receive_until(b"\n", LINE_BYTES_MAX)
            lines.append(f"received {string(line)}")
        if config.start_tls:
            session(lines, connection.start_tls())
            lines.append(f"received {string(connection.receive(BEHIND_TLS_BYTES))}")
        return connection.timings


@dataclass
class DnsConfig:
    names: Annotated[list[str], "What is looked up"]
    record: Annotated[str, "A, AAAA, CNAME, MX, TXT, SRV, NS, ..."] = "A"
    tell_errors: Annotated[bool, "Whether an error is a line"] = False


@check(
    "dns",
    summary="Tells what a name resolves to",
    example={"names": ["localhost"]},
    metrics=[gauge("elapsed_seconds", "the last lookup", "seconds")],
)
def resolve(request: Request[DnsConfig]) -> Report:
    config = request.config
    lines = Lines()
    last: net.DnsAnswer | None = None
    for name in config.names:
        try:
            last = net.resolve(name, config.record)
        except SickbayError as error:
            lines.failed(error, config.tell_errors)
            continue
        lines.extend(f"record {text(record)}" for record in last.records)
        lines.append(f"ttl {'null' if last.ttl is None else last.ttl}")
    report = lines.report()
    return report if last is None else report.add_metric("elapsed_seconds", last.elapsed, "seconds")


KINDS = [ask_http, connect, resolve]
