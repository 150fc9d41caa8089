"""Running tasks."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import multiprocessing
import multiprocessing.connection
import os
import queue
import shlex
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Callable, Mapping, Sequence

from ._client import BellisError, Roi, _Worker
from ._crew import Crew, pickle_tasks, write_private
from ._engine_process import EngineEnded, EngineProcess, Message, give_back, take_engine
from ._options import OnStall, Pool, RunOptions, StartMethod, refuse_unknown
from ._progress import Progress, listener_for
from ._result import Result, parse_result
from ._scratch import keep_scratch, make_scratch
from ._task import Block, Task, with_upstream
from ._values import Writable, amounts, megabytes, one_of, path_of_array, positive_number, whole_number
from ._words import in_python
from ._worker import DEVICES, TaskRunner

if TYPE_CHECKING:
    from typing_extensions import Unpack

#: The events that the engine sends.
EVENTS = ("run-started", "progress", "warning", "block-retried", "block-failed", "worker-died", "task-abandoned")
#: Pools whose workers are jobs.
_BATCH_SYSTEMS = ("slurm", "sge", "pbs", "lsf")
#: Seconds between two looks at processes that no file descriptor tells of.
LOOK_SECONDS = 0.1
#: Seconds that the engine has to end a run after the second Ctrl-C.
LAST_SECONDS = 5.0

#: How often a failed block is tried again if nothing is said.
MAX_RETRIES = 2

#: Answers which of the blocks are done already: called with the task's id, the numbers and the (read, write) Rois.
Checker = Callable[[str, Sequence[int], Sequence[tuple[Roi, Roi]]], list[bool]]
#: Starts the worker of this name (`worker:session`) and task. Replaces the workers of Bellis.
Launcher = Callable[[str, str, "str | None"], None]


class CannotRun(BellisError):
    """A run could not start; nothing was done. `code` says why, for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def assert_may_fork(crew: Crew | None, instead: str) -> None:
    """Raises CannotRun in a process that multiprocessing lets have no children. instead: what works there."""
    if crew is not None and crew.is_forking and multiprocessing.current_process().daemon:
        raise CannotRun(
            "NO_CHILDREN",
            f"This process can't fork workers, since it is daemonic, as those of a multiprocessing.Pool are: {instead}.",
        )


def describe_task(task: Task, name: str | None, has_limits: bool = True) -> Message:
    """A task as the engine takes it. has_limits: whether it may have a time limit."""
    spec: Message = {
        "id": task.id,
        "after": [upstream.id for upstream in task.upstream],
        "totalRoi": _wire(task.total_roi),
        "readRoi": _wire(task.read_roi),
        "writeRoi": _wire(task.write_roi),
        "fit": task.fit,
        "readWriteConflict": task.read_write_conflict,
        # The name is part of the identity of the run.
        "config": {**task.config, **({"run": name} if name is not None else {})},
        "requires": {**task.requires, **({_own_limit(task): 1} if task.workers is not None else {})},
        "checks": task.is_done is not None,
        "writes": list(task.writes),
        **_placement(task),
    }
    if task.max_retries is not None:
        spec["maxRetries"] = task.max_retries
    if task.timeout is not None and has_limits:
        spec["timeoutMs"] = task.timeout * 1000
    if task.mask is not None:
        spec["mask"] = task.mask
    masked = task._masked()
    if masked is not None:
        spec["masked"] = masked
    if task.max_ahead is not None:
        spec["maxAhead"] = {"blocks": task.max_ahead}
    return spec


def _placement(task: Task) -> Message:
    """How `block.to_slices()` places the arrays of a task; nothing if the task says nothing of it."""
    if task.voxel_size is None and task.offset is None:
        return {}
    axes = len(task.write_roi.shape)
    return {"voxelSize": list(task.voxel_size or (1,) * axes), "offset": list(task.offset or (0,) * axes)}


