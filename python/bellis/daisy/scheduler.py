"""A scheduler in the caller's hands: the engine's, over its pipe."""

from __future__ import annotations

import os
import weakref

from .._client import BellisError
from .._engine_process import EngineProcess, Message, give_back, take_engine
from .._run import _roi, describe_task
from .block import Block, BlockStatus
from .graph import DependencyGraph
from .states import TaskState
from .task import BaseTask, Tasks, pipeline_of

_OUTCOMES = {BlockStatus.SUCCESS: "done", BlockStatus.FAILED: "failed"}


class Scheduler:
    """Hands out the blocks of tasks in their order, one call at a time, without workers.

    tasks: with all that they come after.
    count_all_orphans: accepted; orphaned blocks are always counted.
    """

    def __init__(self, tasks: Tasks, count_all_orphans: bool = True) -> None:
        pipeline = pipeline_of(tasks)
        #: The tasks by id.
        self.task_map: dict[str, BaseTask] = {task.task_id: task for task in pipeline.ordered()}
        self.task_states: dict[str, TaskState] = {task_id: TaskState() for task_id in self.task_map}
        self.dependency_graph = DependencyGraph(pipeline)
        self._held: dict[tuple[str | None, int], int] = {}
        self._trackings = pipeline.open_trackings()
        self._engine = take_engine()
        self._end = weakref.finalize(self, _end, self._engine)
        self._ask({"type": "schedule", "tasks": [describe_task(task, None) for task in pipeline.native().values()]})

    def _ask(self, message: Message) -> Message | None:
        """Returns the block that the engine answers with. Raises BellisError."""
        self._engine.send(message)
        [answer] = self._engine.receive()
        if answer["type"] == "error":
            raise BellisError(answer["error"]["message"])
        for counts in answer["states"]:
            self.task_states[counts["id"]].take(counts)
        block: Message | None = answer["block"]
        return block

    def get_ready_tasks(self) -> list[BaseTask]:
        """The tasks that have blocks ready."""
        return [task for task_id, task in self.task_map.items() if self.task_states[task_id].ready_count > 0]

    def acquire_block(self, task_id: str) -> Block | None:
        """A block of a task, if one is ready. Those that its mask, its tracking or its check function says are done are skipped."""
        task = self.task_map[task_id]
        while True:
            given = self._ask({"type": "acquire", "taskId": task_id})
            if given is None:
                return None
            read, write = _roi(given["read"]), _roi(given["write"])
            block = task.block(read, write)
            self._held[block.block_id] = given["index"]
            if not task.is_done(given["index"], read, write, self._trackings[task_id]):
                block.status = BlockStatus.PROCESSING
                self.task_states[task_id].started = True
                return block
            self._release(block, "skipped")

    def release_block(self, block: Block) -> dict[str, TaskState]:
        """Takes a block back, by its status. Returns the states of the tasks that have blocks ready since then."""
        if block.status not in _OUTCOMES:
            raise RuntimeError(f"Block {block}: its status is {block.status.name}; expected SUCCESS or FAILED.")
        before = {task_id: state.ready_count for task_id, state in self.task_states.items()}
        index = self._release(block, _OUTCOMES[block.status])
        tracking = self._trackings[str(block.task_id)]
        if tracking is not None:
            tracking.note(index, is_done=block.status == BlockStatus.SUCCESS)
        return {task_id: state for task_id, state in self.task_states.items() if state.ready_count > before[task_id]}

    def _release(self, block: Block, outcome: str) -> int:
        if block.block_id not in self._held:
            raise RuntimeError(f"Block {block} is not handed out.")
        index = self._held.pop(block.block_id)
        self._ask({"type": "release", "taskId": block.task_id, "block": index, "outcome": outcome})
        return index


def _end(engine: EngineProcess) -> None:
    if engine.owner != os.getpid():
        # A forked process has no part in it.
        return
    engine.send({"type": "close"})
    give_back(engine)
