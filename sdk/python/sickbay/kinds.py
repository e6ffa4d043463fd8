"""What a kind of check, recovery or sink says of itself when its plugin is loaded.

A description that the host would refuse is refused here, when the module is imported: by its tests, or while the component is built.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from . import _words, config
from ._shape import Shape
from .errors import ConfigurationError
from .report import MetricKind

C = TypeVar("C")

NEEDS_MAX = 32
METRICS_MAX = 256
FAILURES_MAX = 64
CAPABILITIES = ("http", "postgres", "redis", "net", "secrets", "files", "system", "state", "log")


@dataclass(frozen=True, slots=True)
class Need:
    """A grant that a kind needs. Advice for the operator: every call is authorised regardless."""

    capability: str
    #: For a person: "reads pg_stat_activity".
    reason: str
    #: A line of TOML with `{NAME}` for a key of the configuration: `http = ["GET {url}"]`.
    grant: str


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """One metric that a check may report; conditions are validated against it."""

    #: Ends with `*` where the rest depends on the configuration.
    name: str
    kind: MetricKind
    unit: str
    summary: str


def gauge(name: str, summary: str, unit: str = "") -> MetricInfo:
    """A number that may go up and down. The unit is `seconds`, `bytes`, `ratio` or empty."""
    return MetricInfo(name, MetricKind.GAUGE, unit, summary)


def counter(name: str, summary: str, unit: str = "") -> MetricInfo:
    """A number that only grows, except when the thing counted restarts."""
    return MetricInfo(name, MetricKind.COUNTER, unit, summary)


@dataclass(frozen=True, eq=False)
class Kind(Generic[C]):
    """One kind, as the decorators `check`, `recovery` and `sink` make it."""

    #: What the configuration writes as `kind = "..."`.
    name: str
    summary: str
    config: Shape
    #: A small configuration that works.
    example: Mapping[str, object]
    needs: Sequence[Need]
    metrics: Sequence[MetricInfo]
    failures: Sequence[str]

    def __post_init__(self) -> None:
        _words.expect_word("name of a kind", self.name)
        if not self.summary:
            raise ValueError(f"the kind {self.name!r} has no summary; hint: say in one line what it does")
        for what, found, maximum in (
            ("needs", len(self.needs), NEEDS_MAX),
            ("metrics", len(self.metrics), METRICS_MAX),
            ("failures", len(self.failures), FAILURES_MAX),
        ):
            if found > maximum:
                raise ValueError(f"the kind {self.name!r} has {found} {what}; hint: at most {maximum}")
        for need in self.needs:
            if need.capability not in CAPABILITIES or not need.grant.startswith(need.capability):
                raise ValueError(
                    f'{need!r} is no need of a capability; hint: the grant is a line such as `http = ["GET {{url}}"]`; '
                    f"capabilities are {', '.join(CAPABILITIES)}"
                )
        names = set()
        for metric in self.metrics:
            if metric.name != "*":
                _words.expect_metric_name(metric.name.removesuffix("*"))
            if metric.name in names:
                raise ValueError(f"the kind {self.name!r} describes the metric {metric.name!r} twice")
            names.add(metric.name)
        for failure in self.failures:
            _words.expect_word("failure kind", failure)
        try:
            self.read_config(self.example)
        except ConfigurationError as error:
            raise ValueError(f"the example of {self.name!r} is no configuration of it: {error}") from error

    def config_schema(self) -> dict[str, Any]:
        """The JSON Schema of its configuration."""
        return config.schema(self.config)

    def read_config(self, value: object) -> C:
        """A configuration as a run gets it."""
        loaded: C = config.load(self.config, value)
        return loaded


def config_shape(function: Callable[..., object], request: type[Any]) -> Shape:
    """The shape of `Config` in `def ...(request: Request[Config])`, whatever the kind of request."""
    hint = (
        f"hint: write `def {function.__name__}(request: {request.__name__}[Config], ...)`, with `None` where there is nothing to configure"
    )
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise TypeError(f"the annotations of {function.__name__} cannot be read: {error}; {hint}") from error
    hints.pop("return", None)
    annotation = next(iter(hints.values()), None)
    if typing.get_origin(annotation) is not request:
        raise TypeError(f"{function.__name__} does not say what its configuration is; {hint}")
    return config.shape(typing.get_args(annotation)[0])