def _with_defaults(message: str, tasks: Mapping[str, Task]) -> str:
    """An error of the engine, which does not know whether a task says its placement or has it by default."""
    for task in tasks.values():
        for what, given, default in (("voxel_size", task.voxel_size, 1), ("offset", task.offset, 0)):
            if given is None and message.startswith(f'Task "{task.id}": {what} ('):
                other = "offset" if what == "voxel_size" else "voxel_size"
                return (
                    f"{message} The task gives only {other}, and {what} is {default} on every axis then; without both, those of the array "
                    "count."
                )
    return message


def _wire(roi: Roi) -> Message:
    return {"offset": list(roi.offset), "shape": list(roi.shape)}


def _own_limit(task: Task) -> str:
    """A resource that only this task uses, so that only so many workers do it at a time."""
    return f"workers_{hashlib.sha256(task.id.encode()).hexdigest()[:12]}"


class Run:
    """A run that was started. Use it as a context manager: it is stopped at the end of the block, unless it is over."""

    def __init__(self, tasks: Mapping[str, Task], request: Message, options: _Options) -> None:
        self._tasks = tasks
        self._options = options
        self._show, self._end_show = listener_for(options.progress)
        self._crew = options.crew
        self._scratch: Path | None = None
        self._result: Result | None = None
        self._failure: BaseException | None = None
        self._exceptions = _Exceptions()
        request = {"maxRetries": MAX_RETRIES, **request}
        self._max_retries: int = request["maxRetries"]
        #: How many attempts at each block have failed in this thread, where the first failure ends the run.
        self._failures: collections.Counter[tuple[str, int]] = collections.Counter()
        self._setup_failure: tuple[str, Exception] | None = None
        self._is_listening = threading.Event()
        self._is_over = threading.Event()
        #: The names (`worker:session`) under which this process is to do blocks itself; None once the run is over.
        self._own_names: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._interrupts: _Interrupts | None = None
        #: What a worker needs to join: `bellis://TOKEN@HOST:PORT`. A secret.
        self.context: str = ""
        #: The folder of the run, with the logs of its workers.
        self.folder: Path | None = None
        self._command: str | None = None
        #: The address of the page of the run, if it was asked for. A secret.
        self.dashboard: str | None = None
        if "runDir" not in request:
            self._scratch = make_scratch()
            request = {**request, "runDir": str(self._scratch)}
        self._engine: EngineProcess = take_engine()
        self._engine.send(request)

    # --- what users call

    @property
    def command(self) -> str:
        """The command, for a shell, that adds workers: on this machine as often as it is called, or as jobs of the batch system.

        It works on machines that see the run's folder and reach `host`. Raises CannotPickle if it can't pass on the functions.
        """
        if self._command is None:
            if self.folder is None:
                return ""
            file = self.folder / "tasks.pickle"
            write_private(file, pickle_tasks(self._tasks))
            words = [sys.executable, "-m", "bellis._worker_main", str(file.absolute()), str(self.folder.absolute())]
            self._command = shlex.join(words)
        return self._command

    def stop(self, now: bool = False) -> None:
        """Hands out no more blocks, and ends when the running ones have ended, or at once."""
        self._engine.send({"type": "stop", "now": now})

    def result(self) -> Result:
        """Waits for the end of the run. Raises CannotRun if it could not start."""
        self._is_over.wait()
        return self._outcome()

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._is_over.is_set():
            self.stop()
        if self._thread is not None:
            self._thread.join()

    # --- the run

    def follow_in_thread(self) -> None:
        """Follows the run in another thread. Returns when workers can join, or the run is over."""
        self._thread = threading.Thread(target=self._follow_to_end, name="bellis-run", daemon=True)
        self._thread.start()
        self._is_listening.wait()

    def follow(self) -> Result:
        """Follows the run in this thread, with Ctrl-C once (running blocks end) and twice (at once)."""
        with _Interrupts() as self._interrupts:
            self._follow_to_end()
        if self._interrupts.count > 1:
            raise KeyboardInterrupt
        return self._outcome()

    def do_blocks_here(self) -> Result:
        """Does all blocks in this thread, so that a debugger, globals and closures work as in any loop."""
        self.follow_in_thread()
        if not self._is_over.is_set():
            self._work()
        return self.result()

    def _work(self) -> None:
        runner = TaskRunner(self._tasks, self._exceptions.note)
        name: str | None = ""
        devices = os.environ.get(DEVICES)
        try:
            while (name := self._own_names.get()) is not None:
                worker = _Worker(self.context, None, name)
                interrupted = threading.Event()
                worker.on_interrupt = lambda: _announce_end(interrupted)
                self._do_all(runner, worker)
                self._setup_failure = runner.setup_failure
                if worker.left_early:
                    self.stop()
                    if not interrupted.is_set() and runner.setup_failure is None:
                        print("SIGTERM has ended the run, after the running block.", file=sys.stderr, flush=True)
                self._note_left(name)
        except BaseException:
            self.stop(now=True)
            self._note_left(name or "")
            self._is_over.wait()
            raise
        finally:
            if devices is None:
                os.environ.pop(DEVICES, None)
            else:
                os.environ[DEVICES] = devices

    def _do_all(self, runner: TaskRunner, worker: _Worker) -> None:
        """Does the blocks of a worker in this thread, until the engine has no more for it."""
        check = self._options.check
        for block in runner.blocks(worker):
            if check is not None and check(block.task_id, [block.index], [(block.read_roi, block.write_roi)])[0]:
                block.skip()
            else:
                self._options.do(runner, block)
                if self._ends_run(block):
                    # The engine would say so only after further blocks.
                    worker.drain()
                    self.stop()

    def _ends_run(self, block: Block) -> bool:
        """Whether the run is to end now, since a block has failed for good."""
        error, retries = block._error, self._tasks[block.task_id].max_retries
        # Other failures, such as a full disk, may count for no attempt.
        if not self._options.stops_at_failure or error is None or error["code"] != "BLOCK_FAILED":
            return False
        self._failures[block.task_id, block.index] += 1
        return self._failures[block.task_id, block.index] > (self._max_retries if retries is None else retries)

    def _note_left(self, name: str) -> None:
        """Tells the engine that this process does no more blocks under a name."""
        self._engine.send({"type": "exited", "worker": name.partition(":")[0], "reason": "it has left"})

    def _outcome(self) -> Result:
        if self._failure is not None:
            raise self._failure
        assert self._result is not None
        return self._result

    def _follow_to_end(self) -> None:
        end = float("inf")
        try:
            while not self._is_over.is_set():
                self._step(None if end == float("inf") else LOOK_SECONDS)
                if self._interrupts is not None and self._interrupts.is_new():
                    self._interrupt(self._interrupts.count)
                    end = time.monotonic() + LAST_SECONDS if self._interrupts.count > 1 else end
                if time.monotonic() > end:
                    raise EngineEnded("The engine did not end in time.")
        except BaseException as error:
            self._end(error)

    def _interrupt(self, count: int) -> None:
        """Ctrl-C was pressed for this time."""
        if count == 1:
            _announce_end()
        self.stop(now=count > 1)
        if count > 1 and self._crew is not None:
            self._crew.kill_all()

    def _step(self, seconds: float | None = None) -> None:
        """Waits for something to happen, at most so long, and acts on it."""
        ended = self._crew.sentinels() if self._crew is not None else []
        needs_look = self._crew is not None and len(ended) < len(self._crew)
        if self._interrupts is not None:
            ended.append(self._interrupts)
        ready = multiprocessing.connection.wait([self._engine.fileno, *ended], LOOK_SECONDS if needs_look else seconds)
        if self._crew is not None and (needs_look or len(ready) > (self._engine.fileno in ready)):
            self._note_ended()
        if self._engine.fileno in ready:
            for message in self._engine.receive():
                self._take(message)

    def _note_ended(self) -> None:
        """Tells the engine which workers have ended."""
        assert self._crew is not None
        for worker, reason, output in self._crew.ended():
            self._engine.send({"type": "exited", "worker": worker, "reason": reason, "lastOutput": output})

    def _take(self, message: Message) -> None:
        kind = message["type"]
        if kind == "listening":
            self.context = message["context"]
            self.folder = Path(message["folder"])
            self._command = message.get("submit")
            self._is_listening.set()
            if self._options.on_listening is not None:
                self._options.on_listening(self)
        elif kind == "launch" and self._crew is None:
            self._own_names.put(f"{message['worker']}:{message['session']}")
        elif kind == "launch":
            assert self._crew is not None and self.folder is not None
            self._crew.start(message["worker"], message["session"], self.context, self.folder / "logs", message.get("taskId"))
        elif kind == "kill":
            if self._crew is None:
                # The block in the calling thread can't be ended; nobody waits for it.
                self._note_left(message["worker"])
            else:
                self._crew.kill(message["worker"])
                self._note_ended()
        elif kind == "check":
            rois = [(_roi(pair["read"]), _roi(pair["write"])) for pair in message["rois"]]
            assert self._options.check is not None
            done = self._options.check(message["taskId"], message["blocks"], rois)
            self._engine.send({"type": "checked", "question": message["question"], "done": done})
        elif kind == "dashboard":
            self.dashboard = message["address"]
            print(f"page: {self.dashboard}", file=sys.stderr)
        elif kind == "event":
            event = message["event"]
            if event["type"] == "block-failed":
                self._exceptions.note_failed(event["taskId"], event["failure"]["index"])
                if self._options.stops_at_failure:
                    self.stop()
            self._show(event)
        elif kind == "result":
            self._finish(message)
        elif kind == "error":
            self._end(CannotRun(message["error"]["code"], _with_defaults(in_python(message["error"]["message"]), self._tasks)))

    def _finish(self, message: Message) -> None:
        folder = None if message["folder"] is None else Path(message["folder"])
        result = message["result"]
        if self._scratch is not None and result["ok"]:
            shutil.rmtree(self._scratch, ignore_errors=True)
            folder = None
        elif self._scratch is not None:
            keep_scratch(self._scratch)
        parsed = parse_result(result, folder, None if folder is None else folder / "logs")
        if self._setup_failure is None:
            self._result = dataclasses.replace(parsed, exception=self._exceptions.first)
        else:
            self._result = parsed.with_setup_failure(*self._setup_failure)
        self._end(None)

    def _end(self, failure: BaseException | None) -> None:
        if self._is_over.is_set():
            return
        self._failure = failure
        self._end_show()
        if self._crew is not None:
            self._crew.close()
        if failure is None or isinstance(failure, CannotRun):
            give_back(self._engine)
        else:
            self._engine.close()
        for file in self._options.files:
            file.unlink(missing_ok=True)
        if failure is not None and self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
        self._is_over.set()
        self._is_listening.set()
        self._own_names.put(None)


