"""The contract's `redis`: a flat list of nodes as nested lists and dicts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wit_world.imports import redis as wire

from .. import _bounds
from ..errors import InternalError
from ..redis import refusal
from .failures import call

#: Lists in lists; no command answers deeper.
DEPTH_MAX = 32


class Lent:
    """Asks the server."""

    def run(self, source: str, command: list[bytes], timeout: float | None) -> Any:
        return _reply(call(wire.run, source, command, _bounds.milliseconds("timeout", timeout)))

    def run_many(self, source: str, commands: list[list[bytes]], timeout: float | None) -> list[Any]:
        return [_reply(reply) for reply in call(wire.run_many, source, commands, _bounds.milliseconds("timeout", timeout))]


def _reply(nodes: list[wire.Node]) -> Any:
    rest = iter(nodes)
    reply = _next(rest, 0)
    if next(rest, None) is not None:
        raise InternalError("the reply is more than one tree")
    return reply


def _next(nodes: Iterator[wire.Node], depth: int) -> Any:
    if depth > DEPTH_MAX:
        raise InternalError(f"the reply is deeper than {DEPTH_MAX} levels")
    node = next(nodes, None)
    match node:
        case None:
            raise InternalError("the reply ends early")
        case wire.Node_Nil():
            return None
        case wire.Node_Failed():
            return refusal(node.value)
        case wire.Node_BigNumber():
            return int(node.value)
        case wire.Node_ArrayOf() | wire.Node_SetOf():
            return [_next(nodes, depth + 1) for _ in range(node.value)]
        case wire.Node_MapOf():
            pairs = [(_next(nodes, depth + 1), _next(nodes, depth + 1)) for _ in range(node.value)]
            try:
                return dict(pairs)
            except TypeError:
                # A key that is a list or a map: as older servers send it.
                return [part for pair in pairs for part in pair]
    return node.value
