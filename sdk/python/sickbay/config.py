"""The keys of a configuration, as a dataclass or a `TypedDict`.

The annotations are the one source: the JSON Schema that the host validates against before anything starts, and the typed value that a run
gets, both come from them.

    @dataclass
    class Config:
        url: Annotated[str, Key("Where the queue tells its length")]
        limit: Annotated[int, Key("How many may wait", minimum=0)] = 100

Annotations may be `bool`, `int`, `float`, `str`, `datetime`, `Literal[...]`, an `Enum`, `list[T]`, `tuple[T, ...]`, `dict[str, T]`,
`T | None`, other unions, dataclasses, `TypedDict`s and `Any`. A key without a default is required; one that is not known is a mistake.
`ValueError` from `__post_init__` refuses a configuration.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

from . import _annotations, _shape
from ._shape import Key, Mismatch, Shape
from .errors import ConfigurationError

__all__ = ["Key", "schema_of", "read"]

T = TypeVar("T")


def schema_of(kind: Any) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a configuration."""
    return schema(shape(kind))


def read(kind: type[T], value: object) -> T:
    """What JSON holds, as the annotated type. What does not fit is a `ConfigurationError` that names the key."""
    return cast(T, load(shape(kind), value))


def shape(kind: Any) -> Shape:
    """The shape of a configuration; a mistake in its annotations is a `TypeError`."""
    found = _annotations.of(kind)
    if not isinstance(found, (_shape.Record, _shape.Table, _shape.Nothing)):
        raise TypeError(f"{kind!r} is no configuration; hint: use a dataclass, a TypedDict, or None where there is nothing to configure")
    return found


def schema(found: Shape) -> dict[str, Any]:
    if isinstance(found, _shape.Nothing):
        found = _shape.EMPTY
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found.schema()}


def load(found: Shape, value: object) -> Any:
    if isinstance(found, _shape.Nothing):
        _load(_shape.EMPTY, value)
        return None
    return _load(found, value)


def _load(found: Shape, value: object) -> Any:
    try:
        return found.read(value, "config", strict=True)
    except Mismatch as mismatch:
        raise ConfigurationError(str(mismatch)) from mismatch
