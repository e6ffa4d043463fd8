"""`hello`: fetches a URL, counts its runs and reports how long the answer took.

It speaks the contract of `wit/` directly. The classes `Plugin` and `Check` are the two interfaces that a check plugin
exports; `wit_world` is generated from the contract while the component is built.
"""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import plugin
from wit_world.imports import http, log, state, types

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"url": {"type": "string", "minLength": 1, "description": "Where to look."}},
    "required": ["url"],
    "additionalProperties": False,
}

# The failure kinds of what a service may do; any other is a `connection` that did not come about.
FAILURES = {
    http.HttpError_Dns: "dns",
    http.HttpError_Refused: "refused",
    http.HttpError_Tls: "tls",
    http.HttpError_Timeout: "timeout",
    http.HttpError_Protocol: "protocol",
}


class Plugin(exports.Plugin):
    def describe(self) -> plugin.Descriptor:
        gauge = types.MetricKind.GAUGE
        hello = plugin.Kind(
            name="hello",
            summary="Fetches a URL and counts its runs",
            config_schema=json.dumps(SCHEMA),
            example=json.dumps({"url": "https://example.com/"}),
            needs=[plugin.Need("http", "fetches the URL", 'http = ["GET {url}"]')],
            metrics=[
                plugin.MetricInfo("status", gauge, "", "the status of the answer"),
                plugin.MetricInfo("latency_seconds", gauge, "seconds", "the whole exchange"),
                plugin.MetricInfo("runs", types.MetricKind.COUNTER, "", "runs that found an answer"),
            ],
            failures=["content", "connection", *FAILURES.values()],
            extras=[],
        )
        return plugin.Descriptor(
            name="hello-py",
            version="0.1.0",
            summary="A check in Python",
            checks=[hello],
            recoveries=[],
            sinks=[],
            homepage=None,
            licence="Apache-2.0",
            extras=[],
        )


class Check(exports.Check):
    def run(self, request) -> types.Report:
        url = json.loads(request.config)["url"]
        try:
            response = http.send(http.Request("GET", url, [], None), OPTIONS)
        except Err as error:
            return judge_error(error.value)

        runs = count_run()
        log.write(log.Level.INFO, "fetched", [types.Label("status", str(response.status))])
        seconds = response.timings.total_us / 1e6
        well = 200 <= response.status < 400
        return types.Report(
            status=types.Status.OK if well else types.Status.CRITICAL,
            summary=f"HTTP {response.status} in {seconds * 1000:.1f} ms, run {runs}",
            failure=None if well else "content",
            metrics=[
                types.Metric("status", float(response.status), types.MetricKind.GAUGE, "", []),
                types.Metric("latency_seconds", seconds, types.MetricKind.GAUGE, "seconds", []),
                types.Metric("runs", float(runs), types.MetricKind.COUNTER, "", []),
            ],
            evidence=[] if well else [types.Evidence("status", str(response.status), "200 to 399", "")],
            details=None,
            extras=[],
        )


OPTIONS = http.Options(
    timeout_ms=None,
    redirects_max=5,
    body_bytes_max=None,
    reuse=False,
    accept_untrusted=False,
    connect_to=None,
    extras=[],
)


def count_run() -> int:
    """One more than the last run kept; the host writes it together with this run's result."""
    kept = state.get("runs")
    runs = int(kept) + 1 if kept else 1
    try:
        state.put("runs", str(runs).encode())
    except Err as error:
        raise Err(types.Failure("quota", error.value, [])) from error
    return runs


def judge_error(error) -> types.Report:
    """What the service did is critical; what the plugin or its configuration did is a failure, which becomes unknown."""
    if isinstance(error, http.HttpError_Denied):
        raise Err(types.Failure("denied", f"{error.value.reason}; hint: {error.value.hint}", []))
    if isinstance(error, http.HttpError_Invalid):
        raise Err(types.Failure("configuration", error.value, []))
    if isinstance(error, http.HttpError_Quota):
        raise Err(types.Failure("quota", error.value, []))
    failure = FAILURES.get(type(error), "connection")
    return types.Report(types.Status.CRITICAL, error.value, failure, [], [], None, [])
