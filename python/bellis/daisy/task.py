"""Tasks as Daisy has them."""

from __future__ import annotations

import logging as python_logging
from typing import Any, Callable, Iterable

from .. import _task
from .._client import Roi
from .._task import Fit, as_roi, positional_count
from .block import Block, BlockStatus
from .context import Context
from .geometry import AnyRoi, to_funlib

logger = python_logging.getLogger(__name__)


class Task:
    """A function and its blocks, as in Daisy 1.x; `max_workers` and `requires` are those of 2.x.

    process_function: called with each block, or without an argument in each worker, which then uses a `Client`.
    check_function: called with each block in this process before it is handed out; true skips it.
    timeout: seconds per block.
    """

    def __init__(
        self,
        task_id: str,
        total_roi: AnyRoi,
        read_roi: AnyRoi,
        write_roi: AnyRoi,
        process_function: Callable[..., Any],
        check_function: Callable[[Block], bool] | None = None,
        init_callback_fn: Callable[[Context], Any] | None = None,
        read_write_conflict: bool = True,
        num_workers: int = 1,
        max_retries: int = 2,
        fit: Fit = "valid",
        timeout: float | None = None,
        upstream_tasks: Iterable[Task] | None = None,
        *,
        max_workers: int | None = None,
        requires: dict[str, float] | None = None,
    ) -> None:
        self.task_id = task_id
        self.total_roi, self.read_roi, self.write_roi = total_roi, read_roi, write_roi
        self.process_function, self.check_function = process_function, check_function
        self.init_callback_fn = init_callback_fn
        self.read_write_conflict = read_write_conflict
        self.num_workers = num_workers if max_workers is None else max_workers
        self.max_retries, self.timeout, self.fit = max_retries, timeout, fit
        self.upstream_tasks = list(upstream_tasks or [])
        self.resources = dict(requires or {})
        count = positional_count(process_function)
        if count > 1 and count != 99:
            raise ValueError(f'Task "{task_id}": process_function takes {count} arguments; expected a block, or none.')
        #: Whether the function is a worker of its own, which asks for blocks.
        self.is_worker = count == 0

    def requires(self) -> list[Task]:
        """The tasks that this one comes after."""
        return self.upstream_tasks

    def block(self, read_roi: Roi, write_roi: Roi) -> Block:
        return Block(
            self.total_roi,
            to_funlib(read_roi),
            to_funlib(write_roi),
            task_id=self.task_id,
            block_shape=tuple(self.write_roi.shape),
        )

    def is_done(self, block: Block) -> bool:
        """What the check function says; an error is logged and means no."""
        if self.check_function is None:
            return False
        try:
            return bool(self.check_function(block))
        except Exception:
            logger.exception("The check of block %s failed", block.block_id)
            return False

    def native(self, upstream: Iterable[_task.Task]) -> _task.Task:
        """This task as Bellis has it."""
        return _task.Task(
            self.task_id,
            BlockFunction(self),
            as_roi(self.total_roi, "total_roi"),
            as_roi(self.read_roi, "read_roi"),
            as_roi(self.write_roi, "write_roi"),
            fit=self.fit,
            read_write_conflict=self.read_write_conflict,
            workers=self.num_workers,
            max_retries=self.max_retries,
            timeout=self.timeout,
            requires=self.resources,
            upstream=upstream,
        )


class BlockFunction:
    """Calls the function of a task with blocks of Daisy."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def __call__(self, given: _task.Block) -> None:
        block = self.task.block(given.read_roi, given.write_roi)
        block.status = BlockStatus.PROCESSING
        self.task.process_function(block)
        if block.status == BlockStatus.FAILED:
            given.fail("block.status was set to FAILED")


def with_upstream(tasks: Iterable[Task]) -> list[Task]:
    """The tasks and all that they come after, each once and in order."""
    found: dict[str, Task] = {}

    def visit(task: Task) -> None:
        if task.task_id in found:
            return
        for upstream in task.upstream_tasks:
            visit(upstream)
        found[task.task_id] = task

    for task in tasks:
        visit(task)
    return list(found.values())
