"""Run a function over every block of a huge n-dimensional volume, in the right order, to the end.

    import bellis

    @bellis.task(total_roi=total, read_roi=read, write_roi=write, fit="shrink")
    def smooth(block):
        ...                              # an exception in here is a failed attempt at this block

    result = bellis.run(smooth, workers=8)

Rois are boxes in world units (nm), `bellis.Roi(offset, shape)` or those of funlib.geometry, zyx. This package contains the
engine of Bellis with its command `bellis`, and `bellis.blocks()` for programs that join a run as workers.
"""

from ._arrays import Array, open_array as open
from ._builtin import convert, downsample, label, map, reduce, smooth, threshold
from ._client import BellisError, ConnectionLost, ProtocolError, Refused, Roi, __version__, blocks
from ._client import run as run_blocks
from ._crew import CannotPickle
from ._engine_process import EngineEnded
from ._node import NodeMissing
from ._result import Failure, Result, RunFailed, TaskResult
from ._run import CannotRun, Run, run, start
from ._task import Block, Task, task

__all__ = [
    "Array",
    "BellisError",
    "Block",
    "CannotPickle",
    "CannotRun",
    "ConnectionLost",
    "EngineEnded",
    "Failure",
    "NodeMissing",
    "ProtocolError",
    "Refused",
    "Result",
    "Roi",
    "Run",
    "RunFailed",
    "Task",
    "TaskResult",
    "__version__",
    "blocks",
    "convert",
    "downsample",
    "label",
    "map",
    "open",
    "reduce",
    "run",
    "run_blocks",
    "smooth",
    "start",
    "task",
    "threshold",
]
