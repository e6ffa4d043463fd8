"""Write Sickbay plugins in Python.

A plugin is a WebAssembly component that describes the kinds of checks, recoveries and sinks it offers, and runs them.

- `check`, `recovery`, `sink`: decorators that make a kind of a function. `Request`, `RecoveryRequest` and `SinkRequest` are what it is
  asked; `Report`, `Outcome` and `Receipt` what it answers. `Key` says of a configuration's key what its annotation cannot.
- `ServiceError` and `PluginError`: whose mistake it was. What the *service* did becomes a critical report, what the *plugin or its
  configuration* did becomes a failure, which the host records as `unknown`.
- `http`, `postgres`, `redis`, `net`, `secrets`, `files`, `system`, `state`, `clock`, and `logging` of the standard library: what a run may
  use, as far as the operator granted it.
- `check_plugin` and its siblings: what the component exports.
- `sickbay.testing`: a scripted host, so that a test runs a check without WebAssembly.

Invariant: outside of a component nothing here needs the generated bindings, and nothing but the standard library.
"""

from . import clock, files, http, log, net, network, postgres, redis, secrets, state, system
from .checks import CheckKind, Earlier, Request, check
from .component import check_plugin, check_recovery_plugin, full_plugin, recovery_plugin, sink_plugin
from .config import Key
from .errors import (
    AuthenticationError,
    ConfigurationError,
    ContentError,
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
    StatusError,
    TimedOutError,
    TlsError,
    TooManyConnectionsError,
    UnreachableError,
)
from .kinds import MetricInfo, Need, counter, gauge
from .recoveries import Action, Incident, Outcome, Progress, RecoveryKind, RecoveryRequest, Running, recovery
from .report import Evidence, Metric, MetricKind, Report, Status
from .sinks import Alert, Notification, PermanentError, Phase, Receipt, RetryableError, SinkKind, SinkRequest, sink

__version__ = "0.1.0"

__all__ = [
    "Action",
    "Alert",
    "AuthenticationError",
    "CheckKind",
    "ConfigurationError",
    "ContentError",
    "DeniedError",
    "DnsError",
    "Earlier",
    "Evidence",
    "FileSystemError",
    "Incident",
    "InternalError",
    "Key",
    "Metric",
    "MetricInfo",
    "MetricKind",
    "MissingFileError",
    "Need",
    "Notification",
    "Outcome",
    "PermanentError",
    "Phase",
    "PluginError",
    "Progress",
    "ProtocolError",
    "QuotaError",
    "Receipt",
    "RecoveryKind",
    "RecoveryRequest",
    "RefusedError",
    "Report",
    "Request",
    "RetryableError",
    "Running",
    "ServiceError",
    "SickbayError",
    "SinkKind",
    "SinkRequest",
    "Status",
    "StatusError",
    "TimedOutError",
    "TlsError",
    "TooManyConnectionsError",
    "UnreachableError",
    "check",
    "check_plugin",
    "check_recovery_plugin",
    "clock",
    "counter",
    "files",
    "full_plugin",
    "gauge",
    "http",
    "log",
    "net",
    "network",
    "postgres",
    "recovery",
    "recovery_plugin",
    "redis",
    "secrets",
    "sink",
    "sink_plugin",
    "state",
    "system",
]
