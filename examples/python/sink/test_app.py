"""python3 -m unittest"""

import json
import unittest

from app import chat

from sickbay import PermanentError, Phase, RetryableError, TimedOutError
from sickbay.testing import FakeHost, alert, notification


class TestChat(unittest.TestCase):
    def test_a_group_is_one_message_that_is_edited(self) -> None:
        host = FakeHost()
        host.http.reply(201, json={"id": "m7"})
        receipt = host.deliver(chat, notification=notification(alert(check="api", summary="down")))
        self.assertEqual(receipt.reference, "m7")

        host.http.reply(200, json={"id": "m7"})
        resolved = notification(alert(check="api", summary="up", phase=Phase.RESOLVED), reference="m7")
        host.deliver(chat, notification=resolved)
        self.assertEqual([request.method for request in host.http.sent], ["POST", "PUT"])
        self.assertTrue(host.http.sent[1].url.endswith("/messages/m7"))
        self.assertIn("api: up", json.loads(host.http.sent[1].body or b"")["text"])

    def test_the_token_goes_out_as_the_placeholder_that_came(self) -> None:
        host = FakeHost()
        host.http.reply(json={"id": "m7"})
        host.deliver(chat)
        self.assertEqual(host.http.sent[0].headers["authorization"], "Bearer {{secret:chat-token}}")

    def test_a_refusal_is_for_good_and_everything_else_is_tried_again(self) -> None:
        host = FakeHost()
        host.http.reply(404)
        with self.assertRaises(PermanentError):
            host.deliver(chat)
        host.http.reply(429, headers={"retry-after": "30"})
        with self.assertRaises(RetryableError) as caught:
            host.deliver(chat)
        self.assertEqual(caught.exception.after, 30)
        host.http.fail(TimedOutError("no answer"))
        with self.assertRaises(RetryableError):
            host.deliver(chat)

    def test_a_word_of_a_later_version_is_passed_over(self) -> None:
        host = FakeHost()
        self.assertIsNone(host.deliver(chat, notification=notification(phase=Phase.OTHER)).reference)
        self.assertEqual(host.http.sent, [])


if __name__ == "__main__":
    unittest.main()
