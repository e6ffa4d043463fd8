"""The kinds `postgres` and `redis`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from told import Lines, digest, items, reply, sql, text, truth

from sickbay import Need, Report, Request, SickbayError, check, gauge, postgres, redis

#: More are told by the first, the last and a digest.
ROWS_TOLD_MAX = 20
#: One of each type that every language has.
PARAMS: tuple[postgres.Value, ...] = (
    None,
    True,
    9_007_199_254_740_993,
    0.5,
    "é☃",
    b"\x00\xff",
    datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC),
    {},
    [1],
)


@dataclass
class PostgresConfig:
    source: Annotated[str, "A source of the configuration"]
    sql: Annotated[list[str], "The statements"]
    how: Annotated[Literal["each", "params", "many", "simple"], "How they are run"] = "each"
    tell_errors: Annotated[bool, "Whether an error is a line"] = False


@check(
    "postgres",
    summary="Tells what PostgreSQL answered",
    example={"source": "main", "sql": ["SELECT 1 AS one"]},
    needs=[Need("postgres", "runs the statements", 'postgres = [{ source = "{source}" }]')],
    metrics=[gauge("elapsed_seconds", "the last statement", "seconds")],
)
def ask_postgres(request: Request[PostgresConfig]) -> Report:
    config = request.config
    lines = Lines()
    last: postgres.Rows | None = None
    for answer in answers(config):
        if isinstance(answer, SickbayError):
            lines.failed(answer, config.tell_errors)
            continue
        tell_rows(lines, answer)
        last = answer
    report = lines.report()
    return report if last is None else report.add_metric("elapsed_seconds", last.elapsed, "seconds")


def answers(config: PostgresConfig) -> Iterator[postgres.Rows | SickbayError]:
    source = postgres.source(config.source)
    if config.how == "many":
        try:
            yield from source.query_many([postgres.Query(statement) for statement in config.sql])
        except SickbayError as error:
            yield error
        return
    for statement in config.sql:
        try:
            match config.how:
                case "params":
                    rows = source.query(statement, *PARAMS)
                case "simple":
                    rows = source.show(statement)
                case _:
                    rows = source.query(statement)
        except SickbayError as error:
            yield error
        else:
            yield rows


def tell_rows(lines: Lines, rows: postgres.Rows) -> None:
    for column in rows.columns:
        lines.append(f"column {text(column.name)} {text(column.type_name)}")
    told = [items(sql(value) for value in row) for row in rows]
    if len(told) > ROWS_TOLD_MAX:
        lines.append(f"rows {len(told)}")
        lines.append(f"first {told[0]}")
        lines.append(f"last {told[-1]}")
        lines.append(digest(row.encode() for row in told))
    else:
        lines.extend(f"row {row}" for row in told)
    lines.append(f"truncated {truth(rows.truncated)}")
    lines.append(f"affected {rows.affected}")


@dataclass
class RedisConfig:
    source: Annotated[str, "A source of the configuration"]
    commands: Annotated[list[list[str]], "The commands, each with its arguments"]
    together: Annotated[bool, "In one round trip"] = False
    tell_errors: Annotated[bool, "Whether an error is a line"] = False


@check(
    "redis",
    summary="Tells what Redis replied",
    example={"source": "cache", "commands": [["PING"]]},
    needs=[Need("redis", "runs the commands", 'redis = [{ source = "{source}", commands = ["*"], keys = ["*"] }]')],
)
def ask_redis(request: Request[RedisConfig]) -> Report:
    config = request.config
    source = redis.source(config.source, text=False)
    lines = Lines()
    if config.together:
        try:
            lines.extend(f"reply {reply(one)}" for one in source.run_many(config.commands))
        except SickbayError as error:
            lines.failed(error, config.tell_errors)
        return lines.report()
    for command in config.commands:
        try:
            lines.append(f"reply {reply(source.run(*command))}")
        except SickbayError as error:
            lines.failed(error, config.tell_errors)
    return lines.report()


KINDS = [ask_postgres, ask_redis]
