"""Whether a check keeps to what it says of itself."""

from __future__ import annotations

from typing import Any

from ..checks import CheckKind
from ..kinds import MetricInfo
from ..report import Metric, Report, Status


def assert_as_described(kind: CheckKind[Any], report: Report) -> None:
    """Fails with the first metric or failure kind of the report that the check does not describe."""
    for metric in report.metrics:
        if not any(_describes(info, metric) for info in kind.metrics):
            raise AssertionError(f"the metric {metric.name} ({metric.unit!r}, {metric.kind.value}) is not described")
    if report.failure is None:
        if report.status not in (Status.OK, Status.UNKNOWN):
            raise AssertionError(f"the report is {report.status.value} and has no failure kind")
    elif report.failure not in kind.failures:
        raise AssertionError(f"the failure {report.failure} is not described")


def _describes(info: MetricInfo, metric: Metric) -> bool:
    fits = metric.name.startswith(info.name[:-1]) if info.name.endswith("*") else metric.name == info.name
    return fits and metric.unit == info.unit and metric.kind is info.kind
