"""What a run may use, on the scripted host."""

import logging
import unittest
from dataclasses import dataclass
from datetime import timedelta

from sickbay import (
    AuthenticationError,
    ConfigurationError,
    ContentError,
    DeniedError,
    MissingFileError,
    ProtocolError,
    QuotaError,
    ServiceError,
    StatusError,
    TimedOutError,
    TooManyConnectionsError,
    clock,
    files,
    http,
    net,
    postgres,
    redis,
    secrets,
    state,
    system,
)
from sickbay.testing import FakeHost, Line, tls_until


@dataclass
class Job:
    name: str
    age: float


class Case(unittest.TestCase):
    def setUp(self) -> None:
        self.host = FakeHost()
        self.host.__enter__()
        self.addCleanup(self.host.__exit__, None, None, None)


class TestHttp(Case):
    def test_a_header_is_found_whatever_its_case(self) -> None:
        self.host.http.reply(headers={"Retry-After": "5"})
        headers = http.get("http://a/").headers
        self.assertEqual((headers["retry-after"], headers.get("Location"), "RETRY-AFTER" in headers), ("5", None, True))
        twice = http.Headers([("Set-Cookie", "a"), ("set-cookie", "b")])
        self.assertEqual((twice["set-cookie"], twice.get_all("SET-COOKIE"), len(twice)), ("a", ["a", "b"], 1))

    def test_a_body_is_read_as_annotated_and_other_keys_are_passed_over(self) -> None:
        self.host.http.reply(json=[{"name": "x", "age": 1, "colour": "red"}])
        self.assertEqual(http.get("http://a/").json(list[Job]), [Job("x", 1.0)])

    def test_a_body_that_is_not_what_was_expected_is_the_services_fault(self) -> None:
        self.host.http.reply(body="<html>")
        self.host.http.reply(json=[{"name": "x"}])
        self.host.http.reply(body=b"\xff\xfe", truncated=True)
        for message in ("not the JSON", r"`body\[0\]` has no key `age`", "only the first part"):
            with self.assertRaisesRegex(ContentError, message):
                http.get("http://a/").json(list[Job])

    def test_a_status_that_is_not_2xx_is_raised_only_where_it_is_asked_for(self) -> None:
        self.host.http.reply(503, headers={"retry-after": "7"})
        response = http.get("http://a/")
        self.assertEqual(response.status, 503)
        with self.assertRaises(StatusError) as caught:
            response.raise_for_status()
        self.assertEqual((caught.exception.status, caught.exception.retry_after, caught.exception.failure), (503, 7.0, "content"))

    def test_json_is_sent_with_its_content_type(self) -> None:
        self.host.http.reply()
        http.post("http://a/", json={"a": 1}, timeout=2, redirects_max=0)
        request, options = self.host.http.sent[0], self.host.http.options[0]
        self.assertEqual((request.body, request.headers["content-type"]), (b'{"a":1}', "application/json"))
        self.assertEqual((options.timeout, options.redirects_max), (2, 0))

    def test_many_requests_have_their_errors_in_their_places(self) -> None:
        self.host.http.reply(200)
        self.host.http.fail(TimedOutError("x"))
        answers = http.send_many([http.build("GET", "http://a/"), http.build("GET", "http://b/")])
        self.assertEqual([type(answer) for answer in answers], [http.Response, TimedOutError])

    def test_an_answer_that_takes_longer_than_the_call_may_is_a_timeout(self) -> None:
        self.host.http.reply(after=3)
        before = clock.now()
        with self.assertRaisesRegex(TimedOutError, "within 2 s"):
            http.get("http://a/", timeout=2)
        self.assertEqual(clock.now() - before, timedelta(seconds=2))


