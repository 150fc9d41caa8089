"""The workers of this program that end with it, however it ends."""

from __future__ import annotations

import atexit
import multiprocessing.spawn
import os
import subprocess
import sys
import threading
from pathlib import Path

from ._client import BellisError

PROGRAM = Path(__file__).with_name("_keeper.py")


class Keeper:
    """Has a process of its own end the workers when this one has ended. It starts with the first worker."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._workers: set[int] = set()

    def prepare(self) -> None:
        """Before a worker starts, which would be kept by nobody if this failed. Raises BellisError."""
        with self._lock:
            self._send("")

    def keep(self, worker: int) -> None:
        """A worker has started, which leads a group of processes, or will soon."""
        with self._lock:
            self._workers.add(worker)
            self._send(f"+{worker}\n")

    def forget(self, worker: int) -> None:
        """A worker has ended, or its programs may go on without it."""
        with self._lock:
            if worker in self._workers:
                self._workers.discard(worker)
                self._send(f"-{worker}\n")

    def close(self) -> None:
        """Ends all workers that are left."""
        with self._lock:
            process, self._process = self._process, None
            self._workers.clear()
        if process is not None and process.stdin is not None:
            process.stdin.close()
            process.wait()

    def _send(self, line: str) -> None:
        # Windows has no groups of processes; there, workers see by themselves that this process has ended.
        if not hasattr(os, "killpg"):
            return
        if self._process is None or self._process.poll() is not None or not self._write(line):
            self._start()
            self._write("".join(f"+{worker}\n" for worker in self._workers))

    def _write(self, text: str) -> bool:
        stream = self._process.stdin if self._process is not None else None
        try:
            if stream is not None:
                stream.write(text.encode())
            return stream is not None
        except OSError:
            return False

    def _start(self) -> None:
        """Starts the process, also in the place of one that was killed."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait()
        self._process = None
        reasons = []
        for python in dict.fromkeys((multiprocessing.spawn.get_executable(), sys.executable)):
            try:
                self._process = subprocess.Popen(
                    # Without the user's packages, it starts in some milliseconds.
                    [os.fsdecode(python or ""), "-I", "-S", str(PROGRAM)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    bufsize=0,
                )
                return
            except OSError as error:
                reasons.append(f"{python!r}: {error.strerror}")
        raise BellisError(
            f"The process that ends the workers with this program can't be started ({'; '.join(reasons)}): name the Python to start with "
            "multiprocessing.set_executable(), or use workers=0."
        )

    def after_fork(self) -> None:
        """In a forked process, which must not hold the keeper's input: the keeper waits for its end."""
        self._lock = threading.Lock()
        process, self._process = self._process, None
        self._workers.clear()
        if process is not None and process.stdin is not None:
            process.stdin.close()
            # Nobody waits for it here.
            process.returncode = 0


keeper = Keeper()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=keeper.after_fork)
atexit.register(keeper.close)
