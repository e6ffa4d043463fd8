"""The machine that Sickbay runs on, as far as `grants = { system = [...] }` allows.

Amounts are floats because they become metrics; they are exact to 8 PiB.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from . import _host


@dataclass(frozen=True, slots=True)
class Cpu:
    """How busy the processors are, all of them together."""

    #: 0 to 1, mean over the last whole window: the same answer for every reader.
    busy_ratio: float
    #: 0 to 1, time in which a processor had nothing to do but wait for a disk.
    iowait_ratio: float
    #: Processors that are online.
    cores: int
    #: Seconds that the ratios are means over.
    window: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of the machine."""

    total_bytes: float
    #: That programs can still have without swapping; caches count as available.
    available_bytes: float
    swap_total_bytes: float
    swap_used_bytes: float


@dataclass(frozen=True, slots=True)
class Load:
    """Processes that run or want to run, as means over 1, 5 and 15 minutes."""

    one: float
    five: float
    fifteen: float


@dataclass(frozen=True, slots=True)
class Disk:
    """One mounted file system."""

    #: Where it is mounted: `/var`.
    mount: str
    #: What is mounted: `/dev/sda1`. Several mounts may share it.
    device: str
    #: Its type: `ext4`, `tmpfs`.
    file_system: str
    total_bytes: float
    #: That an ordinary user may still write.
    available_bytes: float
    #: 0 where the file system does not count them.
    inodes_total: float
    inodes_free: float
    read_only: bool


@dataclass(frozen=True, slots=True)
class DiskIo:
    """Traffic of one block device, counted since boot."""

    device: str
    read_bytes: float
    written_bytes: float
    #: In which it had at least one request to work on.
    busy_seconds: float


@dataclass(frozen=True, slots=True)
class Process:
    """One process."""

    pid: int
    #: Its short name; Linux keeps 15 bytes.
    name: str
    #: Shared pages included.
    resident_bytes: float
    #: User and system together.
    cpu_seconds: float
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Listener:
    """One socket that waits for peers."""

    #: `tcp`, `udp`
    protocol: str
    address: str
    port: int
    #: Where the host may see it.
    process: str | None


@dataclass(frozen=True, slots=True)
class OpenFiles:
    """Open files of the whole machine."""

    open: float
    maximum: float


class Backend(Protocol):
    """Who reads the machine."""

    def cpu(self) -> Cpu: ...
    def memory(self) -> Memory: ...
    def load(self) -> Load: ...
    def disks(self) -> list[Disk]: ...
    def disk_io(self) -> list[DiskIo]: ...
    def processes(self, name: str) -> list[Process]: ...
    def listeners(self) -> list[Listener]: ...
    def open_files(self) -> OpenFiles: ...


def cpu() -> Cpu:
    """Processor time, as the host sampled it. Grant: `cpu`."""
    return _host.current().system.cpu()


def memory() -> Memory:
    """Memory and swap. Grant: `memory`."""
    return _host.current().system.memory()


def load() -> Load:
    """Load averages. Grant: `load`."""
    return _host.current().system.load()


def disks() -> list[Disk]:
    """Mounted file systems. Grant: `disk`."""
    return _host.current().system.disks()


def disk_io() -> list[DiskIo]:
    """Disk traffic. Grant: `io`."""
    return _host.current().system.disk_io()


def processes(name: str) -> list[Process]:
    """Processes with exactly this name, at most 1000. Grant: `processes:NAME`."""
    return _host.current().system.processes(name)


def listeners() -> list[Listener]:
    """Sockets that listen. Grant: `listeners`."""
    return _host.current().system.listeners()


def open_files() -> OpenFiles:
    """Open files of the whole machine. Grant: `files`."""
    return _host.current().system.open_files()
