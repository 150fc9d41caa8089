"""Running tasks of Daisy."""

from __future__ import annotations

import dataclasses
import multiprocessing
import multiprocessing.connection
import os
import signal
from pathlib import Path
from typing import Any, Iterable, Mapping, Sequence, Union
from urllib.parse import urlsplit

from .. import _task
from .._client import Roi
from .._crew import Crew, ForkedChild
from .._result import Result, TaskResult
from .._run import EVENTS, Run, _Options, describe_task
from .._worker import TaskRunner, do_blocks, end_with
from .client import CLAIM
from .context import Context
from .logging import get_worker_log_basename, redirect_stdouterr
from .task import Task, with_upstream

Tasks = Union[Task, Iterable[Task]]


@dataclasses.dataclass
class Options:
    """What can be set for all runs."""

    #: Whether an exception of a function ends a run with multiprocessing=False, as in Daisy; otherwise its block has failed.
    serial_raises: bool = True


options = Options()


class TaskState:
    """How a task ended."""

    def __init__(self, result: TaskResult) -> None:
        self.started = True
        self.total_block_count = result.total
        self.completed_count = result.completed
        self.skipped_count = result.skipped
        self.failed_count = result.failed
        self.orphaned_count = result.orphaned
        self.pending_count = result.pending
        self.processing_count = 0
        self.ready_count = 0
        #: The blocks that failed, with their errors and tracebacks.
        self.failures = result.failures

    def is_done(self) -> bool:
        """Whether every block has ended, in whatever way."""
        return self.completed_count + self.failed_count + self.orphaned_count == self.total_block_count

    def __repr__(self) -> str:
        return (
            f"completed {self.completed_count} of {self.total_block_count} (skipped {self.skipped_count}), "
            f"failed {self.failed_count}, orphaned {self.orphaned_count}, pending {self.pending_count}"
        )


class RunStates(dict[str, TaskState]):
    """The states by task id. True if and only if every block of every task is completed."""

    def __bool__(self) -> bool:
        return all(state.completed_count == state.total_block_count for state in self.values())


class _DaisyCrew(Crew):
    """The workers of tasks: each task has its own, whose output is in its own folder."""

    def __init__(self, tasks: Mapping[str, Task], native: Mapping[str, _task.Task]) -> None:
        super().__init__(native, "fork")
        self._daisy_tasks = tasks
        self._numbers: dict[str, int] = {}

    def start(self, worker: str, session: str, context: str, logs: Path, task_id: str | None = None) -> None:
        assert task_id is not None
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
            _end_with_parent()
            if not task.is_worker:
                do_blocks(native, context, name)
                return
            address = urlsplit(context)
            own = Context(
                hostname=address.hostname, port=address.port, task_id=task_id, worker_id=number, bellis=context.encode().hex()
            )
            os.environ.update({Context.ENV_VARIABLE: own.to_env(), "BELLIS_WORKER": name, CLAIM: str(claim)})
            task.process_function()

        child = ForkedChild.of(serve, f"{task_id}-{number}")
        self._children[worker] = (child, Path(f"{base}.err") if base is not None else Path(os.devnull))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    sentinel = parent.sentinel
    end_with(lambda: multiprocessing.connection.wait([sentinel]))


def run_blockwise(
    tasks: Tasks,
    multiprocessing: bool = True,
    *,
    resources: Mapping[str, float] | None = None,
    progress: Any = True,
    host: str | None = None,
) -> RunStates:
    """Runs tasks, and those that they come after, to their end.

    multiprocessing: False does all blocks in this thread; an exception of a function then ends the run, as in Daisy
        (`bellis.daisy.options.serial_raises`). Tasks whose functions are workers get one process then.
    resources, host: as in `bellis.run`.

    The result has the state of each task, and is true if and only if every block of every task is completed.
    """
    ordered = with_upstream([tasks] if isinstance(tasks, Task) else list(tasks))
    by_id = {task.task_id: task for task in ordered}
    native: dict[str, _task.Task] = {}
    for task in ordered:
        native[task.task_id] = task.native([native[upstream.task_id] for upstream in task.upstream_tasks])
    is_serial = not multiprocessing and not any(task.is_worker for task in ordered)
    request: dict[str, Any] = {
        "type": "run",
        "directory": os.getcwd(),
        "tasks": [_describe(by_id[one.id], one, is_serial) for one in native.values()],
        "pool": "none" if is_serial else "parent",
        "workers": 1 if not multiprocessing else max(task.num_workers for task in ordered),
        "resources": {**_limits(native), "cpu": 1_000_000, **(resources or {})},
        "events": list(EVENTS),
    }
    if host is not None:
        request["host"] = host

    def check(task_id: str, blocks: Sequence[int], rois: Sequence[tuple[Roi, Roi]]) -> list[bool]:
        task = by_id[task_id]
        return [task.is_done(task.block(read, write)) for read, write in rois]

    def begin(run: Run) -> None:
        address = urlsplit(run.context)
        for task in ordered:
            if task.init_callback_fn is not None:
                bellis = run.context.encode().hex()
                task.init_callback_fn(
                    Context(hostname=address.hostname, port=address.port, task_id=task.task_id, worker_id=0, bellis=bellis)
                )

    crew = None if is_serial else _DaisyCrew(by_id, native)
    run = Run(native, request, _Options("auto" if progress is True else progress or "none", crew, check, _do, begin))
    result: Result = run.do_blocks_here() if is_serial else run.follow()
    return RunStates({task_id: TaskState(task) for task_id, task in result.tasks.items()})


def _describe(task: Task, native: _task.Task, is_serial: bool) -> dict[str, Any]:
    is_checked = task.check_function is not None
    own = {} if is_serial else {"ownWorkers": True, "asks": is_checked}
    return {**describe_task(native, None), "checks": is_checked, **own}


def _limits(native: Mapping[str, _task.Task]) -> dict[str, float]:
    from .._run import _own_limit

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
        return run_blockwise(tasks, True, progress=self.progress, host=self.host)


class SerialServer:
    """Runs tasks in the calling thread."""

    def __init__(self) -> None:
        self.progress = True

    def run_blockwise(self, tasks: Tasks, scheduler: Any = None) -> RunStates:
        return run_blockwise(tasks, False, progress=self.progress)
