"""Tasks: what is to be done with every block."""

from __future__ import annotations

import base64
import copy
import dataclasses
import functools
import inspect
import sys
import types
from typing import TYPE_CHECKING, Any, Callable, Iterable, Mapping, Protocol, Sequence, TypeVar, Union, cast, overload, runtime_checkable

from ._client import Block as ClientBlock
from ._client import Roi, _Grid
from ._options import Fit, TaskFields, TaskOptions
from ._values import (
    EXACT,
    Writable,
    amounts,
    checked_id,
    masked_bits,
    one_of,
    path_of_array,
    plain_config,
    positive_number,
    whole_number,
    written_paths,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

FITS = ("valid", "shrink", "overhang")
Function = Callable[..., Any]
State = TypeVar("State")
#: Called in each worker with the config and the units of its resources; both may be left out.
Setup = Union[
    Callable[[], State], Callable[[Mapping[str, Any]], State], Callable[[Mapping[str, Any], Mapping[str, Any]], State]
]


@runtime_checkable
class RoiLike(Protocol):
    """A box with an offset and a shape, such as `bellis.Roi` or `funlib.geometry.Roi`."""

    @property
    def offset(self) -> Iterable[int]: ...

    @property
    def shape(self) -> Iterable[int]: ...


#: A box in world units (nm, or a finer unit in all of a task), whole numbers, one per axis, zyx: a Roi of Bellis or of funlib.geometry, or `(offset, shape)`.
AnyRoi = Union[RoiLike, tuple[Sequence[int], Sequence[int]]]


def as_roi(value: AnyRoi, what: str) -> Roi:
    """Converts a Roi of any library. Raises TypeError or ValueError, with the name of what it is."""
    try:
        offset, shape = (value.offset, value.shape) if isinstance(value, RoiLike) else value
    except (TypeError, ValueError):
        raise TypeError(f"{what} is {value!r}; expected a Roi, or its offset and its shape.") from None
    starts, lengths = whole_numbers(offset, what), whole_numbers(shape, what)
    if len(starts) != len(lengths):
        raise ValueError(f"{what}: the offset has {len(starts)} axes, but the shape has {len(lengths)}.")
    return Roi(starts, lengths)


def _whole(number: Any, what: str) -> int:
    try:
        whole = int(number)
    except (TypeError, ValueError, OverflowError):
        whole = None
    if whole is None or whole != number:
        raise ValueError(
            f"{what}: expected whole numbers of world units, got {number!r}; give all numbers of a task in a finer unit, such as pm "
            "instead of nm, as bellis.open does."
        )
    if abs(whole) > EXACT:
        raise ValueError(f"{what}: expected numbers between -2^53 and 2^53, got {whole}.")
    return whole


def whole_numbers(values: Iterable[Any], what: str) -> tuple[int, ...]:
    """World units, one number per axis. Raises ValueError for fractions, which are never cut off."""
    return tuple(_whole(value, what) for value in values)


def _check_blocks(task: Task) -> None:
    """Refuses Rois that give no block."""
    total, read, write = task.total_roi, task.read_roi, task.write_roi
    ranks = [len(roi.shape) for roi in (total, read, write)]
    if len(set(ranks)) > 1:
        raise ValueError(
            f'Task "{task.id}": total_roi, read_roi and write_roi have {ranks[0]}, {ranks[1]} and {ranks[2]} axes; expected the same number.'
        )
    left = tuple(whole - (length - part) for whole, length, part in zip(total.shape, read.shape, write.shape))
    if any(length < 1 for length in (*left, *write.shape)):
        raise ValueError(
            f'Task "{task.id}": there is nothing to write: total_roi has the shape {total.shape}, of which {left} are left without the '
            f"context of read_roi {read.shape} around write_roi {write.shape}; expected more than 0 on every axis."
        )
    if task.fit == "valid" and any(length < part for length, part in zip(left, write.shape)):
        raise ValueError(
            f'Task "{task.id}": no block fits: write_roi has the shape {write.shape}, but total_roi only {left} without the context; use '
            'fit="shrink", or a smaller block.'
        )


def _check_voxels(task: Task) -> None:
    """Refuses blocks that would write parts of voxels: the voxels between two blocks would be written by both."""
    total, read, write = task.total_roi, task.read_roi, task.write_roi
    if task.voxel_size is None:
        return
    origin = task.offset if task.offset is not None else (0,) * len(write.shape)
    rank = len(write.shape)
    if not len(task.voxel_size) == len(origin) == len(total.shape) == len(read.shape) == rank:
        raise ValueError(
            f'Task "{task.id}": its Rois, voxel_size and offset have {len(total.shape)}, {len(read.shape)}, {rank}, '
            f"{len(task.voxel_size)} and {len(origin)} axes; expected the same number."
        )
    for axis, size in enumerate(task.voxel_size):
        if size < 1:
            raise ValueError(f'Task "{task.id}": voxel_size {task.voxel_size}: expected numbers above 0.')
        start = total.offset[axis] + write.offset[axis] - read.offset[axis] - origin[axis]
        if start % size or write.shape[axis] % size:
            raise ValueError(
                f'Task "{task.id}": write_roi {write.offset} {write.shape} does not cover whole voxels on axis {axis}: blocks write '
                f"{write.shape[axis]} world units from {start} on, counted from the offset of the array, and a voxel has {size}; "
                "use multiples of voxel_size."
            )


class Block(ClientBlock):
    """One block to do. Rois are in world units (nm)."""

    #: What its function raised.
    exception: BaseException | None = None

    #: Whether it is done in the calling thread: what ends a program, or leaves a debugger, ends the run there.
    is_here = False
    #: Whether Ctrl-C in a terminal is for the process that does it.
    takes_interrupts = False

    def _take(self, error: BaseException) -> None:
        super()._take(error)
        self.exception = error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> bool:
        if self._is_elsewhere() or (self.is_here and isinstance(error, _debugger_quit())):
            return False
        if error is not None and not isinstance(error, Exception) and not ends_program(error, self.is_here, self.takes_interrupts):
            self._take(error)
            return True
        return super().__exit__(kind, error, trace)

    def to_slices(self, roi: AnyRoi | None = None) -> tuple[slice, ...]:
        """The part of an array that a Roi covers, the write Roi by default, without what lies before its first voxel.

        Uses the `voxel_size` and the `offset` of the task, or those of the first array that it `writes`.
        """
        return super().to_slices(None if roi is None else as_roi(roi, "roi"))


def ends_program(error: BaseException, is_here: bool, takes_interrupts: bool) -> bool:
    """Whether what a function of the user has raised ends the program. In a worker of a run it is a failure like others: the worker would
    only be replaced, and nobody would see what was raised.
    """
    return is_here or (takes_interrupts and isinstance(error, KeyboardInterrupt))


def _debugger_quit() -> tuple[type[BaseException], ...]:
    """What pdb raises when its user quits; nothing if there is no debugger."""
    bdb = sys.modules.get("bdb")
    return () if bdb is None else (bdb.BdbQuit,)


def refuse_deferred(result: object, what: str) -> None:
    """Refuses what a call returns that has not run its function yet. Raises TypeError."""
    # Not everything that can be awaited: a future of tensorstore runs by itself.
    if inspect.iscoroutine(result) or inspect.isgenerator(result) or inspect.isasyncgen(result):
        if inspect.iscoroutine(result):
            result.close()
        raise TypeError(f"{what} returned a {type(result).__name__}, which nobody runs; {_DEFERRED_REMEDY}.")


_DEFERRED_REMEDY = "call asyncio.run() or loop over the generator inside the function"


def _refuse_deferred_function(function: Function, what: str, may_generate: bool = False) -> None:
    """Refuses functions whose calls only make something that would have to be run. Raises TypeError."""
    call = function if inspect.isroutine(function) or isinstance(function, functools.partial) else getattr(function, "__call__", function)
    is_async = inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call)
    if is_async or (inspect.isgeneratorfunction(call) and not may_generate):
        kind = "an async function" if is_async else "a generator function"
        name = getattr(function, "__qualname__", repr(function))
        raise TypeError(f"{what} {name} is {kind}, whose calls do nothing by themselves; {_DEFERRED_REMEDY}.")


