"""Running tasks of Daisy."""

from __future__ import annotations

import dataclasses
import inspect
import os
import signal
from pathlib import Path
from typing import Any, Callable, Literal, Mapping, Sequence, overload
from urllib.parse import urlsplit

from .. import _task
from .._client import Roi
from .._crew import Crew, ForkedChild, await_parent, describe_end
from .._progress import Progress
from .._result import Result
from .._run import EVENTS, Checker, Run, _Options, _own_limit, assert_may_fork, describe_task, own_command
from .._worker import TaskRunner, do_blocks, end_with, hold_run
from .client import CLAIM
from .context import Context
from .logging import get_worker_log_basename, redirect_stdouterr
from .states import RunStates, TaskState
from .task import BaseTask, Pipeline, Tasks, pipeline_of
from .tracking import Tracking


@dataclasses.dataclass
class Options:
    """What can be set for all runs."""

    #: Whether an exception of a function ends a run with multiprocessing=False, as in Daisy; otherwise its block has failed.
    serial_raises: bool = True


options = Options()


class _DaisyCrew(Crew):
    """The workers of tasks: each task has its own, whose output is in its own folder.

    A worker function that returns before all blocks are done has had enough: it is replaced only when no other worker of
    its task is left.
    """

    def __init__(self, tasks: Mapping[str, BaseTask], native: Mapping[str, _task.Task]) -> None:
        super().__init__(native, "fork")
        self._daisy_tasks = tasks
        self._numbers: dict[str, int] = {}
        #: The task of each worker that is running, and of each that is to start when no other one of its task is left.
        self._task_of: dict[str, str] = {}
        self._waiting: dict[str, tuple[str, Callable[[], None]]] = {}
        #: Tasks of which a worker function has returned.
        self._left: set[str] = set()

    def start(self, worker: str, session: str, context: str, logs: Path, task_id: str | None = None) -> None:
        assert task_id is not None
        if task_id in self._left and task_id in self._task_of.values():
            self._waiting[worker] = (task_id, lambda: self._start(worker, session, context, logs, task_id))
        else:
            self._start(worker, session, context, logs, task_id)

    def ended(self) -> list[tuple[str, str, str]]:
        found = super().ended()
        for worker, reason, _ in found:
            task_id = self._task_of.pop(worker, None)
            if task_id is not None and self._daisy_tasks[task_id].is_worker and reason == describe_end(0):
                self._left.add(task_id)
        for worker, (task_id, start) in list(self._waiting.items()):
            if task_id not in self._task_of.values():
                del self._waiting[worker]
                start()
        return found

    def kill(self, worker: str) -> None:
        if self._waiting.pop(worker, None) is not None:
            self.note_never_started(worker)
        super().kill(worker)

    def close(self) -> None:
        self._waiting.clear()
        super().close()

    def _start(self, worker: str, session: str, context: str, logs: Path, task_id: str) -> None:
        self._task_of[worker] = task_id
        task = self._daisy_tasks[task_id]
        number = self._numbers.get(task_id, 0)
        self._numbers[task_id] = number + 1
        name = f"{worker}:{session}"
        claim = logs.parent / f"claim-{worker}"
        native = self._tasks
        base = get_worker_log_basename(number, task_id)

        def serve() -> None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            if base is not None:
                redirect_stdouterr(base)
            end_with(await_parent)
            hold_run(logs.parent)
            if not task.is_worker:
                do_blocks(native, context, name)
                return
            address = urlsplit(context)
            own = Context(
                hostname=address.hostname, port=address.port, task_id=task_id, worker_id=number, bellis=context.encode().hex()
            )
            os.environ.update({Context.ENV_VARIABLE: own.to_env(), "BELLIS_WORKER": name, CLAIM: str(claim)})
            if "context" in _keyword_only(task.process_function):
                task.process_function(context=own)
            else:
                task.process_function()

        child = ForkedChild.of(serve, f"{task_id}-{number}")
        self._children[worker] = (child, Path(f"{base}.err") if base is not None else Path(os.devnull))


def _keyword_only(function: Any) -> list[str]:
    try:
        return inspect.getfullargspec(function).kwonlyargs
    except TypeError:
        return []


@overload
def run_blockwise(
    tasks: Tasks,
    multiprocessing: bool = True,
    *,
    return_states: Literal[True] | None = None,
    resources: Mapping[str, float] | None = None,
    progress: Progress = True,
    host: str | None = None,
    summary: bool = True,
) -> RunStates: ...


@overload
def run_blockwise(
    tasks: Tasks,
    multiprocessing: bool = True,
    *,
    return_states: Literal[False],
    resources: Mapping[str, float] | None = None,
    progress: Progress = True,
    host: str | None = None,
    summary: bool = True,
) -> bool: ...


