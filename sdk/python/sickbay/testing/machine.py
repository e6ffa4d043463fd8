"""The machine of the scripted host. What the test did not set is denied."""

from __future__ import annotations

from typing import Any

from ..errors import DeniedError
from ..system import Cpu, Disk, DiskIo, Listener, Load, Memory, OpenFiles, Process


class FakeSystem:
    """What `system` answers."""

    def __init__(self) -> None:
        self._told: dict[str, Any] = {}

    def tell(
        self,
        *,
        cpu: Cpu | None = None,
        memory: Memory | None = None,
        load: Load | None = None,
        disks: list[Disk] | None = None,
        disk_io: list[DiskIo] | None = None,
        processes: list[Process] | None = None,
        listeners: list[Listener] | None = None,
        open_files: OpenFiles | None = None,
    ) -> None:
        """Grants a part of the machine and says how it is; of all `processes` the plugin sees those with the name that it asks for."""
        told = {
            "cpu": cpu,
            "memory": memory,
            "load": load,
            "disk": disks,
            "io": disk_io,
            "processes": processes,
            "listeners": listeners,
            "files": open_files,
        }
        self._told.update({what: answer for what, answer in told.items() if answer is not None})

    def cpu(self) -> Cpu:
        told: Cpu = self._granted("cpu")
        return told

    def memory(self) -> Memory:
        told: Memory = self._granted("memory")
        return told

    def load(self) -> Load:
        told: Load = self._granted("load")
        return told

    def disks(self) -> list[Disk]:
        told: list[Disk] = self._granted("disk")
        return told

    def disk_io(self) -> list[DiskIo]:
        told: list[DiskIo] = self._granted("io")
        return told

    def processes(self, name: str) -> list[Process]:
        return [process for process in self._granted("processes", f"processes:{name}") if process.name == name]

    def listeners(self) -> list[Listener]:
        told: list[Listener] = self._granted("listeners")
        return told

    def open_files(self) -> OpenFiles:
        told: OpenFiles = self._granted("files")
        return told

    def _granted(self, what: str, grant: str | None = None) -> Any:
        if what not in self._told:
            raise DeniedError(f"no grant for {grant or what}", f'system = ["{grant or what}"]')
        return self._told[what]
