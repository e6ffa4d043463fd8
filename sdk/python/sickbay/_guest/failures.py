"""Errors of the contract as exceptions, and exceptions as failures of the contract.

The name of a variant's case says what it means, the same in every interface but for `OTHER_MEANINGS`.
"""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from componentize_py_types import Err
from wit_world.imports import types as wire

from .. import _bounds
from ..errors import (
    AuthenticationError,
    ConfigurationError,
    DeniedError,
    DnsError,
    FileSystemError,
    InternalError,
    MissingFileError,
    PluginError,
    ProtocolError,
    QuotaError,
    RefusedError,
    ServiceError,
    SickbayError,
    TimedOutError,
    TlsError,
    TooManyConnectionsError,
    UnreachableError,
)
from ..postgres import sql_error

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger("sickbay")

Meaning = Callable[[str], SickbayError]

MEANINGS: dict[str, Meaning] = {
    "Invalid": ConfigurationError,
    "Quota": QuotaError,
    "Dns": DnsError,
    "Refused": RefusedError,
    "Connect": UnreachableError,
    "Tls": TlsError,
    "Timeout": TimedOutError,
    "Protocol": ProtocolError,
    "Closed": ProtocolError,
    "Authentication": AuthenticationError,
    "TooManyConnections": TooManyConnectionsError,
    "NotFound": MissingFileError,
    "Unsupported": ConfigurationError,
    "Other": UnreachableError,
}


def _secret(message: str) -> SickbayError:
    return ServiceError("secret", message)


def _redis_connect(message: str) -> SickbayError:
    # The contract has no case for it; the host's message names the setting that refused.
    return TooManyConnectionsError(message) if "`maxclients`" in message else UnreachableError(message)


OTHER_MEANINGS: dict[str, Meaning] = {
    "RedisError_Connect": _redis_connect,
    # A file is what a check is about: one that the system does not give is the target's state.
    "FileError_Refused": FileSystemError,
    "FileError_Other": FileSystemError,
    "SecretError_Other": _secret,
    # The machine is no service that could refuse: what cannot be read cannot be judged.
    "SystemError_Other": InternalError,
}


def call(function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Calls the host. What it failed with is raised as the exception that it means."""
    try:
        return function(*arguments, **named)
    except Err as error:
        raise meaning(error.value) from None


def meaning(value: Any) -> SickbayError:
    """A case of an error variant, as an exception."""
    name = type(value).__name__
    _, _, case = name.partition("_")
    if case == "Denied":
        return DeniedError(value.value.reason, value.value.hint)
    if case == "Server":
        told = value.value
        return sql_error(told.sqlstate, told.message, told.severity, told.detail)
    make = OTHER_MEANINGS.get(name) or MEANINGS.get(case) or InternalError
    return make(value.value)


def failure(error: Exception) -> Err[wire.Failure]:
    """Why there is no answer. A defect of the plugin is logged with its traceback."""
    if isinstance(error, PluginError):
        kind, message = error.kind, error.message
    elif isinstance(error, ServiceError):
        kind, message = error.failure, error.message
    else:
        logger.error("%s", defect(error), exc_info=error)
        kind, message = InternalError.kind, defect(error)
    return Err(wire.Failure(kind, _bounds.cut(message, _bounds.FAILURE_MESSAGE_BYTES_MAX), []))


def defect(error: Exception) -> str:
    """What went wrong in the plugin, and in which line of it."""
    told = "".join(traceback.format_exception_only(error)).strip()
    place = _last(error.__traceback__)
    return f"{told} ({place})" if place else told


def _last(trace: TracebackType | None) -> str:
    """The deepest line that is not the SDK's own."""
    place = ""
    here = os.path.dirname(os.path.dirname(__file__))
    for frame, line in traceback.walk_tb(trace):
        file = frame.f_code.co_filename
        if not file.startswith(here):
            place = f"{os.path.basename(file)}, line {line}"
    return place
