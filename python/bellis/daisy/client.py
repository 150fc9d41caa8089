"""The client of a worker program."""

from __future__ import annotations

import contextlib
import logging as python_logging
import os
from typing import Any, Iterator, Mapping

from .. import _client
from .block import Block, BlockStatus
from .context import Context
from .geometry import to_funlib
from .tracking import tracking_of

logger = python_logging.getLogger(__name__)
#: The variable with a file whose creator may be the worker that the run has started.
CLAIM = "BELLIS_CLAIM"


class _TaskBlock(_client.Block):
    """A block that knows the grid of its task."""

    def __init__(self, index: int, task: Mapping[str, Any], *rest: Any) -> None:
        super().__init__(index, task, *rest)
        self.grid: Mapping[str, Any] = task["grid"]


class Client:
    """Gets blocks, in a worker program that a task without an argument has started.

        client = daisy.Client()
        while True:
            with client.acquire_block() as block:
                if block is None:
                    break
                ...

    It connects when the first block is asked for.
    """

    def __init__(self, context: Context | None = None) -> None:
        self.context = context or Context.from_env()
        self.task_id = self.context["task_id"]
        self.worker_id = int(self.context["worker_id"])
        self._blocks: Iterator[_client.Block] | None = None

    @contextlib.contextmanager
    def acquire_block(self) -> Iterator[Block | None]:
        """A block for the body of a `with`, or None when nothing is left to do. An exception in the body is a failed attempt."""
        if self._blocks is None:
            self._blocks = self._connect()
        given = next(self._blocks, None)
        if given is None:
            yield None
            return
        assert isinstance(given, _TaskBlock)
        total, shape = given.grid["totalRoi"], given.grid["writeRoi"]["shape"]
        block = Block(
            to_funlib(_client.Roi(tuple(total["offset"]), tuple(total["shape"]))),
            to_funlib(given.read_roi),
            to_funlib(given.write_roi),
            task_id=self.task_id,
            block_shape=shape,
        )
        block.status = BlockStatus.PROCESSING
        is_done = False
        try:
            with given:
                yield block
                is_done = block.status != BlockStatus.FAILED
                if not is_done:
                    given.fail("block.status was set to FAILED")
        finally:
            tracking = tracking_of(given.config)
            if tracking is not None:
                tracking.note(given.index, is_done)
        given.done()

    def _connect(self) -> Iterator[_client.Block]:
        name = os.environ.get("BELLIS_WORKER") if _claim() else None
        url = bytes.fromhex(self.context["bellis"]).decode()
        worker = _client._Worker(url, None, name, None if name is not None else self.task_id)
        worker.block_type = _TaskBlock
        worker.takes_interrupts = False
        return worker.blocks()


def _claim() -> bool:
    """Whether this is the first client of its worker: further ones, in forked processes for instance, join as themselves."""
    path = os.environ.get(CLAIM)
    if path is None:
        return False
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        return True
    except OSError:
        return False
