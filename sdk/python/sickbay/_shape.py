"""The shape of a value: its JSON Schema, and the value itself out of JSON.

Shapes are made once, while the component is built; a run only reads values. `strict` refuses keys that are not known: a mistake in a
configuration, nothing in a service's answer.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Key:
    """What an annotation cannot say of a key: `Annotated[int, Key("How many may wait", minimum=0)]`."""

    description: str = ""
    _: dataclasses.KW_ONLY
    minimum: float | None = None
    maximum: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    #: A regular expression that matches somewhere in the text, as JSON Schema has it.
    pattern: str | None = None
    #: Tells readers what the text is (`uri`); nothing checks it.
    format: str | None = None
    min_items: int | None = None
    max_items: int | None = None
    examples: Sequence[Any] = ()
    #: The key in the configuration, where Python cannot call a field so: `from`.
    name: str | None = None


class Mismatch(ValueError):
    """A value that is not what was annotated."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"`{place}` {message}")


class Shape:
    """One annotation."""

    def words(self) -> str:
        """As a message says it: "must be a text"."""
        return "anything"

    def schema(self) -> dict[str, Any]:
        return {}

    def read(self, value: object, place: str, strict: bool) -> Any:
        return value

    def expected(self, value: object, place: str) -> Mismatch:
        return Mismatch(place, f"must be {self.words()}, not {_words_of(value)}")


class Nothing(Shape):
    """`None`."""

    def words(self) -> str:
        return "nothing"

    def schema(self) -> dict[str, Any]:
        return {"type": "null"}

    def read(self, value: object, place: str, strict: bool) -> Any:
        if value is not None:
            raise self.expected(value, place)
        return None


class Truth(Shape):
    """`bool`"""

    def words(self) -> str:
        return "true or false"

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}

    def read(self, value: object, place: str, strict: bool) -> Any:
        if not isinstance(value, bool):
            raise self.expected(value, place)
        return value


@dataclass(frozen=True)
class Number(Shape):
    """`int` and `float`"""

    whole: bool
    minimum: float | None
    maximum: float | None

    def words(self) -> str:
        return "a whole number" if self.whole else "a number"

    def schema(self) -> dict[str, Any]:
        return _without_none({"type": "integer" if self.whole else "number", "minimum": self.minimum, "maximum": self.maximum})

    def read(self, value: object, place: str, strict: bool) -> Any:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.expected(value, place)
        if self.whole and not (isinstance(value, int) or value.is_integer()):
            raise self.expected(value, place)
        if not math.isfinite(value):
            raise self.expected(value, place)
        if self.minimum is not None and value < self.minimum:
            raise Mismatch(place, f"is {value}, must be at least {self.minimum}")
        if self.maximum is not None and value > self.maximum:
            raise Mismatch(place, f"is {value}, must be at most {self.maximum}")
        return int(value) if self.whole else float(value)


@dataclass(frozen=True)
class Text(Shape):
    """`str`"""

    min_length: int | None
    max_length: int | None
    pattern: str | None
    format: str | None

    def words(self) -> str:
        return "a text"

    def schema(self) -> dict[str, Any]:
        bounds = {"minLength": self.min_length, "maxLength": self.max_length, "pattern": self.pattern, "format": self.format}
        return _without_none({"type": "string", **bounds})

    def read(self, value: object, place: str, strict: bool) -> Any:
        if not isinstance(value, str):
            raise self.expected(value, place)
        if self.min_length is not None and len(value) < self.min_length:
            raise Mismatch(place, f"has {len(value)} characters, must have at least {self.min_length}")
        if self.max_length is not None and len(value) > self.max_length:
            raise Mismatch(place, f"has {len(value)} characters, must have at most {self.max_length}")
        if self.pattern is not None and re.search(self.pattern, value) is None:
            raise Mismatch(place, f"does not match {self.pattern}")
        return value


class Moment(Shape):
    """`datetime`: a text such as `2026-01-31T12:00:00Z`. One without a time zone is UTC."""

    def words(self) -> str:
        return "a time such as `2026-01-31T12:00:00Z`"

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date-time"}

    def read(self, value: object, place: str, strict: bool) -> Any:
        if not isinstance(value, str):
            raise self.expected(value, place)
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            raise Mismatch(place, f"is {value!r}, must be {self.words()}") from None
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at


@dataclass(frozen=True)
class Choice(Shape):
    """`Literal` and `Enum`: what JSON holds, and what it means."""

    meanings: Sequence[tuple[Any, Any]]

    def schema(self) -> dict[str, Any]:
        return {"enum": [written for written, _ in self.meanings]}

    def read(self, value: object, place: str, strict: bool) -> Any:
        for written, meant in self.meanings:
            if written == value and isinstance(written, bool) == isinstance(value, bool):
                return meant
        choices = ", ".join(repr(written) for written, _ in self.meanings)
        raise Mismatch(place, f"is {value!r}, must be one of {choices}")


