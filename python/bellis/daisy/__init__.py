"""Daisy's names, run by the engine of Bellis: `import bellis.daisy as daisy` (docs/COMING-FROM-DAISY.md).

What works in Daisy 1.x works here, and the names of 2.x are in `bellis.daisy.v2`. The exceptions: the result of a run is
true only if every block is completed, and its wire protocol (`daisy.messages`, `daisy.tcp`) is not there. Needs funlib.geometry: `pip install bellis[daisy]`.
"""

from __future__ import annotations

import importlib
import os
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import block, cl_monitor, client, context, graph, logging, scheduler, server, states, task, tracking
from .block import Block, BlockStatus
from .client import Client
from .context import Context
from .geometry import Coordinate, Roi
from .graph import BlockwiseDependencyGraph, DependencyGraph, expand_roi_to_grid, expand_write_roi_to_grid
from .logging import get_worker_log_basename, redirect_stdouterr
from .scheduler import Scheduler
from .server import SerialServer, Server, options, run_blockwise
from .states import RunStates, TaskState
from .task import Pipeline, Task
from .tracking import get_tracking_basedir, set_tracking_basedir

if TYPE_CHECKING:
    # They need zarr, so they are loaded when they are used.
    from .arrays import Array as Array
    from .arrays import open_ds as open_ds
    from .arrays import prepare_ds as prepare_ds

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
    "SerialServer",
    "Server",
    "Task",
    "TaskState",
    "expand_roi_to_grid",
    "expand_write_roi_to_grid",
    "get_tracking_basedir",
    "get_worker_log_basename",
    "install",
    "logging",
    "options",
    "redirect_stdouterr",
    "run_blockwise",
    "set_tracking_basedir",
]

#: The modules of Daisy that programs import by name.
_MODULES: dict[str, types.ModuleType] = {
    "block": block,
    "blocks": graph,
    "cl_monitor": cl_monitor,
    "client": client,
    "context": context,
    "convenience": server,
    "dependency_graph": graph,
    "logging": logging,
    "scheduler": scheduler,
    "serial_server": server,
    "server": server,
    "task": task,
    "task_state": states,
    "tracking": tracking,
    "worker_pool": server,
}
#: Where a program that is started finds a module `daisy` that is this one.
_ALIAS = str(Path(__file__).parent / "_alias")


def install() -> None:
    """From now on, `import daisy` in this process finds this module, also in the programs that it starts.

    A program that is started in another way finds it with `python -m bellis.daisy program.py` or `-m bellis.daisy -m module`.
    """
    sys.modules["daisy"] = sys.modules[__name__]
    for name, module in _MODULES.items():
        sys.modules[f"daisy.{name}"] = module
    sys.modules["daisy.v2"] = importlib.import_module(f"{__name__}.v2")
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path not in ("", _ALIAS)]
    os.environ["PYTHONPATH"] = os.pathsep.join([_ALIAS, *paths])


def __getattr__(name: str) -> Any:
    # Daisy had arrays of its own once.
    if name in ("Array", "open_ds", "prepare_ds"):
        from . import arrays

        return getattr(arrays, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
