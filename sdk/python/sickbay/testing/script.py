"""Answers in the order in which they were scripted, and the time that they take."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from ..errors import SickbayError, TimedOutError
from .rest import FakeClock

T = TypeVar("T")


class NotScripted(AssertionError):
    """The plugin asked for something that the test did not script."""


class Script(Generic[T]):
    """What is answered next."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._answers: deque[tuple[T | SickbayError, float]] = deque()

    def add(self, answer: T | SickbayError, after: float) -> None:
        """One more answer, which takes `after` seconds."""
        self._answers.append((answer, after))

    def next(self, asked: str, timeout: float | None) -> T:
        """The next answer; one that would take longer than the call may is a timeout, as on a real host."""
        if not self._answers:
            raise NotScripted(f"the test scripted no answer to {asked}")
        answer, after = self._answers.popleft()
        may_take = self._clock.call_may_take(timeout)
        if after > may_take:
            self._clock.advance(may_take)
            raise TimedOutError(f"no answer to {asked} within {may_take:g} s")
        self._clock.advance(after)
        if isinstance(answer, SickbayError):
            raise answer
        return answer