@dataclass(frozen=True)
class Items(Shape):
    """`list[T]` and `tuple[T, ...]`"""

    item: Shape
    make: Callable[[list[Any]], Any]
    min_items: int | None
    max_items: int | None

    def words(self) -> str:
        return "a list"

    def schema(self) -> dict[str, Any]:
        bounds = {"minItems": self.min_items, "maxItems": self.max_items}
        return _without_none({"type": "array", "items": self.item.schema() or None, **bounds})

    def read(self, value: object, place: str, strict: bool) -> Any:
        if not isinstance(value, (list, tuple)):
            raise self.expected(value, place)
        if self.min_items is not None and len(value) < self.min_items:
            raise Mismatch(place, f"has {len(value)} items, must have at least {self.min_items}")
        if self.max_items is not None and len(value) > self.max_items:
            raise Mismatch(place, f"has {len(value)} items, must have at most {self.max_items}")
        return self.make([self.item.read(item, f"{place}[{index}]", strict) for index, item in enumerate(value)])


@dataclass(frozen=True)
class Table(Shape):
    """`dict[str, T]`"""

    value: Shape

    def words(self) -> str:
        return "a table"

    def schema(self) -> dict[str, Any]:
        return _without_none({"type": "object", "additionalProperties": self.value.schema() or None})

    def read(self, value: object, place: str, strict: bool) -> Any:
        if not isinstance(value, Mapping):
            raise self.expected(value, place)
        return {name: self.value.read(inner, f"{place}.{name}", strict) for name, inner in value.items()}


@dataclass(frozen=True)
class Either(Shape):
    """`A | B`; the first that fits is taken."""

    shapes: Sequence[Shape]

    def words(self) -> str:
        return " or ".join(shape.words() for shape in self.shapes if not isinstance(shape, Nothing))

    def schema(self) -> dict[str, Any]:
        schemas = [shape.schema() for shape in self.shapes]
        some = [schema for schema in schemas if schema != {"type": "null"}]
        # "This or nothing" as readers of schemas know it.
        if len(some) == 1 and isinstance(some[0].get("type"), str):
            return {**some[0], "type": [some[0]["type"], "null"]}
        return {"anyOf": schemas}

    def read(self, value: object, place: str, strict: bool) -> Any:
        mismatches = []
        for shape in self.shapes:
            try:
                return shape.read(value, place, strict)
            except Mismatch as mismatch:
                if not isinstance(shape, Nothing):
                    mismatches.append(mismatch)
        # Where only one shape was meant, its own words say more.
        raise mismatches[0] if len(mismatches) == 1 else self.expected(value, place)


@dataclass(frozen=True)
class Member:
    """One key of a record."""

    field: str
    key: str
    shape: Shape
    description: str
    examples: Sequence[Any]
    required: bool
    #: As JSON; none where there is none, or nothing to tell.
    default: Any

    def schema(self) -> dict[str, Any]:
        told = {"description": self.description or None, "examples": list(self.examples) or None, "default": self.default}
        return {**self.shape.schema(), **_without_none(told)}


@dataclass(frozen=True)
class Record(Shape):
    """A dataclass or a `TypedDict`."""

    description: str
    members: Sequence[Member]
    make: Callable[..., Any]

    def words(self) -> str:
        return "a table"

    def schema(self) -> dict[str, Any]:
        properties = {member.key: member.schema() for member in self.members}
        required = [member.key for member in self.members if member.required]
        told = _without_none({"description": self.description or None, "required": required or None})
        return {"type": "object", "properties": properties, **told, "additionalProperties": False}

    def read(self, value: object, place: str, strict: bool) -> Any:
        if not isinstance(value, Mapping):
            raise self.expected(value, place)
        values = {}
        for member in self.members:
            if member.key in value:
                values[member.field] = member.shape.read(value[member.key], f"{place}.{member.key}", strict)
            elif member.required:
                raise Mismatch(place, f"has no key `{member.key}`")
        if strict:
            known = {member.key for member in self.members}
            for name in value:
                if name not in known:
                    raise Mismatch(place, f"has an unknown key `{name}`; known: {', '.join(sorted(known)) or 'none'}")
        try:
            return self.make(**values)
        except (TypeError, ValueError) as error:
            raise Mismatch(place, f"does not fit: {error}") from error


EMPTY = Record("", (), dict)


def _words_of(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int):
        return "a whole number"
    if isinstance(value, float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, (list, tuple)) else "a table"


def _without_none(table: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if value is not None}
