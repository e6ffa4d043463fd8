"""Log lines, to which the host adds the check's name and the run's id. 64 KiB per run, then counted and dropped.

Use the standard library: in a component its root logger hands every record to the host, and the host decides what is shown.

    logger = logging.getLogger(__name__)
    logger.info("fetched", extra={"status": response.status})

What `extra` holds becomes fields of the line, and `exc_info` a traceback in its text.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Protocol

from . import _bounds, _host

#: Every step, for whoever writes the plugin.
TRACE = 5

FIELDS_MAX = 32

# What every record has; anything else came with `extra`.
_OWN = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "asctime", "taskName"}


class Backend(Protocol):
    """Who takes lines. The level is one of the standard library's, or any number beside them."""

    def write(self, level: int, message: str, fields: Mapping[str, str]) -> None: ...


class HostHandler(logging.Handler):
    """Hands records to the host that answers here; where none does, to nobody."""

    def emit(self, record: logging.LogRecord) -> None:
        host = _host.found()
        if host is None:
            return
        try:
            fields = {name: value for name, value in record.__dict__.items() if name not in _OWN}
            host.log.write(record.levelno, self.format(record), _bounds.texts(dict(list(fields.items())[:FIELDS_MAX])))
        except Exception:
            self.handleError(record)


def install() -> HostHandler:
    """Has the root logger hand every record to the host."""
    handler = HostHandler()
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(TRACE)
    return handler
