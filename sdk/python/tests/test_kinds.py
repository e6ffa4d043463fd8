"""Checks, recoveries and sinks: what a decorator makes of a function, and whose mistake a run's end was."""

import unittest
from dataclasses import dataclass
from typing import Annotated, Any

import sickbay
from sickbay import (
    Action,
    ConfigurationError,
    DeniedError,
    DnsError,
    Key,
    Need,
    Outcome,
    PermanentError,
    QuotaError,
    Receipt,
    RecoveryRequest,
    RefusedError,
    Report,
    Request,
    RetryableError,
    Running,
    ServiceError,
    SinkRequest,
    Status,
    TimedOutError,
    UnreachableError,
    check,
    check_plugin,
    gauge,
    http,
    recovery,
    recovery_plugin,
    sink,
    state,
)
from sickbay.testing import FakeHost, NotScripted, assert_as_described, incident, notification


@dataclass
class Config:
    url: Annotated[str, Key("Where")] = "http://localhost/"


@check("fetch", summary="Fetches", needs=[Need("http", "fetches", 'http = ["GET {url}"]')], metrics=[gauge("status", "of the answer")])
def fetch(request: Request[Config]) -> Report:
    state.put_json("runs", state.get_json("runs", 0) + 1)
    return Report.ok("fetched").add_metric("status", http.get(request.config.url).status)


@recovery("restart", summary="Restarts", failures=["connection"])
def restart(request: RecoveryRequest[Config]) -> list[Action]:
    return [Action(f"restart-{request.incident.check}", "Restart", "api")]


@restart.act
def act(request: RecoveryRequest[Config], action: Action) -> Outcome | Running:
    http.post(request.config.url, json={"key": request.idempotency_key}).raise_for_status()
    return Running({"id": 7}, "restarting")


@restart.follow
def follow(request: RecoveryRequest[Config], action: Action, token: Any) -> Outcome | Running:
    http.get(f"{request.config.url}{token['id']}")
    return Outcome(True, "restarted")


@sink("hook", summary="Posts")
def hook(request: SinkRequest[Config]) -> Receipt | None:
    http.post(request.config.url, json={"group": request.notification.group}).raise_for_status()
    return None


class TestChecks(unittest.TestCase):
    def test_what_the_service_did_is_a_critical_report_with_the_failure_kind(self) -> None:
        host = FakeHost()
        errors = [DnsError("x"), RefusedError("x"), UnreachableError("x"), TimedOutError("x"), ServiceError("stale", "x")]
        for error, failure in zip(errors, ["dns", "refused", "connection", "timeout", "stale"], strict=True):
            host.http.fail(error)
            report = host.run(fetch)
            self.assertEqual((report.status, report.failure, report.summary), (Status.CRITICAL, failure, "x"))

    def test_what_the_plugin_or_its_configuration_did_is_raised_and_changes_no_state(self) -> None:
        host = FakeHost()
        host.http.fail(DeniedError("no grant", 'http = ["GET x"]'))
        with self.assertRaises(DeniedError) as caught:
            host.run(fetch)
        self.assertEqual((caught.exception.kind, str(caught.exception)), ("denied", 'no grant; hint: http = ["GET x"]'))
        host.http.fail(QuotaError("host_calls"))
        with self.assertRaises(QuotaError):
            host.run(fetch)
        with self.assertRaisesRegex(ConfigurationError, "unknown key `link`"):
            host.run(fetch, {"link": "x"})
        self.assertEqual(host.state.values, {})

    def test_errors_are_also_what_python_calls_them(self) -> None:
        self.assertIsInstance(TimedOutError("x"), TimeoutError)
        self.assertIsInstance(RefusedError("x"), ConnectionRefusedError)
        self.assertIsInstance(UnreachableError("x"), ConnectionError)
        self.assertIsInstance(sickbay.MissingFileError("x"), FileNotFoundError)
        self.assertEqual(str(TimedOutError("no answer")), "no answer")

    def test_a_report_that_is_not_described_is_told(self) -> None:
        assert_as_described(fetch, Report.ok("").add_metric("status", 1))
        with self.assertRaisesRegex(AssertionError, "the metric latency"):
            assert_as_described(fetch, Report.ok("").add_metric("latency", 1))
        with self.assertRaisesRegex(AssertionError, "the failure dns"):
            assert_as_described(fetch, Report.ok("").critical("dns", "x"))

    def test_a_request_without_an_answer_left_fails_the_test(self) -> None:
        with self.assertRaisesRegex(NotScripted, "GET http://localhost/"):
            FakeHost().run(fetch)

    def test_a_check_that_returns_no_report_is_a_defect(self) -> None:
        @check("wrong", summary="Wrong")
        def wrong(request: Request[None]) -> Report:
            return None  # type: ignore[return-value]

        with self.assertRaisesRegex(TypeError, "returned NoneType"):
            FakeHost().run(wrong)

    def test_what_an_earlier_run_found_is_shown(self) -> None:
        @check("again", summary="Again")
        def again(request: Request[None]) -> Report:
            return Report.ok(request.previous.report.summary if request.previous else "first")

        host = FakeHost()
        first = host.run(again)
        self.assertEqual((first.summary, host.run(again, previous=Report.ok("before")).summary), ("first", "before"))

    def test_calling_a_kind_calls_its_function(self) -> None:
        host = FakeHost()
        host.http.reply(204)
        with host:
            report = fetch(Request("x", "fetch", Config(), host.clock.now, 5.0))
        self.assertEqual(report.metrics[0].value, 204)