def _announce_end(interrupted: threading.Event | None = None) -> None:
    """Ctrl-C was pressed for the first time."""
    if interrupted is not None:
        interrupted.set()
    print("Stopping when the running blocks have ended; Ctrl-C again ends them, too.", file=sys.stderr, flush=True)


class _Exceptions:
    """What blocks in the calling thread have raised, as far as it may be the reason of the first failure."""

    def __init__(self) -> None:
        #: Of the block that failed first, after its retries.
        self.first: BaseException | None = None
        self._is_known = False
        self._last: dict[tuple[str, int], BaseException] = {}

    def note(self, task_id: str, index: int, error: BaseException | None) -> None:
        """An attempt at a block ended."""
        if error is None or self._is_known:
            self._last.pop((task_id, index), None)
        else:
            self._last[task_id, index] = error

    def note_failed(self, task_id: str, index: int) -> None:
        """A block failed for good."""
        if not self._is_known:
            self._is_known = True
            self.first = self._last.get((task_id, index))
        # Tracebacks keep the arrays of their frames.
        self._last.clear()


class _Interrupts:
    """Counts Ctrl-C instead of raising KeyboardInterrupt, which could come while something is half done. The third one raises it."""

    def __init__(self) -> None:
        self.count = 0
        self._seen = 0
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_out.setblocking(False)
        self._before: Any = None

    def fileno(self) -> int:
        """Readable when Ctrl-C was pressed."""
        return self._wake_in.fileno()

    def is_new(self) -> bool:
        if self._seen == self.count:
            return False
        self._seen = self.count
        self._wake_in.recv(64)
        return True

    def __enter__(self) -> _Interrupts:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if self.count > 2:
            raise KeyboardInterrupt
        self._wake_out.send(b"x")

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        self._wake_in.close()
        self._wake_out.close()


