"""Clock, state, log and secrets of the scripted host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from .. import _bounds
from ..errors import DeniedError, QuotaError
from ..secrets import SecretInfo

STATE_KEYS_MAX = 64
STATE_KEY_BYTES_MAX = 128
STATE_BYTES_MAX = 16 << 10

#: Host calls end before the run by the larger of these, yet not before half of its timeout.
MARGIN_SECONDS = 0.1
MARGIN_RATIO = 0.1


class FakeClock:
    """A clock that moves when the test, or a scripted answer, moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self._elapsed = 0.0
        self._calls_end: float | None = None

    def advance(self, seconds: float) -> None:
        """That much later."""
        self.now += timedelta(seconds=seconds)
        self._elapsed += seconds

    def now_ms(self) -> int:
        return _bounds.timestamp_ms(self.now)

    def monotonic(self) -> float:
        return self._elapsed

    def begin(self, timeout: float) -> None:
        """A run begins."""
        margin = min(max(MARGIN_SECONDS, timeout * MARGIN_RATIO), timeout / 2)
        self._calls_end = self._elapsed + timeout - margin

    def end(self) -> None:
        """The run is over."""
        self._calls_end = None

    def call_may_take(self, timeout: float | None) -> float:
        """Seconds until a call that begins now is ended."""
        left = float("inf") if self._calls_end is None else max(0.0, self._calls_end - self._elapsed)
        return left if timeout is None else min(left, timeout)


class FakeState:
    """Values kept between runs: bytes by key, in `values`."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self.values.get(key)

    def put(self, key: str, value: bytes) -> None:
        others = {name: kept for name, kept in self.values.items() if name != key}
        if len(key.encode()) > STATE_KEY_BYTES_MAX:
            raise QuotaError(f"a key has at most {STATE_KEY_BYTES_MAX} bytes")
        if len(others) >= STATE_KEYS_MAX:
            raise QuotaError(f"at most {STATE_KEYS_MAX} keys are kept")
        if sum(len(name.encode()) + len(kept) for name, kept in {**others, key: value}.items()) > STATE_BYTES_MAX:
            raise QuotaError(f"at most {STATE_BYTES_MAX} bytes are kept")
        self.values[key] = bytes(value)

    def remove(self, key: str) -> None:
        self.values.pop(key, None)


@dataclass(frozen=True, slots=True)
class Line:
    """One log line."""

    #: As the standard library numbers them: `logging.INFO`.
    level: int
    message: str
    fields: Mapping[str, str] = field(default_factory=dict)


class FakeLog:
    """Every line that the plugin logged."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def write(self, level: int, message: str, fields: Mapping[str, str]) -> None:
        self.lines.append(Line(level, message, dict(fields)))


class FakeSecrets:
    """Secrets that only tell what was done with them; one that the test did not name is denied."""

    def __init__(self) -> None:
        self.known: dict[str, SecretInfo] = {}

    def add(self, name: str, *, changed_at: datetime | None = None, versions: int = 1) -> None:
        """Grants a secret."""
        self.known[name] = SecretInfo(changed_at, versions)

    def inspect(self, secret: str) -> SecretInfo:
        if secret not in self.known:
            raise DeniedError(f"no grant for {secret}", f'secrets = [{{ name = "{secret}" }}]')
        return self.known[secret]

    def sign(self, secret: str, algorithm: str, prefix: str, data: bytes) -> list[bytes]:
        versions = self.inspect(secret).versions
        return [f"{algorithm}:{prefix}{secret}:{version}:".encode() + data for version in range(versions)]

    def encode(self, text: str, encoding: str) -> str:
        return f"{encoding}({text})"