@dataclasses.dataclass(frozen=True)
class Task:
    """A function, and the blocks to do.

    id: names the task in results and logs.
    function: called with each block, and with what `setup` returned if there is one. An exception is a failed attempt.
    total_roi, read_roi, write_roi: world units (nm); the read and write Roi of the first block, relative to the total.
    fit: what happens to blocks at the high ends: "valid" leaves out those that are not complete, "shrink" cuts them,
        "overhang" lets their write Roi start inside and end outside.
    read_write_conflict: whether a block must not run together with those that write what it reads.
    workers: how many workers may do this task at a time. Default: as many as the run has.
    max_retries: how often a failed block is tried again. timeout: seconds that a block may take.
    setup: called once in each worker, with the config and the units of its resources; both may be left out.
    is_done: called with a block before it: true skips it; and after it: false is a failed attempt.
    requires: what one worker needs of the resources of the run: `{"gpu": 1}`.
    max_ahead: how many blocks may be done ahead of the tasks after this one.
    writes: arrays that blocks write; refused if two blocks that may run together share a chunk, or if the metadata of an array say
        another voxel size or offset than the task.
    voxel_size, offset: of the arrays, for `block.to_slices()`: world units per voxel, and the position of the first voxel.
        What blocks write must be whole voxels. Default: those of the first array of `writes`, otherwise 1 and 0, as for one
        of the two if only the other is given.
    config: passed on as `block.config`; plain values that JSON has.
    mask: where there is something to do: a volume of any resolution, as a path or an array, in the place that its metadata say. Blocks that
        write nothing where it is not 0 are not run: they count as completed, and as `masked`. Default: that of the run.
    skip_mask: one value per block, of the shape of the grid: true where there is nothing to do. Such blocks are not run, either.
    upstream: tasks whose blocks must be done before those that read what they write. See `after`.
    """

    id: str
    function: Function
    total_roi: Roi
    read_roi: Roi
    write_roi: Roi
    fit: Fit = "valid"
    read_write_conflict: bool = True
    workers: int | None = None
    max_retries: int | None = None
    timeout: float | None = None
    setup: Function | None = None
    is_done: Callable[[Block], bool] | None = None
    requires: Mapping[str, float] = dataclasses.field(default_factory=dict)
    max_ahead: int | None = None
    writes: tuple[str, ...] = ()
    voxel_size: tuple[int, ...] | None = None
    offset: tuple[int, ...] | None = None
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    mask: str | None = None
    skip_mask: Any = dataclasses.field(default=None, repr=False)
    upstream: tuple[Task, ...] = ()

    @overload
    def __init__(
        self,
        id: str,
        function: Callable[[Block], object],
        total_roi: AnyRoi,
        read_roi: AnyRoi,
        write_roi: AnyRoi | None = None,
        *,
        setup: None = None,
        **options: Unpack[TaskOptions],
    ) -> None: ...

    @overload
    def __init__(
        self,
        id: str,
        function: Callable[[Block, State], object],
        total_roi: AnyRoi,
        read_roi: AnyRoi,
        write_roi: AnyRoi | None = None,
        *,
        setup: Setup[State],
        **options: Unpack[TaskOptions],
    ) -> None: ...

    def __init__(
        self,
        id: str,
        function: Function,
        total_roi: AnyRoi,
        read_roi: AnyRoi,
        write_roi: AnyRoi | None = None,
        *,
        fit: Fit = "valid",
        read_write_conflict: bool = True,
        workers: int | None = None,
        max_retries: int | None = None,
        timeout: float | None = None,
        setup: Function | None = None,
        is_done: Callable[[Block], bool] | None = None,
        requires: Mapping[str, float] | None = None,
        max_ahead: int | None = None,
        writes: Writable | Iterable[Writable] = (),
        voxel_size: Iterable[int] | None = None,
        offset: Iterable[int] | None = None,
        config: Mapping[str, Any] | None = None,
        mask: Writable | None = None,
        skip_mask: Any = None,
        upstream: Iterable[Task] = (),
    ) -> None:
        checked_id(id)
        if not callable(function):
            raise TypeError(f'Task "{id}": function is {function!r}; expected something that can be called.')
        _refuse_deferred_function(function, f'Task "{id}": its function')
        if is_done is not None:
            _refuse_deferred_function(is_done, f'Task "{id}": its is_done')
        if setup is not None:
            # Its state may be a generator.
            _refuse_deferred_function(setup, f'Task "{id}": its setup', may_generate=True)
        what = f'Task "{id}":'
        values: dict[str, Any] = {
            "id": id,
            "function": function,
            "total_roi": as_roi(total_roi, f"{what} total_roi"),
            "read_roi": as_roi(read_roi, f"{what} read_roi"),
            "write_roi": as_roi(read_roi if write_roi is None else write_roi, f"{what} write_roi"),
            "fit": one_of(fit, f"{what} fit", FITS),
            "read_write_conflict": read_write_conflict,
            "workers": None if workers is None else whole_number(workers, f"{what} workers", 1),
            "max_retries": None if max_retries is None else whole_number(max_retries, f"{what} max_retries", 0),
            "timeout": None if timeout is None else positive_number(timeout, f"{what} timeout"),
            "setup": setup,
            "is_done": is_done,
            "requires": amounts(requires, f"{what} requires"),
            "max_ahead": None if max_ahead is None else whole_number(max_ahead, f"{what} max_ahead", 1),
            "writes": written_paths(writes, f"{what} writes"),
            "voxel_size": None if voxel_size is None else whole_numbers(voxel_size, f"{what} voxel_size"),
            "offset": None if offset is None else whole_numbers(offset, f"{what} offset"),
            "config": plain_config(config, f"{what} config"),
            "mask": None if mask is None else path_of_array(mask, f"{what} mask"),
            "skip_mask": skip_mask,
            "upstream": tuple(upstream),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        _check_blocks(self)
        _check_voxels(self)
        if skip_mask is not None:
            # By value: what it is later counts for nothing.
            object.__setattr__(self, "skip_mask", copy.copy(skip_mask))
            self._masked()

    def _masked(self) -> str | None:
        """The blocks that are not run, for the engine. Raises ValueError if there is not one value per block."""
        if self.skip_mask is None:
            return None
        shape = _Grid(self.total_roi, self.read_roi, self.write_roi, self.fit).shape
        return base64.b64encode(masked_bits(self.skip_mask, shape, f'Task "{self.id}": skip_mask')).decode()

    def __call__(self, block: Block, *state: Any) -> object:
        """Calls the function, for instance in a test."""
        return self.function(block, *state)

    def after(self, *tasks: Task) -> Task:
        """The same task, whose blocks wait for blocks of these tasks that write what they read."""
        return self.replace(upstream=(*self.upstream, *tasks))

    def __rshift__(self, downstream: Task) -> Task:
        """`first >> second`: the second task after the first."""
        return downstream.after(self)

    def replace(self, **values: Unpack[TaskFields]) -> Task:
        """The same task with other values of these fields."""
        fields: dict[str, Any] = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        fields.update(cast("dict[str, Any]", values))
        return Task(**fields)

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


@overload
def task(
    *,
    total_roi: AnyRoi,
    read_roi: AnyRoi,
    write_roi: AnyRoi | None = None,
    id: str | None = None,
    setup: None = None,
    **options: Unpack[TaskOptions],
) -> Callable[[Callable[[Block], object]], Task]: ...


@overload
def task(
    *,
    total_roi: AnyRoi,
    read_roi: AnyRoi,
    write_roi: AnyRoi | None = None,
    id: str | None = None,
    setup: Setup[State],
    **options: Unpack[TaskOptions],
) -> Callable[[Callable[[Block, State], object]], Task]: ...


def task(
    *,
    total_roi: AnyRoi,
    read_roi: AnyRoi,
    write_roi: AnyRoi | None = None,
    id: str | None = None,
    setup: Function | None = None,
    **options: Unpack[TaskOptions],
) -> Callable[[Function], Task]:
    """Makes a function a task, with the options of `Task`.

        @bellis.task(total_roi=total, read_roi=read, write_roi=write, fit="shrink")
        def smooth(block): ...
    """

    def make(function: Function) -> Task:
        every: dict[str, Any] = {**options, "setup": setup}
        return Task(id or function.__name__, function, total_roi, read_roi, write_roi, **every)

    return make


def with_upstream(tasks: Iterable[Task]) -> list[Task]:
    """The tasks and all that they come after, each once and in order. Raises ValueError for two tasks of one name."""
    found: dict[str, Task] = {}

    def visit(one: Task) -> None:
        known = found.get(one.id)
        if known is one:
            return
        for upstream in one.upstream:
            visit(upstream)
        if found.get(one.id, one) is not one:
            raise ValueError(f'Two tasks are called "{one.id}"; give one of them another id.')
        found[one.id] = one

    for each in tasks:
        visit(each)
    return list(found.values())


def positional_count(function: Function) -> int:
    """How many positional arguments a function takes, at most; a function that can't be inspected takes one."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 1
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return 99
    return sum(parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD) for parameter in parameters)
