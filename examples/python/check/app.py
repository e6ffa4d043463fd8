"""`feed-age`: how old the newest entry of a JSON feed is.

What it shows: a typed configuration, an answer read into a dataclass, metrics, evidence, a rate out of `state`, and whose mistake it was: a
feed that does not answer, or answers something else, is critical without a line of code for it.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from sickbay import ContentError, Key, Need, Report, Request, check, check_plugin, clock, gauge, http, state

logger = logging.getLogger(__name__)


@dataclass
class Config:
    url: Annotated[str, Key("Where the feed is", pattern="^https?://")]
    warning_seconds: Annotated[float, Key("Warning when the newest entry is older", minimum=0)] = 300
    critical_seconds: Annotated[float, Key("Critical when the newest entry is older", minimum=0)] = 3600

    def __post_init__(self) -> None:
        if self.critical_seconds < self.warning_seconds:
            raise ValueError("`critical_seconds` is below `warning_seconds`")


@dataclass
class Entry:
    published_at: datetime


@dataclass
class Feed:
    total: int
    entries: list[Entry]


@check(
    "feed-age",
    summary="How old the newest entry of a JSON feed is",
    example={"url": "https://example.com/feed.json"},
    needs=[Need("http", "reads the feed", 'http = ["GET {url}"]')],
    metrics=[
        gauge("age_seconds", "since the newest entry", "seconds"),
        gauge("entries_new", "entries since the run before"),
        gauge("latency_seconds", "the whole exchange", "seconds"),
    ],
    failures=["content", "stale", "dns", "refused", "connection", "tls", "timeout", "protocol"],
)
def feed_age(request: Request[Config]) -> Report:
    config = request.config
    response = http.get(config.url, headers={"accept": "application/json"}).raise_for_status()
    feed = response.json(Feed)
    age = (clock.now() - newest(feed)).total_seconds()
    new = feed.total - state.get_json("total", feed.total)
    state.put_json("total", feed.total)
    logger.info("read the feed", extra={"entries": len(feed.entries), "age_seconds": round(age)})

    report = Report.ok(f"the newest entry is {age:.0f} s old")
    report.add_metric("age_seconds", age, "seconds")
    report.add_metric("entries_new", new)
    report.add_metric("latency_seconds", response.latency_seconds, "seconds")
    for limit, finding in ((config.critical_seconds, report.critical), (config.warning_seconds, report.warning)):
        if age > limit:
            report.add_evidence("age_seconds", round(age), f"at most {limit:g}", "seconds")
            return finding("stale", f"the newest entry is {age:.0f} s old, more than {limit:g} s")
    return report


def newest(feed: Feed) -> datetime:
    """When the newest entry came. A feed without one is the service's fault."""
    if not feed.entries:
        raise ContentError("the feed has no entry")
    return max(entry.published_at for entry in feed.entries)


Plugin, Check = check_plugin(
    "feed-age", version="0.1.0", summary="How old the newest entry of a JSON feed is", checks=[feed_age], licence="Apache-2.0"
)
