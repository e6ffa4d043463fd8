"""Runs `sickbay quickstart` as a newcomer would: waits until every check has run, scrapes, asks for the status, stops it.

usage: quickstart.py SICKBAY     (prints /metrics on standard output)
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

EXPECTED = {"cpu", "memory", "disk", "load", "sickbay", "sickbay-ready"}
# The first start builds two plugins, and a standard library where rustup cannot download one.
START_SECONDS_MAX = 300
STOP_SECONDS_MAX = 30


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


def statuses(url):
    try:
        return {item["name"]: item["status"] for item in json.loads(get(f"{url}/api/v1/checks"))["items"]}
    except OSError:  # nobody listens yet
        return {}


def wait_until_every_check_ran(server, url):
    until = time.monotonic() + START_SECONDS_MAX
    seen = {}
    while time.monotonic() < until:
        if server.poll() is not None:
            raise SystemExit(f"quickstart ended with {server.returncode}")
        seen = statuses(url)
        if set(seen) == EXPECTED and "unknown" not in seen.values():
            return
        time.sleep(0.2)
    raise SystemExit(f"after {START_SECONDS_MAX} s the checks say {seen}")


def main(sickbay):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % free.getsockname()[1]
    url = f"http://{address}"
    with tempfile.TemporaryDirectory() as folder:
        directory = os.path.join(folder, "quickstart")
        server = subprocess.Popen([sickbay, "quickstart", "--dir", directory, "--listen", address], stdout=sys.stderr)
        try:
            wait_until_every_check_ran(server, url)
            print(get(f"{url}/metrics"), end="", flush=True)
            subprocess.run([sickbay, "status", "--url", url], stdout=sys.stderr, check=True)
            subprocess.run([sickbay, "plugin", "list", "--url", url], stdout=sys.stderr, check=True)
            server.send_signal(signal.SIGTERM)
            ended = server.wait(STOP_SECONDS_MAX)
        finally:
            if server.poll() is None:
                server.kill()
                server.wait()
    if ended != 0:
        raise SystemExit(f"asked to stop, quickstart ended with {ended}")


if __name__ == "__main__":
    main(sys.argv[1])
