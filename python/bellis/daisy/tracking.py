"""Which blocks of a task are done, for the next run: one byte per block, in a folder of the task."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, Mapping

_DONE, _FAILED = b"\x01", b"\x02"
_basedir: Path | None = None


def set_tracking_basedir(path: str | os.PathLike[str] | None) -> None:
    """From now on, tasks without a `tracking_path` keep their done blocks in `<path>/<task_id>`; None: nowhere."""
    global _basedir
    _basedir = None if path is None else Path(path)


def get_tracking_basedir() -> Path | None:
    return _basedir


def tracking_path_of(given: str | Path | bool | None, task_id: str) -> Path | None:
    """The folder of a task; None if it keeps nothing."""
    if given is False:
        return None
    if given is None or given is True:
        return None if _basedir is None else _basedir / task_id
    return Path(given)


class Tracking:
    """The done and the failed blocks of one task."""

    def __init__(self, path: Path, blocks: Mapping[str, Any] | None = None) -> None:
        """blocks: what the numbers of blocks depend on; None in a worker, whose run has compared it."""
        self.path = path.absolute()
        self._blocks = blocks
        self._file = -1

    def open(self) -> None:
        """Makes the folder, or checks that it is of the same blocks. Raises ValueError."""
        if self._file >= 0:
            return
        if self._blocks is not None:
            self.path.mkdir(parents=True, exist_ok=True)
            made_by = self.path / "task.json"
            if not made_by.exists():
                temporary = made_by.with_suffix(f".{os.getpid()}")
                temporary.write_text(json.dumps(self._blocks))
                temporary.rename(made_by)
            elif json.loads(made_by.read_text()) != self._blocks:
                raise ValueError(f"{self.path} tracks a task with other blocks: reset() that task, or name another tracking_path.")
        self._file = os.open(self.path / "blocks", os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)

    def is_done(self, index: int) -> bool:
        self.open()
        os.lseek(self._file, index, os.SEEK_SET)
        return os.read(self._file, 1) == _DONE

    def note(self, index: int, is_done: bool) -> None:
        """A block has ended."""
        self.open()
        os.lseek(self._file, index, os.SEEK_SET)
        os.write(self._file, _DONE if is_done else _FAILED)

    def failed(self, count: int) -> list[int]:
        """The blocks of which an attempt failed and none succeeded."""
        try:
            found = (self.path / "blocks").read_bytes()
        except FileNotFoundError:
            return []
        return [index for index, byte in enumerate(found[:count]) if byte == _FAILED[0]]

    def reset(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def __del__(self) -> None:
        if self._file >= 0:
            os.close(self._file)


def tracking_of(config: Mapping[str, Any]) -> Tracking | None:
    """In a worker: that of the task with this configuration, whose blocks its run has compared."""
    path = config.get("tracking")
    return None if path is None else Tracking(Path(path))
