"""The processes of the workers that a run has started on this machine."""

from __future__ import annotations

import importlib
import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Callable, Mapping, Protocol, Sequence

from ._client import BellisError
from ._kept import keeper
from ._task import Function, Task
from ._worker import die_with_parent, lead_group, prctl, serve

#: How much of a log is shown for a worker that died.
LAST_OUTPUT_BYTES = 2000


#: The parts of a task that are functions.
_FUNCTIONS = ("function", "setup", "is_done")


class CannotPickle(BellisError):
    """A function can't be passed to another process; the message names what it is that can't."""


class Child(Protocol):
    """One process."""

    @property
    def sentinel(self) -> Any: ...

    def kill(self) -> None: ...

    def reason(self) -> str | None:
        """How it ended; None if it has not ended."""
        ...


class ForkedChild:
    def __init__(self, tasks: Mapping[str, Task], context: str, name: str, log: Path) -> None:
        serve_here = lambda: serve(tasks, context, name, log, log.parent.parent, await_parent)
        self._start(serve_here, name.partition(":")[0], spares_group=True)

    @classmethod
    def of(cls, serve: Callable[[], object], name: str) -> ForkedChild:
        """A child that calls a function, which may start programs: these end with it."""
        child = cls.__new__(cls)
        child._start(serve, name, spares_group=False)
        return child

    def _start(self, serve: Callable[[], object], name: str, spares_group: bool) -> None:
        """spares_group: the programs that it has started may go on if it ends well."""

        parent = os.getpid()

        def begin() -> None:
            lead_group()
            die_with_parent(parent)
            _forget_threads()
            serve()

        self._spares_group = spares_group
        keeper.prepare()
        prctl()
        self._process = multiprocessing.get_context("fork").Process(target=begin, name=f"bellis-{name}")
        self._process.start()
        assert self._process.pid is not None
        keeper.keep(self._process.pid)

    @property
    def sentinel(self) -> Any:
        return self._process.sentinel

    def kill(self) -> None:
        self._process.kill()
        kill_group(self._process.pid)

    def reason(self) -> str | None:
        code = self._process.exitcode
        if code is None:
            return None
        if code != 0 or not self._spares_group:
            kill_group(self._process.pid)
        assert self._process.pid is not None
        keeper.forget(self._process.pid)
        return describe_end(code)


def kill_group(leader: int | None) -> None:
    """Ends the programs that a process has started, of whose group it is, or was, the leader."""
    if leader is None or not hasattr(os, "killpg"):
        return
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def _forget_threads() -> None:
    """In a forked process: dask would wait forever for the threads of its pool, which were not forked."""
    dask = sys.modules.get("dask.threaded")
    if dask is not None:
        setattr(dask, "default_pool", None)
        setattr(dask, "pools_lock", threading.Lock())
        getattr(dask, "pools", {}).clear()


def await_parent() -> None:
    """In a forked process: waits until the process that has forked it has ended."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])


class StartedChild:
    """A new interpreter, which gets the tasks from a file. It ends when the write end of its standard input is closed."""

    def __init__(self, tasks_file: Path, context: str, name: str, log: Path) -> None:
        keeper.prepare()
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bellis._worker_main", str(tasks_file)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env={**os.environ, "BELLIS_CONTEXT": context, "BELLIS_WORKER": name, "BELLIS_LOG": str(log)},
            )
        keeper.keep(self._process.pid)
        self._ended = os.pidfd_open(self._process.pid) if hasattr(os, "pidfd_open") else None

    @property
    def sentinel(self) -> Any:
        return self._ended

    def kill(self) -> None:
        self._process.kill()
        kill_group(self._process.pid)

    def reason(self) -> str | None:
        code = self._process.poll()
        if code is None:
            return None
        if code != 0:
            kill_group(self._process.pid)
        keeper.forget(self._process.pid)
        if self._ended is not None:
            os.close(self._ended)
            self._ended = None
        if self._process.stdin is not None:
            self._process.stdin.close()
        return describe_end(code)


def describe_end(code: int) -> str:
    """How a process ended, for users."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


