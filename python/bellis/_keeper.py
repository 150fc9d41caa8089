"""A program that ends the workers of another one, its parent, when this has ended, however it ended.

The parent holds the other end of its standard input, and says there which processes are its workers: lines of `+PID` and `-PID`.
It is a process of its own, since the functions of users can keep all threads of a worker from running. It imports nothing of this
package, so that it starts at once.
"""

from __future__ import annotations

import os
import signal
import sys


def start_of(pid: int) -> str | None:
    """When a process was started, as the system counts; None if there is no such process, or the system does not say."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name of the program, in parentheses, may contain anything; the start is the 20th field after it.
            return file.read().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError):
        return None


def end(pid: int, start: str | None) -> None:
    """Ends a worker, and the processes of its group, which it has started."""
    if start is not None and start_of(pid) not in (start, None):
        # It ended long ago, and its number is that of another process.
        return
    for send in (os.kill, os.killpg):
        try:
            send(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass


def main() -> None:
    # What ends the parent must not end this process before it.
    os.setpgid(0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    workers: dict[int, str | None] = {}
    for line in sys.stdin.buffer:
        pid = int(line[1:])
        if line.startswith(b"+"):
            workers[pid] = start_of(pid)
        else:
            workers.pop(pid, None)
    for pid, start in workers.items():
        end(pid, start)


if __name__ == "__main__":
    main()
