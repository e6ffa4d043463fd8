"""Building a report.

Findings only ever make a report worse: `.warning(..)` after `.critical(..)` leaves it critical, and among findings of the same weight the
first one gives the summary and the failure kind. Write the most telling one first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Self

from . import _bounds
from ._words import expect_metric_name, expect_word


class Status(Enum):
    """The four states of a check."""

    UNKNOWN = "unknown"
    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"


class MetricKind(Enum):
    """How a number behaves over time."""

    GAUGE = "gauge"
    COUNTER = "counter"


@dataclass(frozen=True, slots=True)
class Metric:
    """One number."""

    name: str
    value: float
    kind: MetricKind = MetricKind.GAUGE
    unit: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was measured against what was allowed."""

    metric: str
    actual: str
    expected: str
    unit: str = ""


# The order in which findings win.
_WEIGHT = {Status.OK: 0, Status.UNKNOWN: 1, Status.WARNING: 2, Status.CRITICAL: 3}


@dataclass(slots=True)
class Report:
    """What one run found. Every `add_...` and every finding returns the report itself."""

    status: Status
    summary: str
    failure: str | None = None
    metrics: list[Metric] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    #: Anything worth keeping with the result, as JSON at most 64 KiB. What JSON does not know is written as text.
    details: Mapping[str, Any] | None = None
    extras: dict[str, str] = field(default_factory=dict)

    @classmethod
    def ok(cls, summary: str) -> Self:
        """Starts a report: all is well until a finding says otherwise."""
        return cls(Status.OK, summary)

    @classmethod
    def unknown(cls, summary: str) -> Self:
        """The target answered, and its answer cannot be judged (yet)."""
        return cls(Status.UNKNOWN, summary)

    def warning(self, failure: str, summary: str) -> Self:
        """Makes the report `warning`, unless it is as bad already. `failure` is the word that recoveries are matched by."""
        return self._worsen(Status.WARNING, failure, summary)

    def critical(self, failure: str, summary: str) -> Self:
        """Makes the report `critical`, unless it is already. `failure` is the word that recoveries are matched by."""
        return self._worsen(Status.CRITICAL, failure, summary)

    def _worsen(self, status: Status, failure: str, summary: str) -> Self:
        expect_word("failure kind", failure)
        if _WEIGHT[status] > _WEIGHT[self.status]:
            self.status, self.failure, self.summary = status, failure, summary
        return self

    def add_metric(self, name: str, value: float, unit: str = "", labels: Mapping[str, object] | None = None) -> Self:
        """Adds a gauge. The base unit comes last in the name (`latency_seconds`); the unit is `seconds`, `bytes`, `ratio` or empty.

        A name with its labels may occur once in a report. The host drops a value that is not finite.
        """
        return self._add(name, value, MetricKind.GAUGE, unit, labels)

    def add_counter(self, name: str, value: float, unit: str = "", labels: Mapping[str, object] | None = None) -> Self:
        """Adds a number that only grows, except when the thing counted restarts."""
        return self._add(name, value, MetricKind.COUNTER, unit, labels)

    def _add(self, name: str, value: float, kind: MetricKind, unit: str, labels: Mapping[str, object] | None) -> Self:
        self.metrics.append(Metric(expect_metric_name(name), float(value), kind, unit, _bounds.texts(labels)))
        return self

    def add_evidence(self, metric: str, actual: object, expected: object, unit: str = "") -> Self:
        """Adds what was measured against what was allowed. `metric` may be empty."""
        self.evidence.append(Evidence(metric, str(actual), str(expected), unit))
        return self

    def add_extra(self, name: str, value: object) -> Self:
        """Adds an extra. Put a dot into the name (`mycompany.region`): names without one belong to the contract."""
        self.extras[name] = str(value)
        return self


def fit(report: Report) -> str | None:
    """Fits the report into the contract's bounds, which the host refuses to see passed; answers its details as JSON.

    Text for people is cut. What machines read is not mended: a wrong label is refused by the host.
    """
    report.summary = _bounds.cut(report.summary, _bounds.SUMMARY_BYTES_MAX)
    del report.metrics[_bounds.METRICS_MAX :]
    report.evidence = [
        Evidence(
            _bounds.clean(evidence.metric),
            _bounds.cut(evidence.actual, _bounds.EVIDENCE_TEXT_BYTES_MAX),
            _bounds.cut(evidence.expected, _bounds.EVIDENCE_TEXT_BYTES_MAX),
            _bounds.clean(evidence.unit),
        )
        for evidence in report.evidence[: _bounds.EVIDENCE_MAX]
    ]
    details = None
    if report.details is not None:
        try:
            details = json_text(report.details)
        except (TypeError, ValueError) as error:
            report.extras["sdk.details-dropped"] = _bounds.cut(error, 256)
        if details is not None and len(details) > _bounds.DETAILS_BYTES_MAX:
            report.extras["sdk.details-dropped-bytes"] = str(len(details))
            details = None
        if details is None:
            report.details = None
    return details


def json_text(value: object) -> str:
    """JSON in ASCII; what JSON does not know (a time, a decimal) as text. Numbers that are not finite are refused."""
    return json.dumps(value, default=str, allow_nan=False, separators=(",", ":"))
