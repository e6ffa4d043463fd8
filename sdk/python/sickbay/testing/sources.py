"""PostgreSQL and Redis of the scripted host: one answer for each statement and command, in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import SickbayError
from ..postgres import Column, Query, Rows, rows
from ..redis import refusal
from .rest import FakeClock
from .script import Script

#: What an answer takes unless the test says otherwise.
SECONDS = 0.001


class FakePostgres:
    """What statements answer, and which were asked."""

    def __init__(self, clock: FakeClock) -> None:
        self._script: Script[Rows] = Script(clock)
        #: Every statement, in order.
        self.queries: list[Query] = []
        #: The source of each.
        self.sources: list[str] = []

    def reply(
        self,
        lines: Sequence[Sequence[Any]] = (),
        *,
        columns: Sequence[str] = (),
        affected: int = 0,
        truncated: bool = False,
        after: float = SECONDS,
    ) -> None:
        """Answers the next statement with these rows. Columns without a name are `column1`, `column2`, ..."""
        width = max((len(line) for line in lines), default=len(columns))
        names = [*columns, *(f"column{number + 1}" for number in range(len(columns), width))]
        told = rows([Column(name, "text") for name in names], lines, affected=affected, truncated=truncated, elapsed=after)
        self._script.add(told, after)

    def fail(self, error: SickbayError, *, after: float = SECONDS) -> None:
        """Fails the next statement: `sickbay.postgres.sql_error("42P01", "no such table")`, `DeniedError(..)`, ..."""
        self._script.add(error, after)

    def run(self, source: str, query: Query) -> Rows:
        self.sources.append(source)
        self.queries.append(query)
        return self._script.next(f"{query.sql!r} on {source}", query.timeout)

    def run_many(self, source: str, queries: Sequence[Query]) -> list[Rows]:
        return [self.run(source, query) for query in queries]

    def run_simple(self, source: str, sql: str, timeout: float | None) -> Rows:
        return self.run(source, Query(sql, (), timeout))


class FakeRedis:
    """What commands reply, and which were asked."""

    def __init__(self, clock: FakeClock) -> None:
        self._script: Script[Any] = Script(clock)
        #: Every command, its arguments with a space between.
        self.commands: list[str] = []
        #: The source of each.
        self.sources: list[str] = []

    def reply(self, value: Any, *, after: float = SECONDS) -> None:
        """Replies to the next command: a number, a text, a list, a dict, None."""
        self._script.add(value, after)

    def refuse(self, message: str, *, after: float = SECONDS) -> None:
        """The server refuses the next command: `LOADING ...`, `WRONGTYPE ...`."""
        self._script.add(_Refusal(message), after)

    def fail(self, error: SickbayError, *, after: float = SECONDS) -> None:
        """The next call fails: `UnreachableError(..)`, `DeniedError(..)`, ..."""
        self._script.add(error, after)

    def run(self, source: str, command: list[bytes], timeout: float | None) -> Any:
        text = b" ".join(command).decode(errors="replace")
        self.sources.append(source)
        self.commands.append(text)
        reply = self._script.next(f"{text!r} on {source}", timeout)
        return refusal(reply.message) if isinstance(reply, _Refusal) else reply

    def run_many(self, source: str, commands: list[list[bytes]], timeout: float | None) -> list[Any]:
        return [self.run(source, command, timeout) for command in commands]


class _Refusal:
    """An error reply: a part of the answer, not a call that failed."""

    def __init__(self, message: str) -> None:
        self.message = message
