"""The canonical text of what a plugin saw, and the lines that a run tells."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sickbay import PluginError, Report, ServiceError, SickbayError, network, postgres

#: The largest whole number that every language has as a float.
WHOLE_MAX = 9_007_199_254_740_991
INT64_MAX = (1 << 63) - 1

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Lines(list[str]):
    """What a run tells, in `details.told`."""

    def failed(self, error: SickbayError, tell_errors: bool) -> None:
        """Where errors are told, one is a line and the run goes on; otherwise it ends the run."""
        if not tell_errors:
            raise error
        self.append(failure(error))

    def report(self) -> Report:
        report = Report.ok("told")
        report.details = {"told": list(self)}
        return report


def failure(error: SickbayError) -> str:
    told = text(error.message)
    if isinstance(error, postgres.SqlError):
        told = f"sqlstate {text(error.sqlstate)}"
    if isinstance(error, ServiceError):
        return f"error service {error.failure} {told}"
    assert isinstance(error, PluginError)
    return f"error plugin {error.kind} {told}"


def text(value: str) -> str:
    told = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(f"\\u{ord(character):04x}" if character < " " else character for character in told) + '"'


def optional(value: str | None) -> str:
    return "null" if value is None else text(value)


def octets(value: bytes) -> str:
    return f"bytes:{value.hex()}"


def string(value: bytes) -> str:
    """Text where the bytes are UTF-8."""
    try:
        return text(value.decode())
    except UnicodeDecodeError:
        return octets(value)


def truth(value: bool) -> str:
    return "true" if value else "false"


def number(value: int | float) -> str:
    if isinstance(value, int):
        return str(value)
    if value != value:
        return "float:nan"
    bits = struct.pack(">d", value).hex()
    is_minus_zero = bits == "8000000000000000"
    if abs(value) <= WHOLE_MAX and value == int(value) and not is_minus_zero:
        return str(int(value))
    return f"float:{bits}"


def milliseconds(value: datetime) -> str:
    return f"ms:{(value - _EPOCH) // timedelta(milliseconds=1)}"


def items(values: Iterable[str]) -> str:
    return f"[{', '.join(values)}]"


def json(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return truth(value)
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, str):
        return text(value)
    if isinstance(value, list):
        return items(json(item) for item in value)
    fields = sorted(value.items(), key=lambda field: field[0].encode())
    return "{" + ", ".join(f"{text(key)}: {json(inner)}" for key, inner in fields) + "}"


def sql(value: Any) -> str:
    """A value of PostgreSQL."""
    match value:
        case Decimal():
            return text(format(value, "f"))
        case UUID():
            return text(str(value))
        case datetime():
            return f"us:{(value - _EPOCH) // _MICROSECOND}"
        case date():
            return text(value.isoformat())
        case time():
            return text(value.isoformat(timespec="microseconds"))
        case timedelta():
            return f"us:{value // _MICROSECOND}"
        case bytes():
            return octets(value)
        case postgres.Other():
            return f"other:{text(value.type_name)} {text(value.text)}"
    return json(value)


def reply(value: Any) -> str:
    """A reply of Redis. Of a map the keys and values in turn."""
    if isinstance(value, SickbayError):
        return f"failed:{text(value.message)}"
    if isinstance(value, bytes):
        return string(value)
    if isinstance(value, list):
        return items(reply(item) for item in value)
    if isinstance(value, dict):
        return items(reply(part) for pair in value.items() for part in pair)
    if isinstance(value, int) and not -INT64_MAX - 1 <= value <= INT64_MAX:
        return text(str(value))
    return json(value)


def digest(lines: Iterable[bytes]) -> str:
    """Which of several, without the whole of them: 32 bits of FNV-1a over the lines, each with a line's end."""
    found = 0x811C9DC5
    for line in lines:
        for byte in line + b"\n":
            found = ((found ^ byte) * 0x01000193) & 0xFFFFFFFF
    return f"fnv1a:{found:08x}"


def labels(lines: Lines, word: str, values: Mapping[str, str]) -> None:
    for name in sorted(values, key=str.encode):
        lines.append(f"{word} {text(name)} {text(values[name])}")


def session(lines: Lines, told: network.TlsSession | None) -> None:
    if told is None:
        lines.append("tls null")
        return
    lines.append(f"tls {text(told.version)} {text(told.cipher)} {optional(told.untrusted)}")
    for one in told.chain:
        names = items(text(name) for name in one.dns_names)
        valid = f"{milliseconds(one.not_before)} {milliseconds(one.not_after)}"
        lines.append(f"certificate {text(one.subject)} {text(one.issuer)} {names} {valid} {text(one.sha256)}")


def timings(report: Report, told: network.Timings | None) -> Report:
    """The phases that happened, as metrics."""
    if told is None:
        return report
    phases: Sequence[tuple[str, float | None]] = (
        ("dns_seconds", told.dns),
        ("connect_seconds", told.connect),
        ("tls_seconds", told.tls),
        ("first_byte_seconds", told.first_byte),
        ("total_seconds", told.total),
    )
    for name, seconds in phases:
        if seconds is not None:
            report.add_metric(name, seconds, "seconds")
    return report
