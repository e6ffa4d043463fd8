"""The kinds `files`, `secrets` and `system`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from told import Lines, milliseconds, number, octets, optional, string, text, truth

from sickbay import ConfigurationError, Report, Request, SickbayError, check, files, secrets, system

READ_BYTES_MAX = 4096
ENTRIES_MAX = 100
MODE = 0o640


@dataclass
class FilesConfig:
    paths: list[str]
    what: Annotated[
        Literal["info", "directory", "read", "space", "create", "remove", "mode"], "What is done with each"
    ] = "info"
    tell_errors: Annotated[bool, "Whether an error is a line"] = False


@check("files", summary="Tells of files", example={"paths": ["/etc/hostname"]})
def use_files(request: Request[FilesConfig]) -> Report:
    config = request.config
    lines = Lines()
    for path in config.paths:
        try:
            work(config.what, path, lines)
        except SickbayError as error:
            lines.failed(error, config.tell_errors)
    return lines.report()


def work(what: str, path: str, lines: Lines) -> None:
    match what:
        case "info":
            lines.append(file(files.stat(path)))
        case "directory":
            lines.extend(file(info) for info in files.scandir(path, entries_max=ENTRIES_MAX))
        case "read":
            lines.append(f"read {string(files.read_bytes(path, size=READ_BYTES_MAX))}")
        case "space":
            space = files.space(path)
            lines.append("space " + numbers(space.total_bytes, space.available_bytes, space.inodes_total, space.inodes_free))
        case "create":
            files.mkdir(path)
            lines.append("done")
        case "remove":
            files.remove(path)
            lines.append("done")
        case "mode":
            files.chmod(path, MODE)
            lines.append("done")


def numbers(*values: float) -> str:
    return " ".join(number(value) for value in values)


def file(info: files.FileInfo) -> str:
    facts = f"{info.size} {milliseconds(info.modified_at)} {info.mode} {truth(info.writable)}"
    return f"file {text(info.name)} {text(info.kind)} {facts} {text(info.identity)}"


@dataclass
class SecretsConfig:
    secrets: Annotated[list[str], "Names of secrets; of `encode` what is encoded"]
    what: Annotated[Literal["inspect", "sign", "encode"], "What is done with each"] = "inspect"
    tell_errors: Annotated[bool, "Whether an error is a line"] = False


@check("secrets", summary="Uses secrets", example={"secrets": ["api"]})
def use_secrets(request: Request[SecretsConfig]) -> Report:
    config = request.config
    lines = Lines()
    for secret in config.secrets:
        try:
            lines.extend(used(config.what, secret))
        except SickbayError as error:
            lines.failed(error, config.tell_errors)
    return lines.report()


def used(what: str, secret: str) -> list[str]:
    match what:
        case "sign":
            return [f"signature {octets(signature)}" for signature in secrets.sign(secret, b"data", prefix="AWS4")]
        case "encode":
            return [f"encoded {text(secrets.encode(secret, 'base64'))}"]
    info = secrets.inspect(secret)
    return [f"secret {'null' if info.changed_at is None else milliseconds(info.changed_at)} {info.versions}"]


@dataclass
class SystemConfig:
    what: Annotated[list[str], "`cpu`, `memory`, `load`, `disks`, `io`, `processes`, `listeners`, `files`"]
    process: Annotated[str, "Of which name"] = "nginx"
    tell_errors: Annotated[bool, "Whether an error is a line"] = False


@check("system", summary="Tells of the machine", example={"what": ["memory"]})
def read_system(request: Request[SystemConfig]) -> Report:
    config = request.config
    lines = Lines()
    for what in config.what:
        try:
            lines.extend(read(what, config.process))
        except SickbayError as error:
            lines.failed(error, config.tell_errors)
    return lines.report()


def read(what: str, process: str) -> list[str]:
    match what:
        case "cpu":
            cpu = system.cpu()
            return [f"cpu {numbers(cpu.busy_ratio, cpu.iowait_ratio)} {cpu.cores} {round(cpu.window * 1000)}"]
        case "memory":
            memory = system.memory()
            swap = numbers(memory.swap_total_bytes, memory.swap_used_bytes)
            return [f"memory {numbers(memory.total_bytes, memory.available_bytes)} {swap}"]
        case "load":
            load = system.load()
            return [f"load {numbers(load.one, load.five, load.fifteen)}"]
        case "disks":
            return [disk(one) for one in system.disks()]
        case "io":
            return [
                f"io {text(one.device)} {numbers(one.read_bytes, one.written_bytes, one.busy_seconds)}"
                for one in system.disk_io()
            ]
        case "processes":
            return [
                f"process {one.pid} {text(one.name)} {numbers(one.resident_bytes, one.cpu_seconds)} {milliseconds(one.started_at)}"
                for one in system.processes(process)
            ]
        case "listeners":
            return [
                f"listener {text(one.protocol)} {text(one.address)} {one.port} {optional(one.process)}"
                for one in system.listeners()
            ]
        case "files":
            opened = system.open_files()
            return [f"open-files {numbers(opened.open, opened.maximum)}"]
    raise ConfigurationError(f"there is no topic {what}")


def disk(one: system.Disk) -> str:
    room = numbers(one.total_bytes, one.available_bytes, one.inodes_total, one.inodes_free)
    return f"disk {text(one.mount)} {text(one.device)} {text(one.file_system)} {room} {truth(one.read_only)}"


KINDS = [use_files, use_secrets, read_system]
