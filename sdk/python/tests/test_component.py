"""The component's side, against the bindings that componentize-py generates from the contract. Skipped where it is not installed."""

from __future__ import annotations

import importlib
import json
import logging
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import unittest
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

from sickbay import (
    Action,
    Outcome,
    Receipt,
    RecoveryRequest,
    RefusedError,
    Report,
    Request,
    Running,
    SinkRequest,
    _host,
    check,
    full_plugin,
    gauge,
    http,
    log,
    postgres,
    recovery,
    redis,
    sink,
    state,
)

CONTRACT = Path(__file__).parents[3] / "wit"
TOOL = shutil.which("componentize-py", path=os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")]))


@dataclass
class Config:
    do: str = "ok"


@check("look", summary="Looks", metrics=[gauge("latency_seconds", "of the answer", "seconds")], failures=["refused"])
def look(request: Request[Config]) -> Report:
    match request.config.do:
        case "http":
            response = http.get("http://a/", timeout=1.5)
            return Report.ok(response.text).add_metric("latency_seconds", response.latency_seconds, "seconds", {"to": "a"})
        case "redis":
            return Report.ok(json.dumps(redis.source("cache").run("X")))
        case "postgres":
            row = postgres.source("main").query("select $1", None, True, 5, 1.5, "x").one()
            return Report.ok(repr(tuple(row)))
        case "state":
            state.put("k", b"v")
        case "defect":
            return Report.ok(dict[str, str]()["missing"])
        case "previous":
            assert request.previous is not None
            return Report.ok(f"{request.previous.report.summary} at {request.previous.scheduled_at:%Y}")
    report = Report.ok("fine\ud800")
    report.details = {"check": request.check, "labels": dict(request.labels), "timeout": request.timeout}
    return report


@recovery("heal", summary="Heals")
def heal(request: RecoveryRequest[Config]) -> list[Action]:
    return [Action("a", f"Heal {request.incident.check}", "t", parameters={"n": 1})]


@heal.act
def act(request: RecoveryRequest[Config], action: Action) -> Outcome | Running:
    if request.config.do == "refused":
        raise RefusedError("no")
    return Running({"step": action.parameters["n"]}, "going on", again_after=0.1)


@heal.follow
def follow(request: RecoveryRequest[Config], action: Action, token: Any) -> Outcome | Running:
    return Outcome(True, f"step {token['step']}", details={"k": 1})


@sink("tell", summary="Tells")
def tell(request: SinkRequest[Config]) -> Receipt | None:
    if request.config.do == "defect":
        raise KeyError("x")
    http.post("http://a/", json=[alert.summary for alert in request.notification.alerts]).raise_for_status()
    return Receipt("m1", {"a": "b"})


Plugin, Check, Recovery, Sink = full_plugin(
    "everything", version="1.0.0", summary="Everything", checks=[look], recoveries=[heal], sinks=[tell], licence="Apache-2.0"
)


@unittest.skipIf(TOOL is None, "componentize-py is not installed")
class TestComponent(unittest.TestCase):
    wit: Any
    err: Any
    plugin: Any
    check: Any
    recovery: Any
    sink: Any

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        assert TOOL is not None
        command = [TOOL, "--quiet", "-d", str(CONTRACT), "-w", "full-plugin", "bindings", folder.name]
        subprocess.run(command, check=True, capture_output=True)
        sys.path.insert(0, folder.name)
        cls.addClassCleanup(sys.path.remove, folder.name)
        cls.wit = importlib.import_module("wit_world.imports.types")
        cls.err = importlib.import_module("componentize_py_types").Err
        cls.plugin = Plugin()
        cls.check = Check()
        cls.recovery = Recovery()
        cls.sink = Sink()
        cls.addClassCleanup(cls._leave)

    @classmethod
    def _leave(cls) -> None:
        _host.answering = None
        root = logging.getLogger()
        for handler in [handler for handler in root.handlers if isinstance(handler, log.HostHandler)]:
            root.removeHandler(handler)

    def ask(self, do: str, previous: Any = None, kind: str = "look") -> Any:
        wire = importlib.import_module("wit_world.exports.check")
        labels = [self.wit.Label("service", "api")]
        return self.check.run(wire.Request("api", kind, json.dumps({"do": do}), 0, 5000, 1, None, labels, previous, []))

    def imported(self, name: str, function: str, **told: Any) -> Any:
        return mock.patch(f"wit_world.imports.{name}.{function}", **told)

    def test_it_describes_itself(self) -> None:
        told = self.plugin.describe()
        self.assertEqual((told.name, told.version, told.licence), ("everything", "1.0.0", "Apache-2.0"))
        kind = told.checks[0]
        self.assertEqual((kind.name, kind.failures, json.loads(kind.example)), ("look", ["refused"], {}))
        self.assertEqual(json.loads(kind.config_schema)["properties"]["do"]["default"], "ok")
        self.assertIs(kind.metrics[0].kind, self.wit.MetricKind.GAUGE)
        self.assertEqual([told.recoveries[0].name, told.sinks[0].name], ["heal", "tell"])

    def test_a_report_is_within_bounds_and_carries_what_was_asked(self) -> None:
        report = self.ask("ok")
        self.assertIs(report.status, self.wit.Status.OK)
        self.assertEqual(report.summary, "fine?")
        self.assertEqual(json.loads(report.details), {"check": "api", "labels": {"service": "api"}, "timeout": 5.0})

    def test_an_earlier_report_is_read(self) -> None:
        wire = importlib.import_module("wit_world.exports.check")
        report = self.wit.Report(self.wit.Status.OK, "before", None, [], [], None, [])
        self.assertEqual(self.ask("previous", wire.Earlier(0, report)).summary, "before at 1970")

    def test_requests_and_answers_are_translated(self) -> None:
        wire = importlib.import_module("wit_world.imports.http")
        timings = self.wit.Timings(None, 100, None, 200, 2_000_000)
        answer = wire.Response(200, "HTTP/1.1", [wire.Header("a", "b")], b"hi", False, "http://a/", [], timings, None, None, [])
        with self.imported("http", "send", return_value=answer) as send:
            report = self.ask("http")
        request, options = send.call_args.args
        self.assertEqual((request.method, request.url, options.timeout_ms, options.redirects_max), ("GET", "http://a/", 1500, 5))
        metric = report.metrics[0]
        self.assertEqual((report.summary, metric.value, metric.labels[0].value), ("hi", 2.0, "a"))

    def test_errors_of_the_host_are_critical_or_failures(self) -> None:
        wire = importlib.import_module("wit_world.imports.http")
        critical = {
            wire.HttpError_Dns: "dns",
            wire.HttpError_Refused: "refused",
            wire.HttpError_Connect: "connection",
            wire.HttpError_Tls: "tls",
            wire.HttpError_Timeout: "timeout",
            wire.HttpError_Protocol: "protocol",
            wire.HttpError_Other: "connection",
        }
        for case, failure in critical.items():
            with self.imported("http", "send", side_effect=self.err(case("x"))):
                report = self.ask("http")
            self.assertEqual((report.status, report.failure, report.summary), (self.wit.Status.CRITICAL, failure, "x"))
        denial = self.wit.Denial("no", 'http = ["GET x"]')
        cases = [
            (wire.HttpError_Denied(denial), "denied", 'no; hint: http = ["GET x"]'),
            (wire.HttpError_Invalid("x"), "configuration", "x"),
            (wire.HttpError_Quota("x"), "quota", "x"),
        ]
        for value, kind, message in cases:
            with self.imported("http", "send", side_effect=self.err(value)), self.assertRaises(self.err) as caught:
                self.ask("http")
            self.assertEqual((caught.exception.value.kind, caught.exception.value.message), (kind, message))

    def test_every_error_of_every_capability_is_known(self) -> None:
        from sickbay import PluginError, ServiceError
        from sickbay._guest.failures import MEANINGS, OTHER_MEANINGS, meaning

        expected = {
            "redis": {"Authentication": "authentication", "Connect": "connection", "Other": "connection", "Timeout": "timeout"},
            "net": {"Closed": "protocol", "Refused": "refused", "Other": "connection"},
            "files": {"NotFound": "missing", "Refused": "file-system", "Other": "file-system"},
            "secrets": {"Other": "secret"},
            "system": {"Unsupported": "configuration", "Other": "internal"},
            "postgres": {"TooManyConnections": "too-many-connections", "Authentication": "authentication", "Other": "connection"},
        }
        for interface, cases in expected.items():
            module = importlib.import_module(f"wit_world.imports.{interface}")
            arms = [name for name in vars(module) if "Error_" in name]
            self.assertTrue(arms)
            for name in arms:
                case = name.partition("_")[2]
                self.assertTrue(case in ("Denied", "Server") or name in OTHER_MEANINGS or case in MEANINGS, name)
                if case in cases:
                    error = meaning(getattr(module, name)("x"))
                    assert isinstance(error, (ServiceError, PluginError))
                    self.assertEqual(error.failure if isinstance(error, ServiceError) else error.kind, cases[case], name)
        redis_module = importlib.import_module("wit_world.imports.redis")
        full = meaning(redis_module.RedisError_Connect("the server has no connection left (`maxclients`)"))
        assert isinstance(full, ServiceError)
        self.assertEqual(full.failure, "too-many-connections")

    def test_a_defect_is_a_failure_that_names_the_line_and_is_logged(self) -> None:
        with self.imported("log", "write") as write, self.assertRaises(self.err) as caught:
            self.ask("defect")
        failure = caught.exception.value
        self.assertEqual(failure.kind, "internal")
        self.assertRegex(failure.message, r"KeyError: 'missing' \(test_component.py, line \d+\)")
        level, message, _ = write.call_args.args
        self.assertEqual(level.name, "ERROR")
        self.assertIn("Traceback", message)

    def test_a_kind_that_is_not_there_is_a_failure(self) -> None:
        with self.assertRaises(self.err) as caught:
            self.ask("ok", kind="nothing")
        self.assertIn("no kind of check named nothing", caught.exception.value.message)

    def test_a_reply_of_redis_is_a_tree_again(self) -> None:
        wire = importlib.import_module("wit_world.imports.redis")
        nodes = [
            wire.Node_ArrayOf(3),
            wire.Node_MapOf(1),
            wire.Node_Bulk(b"a"),
            wire.Node_Int(1),
            wire.Node_Nil(),
            wire.Node_BigNumber("7"),
        ]
        with self.imported("redis", "run", return_value=nodes):
            self.assertEqual(json.loads(self.ask("redis").summary), [{"a": 1}, None, 7])
        for broken in ([], [wire.Node_ArrayOf(2), wire.Node_Nil()], [wire.Node_Nil(), wire.Node_Nil()], [wire.Node_ArrayOf(1)] * 100):
            with self.imported("redis", "run", return_value=broken), self.assertRaises(self.err) as caught:
                self.ask("redis")
            self.assertEqual(caught.exception.value.kind, "internal")

    def test_rows_and_parameters_are_pythons_own(self) -> None:
        wire = importlib.import_module("wit_world.imports.postgres")
        values = [
            wire.Value_Null(),
            wire.Value_Numeric("1.50"),
            wire.Value_TimestampUs(0),
            wire.Value_Json('{"a":1}'),
            wire.Value_Other(wire.OtherValue("inet", "::1")),
        ]
        columns = [wire.Column(f"c{number}", "x") for number in range(len(values))]
        with self.imported("postgres", "run", return_value=wire.RowSet(columns, [values], False, 0, 10)) as run:
            told = self.ask("postgres").summary
        self.assertIn("Decimal('1.50')", told)
        self.assertIn(repr(datetime(1970, 1, 1, tzinfo=UTC)), told)
        self.assertIn("Other(type_name='inet', text='::1')", told)
        params = run.call_args.args[1].params
        kinds = [wire.Value_Null, wire.Value_Boolean, wire.Value_Int, wire.Value_Float, wire.Value_Text]
        self.assertEqual([type(param) for param in params], kinds)

    def test_a_bound_of_state_is_a_quota(self) -> None:
        with self.imported("state", "put", side_effect=self.err("at most 64 keys")), self.assertRaises(self.err) as caught:
            self.ask("state")
        self.assertEqual((caught.exception.value.kind, caught.exception.value.message), ("quota", "at most 64 keys"))

    def heal(self, do: str) -> Any:
        wire = importlib.import_module("wit_world.exports.recovery")
        report = self.wit.Report(self.wit.Status.CRITICAL, "down", "connection", [], [], None, [])
        incident = wire.Incident("i", "api", None, "connection", "P1", 0, 3, [], report, [])
        return wire.Request("healer", "heal", json.dumps({"do": do}), 5000, incident, "K", [])

    def test_a_recovery_plans_acts_and_follows(self) -> None:
        wire = importlib.import_module("wit_world.exports.recovery")
        request = self.heal("ok")
        (action,) = self.recovery.plan(request)
        self.assertEqual((action.title, json.loads(action.parameters)), ("Heal api", {"n": 1}))
        begun = self.recovery.act(request, action)
        self.assertIsInstance(begun, wire.Progress_Running)
        self.assertEqual((json.loads(begun.value.token), begun.value.again_after_ms), ({"step": 1}, 1000))
        ended = self.recovery.follow(request, action, begun.value.token)
        self.assertIsInstance(ended, wire.Progress_Done)
        self.assertEqual((ended.value.success, ended.value.reason, json.loads(ended.value.details)), (True, "step 1", {"k": 1}))
        refused = self.recovery.act(self.heal("refused"), action)
        self.assertEqual((refused.value.success, refused.value.reason), (False, "refused: no"))

    def test_a_sink_has_a_receipt_or_says_whether_to_come_again(self) -> None:
        wire = importlib.import_module("wit_world.exports.sink")
        answers = importlib.import_module("wit_world.imports.http")
        timings = self.wit.Timings(None, None, None, None, 1)

        def deliver(do: str, status: int) -> Any:
            told = wire.Alert(
                "i", "api", None, wire.Phase.FIRING, self.wit.Status.CRITICAL, None, "P1", "down", "Reported", [], 0, None, [], None, []
            )
            notification = wire.Notification("K", "g", wire.Phase.FIRING, "P1", [told], None, 1, [])
            headers = [answers.Header("retry-after", "9")]
            answer = answers.Response(status, "HTTP/1.1", headers, b"", False, "", [], timings, None, None, [])
            with self.imported("http", "send", return_value=answer), self.imported("log", "write"):
                return self.sink.deliver(wire.Request("chat", "tell", json.dumps({"do": do}), 5000, notification, []))

        receipt = deliver("ok", 200)
        self.assertEqual((receipt.reference, receipt.extras[0].name), ("m1", "a"))
        for do, status, case in (("ok", 400, "Permanent"), ("ok", 503, "Retryable"), ("defect", 200, "Retryable")):
            with self.assertRaises(self.err) as caught:
                deliver(do, status)
            self.assertEqual(type(caught.exception.value).__name__, f"DeliveryError_{case}")
        with self.assertRaises(self.err) as caught:
            deliver("ok", 429)
        self.assertEqual(caught.exception.value.value.after_ms, 9000)

    def test_a_world_without_an_interface_says_which_is_missing(self) -> None:
        from sickbay import ConfigurationError
        from sickbay._guest.host import Absent

        with self.assertRaisesRegex(ConfigurationError, "a world without `redis`"):
            Absent("redis").run("cache", [], None)


class TestWithoutBindings(unittest.TestCase):
    def test_the_sdk_imports_only_the_standard_library(self) -> None:
        code = (
            "import sys, sickbay, sickbay.testing\n"
            "roots = {name.partition('.')[0] for name in sys.modules}\n"
            "print(sorted(root for root in roots if root not in sys.stdlib_module_names and root not in ('sickbay', '__main__')))"
        )
        folder = str(Path(__file__).parents[1])
        ran = subprocess.run([sys.executable, "-S", "-E", "-c", code], cwd=folder, capture_output=True, text=True, check=True)
        self.assertEqual(ran.stdout.strip(), "[]")


if __name__ == "__main__":
    unittest.main()
