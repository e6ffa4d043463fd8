"""PostgreSQL by the name of a source, as far as `grants = { postgres = [...] }` allows. Read-only unless the grant says otherwise.

    main = postgres.source("main")
    waiting = main.query("select count(*) from jobs where state = $1", "waiting").value()

Values come as Python's own types.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Protocol, Union
from uuid import UUID

from . import _host
from .errors import ConfigurationError, ContentError, ServiceError, SickbayError

#: What a row may hold and a parameter may be: a list is an array of a simple type, a dict `json`.
Value = Union[None, bool, int, float, Decimal, str, bytes, datetime, date, time, timedelta, UUID, list[Any], dict[str, Any], "Other"]


@dataclass(frozen=True, slots=True)
class Other:
    """A value of a type that Python has no word for, as PostgreSQL prints it."""

    type_name: str
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an answer."""

    name: str
    type_name: str


class Row(tuple[Any, ...]):
    """One row: a tuple whose values are found by the column's name too."""

    _names: tuple[str, ...]

    def __new__(cls, values: Sequence[Any], names: tuple[str, ...]) -> Row:
        row = super().__new__(cls, values)
        row._names = names
        return row

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return super().__getitem__(key)
        if key not in self._names:
            raise KeyError(f"no column {key!r}; columns: {', '.join(self._names)}")
        return super().__getitem__(self._names.index(key))

    def as_dict(self) -> dict[str, Any]:
        """By column; of two columns with one name the last."""
        return dict(zip(self._names, self, strict=True))


@dataclass(frozen=True, slots=True)
class Rows:
    """What one statement answered."""

    #: There also when no row came.
    columns: Sequence[Column]
    rows: Sequence[Row]
    #: More rows or bytes than the grant allows were there.
    truncated: bool = False
    #: Rows that the statement changed; 0 for one that reads.
    affected: int = 0
    #: Seconds from sending the statement to its last row.
    elapsed: float = 0.0

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def one(self) -> Row:
        """The one row; none or several are what the service did wrong."""
        if len(self.rows) != 1:
            raise ContentError(f"the statement answered {len(self.rows)} rows, not one")
        return self.rows[0]

    def value(self) -> Any:
        """The first value of the one row."""
        return self.one()[0]


@dataclass(frozen=True, slots=True)
class Query:
    """One statement with its parameters (`$1`, `$2`, ...)."""

    sql: str
    params: Sequence[Value] = ()
    #: Seconds; never past the run's own deadline, nor the source's `statement_timeout`.
    timeout: float | None = None


class SqlError(SickbayError):
    """The server refused the statement. A mixin: whose mistake it was is said by what else the exception is."""

    sqlstate: str
    severity: str
    detail: str | None

    def _told(self, sqlstate: str, severity: str, detail: str | None) -> None:
        self.sqlstate, self.severity, self.detail = sqlstate, severity, detail


class ServerStateError(SqlError, ServiceError):
    """The server's state: SQLSTATE classes 08, 28, 53, 57 and 58."""

    def __init__(self, failure: str, message: str, sqlstate: str, severity: str = "ERROR", detail: str | None = None) -> None:
        ServiceError.__init__(self, failure, message)
        self._told(sqlstate, severity, detail)


class StatementError(SqlError, ConfigurationError):
    """The statement itself, or the rights of the source's role: every other SQLSTATE."""

    def __init__(self, message: str, sqlstate: str, severity: str = "ERROR", detail: str | None = None) -> None:
        ConfigurationError.__init__(self, message)
        self._told(sqlstate, severity, detail)


# By the whole code first, then by its class.
_FAILURES = {
    "08": "connection",
    "28": "authentication",
    "53": "capacity",
    "53100": "disk",
    "53200": "memory",
    "53300": "too-many-connections",
    "57": "unavailable",
    "57014": "timeout",
    "58": "file-system",
}


def sql_error(sqlstate: str, message: str, severity: str = "ERROR", detail: str | None = None) -> SickbayError:
    """What the server's refusal means."""
    told = f"{message} (SQLSTATE {sqlstate})"
    failure = _FAILURES.get(sqlstate) or _FAILURES.get(sqlstate[:2])
    if failure is None:
        return StatementError(told, sqlstate, severity, detail)
    return ServerStateError(failure, told, sqlstate, severity, detail)


class Backend(Protocol):
    """Who asks the server."""

    def run(self, source: str, query: Query) -> Rows: ...
    def run_many(self, source: str, queries: Sequence[Query]) -> list[Rows]: ...
    def run_simple(self, source: str, sql: str, timeout: float | None) -> Rows: ...


@dataclass(frozen=True, slots=True)
class Source:
    """A source of the configuration."""

    name: str

    def query(self, sql: str, *params: Value, timeout: float | None = None) -> Rows:
        """One statement. Without `access = "read-write"` in a read-only transaction, with it in none."""
        return _host.current().postgres.run(self.name, Query(sql, params, timeout))

    def query_many(self, queries: Sequence[Query]) -> list[Rows]:
        """At most 32 statements in one transaction; all or none, stops at the first error."""
        return _host.current().postgres.run_many(self.name, queries)

    def show(self, sql: str, *, timeout: float | None = None) -> Rows:
        """The simple protocol, values as text: PgBouncer's console speaks only this.

        Without `access = "read-write"` only `SHOW` and a word.
        """
        return _host.current().postgres.run_simple(self.name, sql, timeout)


def source(name: str) -> Source:
    """The source that the configuration calls so."""
    return Source(name)


def rows(columns: Sequence[Column], values: Sequence[Sequence[Any]], **told: Any) -> Rows:
    """An answer out of its columns and values."""
    names = tuple(column.name for column in columns)
    return Rows(columns, [Row(line, names) for line in values], **told)


def json_value(text: str) -> Any:
    """A `json` or an array; numbers with a fraction are floats."""
    return json.loads(text)
