"""Names that machines read: the host refuses a wrong one, so it is refused here, where the line that wrote it is known."""

from __future__ import annotations

import re

_WORD = re.compile(r"[a-z0-9-]{1,64}")
_METRIC = re.compile(r"[a-z_][a-z0-9_]{0,63}")


def expect_word(what: str, text: str) -> str:
    """The name of a kind, of a failure, of a plugin."""
    if _WORD.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no {what}; hint: lower-case letters, digits and `-`, at most 64, such as `too-many-connections`")
    return text


def expect_metric_name(text: str) -> str:
    """The name of a metric."""
    if _METRIC.fullmatch(text) is None:
        raise ValueError(
            f"{text!r} is no name for a metric; hint: lower-case letters, digits and `_`, at most 64, such as `latency_seconds`"
        )
    return text
