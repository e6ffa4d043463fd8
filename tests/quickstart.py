"""Runs `sickbay quickstart` as a newcomer would: waits until every check has run, scrapes, asks for the status, stops it. Then the first
command of the README as it stands there, in a clone of the checkout, which is left without a file that git does not know.

The clone has the last commit: what is not committed is not in it. What it compiles goes to CARGO_TARGET_DIR, which has nearly all of it.

usage: quickstart.py SICKBAY     (prints /metrics on standard output)
"""

import json
import os
import shutil
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
CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
README_COMMAND = ["cargo", "run", "--release", "--", "quickstart"]
# Where it serves, for the README names no other.
README_PORT = 9470
README_DIRECTORY = "sickbay-quickstart"
# The crates of the checkout are compiled anew, as they are in another folder; all others where nothing was built before.
README_SECONDS_MAX = 1800


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


def statuses(url):
    try:
        return {item["name"]: item["status"] for item in json.loads(get(f"{url}/api/v1/checks"))["items"]}
    except OSError:  # nobody listens yet
        return {}


def wait_until_every_check_ran(server, url, seconds_max=START_SECONDS_MAX):
    until = time.monotonic() + seconds_max
    seen = {}
    while time.monotonic() < until:
        if server.poll() is not None:
            raise SystemExit(f"quickstart ended with {server.returncode}")
        seen = statuses(url)
        if set(seen) == EXPECTED and "unknown" not in seen.values():
            return
        time.sleep(0.2)
    raise SystemExit(f"after {seconds_max} s the checks say {seen}")


def stop(server):
    server.send_signal(signal.SIGTERM)
    ended = server.wait(STOP_SECONDS_MAX)
    if ended != 0:
        raise SystemExit(f"asked to stop, quickstart ended with {ended}")


def quickstart_elsewhere(sickbay):
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
            stop(server)
        finally:
            if server.poll() is None:
                server.kill()
                server.wait()


def is_taken(port):
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def git(*arguments):
    return subprocess.run(["git", *arguments], stdout=subprocess.PIPE, text=True, check=True).stdout


def readme_command(sickbay):
    """In a clone, without a word more than the README has."""
    with open(os.path.join(CHECKOUT, "README.md"), encoding="utf-8") as readme:
        if " ".join(README_COMMAND) not in readme.read():
            raise SystemExit(f"the README has no `{' '.join(README_COMMAND)}`")
    if not os.path.exists(os.path.join(CHECKOUT, ".git")):
        print("left out: this is no checkout, so that it cannot be cloned", file=sys.stderr)
        return
    if is_taken(README_PORT):
        print(f"left out: the port {README_PORT} of the README is taken", file=sys.stderr)
        return
    target = os.path.abspath(os.environ.get("CARGO_TARGET_DIR") or os.path.join(CHECKOUT, "target"))
    # Always in one place: cargo keeps what it compiles by the folder of the sources.
    clone = os.path.join(target, "test-quickstart")
    shutil.rmtree(clone, ignore_errors=True)
    git("clone", "--quiet", CHECKOUT, clone)
    if git("-C", CHECKOUT, "status", "--porcelain"):
        print("the clone has the last commit, not what was changed since", file=sys.stderr)
    # The program of the clone takes the place of the one that is tested, which others need afterwards.
    kept = f"{sickbay}.kept"
    shutil.copy2(sickbay, kept)
    try:
        run_readme_command(clone, dict(os.environ, CARGO_TARGET_DIR=target))
    finally:
        os.replace(kept, sickbay)
        shutil.rmtree(clone, ignore_errors=True)


def run_readme_command(clone, environment):
    # cargo becomes the program that it has built, so that a signal to it reaches that one.
    server = subprocess.Popen(README_COMMAND, cwd=clone, env=environment, stdout=sys.stderr)
    try:
        wait_until_every_check_ran(server, f"http://127.0.0.1:{README_PORT}", README_SECONDS_MAX)
        for name in ["sickbay.toml", "sickbay.db", "plugins/http.wasm", "plugins/system.wasm"]:
            if not os.path.isfile(os.path.join(clone, README_DIRECTORY, name)):
                raise SystemExit(f"there is no {README_DIRECTORY}/{name}")
        stop(server)
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()
    left = git("-C", clone, "status", "--porcelain")
    if left:
        raise SystemExit(f"the first command of the README leaves in the checkout:\n{left}")


def main(sickbay):
    quickstart_elsewhere(sickbay)
    readme_command(sickbay)


if __name__ == "__main__":
    main(sys.argv[1])