def run_blockwise(
    tasks: Tasks,
    multiprocessing: bool = True,
    *,
    return_states: bool | None = None,
    resources: Mapping[str, float] | None = None,
    progress: Progress = True,
    host: str | None = None,
    summary: bool = True,
) -> RunStates | bool:
    """Runs tasks, and those that they come after, to their end.

    tasks: a task, a pipeline, or tasks with `upstream_tasks`.
    multiprocessing: False does all blocks in this thread; an exception of a function then ends the run, as in Daisy
        (`bellis.daisy.options.serial_raises`). Tasks whose functions are workers get one process then.
    return_states: False returns a bool instead.
    resources, host: as in `bellis.run`. progress: as there; True and False are "auto" and "none".
    summary: print a table at the end.

    Returns `RunStates`: the state of each task by id, true if and only if every block of every task is completed.
    """
    states = run_pipeline(pipeline_of(tasks), multiprocessing, resources=resources, progress=progress, host=host)
    if summary:
        print(states.summary(), flush=True)
    return bool(states) if return_states is False else states


def run_pipeline(
    pipeline: Pipeline,
    multiprocessing: bool,
    *,
    resources: Mapping[str, float] | None = None,
    progress: Progress = True,
    host: str | None = None,
) -> RunStates:
    """Runs a pipeline to its end. See `run_blockwise`."""
    ordered = pipeline.ordered()
    by_id = {task.task_id: task for task in ordered}
    trackings = pipeline.open_trackings()
    native = pipeline.native()
    is_serial = not multiprocessing and not any(task.is_worker for task in ordered)
    request: dict[str, Any] = {
        "type": "run",
        "directory": os.getcwd(),
        **own_command(),
        "tasks": [_describe(by_id[one.id], one, is_serial) for one in native.values()],
        "pool": "parent",
        "workers": 1 if not multiprocessing else max(task.max_workers for task in ordered),
        "resources": {**_limits(native), "cpu": 1_000_000, **(resources or {})},
        "events": list(EVENTS),
        # Nothing can end a function in the calling thread, and it may stand at a breakpoint.
        **({"stallMs": None} if is_serial else {}),
    }
    restarts = [task.max_worker_restarts for task in ordered if task.max_worker_restarts is not None]
    if restarts:
        request["maxWorkerRestarts"] = max(restarts)
    if host is not None:
        request["host"] = host
    crew = None if is_serial else _DaisyCrew(by_id, native)
    assert_may_fork(crew, "use multiprocessing=False")
    show: Progress = "auto" if progress is True else progress or "none"
    run = Run(native, request, _Options(show, crew, _checker(by_id, trackings), _do, lambda run: _begin(run, ordered)))
    result: Result = run.do_blocks_here() if is_serial else run.follow()
    return RunStates({task_id: TaskState.of_result(task) for task_id, task in result.tasks.items()})


def _checker(by_id: Mapping[str, BaseTask], trackings: Mapping[str, Tracking | None]) -> Checker:
    def check(task_id: str, blocks: Sequence[int], rois: Sequence[tuple[Roi, Roi]]) -> list[bool]:
        task, tracking = by_id[task_id], trackings[task_id]
        return [task.is_done(index, read, write, tracking) for index, (read, write) in zip(blocks, rois)]

    return check


def _begin(run: Run, tasks: Sequence[BaseTask]) -> None:
    """Workers can connect."""
    address = urlsplit(run.context)
    for task in tasks:
        if task.init_callback_fn is not None:
            bellis = run.context.encode().hex()
            task.init_callback_fn(
                Context(hostname=address.hostname, port=address.port, task_id=task.task_id, worker_id=0, bellis=bellis)
            )


def _describe(task: BaseTask, native: _task.Task, is_serial: bool) -> dict[str, Any]:
    own = {} if is_serial else {"ownWorkers": True, "asks": task.is_checked}
    return {**describe_task(native, None, has_limits=not is_serial), "checks": task.is_checked, **own}


def _limits(native: Mapping[str, _task.Task]) -> dict[str, float]:
    return {_own_limit(task): task.workers for task in native.values() if task.workers is not None}


def _do(runner: TaskRunner, block: _task.Block) -> None:
    """Does a block in the calling thread."""
    if not options.serial_raises:
        runner.do(block)
        return
    function = runner.function_of(block)
    try:
        function(block)
    except Exception as error:
        block._take(error)
        raise


class Server:
    """Runs tasks with workers."""

    def __init__(self, stop_event: Any = None, host: str | None = None) -> None:
        self.host = host
        self.progress = True

    def run_blockwise(self, tasks: Tasks, scheduler: Any = None) -> RunStates:
        return run_pipeline(pipeline_of(tasks), True, progress=self.progress, host=self.host)


class SerialServer:
    """Runs tasks in the calling thread."""

    def __init__(self) -> None:
        self.progress = True

    def run_blockwise(self, tasks: Tasks, scheduler: Any = None) -> RunStates:
        return run_pipeline(pipeline_of(tasks), False, progress=self.progress)


class WorkerPool:
    """Daisy's pool of processes; here the engine has workers started and replaced, so there is none to be made."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise TypeError("bellis.daisy has no WorkerPool: run_blockwise starts and replaces the workers of a task.")
