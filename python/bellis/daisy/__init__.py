"""Daisy's names, run by the engine of Bellis: `import bellis.daisy as daisy` (docs/COMING-FROM-DAISY.md).

What works in Daisy 1.x works here, with these exceptions: the result of a run is true only if every block is completed, and
its wire protocol (`daisy.messages`, `daisy.tcp`) is not there. Needs funlib.geometry: `pip install bellis[daisy]`.
"""

from __future__ import annotations

import importlib
import sys
import types
from typing import Any

from . import block, cl_monitor, client, context, logging, server, task
from .block import Block, BlockStatus
from .client import Client
from .context import Context
from .logging import get_worker_log_basename, redirect_stdouterr
from .server import RunStates, SerialServer, Server, TaskState, options, run_blockwise
from .task import Task

__all__ = [
    "Block",
    "BlockStatus",
    "Client",
    "Context",
    "Coordinate",
    "Roi",
    "RunStates",
    "SerialServer",
    "Server",
    "Task",
    "TaskState",
    "get_worker_log_basename",
    "install",
    "logging",
    "options",
    "redirect_stdouterr",
    "run_blockwise",
]

try:
    _geometry: Any = importlib.import_module("funlib.geometry")
except ImportError as error:
    raise ImportError("bellis.daisy needs funlib.geometry: pip install bellis[daisy]") from error
Coordinate = _geometry.Coordinate
Roi = _geometry.Roi

#: The modules of Daisy that programs import by name.
_MODULES: dict[str, types.ModuleType] = {
    "block": block,
    "cl_monitor": cl_monitor,
    "client": client,
    "context": context,
    "logging": logging,
    "server": server,
    "task": task,
}


def install() -> None:
    """From now on, `import daisy` in this process finds this module, also in workers that are forked or started by it.

    A program that is started in another way finds it with `python -m bellis.daisy program.py` or `-m bellis.daisy -m module`.
    """
    sys.modules["daisy"] = sys.modules[__name__]
    for name, module in _MODULES.items():
        sys.modules[f"daisy.{name}"] = module


def __getattr__(name: str) -> Any:
    # Daisy 1.0 had arrays of its own; they need zarr.
    if name in ("Array", "open_ds", "prepare_ds"):
        from . import arrays

        return getattr(arrays, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
