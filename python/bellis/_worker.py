"""What a worker does: the blocks of tasks whose functions are here."""

from __future__ import annotations

import functools
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping

from ._client import _read_json, _Worker
from ._task import Block, Task, ends_program, positional_count, refuse_deferred

#: The GPUs that a process may use.
DEVICES = "CUDA_VISIBLE_DEVICES"
#: A call of Linux: which signal a process gets when its parent ends.
PR_SET_PDEATHSIG = 1
#: What SQLite locks of a file to read it: the length and the start (SHARED_SIZE and SHARED_FIRST in its os.h).
SQLITE_SHARED = (510, 0x40000002)
#: How often a worker tries to lock, a hundredth of a second apart.
LOCK_TRIES = 100


class TaskRunner:
    """Does blocks of tasks in this process."""

    def __init__(
        self,
        tasks: Mapping[str, Task],
        note: Callable[[str, int, BaseException | None], None] | None = None,
        takes_interrupts: bool = False,
    ) -> None:
        """note: called after each attempt in the thread of the user, with what was raised. takes_interrupts: whether Ctrl-C in a terminal
        is for this process.
        """
        self._tasks = tasks
        self._note = note
        self._takes_interrupts = takes_interrupts
        #: The names of the GPUs that all workers share; those of one worker are numbered within them.
        self._gpus = [name.strip() for name in os.environ.get(DEVICES, "").split(",") if name.strip()]
        #: The task whose setup failed, and what it raised.
        self.setup_failure: tuple[str, Exception] | None = None
        #: The arguments of a task's function after the block, once it is set up.
        self._states: dict[str, tuple[Any, ...]] = {}

    def set_up(self, wire_task: Mapping[str, Any]) -> None:
        """Sets up a task with the units of resources that are this worker's alone."""
        task = self._tasks[wire_task["id"]]
        resources = wire_task.get("resources") or {}
        if "gpu" in resources:
            os.environ[DEVICES] = ",".join(self._gpus[unit] if unit < len(self._gpus) else str(unit) for unit in resources["gpu"])
        if task.setup is not None:
            given = (task.config, resources)[: positional_count(task.setup)]
            try:
                self._states[task.id] = (task.setup(*given),)
            except Exception as error:
                self.setup_failure = task.id, error
                raise
            except BaseException as error:
                if ends_program(error, self._note is not None, self._takes_interrupts):
                    raise
                raise RuntimeError(f"{type(error).__name__} was raised, which would end the worker: {error}") from error

    def function_of(self, block: Block) -> Callable[..., Any]:
        """The function of the task of a block."""
        return self._tasks[block.task_id].function

    def do(self, block: Block) -> None:
        """Does a block; an exception is a failed attempt."""
        task = self._tasks[block.task_id]
        block.config = task.config
        block.is_here = self._note is not None
        block.takes_interrupts = self._takes_interrupts
        with block:
            if task.is_done is not None and task.is_done(block):
                block.skip()
                return
            returned = task.function(block, *self._states.get(task.id, ()))
            refuse_deferred(returned, f'The function of task "{task.id}"')
            if task.is_done is not None and block._error is None and not block._is_skipped and not task.is_done(block):
                block.fail("is_done says that the block is not done, although its function has returned.")
        if self._note is not None:
            self._note(block.task_id, block.index, block.exception)

    def blocks(self, worker: _Worker) -> Iterator[Block]:
        """The blocks of a worker, whose tasks are set up here."""
        worker.block_type = Block
        worker.set_up = self.set_up
        for block in worker.blocks():
            assert isinstance(block, Block)
            yield block


def do_blocks(
    tasks: Mapping[str, Task],
    context: str | None,
    name: str | None,
    run: str | None = None,
    on_search: Callable[[bool], None] | None = None,
) -> None:
    """Does blocks until the run is over. name: `worker:session`, for a worker that the run has asked for."""
    worker = _Worker(context, run, name)
    worker.on_search = on_search or worker.on_search
    worker.takes_interrupts = name is None
    runner = TaskRunner(tasks, takes_interrupts=worker.takes_interrupts)
    for block in runner.blocks(worker):
        runner.do(block)


def redirect_output(path: Path) -> None:
    """From now on, what this process prints is in a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    # In a notebook, these are not the standard output and error of the process.
    sys.stdout = open(1, "w", buffering=1, closefd=False, errors="backslashreplace")
    sys.stderr = open(2, "w", buffering=1, closefd=False, errors="backslashreplace")


def lead_group() -> None:
    """Makes this process the leader of a group of its own, so that all that it starts can be ended with it."""
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)


@functools.cache
def prctl() -> Callable[..., object] | None:
    """The call of Linux, if there is one. Before a process is forked, which would load the library anew otherwise."""
    if sys.platform != "linux":
        return None
    try:
        import ctypes

        found: Callable[..., object] = ctypes.CDLL(None).prctl
        return found
    except (ImportError, OSError, AttributeError):
        return None


def die_with_parent(parent: int | None) -> None:
    """Has the system kill this process when the thread that has started it ends, where it can: on Linux. That thread follows the run, and
    ends its workers before it ends itself.

    parent: the process that has started this one, if that has to be the parent of this one still.
    """
    call = prctl()
    if call is None:
        return
    call(PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent is not None and os.getppid() != parent:
        # It ended before.
        os._exit(1)


class RunLock:
    """Tells the next start of a run, until this process has ended, that this worker may still write: as SQLite locks a file for reading.

    The lock is the system's: whatever keeps a process from ending, it holds until then. Where there are none, nobody waits.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: int | None = None

    def hold(self) -> None:
        if self._file is not None:
            return
        try:
            import fcntl

            self._file = os.open(self._folder / "workers.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except (ImportError, OSError):
            return
        for _ in range(LOCK_TRIES):
            try:
                fcntl.lockf(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB, *SQLITE_SHARED)
                return
            except OSError:
                # The run may be looking at this moment whether workers are left.
                time.sleep(0.01)

    def release(self) -> None:
        """Another start need not wait: this worker will ask it for the blocks that it has."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def hold_run(folder: Path) -> None:
    """Holds the lock of a run until this process has ended."""
    RunLock(folder).hold()


def join_run(tasks: Mapping[str, Task], folder: Path, name: str | None) -> None:
    """The life of a worker that joins a run by its folder. It outlives the program that has started the run, until its block has ended."""
    lock = RunLock(folder)

    def note(is_searching: bool) -> None:
        # On other machines, locks may be missing, or outlive the connection to the file system.
        if is_searching:
            lock.release()
        elif (_read_json(str(folder / "holder.json")) or {}).get("host") == socket.gethostname():
            lock.hold()

    note(False)
    do_blocks(tasks, None, name, str(folder), note)


def end_with(wait: Callable[[], object]) -> None:
    """Ends this process, and what it has started if it leads a group, when `wait` returns: when the process that it belongs to has ended.

    Where there is a keeper, that does it, too, and also while a function keeps the threads of this process from running.
    """

    def watch() -> None:
        wait()
        if hasattr(os, "getpgrp") and os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=watch, name="bellis-parent", daemon=True).start()


def serve(
    tasks: Mapping[str, Task], context: str, name: str, log: Path | None, folder: Path, wait: Callable[[], object]
) -> None:
    """The life of a worker that a run has started on this machine. folder: that of the run."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if log is not None:
        redirect_output(log)
    end_with(wait)
    hold_run(folder)
    do_blocks(tasks, context, name)
