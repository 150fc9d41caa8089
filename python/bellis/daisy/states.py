"""How far tasks are, as Daisy says it."""

from __future__ import annotations

from typing import Any, Mapping

from .._result import Failure, TaskResult


class TaskState:
    """Counts of the blocks of a task."""

    def __init__(self) -> None:
        self.started = False
        self.total_block_count = 0
        self.ready_count = 0
        self.processing_count = 0
        self.completed_count = 0
        #: Blocks that were done before; they are among the completed ones.
        self.skipped_count = 0
        self.failed_count = 0
        self.orphaned_count = 0
        #: The blocks that failed, with their errors and tracebacks.
        self.failures: list[Failure] = []
        #: Why the task was abandoned, if it was.
        self.abandon_reason: str | None = None

    @classmethod
    def of_result(cls, result: TaskResult) -> TaskState:
        """How a task has ended."""
        state = cls()
        state.started = True
        state.total_block_count, state.completed_count = result.total, result.completed
        state.skipped_count, state.failed_count, state.orphaned_count = result.skipped + result.masked, result.failed, result.orphaned
        state.failures, state.abandon_reason = result.failures, result.error
        return state

    def take(self, counts: Mapping[str, Any]) -> None:
        """Sets the counts to those of the engine."""
        self.total_block_count, self.ready_count, self.processing_count = counts["total"], counts["ready"], counts["processing"]
        self.completed_count, self.skipped_count = counts["completed"], counts["skipped"]
        self.failed_count, self.orphaned_count = counts["failed"], counts["orphaned"]

    @property
    def pending_count(self) -> int:
        """Blocks that wait for others, or that were left when the run stopped."""
        ended = self.completed_count + self.failed_count + self.orphaned_count
        return self.total_block_count - ended - self.ready_count - self.processing_count

    @property
    def abandoned(self) -> bool:
        return self.abandon_reason is not None

    @property
    def last_worker_error(self) -> str | None:
        """The last failure's traceback, or its error."""
        return (self.failures[-1].traceback or self.failures[-1].error) if self.failures else self.abandon_reason

    def is_done(self) -> bool:
        """Whether every block has ended, in whatever way."""
        return self.completed_count + self.failed_count + self.orphaned_count == self.total_block_count

    def __repr__(self) -> str:
        return (
            f"completed {self.completed_count} of {self.total_block_count} (skipped {self.skipped_count}), "
            f"failed {self.failed_count}, orphaned {self.orphaned_count}, pending {self.pending_count}"
        )


class RunStates(dict[str, TaskState]):
    """The states by task id. True if and only if every block of every task is completed."""

    def __bool__(self) -> bool:
        return all(state.completed_count == state.total_block_count for state in self.values())

    def summary(self) -> str:
        """A table, for people."""
        width = max((len(task_id) for task_id in self), default=0)
        names = ("blocks", "completed", "skipped", "failed", "orphaned", "pending")
        lines = ["Execution Summary", "  ".join(["task".ljust(width), *names])]
        for task_id, state in self.items():
            counts = [state.total_block_count, state.completed_count, state.skipped_count]
            counts += [state.failed_count, state.orphaned_count, state.pending_count]
            cells = [str(count).rjust(len(name)) for count, name in zip(counts, names)]
            lines.append("  ".join([task_id.ljust(width), *cells]))
        return "\n".join(lines)
