"""`plugin-name`: tells how long ago it ran before, and warns when that is too long.

A place to begin: it needs no grant. README.md tells how to test, build and run it.
"""

import logging
from dataclasses import dataclass
from typing import Annotated

from sickbay import Key, Report, Request, check, check_plugin, clock, gauge, state

logger = logging.getLogger(__name__)


@dataclass
class Config:
    """What the operator writes as `config = { ... }`."""

    limit_seconds: Annotated[float, Key("Warning when the run before is longer ago", minimum=1)] = 3600


@check(
    "plugin-name",
    summary="Warns when it has not run for too long",
    example={"limit_seconds": 3600},
    # For a check that asks a service: needs=[Need("http", "asks the service", 'http = ["GET {url}"]')]
    metrics=[gauge("idle_seconds", "since the run before", "seconds")],
    failures=["latency"],
)
def plugin_check(request: Request[Config]) -> Report:
    now_ms = clock.now_ms()
    idle_seconds = (now_ms - state.get_json("ran_at_ms", now_ms)) / 1000
    state.put_json("ran_at_ms", now_ms)
    logger.debug("compared", extra={"idle_seconds": idle_seconds})

    report = Report.ok(f"the run before was {idle_seconds:.0f} s ago").add_metric("idle_seconds", idle_seconds, "seconds")
    limit = request.config.limit_seconds
    if idle_seconds > limit:
        report.add_evidence("idle_seconds", idle_seconds, f"at most {limit}", "seconds")
        report.warning("latency", f"the run before was {idle_seconds:.0f} s ago, more than {limit:.0f} s")
    return report


Plugin, Check = check_plugin("plugin-name", version="0.1.0", summary="Warns when it has not run for too long", checks=[plugin_check])
