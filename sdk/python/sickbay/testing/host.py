"""The scripted host itself, and runs on it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextvars import Token
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from .. import _host, log
from ..checks import CheckKind, Earlier, Request
from ..recoveries import Action, Incident, Progress, RecoveryKind, RecoveryRequest
from ..report import Report, Status, fit
from ..sinks import Alert, Notification, Phase, Receipt, SinkKind, SinkRequest
from .files import FakeFiles
from .http import FakeHttp
from .machine import FakeSystem
from .net import FakeNet
from .rest import FakeClock, FakeLog, FakeSecrets, FakeState
from .sources import FakePostgres, FakeRedis

TIMEOUT_SECONDS = 5.0


class FakeHost:
    """What the host answers, and what the plugin did. In a `with` it serves every call of this thread."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.http = FakeHttp(self.clock)
        self.postgres = FakePostgres(self.clock)
        self.redis = FakeRedis(self.clock)
        self.net = FakeNet(self.clock)
        self.secrets = FakeSecrets()
        self.files = FakeFiles(self.clock)
        self.system = FakeSystem()
        self.state = FakeState()
        self.log = FakeLog()
        self._served: list[tuple[Token[_host.Host | None], log.HostHandler | None, int]] = []

    def __enter__(self) -> Self:
        root = logging.getLogger()
        level = root.level
        # Inside another `with` records are handed on already.
        has_handler = any(isinstance(handler, log.HostHandler) for handler in root.handlers)
        self._served.append((_host.serving.set(self), None if has_handler else log.install(), level))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        token, handler, level = self._served.pop()
        if handler is not None:
            root = logging.getLogger()
            root.removeHandler(handler)
            root.setLevel(level)
        _host.serving.reset(token)

    def run(
        self,
        kind: CheckKind[Any],
        config: Mapping[str, object] | None = None,
        *,
        check: str = "test",
        timeout: float = TIMEOUT_SECONDS,
        attempt: int = 1,
        target: str | None = None,
        labels: Mapping[str, str] | None = None,
        previous: Report | None = None,
    ) -> Report:
        """Runs a check with this configuration, its example where there is none.

        What the service did is in the report. What the plugin or its configuration did is raised (`PluginError`), and changes no state; so
        is any other exception, which in a component would be a failure `internal`.
        """
        earlier = None if previous is None else Earlier(self.clock.now, previous)
        asked = Request[Any](
            check,
            kind.name,
            _as_json(kind.example if config is None else config),
            self.clock.now,
            timeout,
            attempt=attempt,
            target=target,
            labels=labels or {},
            previous=earlier,
        )
        before = dict(self.state.values)
        try:
            with self._run(timeout):
                report = kind.answer(asked)
                fit(report)
        except BaseException:
            self.state.values = before
            raise
        return report

    def plan(
        self,
        kind: RecoveryKind[Any],
        config: Mapping[str, object] | None = None,
        *,
        incident: Incident | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> list[Action]:
        """Asks a recovery for its steps."""
        before = dict(self.state.values)
        try:
            with self._run(timeout):
                return kind.answer_plan(self._recovery(kind, config, incident, timeout, ""))
        finally:
            # A plan changes nothing.
            self.state.values = before

    def act(
        self,
        kind: RecoveryKind[Any],
        action: Action,
        config: Mapping[str, object] | None = None,
        *,
        incident: Incident | None = None,
        timeout: float = TIMEOUT_SECONDS,
        idempotency_key: str = "test-key",
    ) -> Progress:
        """Takes one step of a recovery."""
        with self._run(timeout):
            return kind.answer_act(self._recovery(kind, config, incident, timeout, idempotency_key), action)

    def follow(
        self,
        kind: RecoveryKind[Any],
        action: Action,
        token: object,
        config: Mapping[str, object] | None = None,
        *,
        incident: Incident | None = None,
        timeout: float = TIMEOUT_SECONDS,
        idempotency_key: str = "test-key",
    ) -> Progress:
        """Asks a recovery how a step is doing."""
        with self._run(timeout):
            return kind.answer_follow(self._recovery(kind, config, incident, timeout, idempotency_key), action, _as_json(token))

    def deliver(
        self,
        kind: SinkKind[Any],
        config: Mapping[str, object] | None = None,
        *,
        notification: Notification | None = None,
        sink: str = "test",
        timeout: float = TIMEOUT_SECONDS,
    ) -> Receipt:
        """Has a sink tell something. Raises `RetryableError` or `PermanentError` where it did not come about."""
        asked = SinkRequest[Any](
            sink,
            kind.name,
            _as_json(kind.example if config is None else config),
            timeout,
            notification if notification is not None else make_notification(),
        )
        with self._run(timeout):
            return kind.answer(asked)

    def _recovery(
        self, kind: RecoveryKind[Any], config: Mapping[str, object] | None, about: Incident | None, timeout: float, key: str
    ) -> RecoveryRequest[Any]:
        told = _as_json(kind.example if config is None else config)
        return RecoveryRequest("test", kind.name, told, timeout, about if about is not None else make_incident(), key)

    def _run(self, timeout: float) -> _Run:
        return _Run(self, timeout)


class _Run:
    """One run on a host: its calls end with it."""

    def __init__(self, host: FakeHost, timeout: float) -> None:
        self._host = host
        self._timeout = timeout

    def __enter__(self) -> None:
        self._host.clock.begin(self._timeout)
        self._host.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._host.__exit__(kind, error, traceback)
        self._host.clock.end()


def _as_json(value: object) -> Any:
    """As it would come from the host: what JSON cannot hold is a mistake of the test."""
    return json.loads(json.dumps(value))


def incident(**told: Any) -> Incident:
    """An incident of a check `test` that is critical; fields may be told."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    report = Report.ok("").critical("connection", "the service does not answer")
    return Incident(**{"id": "01INCIDENT", "check": "test", "since": now, "last_report": report, "failure": "connection", **told})


def alert(**told: Any) -> Alert:
    """A firing alert of a check `test`; fields may be told."""
    usual = {
        "incident_id": "01INCIDENT",
        "check": "test",
        "phase": Phase.FIRING,
        "status": Status.CRITICAL,
        "summary": "the service does not answer",
        "started_at": datetime(2026, 1, 1, tzinfo=UTC),
        "failure": "connection",
        "reason": "Reported",
        "labels": {"alertname": "test"},
    }
    return Alert(**{**usual, **told})


def notification(*alerts: Alert, **told: Any) -> Notification:
    """A notification of these alerts, one that fires where there are none; fields may be told."""
    listed = alerts or (alert(),)
    phase = Phase.FIRING if any(one.phase is Phase.FIRING for one in listed) else listed[0].phase
    return Notification(**{"idempotency_key": "test-key", "group": "test", "phase": phase, "severity": "P3", "alerts": listed, **told})


# Under names that the arguments above do not take.
make_incident = incident
make_notification = notification
