"""Where the output of workers goes: `daisy_logs/<task>/worker_<number>.out` and `.err`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_basedir: Path | None = Path("./daisy_logs")


def set_log_basedir(path: str | os.PathLike[str] | None) -> None:
    """The folder of logs; None: workers print where this process prints."""
    global _basedir
    _basedir = None if path is None else Path(path)


def get_log_basedir() -> Path | None:
    return _basedir


def get_worker_log_basename(worker_id: int | str, task_id: str | None = None) -> Path | None:
    """The path of a worker's logs without `.out` or `.err`; None if there are no logs."""
    if _basedir is None:
        return None
    folder = _basedir if task_id is None else _basedir / task_id
    return folder / f"worker_{worker_id}"


def redirect_stdouterr(basename: str | os.PathLike[str], mode: str = "w") -> None:
    """From now on, this process prints to `<basename>.out` and `<basename>.err`."""
    path = Path(basename)
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if "a" in mode else os.O_TRUNC)
    for descriptor, stream, suffix in ((1, sys.stdout, ".out"), (2, sys.stderr, ".err")):
        stream.flush()
        file = os.open(f"{path}{suffix}", flags, 0o666)
        os.dup2(file, descriptor)
        os.close(file)
    # In a notebook, these are not the standard output and error of the process.
    sys.stdout = open(1, "w", buffering=1, closefd=False, errors="backslashreplace")
    sys.stderr = open(2, "w", buffering=1, closefd=False, errors="backslashreplace")