def _roi(roi: Mapping[str, Any]) -> Roi:
    return Roi(tuple(roi["offset"]), tuple(roi["shape"]))


class _Options:
    """What a run needs to know besides its request."""

    def __init__(
        self,
        progress: Progress = "auto",
        crew: Crew | None = None,
        check: Checker | None = None,
        do: Callable[[TaskRunner, Block], None] = TaskRunner.do,
        on_listening: Callable[[Run], None] | None = None,
        stops_at_failure: bool = False,
        files: Sequence[Path] = (),
    ) -> None:
        self.progress: Progress = progress
        self.crew = crew
        self.check = check
        self.do = do
        self.on_listening = on_listening
        #: Whether the first block that fails for good ends the run.
        self.stops_at_failure = stops_at_failure
        #: What is removed at the end of the run.
        self.files = files


def run(
    *tasks: Task,
    workers: int | tuple[int, int] | None = None,
    resources: Mapping[str, float] | None = None,
    start_method: StartMethod | None = None,
    max_retries: int | None = None,
    timeout: float | None = None,
    stall: float | None = None,
    on_stall: OnStall | None = None,
    mask: Writable | None = None,
    progress: Progress = "auto",
    name: str | None = None,
    record: str | None = None,
    overwrite: bool = False,
    grow: bool = False,
    run_dir: str | os.PathLike[str] | None = None,
    max_history: float | None = None,
    dashboard: bool = False,
    host: str | None = None,
    pool: Pool = "process",
    slurm: str | None = None,
    sge: str | None = None,
    pbs: str | None = None,
    lsf: str | None = None,
    raise_on_failure: bool = False,
) -> Result:
    """Runs tasks, and those that they come after, to their end.

    workers: how many processes. Default: as many as there are processors. 0: all blocks are done in this thread, so that
        a debugger, globals and closures work as in any loop. (2, 10): as many as there is work for, from 2 to 10. `timeout` and
        `stall` have no effect with 0, since nothing could end a block there.
    resources: what all workers have together, for `requires` of tasks: `{"gpu": 2}`.
    start_method: "fork" (functions need not be pickled), "spawn" or "forkserver" (functions are pickled by value).
        Default: that of multiprocessing.
    max_retries, timeout: of tasks that set none: how often a failed block is tried again (2), seconds per block (no limit).
    stall: seconds without progress after which a worker has stalled (default: 20 times what blocks usually take, at least 600); a
        function that takes long calls `block.progress()`. on_stall: "end" the worker, "move" its blocks to others, or "report" it.
    mask: of tasks that have none: a volume of any resolution; blocks that write nothing where it is not 0 are not run.
    progress: "auto" (bars of tqdm in a terminal or a notebook), "bar", "lines", "none", or a function that gets every event.
    name: names the run; then what is done is recorded, and the same call continues it after any interruption.
    record: where: "sqlite" (in the folder of the run), the URL of a MongoDB, or "none". Default: "sqlite" with a name.
    overwrite: do all blocks again.
    grow: continue a run whose `total_roi` has grown at its ends, or by whole blocks at its start: blocks that are done stay so unless they
        read what is new. Make your arrays larger before.
    run_dir: the folder of the folders of runs. Default: `.bellis`; without a name a temporary one, kept if the run failed.
    max_history: the largest size, in MB (2**20 bytes), of the history that the page of the run is drawn from (512), with half of it for
        earlier starts.
    dashboard: serve the page of the run and print its address.
    pool: "process" (on this machine), "slurm", "sge", "pbs" or "lsf" (jobs, which need Python and this package), or "none":
        workers join by `bellis.blocks(run.context)`. host: the address on which they can. slurm, sge, pbs, lsf: options of
        sbatch, qsub or bsub.
    raise_on_failure: raise RunFailed, with the first traceback, unless every block is completed. With workers=0, the first block that
        fails after its retries ends the run; the exception is the cause, and `pdb.pm()` and `%debug` start in its function.

    The first Ctrl-C lets the running blocks end, and returns a result that is `interrupted`; the second one ends them.
    Raises CannotRun or CannotPickle if the run can't start; nothing was done then.
    """
    is_here = workers == 0 and pool == "process"
    started = _start(
        tasks,
        workers=workers,
        resources=resources,
        start_method=start_method,
        max_retries=max_retries,
        timeout=timeout,
        stall=stall,
        on_stall=on_stall,
        mask=mask,
        progress=progress,
        name=name,
        record=record,
        overwrite=overwrite,
        grow=grow,
        run_dir=run_dir,
        max_history=max_history,
        dashboard=dashboard,
        host=host,
        pool=pool,
        slurm=slurm,
        sge=sge,
        pbs=pbs,
        lsf=lsf,
        stops_at_failure=is_here and raise_on_failure,
    )
    result = started.do_blocks_here() if is_here else started.follow()
    if raise_on_failure:
        result.raise_for_failures()
    return result


