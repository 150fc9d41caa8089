"""The engine as a process: lines of JSON on its standard input and output (docs/ENGINE.md)."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import threading
import weakref
from typing import Any, Mapping

from ._client import BellisError
from ._node import engine_call, engine_environment

Message = dict[str, Any]


class EngineEnded(BellisError):
    """The engine ended unexpectedly. The same call continues a run that has a record."""


class EngineProcess:
    """One engine. It does one run at a time and ends with this process, however that ends."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [*engine_call(), "engine"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=engine_environment(), bufsize=0
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._in = self._process.stdin.fileno()
        self._out = self._process.stdout.fileno()
        self._lock = threading.Lock()
        self._rest = b""
        self.owner = os.getpid()
        _known.add(self)

    @property
    def fileno(self) -> int:
        """Readable when there is a message, or the engine has ended."""
        return self._out

    def send(self, message: Mapping[str, Any]) -> None:
        data = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            try:
                while data:
                    data = data[os.write(self._in, data) :]
            except OSError:
                # It has ended, as the end of its output shows, too.
                pass

    def receive(self) -> list[Message]:
        """Waits for the next messages. Raises EngineEnded."""
        while True:
            data = os.read(self._out, 1_048_576)
            if not data:
                code = self._process.wait()
                raise EngineEnded(f"The engine ended unexpectedly ({_reason(code)}). Its last words are above, if it had any.")
            *lines, self._rest = (self._rest + data).split(b"\n")
            if lines:
                return [json.loads(line) for line in lines]

    def close(self) -> None:
        """Ends the engine, and the run that it may still have."""
        _known.discard(self)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _forget(self) -> None:
        """In a forked process: the engine must see when its parent ends, so nobody else may hold its input."""
        for descriptor in (self._in, self._out):
            try:
                os.close(descriptor)
            except OSError:
                pass
        # The streams would close other files that have the same numbers by then.
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                _inherited.append(stream)
        self._process.returncode = 0


def _reason(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by signal {-code}"


_known: weakref.WeakSet[EngineProcess] = weakref.WeakSet()
_inherited: list[Any] = []
_idle: list[EngineProcess] = []
_idle_lock = threading.Lock()


def take_engine() -> EngineProcess:
    """An engine that waits for a run: the one of the run before, if it is free, so that nothing has to start."""
    with _idle_lock:
        while _idle:
            engine = _idle.pop()
            if engine.owner == os.getpid() and engine._process.poll() is None:
                return engine
    return EngineProcess()


def give_back(engine: EngineProcess) -> None:
    """Keeps an engine, whose run is over, for the next run."""
    with _idle_lock:
        _idle.append(engine)


def _after_fork() -> None:
    global _idle_lock
    _idle_lock = threading.Lock()
    for engine in list(_known):
        engine._forget()
    _known.clear()
    _idle.clear()


def _close_all() -> None:
    for engine in list(_known):
        if engine.owner == os.getpid():
            engine.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_close_all)
