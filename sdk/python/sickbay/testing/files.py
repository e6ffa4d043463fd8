"""Files of the scripted host: a flat map of paths, in which directories are what the paths have in common."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ..errors import MissingFileError
from ..files import FileInfo, Space
from .rest import FakeClock

#: Names of one listing, as on a real host.
PAGE_LEN = 1000


@dataclass(slots=True)
class FakeFile:
    """One file or directory."""

    content: bytes
    modified_at: datetime
    kind: str = "file"
    mode: int = 0o644
    writable: bool = False


class FakeFiles:
    """Files by their whole path."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.by_path: dict[str, FakeFile] = {}
        #: Room on the file system, whatever the path.
        self.room: Space | None = None

    def add(self, path: str, content: bytes | str = b"", *, modified_at: datetime | None = None) -> FakeFile:
        """A file, or another in its place."""
        file = FakeFile(content.encode() if isinstance(content, str) else content, modified_at or self._clock.now)
        self.by_path[path] = file
        return file

    def stat(self, path: str) -> FileInfo:
        file = self._find(path)
        name = path.rstrip("/").rpartition("/")[2]
        return FileInfo(name, file.kind, len(file.content), file.modified_at, file.mode, file.writable, path)

    def scan(self, path: str, after: str | None) -> list[FileInfo]:
        start = path.rstrip("/") + "/"
        names = sorted({other.removeprefix(start).partition("/")[0] for other in self.by_path if other.startswith(start)})
        if not names:
            self._find(path)
        return [self._entry(start + name) for name in names if after is None or name > after][:PAGE_LEN]

    def read(self, path: str, offset: int, size: int) -> bytes:
        return self._find(path).content[offset : offset + size]

    def space(self, path: str) -> Space:
        if self.room is None:
            raise MissingFileError(f"{path}: the test scripted no space")
        return self.room

    def mkdir(self, path: str) -> None:
        self.by_path[path] = FakeFile(b"", self._clock.now, "directory", 0o755, True)

    def remove(self, path: str) -> None:
        self._find(path)
        del self.by_path[path]

    def chmod(self, path: str, mode: int) -> None:
        self._find(path).mode = mode

    def _find(self, path: str) -> FakeFile:
        if path not in self.by_path:
            raise MissingFileError(f"{path}: no such file")
        return self.by_path[path]

    def _entry(self, path: str) -> FileInfo:
        if path in self.by_path:
            return self.stat(path)
        return FileInfo(path.rpartition("/")[2], "directory", 0, self._clock.now, 0o755, False, path)
