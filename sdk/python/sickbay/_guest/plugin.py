"""The contract's `plugin`: what a plugin says of itself."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Sequence
from typing import Any

from wit_world.exports import plugin as wire

from .. import _bounds
from .._annotations import read_ahead
from ..component import Description
from ..kinds import Kind
from .types import METRIC_KIND, labels


class PluginExport:
    """Answers `describe`; the description is made while the component is built."""

    def __init__(self, description: Description) -> None:
        self._descriptor = wire.Descriptor(
            description.name,
            description.version,
            _bounds.cut(description.summary, _bounds.SUMMARY_BYTES_MAX),
            _kinds(description.checks),
            _kinds(description.recoveries),
            _kinds(description.sinks),
            description.homepage,
            description.licence,
            labels(description.extras),
        )
        for module in (
            {kind.function.__module__ for kind in description.checks}
            | {kind.function.__module__ for kind in description.recoveries}
            | {kind.function.__module__ for kind in description.sinks}
        ):
            read_ahead(vars(sys.modules[module]))
        # To collect garbage is to write to every page, which a run would have to copy first: what is there now is left alone.
        gc.collect()
        gc.freeze()

    def describe(self) -> wire.Descriptor:
        return self._descriptor


def _kinds(kinds: Sequence[Kind[Any]]) -> list[wire.Kind]:
    return [
        wire.Kind(
            kind.name,
            _bounds.cut(kind.summary, _bounds.SUMMARY_BYTES_MAX),
            json.dumps(kind.config_schema()),
            json.dumps(dict(kind.example)),
            [wire.Need(need.capability, need.reason, need.grant) for need in kind.needs],
            [wire.MetricInfo(metric.name, METRIC_KIND[metric.kind], metric.unit, metric.summary) for metric in kind.metrics],
            list(kind.failures),
            [],
        )
        for kind in kinds
    ]
