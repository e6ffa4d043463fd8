"""The contract's `files`."""

from __future__ import annotations

from wit_world.imports import files as wire

from .. import _bounds
from ..files import FileInfo, Space
from .failures import call

U64_MAX = (1 << 64) - 1


class Lent:
    """Reads and changes files."""

    def stat(self, path: str) -> FileInfo:
        return _info(call(wire.read_info, path))

    def scan(self, path: str, after: str | None) -> list[FileInfo]:
        return [_info(entry) for entry in call(wire.read_directory, path, after)]

    def read(self, path: str, offset: int, size: int) -> bytes:
        offset, size = _bounds.unsigned("offset", offset, U64_MAX), _bounds.unsigned("size", size)
        read: bytes = call(wire.read_bytes, path, offset, size)
        return read

    def space(self, path: str) -> Space:
        space = call(wire.read_space, path)
        return Space(space.total_bytes, space.available_bytes, space.inodes_total, space.inodes_free)

    def mkdir(self, path: str) -> None:
        call(wire.create_directory, path)

    def remove(self, path: str) -> None:
        call(wire.remove, path)

    def chmod(self, path: str, mode: int) -> None:
        mode = _bounds.unsigned("mode", mode)
        call(wire.set_mode, path, mode)


def _info(info: wire.FileInfo) -> FileInfo:
    modified_at = _bounds.moment(info.modified_at)
    return FileInfo(info.name, info.kind, info.size_bytes, modified_at, info.mode, info.writable, info.identity)
