"""python3 -m unittest"""

import unittest
from datetime import timedelta

from app import feed_age

from sickbay import ConfigurationError, DeniedError, RefusedError, Report, Status
from sickbay.testing import FakeHost, assert_as_described

CONFIG = {"url": "https://example.com/feed.json", "warning_seconds": 60, "critical_seconds": 600}


def host_with_feed(age_seconds: float, total: int = 1) -> FakeHost:
    host = FakeHost()
    script(host, age_seconds, total)
    return host


def script(host: FakeHost, age_seconds: float, total: int) -> None:
    published_at = host.clock.now - timedelta(seconds=age_seconds)
    host.http.reply(json={"total": total, "entries": [{"published_at": published_at.isoformat()}]})


def values(report: Report) -> dict[str, float]:
    return {metric.name: metric.value for metric in report.metrics}


class TestFeedAge(unittest.TestCase):
    def test_an_entry_is_judged_by_its_age(self) -> None:
        for age, status in ((30, Status.OK), (61, Status.WARNING), (601, Status.CRITICAL)):
            report = host_with_feed(age).run(feed_age, CONFIG)
            self.assertIs(report.status, status)
            assert_as_described(feed_age, report)

    def test_entries_since_the_run_before_are_counted(self) -> None:
        host = host_with_feed(0, total=10)
        self.assertEqual(values(host.run(feed_age, CONFIG))["entries_new"], 0)
        script(host, 0, total=13)
        self.assertEqual(values(host.run(feed_age, CONFIG))["entries_new"], 3)

    def test_what_the_service_did_is_critical(self) -> None:
        host = FakeHost()
        host.http.fail(RefusedError("connection refused"))
        host.http.reply(503)
        host.http.reply(body="<html>")
        host.http.reply(json={"total": 0, "entries": []})
        host.http.reply(json={"total": 1, "entries": []}, after=60)
        failures = [host.run(feed_age, CONFIG).failure for _ in range(5)]
        self.assertEqual(failures, ["refused", "content", "content", "content", "timeout"])

    def test_what_the_service_did_not_do_is_no_report(self) -> None:
        host = FakeHost()
        host.http.fail(DeniedError("not granted", 'http = ["GET https://example.com/feed.json"]'))
        with self.assertRaises(DeniedError):
            host.run(feed_age, CONFIG)
        with self.assertRaisesRegex(ConfigurationError, "`critical_seconds` is below"):
            host.run(feed_age, {**CONFIG, "critical_seconds": 1})


if __name__ == "__main__":
    unittest.main()
