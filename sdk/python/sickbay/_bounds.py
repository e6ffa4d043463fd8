"""Texts, times and numbers as the contract bounds them.

What crosses the boundary has to fit: a text with half a character in it (a lone surrogate, as `json.loads` makes one of `"\\ud800"`) or a
number beyond 32 bits would end the run with a trap.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from .errors import ConfigurationError

SUMMARY_BYTES_MAX = 512
FAILURE_MESSAGE_BYTES_MAX = 1 << 10
METRICS_MAX = 256
EVIDENCE_MAX = 8
EVIDENCE_TEXT_BYTES_MAX = 1 << 10
DETAILS_BYTES_MAX = 64 << 10
U32_MAX = (1 << 32) - 1

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime.max.replace(tzinfo=UTC)


def clean(text: str) -> str:
    """The text, with `?` for each lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def cut(text: object, bytes_max: int) -> str:
    """The text in at most that many bytes of UTF-8; a cut is at a character and ends with `…`."""
    cleaned = clean(str(text))
    if len(cleaned) * 4 <= bytes_max:
        return cleaned
    encoded = cleaned.encode()
    if len(encoded) <= bytes_max:
        return cleaned
    return encoded[: bytes_max - len("…".encode())].decode(errors="ignore") + "…"


def texts(values: Mapping[str, object] | None) -> dict[str, str]:
    """Labels and extras, with their values as text."""
    return {clean(name): clean(str(value)) for name, value in (values or {}).items()}


def milliseconds(what: str, seconds: float | None) -> int | None:
    """A span in seconds as the contract has it; more than 49 days are 49 days."""
    if seconds is None:
        return None
    if not seconds > 0:
        raise ConfigurationError(f"{what} is {seconds} s; hint: it must be more than 0")
    return max(1, round(min(seconds * 1000, U32_MAX)))


def unsigned(what: str, value: int, maximum: int = U32_MAX) -> int:
    """A whole number that the contract has room for."""
    if not 0 <= value <= maximum:
        raise ConfigurationError(f"{what} is {value}; hint: 0 to {maximum}")
    return value


def moment(milliseconds_since_1970: int) -> datetime:
    """A time of the contract, in UTC. What is beyond the year 9999 is its end."""
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds_since_1970)
    except OverflowError:
        return _LATEST


def timestamp_ms(at: datetime) -> int:
    """A time as the contract has it; one without a time zone is local time."""
    return max(0, (at.astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1))
