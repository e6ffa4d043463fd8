"""A scripted host, so that a test runs a plugin's functions without WebAssembly.

    host = FakeHost()
    host.http.reply(200, json={"length": 12})
    report = host.run(queue, {"url": "https://example.com/queue.json"})
    assert report.status is Status.OK
    assert host.http.sent[0].url == "https://example.com/queue.json"

A `FakeHost` holds what the host would answer and keeps what the plugin did; nothing is sent anywhere. Its clock stands still until a reply
takes time (`after=0.2`) or the test moves it (`host.clock.advance(60)`). What a test did not script is denied, as on a real host without
grants; a request without an answer left fails the test.
"""

from .described import assert_as_described
from .files import FakeFile, FakeFiles
from .host import FakeHost, alert, incident, notification
from .http import FakeHttp
from .machine import FakeSystem
from .net import Dialogue, FakeNet, tls_until
from .rest import FakeClock, FakeLog, FakeSecrets, FakeState, Line
from .script import NotScripted
from .sources import FakePostgres, FakeRedis

__all__ = [
    "Dialogue",
    "FakeClock",
    "FakeFile",
    "FakeFiles",
    "FakeHost",
    "FakeHttp",
    "FakeLog",
    "FakeNet",
    "FakePostgres",
    "FakeRedis",
    "FakeSecrets",
    "FakeState",
    "FakeSystem",
    "Line",
    "NotScripted",
    "alert",
    "assert_as_described",
    "incident",
    "notification",
    "tls_until",
]
