"""What a component exports: the classes that componentize-py looks for in the module that it wraps.

    Plugin, Check = check_plugin("queue", version="0.1.0", summary="How long the queue is", checks=[queue])

Each function is called as the world of the contract that it is for. The names on the left are the contract's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict, Unpack

from . import _words
from .checks import CheckKind
from .kinds import Kind
from .recoveries import RecoveryKind
from .sinks import SinkKind

KINDS_MAX = 64

#: Makes the object that answers for one interface.
Export = Callable[[], object]


class About(TypedDict, total=False):
    """What else a plugin may say of itself."""

    homepage: str | None
    #: SPDX expression: `Apache-2.0`.
    licence: str | None
    extras: Mapping[str, str]


@dataclass(frozen=True)
class Description:
    """What a plugin is and offers."""

    #: `[a-z0-9-]+`
    name: str
    #: Of the plugin itself, as semantic versioning has it.
    version: str
    summary: str
    checks: Sequence[CheckKind[Any]] = ()
    recoveries: Sequence[RecoveryKind[Any]] = ()
    sinks: Sequence[SinkKind[Any]] = ()
    homepage: str | None = None
    licence: str | None = None
    extras: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _words.expect_word("name of a plugin", self.name)
        for what, kinds in (("check", self.checks), ("recovery", self.recoveries), ("sink", self.sinks)):
            _expect_each_once(what, kinds)
        for recovery in self.recoveries:
            recovery.expect_steps()


def _expect_each_once(what: str, kinds: Sequence[Kind[Any]]) -> None:
    names = [kind.name for kind in kinds]
    if len(names) > KINDS_MAX:
        raise ValueError(f"the plugin has {len(names)} kinds of {what}; hint: at most {KINDS_MAX}")
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the plugin has two kinds of {what} named {name!r}")


def check_plugin(
    name: str, *, version: str, summary: str, checks: Sequence[CheckKind[Any]], **about: Unpack[About]
) -> tuple[Export, Export]:
    """`Plugin, Check = check_plugin(...)`: the world `check-plugin`. `About` says what else it may be told."""
    description = Description(name, version, summary, checks=tuple(checks), **about)
    return _plugin(description), _check(description)


def recovery_plugin(
    name: str, *, version: str, summary: str, recoveries: Sequence[RecoveryKind[Any]], **about: Unpack[About]
) -> tuple[Export, Export]:
    """`Plugin, Recovery = recovery_plugin(...)`: the world `recovery-plugin`."""
    description = Description(name, version, summary, recoveries=tuple(recoveries), **about)
    return _plugin(description), _recovery(description)


def sink_plugin(name: str, *, version: str, summary: str, sinks: Sequence[SinkKind[Any]], **about: Unpack[About]) -> tuple[Export, Export]:
    """`Plugin, Sink = sink_plugin(...)`: the world `sink-plugin`."""
    description = Description(name, version, summary, sinks=tuple(sinks), **about)
    return _plugin(description), _sink(description)


def check_recovery_plugin(
    name: str,
    *,
    version: str,
    summary: str,
    checks: Sequence[CheckKind[Any]],
    recoveries: Sequence[RecoveryKind[Any]],
    **about: Unpack[About],
) -> tuple[Export, Export, Export]:
    """`Plugin, Check, Recovery = check_recovery_plugin(...)`: the world `check-recovery-plugin`."""
    description = Description(name, version, summary, checks=tuple(checks), recoveries=tuple(recoveries), **about)
    return _plugin(description), _check(description), _recovery(description)


def full_plugin(
    name: str,
    *,
    version: str,
    summary: str,
    checks: Sequence[CheckKind[Any]],
    recoveries: Sequence[RecoveryKind[Any]],
    sinks: Sequence[SinkKind[Any]],
    **about: Unpack[About],
) -> tuple[Export, Export, Export, Export]:
    """`Plugin, Check, Recovery, Sink = full_plugin(...)`: the world `full-plugin`."""
    description = Description(name, version, summary, checks=tuple(checks), recoveries=tuple(recoveries), sinks=tuple(sinks), **about)
    return _plugin(description), _check(description), _recovery(description), _sink(description)


# The bindings exist only where a component is built: nothing is imported before componentize-py asks for an object.


def _plugin(description: Description) -> Export:
    def make() -> object:
        from ._guest.plugin import PluginExport

        return PluginExport(description)

    return make


def _check(description: Description) -> Export:
    def make() -> object:
        from ._guest.check import CheckExport

        return CheckExport(description.checks)

    return make


def _recovery(description: Description) -> Export:
    def make() -> object:
        from ._guest.recovery import RecoveryExport

        return RecoveryExport(description.recoveries)

    return make


def _sink(description: Description) -> Export:
    def make() -> object:
        from ._guest.sink import SinkExport

        return SinkExport(description.sinks)

    return make
