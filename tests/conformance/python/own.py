"""What needs no service: the kinds `request`, `report`, `end`, `state` and `log`."""

from __future__ import annotations

import logging
import math
import os
from dataclasses import dataclass
from typing import Annotated, Literal

from told import Lines, labels, milliseconds, number, optional, string, text

from sickbay import (
    ConfigurationError,
    Earlier,
    InternalError,
    QuotaError,
    Report,
    Request,
    ServiceError,
    check,
    log,
    state,
)

#: One more than a report may have.
METRICS = 257
EVIDENCE = 9
SUMMARY_CHARACTERS = 300
DETAILS_BYTES = 70_000
STATE_BYTES = 20_000
BLOCK_BYTES = 1 << 20

logger = logging.getLogger("conformance")


@check("request", summary="Tells what it was asked")
def asked(request: Request[None]) -> Report:
    lines = Lines()
    lines.append(f"check {text(request.check)}")
    lines.append(f"kind {text(request.kind)}")
    lines.append(f"target {optional(request.target)}")
    lines.append(f"attempt {request.attempt}")
    lines.append(f"timeout-ms {round(request.timeout * 1000)}")
    lines.append(f"scheduled-at {milliseconds(request.scheduled_at)}")
    labels(lines, "label", request.labels)
    labels(lines, "extra", request.extras)
    earlier(lines, request.previous)
    return lines.report()


def earlier(lines: Lines, told: Earlier | None) -> None:
    if told is None:
        lines.append("previous null")
        return
    report = told.report
    failure = optional(report.failure)
    lines.append(f"previous {milliseconds(told.scheduled_at)} {report.status.value} {text(report.summary)} {failure}")
    for metric in report.metrics:
        lines.append(f"metric {text(metric.name)} {number(metric.value)} {metric.kind.value} {text(metric.unit)}")
        labels(lines, "metric-label", metric.labels)
    for evidence in report.evidence:
        parts = (evidence.metric, evidence.actual, evidence.expected, evidence.unit)
        lines.append(f"evidence {' '.join(text(part) for part in parts)}")
    labels(lines, "previous-extra", report.extras)


@dataclass
class ReportConfig:
    what: Annotated[Literal["whole", "findings", "unknown", "not-finite", "too-much"], "Which report"]


@check("report", summary="Reports everything that a report may hold", example={"what": "unknown"})
def reports(request: Request[ReportConfig]) -> Report:
    match request.config.what:
        case "whole":
            return whole()
        case "findings":
            report = Report.ok("fine").warning("latency", "slow").critical("content", "wrong")
            return report.critical("certificate", "expired").warning("capacity", "full")
        case "unknown":
            return Report.unknown("it cannot be judged yet")
        case "not-finite":
            report = Report.ok("one number of three").add_metric("not_a_number", math.nan)
            return report.add_metric("endless", math.inf).add_metric("finite", 1)
    return too_much()


def whole() -> Report:
    report = Report.ok('é ☃ "quoted" \\')
    report.add_metric("latency_seconds", 0.25, "seconds")
    report.add_metric("used_bytes", 1024, "bytes")
    report.add_metric("hit_ratio", 0.5, "ratio")
    report.add_metric("jobs", -3)
    report.add_counter("served", 7)
    report.add_metric("queue_jobs", 2, "", {"queue": 'é"\\', "state": "waiting"})
    report.add_metric("queue_jobs", 4, "", {"queue": "mail", "state": "waiting"})
    report.add_evidence("latency_seconds", "0.25", "at most 0.1", "seconds")
    report.add_evidence("", "é", "☃")
    report.warning("capacity", "é ☃ it is too much")
    report.details = {"nested": {"list": [1, True, "é\n"]}}
    return report.add_extra("conformance.extra", "é")


def too_much() -> Report:
    report = Report.ok("é" * SUMMARY_CHARACTERS)
    report.details = {"text": "x" * DETAILS_BYTES}
    for count in range(METRICS):
        report.add_metric(f"metric_{count}", count)
    for count in range(EVIDENCE):
        report.add_evidence("", count, "☃" * (2 * SUMMARY_CHARACTERS))
    return report


@dataclass
class EndConfig:
    how: Annotated[
        Literal["service", "configuration", "quota", "internal", "defect", "trap", "loop", "memory"], "How the run ends"
    ]


@check("end", summary="Ends in every way that is no report", example={"how": "service"}, failures=["stale"])
def end(request: Request[EndConfig]) -> Report:
    match request.config.how:
        case "service":
            raise ServiceError("stale", "the newest entry is é old")
        case "configuration":
            raise ConfigurationError("it cannot be so")
        case "quota":
            raise QuotaError("it is too much")
        case "internal":
            raise InternalError("it is broken")
        case "defect":
            return list[Report]()[request.attempt]
        case "trap":
            os.abort()
        case "loop":
            while True:
                pass
    blocks = []
    while True:
        blocks.append(b"\x01" * BLOCK_BYTES)


@dataclass
class StateConfig:
    what: Annotated[Literal["count", "too-much"], "What is kept"] = "count"


@check("state", summary="Counts its runs, and keeps bytes")
def kept(request: Request[StateConfig]) -> Report:
    if request.config.what == "too-much":
        state.put("much", b"x" * STATE_BYTES)
    lines = Lines()
    runs = state.get_json("runs", 0) + 1
    state.put_json("runs", runs)
    lines.append(f"runs {runs}")
    lines.append(f"before {bytes_or_null(state.get('raw'))}")
    state.put("raw", b"\x00\xff")
    lines.append(f"after {bytes_or_null(state.get('raw'))}")
    state.remove("gone")
    return lines.report()


def bytes_or_null(value: bytes | None) -> str:
    return "null" if value is None else string(value)


@check("log", summary="Logs a line of each level")
def logged(request: Request[None]) -> Report:
    levels = {
        "trace": log.TRACE,
        "debug": logging.DEBUG,
        "info": logging.INFO,
        "warn": logging.WARNING,
        "error": logging.ERROR,
    }
    for word, level in levels.items():
        logger.log(level, "conformance %s", word, extra={"number": 7, "text": "é"})
    return Report.ok("logged")


KINDS = [asked, reports, end, kept, logged]
