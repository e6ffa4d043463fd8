"""Who answers the calls of a run: the host, or in a test a scripted one.

Each capability is one attribute; what it must be able to do is the `Backend` in the capability's own module.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from . import clock, files, http, log, net, postgres, redis, secrets, state, system


class Host(Protocol):
    """What is lent to a run."""

    @property
    def http(self) -> http.Backend: ...
    @property
    def postgres(self) -> postgres.Backend: ...
    @property
    def redis(self) -> redis.Backend: ...
    @property
    def net(self) -> net.Backend: ...
    @property
    def secrets(self) -> secrets.Backend: ...
    @property
    def files(self) -> files.Backend: ...
    @property
    def system(self) -> system.Backend: ...
    @property
    def state(self) -> state.Backend: ...
    @property
    def log(self) -> log.Backend: ...
    @property
    def clock(self) -> clock.Backend: ...


#: The scripted host of the test that runs here.
serving: ContextVar[Host | None] = ContextVar("sickbay_host", default=None)

#: The host of this component; in a test there is none.
answering: Host | None = None


def found() -> Host | None:
    """The host that answers here, where one does."""
    return serving.get() or answering


def current() -> Host:
    """The host that answers here."""
    host = found()
    if host is None:
        raise RuntimeError("no host answers here; hint: in a test call it inside `FakeHost().run(..)` or `with FakeHost():`")
    return host
