"""The options of functions, for type checkers and for messages about misspelt ones."""

from __future__ import annotations

import difflib
import os
from typing import TYPE_CHECKING, Any, Callable, Iterable, Literal, Mapping, Sequence, TypedDict, Union

if TYPE_CHECKING:
    from ._progress import Progress
    from ._task import AnyRoi, Block, Function, Task
    from ._values import Writable

Fit = Literal["valid", "shrink", "overhang"]
StartMethod = Literal["fork", "spawn", "forkserver"]
Pool = Literal["process", "none", "slurm", "sge", "pbs", "lsf"]
OnStall = Literal["end", "move", "report"]
AnyPath = Union[str, "os.PathLike[str]"]
#: Voxels per axis, slowest axis first: `(64, 64, 64)` or "64,64,64".
Shape = Union[str, Sequence[int]]
#: Numbers per axis, slowest axis first.
Numbers = Union[str, Sequence[float]]
#: A number, or one per axis.
PerAxis = Union[float, str, Sequence[float]]
#: Options of a batch system, or several texts of which those like "TASK:OPTIONS" count for one task.
PerTask = Union[str, Sequence[str]]
Dtype = Literal[
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"
]


class TaskOptions(TypedDict, total=False):
    """The options of a task beside its function, its Rois and `setup`. See `Task`."""

    fit: Fit
    read_write_conflict: bool
    workers: int | None
    max_retries: int | None
    timeout: float | None
    is_done: Callable[[Block], bool] | None
    requires: Mapping[str, float] | None
    max_ahead: int | None
    writes: Writable | Iterable[Writable]
    voxel_size: Iterable[int] | None
    offset: Iterable[int] | None
    config: Mapping[str, Any] | None
    mask: Writable | None
    skip_mask: Any
    upstream: Iterable[Task]


class TaskFields(TaskOptions, total=False):
    """What `Task.replace` can replace."""

    id: str
    function: Function
    total_roi: AnyRoi
    read_roi: AnyRoi
    write_roi: AnyRoi
    setup: Callable[..., Any] | None


class RunOptions(TypedDict, total=False):
    """The options of `start`, which are those of `run` without `raise_on_failure`. See `run`."""

    workers: int | tuple[int, int] | None
    resources: Mapping[str, float] | None
    start_method: StartMethod | None
    max_retries: int | None
    timeout: float | None
    stall: float | None
    on_stall: OnStall | None
    mask: Writable | None
    progress: Progress
    name: str | None
    record: str | None
    overwrite: bool
    grow: bool
    run_dir: AnyPath | None
    max_history: float | None
    dashboard: bool
    host: str | None
    pool: Pool
    slurm: str | None
    sge: str | None
    pbs: str | None
    lsf: str | None


class CommandOptions(TypedDict, total=False):
    """The options of all built-in tasks: the flags of their commands, in docs/CLI.md, with underscores."""

    config: AnyPath
    mask: AnyPath
    only: str
    max_retries: int
    max_failures: int
    memory_retry: str | float
    timeout: float
    stall: float
    on_stall: OnStall
    overwrite: bool
    grow: bool
    yes: bool
    write_empty_chunks: bool
    workers: int | tuple[int, int] | str
    pool: PerTask
    slurm: PerTask
    sge: PerTask
    pbs: PerTask
    lsf: PerTask
    site: str
    host: str
    port: int
    tls_cert: AnyPath
    tls_key: AnyPath
    plain: bool
    resources: str | Mapping[str, float]
    run_dir: AnyPath
    db: str
    max_history: float
    max_log: float
    fsync: bool
    events: AnyPath
    verbose: bool
    metrics: int | str
    notify: str
    notify_stall: float
    quiet: bool
    log_level: Literal["error", "warn", "info", "debug"]
    allow_external: bool
    dashboard: bool
    dashboard_host: str
    dashboard_port: int
    dashboard_control: bool
    no_open: bool


class PlacedOptions(CommandOptions, total=False):
    """The options of built-in tasks that read one dataset."""

    voxel_size: Numbers
    offset: Numbers
    unit: str
    axes: str | Sequence[str]


class ConvertOptions(PlacedOptions, total=False):
    """The options of `convert`."""

    roi: str | AnyRoi
    chunk: Shape
    shard: Shape
    codec: str
    zarr_format: Literal[2, 3]


class SmoothOptions(PlacedOptions, total=False):
    """The options of `smooth`."""

    block_read: Shape
    block_write: Shape


class DownsampleOptions(CommandOptions, total=False):
    """The options of `downsample`."""

    factor: Shape
    levels: int
    method: Literal["mean", "mode", "stride"]


class LabelOptions(PlacedOptions, total=False):
    """The options of `label`."""

    connectivity: int
    block: Shape


class MapOptions(PlacedOptions, total=False):
    """The options of `map`."""

    dtype: Dtype


class ReduceOptions(PlacedOptions, total=False):
    """The options of `reduce`."""

    bins: int
    range: str | Sequence[float]
    roi: str | AnyRoi
    block: Shape
    parts: AnyPath


def refuse_unknown(function: str, options: Mapping[str, object], known: type) -> None:
    """Refuses options that are not those of a TypedDict. Raises TypeError, with the one that was probably meant."""
    names: frozenset[str] = getattr(known, "__optional_keys__")
    for name in options:
        if name in names:
            continue
        similar = difflib.get_close_matches(name, sorted(names), n=1)
        meant = f"; did you mean {similar[0]}?" if similar else "."
        raise TypeError(f"bellis.{function}() has no option {name!r}{meant}")
