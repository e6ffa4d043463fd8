"""The contract's `system`."""

from __future__ import annotations

from wit_world.imports import system as wire

from .. import _bounds
from ..system import Cpu, Disk, DiskIo, Listener, Load, Memory, OpenFiles, Process
from .failures import call


class Lent:
    """Reads the machine."""

    def cpu(self) -> Cpu:
        cpu = call(wire.read_cpu)
        return Cpu(cpu.busy_ratio, cpu.iowait_ratio, cpu.cores, cpu.window_ms / 1000)

    def memory(self) -> Memory:
        memory = call(wire.read_memory)
        return Memory(memory.total_bytes, memory.available_bytes, memory.swap_total_bytes, memory.swap_used_bytes)

    def load(self) -> Load:
        load = call(wire.read_load)
        return Load(load.one, load.five, load.fifteen)

    def disks(self) -> list[Disk]:
        disks = call(wire.read_disks)
        return [
            Disk(
                disk.mount,
                disk.device,
                disk.file_system,
                disk.total_bytes,
                disk.available_bytes,
                disk.inodes_total,
                disk.inodes_free,
                disk.read_only,
            )
            for disk in disks
        ]

    def disk_io(self) -> list[DiskIo]:
        disks = call(wire.read_disk_io)
        return [DiskIo(disk.device, disk.read_bytes, disk.written_bytes, disk.busy_seconds) for disk in disks]

    def processes(self, name: str) -> list[Process]:
        processes = call(wire.read_processes, name)
        return [
            Process(process.pid, process.name, process.resident_bytes, process.cpu_seconds, _bounds.moment(process.started_at))
            for process in processes
        ]

    def listeners(self) -> list[Listener]:
        listeners = call(wire.read_listeners)
        return [Listener(listener.protocol, listener.address, listener.port, listener.process) for listener in listeners]

    def open_files(self) -> OpenFiles:
        files = call(wire.read_open_files)
        return OpenFiles(files.open, files.maximum)
