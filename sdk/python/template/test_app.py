"""README.md tells how to run these."""

import unittest

from app import plugin_check

from sickbay import Status
from sickbay.testing import FakeHost, assert_as_described


class TestPluginCheck(unittest.TestCase):
    def test_the_first_run_has_nothing_to_compare_with(self) -> None:
        self.assertIs(FakeHost().run(plugin_check).status, Status.OK)

    def test_a_run_long_after_the_one_before_is_a_warning(self) -> None:
        host = FakeHost()
        host.run(plugin_check, {"limit_seconds": 60})
        host.clock.advance(61)
        report = host.run(plugin_check, {"limit_seconds": 60})
        self.assertEqual((report.status, report.failure), (Status.WARNING, "latency"))
        assert_as_described(plugin_check, report)


if __name__ == "__main__":
    unittest.main()