def start(*tasks: Task, **options: Unpack[RunOptions]) -> Run:
    """Starts a run, with the options of `run`, and returns when workers can join it.

        with bellis.start(task, workers=4) as run:
            ...
            result = run.result()
    """
    if "raise_on_failure" in options:
        raise TypeError("bellis.start() has no raise_on_failure; call result().raise_for_failures().")
    refuse_unknown("start", options, RunOptions)
    if options.get("workers") == 0:
        raise ValueError("workers=0 does the blocks in the calling thread: use bellis.run().")
    started = _start(tasks, **options)
    started.follow_in_thread()
    if started._failure is not None:
        raise started._failure
    return started


def _start(
    tasks: Sequence[Task],
    *,
    workers: int | tuple[int, int] | None = None,
    resources: Mapping[str, float] | None = None,
    start_method: StartMethod | None = None,
    max_retries: int | None = None,
    timeout: float | None = None,
    stall: float | None = None,
    on_stall: OnStall | None = None,
    mask: Writable | None = None,
    progress: Progress = "auto",
    name: str | None = None,
    record: str | None = None,
    overwrite: bool = False,
    grow: bool = False,
    run_dir: str | os.PathLike[str] | None = None,
    max_history: float | None = None,
    dashboard: bool = False,
    host: str | None = None,
    pool: Pool = "process",
    slurm: str | None = None,
    sge: str | None = None,
    pbs: str | None = None,
    lsf: str | None = None,
    stops_at_failure: bool = False,
) -> Run:
    for each in tasks:
        if not isinstance(each, Task):
            raise TypeError(f"{each!r} is not a task: use @bellis.task or bellis.Task. (For a worker: bellis.run_blocks.)")
    if not tasks:
        raise TypeError("There is no task to run: pass tasks of @bellis.task or bellis.Task.")
    one_of(pool, "pool", ("process", "none", *_BATCH_SYSTEMS))
    if pool == "none" and workers is not None:
        raise ValueError(f'workers is {workers!r}, but with pool="none" no workers are started; leave it out.')
    submitted = {"slurm": slurm, "sge": sge, "pbs": pbs, "lsf": lsf}
    for what, text in {"name": name, "record": record, "host": host, **submitted}.items():
        if text is not None and not isinstance(text, str):
            raise TypeError(f"{what} is {text!r}; expected a text.")
    if record is not None and record not in ("sqlite", "none") and not record.startswith(("mongodb://", "mongodb+srv://")):
        raise ValueError(f"record is {record!r}; expected 'sqlite', 'none', or an address that starts with mongodb://.")
    all_tasks = with_upstream(tasks)
    by_id = {task.id: task for task in all_tasks}
    # Nothing can end a function in the calling thread, and time at a breakpoint is nobody's loss.
    is_here = workers == 0 and pool == "process"
    own = {_own_limit(task): task.workers for task in all_tasks if task.workers is not None}
    request: Message = {
        "type": "run",
        "directory": os.getcwd(),
        **own_command(),
        "tasks": [describe_task(task, name, has_limits=not is_here) for task in all_tasks],
        "pool": "parent" if pool == "process" else pool,
        "progress": record or ("none" if name is None else "sqlite"),
        "overwrite": overwrite,
        "grow": grow,
        "dashboard": dashboard,
        "events": list(EVENTS),
    }
    given = {
        **_numbers_of_workers(workers, is_here),
        "resources": {**own, **amounts(resources, "resources")} or None,
        "maxRetries": None if max_retries is None else whole_number(max_retries, "max_retries", 0),
        "timeoutMs": None if timeout is None else positive_number(timeout, "timeout") * 1000,
        "stallMs": None if stall is None else positive_number(stall, "stall") * 1000,
        "onStall": None if on_stall is None else one_of(on_stall, "on_stall", ("end", "move", "report")),
        "mask": None if mask is None else path_of_array(mask, "mask"),
        "maxHistoryMb": None if max_history is None else megabytes(max_history, "max_history"),
        "host": host,
        **submitted,
    }
    request.update({key: value for key, value in given.items() if value is not None})
    if is_here:
        request.pop("timeoutMs", None)
        request["stallMs"] = None
    is_kept = name is not None or run_dir is not None or pool in _BATCH_SYSTEMS or dashboard
    if is_kept:
        request["runDir"] = str(run_dir or os.environ.get("BELLIS_HOME") or ".bellis")
    files = []
    if pool in _BATCH_SYSTEMS:
        command = _worker_command(by_id, Path(request["runDir"]))
        request["workerCommand"] = command
        files.append(Path(command[-1]))
    crew = Crew(by_id, start_method) if request["pool"] == "parent" and not is_here else None
    assert_may_fork(crew, 'use workers=0, or start_method="spawn"')
    return Run(by_id, request, _Options(progress, crew, stops_at_failure=stops_at_failure, files=files))


