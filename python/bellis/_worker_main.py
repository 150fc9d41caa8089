"""`python -m bellis._worker_main TASKS …`: a worker that gets its tasks from a file, pickled by value.

With a run's folder as the last argument, it joins that run, for instance as a job of a batch system. Otherwise a run has
started it, and says in the environment where it is and how the worker is called.
"""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from typing import BinaryIO

from ._worker import die_with_parent, join_run, lead_group, serve


def assert_own(file: BinaryIO) -> None:
    """Makes sure that nobody else has put a file there, or can change it: what is pickled in it runs with the rights of this user."""
    if os.name == "nt":
        return
    found = os.fstat(file.fileno())
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        sys.exit(f"bellis: {file.name} belongs to another user, or can be written by others, so its tasks are not run.")


def main() -> None:
    joins = len(sys.argv) > 2
    if not joins:
        # Before anything of the user's: modules that are imported with the tasks may start programs, or never end.
        lead_group()
        die_with_parent(None)
    with open(sys.argv[1], "rb") as file:
        assert_own(file)
        sys.path[:0] = [path for path in pickle.load(file) if path not in sys.path]
        tasks = pickle.load(file)
    if joins:
        join_run(tasks, Path(sys.argv[2]), os.environ.get("BELLIS_WORKER"))
        return
    context, name, log = (os.environ.pop(f"BELLIS_{key}") for key in ("CONTEXT", "WORKER", "LOG"))
    # Whoever has started this process holds the other end of its standard input.
    serve(tasks, context, name, Path(log), Path(log).parent.parent, lambda: os.read(0, 1))


main()