class TestPostgres(Case):
    def test_rows_are_found_by_name_and_by_place(self) -> None:
        self.host.postgres.reply([(1, "a"), (2, "b")], columns=["id", "name"])
        rows = postgres.source("main").query("select id, name from t where id > $1", 0)
        self.assertEqual([(row["id"], row[1]) for row in rows], [(1, "a"), (2, "b")])
        self.assertEqual(rows.rows[0].as_dict(), {"id": 1, "name": "a"})
        with self.assertRaisesRegex(KeyError, "columns: id, name"):
            rows.rows[0]["nam"]
        asked = self.host.postgres.queries[0]
        self.assertEqual((self.host.postgres.sources, asked.params), (["main"], (0,)))

    def test_one_value_is_one_value(self) -> None:
        self.host.postgres.reply([(7,)])
        self.assertEqual(postgres.source("main").query("select 7").value(), 7)
        self.host.postgres.reply()
        with self.assertRaisesRegex(ContentError, "0 rows"):
            postgres.source("main").query("select 7 where false").value()

    def test_the_servers_state_is_the_services_and_a_wrong_statement_the_configurations(self) -> None:
        for sqlstate, failure in (
            ("08006", "connection"),
            ("28000", "authentication"),
            ("53300", "too-many-connections"),
            ("53100", "disk"),
            ("57014", "timeout"),
            ("57P01", "unavailable"),
            ("58030", "file-system"),
        ):
            error = postgres.sql_error(sqlstate, "x")
            assert isinstance(error, ServiceError) and isinstance(error, postgres.SqlError)
            self.assertEqual((error.failure, error.sqlstate), (failure, sqlstate))
        wrong = postgres.sql_error("42P01", "no such table", detail="d")
        assert isinstance(wrong, postgres.StatementError)
        self.assertEqual((wrong.kind, wrong.detail), ("configuration", "d"))


class TestRedis(Case):
    def test_replies_are_text_unless_bytes_are_asked_for(self) -> None:
        self.host.redis.reply([b"a", 1, None, {b"k": b"v"}])
        self.assertEqual(redis.source("cache").run("LRANGE", "k", 0, -1), ["a", 1, None, {"k": "v"}])
        self.host.redis.reply("x")
        self.assertEqual(redis.source("cache", text=False).run("GET", "k"), b"x")
        self.assertEqual(self.host.redis.commands, ["LRANGE k 0 -1", "GET k"])

    def test_the_servers_state_is_the_services_and_a_wrong_command_the_configurations(self) -> None:
        source = redis.source("cache")
        for message, error in (
            ("LOADING Redis is loading", redis.ReplyStateError),
            ("NOAUTH Authentication required.", AuthenticationError),
            ("ERR max number of clients reached", TooManyConnectionsError),
            ("WRONGTYPE Operation", ConfigurationError),
        ):
            self.host.redis.refuse(message)
            with self.subTest(message), self.assertRaises(error):
                source.run("GET", "k")

    def test_a_refusal_among_many_stands_in_its_place(self) -> None:
        self.host.redis.reply(1)
        self.host.redis.refuse("WRONGTYPE x")
        replies = redis.source("cache").run_many([("INCR", "a"), ("INCR", "b")])
        self.assertEqual((replies[0], type(replies[1])), (1, redis.ReplyError))

    def test_info_is_read_by_field_from_all_sections(self) -> None:
        self.host.redis.reply("# Memory\r\nused_memory:10\r\n")
        self.host.redis.reply("role:master\r\n")
        info = redis.source("cache").info("memory", "replication")
        self.assertEqual((info.number("used_memory"), info["role"]), (10.0, "master"))
        with self.assertRaisesRegex(ContentError, "no number role"):
            info.number("role")


