"""The contract's `postgres`: rows and parameters as Python's own types."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from wit_world.imports import postgres as wire

from .. import _bounds
from ..errors import ConfigurationError
from ..postgres import Column, Other, Query, Rows, Value, json_value, rows
from .failures import call

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Lent:
    """Asks the server."""

    def run(self, source: str, query: Query) -> Rows:
        return _rows(call(wire.run, source, _query(query)))

    def run_many(self, source: str, queries: Sequence[Query]) -> list[Rows]:
        return [_rows(answer) for answer in call(wire.run_many, source, [_query(query) for query in queries])]

    def run_simple(self, source: str, sql: str, timeout: float | None) -> Rows:
        return _rows(call(wire.run_simple, source, sql, _bounds.milliseconds("timeout", timeout)))


def _query(query: Query) -> wire.Query:
    params = [_param(value) for value in query.params]
    return wire.Query(_bounds.clean(query.sql), params, _bounds.milliseconds("timeout", query.timeout))


def _rows(answer: wire.RowSet) -> Rows:
    return rows(
        [Column(column.name, column.type_name) for column in answer.columns],
        [[_value(value) for value in row] for row in answer.rows],
        truncated=answer.truncated,
        affected=answer.affected,
        elapsed=answer.elapsed_us / 1e6,
    )


def _timestamp(microseconds: int) -> Any:
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return Other("timestamptz", f"{microseconds} us since 1970")


def _date(text: str) -> Any:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return Other("date", text)


def _time(text: str) -> Any:
    try:
        return time.fromisoformat(text)
    except ValueError:
        return Other("time", text)


def _same(value: Any) -> Any:
    return value


_READ: dict[type[Any], Callable[[Any], Any]] = {
    wire.Value_Boolean: _same,
    wire.Value_Int: _same,
    wire.Value_Float: _same,
    wire.Value_Numeric: Decimal,
    wire.Value_Text: _same,
    wire.Value_Bytes: _same,
    wire.Value_Json: json_value,
    wire.Value_Uuid: UUID,
    wire.Value_TimestampUs: _timestamp,
    wire.Value_Date: _date,
    wire.Value_Time: _time,
    wire.Value_IntervalUs: lambda microseconds: timedelta(microseconds=microseconds),
    wire.Value_ListJson: json_value,
    wire.Value_Other: lambda other: Other(other.type_name, other.text),
}


def _value(value: wire.Value) -> Any:
    return None if isinstance(value, wire.Value_Null) else _READ[type(value)](value.value)


def _param(value: Value) -> wire.Value:
    match value:
        case None:
            return wire.Value_Null()
        case bool():
            return wire.Value_Boolean(value)
        case int():
            if not -(1 << 63) <= value < 1 << 63:
                return wire.Value_Numeric(str(value))
            return wire.Value_Int(value)
        case float():
            return wire.Value_Float(value)
        case Decimal():
            return wire.Value_Numeric(str(value))
        case str():
            return wire.Value_Text(_bounds.clean(value))
        case bytes():
            return wire.Value_Bytes(value)
        case datetime():
            return wire.Value_TimestampUs((value.astimezone(UTC) - _EPOCH) // _MICROSECOND)
        case date():
            return wire.Value_Date(value.isoformat())
        case time():
            return wire.Value_Time(value.isoformat(timespec="microseconds"))
        case timedelta():
            return wire.Value_IntervalUs(value // _MICROSECOND)
        case UUID():
            return wire.Value_Uuid(str(value))
        case list():
            return wire.Value_ListJson(json.dumps(value, default=str))
        case dict():
            return wire.Value_Json(json.dumps(value, default=str))
        case Other():
            return wire.Value_Other(wire.OtherValue(value.type_name, value.text))
    raise ConfigurationError(f"a parameter is {type(value).__name__}; hint: `sickbay.postgres.Value` lists what it may be")
