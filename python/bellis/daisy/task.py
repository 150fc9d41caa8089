"""Tasks as Daisy has them, and what they are together."""

from __future__ import annotations

import logging as python_logging
from pathlib import Path
from typing import Any, Callable, Iterable, Mapping, Protocol, Union

from .. import _task
from .._client import Roi as OwnRoi
from .._client import _Grid
from .._options import Fit
from .._task import as_roi, positional_count
from .._values import masked_bits
from .block import Block, BlockStatus
from .context import Context
from .geometry import Roi, grid_of, to_funlib
from .tracking import Tracking, tracking_of, tracking_path_of


class _TakesContext(Protocol):
    def __call__(self, *, context: Context) -> object: ...


#: Called with each block; or in each worker, without an argument or with its context.
ProcessFunction = Union[Callable[[Block], object], Callable[[], object], _TakesContext]

logger = python_logging.getLogger(__name__)


class BaseTask:
    """What tasks of Daisy 1.x and 2.x have in common.

    process_function: called with each block, or without an argument in each worker, which then uses a `Client`.
    check_function: called with each block in this process before it is handed out; true skips it.
    timeout: seconds per block.
    """

    def __init__(
        self,
        task_id: str,
        total_roi: Roi,
        read_roi: Roi,
        write_roi: Roi,
        process_function: ProcessFunction,
        check_function: Callable[[Block], bool] | None,
        read_write_conflict: bool,
        fit: Fit,
        max_workers: int,
        max_retries: int,
        timeout: float | None,
        *,
        requires: Mapping[str, float] | None = None,
        max_worker_restarts: int | None = None,
        tracking_path: str | Path | bool | None = None,
        skip_mask: Any = None,
    ) -> None:
        self.task_id = task_id
        self.total_roi, self.read_roi, self.write_roi = total_roi, read_roi, write_roi
        self.process_function: Callable[..., Any] = process_function
        self.check_function = check_function
        self.init_callback_fn: Callable[[Context], Any] | None = None
        self.read_write_conflict = read_write_conflict
        self.num_workers = self.max_workers = max_workers
        self.max_retries, self.timeout = max_retries, timeout
        self.fit: Fit = fit
        self.upstream_tasks: list[Any] = []
        self.resources = dict(requires or {})
        self.max_worker_restarts = max_worker_restarts
        self.tracking_path = tracking_path
        count = positional_count(process_function)
        if count > 1 and count != 99:
            raise ValueError(f'Task "{task_id}": process_function takes {count} arguments; expected a block, or none.')
        #: Whether the function is a worker of its own, which asks for blocks.
        self.is_worker = count == 0
        self.skip_mask: Any = skip_mask
        #: The same as bits, in the order of blocks.
        self._masked = None if skip_mask is None else masked_bits(skip_mask, tuple(self.block_grid_shape), f'Task "{task_id}": skip_mask')

    @property
    def block_grid_shape(self) -> list[int]:
        """How many blocks there are along each axis."""
        return list(self._grid().shape)

    def _grid(self) -> _Grid:
        return grid_of(self.total_roi, self.read_roi, self.write_roi, self.fit)

    def tracking(self) -> Tracking | None:
        """Which of its blocks are done, if that is kept."""
        path = tracking_path_of(self.tracking_path, self.task_id)
        if path is None:
            return None
        rois = [[list(roi.offset), list(roi.shape)] for roi in map(as_roi, (self.total_roi, self.read_roi, self.write_roi), "twr")]
        return Tracking(path, {"rois": rois, "fit": self.fit})

    def reset(self) -> str | None:
        """Forgets which blocks are done. Returns where that was kept."""
        tracking = self.tracking()
        if tracking is None:
            return None
        tracking.reset()
        return str(tracking.path)

    def failed_blocks(self) -> list[Block]:
        """The blocks that failed and are not done, if that is kept."""
        tracking = self.tracking()
        grid = self._grid()
        return [] if tracking is None else [self.block(*grid.rois(index)) for index in tracking.failed(grid.count)]

    def block(self, read_roi: OwnRoi, write_roi: OwnRoi) -> Block:
        return Block(
            self.total_roi,
            to_funlib(read_roi),
            to_funlib(write_roi),
            task_id=self.task_id,
            block_shape=tuple(self.write_roi.shape),
        )

    @property
    def is_checked(self) -> bool:
        """Whether blocks may be done before they are handed out."""
        return self.check_function is not None or self.tracking() is not None

    def is_done(self, index: int, read_roi: OwnRoi, write_roi: OwnRoi, tracking: Tracking | None) -> bool:
        """Whether nothing is to be done for a block: by the mask, by what earlier runs kept, or by the check function."""
        return (
            (self._masked is not None and bool(self._masked[index // 8] >> index % 8 & 1))
            or (tracking is not None and tracking.is_done(index))
            or self._check(read_roi, write_roi)
        )

    def _check(self, read_roi: OwnRoi, write_roi: OwnRoi) -> bool:
        """What the check function says; an error is logged and means no."""
        if self.check_function is None:
            return False
        block = self.block(read_roi, write_roi)
        try:
            return bool(self.check_function(block))
        except Exception:
            logger.exception("The check of block %s failed", block.block_id)
            return False

    def native(self, upstream: Iterable[_task.Task]) -> _task.Task:
        """This task as Bellis has it."""
        tracking = self.tracking()
        return _task.Task(
            self.task_id,
            BlockFunction(self),
            as_roi(self.total_roi, "total_roi"),
            as_roi(self.read_roi, "read_roi"),
            as_roi(self.write_roi, "write_roi"),
            fit=self.fit,
            read_write_conflict=self.read_write_conflict,
            workers=self.max_workers,
            max_retries=self.max_retries,
            timeout=self.timeout,
            requires=self.resources,
            # A `Client` finds it there.
            config={} if tracking is None else {"tracking": str(tracking.path)},
            skip_mask=self.skip_mask,
            upstream=upstream,
        )

    def __add__(self, other: BaseTask | Pipeline) -> Pipeline:
        """`first + second`: the second after the first, block by block."""
        return Pipeline.from_task(self) + other

    def __or__(self, other: BaseTask | Pipeline) -> Pipeline:
        """`first | second`: both, beside each other."""
        return Pipeline.from_task(self) | other


class Task(BaseTask):
    """A function and its blocks, as in Daisy 1.x; the arguments after `upstream_tasks` are those of 2.x.

    total_roi, read_roi, write_roi: world units (nm), one number per axis; the last two are those of the first block.
    process_function, check_function, timeout: see `BaseTask`.
    init_callback_fn: called with the context of workers when they can connect.
    num_workers, max_workers: processes of this task.
    max_worker_restarts: how often a worker that has died is replaced without a completed block in between; 5 by default.
    tracking_path: a folder in which done blocks are kept, so that the next run skips them. See `set_tracking_basedir`.
    skip_mask: one value per block of the grid, true where there is nothing to do.
    """

    def __init__(
        self,
        task_id: str,
        total_roi: Roi,
        read_roi: Roi,
        write_roi: Roi,
        process_function: ProcessFunction,
        check_function: Callable[[Block], bool] | None = None,
        init_callback_fn: Callable[[Context], Any] | None = None,
        read_write_conflict: bool = True,
        num_workers: int = 1,
        max_retries: int = 2,
        fit: Fit = "valid",
        timeout: float | None = None,
        upstream_tasks: Iterable[BaseTask] | None = None,
        *,
        max_workers: int | None = None,
        requires: Mapping[str, float] | None = None,
        max_worker_restarts: int | None = None,
        tracking_path: str | Path | bool | None = None,
        skip_mask: Any = None,
    ) -> None:
        super().__init__(
            *(task_id, total_roi, read_roi, write_roi, process_function, check_function),
            *(read_write_conflict, fit, num_workers if max_workers is None else max_workers, max_retries, timeout),
            requires=requires,
            max_worker_restarts=max_worker_restarts,
            tracking_path=tracking_path,
            skip_mask=skip_mask,
        )
        self.init_callback_fn = init_callback_fn
        self.upstream_tasks = list(upstream_tasks or [])

    def requires(self) -> list[BaseTask]:
        """The tasks that this one comes after."""
        return list(self.upstream_tasks)


class BlockFunction:
    """Calls the function of a task with blocks of Daisy."""

    def __init__(self, task: BaseTask) -> None:
        self.task = task

    def __call__(self, given: _task.Block) -> None:
        block = self.task.block(given.read_roi, given.write_roi)
        block.status = BlockStatus.PROCESSING
        tracking = tracking_of(given.config)
        try:
            self.task.process_function(block)
        except BaseException:
            if tracking is not None:
                tracking.note(given.index, is_done=False)
            raise
        if block.status == BlockStatus.FAILED:
            given.fail("block.status was set to FAILED")
        if tracking is not None:
            tracking.note(given.index, is_done=block.status != BlockStatus.FAILED)


class Pipeline:
    """Tasks, and which of them come after which.

    `a + b`: each task that ends `a` comes before each that starts `b`. `a | b`: both, beside each other.
    """

    def __init__(
        self, tasks: Iterable[BaseTask] | None = None, edges: Iterable[tuple[BaseTask, BaseTask]] | None = None
    ) -> None:
        self.tasks: list[BaseTask] = _each_once(tasks or [])
        self.edges: list[tuple[BaseTask, BaseTask]] = _each_once(edges or [])
        for task in (end for edge in self.edges for end in edge):
            if task not in self.tasks:
                raise ValueError(f'An edge of the pipeline has the task "{task.task_id}", which is not among its tasks.')

    @staticmethod
    def from_task(task: BaseTask) -> Pipeline:
        """The task, with all that it comes after."""
        return pipeline_of([task])

    @property
    def sources(self) -> list[BaseTask]:
        """The tasks that come after no other."""
        return [task for task in self.tasks if all(after is not task for _, after in self.edges)]

    @property
    def outputs(self) -> list[BaseTask]:
        """The tasks that no other comes after."""
        return [task for task in self.tasks if all(before is not task for before, _ in self.edges)]

    def __add__(self, other: BaseTask | Pipeline) -> Pipeline:
        second = pipeline_of(other)
        between = [(before, after) for before in self.outputs for after in second.sources]
        return Pipeline([*self.tasks, *second.tasks], [*self.edges, *second.edges, *between])

    def __or__(self, other: BaseTask | Pipeline) -> Pipeline:
        second = pipeline_of(other)
        return Pipeline([*self.tasks, *second.tasks], [*self.edges, *second.edges])

    def upstream(self, task: BaseTask) -> list[BaseTask]:
        """The tasks that a task comes after."""
        return [before for before, after in self.edges if after is task]

    def native(self) -> dict[str, _task.Task]:
        """The tasks as Bellis has them, by id, each after those that it comes after."""
        found: dict[str, _task.Task] = {}
        for task in self.ordered():
            found[task.task_id] = task.native([found[before.task_id] for before in self.upstream(task)])
        return found

    def open_trackings(self) -> dict[str, Tracking | None]:
        """Which blocks are done, by the id of the task; None for tasks that do not keep it. Raises ValueError."""
        trackings = {task.task_id: task.tracking() for task in self.ordered()}
        for tracking in trackings.values():
            if tracking is not None:
                tracking.open()
        return trackings

    def ordered(self) -> list[BaseTask]:
        """The tasks, each after those that it comes after. Raises ValueError for a cycle, or two tasks of one name."""
        found: dict[str, BaseTask] = {}
        waiting: set[str] = set()

        def visit(task: BaseTask) -> None:
            if found.get(task.task_id) is task:
                return
            if task.task_id in found:
                raise ValueError(f'Two tasks are called "{task.task_id}"; give one of them another id.')
            if task.task_id in waiting:
                raise ValueError(f'Task "{task.task_id}" comes after itself.')
            waiting.add(task.task_id)
            for before in self.upstream(task):
                visit(before)
            found[task.task_id] = task

        for task in self.tasks:
            visit(task)
        return list(found.values())

    def reset(self) -> None:
        """Forgets which blocks are done, for each task that keeps that."""
        for task in self.tasks:
            task.reset()

    def run_blockwise(self, **options: Any) -> bool:
        """`bellis.daisy.v2.run_blockwise` of this pipeline."""
        from .v2 import run_blockwise

        return bool(run_blockwise(self, **options))

    def __repr__(self) -> str:
        def names(tasks: Iterable[BaseTask]) -> str:
            return ", ".join(task.task_id for task in tasks)

        edges = ", ".join(f"{before.task_id} + {after.task_id}" for before, after in self.edges)
        return f"<Pipeline of {names(self.tasks)}: {edges or 'no edges'}>"


#: What can be run: a task, a pipeline, or tasks with `upstream_tasks`.
Tasks = Union[BaseTask, Pipeline, Iterable[BaseTask]]


def pipeline_of(given: Tasks) -> Pipeline:
    """What was given, as a pipeline with all `upstream_tasks`."""
    pipeline = given if isinstance(given, Pipeline) else Pipeline([given] if isinstance(given, BaseTask) else given)
    tasks: list[BaseTask] = []
    edges = list(pipeline.edges)

    def visit(task: BaseTask) -> None:
        if any(task is known for known in tasks):
            return
        tasks.append(task)
        for before in task.upstream_tasks:
            visit(before)
            edges.append((before, task))

    for task in pipeline.tasks:
        visit(task)
    return Pipeline(tasks, edges)


def _each_once(items: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(items))
