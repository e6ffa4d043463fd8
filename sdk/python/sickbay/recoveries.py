"""Recoveries: a function that plans, one that acts, and one that follows what goes on.

    @recovery("restart", summary="Restarts a service", failures=["connection"])
    def restart(request: RecoveryRequest[Config]) -> list[Action]:
        return [Action("restart", "Restart the service", target=request.config.service)]

    @restart.act
    def act(request: RecoveryRequest[Config], action: Action) -> Outcome:
        ...

The plan changes nothing: it runs with grants that only read, and is shown to who approves it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, TypeVar, cast

from .errors import ServiceError
from .kinds import Kind, Need, config_shape
from .report import Report

C = TypeVar("C")

ACTIONS_MAX = 16
AGAIN_AFTER_SECONDS_MIN = 1.0
AGAIN_AFTER_SECONDS_MAX = 3600.0


@dataclass(frozen=True, slots=True)
class Incident:
    """What is to be healed."""

    #: Stable for one firing episode.
    id: str
    check: str
    #: When the check became bad for good.
    since: datetime
    #: The report that the incident rests on, without its details.
    last_report: Report
    #: The failure kind of the last report that had one.
    failure: str | None = None
    severity: str = "P3"
    #: Failed runs in a row, this one included.
    consecutive_failures: int = 1
    target: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    extras: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RecoveryRequest(Generic[C]):
    """What a recovery is asked."""

    #: Name of the recovery in the configuration.
    recovery: str
    kind: str
    config: C
    #: The call is ended this many seconds after it began.
    timeout: float
    incident: Incident
    #: The same key means the same step: an orchestrator may drop the second. Empty in the plan.
    idempotency_key: str = ""
    extras: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Action:
    """One step that would be taken. Shown as it is by dry runs and approvals."""

    #: Stable for the same step on the same target: the host never starts it twice for one incident unless `idempotent`.
    id: str
    #: One line for a person who approves it.
    title: str
    #: What it acts on: a process id, a service, a pod.
    target: str
    #: Doing it twice does no more than doing it once.
    idempotent: bool = False
    #: Handed back to `act` unchanged; what JSON can hold.
    parameters: Any = None
    extras: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step ended."""

    #: The step did what it was to do; whether the check is well again is for the check to say.
    success: bool
    #: One line for a person.
    reason: str
    #: What was really done, one line each.
    actions: Sequence[str] = ()
    #: What a person should do next.
    recommendation: str | None = None
    details: Mapping[str, Any] | None = None
    extras: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Running:
    """A step that has not ended."""

    #: Handed back to `follow`, also after a restart of the host; what JSON can hold, at most 4 KiB.
    token: Any
    #: One line for a person.
    summary: str
    #: Seconds until the host asks again, 1 to 3600.
    again_after: float = 10.0


Progress = Outcome | Running


@dataclass
class _Steps(Generic[C]):
    act: Callable[[RecoveryRequest[C], Action], Progress] | None = None
    follow: Callable[[RecoveryRequest[C], Action, Any], Progress] | None = None


@dataclass(frozen=True, eq=False)
class RecoveryKind(Kind[C]):
    """One kind of recovery. Calling it calls the function that plans."""

    function: Callable[[RecoveryRequest[C]], Sequence[Action]]
    _steps: _Steps[C] = field(default_factory=_Steps)

    def __call__(self, request: RecoveryRequest[C]) -> Sequence[Action]:
        return self.function(request)

    def act(self, function: Callable[[RecoveryRequest[C], Action], Progress]) -> Callable[[RecoveryRequest[C], Action], Progress]:
        """Decorates the function that takes one step, as it was planned and approved."""
        self._steps.act = function
        return function

    def follow(
        self, function: Callable[[RecoveryRequest[C], Action, Any], Progress]
    ) -> Callable[[RecoveryRequest[C], Action, Any], Progress]:
        """Decorates the function that tells how a step that is `Running` is doing; it may be called any number of times."""
        self._steps.follow = function
        return function

    def expect_steps(self) -> None:
        """A recovery that cannot act is a mistake."""
        if self._steps.act is None:
            raise TypeError(
                f"the recovery {self.name!r} plans and never acts; hint: decorate a function with `@{self.function.__name__}.act`"
            )

    def answer_plan(self, request: RecoveryRequest[Any]) -> list[Action]:
        """The steps that would be taken, on a configuration as JSON has it."""
        actions = list(self.function(self._asked(request)))
        if len(actions) > ACTIONS_MAX:
            raise ValueError(f"the plan has {len(actions)} steps; hint: at most {ACTIONS_MAX}")
        return actions

    def answer_act(self, request: RecoveryRequest[Any], action: Action) -> Progress:
        """One step. A service that refuses it, or does not answer, has not done it."""
        self.expect_steps()
        assert self._steps.act is not None
        try:
            return self._steps.act(self._asked(request), action)
        except ServiceError as error:
            return Outcome(success=False, reason=f"{error.failure}: {error.message}")

    def answer_follow(self, request: RecoveryRequest[Any], action: Action, token: Any) -> Progress:
        """How a step is doing. A service that does not answer says nothing about it: that is raised, and the host asks again."""
        if self._steps.follow is None:
            raise TypeError(f"the recovery {self.name!r} cannot follow; hint: decorate a function with `@{self.function.__name__}.follow`")
        return self._steps.follow(self._asked(request), action, token)

    def _asked(self, request: RecoveryRequest[Any]) -> RecoveryRequest[C]:
        return cast(RecoveryRequest[C], replace(request, config=self.read_config(request.config)))


def recovery(
    name: str,
    *,
    summary: str,
    example: Mapping[str, object] | None = None,
    needs: Sequence[Need] = (),
    failures: Sequence[str] = (),
) -> Callable[[Callable[[RecoveryRequest[C]], Sequence[Action]]], RecoveryKind[C]]:
    """Makes a kind of recovery of the function that plans it. `failures` are the failure kinds that it can heal."""

    def decorate(function: Callable[[RecoveryRequest[C]], Sequence[Action]]) -> RecoveryKind[C]:
        shape = config_shape(function, RecoveryRequest)
        return RecoveryKind(name, summary, shape, example or {}, tuple(needs), (), tuple(failures), function)

    return decorate
