"""Sinks: a function that tells someone, once.

    @sink("chat", summary="Posts to a chat", example={"url": "https://chat.example.com/hook"})
    def chat(request: SinkRequest[Config]) -> Receipt:
        answer = http.post(request.config.url, json={"text": request.notification.alerts[0].summary})
        return Receipt(answer.raise_for_status().json(Posted).id)

Only what the receiver refused for good is given up: `PermanentError`, or a status of 400 to 499 other than 401, 403, 407, 408, 425
and 429. Everything else is tried again, for a duplicate is better than a miss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Any, Generic, TypeVar, cast

from .errors import SickbayError, StatusError
from .kinds import Kind, Need, config_shape
from .report import Evidence, Status

C = TypeVar("C")


class Phase(Enum):
    """Where an alert is in its life."""

    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    #: A later word, in the extra `phase`: return and do nothing.
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of a notification."""

    #: Stable for one firing episode: the receiver's key to thread or resolve by.
    incident_id: str
    check: str
    phase: Phase
    status: Status
    #: One line for a person.
    summary: str
    started_at: datetime
    failure: str | None = None
    severity: str = "P3"
    #: The named reason of the transition.
    reason: str = ""
    target: str | None = None
    #: What routing matched.
    labels: Mapping[str, str] = field(default_factory=dict)
    ended_at: datetime | None = None
    #: What made it not ok, worst first.
    evidence: Sequence[Evidence] = ()
    #: Where to read more.
    url: str | None = None
    extras: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notification:
    """What a sink is to tell, once."""

    #: The same key means the same notification: a receiver may drop the second.
    idempotency_key: str
    #: Key of the group that routing made.
    group: str
    #: Firing while any of the alerts is.
    phase: Phase
    #: The worst of the alerts.
    severity: str
    #: At most 100; the extra `more` counts the rest.
    alerts: Sequence[Alert]
    #: From the receipt of this sink's last delivery for the group: to thread, edit or resolve it.
    reference: str | None = None
    #: 1 for the first try at this delivery.
    attempt: int = 1
    extras: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SinkRequest(Generic[C]):
    """What a sink is asked."""

    #: Name of the sink in the configuration.
    sink: str
    kind: str
    config: C
    #: The call is ended this many seconds after it began.
    timeout: float
    notification: Notification
    extras: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The receiver has it."""

    #: What the receiver called it: a message id, a dedup key.
    reference: str | None = None
    extras: Mapping[str, str] = field(default_factory=dict)


class RetryableError(SickbayError):
    """The receiver could not take it now; `after` is how many seconds it asked for, where it asked."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class PermanentError(SickbayError):
    """The receiver refused it, and trying again cannot help."""


@dataclass(frozen=True, eq=False)
class SinkKind(Kind[C]):
    """One kind of sink. Calling it calls the function."""

    function: Callable[[SinkRequest[C]], Receipt | None]

    def __call__(self, request: SinkRequest[C]) -> Receipt | None:
        return self.function(request)

    def answer(self, request: SinkRequest[Any]) -> Receipt:
        """One delivery, on a configuration as JSON has it. Raises `RetryableError` or `PermanentError` where it did not come about."""
        try:
            asked = replace(request, config=self.read_config(request.config))
            return self.function(cast(SinkRequest[C], asked)) or Receipt()
        except (RetryableError, PermanentError):
            raise
        except StatusError as error:
            raise (PermanentError(error.message) if error.is_for_good else RetryableError(error.message, error.retry_after)) from error
        except SickbayError as error:
            raise RetryableError(error.message) from error


def sink(
    name: str,
    *,
    summary: str,
    example: Mapping[str, object] | None = None,
    needs: Sequence[Need] = (),
) -> Callable[[Callable[[SinkRequest[C]], Receipt | None]], SinkKind[C]]:
    """Makes a kind of sink of a function."""

    def decorate(function: Callable[[SinkRequest[C]], Receipt | None]) -> SinkKind[C]:
        return SinkKind(name, summary, config_shape(function, SinkRequest), example or {}, tuple(needs), (), (), function)

    return decorate
