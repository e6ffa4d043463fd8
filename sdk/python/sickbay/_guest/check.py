"""The contract's `check`, and how one run goes: request -> configuration -> the check's function -> a report within bounds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from wit_world.exports import check as wire
from wit_world.imports import types

from .. import _bounds
from ..checks import CheckKind, Earlier, Request
from ..errors import InternalError
from .failures import failure
from .types import labels_here, report, report_here


class CheckExport:
    """Answers `run` for every kind of check of the plugin."""

    def __init__(self, kinds: Sequence[CheckKind[Any]]) -> None:
        self._kinds = {kind.name: kind for kind in kinds}

    def run(self, request: wire.Request) -> types.Report:
        try:
            kind = self._kinds.get(request.kind)
            if kind is None:
                raise InternalError(f"this plugin has no kind of check named {request.kind}")
            return report(kind.answer(_asked(request)))
        except Exception as error:
            raise failure(error) from error


def _asked(request: wire.Request) -> Request[Any]:
    earlier = request.previous
    return Request(
        request.check,
        request.kind,
        json.loads(request.config),
        _bounds.moment(request.scheduled_at),
        request.timeout_ms / 1000,
        attempt=request.attempt,
        target=request.target,
        labels=labels_here(request.labels),
        previous=None if earlier is None else Earlier(_bounds.moment(earlier.scheduled_at), report_here(earlier.report)),
        extras=labels_here(request.extras),
    )
