"""python3 -m unittest"""

import unittest

from app import restart

from sickbay import Action, Outcome, Running, UnreachableError
from sickbay.testing import FakeHost

ACTION = Action("restart-api", "Restart api (2 replicas)", "api", parameters={"replicas": 2})


class TestRestart(unittest.TestCase):
    def test_the_plan_only_reads_and_names_the_step(self) -> None:
        host = FakeHost()
        host.http.reply(json={"state": "running", "replicas": 2})
        self.assertEqual(host.plan(restart), [ACTION])
        self.assertEqual([request.method for request in host.http.sent], ["GET"])

    def test_a_service_that_restarts_already_needs_no_step(self) -> None:
        host = FakeHost()
        host.http.reply(json={"state": "restarting", "replicas": 2})
        self.assertEqual(host.plan(restart), [])

    def test_a_step_is_followed_until_it_is_done(self) -> None:
        host = FakeHost()
        host.http.reply(201, json={"id": "r1", "state": "running"})
        begun = host.act(restart, ACTION, idempotency_key="01KEY")
        self.assertEqual(begun, Running({"id": "r1"}, "api is restarting", 5))
        self.assertEqual(host.http.sent[0].headers["idempotency-key"], "01KEY")
        assert isinstance(begun, Running)

        host.http.reply(json={"id": "r1", "state": "done"})
        ended = host.follow(restart, ACTION, begun.token)
        self.assertEqual(ended, Outcome(True, "api was restarted", actions=["restart r1"]))
        self.assertEqual(host.http.sent[1].url, "https://orchestrator.example.com/services/api/restarts/r1")

    def test_an_orchestrator_that_does_not_answer_has_not_done_the_step(self) -> None:
        host = FakeHost()
        host.http.fail(UnreachableError("connection reset"))
        self.assertEqual(host.act(restart, ACTION), Outcome(False, "connection: connection reset"))


if __name__ == "__main__":
    unittest.main()