def _numbers_of_workers(workers: int | tuple[int, int] | None, is_here: bool) -> Message:
    """How many workers the engine is to have. Raises TypeError or ValueError."""
    if workers is None:
        return {}
    if not isinstance(workers, (tuple, list)):
        return {"workers": whole_number(workers, "workers", 0) or (1 if is_here else None)}
    if len(workers) != 2:
        raise ValueError(f"workers is {workers!r}; expected a number, or the least and the most, such as (2, 10).")
    least, most = whole_number(workers[0], "workers[0]", 1), whole_number(workers[1], "workers[1]", 1)
    if least > most:
        raise ValueError(f"workers is {workers!r}; expected the least before the most, such as ({most}, {least}).")
    return {"minWorkers": least, "workers": most}


def own_command() -> Message:
    """What starts this program again; nothing in a notebook, at a prompt, or for a program that is no file or module."""
    words = sys.orig_argv
    if "ipykernel" in sys.modules or hasattr(sys, "ps1") or "-c" in words or len(words) < 2:
        return {}
    return {"command": [sys.executable, *words[1:]]}


def _worker_command(tasks: Mapping[str, Task], run_dir: Path) -> list[str]:
    """What a job of a batch system runs: the tasks are in a file beside the folders of runs."""
    folder = run_dir.absolute() / "python"
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix="tasks-", dir=folder)
    with open(handle, "wb") as file:
        file.write(pickle_tasks(tasks))
    return [sys.executable, "-m", "bellis._worker_main", name]
