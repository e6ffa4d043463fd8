"""The contract's `recovery`: planning, acting, following."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from wit_world.exports import recovery as wire

from .. import _bounds
from ..errors import InternalError
from ..recoveries import (
    AGAIN_AFTER_SECONDS_MAX,
    AGAIN_AFTER_SECONDS_MIN,
    Action,
    Incident,
    Outcome,
    Progress,
    RecoveryKind,
    RecoveryRequest,
    Running,
)
from ..report import json_text
from .failures import failure
from .types import labels, labels_here, report_here


class RecoveryExport:
    """Answers for every kind of recovery of the plugin."""

    def __init__(self, kinds: Sequence[RecoveryKind[Any]]) -> None:
        self._kinds = {kind.name: kind for kind in kinds}

    def plan(self, request: wire.Request) -> list[wire.Action]:
        try:
            return [_action(action) for action in self._kind(request).answer_plan(_asked(request))]
        except Exception as error:
            raise failure(error) from error

    def act(self, request: wire.Request, action: wire.Action) -> wire.Progress:
        try:
            return _progress(self._kind(request).answer_act(_asked(request), _action_here(action)))
        except Exception as error:
            raise failure(error) from error

    def follow(self, request: wire.Request, action: wire.Action, token: str) -> wire.Progress:
        try:
            return _progress(self._kind(request).answer_follow(_asked(request), _action_here(action), json.loads(token)))
        except Exception as error:
            raise failure(error) from error

    def _kind(self, request: wire.Request) -> RecoveryKind[Any]:
        kind = self._kinds.get(request.kind)
        if kind is None:
            raise InternalError(f"this plugin has no kind of recovery named {request.kind}")
        return kind


def _asked(request: wire.Request) -> RecoveryRequest[Any]:
    incident = request.incident
    return RecoveryRequest(
        request.recovery,
        request.kind,
        json.loads(request.config),
        request.timeout_ms / 1000,
        Incident(
            incident.id,
            incident.check,
            _bounds.moment(incident.since),
            report_here(incident.last_report),
            failure=incident.failure,
            severity=incident.severity,
            consecutive_failures=incident.consecutive_failures,
            target=incident.target,
            labels=labels_here(incident.labels),
            extras=labels_here(incident.extras),
        ),
        request.idempotency_key,
        labels_here(request.extras),
    )


def _action(action: Action) -> wire.Action:
    return wire.Action(
        _bounds.clean(action.id),
        _bounds.cut(action.title, _bounds.SUMMARY_BYTES_MAX),
        _bounds.cut(action.target, _bounds.SUMMARY_BYTES_MAX),
        action.idempotent,
        json_text(action.parameters),
        labels(action.extras),
    )


def _action_here(action: wire.Action) -> Action:
    return Action(action.id, action.title, action.target, action.idempotent, json.loads(action.parameters), labels_here(action.extras))


def _progress(progress: Progress) -> wire.Progress:
    if isinstance(progress, Running):
        seconds = min(max(progress.again_after, AGAIN_AFTER_SECONDS_MIN), AGAIN_AFTER_SECONDS_MAX)
        summary = _bounds.cut(progress.summary, _bounds.SUMMARY_BYTES_MAX)
        return wire.Progress_Running(wire.Running(json_text(progress.token), summary, round(seconds * 1000)))
    if not isinstance(progress, Outcome):
        raise TypeError(f"a step ended with {type(progress).__name__}, not an Outcome or Running")
    return wire.Progress_Done(
        wire.Outcome(
            progress.success,
            _bounds.cut(progress.reason, _bounds.SUMMARY_BYTES_MAX),
            [_bounds.cut(action, _bounds.SUMMARY_BYTES_MAX) for action in progress.actions],
            None if progress.recommendation is None else _bounds.cut(progress.recommendation, _bounds.SUMMARY_BYTES_MAX),
            None if progress.details is None else json_text(progress.details),
            labels(progress.extras),
        )
    )
