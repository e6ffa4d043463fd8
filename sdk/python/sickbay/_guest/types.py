"""Vocabulary that every interface shares: from the contract's types to the SDK's, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from wit_world.imports import types as wire

from .. import _bounds
from ..network import Certificate, Timings, TlsSession
from ..report import Evidence, Metric, MetricKind, Report, Status, fit

STATUS = {
    Status.UNKNOWN: wire.Status.UNKNOWN,
    Status.OK: wire.Status.OK,
    Status.WARNING: wire.Status.WARNING,
    Status.CRITICAL: wire.Status.CRITICAL,
}
STATUS_HERE = {there: here for here, there in STATUS.items()}
METRIC_KIND = {MetricKind.GAUGE: wire.MetricKind.GAUGE, MetricKind.COUNTER: wire.MetricKind.COUNTER}
METRIC_KIND_HERE = {there: here for here, there in METRIC_KIND.items()}


def labels(values: Mapping[str, object]) -> list[wire.Label]:
    return [wire.Label(name, value) for name, value in _bounds.texts(values).items()]


def labels_here(labels: Iterable[wire.Label]) -> dict[str, str]:
    return {label.name: label.value for label in labels}


def report(found: Report) -> wire.Report:
    """A report within the contract's bounds."""
    details = fit(found)
    return wire.Report(
        STATUS[found.status],
        found.summary,
        found.failure,
        [wire.Metric(metric.name, metric.value, METRIC_KIND[metric.kind], metric.unit, labels(metric.labels)) for metric in found.metrics],
        [wire.Evidence(evidence.metric, evidence.actual, evidence.expected, evidence.unit) for evidence in found.evidence],
        details,
        labels(found.extras),
    )


def report_here(found: wire.Report) -> Report:
    """What an earlier run found: the host shows it without its details."""
    return Report(
        STATUS_HERE[found.status],
        found.summary,
        found.failure,
        [
            Metric(metric.name, metric.value, METRIC_KIND_HERE[metric.kind], metric.unit, labels_here(metric.labels))
            for metric in found.metrics
        ],
        [evidence_here(evidence) for evidence in found.evidence],
        None,
        labels_here(found.extras),
    )


def evidence_here(evidence: wire.Evidence) -> Evidence:
    return Evidence(evidence.metric, evidence.actual, evidence.expected, evidence.unit)


def seconds(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / 1e6


def timings(told: wire.Timings) -> Timings:
    return Timings(
        told.total_us / 1e6,
        dns=seconds(told.dns_us),
        connect=seconds(told.connect_us),
        tls=seconds(told.tls_us),
        first_byte=seconds(told.first_byte_us),
    )


def tls_session(told: wire.TlsSession) -> TlsSession:
    chain = [
        Certificate(
            certificate.subject,
            certificate.issuer,
            certificate.dns_names,
            _bounds.moment(certificate.not_before),
            _bounds.moment(certificate.not_after),
            certificate.sha256,
        )
        for certificate in told.chain
    ]
    return TlsSession(told.version, told.cipher, told.untrusted, chain)
