"""From annotations to shapes.

Limits: `DEPTH_MAX` records inside each other, and none inside itself: the JSON Schema has no references.
"""

from __future__ import annotations

import dataclasses
import enum
import types
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired, Required, Union, get_args, get_origin, get_type_hints, is_typeddict

from ._shape import Choice, Either, Items, Key, Member, Moment, Nothing, Number, Record, Shape, Table, Text, Truth

DEPTH_MAX = 16

# Records that were read already. What is here when a component is built costs its runs nothing.
_records: dict[Any, Record] = {}


def of(annotation: Any) -> Shape:
    """The shape of an annotation. One that JSON cannot hold is a `TypeError`."""
    return _of(annotation, Key(), ())


def read_ahead(module: Mapping[str, Any]) -> None:
    """Reads the dataclasses and `TypedDict`s of a module, given as its names, so that no run has to."""
    for value in list(module.values()):
        if (
            isinstance(value, type)
            and value.__module__ == module.get("__name__")
            and (dataclasses.is_dataclass(value) or is_typeddict(value))
        ):
            try:
                of(value)
            except TypeError:
                # Not meant for JSON.
                continue


def _of(annotation: Any, key: Key, inside: tuple[Any, ...]) -> Shape:
    if len(inside) > DEPTH_MAX or annotation in inside:
        raise TypeError(f"{annotation!r} holds itself; hint: a JSON Schema of Sickbay has no references")
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _of(arguments[0], _key_in(arguments[1:]) or key, inside)
    if origin in (Required, NotRequired):
        return _of(arguments[0], key, inside)
    if annotation is None or annotation is type(None):
        return Nothing()
    if origin is Union or origin is types.UnionType:
        return Either([_of(argument, key, inside) for argument in arguments])
    if origin is Literal:
        return Choice([(value, value) for value in arguments])
    if annotation is bool:
        return Truth()
    if annotation in (int, float):
        return Number(annotation is int, key.minimum, key.maximum)
    if annotation is str:
        return Text(key.min_length, key.max_length, key.pattern, key.format)
    if annotation is datetime:
        return Moment()
    if annotation is Any or annotation is object:
        return Shape()
    if origin is list or annotation is list:
        return Items(_of(arguments[0] if arguments else Any, Key(), inside), list, key.min_items, key.max_items)
    if origin is tuple and len(arguments) == 2 and arguments[1] is ...:
        return Items(_of(arguments[0], Key(), inside), tuple, key.min_items, key.max_items)
    if (origin in (dict, Mapping) and arguments[0] is str) or annotation is dict:
        return Table(_of(arguments[1] if arguments else Any, Key(), inside))
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return Choice([(member.value, member) for member in annotation])
    is_class = dataclasses.is_dataclass(annotation) and isinstance(annotation, type)
    if is_class or is_typeddict(annotation):
        if annotation not in _records:
            read = _of_dataclass if is_class else _of_typed_dict
            _records[annotation] = read(annotation, (*inside, annotation))
        return _records[annotation]
    raise TypeError(f"{annotation!r} cannot be read from JSON; hint: `sickbay.config` lists the annotations that can")


def _of_dataclass(kind: type[Any], inside: tuple[Any, ...]) -> Record:
    hints = _hints(kind)
    members = []
    for field in dataclasses.fields(kind):
        if not field.init:
            continue
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        default = None
        if field.default is not dataclasses.MISSING:
            default = _as_json(field.default)
        elif field.default_factory is not dataclasses.MISSING:
            default = _as_json(field.default_factory())
        members.append(_member(field.name, hints[field.name], required, default, inside))
    # Without one of its own a dataclass gets its signature as documentation.
    documentation = kind.__doc__ or ""
    own = "" if documentation.startswith(f"{kind.__name__}(") else documentation
    return Record(" ".join(own.split()), members, kind)


def _of_typed_dict(kind: Any, inside: tuple[Any, ...]) -> Record:
    members = []
    for name, hint in _hints(kind).items():
        # With annotations as text `__required_keys__` does not see NotRequired.
        required = get_origin(hint) is Required or (get_origin(hint) is not NotRequired and name in kind.__required_keys__)
        members.append(_member(name, hint, required, None, inside))
    return Record(" ".join((kind.__doc__ or "").split()), members, dict)


def _member(field: str, hint: Any, required: bool, default: Any, inside: tuple[Any, ...]) -> Member:
    bare = get_args(hint)[0] if get_origin(hint) in (Required, NotRequired) else hint
    key = (_key_in(get_args(bare)[1:]) if get_origin(bare) is Annotated else None) or Key()
    shape = _of(bare, key, inside)
    _refuse_misplaced(field, key, shape)
    return Member(field, key.name or field, shape, key.description, key.examples, required, default)


def _refuse_misplaced(field: str, key: Key, shape: Shape) -> None:
    """A bound that bounds nothing is a mistake: `Key(minimum=1)` of a list, whose items were meant."""
    schema = shape.schema()
    places = [schema, *schema.get("anyOf", ())]
    bounds = {
        "minimum": key.minimum,
        "maximum": key.maximum,
        "minLength": key.min_length,
        "maxLength": key.max_length,
        "pattern": key.pattern,
        "format": key.format,
        "minItems": key.min_items,
        "maxItems": key.max_items,
    }
    for name, bound in bounds.items():
        if bound is not None and not any(name in place for place in places):
            raise TypeError(
                f"`{name}` bounds nothing of `{field}`; hint: put the Key where it belongs: `list[Annotated[int, Key(minimum=1)]]`"
            )


def _hints(kind: Any) -> dict[str, Any]:
    try:
        return get_type_hints(kind, include_extras=True)
    except NameError as error:
        raise TypeError(
            f"an annotation of {kind.__name__} cannot be read: {error}; hint: define what it names at the top of the module"
        ) from error


def _key_in(extras: Sequence[Any]) -> Key | None:
    """A bare text is a description."""
    for extra in extras:
        if isinstance(extra, Key):
            return extra
        if isinstance(extra, str):
            return Key(extra)
    return None


def _as_json(value: Any) -> Any:
    """A default as the configuration would write it."""
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _as_json(getattr(value, field.name)) for field in dataclasses.fields(value) if field.init}
    if isinstance(value, (list, tuple)):
        return [_as_json(item) for item in value]
    if isinstance(value, Mapping):
        return {name: _as_json(inner) for name, inner in value.items()}
    if isinstance(value, datetime):
        return value.isoformat()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"the default {value!r} cannot be written as JSON")