class TestNet(Case):
    def test_a_dialogue_is_played_in_order_and_what_was_said_is_kept(self) -> None:
        session = tls_until(self.host.clock.now)
        dialogue = self.host.net.dialogue("220 ready\r\n250-", "SIZE\r\n", start_tls=session)
        with net.connect("mail.internal:25", timeout=1) as connection:
            first = connection.receive_line()
            connection.send("EHLO x\r\n")
            second = connection.receive_line()
            connection.start_tls()
        self.assertEqual((first, second), ("220 ready", "250-SIZE"))
        self.assertEqual((dialogue.said, dialogue.is_closed, connection.tls), ([b"EHLO x\r\n"], True, session))
        self.assertEqual(self.host.net.targets[0].address, "mail.internal:25")

    def test_a_peer_that_closes_early_is_told(self) -> None:
        self.host.net.dialogue("22")
        with net.connect("a:1") as connection, self.assertRaises(ProtocolError):
            connection.receive_line()
        self.host.net.dialogue("22")
        with net.connect("a:1") as connection:
            self.assertEqual(connection.receive(100), b"22")

    def test_names_are_looked_up(self) -> None:
        self.host.net.records("10 mail.example.com", ttl=30)
        self.assertEqual((net.resolve("example.com", "MX").ttl, self.host.net.lookups), (30, [("example.com", "MX")]))


class TestTheRest(Case):
    def test_a_directory_is_read_page_by_page_and_one_that_is_too_long_is_refused(self) -> None:
        for number in range(1500):
            self.host.files.add(f"/logs/{number:04}", b"x")
        self.host.files.add("/logs/old/a", b"x")
        entries = files.scandir("/logs")
        self.assertEqual((len(entries), entries[-1].name, entries[-1].kind), (1501, "old", "directory"))
        with self.assertRaises(QuotaError):
            files.scandir("/logs", entries_max=1000)

    def test_bytes_are_read_from_an_offset_until_the_end(self) -> None:
        self.host.files.add("/a", "hello")
        self.assertEqual((files.read_text("/a", offset=3), files.read_bytes("/a", offset=5)), ("lo", b""))
        self.assertEqual(list(files.chunks("/a")), [b"hello"])
        with self.assertRaises(MissingFileError) as caught:
            files.stat("/b")
        self.assertEqual(caught.exception.failure, "missing")

    def test_what_was_not_scripted_is_denied(self) -> None:
        for call in (system.cpu, system.disks, lambda: secrets.inspect("s")):
            with self.assertRaises(DeniedError):
                call()
        self.host.system.tell(load=system.Load(1, 2, 3), processes=[])
        self.assertEqual((system.load().five, system.processes("nginx")), (2, []))
        self.host.secrets.add("s", versions=2)
        self.assertEqual(len(secrets.sign("s", "data")), 2)

    def test_state_passes_on_and_beyond_a_bound_names_it(self) -> None:
        state.put_json("count", 3)
        self.assertEqual((state.get_json("count"), state.get_json("none", 0)), (3, 0))
        state.put("count", b"{")
        self.assertIsNone(state.get_json("count"))
        with self.assertRaisesRegex(QuotaError, "16384 bytes"):
            state.put("big", b"x" * 16384)

    def test_records_of_the_standard_library_become_lines_with_fields(self) -> None:
        logger = logging.getLogger("plugin")
        logger.info("fetched %d", 3, extra={"status": 200})
        logger.debug("details")
        self.assertEqual(self.host.log.lines[0], Line(logging.INFO, "fetched 3", {"status": "200"}))
        try:
            raise ValueError("odd")
        except ValueError:
            logger.exception("failed")
        last = self.host.log.lines[-1]
        self.assertEqual((last.level, len(self.host.log.lines)), (logging.ERROR, 3))
        self.assertIn("ValueError: odd", last.message)

    def test_the_clock_moves_when_the_test_moves_it(self) -> None:
        before, began = clock.now(), clock.monotonic()
        self.host.clock.advance(60)
        self.assertEqual((clock.now() - before, clock.monotonic() - began), (timedelta(seconds=60), 60.0))


class TestWithoutAHost(unittest.TestCase):
    def test_a_call_says_what_to_do(self) -> None:
        with self.assertRaisesRegex(RuntimeError, "FakeHost"):
            clock.now_ms()


if __name__ == "__main__":
    unittest.main()
