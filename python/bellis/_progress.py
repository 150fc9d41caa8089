"""What a run shows while it is running."""

from __future__ import annotations

import importlib
import sys
import time
from typing import Any, Callable, Literal, Mapping, Union

Event = Mapping[str, Any]
#: "auto": bars in terminals and notebooks, otherwise nothing. "bar": bars. "lines": a line now and then. A callable gets every event.
Progress = Union[Literal["auto", "bar", "lines", "none"], bool, Callable[[Event], None]]
Listener = Callable[[Event], None]

#: Seconds between two lines.
LINE_SECONDS = 5.0


def listener_for(progress: Progress) -> tuple[Listener, Callable[[], None]]:
    """What is called with each event, and at the end."""
    if callable(progress):
        return progress, lambda: None
    if progress is True:
        progress = "auto"
    if progress is False or progress == "none":
        return lambda event: None, lambda: None
    if progress not in ("auto", "bar", "lines"):
        raise ValueError(f"progress {progress!r}: expected 'auto', 'bar', 'lines', 'none' or a function.")
    if progress == "auto" and not (_in_notebook() or sys.stderr.isatty()):
        return lambda event: None, lambda: None
    bars = None if progress == "lines" else _bars()
    if bars is not None:
        return bars.show, bars.close
    return _Lines().show, lambda: None


def _in_notebook() -> bool:
    return "ipykernel" in sys.modules


class _Bars:
    """A bar for each task."""

    def __init__(self, tqdm: Any) -> None:
        self._tqdm = tqdm
        self._bars: dict[str, Any] = {}

    def show(self, event: Event) -> None:
        if event["type"] == "warning":
            self._tqdm.write(f"warning: {event['message']}", file=sys.stderr)
        for task in event.get("tasks", ()) if event["type"] in ("run-started", "progress") else ():
            bar = self._bars.get(task["id"])
            if bar is None:
                bar = self._tqdm(desc=task["id"], total=task["total"], unit="blocks", dynamic_ncols=True, file=sys.stderr)
                self._bars[task["id"]] = bar
            ended = task["completed"] + task["failed"] + task["orphaned"]
            bar.update(ended - bar.n)
            shown = {name: task[name] for name in ("processing", "failed", "orphaned") if task[name]}
            bar.set_postfix(shown, refresh=False)

    def close(self) -> None:
        for bar in self._bars.values():
            bar.close()


def _bars() -> _Bars | None:
    try:
        tqdm = importlib.import_module("tqdm.auto").tqdm
    except ImportError:
        return None
    return _Bars(tqdm)


class _Lines:
    def __init__(self) -> None:
        self._shown = float("-inf")

    def show(self, event: Event) -> None:
        if event["type"] == "warning":
            print(f"warning: {event['message']}", file=sys.stderr, flush=True)
        if event["type"] != "progress" or time.monotonic() - self._shown < LINE_SECONDS:
            return
        self._shown = time.monotonic()
        tasks = ", ".join(f"{task['id']} {task['completed']}/{task['total']}" for task in event["tasks"])
        print(f"{event['seconds']:.1f} s: {tasks}", file=sys.stderr, flush=True)
