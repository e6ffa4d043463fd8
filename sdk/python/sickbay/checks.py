"""Checks: a function that is asked and reports.

    @check("queue", summary="How long the queue is", example={"url": "https://example.com/queue.json"})
    def queue(request: Request[Config]) -> Report:
        ...

Its configuration is read before, and what the service did becomes a report behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, TypeVar, cast

from .errors import ServiceError
from .kinds import Kind, MetricInfo, Need, config_shape
from .report import Report

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier run of the same check and target."""

    #: When it was due.
    scheduled_at: datetime
    #: What it found, without its details.
    report: Report


@dataclass(frozen=True)
class Request(Generic[C]):
    """What one run is asked."""

    #: Name of the check in the configuration.
    check: str
    kind: str
    #: A secret in it is a placeholder, which the host replaces on the way out.
    config: C
    #: When this run was due. It may have begun later: `clock.now()` tells the time of day.
    scheduled_at: datetime
    #: The run is ended this many seconds after it began. Calls of the host end sooner, so that there is time to report.
    timeout: float
    #: 1 for the first try at this state, 2 for the next, ...
    attempt: int = 1
    #: The target, where the check fans out over several.
    target: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    #: The last run that gave a report.
    previous: Earlier | None = None
    extras: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class CheckKind(Kind[C]):
    """One kind of check. Calling it calls the function."""

    function: Callable[[Request[C]], Report]

    def __call__(self, request: Request[C]) -> Report:
        return self.function(request)

    def answer(self, request: Request[Any]) -> Report:
        """One run on a configuration as JSON has it. What the service did is a report; what the plugin did is raised."""
        asked = replace(request, config=self.read_config(request.config))
        try:
            report = self.function(cast(Request[C], asked))
        except ServiceError as error:
            return Report.ok("").critical(error.failure, error.message)
        if not isinstance(report, Report):
            raise TypeError(f"the check {self.name!r} returned {type(report).__name__}, not a Report")
        return report


def check(
    name: str,
    *,
    summary: str,
    example: Mapping[str, object] | None = None,
    needs: Sequence[Need] = (),
    metrics: Sequence[MetricInfo] = (),
    failures: Sequence[str] = (),
) -> Callable[[Callable[[Request[C]], Report]], CheckKind[C]]:
    """Makes a kind of check of a function.

    `name` is what the configuration writes as `kind = "..."`. `example` is a small configuration that works: `probe --plugin` runs it.
    """

    def decorate(function: Callable[[Request[C]], Report]) -> CheckKind[C]:
        shape = config_shape(function, Request)
        return CheckKind(name, summary, shape, example or {}, tuple(needs), tuple(metrics), tuple(failures), function)

    return decorate
