"""How a run ended."""

from __future__ import annotations

import dataclasses
import html
from pathlib import Path
from typing import Any, Mapping

from ._client import BellisError, Roi


class RunFailed(BellisError):
    """Blocks of a run were not completed; the message has the first traceback."""


@dataclasses.dataclass(frozen=True)
class Failure:
    """A block that failed for good."""

    #: The number of the block in its task.
    block: int
    #: World units (nm).
    read_roi: Roi
    write_roi: Roi
    #: The last attempt's error: `ZeroDivisionError: division by zero`.
    error: str
    #: For programs: BLOCK_FAILED, BLOCK_TIMEOUT, WORKER_DIED, …
    code: str
    #: The traceback of the worker, or "".
    traceback: str
    #: How often it was tried.
    attempts: int
    #: The output of its worker.
    log: Path | None


@dataclasses.dataclass(frozen=True)
class TaskResult:
    """How one task ended: total = completed + failed + orphaned + pending. Skipped and masked blocks are among the completed ones."""

    id: str
    total: int
    completed: int
    skipped: int
    #: Blocks outside of the mask, which were not run.
    masked: int
    failed: int
    #: Blocks that were not tried, since a block that they need failed.
    orphaned: int
    #: Blocks that were not done because the run was stopped or the task abandoned.
    pending: int
    failures: list[Failure]
    #: Milliseconds per block in this start: mean, p50, p95, max, …
    block_ms: Mapping[str, float]
    #: Why the task was abandoned, if it was.
    error: str | None


@dataclasses.dataclass(frozen=True)
class Result:
    """How a run ended. It is true if and only if every block of every task is completed."""

    ok: bool
    #: Whether it was stopped, by Ctrl-C for instance.
    interrupted: bool
    seconds: float
    tasks: Mapping[str, TaskResult]
    #: The folder with its logs; None if nothing of it is kept.
    folder: Path | None
    #: Why the run could not go on, if it could not.
    error: str | None = None
    #: With `workers=0`: the exception of the block that failed first, or of a setup, with its traceback.
    exception: BaseException | None = dataclasses.field(default=None, repr=False, compare=False)
    #: What `bellis.reduce` has computed: count, nan, nonzero, min, max, mean, std and histogram (edges and counts); None for other runs.
    reduction: Mapping[str, Any] | None = dataclasses.field(default=None, repr=False)

    def __bool__(self) -> bool:
        return self.ok

    def __getitem__(self, task_id: str) -> TaskResult:
        return self.tasks[task_id]

    def raise_for_failures(self) -> None:
        """Raises RunFailed, with the first traceback, unless every block is completed.

        With `workers=0`, its cause is the exception of the block, and its traceback ends in the block's function: `pdb.pm()`
        and `%debug` start there.
        """
        if self.ok:
            return
        lines = [self._summary()]
        lines += [f"{task.id}: {task.error}" for task in self.tasks.values() if task.error is not None]
        if self.error is not None:
            lines.append(self.error)
        for task in self.tasks.values():
            for failure in task.failures[:1]:
                # The cause is shown with its traceback, too.
                why = failure.error if self.exception is not None else failure.traceback or failure.error
                lines.append(f"{task.id}/{failure.block}, {failure.write_roi}: {why}")
        failed = RunFailed("\n".join(lines))
        if self.exception is None:
            raise failed
        raise failed.with_traceback(self.exception.__traceback__) from self.exception

    def with_setup_failure(self, task_id: str, error: Exception) -> Result:
        """This result of a run in the calling thread, which was stopped since a task could not be set up there."""
        text = f"setup failed: {type(error).__name__}: {error}"
        task = dataclasses.replace(self.tasks[task_id], error=text)
        return dataclasses.replace(self, interrupted=False, tasks={**self.tasks, task_id: task}, exception=error)

    def _summary(self) -> str:
        tasks = ", ".join(
            f"{task.id}: {task.completed} of {task.total} blocks completed"
            + (f", {task.masked} of them masked" if task.masked else "")
            + (f", {task.failed} failed" if task.failed else "")
            + (f", {task.orphaned} orphaned" if task.orphaned else "")
            for task in self.tasks.values()
        )
        how = "done" if self.ok else "stopped" if self.interrupted else "failed"
        return f"run {how} in {self.seconds:.1f} s: {tasks}"

    def __repr__(self) -> str:
        return f"<{self._summary()}>"

    def _repr_html_(self) -> str:
        columns = ("total", "completed", "skipped", "masked", "failed", "orphaned", "pending")
        head = "".join(f"<th>{name}</th>" for name in ("task", *columns))
        rows = "".join(
            f"<tr><td>{html.escape(task.id)}</td>" + "".join(f"<td>{getattr(task, name)}</td>" for name in columns) + "</tr>"
            for task in self.tasks.values()
        )
        failures = "".join(
            f"<p>{html.escape(task.id)}/{failure.block}: <code>{html.escape(failure.error)}</code></p>"
            for task in self.tasks.values()
            for failure in task.failures[:5]
        )
        return f"<table><tr>{head}</tr>{rows}</table>{failures}"


def _roi_of(roi: Mapping[str, Any]) -> Roi:
    return Roi(tuple(roi["offset"]), tuple(roi["shape"]))


def _failure(failure: Mapping[str, Any], logs: Path | None) -> Failure:
    error = failure["error"]
    log = Path(failure["logFile"]) if "logFile" in failure else None
    if log is None and logs is not None:
        log = logs / f"{failure['workerId']}.log"
    return Failure(
        block=failure["index"],
        read_roi=_roi_of(failure["readRoi"]),
        write_roi=_roi_of(failure["writeRoi"]),
        error=error["message"],
        code=error["code"],
        traceback=error.get("stack", ""),
        attempts=failure["attempts"],
        log=log if log is not None and log.exists() else None,
    )


def parse_result(result: Mapping[str, Any], folder: Path | None, logs: Path | None = None) -> Result:
    """A result as the engine sends it."""
    tasks = {}
    for task in result["tasks"]:
        tasks[task["id"]] = TaskResult(
            id=task["id"],
            total=task["total"],
            completed=task["completed"],
            # The engine counts them there, too.
            skipped=task["skipped"] - task.get("masked", 0),
            masked=task.get("masked", 0),
            failed=task["failed"],
            orphaned=task["orphaned"],
            # In the JSON of a command, pending includes those that are ready.
            pending=task["pending"] + task.get("ready", 0) + task.get("processing", 0),
            failures=[_failure(failure, logs) for failure in task["failures"]],
            block_ms=task.get("blockMs", {}),
            error=task["error"]["message"] if "error" in task else None,
        )
    return Result(
        ok=result["ok"],
        interrupted=result["stopped"],
        seconds=result["seconds"],
        tasks=tasks,
        folder=folder,
        error=result["error"]["message"] if "error" in result else None,
        reduction=result.get("reduction"),
    )
