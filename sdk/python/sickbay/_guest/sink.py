"""The contract's `sink`: telling, once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from componentize_py_types import Err
from wit_world.exports import sink as wire

from .. import _bounds
from ..errors import InternalError
from ..sinks import Alert, Notification, PermanentError, Phase, RetryableError, SinkKind, SinkRequest
from .failures import defect, logger
from .types import STATUS_HERE, evidence_here, labels, labels_here

_PHASE_HERE = {
    wire.Phase.FIRING: Phase.FIRING,
    wire.Phase.ACKNOWLEDGED: Phase.ACKNOWLEDGED,
    wire.Phase.RESOLVED: Phase.RESOLVED,
    wire.Phase.OTHER: Phase.OTHER,
}


class SinkExport:
    """Answers `deliver` for every kind of sink of the plugin."""

    def __init__(self, kinds: Sequence[SinkKind[Any]]) -> None:
        self._kinds = {kind.name: kind for kind in kinds}

    def deliver(self, request: wire.Request) -> wire.Receipt:
        try:
            kind = self._kinds.get(request.kind)
            if kind is None:
                raise InternalError(f"this plugin has no kind of sink named {request.kind}")
            receipt = kind.answer(_asked(request))
            reference = None if receipt.reference is None else _bounds.clean(str(receipt.reference))
            return wire.Receipt(reference, labels(receipt.extras))
        except PermanentError as error:
            raise Err(wire.DeliveryError_Permanent(_message(error.message))) from error
        except RetryableError as error:
            after_ms = None if error.after is None else max(0, min(round(error.after * 1000), _bounds.U32_MAX))
            raise Err(wire.DeliveryError_Retryable(wire.Retry(_message(error.message), after_ms))) from error
        except Exception as error:
            # A defect is tried again, as a trap would be: the next version may mend it.
            logger.error("%s", defect(error), exc_info=error)
            raise Err(wire.DeliveryError_Retryable(wire.Retry(_message(defect(error)), None))) from error


def _message(text: str) -> str:
    return _bounds.cut(text, _bounds.FAILURE_MESSAGE_BYTES_MAX)


def _asked(request: wire.Request) -> SinkRequest[Any]:
    told = request.notification
    return SinkRequest(
        request.sink,
        request.kind,
        json.loads(request.config),
        request.timeout_ms / 1000,
        Notification(
            told.idempotency_key,
            told.group,
            _PHASE_HERE[told.phase],
            told.severity,
            [_alert(alert) for alert in told.alerts],
            reference=told.reference,
            attempt=told.attempt,
            extras=labels_here(told.extras),
        ),
        labels_here(request.extras),
    )


def _alert(alert: wire.Alert) -> Alert:
    return Alert(
        alert.incident_id,
        alert.check,
        _PHASE_HERE[alert.phase],
        STATUS_HERE[alert.status],
        alert.summary,
        _bounds.moment(alert.started_at),
        failure=alert.failure,
        severity=alert.severity,
        reason=alert.reason,
        target=alert.target,
        labels=labels_here(alert.labels),
        ended_at=None if alert.ended_at is None else _bounds.moment(alert.ended_at),
        evidence=[evidence_here(evidence) for evidence in alert.evidence],
        url=alert.url,
        extras=labels_here(alert.extras),
    )