class Crew:
    """Starts workers as they are asked for, and sees when they end."""

    def __init__(self, tasks: Mapping[str, Task], start_method: str | None) -> None:
        self._tasks = tasks
        method = start_method or multiprocessing.get_start_method(allow_none=True) or multiprocessing.get_context().get_start_method()
        if method not in ("fork", "spawn", "forkserver"):
            raise ValueError(f"start_method {method!r}: expected 'fork', 'spawn' or 'forkserver'.")
        self.is_forking = method == "fork"
        self._children: dict[str, tuple[Child, Path]] = {}
        self._never_started: list[str] = []
        self._file: Path | None = None
        # Now, and not when the first worker starts: what can't be pickled can't be run.
        self._pickled = None if self.is_forking else pickle_tasks(tasks)

    def __len__(self) -> int:
        return len(self._children)

    def start(self, worker: str, session: str, context: str, logs: Path, task_id: str | None = None) -> None:
        log = logs / f"{worker}.log"
        name = f"{worker}:{session}"
        child: Child
        if self.is_forking:
            child = ForkedChild(self._tasks, context, name, log)
        else:
            child = StartedChild(self._tasks_file(logs.parent), context, name, log)
        self._children[worker] = (child, log)

    def _tasks_file(self, folder: Path) -> Path:
        if self._file is None:
            self._file = folder / "workers.pickle"
            write_private(self._file, self._pickled or b"")
        return self._file

    def kill(self, worker: str) -> None:
        if worker in self._children:
            self._children[worker][0].kill()

    def note_never_started(self, worker: str) -> None:
        """A worker that was asked for will not start."""
        self._never_started.append(worker)

    def kill_all(self) -> None:
        for worker in list(self._children):
            self.kill(worker)

    def sentinels(self) -> list[Any]:
        return [child.sentinel for child, _ in self._children.values() if child.sentinel is not None]

    def ended(self) -> list[tuple[str, str, str]]:
        """The workers that have ended since the last call: each with the reason and its last output."""
        found = [(worker, "it was not started", "") for worker in self._never_started]
        self._never_started.clear()
        for worker, (child, log) in list(self._children.items()):
            reason = child.reason()
            if reason is not None:
                del self._children[worker]
                found.append((worker, reason, last_output(log)))
        return found

    def close(self) -> None:
        """Ends all workers."""
        for child, _ in self._children.values():
            child.kill()
        for child, _ in self._children.values():
            while child.reason() is None:
                multiprocessing.connection.wait([child.sentinel] if child.sentinel is not None else [], 0.02)
        self._children.clear()
        if self._file is not None:
            self._file.unlink(missing_ok=True)
            self._file = None


def write_private(path: Path, data: bytes) -> None:
    """Writes a file that nobody else can read or change, whatever the process lets others do with its files."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def last_output(log: Path) -> str:
    try:
        with open(log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - LAST_OUTPUT_BYTES))
            return file.read().decode(errors="replace").strip()
    except OSError:
        return ""


def pickle_tasks(tasks: Mapping[str, Task]) -> bytes:
    """The tasks for another interpreter, with functions by value where they can't be imported there. Raises CannotPickle."""
    cloudpickle = importlib.import_module("cloudpickle")
    for task in tasks.values():
        for what in _FUNCTIONS:
            _refuse_memory_maps(task, what)
    try:
        pickled = cloudpickle.dumps(dict(tasks))
    except Exception as error:
        for task in tasks.values():
            for what in _FUNCTIONS:
                function = getattr(task, what)
                if function is not None:
                    _assert_pickles(task, what, function)
        raise CannotPickle(f"The tasks can't be passed to other processes: {error}") from error
    return pickle.dumps(list(sys.path)) + bytes(pickled)


def _refuse_memory_maps(task: Task, what: str) -> None:
    """A writable memory map would be copied: what other processes write to the copy would be lost."""
    function: Function | None = getattr(task, what)
    if function is None:
        return
    for name, value in _used_by(function).items():
        is_map = any(f"{kind.__module__}.{kind.__qualname__}" == "numpy.memmap" for kind in type(value).__mro__)
        if is_map and value.flags.writeable:
            raise CannotPickle(
                f'Task "{task.id}": its {what}{_place_of(function)} can\'t be passed to other processes, since its variable '
                f"`{name}` is a writable numpy.memmap, of which they would get copies; open it inside the function or in setup=."
            )


def _place_of(function: Function) -> str:
    code = getattr(function, "__code__", None)
    return "" if code is None else f" at {code.co_filename}:{code.co_firstlineno}"


def _assert_pickles(task: Task, what: str, function: Function) -> None:
    cloudpickle = importlib.import_module("cloudpickle")
    try:
        cloudpickle.dumps(function)
        return
    except Exception as error:
        reason = error
    place = _place_of(function)
    names = _used_by(function)
    for name, value in names.items():
        try:
            cloudpickle.dumps(value)
        except Exception:
            kind = type(value)
            raise CannotPickle(
                f'Task "{task.id}": its {what}{place} can\'t be passed to other processes, since its variable `{name}` is a '
                f"{kind.__module__}.{kind.__qualname__}; open it inside the function or in setup=."
            ) from reason
    raise CannotPickle(f'Task "{task.id}": its {what}{place} can\'t be passed to other processes: {reason}') from reason


def _used_by(function: Function) -> dict[str, Any]:
    """The variables from outside that a function uses."""
    code = getattr(function, "__code__", None)
    if code is None:
        return {}
    used: dict[str, Any] = {}
    for name, cell in zip(code.co_freevars, getattr(function, "__closure__", None) or ()):
        try:
            used[name] = cell.cell_contents
        except ValueError:
            pass
    all_globals: Mapping[str, Any] = getattr(function, "__globals__", {})
    names: Sequence[str] = code.co_names
    used.update({name: all_globals[name] for name in names if name in all_globals})
    return used