class TestDescriptions(unittest.TestCase):
    def test_a_description_that_the_host_would_refuse_is_refused_at_import(self) -> None:
        def ping(request: Request[None]) -> Report:
            return Report.ok("")

        def of_config(request: Request[Config]) -> Report:
            return Report.ok("")

        cases: list[tuple[Any, str]] = [
            (lambda: check("Ping It", summary="x")(ping), "no name of a kind"),
            (lambda: check("ping", summary="")(ping), "no summary"),
            (lambda: check("ping", summary="x", example={"url": 5})(of_config), "example of 'ping'.*`config.url`"),
            (lambda: check("ping", summary="x", needs=[Need("htp", "x", "htp = []")])(ping), "no need of a capability"),
            (lambda: check("ping", summary="x", metrics=[gauge("a", "x"), gauge("a", "y")])(ping), "twice"),
            (lambda: check("ping", summary="x", failures=["A B"])(ping), "no failure kind"),
            (lambda: check_plugin("p", version="1", summary="x", checks=[check("a", summary="x")(ping)] * 2), "two kinds of check"),
        ]
        for make, message in cases:
            with self.subTest(message), self.assertRaisesRegex(ValueError, message):
                make()

    def test_a_function_that_does_not_say_its_configuration_is_told_how(self) -> None:
        def bare(request):  # type: ignore[no-untyped-def]
            return Report.ok("")

        with self.assertRaisesRegex(TypeError, r"def bare\(request: Request\[Config\]"):
            check("bare", summary="x")(bare)

    def test_a_recovery_that_cannot_act_is_refused(self) -> None:
        @recovery("idle", summary="Plans only")
        def idle(request: RecoveryRequest[None]) -> list[Action]:
            return []

        with self.assertRaisesRegex(TypeError, "@idle.act"):
            recovery_plugin("p", version="1", summary="x", recoveries=[idle])


class TestRecoveries(unittest.TestCase):
    def test_a_step_is_planned_taken_and_followed(self) -> None:
        host = FakeHost()
        (action,) = host.plan(restart, incident=incident(check="api"))
        self.assertEqual(action.id, "restart-api")
        host.http.reply(201)
        progress = host.act(restart, action, idempotency_key="K")
        self.assertEqual(host.http.sent[0].body, b'{"key":"K"}')
        self.assertEqual(progress, Running({"id": 7}, "restarting"))
        host.http.reply(200)
        self.assertEqual(host.follow(restart, action, {"id": 7}), Outcome(True, "restarted"))

    def test_a_service_that_refuses_the_step_has_not_done_it(self) -> None:
        host = FakeHost()
        host.http.reply(500)
        self.assertEqual(host.act(restart, Action("a", "b", "c")), Outcome(False, "content: HTTP 500"))

    def test_a_service_that_does_not_answer_says_nothing_about_a_step_that_goes_on(self) -> None:
        host = FakeHost()
        host.http.fail(TimedOutError("x"))
        with self.assertRaises(TimedOutError):
            host.follow(restart, Action("a", "b", "c"), {"id": 7})


class TestSinks(unittest.TestCase):
    def test_only_what_the_receiver_refused_for_good_is_given_up(self) -> None:
        host = FakeHost()
        for status, error in (
            (400, PermanentError),
            (410, PermanentError),
            (429, RetryableError),
            (503, RetryableError),
            (302, RetryableError),
        ):
            host.http.reply(status)
            with self.subTest(status), self.assertRaises(error):
                host.deliver(hook)
        for failed in (RefusedError("x"), DeniedError("x"), QuotaError("x")):
            host.http.fail(failed)
            with self.assertRaises(RetryableError):
                host.deliver(hook)

    def test_what_was_delivered_has_a_receipt(self) -> None:
        host = FakeHost()
        host.http.reply(202)
        self.assertEqual(host.deliver(hook, notification=notification(group="g")), Receipt())
        self.assertEqual(host.http.sent[0].body, b'{"group":"g"}')


if __name__ == "__main__":
    unittest.main()
