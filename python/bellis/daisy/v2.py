"""The names of Daisy 2.x, with their meaning: `import bellis.daisy.v2 as daisy`.

Tasks don't know each other: `first + second` and `first | second` are pipelines. A run is True or False.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Literal, Mapping, overload

from .._client import __version__
from .._options import Fit
from .._progress import Progress
from .block import Block, BlockStatus
from .client import Client
from .context import Context
from .geometry import Coordinate, Roi
from .graph import BlockwiseDependencyGraph, DependencyGraph
from .logging import get_worker_log_basename
from .scheduler import Scheduler
from .server import run_pipeline
from .states import RunStates, TaskState
from .task import BaseTask, Pipeline, ProcessFunction, Tasks, pipeline_of
from .tracking import get_tracking_basedir, set_tracking_basedir

__all__ = [
    "Block",
    "BlockStatus",
    "BlockwiseDependencyGraph",
    "Client",
    "Context",
    "Coordinate",
    "DependencyGraph",
    "Pipeline",
    "Roi",
    "RunStates",
    "Scheduler",
    "Server",
    "Task",
    "TaskState",
    "__version__",
    "get_tracking_basedir",
    "get_worker_log_basename",
    "run_blockwise",
    "set_tracking_basedir",
]

#: Seconds per block, for tasks that say nothing else.
DEFAULT_TIMEOUT = 600.0


class Task(BaseTask):
    """A function and its blocks, as in Daisy 2.x.

    total_roi, read_roi, write_roi: world units (nm), one number per axis; the last two are those of the first block.
    process_function: called with each block, or without an argument (or with the keyword `context`) in each worker, which
        then uses a `Client`. An exception is a failed attempt.
    check_function: called with each block in this process before it is handed out; true skips it.
    timeout: seconds per block; None: no limit.
    requires: of the resources of the run: `{"gpu": 1}`.
    max_worker_restarts: how often a worker that has died is replaced without a completed block in between.
    tracking_path: a folder in which done blocks are kept, so that the next run skips them; False: nowhere. By default that
        of `set_tracking_basedir`, if it was called.
    skip_mask: an array of the shape `block_grid_shape`, true where there is nothing to do.
    """

    def __init__(
        self,
        task_id: str,
        total_roi: Roi,
        read_roi: Roi,
        write_roi: Roi,
        process_function: ProcessFunction,
        check_function: Callable[[Block], bool] | None = None,
        read_write_conflict: bool = True,
        fit: Fit = "valid",
        max_workers: int = 1,
        max_retries: int = 2,
        timeout: float | None = DEFAULT_TIMEOUT,
        tracking_path: str | Path | bool | None = None,
        *,
        requires: Mapping[str, float] | None = None,
        max_worker_restarts: int = 10,
        skip_mask: Any = None,
    ) -> None:
        super().__init__(
            *(task_id, total_roi, read_roi, write_roi, process_function, check_function),
            *(read_write_conflict, fit, max_workers, max_retries, timeout),
            requires=requires,
            max_worker_restarts=max_worker_restarts,
            tracking_path=tracking_path,
            skip_mask=skip_mask,
        )

    @property
    def requires(self) -> dict[str, float]:
        """What a worker needs of the resources of the run."""
        return dict(self.resources)

    @property
    def timeout_secs(self) -> float | None:
        return self.timeout


@overload
def run_blockwise(
    pipeline: Tasks,
    multiprocessing: bool = True,
    resources: Mapping[str, float] | None = None,
    progress: Progress = True,
    block_tracking: bool = True,
    return_states: Literal[False] = False,
    host: str | None = None,
    summary: bool = True,
) -> bool: ...


@overload
def run_blockwise(
    pipeline: Tasks,
    multiprocessing: bool = True,
    resources: Mapping[str, float] | None = None,
    progress: Progress = True,
    block_tracking: bool = True,
    *,
    return_states: Literal[True],
    host: str | None = None,
    summary: bool = True,
) -> RunStates: ...


def run_blockwise(
    pipeline: Tasks,
    multiprocessing: bool = True,
    resources: Mapping[str, float] | None = None,
    progress: Progress = True,
    block_tracking: bool = True,
    return_states: bool = False,
    host: str | None = None,
    summary: bool = True,
) -> bool | RunStates:
    """Runs a pipeline, or a task, to its end.

    multiprocessing: False does all blocks in this thread; an exception of a function then ends the run.
    resources: what all workers have together, for `requires` of tasks. host: the address to which workers connect.
    block_tracking: False does not look at what tasks have kept of earlier runs, and keeps nothing.
    return_states: return the state of each task by its id.
    summary: print a table at the end.

    Returns True if and only if every block of every task is completed. Raises RuntimeError if a task was abandoned: its
    workers died again and again, or its attempts kept failing.
    """
    states = Server().run_blockwise(pipeline, resources, progress, block_tracking, host, summary, multiprocessing)
    abandoned = [f"task {task_id!r} was abandoned: {state.abandon_reason}" for task_id, state in states.items() if state.abandoned]
    if abandoned:
        raise RuntimeError("\n".join(abandoned))
    return states if return_states else bool(states)


class Server:
    """Runs pipelines, and returns the states of their tasks, also of those that were abandoned."""

    def __init__(self, stop_event: Any = None) -> None:
        pass

    def run_blockwise(
        self,
        pipeline: Tasks,
        resources: Mapping[str, float] | None = None,
        progress: Progress = True,
        block_tracking: bool = True,
        host: str | None = None,
        summary: bool = True,
        multiprocessing: bool = True,
    ) -> RunStates:
        """See `run_blockwise`."""
        whole = pipeline_of(pipeline)
        before = [(task, task.tracking_path) for task in whole.tasks]
        try:
            for task in whole.tasks if not block_tracking else ():
                task.tracking_path = False
            states = run_pipeline(whole, multiprocessing, resources=resources, progress=progress, host=host)
        finally:
            for task, path in before:
                task.tracking_path = path
        if summary:
            print(states.summary(), flush=True)
        return states
