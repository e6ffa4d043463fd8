"""Reports: which finding speaks, and how a report is fitted into the contract's bounds."""

import json
import unittest
from datetime import UTC, datetime

from sickbay import MetricKind, Report, Status, report


class TestFindings(unittest.TestCase):
    def test_the_worst_finding_wins_and_the_first_of_its_weight_speaks(self) -> None:
        found = Report.ok("fine").warning("latency", "slow").critical("content", "wrong").critical("tls", "no").warning("latency", "slower")
        self.assertEqual((found.status, found.failure, found.summary), (Status.CRITICAL, "content", "wrong"))

    def test_a_finding_replaces_unknown(self) -> None:
        self.assertIs(Report.unknown("cannot tell").warning("disk", "full").status, Status.WARNING)

    def test_metrics_keep_their_kind_unit_and_labels(self) -> None:
        found = Report.ok("").add_metric("used_ratio", 1, "ratio", {"mount": "/"}).add_counter("reads", 3)
        first, second = found.metrics
        self.assertEqual((first.value, type(first.value), first.unit, first.labels), (1.0, float, "ratio", {"mount": "/"}))
        self.assertIs(second.kind, MetricKind.COUNTER)

    def test_a_name_that_the_host_would_refuse_is_refused_where_it_is_written(self) -> None:
        with self.assertRaisesRegex(ValueError, "'Wrong Name' is no name for a metric"):
            Report.ok("").add_metric("Wrong Name", 1)
        with self.assertRaisesRegex(ValueError, "'Too Slow' is no failure kind"):
            Report.ok("").critical("Too Slow", "")


class TestFitting(unittest.TestCase):
    def test_long_texts_are_cut_at_a_character(self) -> None:
        found = Report.ok("é" * 400).add_evidence("", "é" * 600, "x" * 1024)
        report.fit(found)
        self.assertLessEqual(len(found.summary.encode()), 512)
        self.assertTrue(found.summary.endswith("…"))
        self.assertLessEqual(len(found.evidence[0].actual.encode()), 1024)
        self.assertEqual(found.evidence[0].expected, "x" * 1024)

    def test_half_a_character_becomes_a_question_mark(self) -> None:
        found = Report.ok(json.loads('"a\\ud800b"'))
        report.fit(found)
        self.assertEqual(found.summary, "a?b")

    def test_too_many_metrics_and_too_much_evidence_are_left_out(self) -> None:
        found = Report.ok("")
        for number in range(300):
            found.add_metric(f"m{number}", number).add_evidence("", number, "")
        report.fit(found)
        self.assertEqual((len(found.metrics), len(found.evidence)), (256, 8))

    def test_details_may_hold_what_json_does_not_know(self) -> None:
        found = Report.ok("")
        found.details = {"at": datetime(2026, 1, 1, tzinfo=UTC)}
        self.assertEqual(json.loads(report.fit(found) or ""), {"at": "2026-01-01 00:00:00+00:00"})

    def test_details_that_are_too_long_or_no_json_are_left_out_and_told(self) -> None:
        for details, extra in (({"x": "y" * 70_000}, "sdk.details-dropped-bytes"), ({"x": float("nan")}, "sdk.details-dropped")):
            found = Report.ok("")
            found.details = details
            self.assertIsNone(report.fit(found))
            self.assertIsNone(found.details)
            self.assertIn(extra, found.extras)


if __name__ == "__main__":
    unittest.main()
