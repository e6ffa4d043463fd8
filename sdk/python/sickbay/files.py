"""Files below the granted directories, by guest path, as far as `grants = { files = [...] }` allows. A link is never followed out of its
grant.

Python's own `open()` and `os` see the granted directories too; what they read is not counted against the run's limits and a run that used
them cannot be replayed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from . import _host
from .errors import QuotaError

#: What one read answers at most.
READ_BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class FileInfo:
    """One name and what is behind it. A link is not followed."""

    #: The last part of the path.
    name: str
    #: `file`, `directory`, `link`, or another word.
    kind: str
    #: Bytes of a file; of anything else what the system says.
    size: int
    #: When its content last changed.
    modified_at: datetime
    #: Permission bits: `0o640`.
    mode: int
    #: By the host's user.
    writable: bool
    #: Another value when the name went to another file: the log was rotated.
    identity: str


@dataclass(frozen=True, slots=True)
class Space:
    """Room on a file system."""

    total_bytes: float
    #: That an ordinary user may still write.
    available_bytes: float
    #: 0 where the file system does not count them.
    inodes_total: float
    inodes_free: float


class Backend(Protocol):
    """Who reads and changes files."""

    def stat(self, path: str) -> FileInfo: ...
    def scan(self, path: str, after: str | None) -> list[FileInfo]: ...
    def read(self, path: str, offset: int, size: int) -> bytes: ...
    def space(self, path: str) -> Space: ...
    def mkdir(self, path: str) -> None: ...
    def remove(self, path: str) -> None: ...
    def chmod(self, path: str, mode: int) -> None: ...


def stat(path: str) -> FileInfo:
    """Of the name itself, not of what a link points to."""
    return _host.current().files.stat(path)


def scandir(path: str, *, entries_max: int = 10_000) -> list[FileInfo]:
    """By name, all of them. A directory with more than `entries_max` is refused: half of it would mislead."""
    entries: list[FileInfo] = []
    after = None
    while page := _host.current().files.scan(path, after):
        entries += page
        after = page[-1].name
        if len(entries) > entries_max:
            raise QuotaError(f"{path} has more than {entries_max} entries")
    return entries


def read_bytes(path: str, *, offset: int = 0, size: int = READ_BYTES_MAX) -> bytes:
    """At most 1 MiB from `offset` on; empty at the end."""
    return _host.current().files.read(path, offset, size)


def read_text(path: str, *, offset: int = 0, size: int = READ_BYTES_MAX) -> str:
    """The same as text, with U+FFFD for what is not UTF-8."""
    return read_bytes(path, offset=offset, size=size).decode(errors="replace")


def chunks(path: str, *, offset: int = 0) -> Iterator[bytes]:
    """What is in a file from `offset` on, 1 MiB at a time."""
    while chunk := read_bytes(path, offset=offset):
        yield chunk
        offset += len(chunk)


def space(path: str) -> Space:
    """Room on the file system that holds `path`."""
    return _host.current().files.space(path)


def mkdir(path: str) -> None:
    """Needs `mode = "rw"`."""
    _host.current().files.mkdir(path)


def remove(path: str) -> None:
    """A file, a link, or an empty directory. Needs `mode = "rw"`."""
    _host.current().files.remove(path)


def chmod(path: str, mode: int) -> None:
    """Permission bits only. Needs `mode = "rw"`."""
    _host.current().files.chmod(path, mode)
